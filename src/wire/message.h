/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_WIRE_MESSAGE_H
#define SL_WIRE_MESSAGE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/secret.h"
#include "base/str.h"
#include "proto/heartbeat.pb-c.h"
#include "wire/message_table.h"

/*
 * The protocol, to the byte: which types there are (message_table.h), the envelope, and the payloads. Pure functions
 * over memory; nothing here knows a socket. Whatever the bytes are, the result is a value or a refusal with a reason.
 */

/* Why bytes were refused: constant, name, meaning. One counter per reason lives with whoever refuses. */
#define SL_REFUSALS(X)                                                                           \
    X(NONE, "none", "none")                                                                      \
    X(TRUNCATED, "truncated", "input ends inside a field")                                       \
    X(MALFORMED, "malformed", "bytes are not a protobuf message of this kind")                   \
    X(OVERSIZED, "oversized", "larger than the configured limit")                                \
    X(OUT_OF_MEMORY, "out_of_memory", "decoding would exceed the memory cap")                    \
    X(UNKNOWN_TYPE, "unknown_type", "message type number is not in the table")                   \
    X(WRONG_TOPIC, "wrong_topic", "topic does not fit the message type")                         \
    X(NO_PAYLOAD, "no_payload", "payload list is empty")                                         \
    X(TOO_MANY_PAYLOADS, "too_many_payloads", "more payloads than allowed")                      \
    X(MISSING_FIELD, "missing_field", "a required sub-message is absent")                        \
    X(BAD_ENUM, "bad_enum", "enum value is not known")                                           \
    X(BAD_TEXT, "bad_text", "text is not printable UTF-8, or too long")                          \
    X(BAD_ID, "bad_id", "an id is empty, too long or all zero where it may not be")              \
    X(BAD_CONFIG, "bad_config", "feed configuration does not parse or lacks a field")            \
    X(ZERO_CHECKPOINT, "zero_checkpoint", "checkpoint is 0")                                     \
    X(WRONG_SENDER, "wrong_sender", "sender is not the current coordinator or owner")            \
    X(STALE_VERSION, "stale_version", "sender's version or epoch is older than the known one")   \
    X(ZERO_EPOCH, "zero_epoch", "epoch 0 without interoperation mode")                           \
    X(UNKNOWN_FEED, "unknown_feed", "no such feed here")                                         \
    X(UNKNOWN_NODE, "unknown_node", "sender is not a member")                                    \
    X(NOT_BOOTSTRAPPED, "not_bootstrapped", "no coordinator or owner has bootstrapped this yet") \
    X(STOPPING, "stopping", "the node is stopping")                                              \
    X(NOT_HANDLED, "not_handled", "this node does not handle this type")                         \
    X(WRONG_TARGET, "wrong_target", "addressed to another node")                                 \
    X(FEED_BUSY, "feed_busy", "an older maintainer of the feed still lives here")                \
    X(LIMIT, "limit", "a configured limit of this node is reached")                              \
    X(BAD_TARGETS, "bad_targets", "drain targets are too many, not distinct, or beyond their version")

enum sl_refusal {
#define SL_REFUSAL_ENUM(constant, name, text) SL_REFUSE_##constant,
    SL_REFUSALS(SL_REFUSAL_ENUM)
#undef SL_REFUSAL_ENUM
        SL_REFUSAL_COUNT
};
const char *sl_refusal_name(enum sl_refusal r); /* "truncated": lower case, static */
const char *sl_refusal_text(enum sl_refusal r);

/* The URI of a feed's source: printable, secret. Longer ones are refused wherever they come from. */
#define SL_SOURCE_URI_MAX 4096u
bool sl_source_uri_is_valid(struct sl_secret uri);    /* the empty one is: there is none */
struct sl_secret sl_source_uri_of(const char *field); /* of a decoded message; a view */

/* Limits are input, not constants: the owner of a node gives them at start. */
struct sl_wire_limits {
    size_t message_bytes_max;   /* whole envelope */
    uint32_t payload_count_max; /* <= SL_PAYLOADS_MAX */
    uint32_t text_bytes_max;    /* any one string field */
};
#define SL_PAYLOADS_MAX 16
#define SL_WIRE_LIMITS_DEFAULT \
    ((struct sl_wire_limits){  \
        .message_bytes_max = 64u << 20, .payload_count_max = SL_PAYLOADS_MAX, .text_bytes_max = 64u << 10 })

/* The outer Message as views into the caller's bytes: valid as long as those are. */
struct sl_envelope {
    enum sl_msg_type type;
    struct sl_str from, to, topic;
    uint32_t payload_count;
    struct sl_bytes payload[SL_PAYLOADS_MAX];
};

/*
 * Decodes and checks an envelope: known type, topic as in the table, ids non-empty and at most SL_NODE_ID_MAX
 * bytes, 1..max payloads. On a refusal *out is zero except for what was decoded (type, from) to name it in a log line.
 * Unknown fields are skipped. Allocates nothing.
 */
SL_CHECKED enum sl_refusal sl_envelope_decode(struct sl_envelope *out, struct sl_bytes bytes,
                                              const struct sl_wire_limits *limits);

/* Exact size of the encoding, and the encoding into room of at least that size; returns the bytes written. */
size_t sl_envelope_size(const struct sl_envelope *e);
size_t sl_envelope_encode(const struct sl_envelope *e, uint8_t *out);

/*
 * Decodes one payload of a type whose payload kind is SL_PAYLOAD_PB and validates it by the table in validate.c:
 * required sub-messages present, enums known, strings printable and bounded, so that handlers need no null checks for
 * fields that the table calls required. Pointers in *out live in the arena. Unknown fields are dropped.
 *
 * On a refusal *out is a null pointer, and the arena may hold bytes that nobody points to until its reset.
 * NOT_HANDLED: the type's payload is of another kind.
 */
SL_CHECKED enum sl_refusal sl_payload_decode(enum sl_msg_type type, struct sl_bytes bytes,
                                             const struct sl_wire_limits *limits, struct sl_arena *arena,
                                             const ProtobufCMessage **out);

/* Size of, and packing of, one payload (message must be of the type's descriptor: checked). */
size_t sl_payload_size(enum sl_msg_type type, const ProtobufCMessage *message);
size_t sl_payload_encode(enum sl_msg_type type, const ProtobufCMessage *message, uint8_t *out);

#endif
