/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"
#include "core/coordinator/feed_table.h"

#include <string.h>

/*
 * What maintainers say. The parts of a status are judged apart: a lower checkpoint does not discard the drain progress
 * or an error that comes with it (reference weakness W12).
 *
 * Errors, in this order: a fatal one fails the feed. A maintainer that has just bootstrapped makes it normal, whatever
 * retryable errors come along. The target ts ends it. While it is being retried, a checkpoint beyond the one of the
 * last error makes it normal. Any other error: state warning, everything closed, and a new start after a backoff of
 * 10 s, doubled up to 10 min, +-10 %; after 30 min without progress it fails.
 */
#define STATUS_DRAINS_MAX (SL_TARGETS_MAX + 1u)
#define STATUS_REMOVER_CHECKPOINT ((sl_ts)1) /* of core/manager, and of the reference */

/* Nothing that a new start could heal. */
static const char *const fatal_codes[] = {
    "CDC:ErrGCTTLExceeded",
    "CDC:ErrSnapshotLostByGC",
    "CDC:ErrStartTsBeforeGC",
    "CDC:ErrSinkURIInvalid",
    "CDC:ErrInvalidReplicaConfig",
    "CDC:ErrSinkInvalidConfig",
    "CDC:ErrMySQLInvalidConfig",
    "CDC:ErrKafkaInvalidConfig",
    "CDC:ErrChangefeedUnretryable",
    "DDL_REFUSED",
    "SINK_REFUSES_DDL",
};

static bool status_is_fatal(const Pb__RunningError *e)
{
    for (size_t i = 0; i < sizeof fatal_codes / sizeof fatal_codes[0]; i++) {
        if (strcmp(e->code, fatal_codes[i]) == 0)
            return true;
    }
    return false;
}

static bool status_is_stopped(const Pb__MaintainerStatus *s)
{
    return s->state == PB__COMPONENT_STATE__STOPPED || s->state == PB__COMPONENT_STATE__REMOVED;
}

bool sl__status_is_refusal(const Pb__MaintainerStatus *s)
{
    return status_is_stopped(s) && s->n_errors > 0 && strcmp(s->errors[0]->code, "CDC:ErrSluiceRefused") == 0;
}

bool sl__status_is_remover(const Pb__MaintainerStatus *s)
{
    return s->state == PB__COMPONENT_STATE__WORKING && !s->bootstrap_done &&
           s->checkpoint_ts == STATUS_REMOVER_CHECKPOINT;
}

/* ---- drain progress ---- */

void sl__feed_forget_target(struct sl__feed *feed, sl_node_ref node)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < feed->drain_count; i++) {
        if (feed->drains[i].target != node)
            feed->drains[kept++] = feed->drains[i];
    }
    feed->drain_count = kept;
}

void sl__feed_new_owner(struct sl__feed *feed)
{
    feed->drain_count = 0;
    feed->bootstrapped = false;
    feed->copy = (struct sl_copy_progress){ 0 };
}

static bool status_reserve_drains(struct sl_feeds *f, struct sl__feed *feed, size_t count)
{
    if (count <= feed->drain_cap)
        return true;
    uint32_t cap = (uint32_t)count;
    struct sl__progress *drains = sl_mem_resize(f->opts.mem, SL_TAG_COORDINATOR, feed->drains,
                                                feed->drain_cap * sizeof *drains, cap * sizeof *drains);
    if (!drains)
        return false;
    feed->drains = drains;
    feed->drain_cap = cap;
    return true;
}

/* A foreign maintainer has no word of its own for "bootstrapped" here; it has one in the status. */
static struct sl__progress status_progress_of(const struct sl_feeds *f, sl_node_ref from, const Pb__MaintainerStatus *s,
                                              const Pb__DrainProgress *p)
{
    bool foreign = sl_nodes_at(f->opts.nodes, from)->protocol_version == 0;
    uint64_t busy = (uint64_t)p->bound + p->stopping + p->starting + p->unknown;
    uint32_t counted = busy > UINT32_MAX ? UINT32_MAX : (uint32_t)busy;
    return (struct sl__progress){ .target = sl_members_find_str(f->opts.members, sl_str_of(p->target_node_id)),
                                  .epoch = p->target_epoch,
                                  .dispatchers = sl_u32_max(p->target_dispatcher_count, counted),
                                  .moves = p->target_inflight_drain_move_count,
                                  .stuck = p->stuck,
                                  .lag_ms = p->lag_ms,
                                  .bootstrapped = foreign ? s->bootstrap_done : p->bootstrapped };
}

