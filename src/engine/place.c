/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/engine_internal.h"

#include <string.h>

/*
 * One place of the source at or before the feed's checkpoint, in the words of all of its servers, is kept by the sink
 * (docs/decisions/0009-repoint.md). Nobody knows what a checkpoint will be, so one place that the reader has passed waits
 * until the checkpoint has passed it too; then the next one is taken.
 */
#define PLACE_EVERY_NS (500 * SL_MS)

static void place_set(struct sl_plane_feed *f, const struct sl_batch *batch)
{
    struct sl_str gtids = sl_batch_gtids(batch);
    sl_ts ts = sl_batch_rows_through(batch);
    if (gtids.len == 0 || gtids.len > SL_GTIDS_LEN_MAX || ts == f->place_kept)
        return;
    f->place.ts = ts;
    memcpy(f->place.gtids, gtids.ptr, gtids.len);
    f->place.gtids[gtids.len] = '\0';
}

void sl__place_note(struct sl_hub *h, const struct sl_batch *batch)
{
    for (struct sl_plane_feed *f = h->feeds; f; f = f->next) {
        if (f->state != SL_PLANE_FEED_OPEN || !f->sink->driver->keep_place)
            continue;
        if (f->place.ts == SL_TS_NONE)
            place_set(f, batch);
        if (sl__place_is_due(&f->lanes[0]))
            pthread_cond_signal(&f->lanes[0].changed);
    }
}

bool sl__place_is_due(const struct sl_plane_lane *l)
{
    const struct sl_plane_feed *f = l->feed;
    return l->index == 0 && f->place.ts != SL_TS_NONE && f->place.ts <= f->told_checkpoint && l->writer &&
           sl__now() >= f->place_due_ns;
}

struct sl_place sl__place_take(struct sl_plane_feed *f)
{
    struct sl_place place = f->place;
    f->place.ts = SL_TS_NONE;
    f->place_kept = place.ts;
    f->place_due_ns = sl_ns_after(sl__now(), PLACE_EVERY_NS);
    return place;
}
