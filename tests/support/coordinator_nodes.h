/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The nodes of coordinator_driver.h: what they are told, what they answer, and what must hold whenever they are told
 * something. Of no use without the driver.
 */
#ifndef SL_TESTS_SUPPORT_COORDINATOR_NODES_H
#define SL_TESTS_SUPPORT_COORDINATOR_NODES_H

#include "base/prng.h"
#include "core/coordinator/coordinator.h"
#include "port/store_model.h"

enum {
    CD_NODES_MAX = 8,
    CD_FEEDS_MAX = 8,
    CD_REPLIES_MAX = 64,
    CD_QUEUE_MAX = 4096,
    CD_FAULTS_MAX = 16,
    CD_FEED_EPOCH = 100
};
#define CD_CLUSTER "test"

enum cd_kind {
    CD_SLUICE,  /* sets, self reports */
    CD_FOREIGN, /* the drain protocol, one target, nothing of ours */
    CD_LEGACY,  /* older than the drain protocol */
};

enum cd_fault {
    CD_FAULT_NONE,
    CD_FAULT_REFUSED,      /* certainly not done */
    CD_FAULT_LOST_REQUEST, /* not done, UNKNOWN */
    CD_FAULT_LOST_ANSWER,  /* done, UNKNOWN */
    CD_FAULT_LATE,         /* UNKNOWN, done when cd_late says so, or after 20 s */
};

struct cd_hosted {
    bool is_here, is_bootstrapped;
    uint64_t epoch;
};

struct cd_node {
    char name[8];
    enum cd_kind kind;
    bool is_member;
    bool is_deaf, is_mute;            /* what it is sent, what it says, is lost */
    bool refuses_work;                /* does not answer an Add */
    bool ignores_targets;             /* they are lost on the way */
    bool is_unbootstrapped;           /* its maintainers say so */
    uint64_t node_epoch, heard_epoch; /* heard: by this coordinator */
    enum sl_liveness liveness;
    struct sl_target_set set;
    uint64_t lag_budget_ms[SL_TARGETS_MAX];
    uint32_t readers; /* beside what follows from the table */
    uint64_t unflushed_rows, report_seq;
    int64_t version; /* of the coordinator it obeys */
    char coordinator[8];
    struct cd_hosted feeds[CD_FEEDS_MAX];
    /* what it was sent since cd_forget */
    uint32_t bootstrap_requests, target_requests, draining_requests, stopping_requests, undrain_requests, stop_orders,
        adds, removes;
};

struct cd_reply {
    uint64_t ticket;
    enum sl_code code;
    uint32_t remaining, drain_count, plan_count, node_count;
    char detail[200];
    struct sl_drain_view drain; /* the first */
    struct sl_node_view nodes[CD_NODES_MAX];
    struct sl_plan_move plan[CD_NODES_MAX];
};

struct cd_message {
    uint32_t from;
    enum sl_msg_type type;
    uint8_t *bytes;
    size_t len;
    uint64_t node_epoch; /* of who said it */
};

struct cd_op {
    struct sl_store_op op;
    void *memory;
    size_t bytes;
};

struct cd {
    struct sl_mem mem, out_mem, store_mem; /* of the coordinator alone; of outputs; of the store */
    struct sl_store_model *store;
    struct sl_members *members;
    struct sl_coordinator_opts opts; /* for changes before cd_start */
    struct sl_coordinator *coordinator;
    struct sl_outbox out;
    struct sl_arena decoded;
    sl_ns now, ticked_at;
    struct cd_node nodes[CD_NODES_MAX];
    uint32_t node_count, owner;
    uint32_t feed_count;
    uint32_t dispatchers[CD_FEEDS_MAX][CD_NODES_MAX]; /* which run where */
    uint32_t moves[CD_FEEDS_MAX][CD_NODES_MAX];       /* away from a node, as maintainers report them */
    uint32_t stuck[CD_FEEDS_MAX][CD_NODES_MAX];       /* of them */
    bool evacuates;                                   /* maintainers with a target move a dispatcher away per second */
    struct sl_prng *places;            /* not null: they also put dispatchers anywhere but on their targets */
    bool is_silent_feed[CD_FEEDS_MAX]; /* its maintainer reports no drain progress */
    struct cd_message inbox[CD_QUEUE_MAX];
    uint32_t inbox_head, inbox_count;
    struct cd_op ops[CD_QUEUE_MAX];
    uint32_t op_head, op_count;
    bool holds_store;                    /* operations wait */
    enum cd_fault faults[CD_FAULTS_MAX]; /* of the next writes of intents */
    uint32_t fault_count;
    struct cd_op late[CD_FAULTS_MAX];
    sl_ns late_since[CD_FAULTS_MAX];
    uint32_t late_count;
    uint32_t intent_writes;                  /* that were performed */
    uint32_t store_ops;                      /* of any kind that were performed */
    uint32_t hold_at_write;                  /* not 0: the store holds after that many of them */
    struct cd_message waiting[CD_QUEUE_MAX]; /* outputs that wait for an operation; from = node, see waits_for */
    sl_op_id waits_for[CD_QUEUE_MAX];
    uint32_t waiting_count;
    struct cd_reply replies[CD_REPLIES_MAX];
    uint32_t reply_count;
    uint64_t ticket, drain_node_ticket;
    uint32_t drain_node; /* whom the last DrainNode was about */
    uint32_t events[SL_EVENT_COUNT];
    uint64_t refusals[SL_REFUSAL_COUNT];
};

struct sl_node_id cd_id(const char *name);
uint32_t cd_index(const struct cd *c, const char *name);
struct cd_node *cd_node(struct cd *c, const char *name);

/* A message of the coordinator reaches the node. */
void cd_obey(struct cd *c, uint32_t node, enum sl_msg_type type, struct sl_bytes payload);
/* What nodes do once per second. */
void cd_second(struct cd *c);
void cd_heartbeat(struct cd *c, const char *name);
void cd_statuses(struct cd *c, const char *name);

/* All intents in the store. */
void cd_range(struct cd *c, struct sl_store_result *r);
/* The newest intent of the node in the store; false if there is none. */
bool cd_intent(struct cd *c, const char *node, struct sl_intent *intent);
/* Whether the store says that this process of the node (0: any) is safe to stop. */
bool cd_is_safe(struct cd *c, uint32_t node, uint64_t node_epoch);

#endif