static void status_take_slowest(const struct sl_feeds *f, struct sl__progress *p, const Pb__DrainProgress *said)
{
    struct sl_text phase;
    if (said->n_stuck_spans == 0)
        return;
    const Pb__StuckSpan *s = said->stuck_spans[0];
    uint64_t age_max_ms = (uint64_t)(f->now / SL_MS);
    p->slowest.id = sl_dispatcher_id_of(s->id);
    p->slowest.waits_for = sl_members_find_str(f->opts.members, sl_str_of(s->node));
    p->slowest.since = s->age_ms < age_max_ms ? f->now - (sl_ns)s->age_ms * SL_MS : 0;
    sl_text_init(&phase, p->slowest.phase, sizeof p->slowest.phase);
    sl_text_cstr(&phase, s->phase);
}

static void status_put_drain(struct sl__feed *feed, const struct sl__progress *p)
{
    uint32_t i = 0;
    while (i < feed->drain_count && (feed->drains[i].target != p->target || feed->drains[i].epoch != p->epoch))
        i++;
    if (i == feed->drain_cap)
        return;
    feed->drains[i] = *p;
    feed->drain_count = sl_u32_max(feed->drain_count, i + 1);
}

/* Replaces what was said before. Without memory nothing is known: that counts as not drained. */
static void status_take_drains(struct sl_feeds *f, struct sl__feed *feed, sl_node_ref from,
                               const Pb__MaintainerStatus *s)
{
    size_t count = s->n_drains + (s->drain_progress ? 1 : 0);
    feed->copy = (struct sl_copy_progress){ s->copy_tables, s->copy_rows, s->copy_rows_about };
    feed->drain_count = 0;
    if (count == 0 || !status_reserve_drains(f, feed, count < STATUS_DRAINS_MAX ? count : STATUS_DRAINS_MAX))
        return;
    for (size_t i = 0; i < count; i++) {
        const Pb__DrainProgress *p = i < s->n_drains ? s->drains[i] : s->drain_progress;
        struct sl__progress progress = status_progress_of(f, from, s, p);
        status_take_slowest(f, &progress, p);
        if (progress.target != SL_NODE_NONE && progress.epoch != 0)
            status_put_drain(feed, &progress);
    }
}

/* ---- errors ---- */

static void status_keep(char *to, size_t cap, const char *text)
{
    struct sl_text t;
    sl_text_init(&t, to, cap);
    sl_text_cstr(&t, text);
}

/*
 * As it will read once it is in the store: messages may hold URIs with passwords, which a value that is read has masked.
 * So it is written into an empty value and read back.
 */
struct sl_feed_error sl__feed_error_of(struct sl_feeds *f, const struct sl__feed *feed, const Pb__RunningError *e)
{
    struct sl_feed_edit edit = { .set_error = true, .error.present = true };
    status_keep(edit.error.code, sizeof edit.error.code, e->code);
    status_keep(edit.error.message, sizeof edit.error.message, e->message);
    status_keep(edit.error.addr, sizeof edit.error.addr, e->node);
    static const uint8_t empty[] = "{}";
    const struct sl_str space = SL_STR(SL__FEED_KEYSPACE);
    struct sl_secret json;
    struct sl_feed_record record;
    sl_arena_reset(&f->scratch);
    enum sl_code code = sl_feed_record_edit(&json, sl_secret_of((struct sl_bytes){ empty, 2 }), &edit, &f->scratch);
    if (code == SL_OK)
        code = sl_feed_record_parse(&record, space, sl_feed_id_name(&feed->record.id), json);
    if (code == SL_OK)
        return record.error;
    status_keep(edit.error.message, sizeof edit.error.message, "");
    return edit.error;
}

static void status_fail(struct sl__feed *feed, const struct sl_feed_error *error, struct sl_outbox *out)
{
    sl__feed_want_state(feed, SL_FEED_FAILED, error, out);
    feed->want.progress = SL_PROGRESS_STOPPING;
    feed->stop = SL__STOP_HALT;
}

