/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include "cli/help.h"
#include "cli/signals.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CLI_SERVER_DEFAULT "http://127.0.0.1:8300"
#define CLI_TIMEOUT_MS_DEFAULT 10000

/* ---- options ---- */

const char *sl_cli_value(const struct sl_cli *c, enum sl_cli_option o)
{
    const char *env = sl_cli_options[o].env;
    if (c->args.values[o] || env[0] == '\0')
        return c->args.values[o];
    const char *value = getenv(env);
    return value && value[0] != '\0' ? value : NULL;
}

bool sl_cli_has(const struct sl_cli *c, enum sl_cli_option o)
{
    return (c->args.given & (UINT64_C(1) << o)) != 0;
}

bool sl_cli_duration(struct sl_cli *c, enum sl_cli_option o, uint64_t *ms)
{
    const char *value = sl_cli_value(c, o);
    char what[120];
    *ms = 0;
    if (!value || sl_cli_parse_ms(value, ms))
        return true;
    (void)snprintf(what, sizeof what, "--%s %.60s", sl_cli_options[o].name, value);
    (void)sl_cli_fail(c, SL_CLI_EXIT_USAGE, what, "that is no duration", "write it as 90s, 10m, 1h30m or 500ms");
    return false;
}

/* ---- connection ---- */

bool sl_cli_password(struct sl_cli *c, char **password)
{
    const char *path = sl_cli_value(c, SL_CLI_OPT_PASSWORD_FILE);
    char line[1024], what[200];
    *password = NULL;
    if (!path)
        return true;
    FILE *file = fopen(path, "re");
    int error = errno;
    bool ok = file && fgets(line, sizeof line, file);
    if (file)
        (void)fclose(file);
    if (ok) {
        line[strcspn(line, "\r\n")] = '\0';
        *password = sl_cli_copy(line);
        return true;
    }
    (void)snprintf(what, sizeof what, "--password-file %.120s", path);
    (void)sl_cli_fail(c, SL_CLI_EXIT_USAGE, what, file ? "it is empty" : strerror(error), "give a readable file");
    return false;
}

void sl_cli_password_free(char *password)
{
    free(password);
}

static bool cli_check_file(struct sl_cli *c, enum sl_cli_option o)
{
    const char *path = sl_cli_value(c, o);
    char what[200];
    if (!path || access(path, R_OK) == 0)
        return true;
    (void)snprintf(what, sizeof what, "--%s %.120s", sl_cli_options[o].name, path);
    (void)sl_cli_fail(c, SL_CLI_EXIT_USAGE, what, strerror(errno), "give a readable file");
    return false;
}

struct sl_cli_client *sl_cli_connect(struct sl_cli *c)
{
    const char *servers = sl_cli_value(c, SL_CLI_OPT_SERVER);
    char problem[200], *password;
    uint64_t timeout_ms;
    if (c->client)
        return c->client;
    if (!sl_cli_duration(c, SL_CLI_OPT_TIMEOUT, &timeout_ms) || !cli_check_file(c, SL_CLI_OPT_CA) ||
        !cli_check_file(c, SL_CLI_OPT_CERT) || !cli_check_file(c, SL_CLI_OPT_KEY))
        return NULL;
    if (!sl_cli_password(c, &password))
        return NULL;
    struct sl_cli_client_opts opts = {
        .servers = servers ? servers : CLI_SERVER_DEFAULT,
        .ca = sl_cli_value(c, SL_CLI_OPT_CA),
        .cert = sl_cli_value(c, SL_CLI_OPT_CERT),
        .key = sl_cli_value(c, SL_CLI_OPT_KEY),
        .user = sl_cli_value(c, SL_CLI_OPT_USER),
        .password = password,
        .timeout_ms = timeout_ms > 0 ? timeout_ms : CLI_TIMEOUT_MS_DEFAULT,
    };
    c->client = sl_cli_client_new(&opts, problem, sizeof problem);
    sl_cli_password_free(password);
    if (!c->client)
        (void)sl_cli_fail(c, SL_CLI_EXIT_USAGE, "--server", problem, "");
    return c->client;
}

