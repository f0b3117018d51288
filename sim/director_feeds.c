/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/director_internal.h"

#include <inttypes.h>

#define DIRECTOR_BACKOFF_NS (1 * SL_S)
#define DIRECTOR_CHASE_NS (1 * SL_S)
#define DIRECTOR_SILENCE_NS (3 * SL_S) /* a maintainer says something every second */
#define DIRECTOR_CONFIG_BYTES 4096

static struct sl_sim_stored_feed *director_stored(struct sl_sim *sim, uint32_t feed)
{
    SL_REQUIRE(feed < sim->store.feed_count);
    return &sim->store.feeds[feed];
}

/* ---- what is sent ---- */

static void director_send_add(struct sl_sim *sim, struct sl_sim_director *d, uint32_t feed)
{
    char config[DIRECTOR_CONFIG_BYTES];
    struct director_feed *f = sl_sim__director_feed(sim, d, feed);
    const struct sl_sim_stored_feed *stored = director_stored(sim, feed);
    size_t len = sl_sim_catalog_config(&sim->catalog, feed, f->owner_epoch, config, sizeof config);
    Pb__ChangefeedID id = sl_feed_id_pb(&sim->catalog.feeds[feed].id);
    Pb__AddMaintainerRequest request = PB__ADD_MAINTAINER_REQUEST__INIT;
    request.changefeed = &id;
    request.config = (ProtobufCBinaryData){ .len = len, .data = (uint8_t *)config };
    request.checkpoint_ts = stored->checkpoint;
    request.is_new_changefeed = !stored->is_started;
    request.maintainer_epoch = f->owner_epoch;
    f->sent_at = sim->engine.now;
    sl_sim__director_send(sim, d, f->owner, SL_MSG_ADD_MAINTAINER_REQUEST, &request.base);
}

static void director_send_remove(struct sl_sim *sim, struct sl_sim_director *d, uint32_t feed, uint32_t member,
                                 uint64_t epoch, bool cascade)
{
    Pb__ChangefeedID id = sl_feed_id_pb(&sim->catalog.feeds[feed].id);
    Pb__RemoveMaintainerRequest request = PB__REMOVE_MAINTAINER_REQUEST__INIT;
    request.changefeed = &id;
    request.cascade = cascade;
    request.removed = cascade && director_stored(sim, feed)->is_removed;
    request.maintainer_epoch = epoch;
    sl_sim__director_send(sim, d, member, SL_MSG_REMOVE_MAINTAINER_REQUEST, &request.base);
}

/* ---- what holds ---- */

static void director_own(struct director_feed *f, enum director_feed_state state, uint32_t owner, uint64_t epoch)
{
    f->state = state;
    f->owner = owner;
    f->owner_epoch = epoch;
    f->sent_at = 0;
    f->bump_at = 0;
    f->progress = (struct director_progress){ 0 };
}

static void director_take_progress(struct director_progress *p, const Pb__DrainProgress *pb, bool is_bootstrapped)
{
    *p = (struct director_progress){ 0 };
    if (!pb || !is_bootstrapped)
        return;
    *p = (struct director_progress){ .epoch = pb->target_epoch,
                                     .dispatchers = pb->target_dispatcher_count,
                                     .moves = pb->target_inflight_drain_move_count,
                                     .bound = pb->bound,
                                     .stopping = pb->stopping,
                                     .starting = pb->starting,
                                     .unknown = pb->unknown,
                                     .stuck = pb->stuck,
                                     .is_bootstrapped = pb->bootstrapped };
    if (pb->n_stuck_spans == 0)
        return;
    const Pb__StuckSpan *stuck = pb->stuck_spans[0];
    p->has_stuck = true;
    snprintf(p->stuck_text, sizeof p->stuck_text, "span %" PRIx64 " in %s waits for %s since %" PRIu64 " s",
             stuck->id ? stuck->id->high : 0, stuck->phase, stuck->node, stuck->age_ms / 1000);
}

static void director_on_owner_status(struct sl_sim *sim, struct director_feed *f, uint32_t feed,
                                     const Pb__MaintainerStatus *status)
{
    struct sl_sim_stored_feed *stored = director_stored(sim, feed);
    if (status->checkpoint_ts > stored->checkpoint)
        stored->checkpoint = status->checkpoint_ts;
    if (status->state != PB__COMPONENT_STATE__WORKING) {
        stored->is_closed = f->state == DIRECTOR_FEED_CLOSING && stored->is_stopped;
        director_own(f, DIRECTOR_FEED_ABSENT, 0, 0);
        return;
    }
    if (f->state == DIRECTOR_FEED_ADOPTED)
        f->sent_at = sim->engine.now; /* it lives, and is asked nothing */
    director_take_progress(&f->progress, status->drain_progress, status->bootstrap_done);
    if ((f->state == DIRECTOR_FEED_ADDING || f->state == DIRECTOR_FEED_ADOPTED) && status->bootstrap_done) {
        f->state = DIRECTOR_FEED_RUNNING;
        stored->is_started = true;
    }
    if (status->n_errors > 0 && f->state != DIRECTOR_FEED_CLOSING) {
        f->state = DIRECTOR_FEED_CLOSING;
        f->sent_at = 0;
        f->retry_at = sim->engine.now + DIRECTOR_BACKOFF_NS;
    }
}

