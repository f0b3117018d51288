/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/values_internal.h"

#include <string.h>

/* Every byte of a URI may need an escape of two. */
#define SOURCE_VALUE_BYTES_MAX (2 * SL_SOURCE_URI_MAX + 256)

struct source_value {
    uint64_t version, feed_high, feed_low;
    char uri[SL_SOURCE_URI_MAX + 1];
};

static const struct sl__member source_members[] = {
    SL__MEMBER(U64, "version", true, source_value, version),
    SL__MEMBER(U64, "feed-high", true, source_value, feed_high),
    SL__MEMBER(U64, "feed-low", true, source_value, feed_low),
    SL__MEMBER(TEXT, "source-uri", true, source_value, uri),
};
enum { SOURCE_MEMBERS_COUNT = sizeof source_members / sizeof source_members[0] };

static enum sl_code source_take(struct sl_feed_source *out, const struct source_value *v, struct sl_arena *arena)
{
    size_t len = strlen(v->uri);
    uint8_t *copy = sl_arena_alloc(arena, len);
    if (!copy)
        return SL_NOMEM;
    memcpy(copy, v->uri, len);
    *out = (struct sl_feed_source){ .version = v->version,
                                    .feed_high = v->feed_high,
                                    .feed_low = v->feed_low,
                                    .uri = sl_secret_of((struct sl_bytes){ copy, len }) };
    return SL_OK;
}

enum sl_code sl_feed_source_parse(struct sl_feed_source *out, struct sl_secret json, struct sl_arena *arena)
{
    struct json_object *root = NULL;
    struct source_value v = { 0 };
    *out = (struct sl_feed_source){ 0 };
    enum sl_code code = sl__value_open(&root, json, SOURCE_VALUE_BYTES_MAX);
    if (code != SL_OK)
        return code;
    bool good = sl__members_read(&v, root, source_members, SOURCE_MEMBERS_COUNT);
    json_object_put(root);
    return good ? source_take(out, &v, arena) : SL_BAD_FIELD;
}

enum sl_code sl_feed_source_format(struct sl_secret *out, const struct sl_feed_source *s, struct sl_arena *arena)
{
    char memory[SOURCE_VALUE_BYTES_MAX + 1];
    struct source_value v = { .version = s->version, .feed_high = s->feed_high, .feed_low = s->feed_low };
    struct sl_bytes uri = sl_secret_reveal(s->uri), bytes;
    struct sl_text text;
    struct sl_json_out j;
    *out = (struct sl_secret){ 0 };
    if (uri.len == 0 || !sl_source_uri_is_valid(s->uri))
        return SL_BAD_FIELD;
    memcpy(v.uri, uri.ptr, uri.len);
    sl_text_init(&text, memory, sizeof memory);
    sl_json_out_init(&j, &text);
    sl_json_open(&j, '{');
    sl__members_write(&j, &v, source_members, SOURCE_MEMBERS_COUNT);
    sl_json_close(&j, '}');
    enum sl_code code = sl__value_take(&bytes, &j, arena);
    *out = sl_secret_of(bytes);
    return code;
}
