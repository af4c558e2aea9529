/* SPDX-License-Identifier: MIT */
#include "server/settings.h"

#include <stdlib.h>

#include "server/config_file.h"
#include "server/config_options.h"

static int tell(struct buf *why, const char *text)
{
	(void)buf_printf(why, "%s", text);
	return 1;
}

static int tell_complaints(const struct config *config, struct buf *why)
{
	(void)buf_append(why, buf_slice(&config->complaints));
	if (config->complaint_count > CONFIG_COMPLAINTS_MAX)
		(void)buf_printf(why, "\nand %u more",
				 config->complaint_count - CONFIG_COMPLAINTS_MAX);
	return 1;
}

/*
 * Where the command line gives an address, the file's counts only for what is left open: the host
 * of a port, the port of a host.
 */
static void merge_addresses(struct options *options, const struct options *file)
{
	bool is_partial = !options->host != !options->port;

	options->address_is_filed = !options_given_address(options);
	if (options->listen_count > 0 || (file->listen_count > 0 && !options->address_is_filed))
		return;
	if (is_partial || options->address_is_filed) {
		options->host = options->host ? options->host : file->host;
		options->port = options->port ? options->port : file->port;
	}
	for (uint32_t at = 0; at < file->listen_count; at++)
		options->listen[options->listen_count++] = file->listen[at];
}

/* The words once more, over what the file says. */
static int take_over(struct options *options, int argc, char *const argv[], char why[512])
{
	const struct options file = *options;

	options->host = NULL;
	options->port = 0;
	options->listen_count = 0;
	if (options_take(options, argc, argv, why))
		return 1;
	merge_addresses(options, &file);
	return options_check(options, why);
}

int settings_read(struct settings *settings, int argc, char *const argv[], struct buf *why)
{
	struct options *options = &settings->options;
	struct config *config = &settings->config;
	char problem[512];

	*settings = (struct settings){0};
	if (options_read(options, argc, argv, problem))
		return tell(why, problem);
	if (!options->config ||
	    (options->action != OPTIONS_RUN && options->action != OPTIONS_CHECK))
		return 0;
	if (config_file_read(config, options->config, why))
		return 1;
	options_init(options);
	config_options_read(config, options);
	if (config->complaint_count > 0)
		return tell_complaints(config, why);
	return take_over(options, argc, argv, problem) ? tell(why, problem) : 0;
}

void settings_fini(struct settings *settings)
{
	config_fini(&settings->config);
}

void settings_free(struct settings *settings)
{
	if (settings)
		settings_fini(settings);
	free(settings);
}
