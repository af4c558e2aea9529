/* SPDX-License-Identifier: MIT */
#include "server/options.h"

#include <unistd.h>

#include "test.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { WORDS_MAX = 40 };

static char why[512];

/* Words up to the first NULL, behind the program's name. */
static int read_words(struct options *options, const char *const words[])
{
	char *argv[WORDS_MAX + 1];
	const char *program = "minats";
	int argc = 1;

	memcpy(&argv[0], &program, sizeof(program));
	for (; argc < WORDS_MAX && words[argc - 1]; argc++)
		memcpy(&argv[argc], &words[argc - 1], sizeof(char *));
	argv[argc] = NULL;
	memset(why, 0, sizeof(why));
	/* Every field is set, whatever was there. */
	memset(options, 0x01, sizeof(*options));
	return options_read(options, argc, argv, why);
}

#define READ(options, ...) read_words(options, (const char *const[]){__VA_ARGS__, NULL})

#define CHECK_READ(options, ...)                                  \
	do {                                                      \
		CHECK_NUMBER(READ(options, __VA_ARGS__), 0);      \
		test_check_text(__FILE__, __LINE__, "why", slice_of(why), SLICE("")); \
	} while (0)

static void check_same(const char *what, const char *text, const char *expected)
{
	if (!text || !expected)
		test_check_number(__FILE__, __LINE__, what, text != NULL, expected != NULL);
	else
		test_check_text(__FILE__, __LINE__, what, slice_of(text), slice_of(expected));
}

/* What was typed, and what the message has to name. */
struct refusal {
	const char *words[6]; /* up to a NULL */
	const char *names[4];
};

static void check_refusals(const struct refusal *rows, size_t count)
{
	for (size_t at = 0; at < count; at++) {
		const struct refusal *row = &rows[at];
		struct options options;

		test_check_number(__FILE__, __LINE__, row->words[0],
				  read_words(&options, row->words), 1);
		for (size_t name = 0; name < 4 && row->names[name]; name++) {
			if (strstr(why, row->names[name]))
				continue;
			test_check_text(__FILE__, __LINE__, "the message", slice_of(why),
					slice_of(row->names[name]));
		}
	}
}

#define CHECK_REFUSALS(...)                                        \
	do {                                                       \
		static const struct refusal rows[] = {__VA_ARGS__}; \
		check_refusals(rows, COUNT(rows));                 \
	} while (0)

static void without_options_there_are_defaults(void)
{
	struct options options;

	CHECK_NUMBER(read_words(&options, (const char *const[]){NULL}), 0);
	CHECK_NUMBER(options.action, OPTIONS_RUN);
	CHECK(!options.host && !options.name && !options.client_advertise && !options.pid_file);
	CHECK(!options.ports_file_dir && !options.log_file && !options.signal);
	CHECK_NUMBER(options.port, 0);
	CHECK_NUMBER(options.listen_count, 0);
	CHECK(!options.inetd && !options.debug && !options.trace && !options.syslog);
	CHECK(options.logtime && !options.logtime_utc && !options.no_header_support);
	CHECK_NUMBER(options.max_payload, 1048576);
	CHECK_NUMBER(options.max_control_line, 4096);
	CHECK_NUMBER(options.max_connections, 65536);
	CHECK_NUMBER(options.max_subscriptions, 0);
	CHECK_NUMBER(options.max_subscription_tokens, 0);
	CHECK_NUMBER(options.max_pending, 67108864);
	CHECK_NUMBER(options.max_memory, -1);
	CHECK_NUMBER(options.max_traced_msg_len, 0);
	CHECK_NUMBER(options.ping_interval_ms, 120000);
	CHECK_NUMBER(options.ping_max, 2);
	CHECK_NUMBER(options.write_deadline_ms, 10000);
	CHECK_NUMBER(options.lame_duck_duration_ms, 120000);
	CHECK_NUMBER(options.lame_duck_grace_ms, 10000);
	CHECK_NUMBER(options.exit_idle_ms, 0);
	CHECK(!options_given_address(&options));
}

/* Each name with one dash and two, its value as a word of its own and behind "=". */
static void check_text_option(const char *name, size_t offset)
{
	for (int form = 0; form < 4; form++) {
		char word[80];
		struct options options;
		const char *value;

		snprintf(word, sizeof(word), "%s%s%s", form & 1 ? "--" : "-", name,
			 form & 2 ? "=a=b" : "");
		test_check_number(__FILE__, __LINE__, word,
				  form & 2 ? READ(&options, word) : READ(&options, word, "a=b"), 0);
		memcpy(&value, (const char *)&options + offset, sizeof(value));
		check_same(name, value, "a=b");
	}
}

