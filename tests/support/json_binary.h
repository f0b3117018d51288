/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_TESTS_SUPPORT_JSON_BINARY_H
#define SL_TESTS_SUPPORT_JSON_BINARY_H

#include "base/str.h"

/*
 * Writes MySQL's binary JSON, as its public description says. The trees are those of a test, so nothing is checked but
 * the room.
 */
struct json_node {
    uint8_t type;                    /* as in the document; whoever wants a large container says so */
    uint8_t opaque;                  /* type of an opaque value */
    const char *key;                 /* in an object */
    uint64_t number;                 /* literal, integer, bits of a double */
    struct sl_bytes bytes;           /* string, opaque */
    const struct json_node *members; /* of a container */
    uint32_t count;
};

#define JSON_MEMBERS(...)                                 \
    .members = (const struct json_node[]){ __VA_ARGS__ }, \
    .count = sizeof((const struct json_node[]){ __VA_ARGS__ }) / sizeof(struct json_node)
#define JSON_BYTES(text) .bytes = { (const uint8_t *)(text), sizeof(text) - 1 }

/* Type and value; how many bytes. */
size_t json_binary_write(uint8_t *out, size_t cap, const struct json_node *node);

/* The value alone, without its type; for those who put documents together byte by byte. */
size_t json_binary_write_run(uint8_t *out, size_t cap, struct sl_bytes bytes);

#endif
