/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_CORE_COORDINATOR_DRAINS_INTERNAL_H
#define SL_CORE_COORDINATOR_DRAINS_INTERNAL_H

#include "base/check.h"
#include "base/prng.h"
#include "core/common/mem_tags.h"
#include "core/coordinator/drains.h"
#include "core/drain/target_set.h"

/*
 * What the drain files share:
 *
 *   drains.c         life, take-over, nodes that come and go, the step and its check
 *   drain_phase.c    from phase to phase
 *   drain_push.c     targets and epochs: what every node should hold
 *   drain_store.c    intents in the store
 *   drain_api.c      what operators and clients ask
 *   drain_explain.c  why it is not safe yet, in words
 *   drain_proof.c    the proof
 *
 * A session is an intent in memory and what is known of it in the store. Two copies, because everything a phase allows
 * is allowed by the durable one only.
 *
 *   the store's side:  in step --intent changes--> write --OK--> in step
 *                                   ^                |  compare failed, or fate not known
 *                                   '---- read back <'
 *
 * A write whose fate is not known is written again as it was until it is known to be there: whatever of it arrives
 * late then is the same value, and can be told from the word of another coordinator.
 */
#define DRAIN_TICKETS_MAX 8       /* per session */
#define DRAIN_TICKETS_ALL_MAX 32u /* the outbox keeps room for 64 answers */
#define DRAIN_DETAIL_MAX 160
#define DRAIN_CHECK_NS (10 * SL_MS)  /* observations come in bursts: one look at all of a burst */
#define DRAIN_IDLE_NS (500 * SL_MS)  /* looked at anyway */
#define DRAIN_ROOM_NS (10 * SL_MS)   /* what found no room in an outbox is tried again */
#define DRAIN_RETRY_NS (200 * SL_MS) /* a store that said no is asked again */
#define DRAIN_REPAIR_NS (5 * SL_S)   /* a value that cannot be read is read again: somebody may repair it */
#define DRAIN_DOUBT_NS (60 * SL_S)   /* a write in doubt may still arrive; were its key deleted, it would come back */
#define DRAIN_RAISE_NS (1 * SL_S)    /* a peer that refuses an epoch causes a higher one at most once in this time */

struct drain_session {
    struct sl_intent intent;  /* what it should be */
    struct sl_intent durable; /* what the store held when it last said so; meaningful if mod_revision > 0 */
    struct sl_intent written; /* by the write in flight, or by the one in doubt */
    uint8_t *read_value;      /* as it was read last, of whatever version; null: we made it */
    size_t read_len;
    sl_revision mod_revision;  /* 0 = not in the store yet */
    sl_op_id write, read;      /* in flight; 0 = none */
    bool is_forgetting;        /* the write in flight deletes the key */
    bool in_doubt, must_read;  /* the fate of written is not known; read before anything is written */
    bool is_superseded;        /* ended, and the node came back: its word about the node is void, it is to be deleted */
    bool must_forget;          /* ended, and over the limit of history */
    sl_ns store_at, forget_at; /* no operation before; no deletion before */

    sl_node_ref node; /* the target while it is a member in the life that is drained; SL_NODE_NONE otherwise */
    bool must_raise;  /* the epoch is a predecessor's, or one that a peer cannot accept any more */
    sl_ns raised_at;  /* for that second reason; 0 = never */
    sl_ns draining_sent_at, stopping_sent_at, undrain_sent_at, stop_sent_at; /* 0 = not sent */
    uint64_t asked_epoch;                                                    /* node epoch of the last request */
    sl_ns accepted_at, progress_at;
    bool deadline_told;
    uint32_t left, dispatchers_at_start; /* what is left, for progress */
    enum sl_blocker blocker;
    char detail[DRAIN_DETAIL_MAX];
    uint64_t tickets[DRAIN_TICKETS_MAX]; /* requests that wait for the intent to be durable */
    uint32_t ticket_count;
};

struct drain_peer { /* indexed by node ref */
    sl_ns pushed_at;
    uint64_t pushed_round;   /* of sl_drains.round; 0 = never */
    uint64_t pushed_version; /* epoch that went with it */
    uint64_t sent_epoch_max; /* highest epoch of a target that this coordinator sent it */
};

struct sl_drains {
    struct sl_drains_opts opts;
    char cluster[128];
    struct sl_prng prng;
    struct sl_arena scratch; /* values and lists; reset before each use */
    struct drain_session *sessions;
    uint32_t session_count, session_cap; /* in the order of creation; ended ones stay as history */
    struct drain_peer *peers;
    uint32_t peer_count;
    uint32_t ticket_count;     /* of all sessions */
    uint64_t epoch_issued_max; /* over every session this coordinator knows */
    uint64_t epoch_pushed_max; /* over those that were pushed */
    uint64_t round;            /* grows when what has to be pushed changes */
    sl_op_id load;
    bool is_loaded, is_settled;
    sl_ns load_at, check_at, checked_at;
    sl_ns push_at; /* no node is to be sent targets before */
};

