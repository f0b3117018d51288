/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/json_edit.h"
#include "wire/values_internal.h"

#include <string.h>

enum sl_code sl__value_open(struct json_object **root, struct sl_secret json, size_t bytes_max)
{
    enum sl_refusal refusal = SL_REFUSE_NONE;
    *root = NULL;
    if (sl_secret_reveal(json).len > bytes_max)
        return SL_LIMIT;
    *root = sl__doc_parse(json, bytes_max, &refusal);
    if (*root)
        return SL_OK;
    return refusal == SL_REFUSE_OUT_OF_MEMORY ? SL_NOMEM : SL_MALFORMED;
}

static bool member_read_text(char *to, size_t size, struct json_object *value)
{
    struct sl_text text;
    sl_text_init(&text, to, size);
    if (!sl__doc_is_text(value))
        return false;
    sl_text_cstr(&text, json_object_get_string(value));
    return !text.cut && sl_str_is_printable_utf8((struct sl_str){ to, text.len });
}

static bool member_read_some_text(char *to, size_t size, struct json_object *value)
{
    struct sl_text text;
    sl_text_init(&text, to, size);
    if (!sl__doc_is_text(value))
        return false;
    sl_text_cstr(&text, json_object_get_string(value));
    for (size_t i = 0; i < text.len; i++)
        to[i] = (uint8_t)to[i] < 0x20 ? ' ' : to[i];
    return true;
}

static bool member_read(const struct sl__member *m, char *to, struct json_object *value)
{
    switch (m->kind) {
    case SL__MEMBER_TEXT:
        return member_read_text(to, m->size, value);
    case SL__MEMBER_SOME_TEXT:
        return member_read_some_text(to, m->size, value);
    case SL__MEMBER_U64: {
        uint64_t number = json_object_get_uint64(value);
        memcpy(to, &number, sizeof number);
        return sl__doc_is_uint(value);
    }
    case SL__MEMBER_BOOL: {
        bool flag = json_object_get_boolean(value) != 0;
        memcpy(to, &flag, sizeof flag);
        return json_object_is_type(value, json_type_boolean);
    }
    case SL__MEMBER_EMPTY_TEXT:
        return true;
    }
    SL_UNREACHABLE();
}

static bool member_is_text(const struct sl__member *m)
{
    return m->kind == SL__MEMBER_TEXT || m->kind == SL__MEMBER_SOME_TEXT;
}

bool sl__members_read(void *out, struct json_object *object, const struct sl__member *members, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct sl__member *m = &members[i];
        struct json_object *value = sl__doc_get(object, m->key);
        char *to = (char *)out + m->offset;
        if (value ? !member_read(m, to, value) : m->required)
            return false;
        if (m->required && member_is_text(m) && to[0] == '\0')
            return false;
    }
    return true;
}

static void member_write(struct sl_json_out *j, const struct sl__member *m, const char *from)
{
    uint64_t number = 0;
    bool flag = false;
    switch (m->kind) {
    case SL__MEMBER_TEXT:
    case SL__MEMBER_SOME_TEXT:
        sl_json_str(j, sl_str_of(from));
        return;
    case SL__MEMBER_U64:
        memcpy(&number, from, sizeof number);
        sl_json_u64(j, number);
        return;
    case SL__MEMBER_BOOL:
        memcpy(&flag, from, sizeof flag);
        sl_json_bool(j, flag);
        return;
    case SL__MEMBER_EMPTY_TEXT:
        sl_json_str(j, SL_STR(""));
        return;
    }
    SL_UNREACHABLE();
}

void sl__members_write(struct sl_json_out *j, const void *value, const struct sl__member *members, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        sl_json_key(j, members[i].key);
        member_write(j, &members[i], (const char *)value + members[i].offset);
    }
}

enum sl_code sl__value_take(struct sl_bytes *out, const struct sl_json_out *j, struct sl_arena *arena)
{
    *out = (struct sl_bytes){ 0 };
    if (!sl_json_out_is_good(j))
        return j->bad ? SL_BAD_FIELD : SL_LIMIT;
    uint8_t *copy = sl_arena_alloc(arena, j->text->len);
    if (!copy)
        return SL_NOMEM;
    memcpy(copy, j->text->ptr, j->text->len);
    *out = (struct sl_bytes){ copy, j->text->len };
    return SL_OK;
}

/* ---- capture ---- */

