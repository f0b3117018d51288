/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_HTTP_VIEW_FEED_H
#define SL_EDGE_HTTP_VIEW_FEED_H

#include "edge/http/api_internal.h"

/* Feeds as the reference shows them, with members of ours at the end. */

struct sl__feeds_shown {
    const struct sl_reply *reply;
    const struct sl_api_status *status;
    struct sl_str state; /* which ones: "" the usual, "all", or one state */
    bool is_v1;
};
sl__render sl__render_feeds;

struct sl__feed_shown {
    const struct sl_feed_view *view;
    const struct sl_api_status *status;
    struct json_object *info; /* of the view, parsed */
};
sl__render sl__render_feed, sl__render_feed_status, sl__render_feed_synced;

/* A position's wall clock, by the protocol's reading of it; 0 if it has none (a count, as of generated rows). */
uint64_t sl__feed_wall_ms(sl_ts ts);
/* "pending" and "warning" are one state for people (reference behaviour). */
const char *sl__feed_state_shown(enum sl_feed_state state);

#endif