/* ---- drains.c ---- */
/* The target left, or is another process now: what the session was worth is decided by what holds at this moment. */
void sl__drain_lose_target(struct sl_drains *d, sl_ns now, struct drain_session *s, struct sl_outbox *out);
/* A session that a predecessor ran: its acknowledgements do not count. */
void sl__drain_take_over(struct sl_drains *d, sl_ns now, struct drain_session *s, struct sl_outbox *out);
void sl__drain_free_value(struct sl_drains *d, struct drain_session *s);
/* Removes it from memory; the order of the others is kept. s and those after it are invalid then. */
void sl__drain_drop(struct sl_drains *d, struct drain_session *s);
/* Looks at every session in this step, or at the next tick. */
void sl__drain_check_now(struct sl_drains *d, sl_ns now);
void sl__drain_check_soon(struct sl_drains *d, sl_ns now);

/* ---- drain_store.c ---- */
/* The phase for actions: what the store holds. */
enum sl_drain_phase sl__drain_phase(const struct drain_session *s);
bool sl__drain_is_open(const struct drain_session *s); /* PENDING .. CLEARING, by what is wanted */
/* It has lost its lease; a member for a while yet. */
bool sl__drain_has_vanished(const struct sl_drains *d, const struct sl_node_id *id);
bool sl__drain_is_in_step(const struct drain_session *s); /* the store is known to hold what is wanted */
bool sl__drain_is_sane(const struct sl_intent *i);        /* whether its members can come from a session */
void sl__drain_set_phase(struct drain_session *s, enum sl_drain_phase phase);
void sl__drain_run_store(struct sl_drains *d, sl_ns now, struct sl_outbox *out);
sl_ns sl__drain_store_deadline(const struct sl_drains *d);
/* False: the result of no operation of ours. */
bool sl__drain_take_result(struct sl_drains *d, sl_ns now, const struct sl_store_result *r, struct sl_outbox *out);

/* ---- drain_push.c ---- */
/*
 * A new epoch for the session, higher than all, wanted from now on. False: another one's is not durable yet, or there
 * is no higher number (*is_exhausted).
 */
bool sl__drain_issue_epoch(struct sl_drains *d, sl_ns now, struct drain_session *s, bool *is_exhausted);
bool sl__drain_is_pushed(const struct drain_session *s); /* its target belongs to the set that every node must hold */
void sl__drain_targets_changed(struct sl_drains *d);
void sl__drain_push(struct sl_drains *d, sl_ns now, struct sl_outbox *out);
/* Something was observed of the node: whether it is in step with the targets (N5), and when to send them again. */
void sl__drain_judge_peer(struct sl_drains *d, sl_node_ref ref);
/* A peer that understands targets, or may: one that has not said a word of itself hosts nothing. */
bool sl__drain_is_peer(const struct sl_drains *d, sl_node_ref ref);
bool sl__drain_is_legacy(const struct sl_drains *d, sl_node_ref ref);
/* The first node that may still hold the target of the session, or none. */
sl_node_ref sl__drain_first_uncleared(const struct sl_drains *d, const struct drain_session *s);
/* Whether a target may leave at all; who is the node that prevents it (or none). */
bool sl__drain_may_push(const struct sl_drains *d, const struct drain_session *s, enum sl_blocker *why,
                        sl_node_ref *who);
/* Whether the node is to be told this target now: one that knows a single target may have to know another first. */
bool sl__drain_is_told(const struct sl_drains *d, const struct drain_session *s, sl_node_ref ref);
/* A peer has seen this epoch, or a higher one, without taking the target: it never will. */
bool sl__drain_is_refused(const struct sl_drains *d, const struct drain_session *s);

/* ---- drain_phase.c ---- */
void sl__drain_facts(const struct sl_drains *d, sl_ns now, const struct drain_session *s, struct sl_proof_facts *f);
void sl__drain_advance(struct sl_drains *d, sl_ns now, struct drain_session *s, struct sl_outbox *out);
/* The store's word changed from before to s->durable; before is null for the first. */
void sl__drain_became_durable(struct sl_drains *d, sl_ns now, struct drain_session *s, const struct sl_intent *before,
                              struct sl_outbox *out);
/* Null, or why this drain cannot be cancelled (any more, or yet: *is_transient). */
const char *sl__drain_why_no_cancel(const struct sl_drains *d, const struct drain_session *s, bool *is_transient);
void sl__drain_cancel(struct drain_session *s);
/* Whether "safe to stop" is durable, and about the process that runs there now (or nobody does). */
bool sl__drain_is_safe(const struct sl_drains *d, const struct drain_session *s);
uint64_t sl__drain_wall_ms(const struct sl_drains *d, sl_ns now);

/* ---- drain_explain.c ---- */
/* What people call a node; empty: it is not there. Valid until the membership changes. */
struct sl_str sl__drain_name_of(const struct sl_drains *d, const struct sl_node_id *id);
void sl__drain_explain(const struct sl_drains *d, sl_ns now, struct drain_session *s, const struct sl_proof_facts *f,
                       enum sl_blocker why, struct sl_outbox *out);
/* The same with a text, or with the node that is the cause. */
void sl__drain_blocked(struct drain_session *s, enum sl_blocker why, const char *detail, struct sl_outbox *out);
void sl__drain_blocked_by(const struct sl_drains *d, struct drain_session *s, enum sl_blocker why, sl_node_ref who,
                          struct sl_outbox *out);

/* ---- drain_api.c ---- */
void sl__drain_answer(struct sl_drains *d, sl_ns now, const struct sl_request *r, struct sl_outbox *out);
void sl__drain_answer_waiting(struct sl_drains *d, sl_ns now, struct drain_session *s, enum sl_code code,
                              const char *detail, struct sl_outbox *out);

#endif