static void every_name_has_one_dash_or_two(void)
{
	static const struct {
		const char *name;
		size_t offset;
	} rows[] = {
		{"a", offsetof(struct options, host)},
		{"addr", offsetof(struct options, host)},
		{"net", offsetof(struct options, host)},
		{"n", offsetof(struct options, name)},
		{"name", offsetof(struct options, name)},
		{"server_name", offsetof(struct options, name)},
		{"P", offsetof(struct options, pid_file)},
		{"pid", offsetof(struct options, pid_file)},
		{"ports_file_dir", offsetof(struct options, ports_file_dir)},
		{"l", offsetof(struct options, log_file)},
		{"log", offsetof(struct options, log_file)},
		{"sl", offsetof(struct options, signal)},
		{"signal", offsetof(struct options, signal)},
	};

	for (size_t at = 0; at < COUNT(rows); at++)
		check_text_option(rows[at].name, rows[at].offset);
}

static void upper_and_lower_case_are_different_names(void)
{
	struct options options;

	CHECK_READ(&options, "-P", "4222");
	check_same("the pid file", options.pid_file, "4222");
	CHECK_NUMBER(options.port, 0);
	CHECK_READ(&options, "-p", "4222");
	CHECK(!options.pid_file);
	CHECK_NUMBER(options.port, 4222);
	CHECK_REFUSALS({{"-ADDR", "x"}, {"unknown option -ADDR"}});
}

static void the_last_of_two_counts(void)
{
	struct options options;

	CHECK_READ(&options, "-p", "1", "--port=2", "-D", "-D=false", "-a", "one", "--net", "two");
	CHECK_NUMBER(options.port, 2);
	CHECK(!options.debug);
	check_same("the host", options.host, "two");
}

static void a_value_may_look_like_an_option(void)
{
	struct options options;

	CHECK_READ(&options, "-n", "-D", "-p", "-1");
	check_same("the name", options.name, "-D");
	CHECK(!options.debug);
	CHECK_NUMBER(options.port, -1);
}

static void flags_are_on_alone_and_take_their_value_behind_an_equals_sign(void)
{
	static const struct {
		const char *name;
		size_t offset;
	} rows[] = {
		{"D", offsetof(struct options, debug)},
		{"debug", offsetof(struct options, debug)},
		{"V", offsetof(struct options, trace)},
		{"trace", offsetof(struct options, trace)},
		{"VV", offsetof(struct options, trace)},
		{"DV", offsetof(struct options, debug)},
		{"DV", offsetof(struct options, trace)},
		{"DVV", offsetof(struct options, debug)},
		{"DVV", offsetof(struct options, trace)},
		{"s", offsetof(struct options, syslog)},
		{"syslog", offsetof(struct options, syslog)},
		{"T", offsetof(struct options, logtime)},
		{"logtime", offsetof(struct options, logtime)},
		{"logtime_utc", offsetof(struct options, logtime_utc)},
		{"no_header_support", offsetof(struct options, no_header_support)},
		{"inetd", offsetof(struct options, inetd)},
	};
	static const struct {
		const char *value;
		bool expected;
	} values[] = {{"", true},      {"=true", true},   {"=1", true},   {"=t", true},
		      {"=TRUE", true}, {"=false", false}, {"=0", false}, {"=F", false}};

	for (size_t at = 0; at < COUNT(rows) * COUNT(values); at++) {
		size_t value = at % COUNT(values);
		size_t row = at / COUNT(values);
		char word[80];
		struct options options;

		snprintf(word, sizeof(word), "-%s%s", rows[row].name, values[value].value);
		test_check_number(__FILE__, __LINE__, word, READ(&options, word), 0);
		test_check_number(__FILE__, __LINE__, word,
				  *((const char *)&options + rows[row].offset),
				  values[value].expected);
	}
}

static void a_flag_does_not_swallow_the_next_word(void)
{
	struct options options;

	CHECK_READ(&options, "-D", "-p", "1");
	CHECK(options.debug);
	CHECK_NUMBER(options.port, 1);
	CHECK_REFUSALS({{"-D", "false"}, {"unrecognized command", "\"false\""}},
		       {{"-D=maybe"}, {"option -D:", "\"maybe\"", "true or false"}},
		       {{"--trace="}, {"option --trace:", "\"\"", "true or false"}},
		       {{"-DV=2"}, {"option -DV:", "\"2\"", "true or false"}});
}

/* Numbers of all kinds. */

struct number {
	const char *option;
	const char *value;
	size_t offset;
	int64_t expected;
};

static void check_numbers(const struct number *rows, size_t count)
{
	for (size_t at = 0; at < count; at++) {
		struct options options;
		int64_t number;

		test_check_number(__FILE__, __LINE__, rows[at].value,
				  READ(&options, rows[at].option, rows[at].value), 0);
		test_check_text(__FILE__, __LINE__, "why", slice_of(why), SLICE(""));
		memcpy(&number, (const char *)&options + rows[at].offset, sizeof(number));
		test_check_number(__FILE__, __LINE__, rows[at].value, number, rows[at].expected);
	}
}

