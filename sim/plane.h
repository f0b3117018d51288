/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_SIM_PLANE_H
#define SL_SIM_PLANE_H

#include "base/list.h"
#include "base/map.h"
#include "sim/catalog.h"

/*
 * The data plane of one process, as far as the control plane can see it: performs commands with latencies, reports, and
 * writes to the shared sink. Dispatchers open (claim their table at the sink), lag or follow their feed, and close
 * (flush what they took, then report the exact ts). They can hang, fail, or be slow.
 *
 *     OPENING ----> LAGGING ----> FOLLOWING
 *        |           |  ^            |          timers: plane_timers.c; commands: plane.c
 *        |           v  |            |
 *        |          BLOCKED <--------+          in front of a change of the schema: plane_ddl.c
 *        |             |             |
 *        +-------------+-------------+----> CLOSING ----> gone
 *
 * Who has to stop in front of which change, and what is said of it then, is decided by the same code as in the engine
 * (port/ddl.h).
 */
struct sl_sim_plane_opts {
    sl_ns feed_open_ns, feed_open_jitter_ns;
    sl_ns open_ns, open_jitter_ns;   /* OPEN to READY */
    sl_ns close_ns, close_jitter_ns; /* CLOSE to CLOSED: the flush */
    sl_ns progress_ns;               /* between reports of progress */
    sl_ns ddl_ns, ddl_jitter_ns;     /* each step of a change of the schema; a statement takes four of them */
    sl_ns behind_ns;                 /* a follower is this far behind the source */
    sl_ns slow_ns;                   /* a slow command takes this much longer */
    uint32_t lag_ppm;                /* dispatchers that have to catch up after READY */
    uint32_t crawl_ppm;              /* dispatchers that need seconds for it */
    uint32_t fail_ppm, feed_fail_ppm, slow_ppm;
    uint32_t hang_open_ppm, hang_close_ppm;
};
#define SL_SIM_PLANE_OPTS_DEFAULT                             \
    ((struct sl_sim_plane_opts){ .feed_open_ns = 5 * SL_MS,   \
                                 .open_ns = 20 * SL_MS,       \
                                 .close_ns = 5 * SL_MS,       \
                                 .progress_ns = 50 * SL_MS,   \
                                 .ddl_ns = 2 * SL_MS,         \
                                 .ddl_jitter_ns = 20 * SL_MS, \
                                 .behind_ns = 5 * SL_MS,      \
                                 .slow_ns = 5 * SL_S })

/* Where reports go. A report may lead to commands to the same plane before the call returns. */
struct sl_sim_plane_port {
    void *ctx;
    void (*report)(void *ctx, const struct sl_report *report);
    /* Whether the node believes in its lease, by its own clock: writers look before they claim a table. */
    bool (*has_lease)(void *ctx);
};

/* What an operator of the simulator turned on for this process alone. */
struct sl_sim_plane_mood {
    bool hangs_open, hangs_close, is_wedged; /* wedged: for good */
    sl_ns slow_open_ns, slow_close_ns;
};

struct sl_sim_plane {
    struct sl_sim_engine *engine;
    struct sl_sim_sink *sink;
    struct sl_sim_catalog *catalog;
    const struct sl_sim_plane_opts *opts; /* shared; may change at any time */
    struct sl_sim_plane_port port;
    struct sl_sim_plane_mood mood;
    struct sl_slab feeds, dispatchers;
    struct sl_map feed_by_token, dispatcher_by_token;
    uint32_t process, serial_next;
    uint16_t host;
    uint32_t readers, readers_said;      /* feeds with a dispatcher */
    bool is_telling;                     /* a HOSTED report is queued */
    uint32_t hung_count;                 /* dispatchers that hang now */
    uint64_t failed_count, lagged_count; /* since the start */
};

/* opts must outlive the plane. */
void sl_sim_plane_init(struct sl_sim_plane *p, struct sl_sim_engine *e, struct sl_sim_sink *sink,
                       struct sl_sim_catalog *catalog, const struct sl_sim_plane_opts *opts);
/* The process starts. */
void sl_sim_plane_start(struct sl_sim_plane *p, uint16_t host, uint32_t process, const struct sl_sim_plane_port *port);
/* The process is gone, and with it whatever was not flushed. Frees everything; start may follow. */
void sl_sim_plane_kill(struct sl_sim_plane *p);

void sl_sim_plane_perform(struct sl_sim_plane *p, const struct sl_command *c);

/* PLANE_* events of this process. */
void sl_sim_plane_on_feed(struct sl_sim_plane *p, uint32_t slot, uint32_t serial);
void sl_sim_plane_on_group(struct sl_sim_plane *p, uint32_t slot, uint32_t serial);
void sl_sim_plane_on_span(struct sl_sim_plane *p, uint32_t handle, uint32_t serial);
void sl_sim_plane_on_hosted(struct sl_sim_plane *p);

/* The oldest dispatcher of a table that writes fails now, as if the sink refused it. False: none writes. */
bool sl_sim_plane_fail_one(struct sl_sim_plane *p);
/* Hanging dispatchers go on. */
void sl_sim_plane_release(struct sl_sim_plane *p);

uint32_t sl_sim_plane_dispatcher_count(const struct sl_sim_plane *p);

#endif
