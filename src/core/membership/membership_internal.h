/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_CORE_MEMBERSHIP_MEMBERSHIP_INTERNAL_H
#define SL_CORE_MEMBERSHIP_MEMBERSHIP_INTERNAL_H

#include "core/common/mem_tags.h"
#include "core/membership/membership.h"

/*
 * How the parts work together: an input only records what became known (session, registry, the outcomes of own writes);
 * then membership_run compares what is wanted with what is known and issues the operations that are missing, at most
 * one of a kind at a time. So a lost answer, a late arrival or a pause needs no path of its own.
 */

#define GO(name) (1u << SL_SESSION_##name)
#define SL_SESSION_STATES(X)                                    \
    X(OFFLINE, "offline", GO(LEASED) | GO(LEFT))                \
    X(LEASED, "leased", GO(OFFLINE) | GO(JOINED) | GO(LEAVING)) \
    X(JOINED, "joined", GO(LEAVING) | GO(FENCED))               \
    X(LEAVING, "leaving", GO(LEFT))                             \
    X(FENCED, "fenced", 0u)                                     \
    X(LEFT, "left", 0u)

enum sl_session_state {
#define SL_SESSION_STATE_ENUM(name, text, next) SL_SESSION_##name,
    SL_SESSION_STATES(SL_SESSION_STATE_ENUM)
#undef SL_SESSION_STATE_ENUM
};

/* Keepalives overlap, because one that is lost is known to be lost only when its time is over. */
#define SESSION_KEEPALIVES_MAX 8
struct session_keepalive {
    sl_op_id op;
    sl_ns sent_at;
};

struct session {
    sl_lease_id lease; /* 0 = none */
    sl_ns lease_until; /* believed; INT64_MIN without a lease */
    sl_op_id grant_op; /* in flight, or 0 */
    sl_ns grant_sent_at, grant_at;
    sl_ns keepalive_at; /* the next one is due */
    struct session_keepalive keepalives[SESSION_KEEPALIVES_MAX];
    uint32_t keepalive_next;
};

/* What is under the meta prefix, complete up to revision. */
struct member {
    struct sl_capture capture;
    sl_lease_id lease;
    sl_revision mod_revision;
    sl_ns gone_at; /* tombstone: leaves then; SL_NEVER while its key is there */
    bool seen;     /* during a read */
    bool address_told;
};

struct owner { /* a key of the election */
    struct sl_node_id node;
    sl_lease_id lease;
    sl_revision create_revision, mod_revision;
    char hex[17]; /* last part of its key */
};

struct registry {
    bool loaded;       /* revision means something */
    bool range_wanted; /* what is known may be less than what was written */
    bool overflow;     /* something was left out for lack of room: look again when something goes */
    sl_revision revision;
    sl_op_id range_op;                               /* in flight, or 0: of the reads, number reads_issued */
    uint64_t reads_issued, reads_done, reads_wanted; /* numbers of the last ones */
    sl_op_id watch_op;                               /* in flight or standing, or 0 */
    bool watch_stands;
    sl_ns range_at, watch_at; /* not before */
    struct member *members;   /* ascending by id; room for opts.node_count_max and this node */
    struct owner *owners;     /* ascending by create revision; owner_count_max of them */
    uint32_t member_count, owner_count, owner_count_max;
    sl_ns gone_next;  /* the earliest gone_at of a member */
    uint32_t self_at; /* place of the node's own capture; member_count: it is not there */
    uint32_t own_at;  /* where the own key stood when the queue changed last: where to look first */
};

/* The state of one own key: by the registry, or by the answer to an own write that the registry has not seen yet. */
struct own_key {
    sl_revision as_of;           /* of the last own write that was answered OK */
    sl_revision create_revision; /* after it; 0 = not there */
    sl_revision mod_revision;
};

enum join_refusal { JOIN_OK, JOIN_NAME_TAKEN, JOIN_ID_TAKEN, JOIN_FOREIGN, JOIN_OLD_ARCHITECTURE };

struct join {
    sl_op_id name_op, txn_op; /* in flight, or 0 */
    bool name_known;          /* by a read since the last refusal */
    sl_revision name_mod;     /* 0 = the key is not there; else it is this node's from an older life */
    sl_ns at;                 /* not before */
    enum join_refusal told;   /* of the last event */
    struct own_key capture;
};

struct election {
    bool alive, leader;
    bool must_delete;             /* the own key is not wanted any more and cannot win */
    bool is_delete;               /* what op is */
    sl_op_id op;                  /* in flight, or 0 */
    sl_ns campaign_at, delete_at; /* not before */
    sl_ns resigned_until;
    sl_revision version; /* of this or the last own leadership */
    struct own_key own;
};

