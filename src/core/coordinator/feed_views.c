/* SPDX-License-Identifier: Apache-2.0 */
#include "core/coordinator/feed_table.h"

/* Feeds as operators see them: what is wanted of them, and where they are. */

/* ---- show, list ---- */

static void view_fill(const struct sl_feeds *f, const struct sl__feed *feed, bool whole, struct sl_feed_view *view)
{
    *view = (struct sl_feed_view){ .record = feed->record,
                                   .checkpoint = feed->checkpoint,
                                   .placement = feed->unreadable ? "unreadable" : sl__feed_place_name(feed->place),
                                   .bootstrapped = feed->bootstrapped && feed->place == SL__PLACE_REPLICATING };
    view->record.state = feed->want.state;
    view->record.error = feed->want.error;
    if (view->bootstrapped)
        view->copy = feed->copy;
    if (feed->node != SL_NODE_NONE)
        view->node = *sl_members_id(f->opts.members, feed->node);
    if (whole)
        view->info = sl_secret_of(sl__value_bytes(&feed->info));
    if (whole)
        view->source = sl_secret_of(sl__value_bytes(&feed->source));
}

void sl__view_show(const struct sl_feeds *f, const struct sl__feed *feed, uint64_t ticket, struct sl_outbox *out)
{
    struct sl_feed_view view;
    view_fill(f, feed, true, &view);
    const struct sl_reply reply = { .ticket = ticket, .code = SL_OK, .feeds = &view, .feed_count = 1 };
    sl_out_reply(out, &reply);
}

void sl__view_list(struct sl_feeds *f, uint64_t ticket, struct sl_outbox *out)
{
    sl_arena_reset(&f->scratch);
    struct sl_feed_view *views = sl_arena_alloc(&f->scratch, (size_t)f->all.count * sizeof *views);
    uint32_t count = 0;
    if (!views) {
        const struct sl_reply none = { .ticket = ticket, .code = SL_NOMEM, .detail = "no memory for the list" };
        sl_out_reply(out, &none);
        return;
    }
    for (const struct sl__feed *feed = sl__feed_next(f, NULL); feed; feed = sl__feed_next(f, feed))
        view_fill(f, feed, false, &views[count++]);
    const struct sl_reply reply = { .ticket = ticket, .code = SL_OK, .feeds = views, .feed_count = count };
    sl_out_reply(out, &reply);
}