static void director_on_stale_status(struct director_feed *f, uint32_t member, const Pb__MaintainerStatus *status)
{
    for (uint32_t i = 0; i < f->stale_count; i++) {
        if (f->stale[i].member == member && f->stale[i].epoch == status->maintainer_epoch &&
            status->state != PB__COMPONENT_STATE__WORKING) {
            f->stale[i] = f->stale[--f->stale_count];
            return;
        }
    }
}

/* Before everybody has answered: who works is remembered, who has stopped meanwhile is forgotten again. */
static void director_collect(struct director_feed *f, uint32_t member, const Pb__MaintainerStatus *status)
{
    uint32_t i = 0;
    while (i < f->stale_count && (f->stale[i].member != member || f->stale[i].epoch != status->maintainer_epoch))
        i++;
    bool is_known = i < f->stale_count, works = status->state == PB__COMPONENT_STATE__WORKING;
    if (is_known && !works) {
        f->stale[i] = f->stale[--f->stale_count];
    } else if (!is_known && works && f->stale_count < DIRECTOR_STALE_MAX) {
        f->stale[i].member = member;
        f->stale[i].epoch = status->maintainer_epoch;
        f->stale_count++;
    }
}

void sl_sim__director_on_status(struct sl_sim *sim, struct sl_sim_director *d, uint32_t member,
                                const Pb__MaintainerStatus *status)
{
    struct sl_feed_id id;
    bool set = sl_feed_id_set(&id, status->changefeed);
    uint32_t feed = set ? sl_sim_catalog_find(&sim->catalog, &id) : SL_SIM_FEED_NONE;
    SL_REQUIRE(feed != SL_SIM_FEED_NONE);
    struct director_feed *f = sl_sim__director_feed(sim, d, feed);
    bool is_owner = f->state != DIRECTOR_FEED_ABSENT && f->owner == member;
    if (!d->is_ready) {
        director_collect(f, member, status);
    } else if (is_owner && status->maintainer_epoch == f->owner_epoch) {
        director_on_owner_status(sim, f, feed, status);
    } else if (f->stale_count > 0) {
        director_on_stale_status(f, member, status);
    } else if (f->state == DIRECTOR_FEED_RUNNING && status->state == PB__COMPONENT_STATE__WORKING &&
               status->maintainer_epoch < f->owner_epoch &&
               sl_sim__director_is_due(sim, f->chased_at, DIRECTOR_CHASE_NS)) {
        /* A late Add woke up a maintainer that the feed has outlived. */
        f->chased_at = sim->engine.now;
        director_send_remove(sim, d, feed, member, status->maintainer_epoch, true);
    }
}

/* The newest maintainer that works owns the feed: nobody else can have been added since all nodes answered. */
static void director_adopt_feed(struct sl_sim *sim, struct sl_sim_director *d, uint32_t feed)
{
    struct director_feed *f = sl_sim__director_feed(sim, d, feed);
    uint32_t best = DIRECTOR_STALE_MAX;
    for (uint32_t i = 0; i < f->stale_count; i++) {
        if (best == DIRECTOR_STALE_MAX || f->stale[i].epoch > f->stale[best].epoch)
            best = i;
    }
    if (best == DIRECTOR_STALE_MAX)
        return;
    director_own(f, DIRECTOR_FEED_ADOPTED, f->stale[best].member, f->stale[best].epoch);
    f->sent_at = sim->engine.now;
    f->stale[best] = f->stale[--f->stale_count];
}

void sl_sim__director_adopt(struct sl_sim *sim, struct sl_sim_director *d)
{
    for (uint32_t feed = 0; feed < sim->store.feed_count; feed++)
        director_adopt_feed(sim, d, feed);
}

void sl_sim__director_on_lost(struct sl_sim *sim, struct sl_sim_director *d, uint32_t member)
{
    for (uint32_t feed = 0; feed < sim->store.feed_count; feed++) {
        struct director_feed *f = sl_sim__director_feed(sim, d, feed);
        if (f->state != DIRECTOR_FEED_ABSENT && f->owner == member)
            director_own(f, DIRECTOR_FEED_ABSENT, 0, 0);
        for (uint32_t i = f->stale_count; i > 0; i--) {
            if (f->stale[i - 1].member == member)
                f->stale[i - 1] = f->stale[--f->stale_count];
        }
    }
}

