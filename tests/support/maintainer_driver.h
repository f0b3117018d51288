/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_TESTS_SUPPORT_MAINTAINER_DRIVER_H
#define SL_TESTS_SUPPORT_MAINTAINER_DRIVER_H

#include "core/common/mem_tags.h"
#include "core/maintainer/maintainer.h"
#include "tests/support/sl_test.h"

/*
 * One real maintainer among fake dispatch managers that do what they are told, at once and without loss, unless a test
 * makes them silent or answers for them. Node 0 is the maintainer's own. Time stands still unless a test runs it.
 */
enum { DRIVER_NODES_MAX = 6, DRIVER_DISPATCHERS_MAX = 128, DRIVER_TABLES_MAX = 128, DRIVER_QUEUE_MAX = 512 };
enum { DRIVER_JOURNAL_MAX = 4 };

#define DRIVER_EPOCH UINT64_C(7)
#define DRIVER_START_TS ((sl_ts)1000)
#define DRIVER_HEARTBEAT_NS (200 * SL_MS)

struct driver_dispatcher {
    struct sl_dispatcher_id id;
    int64_t table_id;
    sl_ts checkpoint;
    uint64_t placement_seq;
    Pb__ComponentState state;
};

struct driver_journal {
    struct sl_dispatcher_id id;
    int64_t table_id;
    Pb__ScheduleAction action;
    Pb__OperatorType type;
};

struct driver_node {
    struct sl_node_id id;
    sl_node_ref ref;
    bool is_silent; /* hears and says nothing */
    bool has_manager;
    bool hides_checkpoint;  /* its bootstrap answers carry none */
    bool ignores_schedules; /* Creates and Removes get lost */
    const char *error;      /* code of the error its bootstrap and post-bootstrap answers carry */
    enum sl_liveness liveness;
    Pb__CloseOutcome close_outcome; /* UNSPECIFIED: as a foreign node, success */
    uint64_t close_owner_epoch;
    bool close_fails; /* success = false */
    struct sl_dispatcher_id trigger;
    sl_ts checkpoint; /* its dispatchers are here; 0 = where they start */
    uint64_t mark_seq;
    uint64_t incarnation; /* of its dispatch manager; 0 = as a foreign node */
    struct driver_dispatcher dispatchers[DRIVER_DISPATCHERS_MAX];
    uint32_t dispatcher_count;
    struct driver_journal journal[DRIVER_JOURNAL_MAX];
    uint32_t journal_count;
};

struct driver_sent {
    sl_node_ref to;
    enum sl_msg_type type;
    enum sl_topic topic;
    size_t len;
    uint8_t *bytes;
};

struct driver {
    struct sl_mem mem;     /* of the driver */
    struct sl_mem own;     /* of the maintainer alone */
    struct sl_arena arena; /* reset with each delivery */
    struct sl_arena status_arena;
    struct sl_members *members;
    struct sl_pacer pacer;
    struct sl_outbox out;
    struct sl_maintainer *m;
    struct sl_maintainer_opts opts; /* may be changed before driver_new */
    struct sl_feed_id feed;
    sl_ns now, heartbeat_at;
    struct driver_node nodes[DRIVER_NODES_MAX];
    uint32_t node_count;
    struct sl_table tables[DRIVER_TABLES_MAX];
    uint32_t table_count;
    enum sl_code schema_code;
    bool holds_schema; /* a load is not answered */
    struct sl_out_schema_load load;
    bool has_load;
    size_t load_source_len;
    struct driver_sent queue[DRIVER_QUEUE_MAX];
    uint32_t queue_head, queue_count;
    uint32_t sent[SL_MSG_COUNT][DRIVER_NODES_MAX]; /* since driver_forget */
    uint32_t sent_to_hc;                           /* checkpoint messages on their second topic */
    uint32_t events[SL_EVENT_COUNT];
    uint32_t load_count;
};

/* Members are the first node_count nodes. Options are set to defaults; no maintainer yet. */
void driver_init(struct driver *d, uint32_t node_count);
void driver_deinit(struct driver *d);

/* Tables 1..count of the feed. */
void driver_set_tables(struct driver *d, uint32_t count);

/* Makes the maintainer (which must succeed), starts it, and lets everything happen until it has bootstrapped. */
void driver_new(struct driver *d);
void driver_start(struct driver *d);
void driver_bootstrap(struct driver *d);

/* Hands every message on, and the answers back, until nothing is under way. */
void driver_deliver(struct driver *d);
/* Lets time pass: ticks when they are due, heartbeats of every node with a dispatch manager every 200 ms. */
void driver_run(struct driver *d, sl_ns ns);
/* Only the maintainer's own ticks: nobody says anything by himself. */
void driver_run_alone(struct driver *d, sl_ns ns);
/* Takes over what the last step put out, without delivering it. Every call into the maintainer is followed by it. */
void driver_collect(struct driver *d);
/* Throws away what was sent but not delivered. */
void driver_lose(struct driver *d);
/* Sets the counters to zero. */
void driver_forget(struct driver *d);
uint32_t driver_sent(const struct driver *d, enum sl_msg_type type);

/* The membership becomes the nodes whose bits are set. */
void driver_members(struct driver *d, uint32_t mask);
sl_node_ref driver_ref(struct driver *d, uint32_t node);

/* What a node says. Null statuses for none; seq 0 is the next one. */
struct driver_beat {
    sl_ts checkpoint, resolved, last_synced;
    uint64_t seq;
    bool no_watermark;
    const char *error_code;
    struct sl_dispatcher_id id; /* one status, if not none */
    Pb__ComponentState state;
    sl_ts status_checkpoint;
    uint64_t placement_seq;
    uint64_t epoch; /* of the extension field */
    Pb__NodeLiveness liveness;
    uint64_t lag_ms;
};
enum sl_refusal driver_beat(struct driver *d, uint32_t node, const struct driver_beat *beat);
/* The periodic heartbeat of the fake: all its dispatchers, where they are. */
void driver_heartbeat(struct driver *d, uint32_t node);
/* The bootstrap answer of the fake, unasked. */
enum sl_refusal driver_answer(struct driver *d, uint32_t node, uint64_t epoch);
enum sl_refusal driver_answer_post(struct driver *d, uint32_t node, uint64_t epoch);
enum sl_refusal driver_answer_close(struct driver *d, uint32_t node, uint64_t epoch);
enum sl_refusal driver_remove(struct driver *d, bool cascade, bool removed, uint64_t epoch);
void driver_set_target(struct driver *d, uint32_t node, uint64_t epoch); /* DRIVER_NODES_MAX clears */
void driver_set_targets(struct driver *d, const struct sl_target_set *targets);

struct driver_dispatcher *driver_add_dispatcher(struct driver *d, uint32_t node, uint64_t id, int64_t table_id);
struct driver_dispatcher *driver_find(struct driver *d, uint32_t node, struct sl_dispatcher_id id);
/* Dispatchers of the table over all nodes. */
uint32_t driver_table_count(const struct driver *d, int64_t table_id);

/* A status, taken; valid until the next. */
const Pb__MaintainerStatus *driver_status(struct driver *d);
struct sl_maintainer_stats driver_stats(const struct driver *d);

/* The last message of this type sent to the node since driver_forget that is still undelivered, decoded; null if none.
 */
const void *driver_peek(struct driver *d, enum sl_msg_type type, uint32_t node);

#endif
