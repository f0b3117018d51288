/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/json_edit.h"
#include "wire/values_internal.h"

#include <string.h>

static const char *const feed_state_names[] = {
#define FEED_STATE_NAME(name, text) [SL_FEED_##name] = (text),
    SL_FEED_STATES(FEED_STATE_NAME)
#undef FEED_STATE_NAME
};
enum { FEED_STATE_COUNT = sizeof feed_state_names / sizeof feed_state_names[0] };

const char *sl_feed_state_name(enum sl_feed_state s)
{
    SL_REQUIRE((unsigned)s < FEED_STATE_COUNT);
    return feed_state_names[s];
}

/* ---- reading an info value ---- */

static const struct sl__member record_members[] = {
    SL__MEMBER(U64, "epoch", false, sl_feed_record, epoch),
    SL__MEMBER(U64, "start-ts", false, sl_feed_record, start_ts),
    SL__MEMBER(U64, "target-ts", false, sl_feed_record, target_ts),
};
static const struct sl__member error_members[] = {
    SL__MEMBER(SOME_TEXT, "addr", false, sl_feed_error, addr),
    SL__MEMBER(SOME_TEXT, "code", false, sl_feed_error, code),
    SL__MEMBER(SOME_TEXT, "message", false, sl_feed_error, message),
};
enum {
    RECORD_MEMBERS_COUNT = sizeof record_members / sizeof record_members[0],
    ERROR_MEMBERS_COUNT = sizeof error_members / sizeof error_members[0],
};

/* Absent and "" read as normal, as in the reference. */
static bool record_read_state(enum sl_feed_state *out, struct json_object *value)
{
    *out = SL_FEED_NORMAL;
    if (!value)
        return true;
    if (!sl__doc_is_text(value))
        return false;
    const char *text = json_object_get_string(value);
    for (size_t i = 0; i < FEED_STATE_COUNT; i++) {
        if (strcmp(text, feed_state_names[i]) == 0) {
            *out = (enum sl_feed_state)i;
            return true;
        }
    }
    return text[0] == '\0';
}

static bool error_ends_uri(char c)
{
    return c == ' ' || c == '"' || c == '\'' || c == '\0';
}

/*
 * Foreign writers put whole URIs into messages, password and all, and a message is shown. Blanks out what may hold a
 * secret of each URI: what stands before '@', and everything after '?'.
 */
static void error_mask_uris(char *message)
{
    for (char *at = strstr(message, "://"); at; at = strstr(at, "://")) {
        char *from = at + 3, *end = from, *user_end = from, *query = NULL;
        for (; !error_ends_uri(*end); end++) {
            if (*end == '@' && !query)
                user_end = end;
            if (*end == '?' && !query)
                query = end + 1;
        }
        memset(from, '*', (size_t)(user_end - from));
        if (query)
            memset(query, '*', (size_t)(end - query));
        at = end;
    }
}

static bool record_read_error(struct sl_feed_error *out, struct json_object *root)
{
    struct json_object *error = sl__doc_get(root, "error");
    if (!error)
        error = sl__doc_get(root, "warning");
    if (!error)
        return true;
    out->present = true;
    if (!json_object_is_type(error, json_type_object) ||
        !sl__members_read(out, error, error_members, ERROR_MEMBERS_COUNT))
        return false;
    error_mask_uris(out->message);
    return true;
}

static bool record_read(struct sl_feed_record *out, struct json_object *root)
{
    return sl__members_read(out, root, record_members, RECORD_MEMBERS_COUNT) &&
           record_read_state(&out->state, sl__doc_get(root, "state")) && record_read_error(&out->error, root);
}

/* The name in the value, if there is one, must be the one in the key. */
static bool record_name_agrees(struct json_object *display, const char *key, struct sl_str expected)
{
    struct json_object *value = sl__doc_get(display, key);
    return !value || (sl__doc_is_text(value) && sl_str_eq(sl_str_of(json_object_get_string(value)), expected));
}

static bool record_read_halves(struct sl_feed_id *id, struct json_object *halves)
{
    if (!halves)
        return true;
    bool ok = json_object_is_type(halves, json_type_object) && sl__doc_is_uint(sl__doc_get(halves, "high")) &&
              sl__doc_is_uint(sl__doc_get(halves, "low"));
    if (ok) {
        id->high = sl__doc_u64(halves, "high");
        id->low = sl__doc_u64(halves, "low");
    }
    return ok;
}

static bool record_read_id(struct sl_feed_id *id, struct json_object *root, struct sl_str keyspace, struct sl_str name)
{
    if (name.len == 0 || name.len > SL_FEED_NAME_MAX || keyspace.len == 0 || keyspace.len > SL_KEYSPACE_MAX)
        return false;
    memcpy(id->name, name.ptr, name.len);
    memcpy(id->keyspace, keyspace.ptr, keyspace.len);
    id->name_len = (uint8_t)name.len;
    id->keyspace_len = (uint8_t)keyspace.len;
    struct json_object *outer = sl__doc_get(root, "id");
    if (!outer)
        return true;
    if (!json_object_is_type(outer, json_type_object))
        return false;
    struct json_object *display = sl__doc_get(outer, "display");
    if (display && !json_object_is_type(display, json_type_object))
        return false;
    const char *space = display && sl__doc_get(display, "keyspace") ? "keyspace" : "namespace";
    return record_read_halves(id, sl__doc_get(outer, "id")) &&
           (!display || (record_name_agrees(display, "name", name) && record_name_agrees(display, space, keyspace)));
}

