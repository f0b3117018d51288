/* SPDX-License-Identifier: Apache-2.0 */
#include "core/coordinator/drains_internal.h"

#define DRAIN_SCRATCH_BYTES (1u << 20)

enum sl_code sl_drains_new(struct sl_drains **out, const struct sl_drains_opts *opts, sl_ns now)
{
    *out = NULL;
    SL_REQUIRE(opts->session_count_max > 0 && opts->session_count_max <= SL_TARGETS_MAX);
    struct sl_drains *d = sl_mem_alloc(opts->mem, SL_TAG_COORDINATOR, sizeof *d);
    if (!d)
        return SL_NOMEM;
    d->opts = *opts;
    d->session_cap = opts->session_count_max + opts->history_count_max;
    d->peer_count = sl_members_ref_max(opts->members) + 1;
    d->sessions = sl_mem_alloc(opts->mem, SL_TAG_COORDINATOR, d->session_cap * sizeof *d->sessions);
    d->peers = sl_mem_alloc(opts->mem, SL_TAG_COORDINATOR, d->peer_count * sizeof *d->peers);
    struct sl_text cluster;
    sl_text_init(&cluster, d->cluster, sizeof d->cluster);
    sl_text_str(&cluster, opts->cluster);
    sl_arena_init(&d->scratch, opts->mem, SL_TAG_COORDINATOR, DRAIN_SCRATCH_BYTES);
    sl_prng_init(&d->prng, opts->seed);
    d->check_at = SL_NEVER;
    d->checked_at = now - DRAIN_CHECK_NS;
    if (!d->sessions || !d->peers || cluster.cut) {
        sl_drains_free(d);
        return cluster.cut ? SL_LIMIT : SL_NOMEM;
    }
    *out = d;
    return SL_OK;
}

void sl_drains_free(struct sl_drains *d)
{
    if (!d)
        return;
    struct sl_mem *mem = d->opts.mem;
    sl_arena_deinit(&d->scratch);
    sl_mem_free(mem, SL_TAG_COORDINATOR, d->sessions, d->session_cap * sizeof *d->sessions);
    sl_mem_free(mem, SL_TAG_COORDINATOR, d->peers, d->peer_count * sizeof *d->peers);
    sl_mem_free(mem, SL_TAG_COORDINATOR, d, sizeof *d);
}

bool sl_drains_is_loaded(const struct sl_drains *d)
{
    return d->loaded;
}

/* The node is gone: what the session was worth is decided by what held at this moment. */
static void drain_lose_target(struct sl_drains *d, sl_ns now, struct drain_session *s, struct sl_outbox *out)
{
    struct sl_proof_facts f;
    sl__drain_facts(d, now, s, &f);
    bool proved = s->node != SL_NODE_NONE && sl_drain_proof(&f, true) == SL_BLOCKED_NONE;
    if (s->intent.phase == SL_DRAIN_STOPPING && proved) {
        s->intent.proof_reference = !f.target_is_sluice;
        sl__drain_set_phase(s, SL_DRAIN_SAFE);
    }
    if (s->node != SL_NODE_NONE)
        sl_feeds_set_draining(d->opts.feeds, now, s->node, false, out);
    s->node = SL_NODE_NONE;
    if (s->intent.phase <= SL_DRAIN_SAFE)
        sl__drain_set_phase(s, SL_DRAIN_CLEARING);
}

/* Same id, higher epoch: acknowledgements given to a predecessor do not count. What is proved needs no epoch any more.
 */
static void drain_take_over(struct sl_drains *d, sl_ns now, struct drain_session *s, struct sl_outbox *out)
{
    if (!sl__drain_is_open(s))
        return;
    s->node = sl_members_find(d->opts.members, &s->intent.target);
    if (s->node == SL_NODE_NONE && s->intent.phase <= SL_DRAIN_SAFE) {
        drain_lose_target(d, now, s, out);
        return;
    }
    bool raises = s->intent.phase == SL_DRAIN_EVACUATING || s->intent.phase == SL_DRAIN_STOPPING;
    uint64_t epoch = raises ? sl__drain_next_epoch(d, now) : 0;
    if (epoch > 0) {
        s->intent.epoch = epoch;
        sl__drain_changed(s);
    }
    if (s->intent.phase <= SL_DRAIN_SAFE)
        sl_feeds_set_draining(d->opts.feeds, now, s->node, true, out);
}

