/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_TESTS_WIRE_WIRE_RANDOM_MESSAGE_H
#define SL_TESTS_WIRE_WIRE_RANDOM_MESSAGE_H

#include "base/arena.h"
#include "base/prng.h"
#include "proto/heartbeat.pb-c.h"

/*
 * A random message of any schema, built over its descriptor: each field is sometimes left at its default, numbers are
 * often at the edges of their range, text is UTF-8 of up to four bytes per character. It is one that
 * sl_payload_decode accepts: every sub-message is there, ids are not zero, enum values are known.
 *
 * Lives in the arena, which must be large enough (a bug otherwise). Floating point numbers are finite or infinite but
 * not NaN, because the text form of a NaN loses bits.
 */
struct sl_wire_random {
    struct sl_prng prng;
    struct sl_arena *arena;
    uint32_t repeated_max; /* elements of one repeated field */
};

const ProtobufCMessage *sl_wire_random_message(struct sl_wire_random *r, const ProtobufCMessageDescriptor *descriptor);

#endif
