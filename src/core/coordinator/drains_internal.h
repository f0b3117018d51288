/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_CORE_COORDINATOR_DRAINS_INTERNAL_H
#define SL_CORE_COORDINATOR_DRAINS_INTERNAL_H

#include "base/prng.h"
#include "core/common/mem_tags.h"
#include "core/coordinator/drains.h"
#include "core/drain/target_set.h"

/*
 * Private to the drain files. A session is an intent in memory and what is known of it in the store. Two copies,
 * because everything a phase allows is allowed by the durable one only.
 */
#define DRAIN_TICKETS_MAX 8
#define DRAIN_CHECK_NS (10 * SL_MS)  /* observations come in bursts: one look at all of a burst */
#define DRAIN_IDLE_NS (500 * SL_MS)  /* looked at anyway */
#define DRAIN_RETRY_NS (200 * SL_MS) /* a store that said no is asked again */

struct drain_session {
    struct sl_intent intent;  /* what it should be */
    struct sl_intent durable; /* what the store held when it last said so; meaningful if mod_revision > 0 */
    sl_revision mod_revision; /* 0 = not in the store yet */
    sl_op_id write, read;     /* in flight; 0 = none. A read follows a write whose fate is not known */
    struct sl_intent written; /* what the write in flight writes */
    bool differs;             /* intent has to be written */
    sl_ns write_at;           /* not before */

    sl_node_ref node; /* the target while it is a member; SL_NODE_NONE otherwise */
    sl_ns draining_sent_at, stopping_sent_at, undrain_sent_at;
    sl_ns accepted_at, progress_at;
    bool deadline_told, undrained;
    uint32_t left, left_at_start; /* sum of what is left: for progress */
    enum sl_blocker blocker;
    char detail[160];
    uint64_t tickets[DRAIN_TICKETS_MAX]; /* requests that wait for the intent to be durable */
    uint32_t ticket_count;
};

struct drain_peer { /* indexed by node ref */
    sl_ns pushed_at;
    uint64_t pushed_round; /* of sl_drains.round */
};

struct sl_drains {
    struct sl_drains_opts opts;
    char cluster[128];
    struct sl_prng prng;
    struct sl_arena scratch; /* formats values; reset per write */
    struct drain_session *sessions;
    uint32_t session_count, session_cap; /* ended ones stay as history until their room is needed */
    struct drain_peer *peers;
    uint32_t peer_count;
    uint64_t epoch_issued_max; /* over every session this coordinator knows */
    uint64_t epoch_pushed_max; /* over those that were pushed */
    uint64_t round;            /* grows when what has to be pushed changes */
    bool settled;
    sl_op_id load;
    bool loaded;
    sl_ns load_at, check_at, checked_at;
};

/* The phase for actions: what the store holds. */
enum sl_drain_phase sl__drain_phase(const struct drain_session *s);
bool sl__drain_is_open(const struct drain_session *s);   /* PENDING .. CLEARING, by what is wanted */
bool sl__drain_is_pushed(const struct drain_session *s); /* its target belongs to the set that every node must hold */
const char *sl__drain_legal(enum sl_drain_phase from, enum sl_drain_phase to); /* null if legal, else why not */

/* drain_store.c */
void sl__drain_changed(struct drain_session *s); /* after a change of intent: it has to be written */
void sl__drain_set_phase(struct drain_session *s, enum sl_drain_phase phase);
void sl__drain_write_due(struct sl_drains *d, sl_ns now, struct sl_outbox *out);

/* drain_push.c */
uint64_t sl__drain_next_epoch(struct sl_drains *d, sl_ns now);
uint32_t sl__drain_targets(const struct sl_drains *d, struct sl_drain_target *targets);
void sl__drain_targets_changed(struct sl_drains *d);
void sl__drain_push(struct sl_drains *d, sl_ns now, struct sl_outbox *out);
sl_ns sl__drain_push_deadline(const struct sl_drains *d);
bool sl__drain_all_cleared(const struct sl_drains *d, const struct drain_session *s);
bool sl__drain_may_push(const struct sl_drains *d, const struct drain_session *s, enum sl_blocker *why);

/* drain_phase.c */
void sl__drain_facts(const struct sl_drains *d, sl_ns now, const struct drain_session *s, struct sl_proof_facts *f);
void sl__drain_advance(struct sl_drains *d, sl_ns now, struct drain_session *s, struct sl_outbox *out);
void sl__drain_became_durable(struct sl_drains *d, sl_ns now, struct drain_session *s, struct sl_outbox *out);
void sl__drain_check_soon(struct sl_drains *d, sl_ns now);

/* drain_api.c */
void sl__drain_answer_waiting(struct sl_drains *d, sl_ns now, struct drain_session *s, enum sl_code code,
                              const char *detail, struct sl_outbox *out);

#endif
