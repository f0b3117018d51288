/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_SIM_PLANE_INTERNAL_H
#define SL_SIM_PLANE_INTERNAL_H

#include "sim/plane.h"

#include <stddef.h>

enum plane_feed_state { PLANE_FEED_OPENING, PLANE_FEED_OPEN, PLANE_FEED_CLOSING, PLANE_FEED_FENCED };

struct plane_feed {
    sl_feed_token token;
    uint32_t serial; /* of the timers that are still wanted */
    uint32_t feed;   /* number in the catalog */
    uint32_t session;
    struct sl_list dispatchers;
    uint32_t followers;
    uint32_t ddl_next; /* the first change that the followers have not met */
    enum plane_feed_state state;
    bool is_ticking;
    bool has_untold; /* a dispatcher may be is_stop_untold */
};

enum plane_state { PLANE_OPENING, PLANE_LAGGING, PLANE_FOLLOWING, PLANE_BLOCKED, PLANE_CLOSING };

/* What a BLOCKED dispatcher waits for; as enum sl_stop_stage of the engine, and its way behind the change. */
enum plane_stop {
    PLANE_STOP_DRAINS, /* its rows are written */
    PLANE_STOP_ACTS,   /* it performs the change by itself, or asks the sink whether it knows it */
    PLANE_STOP_STANDS, /* the word of the core */
    PLANE_STOP_WRITES, /* it performs what the core told it to */
    PLANE_STOP_PASSES,
};

struct plane_dispatcher {
    sl_dispatcher_token token;
    struct sl_placement placement;
    sl_ts position; /* start; when lagging: what is durable; when closing: what was taken */
    uint32_t serial;
    uint32_t slot; /* of the feed */
    uint32_t table_id;
    int64_t schema_id;
    uint32_t ddl_next; /* the first change that it may have to meet */
    uint32_t ddl;      /* BLOCKED: in front of which */
    sl_ns until;       /* is_performing: the statement has run */
    struct sl_link in_feed;
    uint8_t state, stop;
    bool is_trigger, is_hung, has_claimed;
    bool is_stop_untold, was_performed, is_performing;
};

#define PLANE_IN_FEED offsetof(struct plane_dispatcher, in_feed)

/* The object, or a null pointer if the handle was given to somebody else meanwhile. */
struct plane_feed *sl_sim__plane_feed(const struct sl_sim_plane *p, uint32_t slot, uint32_t serial);
struct plane_dispatcher *sl_sim__plane_dispatcher(const struct sl_sim_plane *p, uint32_t handle, uint32_t serial);

struct sl_sim_writer sl_sim__plane_writer(const struct sl_sim_plane *p, const struct plane_dispatcher *d);

void sl_sim__plane_arm_feed(struct sl_sim_plane *p, uint32_t slot, sl_ns delay);
void sl_sim__plane_arm_group(struct sl_sim_plane *p, uint32_t slot);
void sl_sim__plane_arm_span(struct sl_sim_plane *p, uint32_t handle, sl_ns delay);

struct sl_report sl_sim__plane_report(const struct sl_sim_plane *p, const struct plane_dispatcher *d,
                                      enum sl_report_kind kind);
void sl_sim__plane_fail(struct sl_sim_plane *p, uint32_t handle, struct sl_str code, struct sl_str text);

/* ---- plane_ddl.c ---- */

/* The first change in front of which the dispatcher has to stop on its way to to, or SL_SIM_DDL_NONE. */
uint32_t sl_sim__plane_next_stop(const struct sl_sim_plane *p, struct plane_dispatcher *d, sl_ts to);
/* The followers of a feed move; who meets a change on the way stops in front of it. */
void sl_sim__plane_advance(struct sl_sim_plane *p, uint32_t slot, sl_ts to);
/* LAGGING or FOLLOWING -> BLOCKED, with all before the change durable. */
void sl_sim__plane_stop(struct sl_sim_plane *p, uint32_t handle, uint32_t ddl);
/* Tells of followers that have stopped, before their feed's progress is told. */
void sl_sim__plane_tell_stops(struct sl_sim_plane *p, uint32_t slot, uint32_t serial);
/* WRITE, PASS. */
void sl_sim__plane_told(struct sl_sim_plane *p, const struct sl_command *c);
/* Its timer. */
void sl_sim__plane_on_stop(struct sl_sim_plane *p, uint32_t handle);
/* CLOSING: false, and armed anew, if what it performs has not ended; else it has. */
bool sl_sim__plane_has_acted(struct sl_sim_plane *p, uint32_t handle);

/* Forgets a dispatcher without a word to anybody. */
void sl_sim__plane_drop(struct sl_sim_plane *p, uint32_t handle);
void sl_sim__plane_drop_feed(struct sl_sim_plane *p, uint32_t slot);

/* Names a dispatcher's random choices: the same placement of the same table draws the same. */
struct plane_draw {
    uint64_t object, n;
};
struct plane_draw sl_sim__plane_draw(const struct sl_sim_plane *p, const struct plane_dispatcher *d);

#endif