#define CHECK_NUMBERS(...)                                        \
	do {                                                      \
		static const struct number rows[] = {__VA_ARGS__}; \
		check_numbers(rows, COUNT(rows));                 \
	} while (0)
#define AT(member) offsetof(struct options, member)

static void numbers_are_read_up_to_the_ends_of_their_ranges(void)
{
	CHECK_NUMBERS({"-p", "-1", AT(port), -1}, {"-p", "0", AT(port), 0},
		      {"-p", "65535", AT(port), 65535}, {"--port", "0004222", AT(port), 4222},
		      {"--max_connections", "1", AT(max_connections), 1},
		      {"--max_connections", "2147483647", AT(max_connections), 2147483647},
		      {"--max_subscriptions", "0", AT(max_subscriptions), 0},
		      {"--max_subscriptions", "100", AT(max_subscriptions), 100},
		      {"--max_subscription_tokens", "255", AT(max_subscription_tokens), 255},
		      {"--max_sub_tokens", "1", AT(max_subscription_tokens), 1},
		      {"--ping_max", "1", AT(ping_max), 1});
}

static void what_is_no_number_or_out_of_range_is_refused_by_name(void)
{
	CHECK_REFUSALS(
		{{"-p", "x"}, {"option -p:", "\"x\"", "a number", "-1 to 65535"}},
		{{"--port", "65536"}, {"option --port:", "\"65536\"", "-1 to 65535"}},
		{{"-p=-2"}, {"option -p:", "\"-2\"", "-1 to 65535"}},
		{{"-p="}, {"option -p:", "\"\""}},
		{{"-p", ""}, {"option -p:", "\"\""}},
		{{"-p", "1x"}, {"option -p:", "\"1x\""}},
		{{"-p", " 1"}, {"option -p:", "\" 1\""}},
		{{"-p", "+1"}, {"option -p:", "\"+1\""}},
		{{"-p", "0x10"}, {"option -p:", "\"0x10\""}},
		{{"-p", "-"}, {"option -p:", "\"-\""}},
		{{"-p", "4k"}, {"option -p:", "\"4k\""}},
		{{"-p", "99999999999999999999"}, {"option -p:", "\"99999999999999999999\""}},
		{{"-p", "-99999999999999999999"}, {"option -p:", "\"-99999999999999999999\""}},
		{{"--max_connections", "0"},
		 {"option --max_connections:", "\"0\"", "1 to 2147483647"}},
		{{"--max_connections", "2147483648"}, {"\"2147483648\"", "1 to 2147483647"}},
		{{"--max_subscriptions", "-1"}, {"\"-1\"", "0 to 2147483647"}},
		{{"--max_subscription_tokens", "256"}, {"\"256\"", "0 to 255"}},
		{{"--ping_max", "0"}, {"option --ping_max:", "\"0\""}});
}

static void sizes_have_units_of_a_thousand_and_of_1024(void)
{
	CHECK_NUMBERS({"--max_payload", "1", AT(max_payload), 1},
		      {"--max_payload", "8k", AT(max_payload), 8000},
		      {"--max_payload", "8K", AT(max_payload), 8000},
		      {"--max_payload", "8kb", AT(max_payload), 8192},
		      {"--max_payload", "8KB", AT(max_payload), 8192},
		      {"--max_payload", "8ki", AT(max_payload), 8192},
		      {"--max_payload", "8KiB", AT(max_payload), 8192},
		      {"--max_payload", "2m", AT(max_payload), 2000000},
		      {"--max_payload", "2MB", AT(max_payload), 2097152},
		      {"--max_payload", "2Mi", AT(max_payload), 2097152},
		      {"--max_pending", "1g", AT(max_pending), 1000000000},
		      {"--max_pending", "1GiB", AT(max_pending), 1073741824},
		      {"--max_pending", "2147483647", AT(max_pending), 2147483647},
		      {"--max_memory", "0", AT(max_memory), 0},
		      {"--max_memory", "3GiB", AT(max_memory), 3221225472},
		      {"--max_control_line", "64", AT(max_control_line), 64},
		      {"--max_control_line", "64MB", AT(max_control_line), 67108864},
		      {"--max_traced_msg_len", "0", AT(max_traced_msg_len), 0},
		      {"--max_traced_msg_len", "0k", AT(max_traced_msg_len), 0},
		      {"--max_traced_msg_len", "999999999", AT(max_traced_msg_len), 999999999});
}

