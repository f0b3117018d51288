/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/http/feed_record.h"

#include "edge/http/api_internal.h"
#include "edge/http/mask.h"
#include "wire/json_doc.h"
#include "wire/values.h"

#include <stdio.h>
#include <string.h>

enum { RECORD_KEY_BYTES_MAX = 64 };
enum record_kind { RECORD_BOOL, RECORD_U64, RECORD_REAL, RECORD_TEXT, RECORD_NS, RECORD_TREE };

static const struct record_key {
    const char *path;
    enum record_kind kind;
    const char *fallback;
} record_keys[] = {
#define SL_FEED_KEY(path_, kind_, default_) { .path = (path_), .kind = RECORD_##kind_, .fallback = (default_) },
#include "edge/http/feed_keys.def"
#undef SL_FEED_KEY
};
#define RECORD_KEY_COUNT (sizeof record_keys / sizeof record_keys[0])

/* ---- names ---- */

/* The part of a path up to the next slash; the rest, or null. */
static const char *record_part(const char *path, char part[RECORD_KEY_BYTES_MAX])
{
    size_t len = strcspn(path, "/");
    SL_REQUIRE(len < RECORD_KEY_BYTES_MAX);
    memcpy(part, path, len);
    part[len] = '\0';
    return path[len] == '/' ? path + len + 1 : NULL;
}

/* As the API calls it. */
static void record_api_name(char part[RECORD_KEY_BYTES_MAX])
{
    if (strcmp(part, "file-index-digit") == 0) {
        memcpy(part, "file-index-width", sizeof "file-index-width");
    }
    for (char *p = part; *p != '\0'; p++)
        *p = *p == '-' ? '_' : *p;
}

static bool record_is_pulsar(const char *key)
{
    return strcmp(key, "pulsar-config") == 0;
}

/* ---- values on the way in ---- */

static void record_stored_name(const char *key, char out[RECORD_KEY_BYTES_MAX])
{
    size_t len = strlen(key);
    len = len < RECORD_KEY_BYTES_MAX ? len : RECORD_KEY_BYTES_MAX - 1;
    for (size_t i = 0; i < len; i++)
        out[i] = key[i] == '_' ? '-' : key[i];
    out[len] = '\0';
    if (strcmp(out, "max-multi-update-row-count") == 0)
        memcpy(out, "max-multi-update-row", sizeof "max-multi-update-row");
}

/* A copy with the names of the stored record. Null: no memory. Depth is bounded by the parser. */
static struct json_object *record_tree(struct json_object *value, bool keeps_names)
{
    struct json_object *copy = NULL;
    if (json_object_is_type(value, json_type_array)) {
        copy = json_object_new_array();
        for (size_t i = 0; copy && i < json_object_array_length(value); i++)
            (void)json_object_array_add(copy, record_tree(json_object_array_get_idx(value, i), keeps_names));
        return copy;
    }
    if (!json_object_is_type(value, json_type_object)) {
        (void)json_object_deep_copy(value, &copy, NULL);
        return copy;
    }
    copy = json_object_new_object();
    json_object_object_foreach(value, key, member)
    {
        char name[RECORD_KEY_BYTES_MAX];
        record_stored_name(key, name);
        if (copy)
            (void)json_object_object_add(copy, keeps_names ? key : name, record_tree(member, keeps_names));
    }
    return copy;
}

/* A time as a text; the reference's clients send both. */
static struct json_object *record_ns(struct json_object *value)
{
    uint64_t ms;
    if (sl__doc_is_uint(value) && json_object_get_uint64(value) <= INT64_MAX)
        return json_object_new_int64(json_object_get_int64(value));
    if (!sl__doc_is_text(value) || !sl__time_parse_ms(sl_str_of(json_object_get_string(value)), &ms) ||
        ms > (uint64_t)(INT64_MAX / SL_MS))
        return NULL;
    return json_object_new_int64((int64_t)ms * SL_MS);
}

static bool record_fits(const struct record_key *k, struct json_object *value)
{
    switch (k->kind) {
    case RECORD_BOOL:
        return json_object_is_type(value, json_type_boolean);
    case RECORD_U64:
        return sl__doc_is_uint(value) && json_object_get_uint64(value) <= INT64_MAX;
    case RECORD_REAL:
        return json_object_is_type(value, json_type_double) || sl__doc_is_int(value);
    case RECORD_TEXT:
        return sl__doc_is_text(value);
    case RECORD_NS:
    case RECORD_TREE:
        return true;
    }
    SL_UNREACHABLE();
}

static bool record_is_list(const struct record_key *k)
{
    return k->fallback[0] == '[' || strcmp(k->path, "sink/dispatchers") == 0 ||
           strcmp(k->path, "sink/column-selectors") == 0;
}

