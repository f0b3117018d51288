/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_CORE_COMMON_OUTBOX_H
#define SL_CORE_COMMON_OUTBOX_H

#include "core/common/data_plane.h"
#include "core/common/event.h"
#include "core/common/members.h"
#include "core/common/request.h"
#include "core/common/store.h"
#include "wire/message.h"

/*
 * What a step wants done, as plain data, in order. The shell performs the outputs after the step; nothing the core does
 * depends on how. Everything an output points to lives until sl_outbox_reset.
 *
 * Room is limited at init. A message that finds no room is dropped and counted: that is a loss like any other on an
 * at-most-once transport, and every exchange is resent by its sender. Commands to the data plane are never dropped: a
 * part of the room is kept for them, and an input causes at most SL_OUTBOX_COMMANDS_MAX. The same holds for answers to
 * requests, at most SL_OUTBOX_REPLIES_MAX. A store operation that finds no room is given back to its issuer.
 */
enum sl_out_kind { SL_OUT_SEND, SL_OUT_COMMAND, SL_OUT_SCHEMA_LOAD, SL_OUT_EVENT, SL_OUT_STORE, SL_OUT_REPLY };

#define SL_OUTBOX_COMMANDS_MAX 64
#define SL_OUTBOX_REPLIES_MAX 64            /* so nobody keeps more requests open than this */
#define SL_OUTBOX_COMMAND_BYTES_KEPT 65536u /* for what commands point to when other memory is exhausted */

struct sl_out_send {
    sl_node_ref to; /* may be the node itself: the shell hands it back as an input, later */
    enum sl_msg_type type;
    enum sl_topic topic;
    struct sl_bytes payload; /* one encoded payload */
};

/* Asks the shell for the feed's tables at ts; answered by an SL_IN_SCHEMA input with the same feed and request number.
 */
struct sl_out_schema_load {
    struct sl_feed_id feed;
    uint64_t request;
    sl_ts ts;
    struct sl_secret source; /* URI of the feed's source; empty: it has none */
    struct sl_secret config; /* the flattened configuration: which tables the feed wants */
};

/*
 * after: a store operation that has to be durable first. It stands earlier in the same outbox or is in flight. The
 * shell keeps the output until that operation is answered: OK (a TXN: succeeded) performs it, anything else drops it.
 * Outputs that wait for one operation are performed in the order in which they were emitted, and before the core is
 * given the result. So an epoch is in the store before any message that carries it leaves, and whoever waits for the
 * result finds those messages sent. A dropped output is no news to the core: the result is.
 */
struct sl_output {
    enum sl_out_kind kind;
    sl_op_id after; /* 0 = perform at once */
    union {
        struct sl_out_send send;
        struct sl_command command;
        struct sl_out_schema_load schema_load;
        struct sl_event event;
        struct sl_store_op store;
        struct sl_reply reply;
    } u;
};

struct sl_outbox {
    struct sl_mem *mem;
    struct sl_output *items;
    uint32_t count, cap, count_max;
    uint32_t tag;
    uint32_t command_count, reply_count; /* of count */
    struct sl_arena arena;
    uint8_t *kept; /* SL_OUTBOX_COMMAND_BYTES_KEPT, of which kept_used are used */
    uint32_t kept_used;
    uint64_t dropped_count; /* since init */
};

/* count_max > 2 * SL_OUTBOX_COMMANDS_MAX; bytes_max bounds the payloads of one step. */
SL_CHECKED enum sl_code sl_outbox_init(struct sl_outbox *o, struct sl_mem *mem, uint32_t tag, uint32_t count_max,
                                       size_t bytes_max);
void sl_outbox_deinit(struct sl_outbox *o);
void sl_outbox_reset(struct sl_outbox *o);

/* How many more messages fit. Optional work (placing spans, moving them) stops when this gets low and goes on next
 * tick. */
uint32_t sl_outbox_room(const struct sl_outbox *o);

/* Encodes message as the one payload of a message of this type, to the type's first topic. False: dropped and counted.
 */
bool sl_out_send(struct sl_outbox *o, sl_node_ref to, enum sl_msg_type type, const ProtobufCMessage *message);
/* The same to the type's second topic. */
bool sl_out_send_second(struct sl_outbox *o, sl_node_ref to, enum sl_msg_type type, const ProtobufCMessage *message);

/* As sl_out_send, once operation op (not 0) is durable. */
bool sl_out_send_after(struct sl_outbox *o, sl_op_id op, sl_node_ref to, enum sl_msg_type type,
                       const ProtobufCMessage *message);

/*
 * Copies the operation with all it points to. False: no room, nothing was taken; the issuer tries again at its next
 * tick. Not counted as dropped.
 */
bool sl_out_store(struct sl_outbox *o, const struct sl_store_op *op);

/*
 * Copies the answer. Never dropped. A list that is larger than the room left is cut, and so is one whose values are;
 * then an answer that would be OK has the code SL_LIMIT and says so in its detail.
 */
void sl_out_reply(struct sl_outbox *o, const struct sl_reply *reply);

/*
 * Copies what the command points to. False only for OPEN_FEED and OPEN, when their configuration or keys are larger
 * than the kept memory and there is no other: the command was not issued; go on as if its FEED_FAILED or FAILED had
 * been reported.
 */
bool sl_out_command(struct sl_outbox *o, const struct sl_command *c);
bool sl_out_schema_load(struct sl_outbox *o, const struct sl_out_schema_load *load);

/* sl_out_event(o, SL_EV_X, sl_f_str("feed", name), sl_f_u64("epoch", 7)); copies strings. At most SL_FIELDS_MAX fields,
 * at least one. */
#define sl_out_event(o, id, ...)                                             \
    sl_out_event_fields((o), (id), (const struct sl_field[]){ __VA_ARGS__ }, \
                        (uint32_t)(sizeof((const struct sl_field[]){ __VA_ARGS__ }) / sizeof(struct sl_field)))
void sl_out_event_fields(struct sl_outbox *o, enum sl_event_id id, const struct sl_field *fields, uint32_t count);

#endif
