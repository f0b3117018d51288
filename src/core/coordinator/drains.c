/* SPDX-License-Identifier: Apache-2.0 */
#include "core/coordinator/drains_internal.h"

#include <string.h>

#define DRAIN_SCRATCH_BYTES (4u << 20) /* a list of all drains; a value has a few hundred bytes */

/* ---- life ---- */

static enum sl_code drains_init(struct sl_drains *d, const struct sl_drains_opts *opts, sl_ns now)
{
    struct sl_text cluster;
    d->opts = *opts;
    /* The open ones may all end while their successors are open and the ended ones are being forgotten. */
    d->session_cap = 2 * opts->session_count_max + opts->history_count_max;
    d->peer_count = sl_members_ref_max(opts->members) + 1;
    d->sessions = sl_mem_alloc(opts->mem, SL_TAG_COORDINATOR, d->session_cap * sizeof *d->sessions);
    d->peers = sl_mem_alloc(opts->mem, SL_TAG_COORDINATOR, d->peer_count * sizeof *d->peers);
    sl_text_init(&cluster, d->cluster, sizeof d->cluster);
    sl_text_str(&cluster, opts->cluster);
    sl_arena_init(&d->scratch, opts->mem, SL_TAG_COORDINATOR, DRAIN_SCRATCH_BYTES);
    sl_prng_init(&d->prng, opts->seed);
    d->check_at = d->push_at = SL_NEVER;
    d->load_at = now;
    d->checked_at = now - DRAIN_CHECK_NS;
    if (cluster.cut)
        return SL_LIMIT;
    return d->sessions && d->peers ? SL_OK : SL_NOMEM;
}

enum sl_code sl_drains_new(struct sl_drains **out, const struct sl_drains_opts *opts, sl_ns now)
{
    *out = NULL;
    SL_REQUIRE(opts->session_count_max > 0 && opts->session_count_max <= SL_TARGETS_MAX);
    struct sl_drains *d = sl_mem_alloc(opts->mem, SL_TAG_COORDINATOR, sizeof *d);
    if (!d)
        return SL_NOMEM;
    enum sl_code code = drains_init(d, opts, now);
    if (code != SL_OK) {
        sl_drains_free(d);
        return code;
    }
    *out = d;
    return SL_OK;
}

void sl_drains_free(struct sl_drains *d)
{
    if (!d)
        return;
    struct sl_mem *mem = d->opts.mem;
    for (uint32_t i = 0; i < d->session_count; i++)
        sl__drain_free_value(d, &d->sessions[i]);
    sl_arena_deinit(&d->scratch);
    sl_mem_free(mem, SL_TAG_COORDINATOR, d->sessions, d->session_cap * sizeof *d->sessions);
    sl_mem_free(mem, SL_TAG_COORDINATOR, d->peers, d->peer_count * sizeof *d->peers);
    sl_mem_free(mem, SL_TAG_COORDINATOR, d, sizeof *d);
}

bool sl_drains_is_loaded(const struct sl_drains *d)
{
    return d->is_loaded;
}

void sl__drain_free_value(struct sl_drains *d, struct drain_session *s)
{
    sl_mem_free(d->opts.mem, SL_TAG_COORDINATOR, s->read_value, s->read_len);
    s->read_value = NULL;
    s->read_len = 0;
}

void sl__drain_drop(struct sl_drains *d, struct drain_session *s)
{
    uint32_t at = (uint32_t)(s - d->sessions);
    SL_REQUIRE(at < d->session_count && s->ticket_count == 0);
    sl__drain_free_value(d, s);
    memmove(s, s + 1, (--d->session_count - at) * sizeof *s);
}

/* ---- invariants ---- */

/* N1, N2, N6 in terms of the two copies: nothing durable is ahead of what is wanted, and no phase went back. */
static void drains_check_session(const struct drain_session *s)
{
    SL_REQUIRE(sl__drain_is_sane(&s->intent));
    if (s->mod_revision == 0)
        return;
    SL_REQUIRE(sl__drain_is_sane(&s->durable));
    SL_REQUIRE(s->durable.phase <= s->intent.phase && s->durable.epoch <= s->intent.epoch);
    SL_REQUIRE(s->durable.phase < SL_DRAIN_STOPPING || !s->intent.cancelled || s->durable.cancelled);
    SL_REQUIRE(!s->durable.cancelled || s->intent.cancelled);
}