void sl_drains_settle(struct sl_drains *d, sl_ns now, struct sl_outbox *out)
{
    SL_REQUIRE(d->loaded && !d->settled);
    d->settled = true;
    for (uint32_t i = 0; i < d->session_count; i++)
        drain_take_over(d, now, &d->sessions[i], out);
    sl__drain_targets_changed(d);
    d->check_at = now;
}

void sl_drains_on_node_seen(struct sl_drains *d, sl_ns now, sl_node_ref node, struct sl_outbox *out)
{
    (void)node;
    (void)out;
    sl__drain_check_soon(d, now);
}

void sl_drains_on_node_added(struct sl_drains *d, sl_ns now, sl_node_ref node, struct sl_outbox *out)
{
    d->peers[node] = (struct drain_peer){ 0 };
    sl_drains_on_node_seen(d, now, node, out);
}

void sl_drains_on_node_lost(struct sl_drains *d, sl_ns now, sl_node_ref node, struct sl_outbox *out)
{
    for (uint32_t i = 0; i < d->session_count; i++) {
        struct drain_session *s = &d->sessions[i];
        if (s->node == node && sl__drain_is_open(s))
            drain_lose_target(d, now, s, out);
    }
    d->peers[node] = (struct drain_peer){ 0 };
    sl__drain_check_soon(d, now);
}

static bool drains_has_open(const struct sl_drains *d)
{
    for (uint32_t i = 0; i < d->session_count; i++) {
        if (sl__drain_is_open(&d->sessions[i]) || d->sessions[i].differs)
            return true;
    }
    return false;
}

/* N1, N2, N6 in terms of the two copies: nothing durable is ahead of what is wanted, and no phase went back. */
static void drains_check(const struct sl_drains *d)
{
    for (uint32_t i = 0; i < d->session_count; i++) {
        const struct drain_session *s = &d->sessions[i];
        if (s->mod_revision == 0)
            continue;
        SL_REQUIRE(s->durable.phase <= s->intent.phase && s->durable.epoch <= s->intent.epoch);
        SL_REQUIRE(!s->intent.cancelled || s->intent.ended_from < SL_DRAIN_STOPPING);
        SL_REQUIRE(s->durable.phase < SL_DRAIN_EVACUATING || s->durable.ended_from == SL_DRAIN_PENDING ||
                   s->durable.epoch > 0);
    }
}

void sl_drains_on_tick(struct sl_drains *d, sl_ns now, struct sl_outbox *out)
{
    if (!d->loaded && d->load == 0 && now >= d->load_at)
        sl_drains_load(d, now, out);
    if (d->settled && now >= d->check_at) {
        d->checked_at = now;
        d->check_at = drains_has_open(d) ? sl_ns_after(now, DRAIN_IDLE_NS) : SL_NEVER;
        for (uint32_t i = 0; i < d->session_count; i++)
            sl__drain_advance(d, now, &d->sessions[i], out);
    }
    if (d->settled)
        sl__drain_push(d, now, out);
    sl__drain_write_due(d, now, out);
    drains_check(d);
}

sl_ns sl_drains_deadline(const struct sl_drains *d)
{
    sl_ns at = d->check_at;
    if (!d->loaded && d->load == 0)
        at = sl_ns_min(at, d->load_at);
    for (uint32_t i = 0; i < d->session_count; i++) {
        const struct drain_session *s = &d->sessions[i];
        if (s->differs && s->write == 0 && s->read == 0)
            at = sl_ns_min(at, s->write_at);
    }
    return d->settled ? sl_ns_min(at, sl__drain_push_deadline(d)) : at;
}

bool sl_drains_wants_resign(const struct sl_drains *d)
{
    for (uint32_t i = 0; i < d->session_count; i++) {
        const struct drain_session *s = &d->sessions[i];
        bool durable = s->mod_revision > 0 && s->write == 0 && !s->differs;
        if (durable && s->intent.phase <= SL_DRAIN_STOPPING && s->node == sl_members_self(d->opts.members))
            return true;
    }
    return false;
}
