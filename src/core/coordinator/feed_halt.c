/* SPDX-License-Identifier: Apache-2.0 */
#include "core/coordinator/feed_table.h"

/*
 * The whole cluster is to be stopped: every feed is closed everywhere, as after an error, but without one, and none is
 * placed until somebody takes it back or another coordinator comes. What the feeds are told to be does not change, so
 * they run again when the cluster does. Not durable: a cluster that is started must not wait for a word.
 */

static void halt_answer(uint64_t ticket, enum sl_code code, const char *detail, struct sl_outbox *out)
{
    struct sl_reply reply = { .ticket = ticket, .code = code };
    struct sl_text text;
    sl_text_init(&text, reply.detail, sizeof reply.detail);
    sl_text_cstr(&text, detail);
    sl_out_reply(out, &reply);
}

void sl__halt_end(struct sl_feeds *f, enum sl_code code, const char *detail, struct sl_outbox *out)
{
    if (f->halt_ticket != 0)
        halt_answer(f->halt_ticket, code, detail, out);
    f->halt_ticket = 0;
}

static bool halt_feed_is_done(const struct sl__feed *feed)
{
    bool rests = feed->op.kind == SL__OP_IDLE && feed->stop == SL__STOP_NONE && feed->node == SL_NODE_NONE;
    return feed->unreadable || (rests && !feed->saving && !sl__save_is_dirty(feed) && !sl__feed_needs_write(feed));
}

void sl__halt_check(struct sl_feeds *f, struct sl_outbox *out)
{
    if (f->halt_ticket == 0)
        return;
    for (const struct sl__feed *feed = sl__feed_next(f, NULL); feed; feed = sl__feed_next(f, feed)) {
        if (!halt_feed_is_done(feed))
            return;
    }
    sl__halt_end(f, SL_OK, "", out);
}

static void halt_begin(struct sl_feeds *f, struct sl_outbox *out)
{
    f->is_halting = true;
    for (struct sl__feed *feed = sl__feed_next(f, NULL); feed; feed = sl__feed_next(f, feed)) {
        bool runs = feed->node != SL_NODE_NONE || feed->op.kind != SL__OP_IDLE;
        if (!feed->unreadable && runs && feed->stop < SL__STOP_RESTART)
            feed->stop = SL__STOP_RESTART;
        sl__feed_react(f, feed, out);
    }
}

void sl__halt_request(struct sl_feeds *f, const struct sl_request *r, struct sl_outbox *out)
{
    if (r->cancel) {
        f->is_halting = false;
        f->schedule_at = f->now;
        sl__halt_end(f, SL_REFUSED, "the stop was taken back", out);
        halt_answer(r->ticket, SL_OK, "", out);
        return;
    }
    if (f->halt_ticket != 0) {
        halt_answer(r->ticket, SL_BUSY, "the feeds are being closed already", out);
        return;
    }
    f->halt_ticket = r->ticket;
    if (!f->is_halting)
        halt_begin(f, out);
}
