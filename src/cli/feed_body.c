/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/feed_body.h"

#include "cli/model.h"

#include <errno.h>
#include <string.h>

#define FEED_FILE_BYTES_MAX (1u << 20)

/* ---- files ---- */

/* Empty: fine; else what is wrong. */
static const char *feed_read_all(FILE *file, struct sl_cli_buf *b)
{
    char chunk[4096];
    while (!feof(file) && !ferror(file) && b->len < FEED_FILE_BYTES_MAX)
        sl_cli_add_bytes(b, chunk, fread(chunk, 1, sizeof chunk, file));
    if (ferror(file))
        return "it cannot be read";
    if (b->len >= FEED_FILE_BYTES_MAX)
        return "it is larger than 1 MiB";
    return b->len > 0 ? "" : "it is empty";
}

static const char *feed_read_path(const char *path, struct sl_cli_buf *b)
{
    if (strcmp(path, "-") == 0)
        return feed_read_all(stdin, b);
    FILE *file = fopen(path, "re");
    if (!file)
        return strerror(errno);
    const char *why = feed_read_all(file, b);
    (void)fclose(file);
    return why;
}

static bool feed_read(struct sl_cli *c, enum sl_cli_option o, const char *path, struct sl_cli_buf *b)
{
    char what[200];
    const char *why = feed_read_path(path, b);
    if (why[0] == '\0')
        return true;
    (void)snprintf(what, sizeof what, "--%s %.120s", sl_cli_options[o].name, path);
    (void)sl_cli_fail(c, SL_CLI_EXIT_USAGE, what, why, "give a readable file");
    return false;
}

/* ---- URIs ---- */

/* A URI: value, else what from_file names, else the variable of the option; empty if none is given. False: said why. */
static bool feed_uri(struct sl_cli *c, const char *value, enum sl_cli_option o, enum sl_cli_option from_file,
                     struct sl_cli_buf *uri)
{
    const char *path = sl_cli_value(c, from_file);
    if (path && value) {
        (void)sl_cli_fail(c, SL_CLI_EXIT_USAGE, c->args.command->path, "a URI is given twice, by option and by file",
                          "give one of the two");
        return false;
    }
    value = value ? value : sl_cli_value(c, o);
    if (path && !feed_read(c, from_file, path, uri))
        return false;
    if (!path)
        sl_cli_add(uri, value ? value : "");
    /* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): no strerror is empty, and what was added is a string */
    uri->ptr[strcspn(uri->ptr, "\r\n")] = '\0';
    if (uri->ptr[0] == '\0' || strstr(uri->ptr, "://"))
        return true;
    (void)sl_cli_fail(c, SL_CLI_EXIT_USAGE, sl_cli_options[o].name, "that is no URI", "write it as KIND://...");
    return false;
}

bool sl_cli_source_uri(struct sl_cli *c, const char *value, const char *remedy, struct sl_cli_buf *uri)
{
    if (!feed_uri(c, value, SL_CLI_OPT_SOURCE, SL_CLI_OPT_SOURCE_FILE, uri))
        return false;
    if (uri->ptr[0] == '\0')
        (void)sl_cli_fail(c, SL_CLI_EXIT_USAGE, c->args.command->path, "no URI is given", remedy);
    return uri->ptr[0] != '\0';
}

static bool feed_uris(struct sl_cli *c, struct json_object *body)
{
    struct sl_cli_buf source = { 0 }, sink = { 0 };
    bool ok = feed_uri(c, c->args.values[SL_CLI_OPT_SOURCE], SL_CLI_OPT_SOURCE, SL_CLI_OPT_SOURCE_FILE, &source) &&
              feed_uri(c, c->args.values[SL_CLI_OPT_SINK], SL_CLI_OPT_SINK, SL_CLI_OPT_SINK_FILE, &sink);
    if (ok && (sink.ptr[0] == '\0' || source.ptr[0] == '\0')) {
        (void)sl_cli_fail(c, SL_CLI_EXIT_USAGE, "feed create",
                          source.ptr[0] == '\0' ? "it has no source" : "it has no sink",
                          "give --source URI and --sink URI");
        ok = false;
    }
    if (ok) {
        json_object_object_add(body, "source_uri", json_object_new_string(source.ptr));
        json_object_object_add(body, "sink_uri", json_object_new_string(sink.ptr));
    }
    sl_cli_buf_free(&source);
    sl_cli_buf_free(&sink);
    return ok;
}

/* ---- configuration ---- */

