/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_WIRE_VALUES_INTERNAL_H
#define SL_WIRE_VALUES_INTERNAL_H

#include "wire/json_doc.h"
#include "wire/json_out.h"
#include "wire/values.h"

/*
 * What the values have in common: a struct and a JSON object whose members are the rows of one table, so that reading
 * and writing cannot drift apart.
 */
enum sl__member_kind {
    SL__MEMBER_TEXT,       /* char[size]; printable, refused if it does not fit */
    SL__MEMBER_SOME_TEXT,  /* char[size]; for people: cut to what fits, control characters become blanks */
    SL__MEMBER_U64,        /* uint64_t */
    SL__MEMBER_BOOL,       /* bool */
    SL__MEMBER_EMPTY_TEXT, /* written as "", not read: the protocol has it, we have nothing to say */
};

struct sl__member {
    const char *key;
    enum sl__member_kind kind;
    bool required; /* and not "", for a text */
    size_t offset, size;
};
#define SL__MEMBER(kind, key, required, type, field) \
    { (key), SL__MEMBER_##kind, (required), offsetof(struct type, field), sizeof(((struct type *)0)->field) }

/* Longest text of any value but a feed's info. */
enum { SL__VALUE_TEXT_CAP = SL_VALUE_BYTES_MAX + 1 };

/* *root owned by the caller. SL_LIMIT, SL_MALFORMED, SL_NOMEM: *root is null. */
SL_CHECKED enum sl_code sl__value_open(struct json_object **root, struct sl_secret json, size_t bytes_max);

/* An absent or null member leaves zero. False: one is required and missing, or of another kind. */
SL_CHECKED bool sl__members_read(void *out, struct json_object *object, const struct sl__member *members, size_t count);
void sl__members_write(struct sl_json_out *j, const void *value, const struct sl__member *members, size_t count);

/* Copies the finished text into the arena. SL_LIMIT: it was cut; SL_BAD_FIELD: a string was no UTF-8. */
SL_CHECKED enum sl_code sl__value_take(struct sl_bytes *out, const struct sl_json_out *j, struct sl_arena *arena);

#endif
