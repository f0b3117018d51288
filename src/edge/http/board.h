/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_HTTP_BOARD_H
#define SL_EDGE_HTTP_BOARD_H

#include "base/err.h"
#include "base/units.h"
#include "core/common/request.h"
#include "edge/http/metrics.h"

/*
 * Drains over time, as the owner's API saw them: the core shows the present, a person wants to know since when. Filled
 * from every list of drains the API gets, which it asks for once a second, and every 200 ms while somebody watches.
 * Bounded: the drain that was not seen for longest makes room. Empty after a change of owner.
 */
#define SL__BOARD_DRAINS_MAX 128
#define SL__BOARD_PHASES_MAX 8

struct sl__phase_seen {
    enum sl_drain_phase phase;
    uint64_t wall_ms; /* first seen */
};

struct sl__drain_seen {
    char id[SL_DRAIN_ID_MAX + 1];
    struct sl__phase_seen phases[SL__BOARD_PHASES_MAX];
    uint32_t phase_count;
    uint32_t remaining_last; /* of the view before */
    sl_ns progress_at;       /* something went down, or a phase began */
    sl_ns seen_at;
    uint64_t version; /* grows with each change of what is shown */
    uint64_t digest;  /* of what was shown last */
    bool timed;       /* its duration was counted */
};

struct sl__board {
    struct sl__drain_seen seen[SL__BOARD_DRAINS_MAX];
    uint32_t count;
    struct sl_histogram durations; /* from request to safe */
};

void sl__board_init(struct sl__board *b);
/* Everything is forgotten but the histogram. */
void sl__board_reset(struct sl__board *b);
void sl__board_observe(struct sl__board *b, sl_ns now, uint64_t wall_ms, const struct sl_drain_view *view);
void sl__board_observe_all(struct sl__board *b, sl_ns now, uint64_t wall_ms, const struct sl_reply *list);
/* Or null: never seen. Valid until the next observe. */
const struct sl__drain_seen *sl__board_find(const struct sl__board *b, const char *id);

bool sl__drain_is_over(enum sl_drain_phase phase);

#endif
