/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_WIRE_JSON_EDIT_H
#define SL_WIRE_JSON_EDIT_H

#include "base/arena.h"
#include "base/err.h"
#include "base/secret.h"

/*
 * Changes members of a JSON object in its text, so that every byte that is not meant stays: members we do not know,
 * their order, numbers larger than anybody's integer, escapes. A tree would not give them back. Internal to src/wire.
 */
struct sl__json_change {
    const char *key;     /* a word that needs no escape */
    struct sl_str value; /* JSON text */
    bool only_if_there;  /* a document without the member is left without it */
};
#define SL__JSON_CHANGES_MAX 20

/*
 * json must be a text that sl__doc_parse took. A member is replaced where it stands (if it comes twice: the last one,
 * which is the one that counts), a new one comes last. SL_NOMEM: the arena has no room.
 */
SL_CHECKED enum sl_code sl__json_edit(struct sl_secret *out, struct sl_secret json,
                                      const struct sl__json_change *changes, uint32_t count, struct sl_arena *arena);

#endif
