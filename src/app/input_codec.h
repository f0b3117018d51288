/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_APP_INPUT_CODEC_H
#define SL_APP_INPUT_CODEC_H

#include "app/buf.h"
#include "base/arena.h"
#include "core/common/input.h"
#include "core/common/outbox.h"

/*
 * Inputs of the core as bytes: how they wait for their turn, and how a journal keeps them. Private to this version of
 * the program: a journal is replayed by the program that wrote it.
 */

/* Appends. b is failed without memory. The bytes hold what secrets the input holds. */
void sl_input_encode(struct sl_buf *b, const struct sl_input *in);

/*
 * False: these bytes are no input; *in is then of no use. Texts point into bytes, lists into the arena: valid as long as
 * both.
 */
SL_CHECKED bool sl_input_decode(struct sl_input *in, struct sl_bytes bytes, struct sl_arena *arena);

/* "MESSAGE", "STORE" ... Static. */
const char *sl_input_kind_name(enum sl_in_kind kind);

/* What a step put out, as one number: equal outputs give equal numbers, on every machine. */
uint64_t sl_outbox_digest(const struct sl_outbox *o);

#endif
