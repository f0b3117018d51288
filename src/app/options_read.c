/* SPDX-License-Identifier: Apache-2.0 */
#include "app/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

/* ---- flags ---- */

static bool read_unknown(const char *flag, size_t len, const char *where, enum sl_exit why, struct sl_complaint *c)
{
    const char *nearest = sl_option_nearest(flag, len);
    if (nearest)
        return sl_complain(c, why, "%sunknown option '%.*s': did you mean '%s'?", where, (int)len, flag, nearest);
    return sl_complain(c, why, "%sunknown option '%.*s': --help lists what there is", where, (int)len, flag);
}

/* One flag at argv[*at], with its value; *at is left on the last word that was used. */
static bool read_flag(struct sl_options *o, int argc, char *const *argv, int *at, struct sl_complaint *c)
{
    const char *word = argv[*at];
    if (word[0] != '-' || word[1] == '\0')
        return sl_complain(c, SL_EXIT_USAGE, "'%.80s' is no option: they begin with --", word);
    if (strcmp(word, "-h") == 0 || strcmp(word, "-V") == 0)
        word = word[1] == 'h' ? "--help" : "--version";
    const char *flag = word + (word[1] == '-' ? 2 : 1);
    size_t len = strcspn(flag, "=");
    enum sl_option_id id = sl_option_find(flag, len);
    if (word[1] != '-' || id == SL_OPTION_COUNT_ALL)
        return read_unknown(flag, len, "", SL_EXIT_USAGE, c);
    if (flag[len] == '=')
        return sl_options_set(o, id, flag + len + 1, SL_FROM_FLAG, c);
    if (sl_option_row(id)->type == SL_OPTION_BOOL)
        return sl_options_set(o, id, "true", SL_FROM_FLAG, c);
    if (*at + 1 >= argc)
        return sl_complain(c, SL_EXIT_USAGE, "--%s wants %s", flag, sl_option_row(id)->value);
    return sl_options_set(o, id, argv[++*at], SL_FROM_FLAG, c);
}

static bool read_environment(struct sl_options *o, char *(*getter)(const char *), struct sl_complaint *c)
{
    for (unsigned id = 0; id < SL_OPTION_COUNT_ALL; id++) {
        char name[SL_OPTION_ENV_BYTES];
        struct sl_complaint why;
        sl_option_env((enum sl_option_id)id, name);
        const char *value = getter(name);
        if (value && !sl_options_set(o, (enum sl_option_id)id, value, SL_FROM_ENVIRONMENT, &why))
            return sl_complain(c, why.exit, "environment, %s: %s", name, why.text);
    }
    return true;
}

/* ---- file ---- */

enum { READ_DEPTH_MAX = 4, READ_KEY_MAX = 63, READ_FILE_BYTES_MAX = 1 << 20 };

/*
 * A YAML file as a stream of events, of which these options use a small part: mappings, scalars, and sequences of
 * scalars. Anchors, aliases and tags mean nothing here and are refused, so that a file cannot grow by expanding.
 */
struct read_file {
    struct sl_options *options;
    struct sl_complaint *complaint;
    const char *path;
    yaml_parser_t parser;
    char key[READ_KEY_MAX + 1]; /* of all mappings around, joined by '-' */
    size_t key_len, key_len_of[READ_DEPTH_MAX];
    unsigned depth;
    bool seen[SL_OPTION_COUNT_ALL];
};

static bool read_refuse(struct read_file *f, const yaml_event_t *event, const char *what)
{
    return sl_complain(f->complaint, SL_EXIT_CONFIG, "%s:%zu: %s", f->path, event->start_mark.line + 1, what);
}

static bool read_next(struct read_file *f, yaml_event_t *event)
{
    if (yaml_parser_parse(&f->parser, event))
        return true;
    const yaml_parser_t *p = &f->parser;
    return sl_complain(f->complaint, SL_EXIT_CONFIG, "%s:%zu: not YAML: %s%s%s", f->path, p->problem_mark.line + 1,
                       p->problem ? p->problem : "no memory", p->context ? ", " : "", p->context ? p->context : "");
}

static bool read_is_plain(const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return !event->data.scalar.anchor && memchr(event->data.scalar.value, 0, event->data.scalar.length) == NULL;
    case YAML_MAPPING_START_EVENT:
        return !event->data.mapping_start.anchor;
    case YAML_SEQUENCE_START_EVENT:
        return !event->data.sequence_start.anchor;
    case YAML_ALIAS_EVENT:
        return false;
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_START_EVENT:
    case YAML_DOCUMENT_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        return true;
    }
    return false;
}

