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
    uint32_t trigger; /* the table trigger's handle, or 0 */
    struct sl_list dispatchers;
    uint32_t followers;
    enum plane_feed_state state;
    bool is_ticking;
};

enum plane_state { PLANE_OPENING, PLANE_LAGGING, PLANE_FOLLOWING, PLANE_CLOSING };

struct plane_dispatcher {
    sl_dispatcher_token token;
    struct sl_placement placement;
    sl_ts position; /* start; when lagging: what is durable; when closing: what was taken */
    uint32_t serial;
    uint32_t slot; /* of the feed */
    uint32_t table_id;
    uint32_t change_next; /* table trigger: first change not told yet */
    struct sl_link in_feed;
    uint8_t state;
    bool is_trigger, is_hung, has_claimed;
};

#define PLANE_IN_FEED offsetof(struct plane_dispatcher, in_feed)

/* The object, or a null pointer if the handle was given to somebody else meanwhile. */
struct plane_feed *sl_sim__plane_feed(const struct sl_sim_plane *p, uint32_t slot, uint32_t serial);
struct plane_dispatcher *sl_sim__plane_dispatcher(const struct sl_sim_plane *p, uint32_t handle, uint32_t serial);

struct sl_sim_writer sl_sim__plane_writer(const struct sl_sim_plane *p, const struct plane_dispatcher *d);

void sl_sim__plane_arm_feed(struct sl_sim_plane *p, uint32_t slot, sl_ns delay);
void sl_sim__plane_arm_group(struct sl_sim_plane *p, uint32_t slot);
void sl_sim__plane_arm_span(struct sl_sim_plane *p, uint32_t handle, sl_ns delay);

/* Forgets a dispatcher without a word to anybody. */
void sl_sim__plane_drop(struct sl_sim_plane *p, uint32_t handle);
void sl_sim__plane_drop_feed(struct sl_sim_plane *p, uint32_t slot);

/* Names a dispatcher's random choices: the same placement of the same table draws the same. */
struct plane_draw {
    uint64_t object, n;
};
struct plane_draw sl_sim__plane_draw(const struct sl_sim_plane *p, const struct plane_dispatcher *d);

#endif
