/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/http/body.h"

#include "edge/http/mask.h"

#include <string.h>

/* ---- members ---- */

bool sl__body_text(const struct sl__call *c, const char *key, struct sl_str *out)
{
    struct json_object *value = sl__doc_get(c->doc, key);
    *out = (struct sl_str){ "", 0 };
    if (!value)
        return true;
    if (!sl__doc_is_text(value))
        return false;
    *out = (struct sl_str){ json_object_get_string(value), (size_t)json_object_get_string_len(value) };
    return true;
}

bool sl__body_bool(const struct sl__call *c, const char *key, bool *out)
{
    struct json_object *value = sl__doc_get(c->doc, key);
    *out = value && json_object_get_boolean(value);
    return !value || json_object_is_type(value, json_type_boolean);
}

bool sl__body_u64(const struct sl__call *c, const char *key, uint64_t *out)
{
    struct json_object *value = sl__doc_get(c->doc, key);
    *out = value ? json_object_get_uint64(value) : 0;
    return !value || sl__doc_is_uint(value);
}

bool sl__body_time(const struct sl__call *c, const char *key, const char *key_ms, uint64_t *ms)
{
    struct sl_str text;
    if (!sl__body_u64(c, key_ms, ms) || !sl__body_text(c, key, &text))
        return false;
    return text.len == 0 || (*ms == 0 && sl__time_parse_ms(text, ms));
}

bool sl__body_has(const struct sl__call *c, const char *key)
{
    return sl__doc_get(c->doc, key) != NULL;
}

void sl__call_because(struct sl__call *c, struct sl_str reason)
{
    struct sl_text t;
    sl_text_init(&t, c->reason, sizeof c->reason);
    if (sl_str_is_printable_utf8(reason))
        sl_text_str(&t, reason);
}

/* ---- masking ---- */

enum { BODY_URI_BYTES_MAX = 16384, BODY_KEY_BYTES_MAX = 128 };

static void body_put_text(struct sl_json_out *j, struct sl_str text, const char *key)
{
    struct sl__buf masked = { .bytes_max = BODY_URI_BYTES_MAX };
    bool is_secret = sl__mask_is_secret_key(sl_str_of(key)) && text.len > 0;
    if (is_secret || !sl__mask_uri(&masked, sl_secret_of((struct sl_bytes){ (const uint8_t *)text.ptr, text.len })))
        sl__json_cstr(j, "xxxxx");
    else
        sl__json_text(j, sl__buf_str(&masked));
    sl__buf_deinit(&masked);
}

/* Names of ours and the reference's need no escape; of others the characters that do are dropped. */
static void body_put_key(struct sl_json_out *j, const char *key, bool underscores)
{
    char plain[BODY_KEY_BYTES_MAX];
    size_t len = 0;
    for (const char *p = key; *p != '\0' && len + 1 < sizeof plain; p++) {
        if (*p >= 0x20 && *p < 0x7f && *p != '"' && *p != '\\')
            plain[len++] = underscores && *p == '-' ? '_' : *p;
    }
    plain[len] = '\0';
    sl_json_key(j, plain);
}

/* Dispatch rules and the options of one kind of sink keep their dashes (reference behaviour). */
static bool body_keeps_dashes(const char *key)
{
    return strcmp(key, "target-schema") == 0 || strcmp(key, "target-table") == 0;
}

static const char *body_shown_key(const char *key)
{
    if (strcmp(key, "file-index-digit") == 0)
        return "file_index_width";
    return strcmp(key, "max-multi-update-row") == 0 ? "max_multi_update_row_count" : key;
}

static void body_put_object(struct sl_json_out *j, struct json_object *value, bool underscores)
{
    sl_json_open(j, '{');
    json_object_object_foreach(value, key, member)
    {
        bool is_pulsar = strcmp(key, "pulsar-config") == 0;
        body_put_key(j, underscores ? body_shown_key(key) : key, underscores && !body_keeps_dashes(key));
        sl__json_masked(j, member, key, underscores && !is_pulsar);
    }
    sl_json_close(j, '}');
}

/* Depth is bounded by the parser. */
void sl__json_masked(struct sl_json_out *j, struct json_object *value, const char *key, bool underscores)
{
    switch (json_object_get_type(value)) {
    case json_type_null:
        sl_json_null(j);
        return;
    case json_type_boolean:
        sl_json_bool(j, json_object_get_boolean(value));
        return;
    case json_type_int:
        if (json_object_get_int64(value) < 0)
            sl__json_i64(j, json_object_get_int64(value));
        else
            sl_json_u64(j, json_object_get_uint64(value));
        return;
    case json_type_double:
        sl__json_raw(j, sl_str_of(json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN)));
        return;
    case json_type_string:
        body_put_text(j, (struct sl_str){ json_object_get_string(value), (size_t)json_object_get_string_len(value) },
                      key);
        return;
    case json_type_array:
        sl_json_open(j, '[');
        for (size_t i = 0; i < json_object_array_length(value); i++)
            sl__json_masked(j, json_object_array_get_idx(value, i), key, underscores);
        sl_json_close(j, ']');
        return;
    case json_type_object:
        body_put_object(j, value, underscores);
        return;
    }
}

static void body_render_masked(struct sl_json_out *j, const void *ctx)
{
    /* json-c counts and caches in what it reads: nothing of the value changes. */
    sl__json_masked(j, (struct json_object *)(uintptr_t)ctx, "", false);
}

static bool body_mask_json(struct sl__buf *out, struct json_object *doc)
{
    struct sl__buf shown = { .bytes_max = out->bytes_max };
    bool ok = sl__buf_render(&shown, body_render_masked, doc) && sl__buf_add(out, shown.ptr, shown.len);
    sl__buf_deinit(&shown);
    return ok;
}

bool sl__body_mask(struct sl__buf *out, struct sl_secret value)
{
    enum sl_refusal refusal;
    struct sl_bytes bytes = sl_secret_reveal(value);
    struct sl_str text = { (const char *)bytes.ptr, bytes.len };
    if (bytes.len > 0 && text.ptr[0] == '{') {
        struct json_object *doc = sl__doc_parse(value, SL_FEED_INFO_BYTES_MAX, &refusal);
        bool ok = doc && body_mask_json(out, doc);
        json_object_put(doc);
        return ok;
    }
    return sl_str_is_printable_utf8(text) && sl__mask_uri(out, value);
}