bool sl_cli_get(struct sl_cli *c, const char *what, const char *path, struct sl_cli_answer *a, int *exit)
{
    *a = (struct sl_cli_answer){ 0 };
    *exit = SL_CLI_EXIT_USAGE;
    if (!sl_cli_connect(c))
        return false;
    const struct sl_cli_call call = { .method = "GET", .path = path, .is_idempotent = true };
    sl_cli_client_call(c->client, &call, a);
    if (sl_cli_answer_is_good(a) && a->json)
        return true;
    *exit = sl_cli_fail_answer(c, what, a);
    return false;
}

/* ---- the program ---- */

static void cli_init(struct sl_cli *c)
{
    const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");
    *c = (struct sl_cli){ .out = stdout, .err = stderr };
    c->is_terminal = isatty(STDOUT_FILENO) == 1;
    c->is_live = c->is_terminal && term && strcmp(term, "dumb") != 0;
    c->has_colour = c->is_live && !(no_color && no_color[0] != '\0');
}

static int cli_show_help(struct sl_cli *c, bool is_asked)
{
    struct sl_cli_buf b = { 0 };
    const char *words[SL_CLI_WORDS_MAX + 2];
    char path[40], *rest = path, *word;
    size_t count = 0;
    if (c->args.command) {
        (void)snprintf(path, sizeof path, "%s", c->args.command->path);
        while ((word = strtok_r(rest, " ", &rest)) != NULL)
            words[count++] = word;
    } else {
        for (; count < c->args.word_count; count++)
            words[count] = c->args.words[count];
    }
    if (sl_cli_help_add(&b, words, count) && is_asked)
        sl_cli_print(c, &b);
    else if (b.len > 0)
        (void)fputs(b.ptr, c->err);
    sl_cli_buf_free(&b);
    return is_asked ? SL_CLI_EXIT_OK : SL_CLI_EXIT_USAGE;
}

/* What stands in the process list must not hold a password longer than it has to. */
static void cli_hide_secrets(int argc, char **argv, char **copies)
{
    for (int i = 0; i < argc; i++) {
        copies[i] = sl_cli_copy(argv[i]);
        if (strstr(argv[i], "://"))
            sl_cli_blot_uri(argv[i]);
    }
}

static int cli_dispatch(struct sl_cli *c, int argc, char **argv)
{
    bool parsed = sl_cli_args_parse(&c->args, argc, argv);
    c->is_json = sl_cli_has(c, SL_CLI_OPT_JSON);
    c->has_colour = c->has_colour && !sl_cli_has(c, SL_CLI_OPT_NO_COLOR);
    if (!parsed) {
        (void)fprintf(c->err, "sluice: %s\n", c->args.problem);
        return SL_CLI_EXIT_USAGE;
    }
    if (sl_cli_has(c, SL_CLI_OPT_HELP))
        return cli_show_help(c, true);
    if (sl_cli_has(c, SL_CLI_OPT_VERSION))
        return sl_cli_version(c);
    if (!c->args.command)
        return cli_show_help(c, false);
    if (!sl_cli_signals_catch())
        return sl_cli_fail(c, SL_CLI_EXIT_FAILED, "signals", strerror(errno), "");
    return c->args.command->run(c);
}

/* An output that cannot be written is a failure of what only prints; what a drain's code says stays. */
static int cli_flush(struct sl_cli *c, int exit)
{
    bool is_written = fflush(c->out) == 0 && !ferror(c->out);
    if (is_written || exit != SL_CLI_EXIT_OK || (c->args.command && c->args.command->options & SL_CLI_WAIT))
        return exit;
    if (errno != EPIPE)
        (void)fprintf(c->err, "sluice: the output cannot be written: %s\n", strerror(errno));
    return SL_CLI_EXIT_FAILED;
}

int sl_cli_run(int argc, char **argv)
{
    struct sl_cli c;
    char **copies = sl_cli_alloc(((size_t)argc + 1) * sizeof *copies);
    cli_init(&c);
    cli_hide_secrets(argc, argv, copies);
    int exit = cli_flush(&c, cli_dispatch(&c, argc, copies));
    sl_cli_client_free(c.client);
    for (int i = 0; i < argc; i++)
        free(copies[i]);
    free(copies);
    return exit;
}