static void status_finish(struct sl__feed *feed, struct sl_outbox *out)
{
    sl__feed_want_state(feed, SL_FEED_FINISHED, NULL, out);
    feed->want.progress = SL_PROGRESS_STOPPING;
    feed->stop = SL__STOP_HALT;
}

/* Several feeds fail together when a sink does: they shall not all come back in the same moment. */
static sl_ns status_jitter(struct sl_feeds *f, sl_ns delay_ns)
{
    return delay_ns + sl_prng_between(&f->prng, -(delay_ns / 10), delay_ns / 10);
}

void sl__feed_back_off(struct sl_feeds *f, struct sl__feed *feed, const struct sl_feed_error *error,
                       struct sl_outbox *out)
{
    bool first = feed->backoff.delay_ns == 0;
    if (first)
        feed->backoff.since = f->now;
    feed->backoff.delay_ns =
        first ? f->opts.backoff_min_ns : sl_ns_min(feed->backoff.delay_ns * 2, f->opts.backoff_max_ns);
    feed->backoff.checkpoint = feed->checkpoint;
    if (f->now - feed->backoff.since >= f->opts.stuck_ns) {
        status_fail(feed, error, out);
        return;
    }
    feed->retry_at = sl_ns_after(f->now, status_jitter(f, feed->backoff.delay_ns));
    sl__feed_want_state(feed, SL_FEED_WARNING, error, out);
    /* The maintainer that is stopped now is stale for a later coordinator too. */
    feed->want.bump = true;
    feed->stop = SL__STOP_RESTART;
}

static void status_make_normal(struct sl__feed *feed, struct sl_outbox *out)
{
    if (feed->want.state != SL_FEED_NORMAL)
        sl__feed_want_state(feed, SL_FEED_NORMAL, NULL, out);
}

static const Pb__RunningError *status_worst_error(const Pb__MaintainerStatus *s)
{
    for (size_t i = 0; i < s->n_errors; i++) {
        if (status_is_fatal(s->errors[i]))
            return s->errors[i];
    }
    return s->n_errors > 0 ? s->errors[0] : NULL;
}

/* The owner runs. What was decided and is being stored is not decided again. */
static void status_judge(struct sl_feeds *f, struct sl__feed *feed, const Pb__MaintainerStatus *s,
                         struct sl_outbox *out)
{
    const Pb__RunningError *e = status_worst_error(s);
    bool flipped = s->bootstrap_done && !feed->bootstrapped;
    bool advanced = feed->backoff.delay_ns > 0 && feed->checkpoint > feed->backoff.checkpoint;
    sl_ts target = feed->record.target_ts;
    if (feed->stop != SL__STOP_NONE || !sl__feed_is_runnable(feed))
        return;
    feed->bootstrapped = feed->bootstrapped || s->bootstrap_done;
    struct sl_feed_error error = { .present = false };
    if (e)
        error = sl__feed_error_of(f, feed, e);
    if (e && status_is_fatal(e)) {
        status_fail(feed, &error, out);
    } else if (flipped) {
        status_make_normal(feed, out);
    } else if (target != SL_TS_NONE && feed->checkpoint >= target) {
        status_finish(feed, out);
    } else if (advanced) {
        feed->backoff.delay_ns = 0;
        status_make_normal(feed, out);
    } else if (e) {
        sl__feed_back_off(f, feed, &error, out);
    }
}

/* ---- maintainers that should not be ---- */

/*
 * It runs, and neither the table nor an operator knows it: an answer that came late, or a report that was lost. Told to
 * hand over, for its dispatchers may be the owner's by now. If the feed has no owner, it must not get one before this
 * one has stopped (F4).
 */
static void status_of_stray(struct sl_feeds *f, struct sl__feed *feed, sl_node_ref from, const Pb__MaintainerStatus *s,
                            struct sl_outbox *out)
{
    bool halts = !sl__feed_is_runnable(feed), removes = sl__status_is_remover(s);
    bool cascade = !removes && (halts || (!s->bootstrap_done && s->maintainer_epoch != feed->epoch));
    if (feed->node == SL_NODE_NONE && feed->op.kind == SL__OP_IDLE && feed->stop == SL__STOP_NONE)
        sl__op_stop_stale(f, feed, from, s->maintainer_epoch, cascade, SL__STOP_STALE, out);
    else if (!removes)
        sl__feeds_send_remove(f, from, &feed->record.id, s->maintainer_epoch, cascade, false, out);
}