/* Epochs are issued one at a time, so that they become durable, and are pushed, in their order (N1). */
static void drains_check(const struct sl_drains *d)
{
    uint32_t epochs_to_store = 0, tickets = 0;
    for (uint32_t i = 0; i < d->session_count; i++) {
        const struct drain_session *s = &d->sessions[i];
        drains_check_session(s);
        SL_REQUIRE(s->intent.epoch <= d->epoch_issued_max);
        epochs_to_store += s->mod_revision > 0 && s->intent.epoch != s->durable.epoch;
        tickets += s->ticket_count;
    }
    SL_REQUIRE(epochs_to_store <= 1 && tickets == d->ticket_count && tickets <= DRAIN_TICKETS_ALL_MAX);
}

/* ---- nodes ---- */

bool sl__drain_has_vanished(const struct sl_drains *d, const struct sl_node_id *id)
{
    return d->opts.membership && sl_membership_has_vanished(d->opts.membership, id);
}

/* Who has lost its lease is still a member for a while, and not somebody else. */
static sl_node_ref drains_living(const struct sl_drains *d, const struct sl_node_id *id)
{
    return sl__drain_has_vanished(d, id) ? SL_NODE_NONE : sl_members_find(d->opts.members, id);
}

void sl__drain_lose_target(struct sl_drains *d, sl_ns now, struct drain_session *s, struct sl_outbox *out)
{
    struct sl_proof_facts f;
    sl__drain_facts(d, now, s, &f);
    if (s->intent.phase == SL_DRAIN_STOPPING && sl_drain_proof(&f, true) == SL_BLOCKED_NONE) {
        s->intent.proof_reference = !f.target_is_sluice;
        sl__drain_set_phase(s, SL_DRAIN_SAFE);
    }
    if (s->node != SL_NODE_NONE)
        sl_feeds_set_draining(d->opts.feeds, now, s->node, false, out);
    s->is_superseded = drains_living(d, &s->intent.target) != SL_NODE_NONE;
    s->node = SL_NODE_NONE;
    if (s->intent.phase <= SL_DRAIN_SAFE)
        sl__drain_set_phase(s, SL_DRAIN_CLEARING);
}

void sl_drains_on_node_lost(struct sl_drains *d, sl_ns now, sl_node_ref node, struct sl_outbox *out)
{
    for (uint32_t i = 0; i < d->session_count; i++) {
        struct drain_session *s = &d->sessions[i];
        if (s->node == node && sl__drain_is_open(s))
            sl__drain_lose_target(d, now, s, out);
        else if (s->node == node)
            s->node = SL_NODE_NONE;
    }
    d->peers[node] = (struct drain_peer){ 0 };
    sl__drain_check_now(d, now);
}

void sl_drains_on_node_added(struct sl_drains *d, sl_ns now, sl_node_ref node)
{
    d->peers[node] = (struct drain_peer){ 0 };
    for (uint32_t i = 0; i < d->session_count; i++) {
        struct drain_session *s = &d->sessions[i];
        bool is_same_id = sl_node_id_eq(&s->intent.target, sl_members_id(d->opts.members, node));
        s->is_superseded |= d->is_settled && is_same_id && s->node == SL_NODE_NONE;
    }
    sl__drain_check_soon(d, now);
}

void sl_drains_on_node_seen(struct sl_drains *d, sl_ns now, sl_node_ref node)
{
    sl__drain_judge_peer(d, node);
    sl__drain_check_soon(d, now);
}

/* ---- take-over ---- */

/* Once the node has left there is no way back to it: who has its id now is another process. */
static bool drains_is_about(const struct sl_intent *i)
{
    return i->phase <= SL_DRAIN_SAFE || (i->phase == SL_DRAIN_CLEARING && i->cancelled);
}

void sl__drain_take_over(struct sl_drains *d, sl_ns now, struct drain_session *s, struct sl_outbox *out)
{
    sl_node_ref node = drains_living(d, &s->intent.target);
    s->is_superseded |= node != SL_NODE_NONE && !drains_is_about(&s->intent);
    if (!sl__drain_is_open(s))
        return;
    s->node = s->is_superseded ? SL_NODE_NONE : node;
    s->must_raise = s->intent.phase == SL_DRAIN_EVACUATING || s->intent.phase == SL_DRAIN_STOPPING;
    if (s->node == SL_NODE_NONE && s->intent.phase <= SL_DRAIN_SAFE)
        sl__drain_lose_target(d, now, s, out);
}