static bool read_push_key(struct read_file *f, const yaml_event_t *event)
{
    size_t len = event->data.scalar.length;
    const char *text = (const char *)event->data.scalar.value;
    size_t at = f->key_len + (f->key_len > 0 ? 1 : 0);
    if (len == 0 || at + len > READ_KEY_MAX)
        return read_refuse(f, event, "this key is no option");
    if (f->key_len > 0)
        f->key[f->key_len] = '-';
    memcpy(f->key + at, text, len);
    f->key_len = at + len;
    f->key[f->key_len] = '\0';
    return true;
}

/* The option that the key names, which may be set once in a file. */
static bool read_option(struct read_file *f, const yaml_event_t *event, enum sl_option_id *id)
{
    char where[400];
    *id = sl_option_find(f->key, f->key_len);
    if (*id == SL_OPTION_COUNT_ALL) {
        snprintf(where, sizeof where, "%.300s:%zu: ", f->path, event->start_mark.line + 1);
        return read_unknown(f->key, f->key_len, where, SL_EXIT_CONFIG, f->complaint);
    }
    if (*id >= SL_OPTION_ID_config)
        return read_refuse(f, event, "this option is for the command line only");
    if (f->seen[*id])
        return read_refuse(f, event, "this option is set a second time");
    f->seen[*id] = true;
    return true;
}

static bool read_set(struct read_file *f, const yaml_event_t *event, enum sl_option_id id, const char *value)
{
    struct sl_complaint why;
    if (sl_options_set(f->options, id, value, SL_FROM_FILE, &why))
        return true;
    return sl_complain(f->complaint, SL_EXIT_CONFIG, "%s:%zu: %s", f->path, event->start_mark.line + 1, why.text);
}

static bool read_scalar(struct read_file *f, const yaml_event_t *event)
{
    enum sl_option_id id;
    return read_option(f, event, &id) && read_set(f, event, id, (const char *)event->data.scalar.value);
}

/* The parts of a list, joined by ','. */
static bool read_sequence(struct read_file *f, const yaml_event_t *start)
{
    enum sl_option_id id;
    char list[4096] = "";
    size_t len = 0;
    if (!read_option(f, start, &id))
        return false;
    if (sl_option_row(id)->type != SL_OPTION_LIST)
        return read_refuse(f, start, "this option takes one value, not a list");
    for (;;) {
        yaml_event_t event;
        if (!read_next(f, &event))
            return false;
        bool is_end = event.type == YAML_SEQUENCE_END_EVENT;
        bool fits = event.type == YAML_SCALAR_EVENT && read_is_plain(&event) &&
                    event.data.scalar.length + len + 2 < sizeof list;
        if (fits)
            len += (size_t)snprintf(list + len, sizeof list - len, "%s%s", len > 0 ? "," : "",
                                    (const char *)event.data.scalar.value);
        bool ok = is_end || fits || read_refuse(f, &event, "a list may hold short texts only");
        yaml_event_delete(&event);
        if (!ok || is_end)
            return ok && read_set(f, start, id, list);
    }
}

static bool read_mapping_start(struct read_file *f, const yaml_event_t *event)
{
    if (f->depth == READ_DEPTH_MAX)
        return read_refuse(f, event, "mappings inside of mappings inside of mappings");
    f->key_len_of[f->depth++] = f->key_len;
    return true;
}

static void read_drop_key(struct read_file *f)
{
    f->key_len = f->depth > 0 ? f->key_len_of[f->depth - 1] : 0;
    f->key[f->key_len] = '\0';
}

/* Inside a mapping: keys and values in turn. */
static bool read_value(struct read_file *f, const yaml_event_t *event, bool *expects_key)
{
    bool was_key = *expects_key;
    *expects_key = !was_key;
    if (event->type == YAML_SCALAR_EVENT && was_key)
        return read_push_key(f, event);
    if (was_key)
        return read_refuse(f, event, "a key must be a word");
    if (event->type == YAML_MAPPING_START_EVENT)
        return read_mapping_start(f, event);
    bool ok = event->type == YAML_SCALAR_EVENT ? read_scalar(f, event) : read_sequence(f, event);
    read_drop_key(f);
    return ok;
}