struct leave {
    bool wanted, marked;
    sl_op_id mark_op, revoke_op;
    sl_ns at;
};

#define MEMBERSHIP_CLUSTER_MAX 128

struct sl_membership {
    struct sl_membership_opts opts; /* cluster points into cluster below */
    char cluster[MEMBERSHIP_CLUSTER_MAX + 1];
    enum sl_session_state state;
    bool started;
    sl_ns now;
    uint64_t op_count; /* issued */
    struct sl_key meta, captures, owners, capture_key, name_key, owner_key;
    struct session session;
    struct registry registry;
    struct join join;
    struct election election;
    struct leave leave;
    struct sl_arena arena;   /* for values that are written, until the run ends */
    struct sl_capture *view; /* members as published */
    struct sl_capture *view_next;
    uint32_t view_count;
    uint64_t generation, generation_checked;
    bool view_is_stale;
};

/* ---- membership.c ---- */
void sl__membership_go(struct sl_membership *m, enum sl_session_state to, const char *cause, struct sl_outbox *out);
/* Issues the operation under a new id, which is returned; 0 if there is no room in the outbox. */
sl_op_id sl__membership_issue(struct sl_membership *m, struct sl_store_op *op, struct sl_outbox *out);
bool sl__membership_is_leased(const struct sl_membership *m);
struct sl_bytes sl__membership_id_bytes(const struct sl_membership *m);

/* ---- session.c ---- */
/* Whether the belief in the lease is over; if so, what was built on it is over too. */
void sl__session_check(struct sl_membership *m, struct sl_outbox *out);
void sl__session_run(struct sl_membership *m, struct sl_outbox *out);
bool sl__session_on_store(struct sl_membership *m, const struct sl_store_result *r, struct sl_outbox *out);
/* The store says that the lease is gone. */
void sl__session_lost(struct sl_membership *m, const char *cause, struct sl_outbox *out);
sl_ns sl__session_fence_at(const struct sl_membership *m); /* SL_NEVER without a lease */
sl_ns sl__session_deadline(const struct sl_membership *m);

/* ---- registry.c ---- */
void sl__registry_run(struct sl_membership *m, struct sl_outbox *out);
bool sl__registry_on_store(struct sl_membership *m, const struct sl_store_result *r, struct sl_outbox *out);
bool sl__registry_on_watch(struct sl_membership *m, const struct sl_store_watch_batch *b, struct sl_outbox *out);
sl_ns sl__registry_deadline(const struct sl_membership *m);
/* After an unknown outcome: read before the next write. */
void sl__registry_reread(struct sl_membership *m);
/* A read that begins from now on; its number. */
uint64_t sl__registry_read_anew(struct sl_membership *m);
bool sl__registry_is_fresh(const struct sl_membership *m); /* loaded, and no reread is outstanding */

/* ---- registry_data.c ---- */
void sl__registry_put(struct sl_membership *m, const struct sl_store_pair *pair, struct sl_outbox *out);
void sl__registry_delete(struct sl_membership *m, struct sl_str key, struct sl_outbox *out);
/* A read replaces everything: begin, put each, end. */
void sl__registry_begin(struct sl_membership *m);
void sl__registry_end(struct sl_membership *m, struct sl_outbox *out);
void sl__registry_expire(struct sl_membership *m, struct sl_outbox *out); /* tombstones */
const struct member *sl__registry_self(const struct sl_membership *m);    /* if its key is there, or null */
const struct owner *sl__registry_own(const struct sl_membership *m);      /* the own election key, or null */

/* ---- join.c ---- */
void sl__join_run(struct sl_membership *m, struct sl_outbox *out);
bool sl__join_on_store(struct sl_membership *m, const struct sl_store_result *r, struct sl_outbox *out);
sl_ns sl__join_deadline(const struct sl_membership *m);
/* The lease is another one: what was put or read for the old one means nothing. */
void sl__join_reset(struct sl_membership *m);
/* The own capture key, as far as is known; mod_revision 0 = not there. */
sl_revision sl__join_capture_mod(const struct sl_membership *m);

/* ---- election.c ---- */
void sl__election_run(struct sl_membership *m, struct sl_outbox *out);
bool sl__election_on_store(struct sl_membership *m, const struct sl_store_result *r);
sl_ns sl__election_deadline(const struct sl_membership *m);
void sl__election_stop_leading(struct sl_membership *m, const char *cause, struct sl_outbox *out);
void sl__election_check(const struct sl_membership *m);

#endif