static void what_is_no_size_or_out_of_range_is_refused_by_name(void)
{
	CHECK_REFUSALS(
		{{"--max_payload", "0"},
		 {"option --max_payload:", "\"0\"", "a size", "1 to 999999999"}},
		{{"--max_payload", "1000000000"}, {"\"1000000000\"", "1 to 999999999"}},
		{{"--max_payload", "-1"}, {"\"-1\""}}, {{"--max_payload", "-1k"}, {"\"-1k\""}},
		{{"--max_payload="}, {"option --max_payload:", "\"\""}},
		{{"--max_payload", "k"}, {"\"k\""}}, {{"--max_payload", "1 k"}, {"\"1 k\""}},
		{{"--max_payload", "1kk"}, {"\"1kk\""}}, {{"--max_payload", "1x"}, {"\"1x\""}},
		{{"--max_payload", "1kbx"}, {"\"1kbx\""}}, {{"--max_payload", "1b"}, {"\"1b\""}},
		{{"--max_payload", "1.5k"}, {"\"1.5k\""}},
		{{"--max_payload", "0x10"}, {"\"0x10\""}},
		{{"--max_payload", "10m "}, {"\"10m \""}},
		{{"--max_payload", "9000000000g"}, {"\"9000000000g\""}},
		/* 2^64 bytes, which would come out as none. */
		{{"--max_traced_msg_len", "16777216TiB"}, {"\"16777216TiB\""}},
		{{"--max_control_line", "63"}, {"\"63\"", "64 to 67108864"}},
		{{"--max_control_line", "65MB"}, {"\"65MB\"", "64 to 67108864"}},
		{{"--max_pending", "0"}, {"\"0\""}}, {{"--max_pending", "2GiB"}, {"\"2GiB\""}});
}

static void durations_add_up(void)
{
	CHECK_NUMBERS({"--ping_interval", "2m", AT(ping_interval_ms), 120000},
		      {"--ping_interval", "30", AT(ping_interval_ms), 30000},
		      {"--ping_interval", "30s", AT(ping_interval_ms), 30000},
		      {"--ping_interval", "500ms", AT(ping_interval_ms), 500},
		      {"--ping_interval", "1ms", AT(ping_interval_ms), 1},
		      {"--ping_interval", "1h30m", AT(ping_interval_ms), 5400000},
		      {"--ping_interval", "1h1m1s1ms", AT(ping_interval_ms), 3661001},
		      {"--ping_interval", "1.5s", AT(ping_interval_ms), 1500},
		      {"--ping_interval", "0.25m", AT(ping_interval_ms), 15000},
		      {"--ping_interval", "24h", AT(ping_interval_ms), 86400000},
		      {"--write_deadline", "100ms", AT(write_deadline_ms), 100},
		      {"--lame_duck_duration", "30s", AT(lame_duck_duration_ms), 30000},
		      {"--lame_duck_grace_period", "0", AT(lame_duck_grace_ms), 0},
		      {"--lame_duck_grace_period", "0s", AT(lame_duck_grace_ms), 0},
		      {"--exit-idle-time", "10m", AT(exit_idle_ms), 600000},
		      {"--exit-idle-time", "0", AT(exit_idle_ms), 0},
		      {"--exit-idle-time", "1ms", AT(exit_idle_ms), 1});
}

static void what_is_no_duration_or_out_of_range_is_refused_by_name(void)
{
	CHECK_REFUSALS(
		{{"--ping_interval", "x"},
		 {"option --ping_interval:", "\"x\"", "a time", "0.001s to 86400s"}},
		{{"--ping_interval", "0"}, {"\"0\""}},
		{{"--ping_interval", "0.5ms"}, {"\"0.5ms\""}},
		{{"--ping_interval", "-1s"}, {"\"-1s\""}}, {{"--ping_interval", "-1"}, {"\"-1\""}},
		{{"--ping_interval", "2 m"}, {"\"2 m\""}},
		{{"--ping_interval", "1.5"}, {"\"1.5\""}},
		{{"--ping_interval", "5d"}, {"\"5d\""}}, {{"--ping_interval", "5us"}, {"\"5us\""}},
		{{"--ping_interval", "1m30"}, {"\"1m30\""}}, {{"--ping_interval", "s"}, {"\"s\""}},
		{{"--ping_interval", "24h1ms"}, {"\"24h1ms\""}},
		{{"--ping_interval", "9999999999h"}, {"\"9999999999h\""}},
		{{"--ping_interval", "9223372036854775807"}, {"\"9223372036854775807\""}},
		{{"--ping_interval="}, {"\"\""}},
		{{"--write_deadline", "0"}, {"option --write_deadline:", "\"0\""}},
		{{"--lame_duck_duration", "29999ms"}, {"\"29999ms\"", "30s to 86400s"}},
		{{"--lame_duck_duration", "25h"}, {"\"25h\"", "30s to 86400s"}},
		{{"--exit-idle-time", "25h"}, {"\"25h\"", "0s to 86400s"}},
		{{"--exit-idle-time", "-1s"}, {"\"-1s\"", "0s to 86400s"}});
}

