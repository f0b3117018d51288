/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_ETCD_ETCD_CODEC_H
#define SL_EDGE_ETCD_ETCD_CODEC_H

#include "base/arena.h"
#include "base/err.h"
#include "base/secret.h"
#include "core/common/store.h"

/*
 * The metadata port in the messages of etcd: operations to requests, answers to results and batches. Pure: bytes in, bytes
 * out. All memory is of the arena and valid until it is reset; results and batches point into it.
 *
 * Decoding refuses (MALFORMED, LIMIT for the arena) what is not a message of etcd's, and never trusts a size in it.
 */

/* The path of the call that performs it; null for UNWATCH. */
const char *sl__etcd_path(enum sl_store_verb verb);

/*
 * Whether etcd can be asked for it: limits, keys that are not empty, no key twice in a list. What can not is REFUSED without
 * asking.
 */
bool sl__etcd_is_legal(const struct sl_store_op *op);

/* The request. SL_NOMEM, SL_LIMIT. */
SL_CHECKED enum sl_code sl__etcd_encode(const struct sl_store_op *op, struct sl_arena *arena, struct sl_bytes *out);

/* The answer to it, of any verb but WATCH and UNWATCH, with the outcome. */
SL_CHECKED enum sl_code sl__etcd_decode(const struct sl_store_op *op, struct sl_bytes answer, struct sl_arena *arena,
                                        struct sl_store_result *result);

/* One message of a watch's stream. */
enum sl_etcd_watch_said {
    SL_ETCD_WATCH_STANDS, /* revision: it delivers what comes after it, or from the revision asked for on */
    SL_ETCD_WATCH_BATCH,  /* batch, whose watch is left 0; its events may be none */
    SL_ETCD_WATCH_ENDED,  /* batch.why, .compacted_revision; reason: etcd's words, printable or not */
};
SL_CHECKED enum sl_code sl__etcd_decode_watch(struct sl_bytes message, struct sl_arena *arena,
                                              enum sl_etcd_watch_said *said, sl_revision *revision,
                                              struct sl_store_watch_batch *batch, struct sl_str *reason);

#define SL_ETCD_AUTHENTICATE "/etcdserverpb.Auth/Authenticate"
SL_CHECKED enum sl_code sl__etcd_encode_login(struct sl_str user, struct sl_secret password, struct sl_arena *arena,
                                              struct sl_bytes *out);
/* The token; a secret. */
SL_CHECKED enum sl_code sl__etcd_decode_login(struct sl_bytes answer, struct sl_arena *arena, struct sl_secret *token);

#endif
