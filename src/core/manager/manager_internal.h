/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_CORE_MANAGER_MANAGER_INTERNAL_H
#define SL_CORE_MANAGER_MANAGER_INTERNAL_H

#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "base/slab.h"
#include "core/common/tombstone.h"
#include "core/manager/maintainer_set.h"

/*
 * What the files of the maintainer manager share:
 *
 *   manager.c          life, the way into every step and the check at its end
 *   node_scope.c       coordinator fence, liveness, drain targets, node heartbeat
 *   maintainer_set.c   registration, deadlines, fan-out, cleanup
 *   admission.c        add and remove
 *   report.c           statuses of the maintainers for the coordinator
 *   requests.c         what clients ask about a feed's tables
 */

#define SL__MANAGER_CAPABILITIES \
    (SL_CAP_EXT_REPORTS | SL_CAP_CLOSE_OUTCOME | SL_CAP_TARGET_SET | SL_CAP_STOP_ORDER | SL_CAP_CLOSE_SCOPE)

struct sl__scope {
    struct sl_node_id coordinator; /* none before the first bootstrap; stays when it leaves the membership */
    int64_t version;               /* the coordinator's; 0 before the first bootstrap */
    uint64_t node_epoch;
    enum sl_liveness liveness;
    struct sl_target_set targets;
    struct sl_drain_target reported; /* of targets, for peers that know one */
    bool told_work;                  /* not told yet that nothing is hosted */
    uint64_t report_seq;             /* of the last self report */
    sl_ns heartbeat_at;              /* last node heartbeat, or attempt of one */
    struct sl_hosted hosted;         /* as told with the last message or tick */
    struct sl_hosted told;           /* by the last heartbeat */
    bool wants_stop;                 /* of the node epoch, which STOPPING ends: never taken back */
};

/* The read of the members that a maintainer waits for: a number, or one of these. */
#define SL__MEMBERS_READ UINT64_C(0)
#define SL__MEMBERS_UNREAD UINT64_MAX /* it has not begun */

/* One registered maintainer. */
struct sl__entry {
    struct sl_maintainer *maintainer;
    uint64_t members_read;
    struct sl_link link;    /* in set.order */
    uint32_t heap_position; /* in set.due */
    bool is_closed;         /* as last seen; counted in set.closed_count */
};

struct sl__set {
    struct sl_slab entries;
    struct sl_map by_feed;
    struct sl_list order; /* of registration: the order of fan-outs and statuses */
    struct sl_heap due;   /* by deadline */
    uint32_t closed_count;
    uint32_t unread_count, reading_count; /* of those that wait for a read of the members */
    struct sl_tombstones over;            /* epochs that ended here, or never began */
    uint64_t created_count;               /* gives each maintainer a seed of its own */
    struct sl_arena scratch;              /* statuses while a message is built */
    sl_ns report_at;                      /* next status round */
    sl_ns reported_at;                    /* last one */
};

struct sl_manager {
    struct sl_manager_opts opts;
    struct sl__scope scope;
    struct sl__set set;
    struct sl_pacer pacer;
    sl_ns now;
    struct { /* values that may not go back (M1, M3, M6) */
        int64_t version;
        uint64_t node_epoch;
        enum sl_liveness liveness; /* of that epoch */
        uint64_t target_version;
    } seen;
};

/* ---- manager.c ---- */

void sl__manager_begin(struct sl_manager *m, sl_ns now);

/* ---- node_scope.c ---- */

/* The coordinator, if one has bootstrapped this node and is a member now. */
sl_node_ref sl__scope_coordinator(const struct sl_manager *m);
/* Whether a request of the coordinator comes from it. */
enum sl_refusal sl__scope_check_sender(const struct sl_manager *m, sl_node_ref from);
enum sl_refusal sl__scope_on_bootstrap(struct sl_manager *m, sl_node_ref from,
                                       const Pb__CoordinatorBootstrapRequest *req, struct sl_outbox *out);
enum sl_refusal sl__scope_on_target(struct sl_manager *m, const Pb__SetDispatcherDrainTargetRequest *req,
                                    struct sl_outbox *out);
enum sl_refusal sl__scope_on_liveness(struct sl_manager *m, const Pb__SetNodeLivenessRequest *req,
                                      struct sl_outbox *out);
/* To the coordinator, now; counts as the periodic one. */
void sl__scope_send_heartbeat(struct sl_manager *m, struct sl_outbox *out);
/* A draining node has become empty: says so, once. */
void sl__scope_note_hosted(struct sl_manager *m, struct sl_outbox *out);
void sl__scope_run(struct sl_manager *m, struct sl_outbox *out);
sl_ns sl__scope_deadline(const struct sl_manager *m);

/* ---- admission.c ---- */

enum sl_refusal sl__admission_on_add(struct sl_manager *m, const Pb__AddMaintainerRequest *req, struct sl_outbox *out);
enum sl_refusal sl__admission_on_remove(struct sl_manager *m, const Pb__RemoveMaintainerRequest *req,
                                        struct sl_outbox *out);

/* ---- report.c ---- */

/* A status round if one is due: every status that is due, in as few messages as they fit. */
void sl__report_run(struct sl_manager *m, struct sl_outbox *out);
/* A maintainer wants its status to leave soon. */
void sl__report_prompt(struct sl_manager *m);
sl_ns sl__report_deadline(const struct sl_manager *m);
/*
 * All statuses, due or not, in memory that is valid until the next report. False (and *statuses null) without memory.
 * sl__report_undo makes them due again if they were not sent.
 */
bool sl__report_all(struct sl_manager *m, Pb__MaintainerStatus ***statuses, size_t *count);
void sl__report_undo(struct sl_manager *m);
/* "No maintainer of this feed here", with the reason for it if there is one. */
void sl__report_absent(struct sl_manager *m, const struct sl_feed_id *id, uint64_t epoch, enum sl_refusal reason,
                       struct sl_outbox *out);

#endif