static void an_empty_duration_is_none(void)
{
	CHECK_REFUSALS({{"--lame_duck_grace_period="},
			{"option --lame_duck_grace_period:", "\"\""}},
		       {{"--lame_duck_grace_period", ""}, {"\"\""}});
}

/* strtod(3) knows more ways to write a number than a duration has. */
static void a_duration_is_written_in_plain_digits(void)
{
	CHECK_REFUSALS({{"--ping_interval", "1e1s"}, {"\"1e1s\""}},
		       {{"--ping_interval", "0x10s"}, {"\"0x10s\""}});
}

static void an_option_without_its_value_is_told(void)
{
	CHECK_REFUSALS({{"-p"}, {"option -p ", "needs a value", "PORT"}},
		       {{"-D", "--max_payload"},
			{"option --max_payload ", "needs a value", "BYTES"}},
		       {{"-a="}, {"option -a:", "empty"}},
		       {{"--name", ""}, {"option --name:", "empty"}},
		       {{"-sl="}, {"option -sl:", "empty"}});
}

static void what_is_not_known_is_told(void)
{
	CHECK_REFUSALS({{"--bogus"}, {"unknown option --bogus"}},
		       {{"-bogus=1"}, {"unknown option -bogus"}},
		       {{"---p", "1"}, {"unknown option ---p"}},
		       {{"--"}, {"unknown option --"}}, {{"--=x"}, {"unknown option --"}},
		       {{"-por", "1"}, {"unknown option -por"}},
		       {{"-ports", "1"}, {"unknown option -ports"}},
		       {{"run"}, {"unrecognized command", "\"run\""}},
		       {{"-"}, {"unrecognized command", "\"-\""}},
		       {{""}, {"unrecognized command", "\"\""}});
}

static void a_name_of_any_length_may_be_unknown(void)
{
	static char word[4000];
	struct options options;

	memset(word, '-', 2);
	memset(word + 2, 'x', sizeof(word) - 3);
	CHECK_NUMBER(READ(&options, word), 1);
	CHECK(strstr(why, "unknown option --xxx"));
	memcpy(word, "-p=", 3);
	CHECK_NUMBER(READ(&options, word), 1);
	CHECK(strstr(why, "option -p: \"xxx"));
	CHECK(memchr(why, '\0', sizeof(why)));
}

static void what_nats_server_has_and_minats_has_not_is_named(void)
{
	CHECK_REFUSALS(
		       {{"-m", "8222"}, {"option -m:", "no monitoring"}},
		       {{"--http_port=8222"}, {"option --http_port:", "no monitoring"}},
		       {{"-ms", "8222"}, {"option -ms:", "no monitoring"}},
		       {{"--https_port", "1"}, {"option --https_port:", "no monitoring"}},
		       {{"--tls"}, {"option --tls:", "no TLS"}},
		       {{"--tlsverify"}, {"option --tlsverify:", "no TLS"}},
		       {{"--tlscert", "f"}, {"option --tlscert:", "no TLS"}},
		       {{"--tlskey", "f"}, {"option --tlskey:", "no TLS"}},
		       {{"--tlscacert", "f"}, {"option --tlscacert:", "no TLS"}},
		       {{"--help_tls"}, {"option --help_tls:", "no TLS"}},
		       {{"-js"}, {"option -js:", "no JetStream"}},
		       {{"--jetstream"}, {"option --jetstream:", "no JetStream"}},
		       {{"-sd", "d"}, {"option -sd:", "no JetStream"}},
		       {{"--store_dir", "d"}, {"option --store_dir:", "no JetStream"}},
		       {{"--routes", "r"}, {"option --routes:", "no clustering"}},
		       {{"--cluster", "c"}, {"option --cluster:", "no clustering"}},
		       {{"--cluster_listen", "c"}, {"option --cluster_listen:", "no clustering"}},
		       {{"--cluster_name", "c"}, {"option --cluster_name:", "no clustering"}},
		       {{"--cluster_advertise", "c"},
			{"option --cluster_advertise:", "no clustering"}},
		       {{"--no_advertise"}, {"option --no_advertise:", "no clustering"}},
		       {{"--connect_retries", "1"}, {"option --connect_retries:", "no clustering"}},
		       {{"-r", "u"}, {"option -r:", "remote syslog"}},
		       {{"--remote_syslog", "u"}, {"option --remote_syslog:", "remote syslog"}},
		       {{"--log_size_limit", "1"}, {"option --log_size_limit:", "no rotation"}},
		       {{"--profile", "1"}, {"option --profile:", "minats has no profiling port"}});
}

/* Addresses. */

static void addresses_to_listen_on_are_collected(void)
{
	struct options options;

	CHECK_READ(&options, "--listen", "a:1", "-listen=unix:/run/x", "--listen", "4222");
	CHECK_NUMBER(options.listen_count, 3);
	check_same("the first", options.listen[0], "a:1");
	check_same("the second", options.listen[1], "unix:/run/x");
	check_same("the third", options.listen[2], "4222");
	check_same("what was given", options_given_address(&options), "--listen");
}

