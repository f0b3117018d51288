/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/json_binary.h"

#include "base/check.h"

#include <string.h>

struct json_out {
    uint8_t *ptr;
    size_t cap, len;
};

static void json_put_le(struct json_out *o, uint64_t v, size_t width)
{
    SL_REQUIRE(o->cap - o->len >= width);
    for (size_t i = 0; i < width; i++)
        o->ptr[o->len++] = (uint8_t)(v >> 8 * i);
}

static void json_put_bytes(struct json_out *o, const void *bytes, size_t len)
{
    SL_REQUIRE(o->cap - o->len >= len);
    if (len > 0)
        memcpy(o->ptr + o->len, bytes, len);
    o->len += len;
}

static void json_set_le(struct json_out *o, size_t at, uint64_t v, size_t width)
{
    for (size_t i = 0; i < width; i++)
        o->ptr[at + i] = (uint8_t)(v >> 8 * i);
}

static void json_put_run(struct json_out *o, struct sl_bytes bytes)
{
    size_t left = bytes.len;
    do {
        json_put_le(o, (left & 0x7f) | (left > 0x7f ? 0x80 : 0), 1);
        left >>= 7;
    } while (left > 0);
    json_put_bytes(o, bytes.ptr, bytes.len);
}

static size_t json_scalar_width(uint8_t type)
{
    static const uint8_t widths[] = { [4] = 1, [5] = 2, [6] = 2, [7] = 4, [8] = 4, [9] = 8, [10] = 8, [11] = 8 };
    return type < sizeof widths ? widths[type] : 0;
}

static void json_put_value(struct json_out *o, const struct json_node *node);

static void json_put_container(struct json_out *o, const struct json_node *node)
{
    size_t start = o->len, width = node->type & 1 ? 4 : 2;
    json_put_le(o, node->count, width);
    json_put_le(o, 0, width);
    size_t keys = o->len;
    for (uint32_t i = 0; node->type < 2 && i < node->count; i++)
        json_put_le(o, strlen(node->members[i].key) << 8 * width, width + 2);
    size_t values = o->len;
    for (uint32_t i = 0; i < node->count; i++)
        json_put_le(o, node->members[i].type, width + 1);
    for (uint32_t i = 0; node->type < 2 && i < node->count; i++) {
        json_set_le(o, keys + i * (width + 2), o->len - start, width);
        json_put_bytes(o, node->members[i].key, strlen(node->members[i].key));
    }
    for (uint32_t i = 0; i < node->count; i++) {
        const struct json_node *member = &node->members[i];
        size_t scalar = json_scalar_width(member->type), at = values + i * (width + 1) + 1;
        if (scalar > 0 && scalar <= width) {
            json_set_le(o, at, member->number, width);
            continue;
        }
        json_set_le(o, at, o->len - start, width);
        json_put_value(o, member);
    }
    json_set_le(o, start + width, o->len - start, width);
}

static void json_put_value(struct json_out *o, const struct json_node *node)
{
    size_t scalar = json_scalar_width(node->type);
    if (node->type < 4) {
        json_put_container(o, node);
    } else if (scalar > 0) {
        json_put_le(o, node->number, scalar);
    } else {
        if (node->type == 15)
            json_put_le(o, node->opaque, 1);
        json_put_run(o, node->bytes);
    }
}

size_t json_binary_write(uint8_t *out, size_t cap, const struct json_node *node)
{
    struct json_out o = { out, cap, 0 };
    json_put_le(&o, node->type, 1);
    json_put_value(&o, node);
    return o.len;
}

size_t json_binary_write_run(uint8_t *out, size_t cap, struct sl_bytes bytes)
{
    struct json_out o = { out, cap, 0 };
    json_put_run(&o, bytes);
    return o.len;
}
