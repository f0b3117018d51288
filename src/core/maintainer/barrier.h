/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_CORE_MAINTAINER_BARRIER_H
#define SL_CORE_MAINTAINER_BARRIER_H

#include "core/maintainer/control.h"

/*
 * Schema changes that reach more than one table, or make and drop tables: everybody concerned has written all before the
 * change, one performs it, all pass (reference behaviour, in the form without split tables: the table trigger takes part
 * in every such change and is the one that writes).
 *
 *               all members reported             the writer is done             all members are behind it
 *   COLLECTING -------------------------> WRITING -------------------> PASSING -------------------------> forgotten
 *       \------ a member is behind it already, or the sink knows ----------^
 *
 *   COLLECTING  members say WAITING; who did not say anything is asked ("ignored") again and again
 *   WRITING     the writer is told WRITE, again and again
 *   PASSING     tables were dropped and added; members that have not passed are told PASS, again and again
 *
 * Invariants:
 *   R1  WRITE is sent only when every member's dispatcher stands in front of the change, with all before it durable; a
 *       table that has no span any more counts as one that does. What a dispatcher said that has another place since, or
 *       none, does not count: its successor may still bring rows that are older than the change, and says it again.
 *   R2  tables are dropped and added once, after the change was performed, and before anybody is acknowledged that it is
 *       done: the checkpoint cannot pass a table that nobody knows (docs/invariants.md I2).
 *   R3  an acknowledgement is no permission.
 *   R4  nothing here is durable: what dispatchers stand in front of is said again to every new maintainer.
 */
enum sl__barrier_phase { SL__BARRIER_COLLECTING, SL__BARRIER_WRITING, SL__BARRIER_PASSING };

struct sl__barrier_member {
    int64_t table_id;       /* 0: the table trigger */
    uint64_t placement_seq; /* under which its dispatcher reported */
    bool reported, done;
};

struct sl__barrier_event {
    sl_ts commit_ts;
    enum sl__barrier_phase phase;
    sl_ns act_at; /* when to ask or tell again */
    struct sl__barrier_member *members;
    uint32_t member_count, member_cap;
    uint8_t *state; /* the trigger's word, encoded Pb__State: what is dropped and added; null until it came */
    uint32_t state_bytes;
    bool is_wide, is_scheduled; /* wide: a schema or everything; its members are known when the trigger has reported */
    struct sl_dispatcher_id writer;
};

struct sl__barrier {
    struct sl__barrier_event *events; /* in order of commit ts */
    uint32_t count, cap;
};

#define SL__BARRIER_EVENTS_MAX 1024u
#define SL__BARRIER_RESEND_NS (500 * SL_MS)
#define SL__BARRIER_IDS_PER_MESSAGE 32u /* each of them is a command in one step of the receiver */

struct sl_maintainer;

void sl__barrier_clear(struct sl_maintainer *m);
enum sl_refusal sl__barrier_on_status(struct sl_maintainer *m, sl_node_ref from, const Pb__BlockStatusRequest *request,
                                      struct sl_outbox *out);
/* Asks and tells what is due. */
void sl__barrier_run(struct sl_maintainer *m, struct sl_outbox *out);
sl_ns sl__barrier_deadline(const struct sl_maintainer *m);

#endif