static void there_is_a_limit_to_addresses(void)
{
	const char *words[WORDS_MAX] = {NULL};
	struct options options;

	for (size_t at = 0; at < OPTIONS_LISTEN_MAX; at++)
		words[at] = "--listen=1";
	CHECK_NUMBER(read_words(&options, words), 0);
	CHECK_NUMBER(options.listen_count, OPTIONS_LISTEN_MAX);
	words[OPTIONS_LISTEN_MAX] = "--listen=2";
	CHECK_NUMBER(read_words(&options, words), 1);
	CHECK(strstr(why, "option --listen:") && strstr(why, "32"));
}

static void the_options_that_chose_the_address_are_told(void)
{
	struct options options;

	CHECK_READ(&options, "-p", "1");
	check_same("what was given", options_given_address(&options), "--port");
	CHECK_READ(&options, "-a", "h");
	check_same("what was given", options_given_address(&options), "--addr");
	CHECK_READ(&options, "-a", "h", "-p", "-1");
	check_same("what was given", options_given_address(&options), "--addr and --port");
	/* 0 is the default, as with nats-server: it chooses nothing. */
	CHECK_READ(&options, "-p", "0");
	CHECK(!options_given_address(&options));
}

static void only_one_way_to_choose_addresses_at_a_time(void)
{
	struct options options;

	CHECK_REFUSALS({{"--listen", "1", "-p", "2"}, {"option --listen:", "--port"}},
		       {{"-a", "h", "--listen", "1"}, {"option --listen:", "--addr"}},
		       {{"--inetd", "-p", "2"}, {"option --port:", "--inetd"}},
		       {{"-a", "h", "--inetd"}, {"option --addr:", "--inetd"}},
		       {{"--inetd", "--listen", "2"}, {"option --listen:", "--inetd"}});
	CHECK_READ(&options, "--inetd=false", "-p", "2");
	CHECK_READ(&options, "--listen", "1", "-p", "0");
}

/* What only two options together tell. */

static void a_message_must_fit_what_may_wait(void)
{
	struct options options;

	CHECK_READ(&options, "--max_payload", "2MB", "--max_pending", "2MB");
	CHECK_REFUSALS({{"--max_payload", "65MB"},
			{"option --max_payload:", "68157440", "max_pending",
						    "67108864"}},
		       {{"--max_pending", "1000"},
			{"max_payload:", "1048576", "max_pending", "1000"}},
		       {{"--max_memory", "1000"},
			{"max_payload:", "1048576", "max_memory", "1000"}});
}

static void a_grace_period_is_a_part_of_the_whole(void)
{
	struct options options;

	CHECK_READ(&options, "--lame_duck_grace_period", "29s", "--lame_duck_duration", "30s");
	CHECK_REFUSALS({{"--lame_duck_grace_period", "2m"},
			{"option --lame_duck_grace_period:", "120s", "lame_duck_duration"}},
		       {{"--lame_duck_grace_period=30s", "--lame_duck_duration=30s"},
			{"option --lame_duck_grace_period:", "30s is not less"}});
}

static void names_and_advertised_addresses_are_fit_to_be_told(void)
{
	struct options options;

	CHECK_READ(&options, "--name", "a_b-c.\xc3\xa9", "--client_advertise",
		   "[fe80::1%eth0]:4222");
	check_same("the address", options.client_advertise, "[fe80::1%eth0]:4222");
	CHECK_REFUSALS({{"-n", "a b"}, {"option --name:", "\"a b\"", "blanks"}},
		       {{"-n", "a\tb"}, {"option --name:"}}, {{"-n", "a\n"}, {"option --name:"}},
		       {{"--client_advertise", "a\"b"}, {"option --client_advertise:", "\"a\"b\""}},
		       {{"--client_advertise", "a\\b"}, {"option --client_advertise:"}},
		       {{"--client_advertise", "a b"}, {"option --client_advertise:"}},
		       {{"--client_advertise", "nats://h"}, {"option --client_advertise:"}},
		       {{"--client_advertise="}, {"option --client_advertise:", "empty"}});
}

/* Actions. */