static void feed_key(char *to, size_t size, const char *from, size_t len)
{
    size_t n = len < size ? len : size - 1;
    for (size_t i = 0; i < n; i++)
        to[i] = from[i] == '-' ? '_' : from[i];
    to[n] = '\0';
}

bool sl_cli_feed_set(struct json_object *config, const char *assignment, char *problem, size_t size)
{
    const char *value = strchr(assignment, '='), *p = assignment;
    char key[80];
    if (!value || value == assignment) {
        (void)snprintf(problem, size, "'%.60s' is not KEY=VALUE", assignment);
        return false;
    }
    for (;;) {
        size_t len = strcspn(p, ".=");
        feed_key(key, sizeof key, p, len);
        if (p[len] == '=')
            break;
        struct json_object *next = sl_cli_member(config, key);
        if (!json_object_is_type(next, json_type_object)) {
            next = json_object_new_object();
            json_object_object_add(config, key, next);
        }
        config = next;
        p += len + 1;
    }
    struct json_object *parsed = json_tokener_parse(value + 1);
    json_object_object_add(config, key, parsed ? parsed : json_object_new_string(value + 1));
    return true;
}

static bool feed_config_file(struct sl_cli *c, struct json_object **config)
{
    const char *path = sl_cli_value(c, SL_CLI_OPT_CONFIG);
    struct sl_cli_buf text = { 0 };
    if (!path)
        return true;
    bool ok = feed_read(c, SL_CLI_OPT_CONFIG, path, &text);
    struct json_object *parsed = ok ? json_tokener_parse(text.ptr) : NULL;
    sl_cli_buf_free(&text);
    if (json_object_is_type(parsed, json_type_object)) {
        json_object_put(*config);
        *config = parsed;
        return true;
    }
    json_object_put(parsed);
    if (ok)
        (void)sl_cli_fail(c, SL_CLI_EXIT_USAGE, "--config", "the file holds no JSON object",
                          "see 'replica_config' in docs/api");
    return false;
}

static bool feed_repeats(struct sl_cli *c, struct json_object *config)
{
    struct json_object *rules = NULL;
    char problem[120];
    for (size_t i = 0; i < c->args.repeat_count; i++) {
        const char *value = c->args.repeats[i].value;
        if (c->args.repeats[i].option == SL_CLI_OPT_FILTER) {
            rules = rules ? rules : json_object_new_array();
            json_object_array_add(rules, json_object_new_string(value));
        } else if (!sl_cli_feed_set(config, value, problem, sizeof problem)) {
            (void)sl_cli_fail(c, SL_CLI_EXIT_USAGE, "--set", problem, "such as --set case_sensitive=true");
            json_object_put(rules);
            return false;
        }
    }
    if (!rules)
        return true;
    struct json_object *filter = sl_cli_member(config, "filter");
    if (!json_object_is_type(filter, json_type_object)) {
        filter = json_object_new_object();
        json_object_object_add(config, "filter", filter);
    }
    json_object_object_add(filter, "rules", rules);
    return true;
}

/* ---- the whole ---- */

static bool feed_start(struct sl_cli *c, struct json_object *body)
{
    const char *start = sl_cli_value(c, SL_CLI_OPT_START);
    uint64_t ts;
    if (!start || strcmp(start, "now") == 0)
        return true;
    if (strcmp(start, "snapshot") == 0) {
        json_object_object_add(body, "start", json_object_new_string(start));
        return true;
    }
    if (!sl_cli_parse_u64(start, &ts) || ts == 0) {
        (void)sl_cli_fail(c, SL_CLI_EXIT_USAGE, "--start", "that is no position", "give now, snapshot or a number");
        return false;
    }
    json_object_object_add(body, "start_ts", json_object_new_uint64(ts));
    return true;
}

struct json_object *sl_cli_feed_body(struct sl_cli *c)
{
    const char *keyspace = sl_cli_value(c, SL_CLI_OPT_KEYSPACE);
    struct json_object *body = json_object_new_object(), *config = json_object_new_object();
    json_object_object_add(body, "changefeed_id", json_object_new_string(c->args.words[0]));
    json_object_object_add(body, "strict", json_object_new_boolean(true)); /* a misspelt --set is no default */
    if (keyspace)
        json_object_object_add(body, "keyspace", json_object_new_string(keyspace));
    bool ok = feed_uris(c, body) && feed_start(c, body) && feed_config_file(c, &config) && feed_repeats(c, config);
    if (ok && json_object_object_length(config) > 0)
        json_object_object_add(body, "replica_config", json_object_get(config));
    json_object_put(config);
    if (ok)
        return body;
    json_object_put(body);
    return NULL;
}