static const struct sl__member capture_members[] = {
    SL__MEMBER(TEXT, "id", true, sl_capture, id.text),
    SL__MEMBER(TEXT, "address", true, sl_capture, address),
    SL__MEMBER(TEXT, "version", false, sl_capture, version),
    { .key = "git-hash", .kind = SL__MEMBER_EMPTY_TEXT },
    { .key = "deploy-path", .kind = SL__MEMBER_EMPTY_TEXT },
    SL__MEMBER(U64, "start-timestamp", false, sl_capture, start_timestamp_s),
    SL__MEMBER(BOOL, "is-new-arch", false, sl_capture, is_new_arch),
};
static const struct sl__member capture_marks[] = {
    SL__MEMBER(TEXT, "name", false, sl_capture, name),
    SL__MEMBER(U64, "node-epoch", false, sl_capture, node_epoch),
    SL__MEMBER(BOOL, "stopped", false, sl_capture, stopped),
};
enum {
    CAPTURE_MEMBERS_COUNT = sizeof capture_members / sizeof capture_members[0],
    CAPTURE_MARKS_COUNT = sizeof capture_marks / sizeof capture_marks[0],
};

static bool capture_read(struct sl_capture *out, struct json_object *root)
{
    struct json_object *mark = sl__doc_get(root, "sluice");
    if (!sl__members_read(out, root, capture_members, CAPTURE_MEMBERS_COUNT))
        return false;
    out->id.len = (uint8_t)strlen(out->id.text);
    out->is_sluice = mark != NULL;
    return !mark || (json_object_is_type(mark, json_type_object) &&
                     sl__members_read(out, mark, capture_marks, CAPTURE_MARKS_COUNT));
}

enum sl_code sl_capture_parse(struct sl_capture *out, struct sl_bytes json)
{
    struct json_object *root = NULL;
    *out = (struct sl_capture){ 0 };
    enum sl_code code = sl__value_open(&root, sl_secret_of(json), SL_VALUE_BYTES_MAX);
    if (code != SL_OK)
        return code;
    if (!capture_read(out, root)) {
        *out = (struct sl_capture){ 0 };
        code = SL_BAD_FIELD;
    }
    json_object_put(root);
    return code;
}

enum sl_code sl_capture_format(struct sl_bytes *out, const struct sl_capture *c, struct sl_arena *arena)
{
    char memory[SL__VALUE_TEXT_CAP];
    struct sl_text text;
    struct sl_json_out j;
    sl_text_init(&text, memory, sizeof memory);
    sl_json_out_init(&j, &text);
    sl_json_open(&j, '{');
    sl__members_write(&j, c, capture_members, CAPTURE_MEMBERS_COUNT);
    if (c->is_sluice) {
        sl_json_key(&j, "sluice");
        sl_json_open(&j, '{');
        sl__members_write(&j, c, capture_marks, CAPTURE_MARKS_COUNT);
        sl_json_close(&j, '}');
    }
    sl_json_close(&j, '}');
    return sl__value_take(out, &j, arena);
}

/* ---- drain intent ---- */

static const char *const drain_phase_names[] = {
#define DRAIN_PHASE_NAME(name, text) [SL_DRAIN_##name] = (text),
    SL_DRAIN_PHASES(DRAIN_PHASE_NAME)
#undef DRAIN_PHASE_NAME
};
enum { DRAIN_PHASE_COUNT = sizeof drain_phase_names / sizeof drain_phase_names[0] };

const char *sl_drain_phase_name(enum sl_drain_phase p)
{
    SL_REQUIRE((unsigned)p < DRAIN_PHASE_COUNT);
    return drain_phase_names[p];
}

static const struct sl__member intent_members[] = {
    SL__MEMBER(TEXT, "id", true, sl_intent, id),
    SL__MEMBER(TEXT, "target", true, sl_intent, target.text),
    SL__MEMBER(TEXT, "target-name", false, sl_intent, target_name),
    SL__MEMBER(U64, "target-node-epoch", false, sl_intent, target_node_epoch),
    SL__MEMBER(U64, "epoch", false, sl_intent, epoch),
    SL__MEMBER(BOOL, "cancelled", false, sl_intent, cancelled),
    SL__MEMBER(BOOL, "proof-reference", false, sl_intent, proof_reference),
    SL__MEMBER(BOOL, "stop-node", false, sl_intent, stop_node),
    SL__MEMBER(BOOL, "cancel-at-deadline", false, sl_intent, cancel_at_deadline),
    SL__MEMBER(TEXT, "reason", false, sl_intent, reason),
    SL__MEMBER(TEXT, "actor", false, sl_intent, actor),
    SL__MEMBER(U64, "created-ms", false, sl_intent, created_wall_ms),
    SL__MEMBER(U64, "deadline-ms", false, sl_intent, deadline_wall_ms),
    SL__MEMBER(U64, "ended-ms", false, sl_intent, ended_wall_ms),
    SL__MEMBER(U64, "lag-budget-ms", false, sl_intent, lag_budget_ms),
};
enum { INTENT_MEMBERS_COUNT = sizeof intent_members / sizeof intent_members[0] };