/* The value to store, or null: not of its kind. */
static struct json_object *record_value(const struct record_key *k, struct json_object *value)
{
    const char *last = strrchr(k->path, '/');
    bool keeps_names = record_is_pulsar(last ? last + 1 : k->path);
    if (k->kind == RECORD_NS)
        return record_ns(value);
    if (k->kind == RECORD_TREE && !json_object_is_type(value, record_is_list(k) ? json_type_array : json_type_object))
        return NULL;
    return record_fits(k, value) ? record_tree(value, keeps_names) : NULL;
}

/* ---- paths ---- */

/* Puts value (taken over) below config, with the objects between. */
static bool record_put(struct json_object *config, const char *path, struct json_object *value)
{
    char part[RECORD_KEY_BYTES_MAX];
    const char *rest = record_part(path, part);
    while (value && rest) {
        struct json_object *next = sl__doc_get(config, part);
        if (!json_object_is_type(next, json_type_object)) {
            next = json_object_new_object();
            if (!next || json_object_object_add(config, part, next) != 0) {
                json_object_put(value);
                return false;
            }
        }
        config = next;
        rest = record_part(rest, part);
    }
    return value && json_object_object_add(config, part, value) == 0;
}

static struct json_object *record_find(struct json_object *from, const char *path, bool as_api)
{
    char part[RECORD_KEY_BYTES_MAX];
    while (from && path) {
        path = record_part(path, part);
        if (as_api)
            record_api_name(part);
        from = json_object_is_type(from, json_type_object) ? sl__doc_get(from, part) : NULL;
    }
    return from;
}

/* Whether a member with that path, in the names of the API, is one of ours or holds one. */
static bool record_knows(const char *path, bool *is_whole)
{
    size_t len = strlen(path);
    *is_whole = false;
    for (size_t i = 0; i < RECORD_KEY_COUNT; i++) {
        char part[RECORD_KEY_BYTES_MAX], name[SL__FEED_PATH_BYTES_MAX];
        struct sl_text text;
        sl_text_init(&text, name, sizeof name);
        for (const char *rest = record_keys[i].path; rest;) {
            rest = record_part(rest, part);
            record_api_name(part);
            sl_text_str(&text, text.len > 0 ? SL_STR(".") : SL_STR(""));
            sl_text_str(&text, sl_str_of(part));
        }
        if (text.len >= len && memcmp(name, path, len) == 0 && (text.len == len || name[len] == '.')) {
            *is_whole = text.len == len;
            return true;
        }
    }
    return false;
}

static bool record_find_unknown(struct json_object *given, char path[SL__FEED_PATH_BYTES_MAX], size_t len)
{
    json_object_object_foreach(given, key, member)
    {
        bool is_whole = false;
        int more = snprintf(path + len, SL__FEED_PATH_BYTES_MAX - len, "%s%s", len > 0 ? "." : "", key);
        bool fits = more > 0 && (size_t)more < SL__FEED_PATH_BYTES_MAX - len;
        if (!fits || !record_knows(path, &is_whole))
            return true;
        if (!is_whole && json_object_is_type(member, json_type_object) &&
            record_find_unknown(member, path, len + (size_t)more))
            return true;
    }
    path[len] = '\0';
    return false;
}

bool sl__feed_config_unknown(struct json_object *replica_config, char path[SL__FEED_PATH_BYTES_MAX])
{
    path[0] = '\0';
    return replica_config && record_find_unknown(replica_config, path, 0);
}

static const char *record_merge(struct json_object *config, struct json_object *given)
{
    for (size_t i = 0; given && i < RECORD_KEY_COUNT; i++) {
        const struct record_key *k = &record_keys[i];
        struct json_object *value = record_find(given, k->path, true);
        struct json_object *stored = value ? record_value(k, value) : NULL;
        if (value && !stored)
            return k->path;
        if (value && !record_put(config, k->path, stored))
            return "out of memory";
    }
    return NULL;
}

static bool record_add_defaults(struct json_object *config)
{
    for (size_t i = 0; i < RECORD_KEY_COUNT; i++) {
        const struct record_key *k = &record_keys[i];
        if (k->fallback[0] != '\0' && !record_find(config, k->path, false) &&
            !record_put(config, k->path, json_tokener_parse(k->fallback)))
            return false;
    }
    return true;
}

/* ---- writing ---- */

static struct json_object *record_text(struct sl_str s)
{
    return json_object_new_string_len(s.ptr ? s.ptr : "", (int)s.len);
}

static bool record_add(struct json_object *o, const char *key, struct json_object *value)
{
    return json_object_object_add(o, key, value) == 0;
}