/* ---- one period ---- */

/*
 * The epoch is durable before the Add leaves; a director that was deposed meanwhile cannot write it. A feed that shall
 * stop and has lost its owner is closed from the director's own node, with an epoch that fences whoever is left.
 */
static void director_place(struct sl_sim *sim, struct sl_sim_director *d, uint32_t feed)
{
    struct director_feed *f = sl_sim__director_feed(sim, d, feed);
    struct sl_sim_stored_feed *stored = director_stored(sim, feed);
    if (stored->is_closed && !stored->is_stopped)
        stored->is_closed = false;
    if (stored->is_closed || f->stale_count > 0 || sim->engine.now < f->retry_at)
        return;
    uint32_t dest = stored->is_stopped ? sim->hosts[d->host].member : sl_sim__director_pick(sim, d);
    if (dest == SL_SIM_MEMBER_NONE)
        return;
    if (f->bump_at == 0) {
        f->bump_at = sim->engine.now + sl_sim__director_store_delay(sim, feed, stored->epoch);
        return;
    }
    if (sim->engine.now < f->bump_at || d->version != sim->store.version)
        return;
    stored->epoch++;
    sl_sim_oracle_feed_epoch_durable(&sim->oracle, feed, stored->epoch);
    director_own(f, stored->is_stopped ? DIRECTOR_FEED_CLOSING : DIRECTOR_FEED_ADDING, dest, stored->epoch);
    if (f->state == DIRECTOR_FEED_ADDING)
        director_send_add(sim, d, feed);
}

static bool director_is_on_target(struct sl_sim *sim, const struct director_feed *f)
{
    const struct sl_sim_drain *drain = sl_sim__director_drain(sim);
    return drain && drain->phase == SL_SIM_DRAIN_EVACUATING &&
           sl_node_id_eq(&sim->members.items[f->owner].id, &drain->target);
}

static void director_keep(struct sl_sim *sim, struct sl_sim_director *d, uint32_t feed)
{
    struct director_feed *f = sl_sim__director_feed(sim, d, feed);
    bool must_close = director_stored(sim, feed)->is_stopped;
    if (must_close && f->state != DIRECTOR_FEED_CLOSING) {
        f->state = DIRECTOR_FEED_CLOSING;
        f->sent_at = 0;
    }
    if (f->state == DIRECTOR_FEED_RUNNING && director_is_on_target(sim, f) &&
        sl_sim__director_pick(sim, d) != SL_SIM_MEMBER_NONE) {
        f->state = DIRECTOR_FEED_LEAVING;
        f->sent_at = 0;
    }
    if (f->state == DIRECTOR_FEED_ADOPTED && sl_sim__director_is_due(sim, f->sent_at, DIRECTOR_SILENCE_NS)) {
        f->state = DIRECTOR_FEED_LEAVING; /* silent: gone most likely, and then the answer is Stopped */
        f->sent_at = 0;
    }
    if (f->state == DIRECTOR_FEED_RUNNING || f->state == DIRECTOR_FEED_ADOPTED ||
        !sl_sim__director_is_due(sim, f->sent_at, DIRECTOR_RESEND_NS))
        return;
    if (f->state == DIRECTOR_FEED_ADDING) {
        director_send_add(sim, d, feed);
        return;
    }
    f->sent_at = sim->engine.now;
    director_send_remove(sim, d, feed, f->owner, f->owner_epoch, f->state == DIRECTOR_FEED_CLOSING);
}

static void director_chase_stale(struct sl_sim *sim, struct sl_sim_director *d, uint32_t feed)
{
    struct director_feed *f = sl_sim__director_feed(sim, d, feed);
    if (f->stale_count == 0 || !sl_sim__director_is_due(sim, f->chased_at, DIRECTOR_RESEND_NS))
        return;
    f->chased_at = sim->engine.now;
    for (uint32_t i = 0; i < f->stale_count; i++)
        director_send_remove(sim, d, feed, f->stale[i].member, f->stale[i].epoch, true);
}

void sl_sim__director_place_feeds(struct sl_sim *sim, struct sl_sim_director *d)
{
    for (uint32_t feed = 0; feed < sim->store.feed_count; feed++) {
        director_chase_stale(sim, d, feed);
        if (sl_sim__director_feed(sim, d, feed)->state == DIRECTOR_FEED_ABSENT)
            director_place(sim, d, feed);
        else
            director_keep(sim, d, feed);
    }
}