static bool intent_read_phase(enum sl_drain_phase *out, struct json_object *value)
{
    if (!sl__doc_is_text(value))
        return false;
    for (size_t i = 0; i < DRAIN_PHASE_COUNT; i++) {
        if (strcmp(json_object_get_string(value), drain_phase_names[i]) == 0) {
            *out = (enum sl_drain_phase)i;
            return true;
        }
    }
    return false;
}

static bool intent_read(struct sl_intent *out, struct json_object *root)
{
    if (!sl__members_read(out, root, intent_members, INTENT_MEMBERS_COUNT))
        return false;
    out->target.len = (uint8_t)strlen(out->target.text);
    return intent_read_phase(&out->phase, sl__doc_get(root, "phase")) &&
           intent_read_phase(&out->ended_from, sl__doc_get(root, "ended-from"));
}

enum sl_code sl_intent_parse(struct sl_intent *out, struct sl_bytes json)
{
    struct json_object *root = NULL;
    *out = (struct sl_intent){ 0 };
    enum sl_code code = sl__value_open(&root, sl_secret_of(json), SL_VALUE_BYTES_MAX);
    if (code != SL_OK)
        return code;
    if (!intent_read(out, root)) {
        *out = (struct sl_intent){ 0 };
        code = SL_BAD_FIELD;
    }
    json_object_put(root);
    return code;
}

static enum sl_code intent_format_new(struct sl_bytes *out, const struct sl_intent *i, struct sl_arena *arena)
{
    char memory[SL__VALUE_TEXT_CAP];
    struct sl_text text;
    struct sl_json_out j;
    sl_text_init(&text, memory, sizeof memory);
    sl_json_out_init(&j, &text);
    sl_json_open(&j, '{');
    sl__members_write(&j, i, intent_members, INTENT_MEMBERS_COUNT);
    sl_json_key(&j, "phase");
    sl_json_str(&j, sl_str_of(sl_drain_phase_name(i->phase)));
    sl_json_key(&j, "ended-from");
    sl_json_str(&j, sl_str_of(sl_drain_phase_name(i->ended_from)));
    sl_json_close(&j, '}');
    return sl__value_take(out, &j, arena);
}

/* The values of the members one behind the other in one text, and where each stands. */
struct intent_edit {
    char memory[SL__VALUE_TEXT_CAP];
    struct sl_text text;
    struct sl__json_change changes[INTENT_MEMBERS_COUNT + 2];
    uint32_t count;
    bool good;
};
_Static_assert(INTENT_MEMBERS_COUNT + 2 <= SL__JSON_CHANGES_MAX, "one edit changes all members of an intent");

static void intent_edit_end(struct intent_edit *e, const char *key, size_t from, const struct sl_json_out *j)
{
    e->good = e->good && sl_json_out_is_good(j);
    e->changes[e->count++] =
        (struct sl__json_change){ .key = key, .value = { e->text.ptr + from, e->text.len - from } };
}

static void intent_edit_phase(struct intent_edit *e, const char *key, enum sl_drain_phase phase)
{
    struct sl_json_out j;
    size_t from = e->text.len;
    sl_json_out_init(&j, &e->text);
    sl_json_str(&j, sl_str_of(sl_drain_phase_name(phase)));
    intent_edit_end(e, key, from, &j);
}

static enum sl_code intent_format_over(struct sl_bytes *out, const struct sl_intent *i, struct sl_bytes old,
                                       struct sl_arena *arena)
{
    struct intent_edit e = { .good = true };
    sl_text_init(&e.text, e.memory, sizeof e.memory);
    for (uint32_t m = 0; m < INTENT_MEMBERS_COUNT; m++) {
        struct sl_json_out j;
        size_t from = e.text.len;
        sl_json_out_init(&j, &e.text);
        member_write(&j, &intent_members[m], (const char *)i + intent_members[m].offset);
        intent_edit_end(&e, intent_members[m].key, from, &j);
    }
    intent_edit_phase(&e, "phase", i->phase);
    intent_edit_phase(&e, "ended-from", i->ended_from);
    struct sl_secret text;
    if (!e.good)
        return SL_BAD_FIELD;
    enum sl_code code = sl__json_edit(&text, sl_secret_of(old), e.changes, e.count, arena);
    *out = sl_secret_reveal(text);
    return code;
}

enum sl_code sl_intent_format(struct sl_bytes *out, const struct sl_intent *i, struct sl_bytes old,
                              struct sl_arena *arena)
{
    struct sl_intent known;
    *out = (struct sl_bytes){ 0 };
    if (old.len > 0 && sl_intent_parse(&known, old) == SL_OK) {
        enum sl_code code = intent_format_over(out, i, old, arena);
        if (code != SL_OK || out->len <= SL_VALUE_BYTES_MAX)
            return code;
    }
    return intent_format_new(out, i, arena);
}