static struct json_object *record_id(const struct sl__feed_new *f)
{
    struct json_object *id = json_object_new_object(), *halves = json_object_new_object(),
                       *display = json_object_new_object();
    bool ok = id && halves && display && record_add(halves, "low", json_object_new_uint64(f->id_low)) &&
              record_add(halves, "high", json_object_new_uint64(f->id_high)) &&
              record_add(display, "name", record_text(f->name)) &&
              record_add(display, "keyspace", record_text(f->keyspace)) &&
              record_add(display, "namespace", record_text(f->keyspace)) && record_add(id, "id", halves);
    if (ok && record_add(id, "display", display))
        return id;
    json_object_put(id);
    return NULL;
}

static struct json_object *record_make(const struct sl__feed_new *f, struct json_object *config)
{
    char time[SL__TIME_BYTES];
    struct json_object *r = json_object_new_object();
    struct sl_bytes sink = sl_secret_reveal(f->sink_uri);
    bool ok = r && record_add(r, "id", record_id(f)) &&
              record_add(r, "upstream-id", json_object_new_uint64(f->upstream_id)) &&
              record_add(r, "sink-uri", record_text((struct sl_str){ (const char *)sink.ptr, sink.len })) &&
              record_add(r, "create-time", record_text(sl_str_of(sl__time_rfc3339(time, f->create_wall_ms)))) &&
              record_add(r, "start-ts", json_object_new_uint64(f->start_ts)) &&
              record_add(r, "target-ts", json_object_new_uint64(f->target_ts)) &&
              record_add(r, "admin-job-type", json_object_new_int(0)) &&
              record_add(r, "sort-engine", record_text(SL_STR(""))) &&
              record_add(r, "sort-dir", record_text(SL_STR(""))) && record_add(r, "upstream-info", NULL) &&
              record_add(r, "config", json_object_get(config)) &&
              record_add(r, "state", record_text(SL_STR("normal"))) && record_add(r, "error", NULL) &&
              record_add(r, "warning", NULL) && record_add(r, "creator-version", record_text(f->version)) &&
              record_add(r, "epoch", json_object_new_uint64(f->start_ts)) &&
              record_add(r, "keyspace-id", json_object_new_int(0));
    if (ok)
        return r;
    json_object_put(r);
    return NULL;
}

static const char *record_write(struct sl__buf *out, struct json_object *record)
{
    size_t len = 0;
    const char *text =
        json_object_to_json_string_length(record, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len);
    if (!text || len > SL_FEED_INFO_BYTES_MAX || !sl__buf_add(out, text, len))
        return "the configuration is too large";
    return NULL;
}

static const char *record_check(struct json_object *config)
{
    static const struct {
        const char *path;
        uint64_t least;
        const char *wrong;
    } bounds[] = {
        { "sync-point-interval", 30000000000, "sync_point_interval must be at least 30s" },
        { "sync-point-retention", 3600000000000, "sync_point_retention must be at least 1h" },
        { "changefeed-error-stuck-duration", 1800000000000, "changefeed_error_stuck_duration must be at least 30m" },
        { "sink/file-index-digit", 6, "sink.file_index_width must be 6 to 20" },
    };
    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++) {
        struct json_object *value = record_find(config, bounds[i].path, false);
        if (value && json_object_get_uint64(value) < bounds[i].least)
            return bounds[i].wrong;
    }
    struct json_object *rules = record_find(config, "filter/rules", false);
    for (size_t i = 0; i < json_object_array_length(rules); i++) {
        if (!sl__doc_is_text(json_object_array_get_idx(rules, i)))
            return "filter.rules must be a list of texts";
    }
    return NULL;
}

const char *sl__feed_record_new(struct sl__buf *out, const struct sl__feed_new *feed)
{
    struct json_object *config = json_object_new_object(), *record = NULL;
    const char *wrong = config ? record_merge(config, feed->replica_config) : "out of memory";
    if (!wrong && !record_add_defaults(config))
        wrong = "out of memory";
    if (!wrong)
        wrong = record_check(config);
    if (!wrong) {
        record = record_make(feed, config);
        wrong = record ? record_write(out, record) : "out of memory";
    }
    json_object_put(record);
    json_object_put(config);
    return wrong;
}

/* ---- change ---- */

static struct sl_secret record_secret(struct json_object *text)
{
    return sl_secret_of(
        (struct sl_bytes){ (const uint8_t *)json_object_get_string(text), (size_t)json_object_get_string_len(text) });
}