enum sl_code sl_feed_record_parse(struct sl_feed_record *out, struct sl_str keyspace, struct sl_str name,
                                  struct sl_secret json)
{
    struct json_object *root = NULL;
    *out = (struct sl_feed_record){ 0 };
    enum sl_code code = sl__value_open(&root, json, SL_FEED_INFO_BYTES_MAX);
    if (code != SL_OK)
        return code;
    if (!record_read(out, root) || !record_read_id(&out->id, root, keyspace, name)) {
        *out = (struct sl_feed_record){ 0 };
        code = SL_BAD_FIELD;
    }
    json_object_put(root);
    return code;
}

/* ---- changing an info value ---- */

/* Texts of the new values; the changes point into it. */
struct record_edit {
    struct sl__json_change changes[SL__JSON_CHANGES_MAX];
    uint32_t count;
    char epoch[24], state[24], error[4096];
    bool good;
};

static void record_change(struct record_edit *e, const char *key, const struct sl_json_out *j, bool only_if_there)
{
    e->good = e->good && sl_json_out_is_good(j);
    e->changes[e->count++] = (struct sl__json_change){ key, { j->text->ptr, j->text->len }, only_if_there };
}

static void record_change_error(struct record_edit *e, const struct sl_feed_error *error)
{
    struct sl_text text;
    struct sl_json_out j;
    sl_text_init(&text, e->error, sizeof e->error);
    sl_json_out_init(&j, &text);
    if (error->present) {
        sl_json_open(&j, '{');
        sl__members_write(&j, error, error_members, ERROR_MEMBERS_COUNT);
        sl_json_close(&j, '}');
    } else {
        sl_json_null(&j);
    }
    record_change(e, "error", &j, false);
    e->changes[e->count++] = (struct sl__json_change){ "warning", SL_STR("null"), true };
}

static void record_edit_fill(struct record_edit *e, const struct sl_feed_edit *edit)
{
    struct sl_text text;
    struct sl_json_out j;
    e->count = 0;
    e->good = true;
    if (edit->set_epoch) {
        sl_text_init(&text, e->epoch, sizeof e->epoch);
        sl_json_out_init(&j, &text);
        sl_json_u64(&j, edit->epoch);
        record_change(e, "epoch", &j, false);
    }
    if (edit->set_state) {
        sl_text_init(&text, e->state, sizeof e->state);
        sl_json_out_init(&j, &text);
        sl_json_str(&j, sl_str_of(sl_feed_state_name(edit->state)));
        record_change(e, "state", &j, false);
    }
    if (edit->set_error)
        record_change_error(e, &edit->error);
}

enum sl_code sl_feed_record_edit(struct sl_secret *out, struct sl_secret json, const struct sl_feed_edit *edit,
                                 struct sl_arena *arena)
{
    struct json_object *root = NULL;
    struct sl_feed_record record = { 0 };
    struct record_edit changes;
    *out = (struct sl_secret){ 0 };
    enum sl_code code = sl__value_open(&root, json, SL_FEED_INFO_BYTES_MAX);
    if (code != SL_OK)
        return code;
    bool valid = record_read(&record, root);
    json_object_put(root);
    record_edit_fill(&changes, edit);
    if (!valid || !changes.good)
        return SL_BAD_FIELD;
    return sl__json_edit(out, json, changes.changes, changes.count, arena);
}

/* ---- status ---- */

static const struct sl__member status_members[] = {
    SL__MEMBER(U64, "checkpoint-ts", true, sl_feed_status, checkpoint),
};

/* Absent and 0 read as "none": versions before it did not write it. */
static bool status_read_progress(enum sl_feed_progress *out, struct json_object *value)
{
    uint64_t number = value ? json_object_get_uint64(value) : 0;
    *out = number == 0 ? SL_PROGRESS_NONE : (enum sl_feed_progress)number;
    return (!value || sl__doc_is_uint(value)) && number <= SL_PROGRESS_STOPPING;
}

enum sl_code sl_feed_status_parse(struct sl_feed_status *out, struct sl_bytes json)
{
    struct json_object *root = NULL;
    *out = (struct sl_feed_status){ .progress = SL_PROGRESS_NONE };
    enum sl_code code = sl__value_open(&root, sl_secret_of(json), SL_VALUE_BYTES_MAX);
    if (code != SL_OK)
        return code;
    if (!sl__members_read(out, root, status_members, 1) ||
        !status_read_progress(&out->progress, sl__doc_get(root, "progress"))) {
        *out = (struct sl_feed_status){ .progress = SL_PROGRESS_NONE };
        code = SL_BAD_FIELD;
    }
    json_object_put(root);
    return code;
}

enum sl_code sl_feed_status_format(struct sl_bytes *out, const struct sl_feed_status *s, struct sl_bytes old,
                                   struct sl_arena *arena)
{
    static const char empty[] = "{\"checkpoint-ts\":0,\"progress\":1,\"min-table-barrier-ts\":0,\"admin-job-type\":0}";
    struct sl_feed_status before;
    char checkpoint[24], progress[24];
    struct sl_text texts[2];
    *out = (struct sl_bytes){ 0 };
    if (old.len == 0)
        old = (struct sl_bytes){ (const uint8_t *)empty, sizeof empty - 1 };
    enum sl_code code = sl_feed_status_parse(&before, old);
    if (code != SL_OK)
        return code;
    sl_text_init(&texts[0], checkpoint, sizeof checkpoint);
    sl_text_init(&texts[1], progress, sizeof progress);
    sl_text_u64(&texts[0], s->checkpoint);
    sl_text_u64(&texts[1], (uint64_t)s->progress);
    const struct sl__json_change changes[] = {
        { "checkpoint-ts", { checkpoint, texts[0].len }, false },
        { "progress", { progress, texts[1].len }, false },
    };
    struct sl_secret written;
    code = sl__json_edit(&written, sl_secret_of(old), changes, 2, arena);
    *out = sl_secret_reveal(written);
    return code;
}