void sl__feed_advance(struct sl__feed *feed, sl_ts checkpoint)
{
    if (checkpoint != SL_TS_MAX) /* "not known", as 0 */
        feed->checkpoint = sl_ts_max(feed->checkpoint, checkpoint);
}

sl_ns sl__feed_silence_at(const struct sl_feeds *f, const struct sl__feed *feed)
{
    bool speaks = feed->place == SL__PLACE_REPLICATING && feed->op.kind == SL__OP_IDLE && feed->stop == SL__STOP_NONE &&
                  !feed->unreadable;
    return speaks ? sl_ns_after(feed->heard_at, f->opts.operator_timeout_ns) : SL_NEVER;
}

/*
 * Every maintainer speaks each second. One that does not, on a node that does, has ended without a word, and its last
 * one was lost. If it is there after all, it hands over and nothing is lost.
 */
void sl__feed_on_silence(struct sl_feeds *f, struct sl__feed *feed, struct sl_outbox *out)
{
    feed->heard_at = f->now;
    if (sl__feed_is_runnable(feed) && sl__feeds_may_place(f, feed->node))
        sl__op_move(f, feed, feed->node, SL__SLOT_NONE, out);
}

/* ---- the way in ---- */

static bool status_is_of_owner(const struct sl_feeds *f, const struct sl__feed *feed, sl_node_ref from,
                               const Pb__MaintainerStatus *s)
{
    return feed->node == from && feed->op.state != SL__OP_ADD_STORE &&
           sl__feeds_epoch_fits(f, feed->epoch, s->maintainer_epoch);
}

static void status_of_feed(struct sl_feeds *f, struct sl__feed *feed, sl_node_ref from, const Pb__MaintainerStatus *s,
                           struct sl_outbox *out)
{
    bool owner = status_is_of_owner(f, feed, from, s), stopped = status_is_stopped(s);
    bool adds = sl__op_order(&feed->op) == SL__ORDER_ADD && !feed->op.seen;
    if (sl__status_is_refusal(s) && !adds)
        return; /* one Add of several was refused, and another one was not */
    if (owner) {
        feed->heard_at = f->now;
        sl__feed_advance(feed, s->checkpoint_ts);
        status_take_drains(f, feed, from, s);
    } else if (sl__op_is_last_word(f, feed, from, s->maintainer_epoch)) {
        sl__feed_advance(feed, s->checkpoint_ts);
    }
    bool awaited = sl__op_on_status(f, feed, from, s, out);
    if (owner && feed->node == from && !stopped)
        status_judge(f, feed, s, out);
    else if (owner && !awaited && stopped && feed->node == from)
        sl__feed_place(f, feed, SL__PLACE_ABSENT, SL_NODE_NONE, 0, out); /* it closed by itself */
    else if (!owner && !awaited && s->state == PB__COMPONENT_STATE__WORKING)
        status_of_stray(f, feed, from, s, out);
}

void sl_feeds_on_status(struct sl_feeds *f, sl_ns now, sl_node_ref from, const Pb__MaintainerStatus *status,
                        struct sl_outbox *out)
{
    struct sl_feed_id id;
    sl__feeds_begin(f, now);
    /* Who has not answered this coordinator's bootstrap may still speak of its predecessor's orders. */
    bool admitted =
        f->settled && sl_members_is_alive(f->opts.members, from) && sl_nodes_at(f->opts.nodes, from)->bootstrapped;
    if (!admitted || !sl_feed_id_set(&id, status->changefeed))
        return;
    struct sl__feed *feed = sl__feed_find(f, &id);
    bool known = feed && !feed->creating;
    if (known && !feed->unreadable) {
        status_of_feed(f, feed, from, status, out);
        sl__feed_react(f, feed, out);
    } else if (!known && status->state == PB__COMPONENT_STATE__WORKING && !sl__status_is_remover(status)) {
        sl__settle_remove_unknown(f, from, &id, status->maintainer_epoch, out);
    }
    sl__feeds_end(f, out);
}
