/* SPDX-License-Identifier: MIT */
#include "server/settings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "broker/auth.h"
#include "os/random.h"
#include "server/config_auth.h"
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

static int make_auth(struct settings *settings)
{
	uint64_t hash_key;
	int error = random_fill(&hash_key, sizeof(hash_key));

	if (error < 0)
		return error;
	settings->auth = auth_new(hash_key);
	return settings->auth ? 0 : -ENOMEM;
}

static int read_file(struct settings *settings, struct buf *why)
{
	struct options *options = &settings->options;
	struct config *config = &settings->config;
	bool has_user = options->user || options->token;
	int argc = options->argc;
	char *const *argv = options->argv;
	char problem[512];

	if (config_file_read(config, options->config, why))
		return 1;
	options_init(options);
	config_options_read(config, options);
	if (config_auth_read(config, settings->auth, has_user) < 0)
		return tell(why, strerror(ENOMEM));
	if (config->complaint_count > 0)
		return tell_complaints(config, why);
	config_drop_tree(config);
	return take_over(options, argc, argv, problem) ? tell(why, problem) : 0;
}

/* The one of the command line. */
static int add_user(const struct options *options, struct auth *auth, struct buf *why)
{
	const char *name = options->token ? "auth" : "pass";
	int answer = options_add_user(options, auth);

	if (answer < 0)
		return tell(why, strerror(-answer));
	if (answer == AUTH_DUPLICATE)
		(void)buf_printf(why, "option --user: the configuration file has that user as "
				      "well");
	else if (answer)
		(void)buf_printf(why, "option --%s: it begins like a bcrypt hash, but is none",
				 name);
	return answer != AUTH_OK;
}

int settings_read(struct settings *settings, int argc, char *const argv[], struct buf *why)
{
	struct options *options = &settings->options;
	char problem[512];
	int error;

	*settings = (struct settings){0};
	if (options_read(options, argc, argv, problem))
		return tell(why, problem);
	if (options->action != OPTIONS_RUN && options->action != OPTIONS_CHECK)
		return 0;
	error = make_auth(settings);
	if (error < 0)
		return tell(why, strerror(-error));
	if (options->config && read_file(settings, why))
		return 1;
	return add_user(options, settings->auth, why);
}

void settings_fini(struct settings *settings)
{
	auth_free(settings->auth);
	config_fini(&settings->config);
}

void settings_free(struct settings *settings)
{
	if (settings)
		settings_fini(settings);
	free(settings);
}