static bool record_came_back(const char *key, struct json_object *now, struct json_object *old)
{
    struct sl_str shown = { json_object_get_string(now), (size_t)json_object_get_string_len(now) };
    if (!json_object_is_type(now, json_type_string) || !json_object_is_type(old, json_type_string))
        return false;
    if (sl__mask_is_secret_key(sl_str_of(key)))
        return sl_str_eq(shown, SL_STR("xxxxx"));
    return memchr(shown.ptr, 'x', shown.len) && sl__mask_equals(record_secret(old), shown);
}

static void record_restore(struct json_object *now, struct json_object *old);

static void record_restore_list(struct json_object *now, struct json_object *old)
{
    size_t count = json_object_array_length(now);
    size_t old_count = json_object_array_length(old);
    for (size_t i = 0; i < count && i < old_count; i++)
        record_restore(json_object_array_get_idx(now, i), json_object_array_get_idx(old, i));
}

/* Wherever now holds what we showed of old, it gets what old holds. */
static void record_restore(struct json_object *now, struct json_object *old)
{
    if (json_object_is_type(now, json_type_array) && json_object_is_type(old, json_type_array))
        record_restore_list(now, old);
    if (!json_object_is_type(now, json_type_object) || !json_object_is_type(old, json_type_object))
        return;
    json_object_object_foreach(now, key, member)
    {
        struct json_object *before = sl__doc_get(old, key);
        if (before && record_came_back(key, member, before))
            (void)json_object_set_string_len(member, json_object_get_string(before),
                                             json_object_get_string_len(before));
        else if (before)
            record_restore(member, before);
    }
}

static const char *record_change_config(struct json_object *record, struct json_object *given)
{
    struct json_object *old = sl__doc_get(record, "config"), *config = NULL;
    if (!json_object_is_type(old, json_type_object) || json_object_deep_copy(old, &config, NULL) != 0)
        return "the stored configuration cannot be read";
    const char *wrong = record_merge(config, given);
    if (!wrong && !record_add_defaults(config))
        wrong = "out of memory";
    if (!wrong) {
        record_restore(config, old);
        wrong = record_check(config);
    }
    if (wrong || !record_add(record, "config", config)) {
        json_object_put(config);
        return wrong ? wrong : "out of memory";
    }
    return NULL;
}

static const char *record_change(struct json_object *record, const struct sl__feed_change *change)
{
    struct sl_bytes sink = sl_secret_reveal(change->sink_uri);
    struct sl_str uri = { (const char *)sink.ptr, sink.len };
    struct json_object *old_uri = sl__doc_get(record, "sink-uri");
    bool is_as_shown = old_uri && sl__mask_equals(record_secret(old_uri), uri);
    if (uri.len > 0 && !is_as_shown && !record_add(record, "sink-uri", record_text(uri)))
        return "out of memory";
    if (change->set_target && !record_add(record, "target-ts", json_object_new_uint64(change->target_ts)))
        return "out of memory";
    return change->replica_config ? record_change_config(record, change->replica_config) : NULL;
}

const char *sl__feed_record_change(struct sl__buf *out, struct sl_secret old, const struct sl__feed_change *change)
{
    enum sl_refusal refusal;
    struct json_object *record = sl__doc_parse(old, SL_FEED_INFO_BYTES_MAX, &refusal);
    const char *wrong = record ? record_change(record, change) : "the stored record cannot be read";
    if (!wrong)
        wrong = record_write(out, record);
    json_object_put(record);
    return wrong;
}

/* ---- the old API ---- */

static void record_move(struct json_object *to, const char *path, struct json_object *body, const char *key)
{
    struct json_object *value = sl__doc_get(body, key);
    if (value)
        (void)record_put(to, path, json_object_get(value));
}

struct json_object *sl__feed_config_of_v1(struct json_object *body)
{
    struct json_object *config = json_object_new_object();
    struct json_object *sink = sl__doc_get(body, "sink_config");
    if (!config)
        return NULL;
    record_move(config, "force_replicate", body, "force_replicate");
    record_move(config, "ignore_ineligible_table", body, "ignore_ineligible_table");
    record_move(config, "filter/rules", body, "filter_rules");
    record_move(config, "filter/ignore_txn_start_ts", body, "ignore_txn_start_ts");
    record_move(config, "mounter/worker_num", body, "mounter_worker_num");
    if (json_object_is_type(sink, json_type_object)) {
        /* Names with dashes, as in files: the API's have underscores. */
        struct json_object *renamed = json_object_new_object();
        json_object_object_foreach(sink, key, member)
        {
            char part[RECORD_KEY_BYTES_MAX];
            record_stored_name(key, part);
            record_api_name(part);
            if (renamed)
                (void)json_object_object_add(renamed, part, json_object_get(member));
        }
        (void)json_object_object_add(config, "sink", renamed);
    }
    return config;
}