static bool read_event(struct read_file *f, const yaml_event_t *event, bool *expects_key)
{
    if (!read_is_plain(event))
        return read_refuse(f, event, "anchors, aliases and zero bytes are not for this file");
    switch (event->type) {
    case YAML_MAPPING_END_EVENT:
        f->depth--;
        f->key_len = f->key_len_of[f->depth];
        read_drop_key(f);
        *expects_key = true;
        return true;
    case YAML_SCALAR_EVENT:
    case YAML_SEQUENCE_START_EVENT:
    case YAML_MAPPING_START_EVENT:
        if (f->depth > 0)
            return read_value(f, event, expects_key);
        *expects_key = true;
        if (event->type == YAML_SCALAR_EVENT && event->data.scalar.length == 0)
            return true; /* an empty document */
        if (event->type != YAML_MAPPING_START_EVENT)
            return read_refuse(f, event,
                               "this file is not YAML with lines 'option: value' (TOML and INI are not read)");
        return read_mapping_start(f, event);
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_START_EVENT:
    case YAML_DOCUMENT_END_EVENT:
    case YAML_ALIAS_EVENT:
    case YAML_SEQUENCE_END_EVENT:
        return true;
    }
    return true;
}

static bool read_events(struct read_file *f)
{
    bool expects_key = true, is_end = false, ok = true;
    while (ok && !is_end) {
        yaml_event_t event;
        if (!read_next(f, &event))
            return false;
        is_end = event.type == YAML_STREAM_END_EVENT;
        ok = read_event(f, &event, &expects_key);
        yaml_event_delete(&event);
    }
    return ok;
}

/* The whole file; null (c says why) if it cannot be read. To be freed. */
static char *read_bytes(const char *path, size_t *len, struct sl_complaint *c)
{
    FILE *file = fopen(path, "rb");
    if (!file) {
        sl_complain(c, SL_EXIT_CONFIG, "%s: %s", path, strerror(errno));
        return NULL;
    }
    char *bytes = malloc(READ_FILE_BYTES_MAX + 1);
    *len = bytes ? fread(bytes, 1, READ_FILE_BYTES_MAX + 1, file) : 0;
    bool failed = !bytes || ferror(file) != 0;
    fclose(file);
    if (!failed && *len <= READ_FILE_BYTES_MAX)
        return bytes;
    sl_complain(c, SL_EXIT_CONFIG, "%s: %s", path, failed ? "cannot be read" : "larger than 1 MiB");
    free(bytes);
    return NULL;
}

bool sl_options_read_text(struct sl_options *o, struct sl_str text, const char *path, struct sl_complaint *c)
{
    struct read_file f = { .options = o, .complaint = c, .path = path };
    if (!yaml_parser_initialize(&f.parser))
        return sl_complain(c, SL_EXIT_FAILED, "no memory");
    yaml_parser_set_input_string(&f.parser, (const unsigned char *)text.ptr, text.len);
    bool ok = read_events(&f);
    yaml_parser_delete(&f.parser);
    return ok;
}

bool sl_options_read_file(struct sl_options *o, const char *path, struct sl_complaint *c)
{
    size_t len;
    char *bytes = read_bytes(path, &len, c);
    if (!bytes)
        return false;
    bool ok = sl_options_read_text(o, (struct sl_str){ bytes, len }, path, c);
    free(bytes);
    return ok;
}

bool sl_read_first_line(const char *flag, const char *path, char *out, size_t size, struct sl_complaint *c)
{
    out[0] = '\0';
    if (path[0] == '\0')
        return true;
    FILE *file = fopen(path, "re");
    if (!file)
        return sl_complain(c, SL_EXIT_FILES, "--%s %.200s: %s", flag, path, strerror(errno));
    bool ok = fgets(out, (int)size, file) != NULL;
    fclose(file);
    out[strcspn(out, "\r\n")] = '\0';
    return ok || sl_complain(c, SL_EXIT_FILES, "--%s %.200s: it is empty", flag, path);
}

/* ---- all of it ---- */

bool sl_options_read(struct sl_options *o, int argc, char *const *argv, char *(*getter)(const char *),
                     struct sl_complaint *c)
{
    /* Flags come first, because one of them names the file; what is weaker does not overwrite them. */
    for (int i = 1; i < argc; i++) {
        if (!read_flag(o, argc, argv, &i, c))
            return false;
    }
    if (o->help || o->version)
        return true;
    if (!read_environment(o, getter, c))
        return false;
    return o->config[0] == '\0' || sl_options_read_file(o, o->config, c);
}