void sl_drains_announce(struct sl_drains *d, sl_ns now, struct sl_outbox *out)
{
    SL_REQUIRE(d->is_loaded && !d->is_settled);
    for (uint32_t i = 0; i < d->session_count; i++) {
        const struct drain_session *s = &d->sessions[i];
        sl_node_ref node = sl_members_find(d->opts.members, &s->intent.target);
        if (node != SL_NODE_NONE && s->intent.phase <= SL_DRAIN_SAFE)
            sl_feeds_set_draining(d->opts.feeds, now, node, true, out);
    }
    d->is_settled = true;
    sl__drain_targets_changed(d);
}

void sl_drains_settle(struct sl_drains *d, sl_ns now, struct sl_outbox *out)
{
    SL_REQUIRE(d->is_settled);
    for (uint32_t i = 0; i < d->session_count; i++)
        sl__drain_take_over(d, now, &d->sessions[i], out);
    sl__drain_check_now(d, now);
    drains_check(d);
}

void sl_drains_stop(struct sl_drains *d, sl_ns now, struct sl_outbox *out)
{
    for (uint32_t i = 0; i < d->session_count; i++)
        sl__drain_answer_waiting(d, now, &d->sessions[i], SL_NOT_OWNER,
                                 "this node ceased to be the coordinator: ask the new one", out);
}

/* ---- step ---- */

void sl__drain_check_soon(struct sl_drains *d, sl_ns now)
{
    sl_ns at = sl_ns_after(d->checked_at, DRAIN_CHECK_NS);
    d->check_at = sl_ns_min(d->check_at, at > now ? at : now);
}

void sl__drain_check_now(struct sl_drains *d, sl_ns now)
{
    d->check_at = now;
}

static bool drains_has_open(const struct sl_drains *d)
{
    for (uint32_t i = 0; i < d->session_count; i++) {
        if (sl__drain_is_open(&d->sessions[i]))
            return true;
    }
    return false;
}

static void drains_run(struct sl_drains *d, sl_ns now, struct sl_outbox *out)
{
    if (d->is_settled && now >= d->check_at) {
        d->checked_at = now;
        d->check_at = drains_has_open(d) ? sl_ns_after(now, DRAIN_IDLE_NS) : SL_NEVER;
        for (uint32_t i = 0; i < d->session_count; i++)
            sl__drain_advance(d, now, &d->sessions[i], out);
    }
    if (d->is_settled) {
        sl__drain_push(d, now, out);
        sl__drain_run_store(d, now, out);
    }
    drains_check(d);
}

bool sl_drains_on_store(struct sl_drains *d, sl_ns now, const struct sl_store_result *r, struct sl_outbox *out)
{
    if (!sl__drain_take_result(d, now, r, out))
        return false;
    drains_run(d, now, out);
    return true;
}

void sl_drains_on_request(struct sl_drains *d, sl_ns now, const struct sl_request *r, struct sl_outbox *out)
{
    sl__drain_answer(d, now, r, out);
    drains_run(d, now, out);
}

void sl_drains_on_tick(struct sl_drains *d, sl_ns now, struct sl_outbox *out)
{
    if (!d->is_loaded && d->load == 0 && now >= d->load_at)
        sl_drains_load(d, now, out);
    drains_run(d, now, out);
}

sl_ns sl_drains_deadline(const struct sl_drains *d)
{
    if (!d->is_settled)
        return d->is_loaded || d->load != 0 ? SL_NEVER : d->load_at;
    return sl_ns_min(d->check_at, sl_ns_min(sl__drain_store_deadline(d), d->push_at));
}

bool sl_drains_wants_resign(const struct sl_drains *d)
{
    for (uint32_t i = 0; i < d->session_count; i++) {
        const struct drain_session *s = &d->sessions[i];
        if (s->intent.phase <= SL_DRAIN_STOPPING && s->node == sl_members_self(d->opts.members) &&
            sl__drain_is_in_step(s))
            return true;
    }
    return false;
}