static void version_help_and_signals_are_asked_for(void)
{
	static const struct {
		const char *words[3];
		enum options_action action;
	} rows[] = {
		{{"-v"}, OPTIONS_SHOW_VERSION},	     {{"--version"}, OPTIONS_SHOW_VERSION},
		{{"version"}, OPTIONS_SHOW_VERSION}, {{"VERSION"}, OPTIONS_SHOW_VERSION},
		{{"-h"}, OPTIONS_SHOW_HELP},	     {{"--help"}, OPTIONS_SHOW_HELP},
		{{"help"}, OPTIONS_SHOW_HELP},	     {{"-D", "help"}, OPTIONS_SHOW_HELP},
		{{"-v=false"}, OPTIONS_RUN},	     {{"-h=false"}, OPTIONS_RUN},
		{{"-sl", "stop"}, OPTIONS_SEND_SIGNAL}, {{"--signal=ldm=7"}, OPTIONS_SEND_SIGNAL},
	};

	for (size_t at = 0; at < COUNT(rows); at++) {
		struct options options;

		test_check_number(__FILE__, __LINE__, rows[at].words[0],
				  read_words(&options, rows[at].words), 0);
		test_check_number(__FILE__, __LINE__, rows[at].words[0], options.action,
				  rows[at].action);
	}
}

static void a_signal_keeps_its_process(void)
{
	struct options options;

	CHECK_READ(&options, "--signal=stop=/run/minats.pid");
	check_same("the signal", options.signal, "stop=/run/minats.pid");
	CHECK_READ(&options, "-sl", "quit=123");
	check_same("the signal", options.signal, "quit=123");
}

/* What options_show_help() prints. Yours to free. */
static char *catch_help(void)
{
	FILE *file = tmpfile();
	int output = dup(STDOUT_FILENO);
	char *text;
	size_t length;

	if (!file || output < 0)
		abort();
	fflush(stdout);
	dup2(fileno(file), STDOUT_FILENO);
	options_show_help();
	fflush(stdout);
	dup2(output, STDOUT_FILENO);
	close(output);
	text = calloc(1, 65536);
	if (!text)
		abort();
	rewind(file);
	length = fread(text, 1, 65535, file);
	CHECK(length > 0 && length < 65535);
	fclose(file);
	return text;
}

static void help_names_every_option_and_none_that_is_missing(void)
{
	static const char *const there[] = {
		"-a, --addr, --net HOST", "-p, --port PORT", "--listen WHERE", "--inetd",
		"-c, --config FILE", "-t ", "-n, --name, --server_name NAME", "--client_advertise", "-P, --pid FILE",
		"--ports_file_dir DIR", "-l, --log FILE", "-s, --syslog", "-T, --logtime",
		"--logtime_utc", "-D, --debug", "-V, --trace", "--VV", "--DV, --DVV",
		"--max_traced_msg_len BYTES", "--max_payload BYTES", "--max_control_line BYTES",
		"--max_connections N", "--max_subscriptions N",
		"--max_subscription_tokens, --max_sub_tokens N", "--max_pending BYTES",
		"--max_memory BYTES",
		"--write_deadline TIME", "--ping_interval TIME", "--ping_max N",
		"--lame_duck_duration TIME", "--lame_duck_grace_period TIME",
		"--exit-idle-time TIME", "--no_header_support", "--user NAME",
		"--pass PASSWORD", "--auth TOKEN",
		"--signal COMMAND[=PID]", "-v, --version", "-h, --help",
	};
	static const char *const missing[] = {"--http_port", "--tls", "--jetstream", "--cluster",
					      "--profile"};
	char *help = catch_help();

	for (size_t at = 0; at < COUNT(there); at++)
		test_check_number(__FILE__, __LINE__, there[at], strstr(help, there[at]) != NULL,
				  true);
	for (size_t at = 0; at < COUNT(missing); at++)
		test_check_number(__FILE__, __LINE__, missing[at],
				  strstr(help, missing[at]) != NULL,
				  false);
	free(help);
}

static void a_configuration_file_is_named(void)
{
	struct options options;

	CHECK_READ(&options, "-c", "x.conf");
	check_same("config", options.config, "x.conf");
	CHECK_READ(&options, "--config=-/y", "-t");
	check_same("config", options.config, "-/y");
	CHECK_NUMBER(options.action, OPTIONS_CHECK);
	/* The file may yet say otherwise. */
	CHECK_READ(&options, "--max_payload", "128MB", "-c", "x");
	CHECK_REFUSALS({{"-t"}, {"must specify [-c, --config]"}}, {{"-c"}, {"option -c"}},
		       {{"--config", ""}, {"option --config"}});
}

static void users_of_the_command_line_are_whole(void)
{
	CHECK_REFUSALS({{"--user", "u"}, {"option --user:", "together"}},
		       {{"--pass", "p"}, {"option --pass:", "together"}},
		       {{"--user=u", "--pass=p", "--auth=t"}, {"option --auth:", "alone"}},
		       {{"--auth="}, {"option --auth:", "empty"}});
}

/* The place where the kernel looks is overwritten; the word itself is as before. */
static void secrets_are_hidden_wherever_they_stand(void)
{
	char name[] = "minats", pass[] = "--pass=sesame", user[] = "--user", joe[] = "--auth";
	char token[] = "-auth", value[] = "open", debug[] = "-D";
	char *argv[] = {name, user, joe, pass, debug, token, value, NULL};
	char *before[7];

	memcpy(before, argv, sizeof(before));
	options_hide_secrets(7, argv);
	CHECK_TEXT(slice_of(argv[3]), "--pass=sesame");
	CHECK_TEXT(slice_of(argv[6]), "open");
	CHECK_TEXT(slice_of(before[3]), "--pass=");
	CHECK(memcmp(before[3] + 7, "\0\0\0\0\0\0", 6) == 0);
	CHECK(memcmp(before[6], "\0\0\0\0", 4) == 0);
	/* The user is no secret, whatever he is called. */
	CHECK(argv[2] == before[2] && argv[5] == before[5] && argv[4] == before[4]);
	free(argv[3]);
	free(argv[6]);
}

/* ".It Ic KEY" and "DEFAULT; ..." on the next line. */
static bool read_limit(FILE *page, char key[64], char value[32])
{
	char line[512];

	while (fgets(line, sizeof(line), page))
		if (sscanf(line, ".It Ic %63s", key) == 1 && fgets(line, sizeof(line), page) &&
		    sscanf(line, "%31[a-z0-9];", value) == 1)
			return true;
	return false;
}

/* An option with the default that the page tells is as good as none. */
static void the_page_of_guarantees_knows_the_defaults(void)
{
	FILE *page = fopen("man/minats-guarantees.7", "r");
	struct options plain, given;
	char key[64], value[32], option[2 + 64];
	unsigned limits = 0;

	CHECK(page);
	if (!page)
		return;
	while (read_limit(page, key, value)) {
		limits++;
		/* Who gives none means another one, which server.c has, or what the machine has. */
		if (strcmp(key, "connection_rate") == 0 || strcmp(key, "max_memory") == 0)
			continue;
		if (strcmp(key, "exit_idle_time") == 0)
			strcpy(key, "exit-idle-time");
		snprintf(option, sizeof(option), "--%s", key);
		CHECK_READ(&plain, NULL);
		CHECK_READ(&given, option, strcmp(value, "none") == 0 ? "0" : value);
		plain.argc = given.argc;
		plain.argv = given.argv;
		if (memcmp(&plain, &given, sizeof(plain)) != 0)
			test_check_text(__FILE__, __LINE__, option, slice_of(value), SLICE("the default"));
	}
	fclose(page);
	CHECK(limits >= 19);
}

static const struct test_case cases[] = {
	TEST_CASE(a_configuration_file_is_named),
	TEST_CASE(users_of_the_command_line_are_whole),
	TEST_CASE(secrets_are_hidden_wherever_they_stand),
	TEST_CASE(without_options_there_are_defaults),
	TEST_CASE(the_page_of_guarantees_knows_the_defaults),
	TEST_CASE(every_name_has_one_dash_or_two),
	TEST_CASE(upper_and_lower_case_are_different_names),
	TEST_CASE(the_last_of_two_counts),
	TEST_CASE(a_value_may_look_like_an_option),
	TEST_CASE(flags_are_on_alone_and_take_their_value_behind_an_equals_sign),
	TEST_CASE(a_flag_does_not_swallow_the_next_word),
	TEST_CASE(numbers_are_read_up_to_the_ends_of_their_ranges),
	TEST_CASE(what_is_no_number_or_out_of_range_is_refused_by_name),
	TEST_CASE(sizes_have_units_of_a_thousand_and_of_1024),
	TEST_CASE(what_is_no_size_or_out_of_range_is_refused_by_name),
	TEST_CASE(durations_add_up),
	TEST_CASE(what_is_no_duration_or_out_of_range_is_refused_by_name),
	TEST_CASE(an_empty_duration_is_none),
	TEST_CASE(a_duration_is_written_in_plain_digits),
	TEST_CASE(an_option_without_its_value_is_told),
	TEST_CASE(what_is_not_known_is_told),
	TEST_CASE(a_name_of_any_length_may_be_unknown),
	TEST_CASE(what_nats_server_has_and_minats_has_not_is_named),
	TEST_CASE(addresses_to_listen_on_are_collected),
	TEST_CASE(there_is_a_limit_to_addresses),
	TEST_CASE(the_options_that_chose_the_address_are_told),
	TEST_CASE(only_one_way_to_choose_addresses_at_a_time),
	TEST_CASE(a_message_must_fit_what_may_wait),
	TEST_CASE(a_grace_period_is_a_part_of_the_whole),
	TEST_CASE(names_and_advertised_addresses_are_fit_to_be_told),
	TEST_CASE(version_help_and_signals_are_asked_for),
	TEST_CASE(a_signal_keeps_its_process),
	TEST_CASE(help_names_every_option_and_none_that_is_missing),
};

int main(void)
{
	return test_run(cases, COUNT(cases));
}
