/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/director_internal.h"

#define DIRECTOR_PERIOD_NS (50 * SL_MS)
#define DIRECTOR_ELECTION_NS (200 * SL_MS)
#define DIRECTOR_CAP_MIN 16u

void sl_sim_directors_init(struct sl_sim *sim)
{
    sim->directors = sl_sim_alloc(&sim->engine, SL_SIM_DIRECTORS * sizeof *sim->directors);
    sim->store.preferred_host = SL_SIM_HOST_NONE;
}

static void director_forget(struct sl_sim *sim, struct sl_sim_director *d)
{
    sl_sim_free(&sim->engine, d->nodes, d->node_cap * sizeof *d->nodes);
    sl_sim_free(&sim->engine, d->feeds, d->feed_cap * sizeof *d->feeds);
    *d = (struct sl_sim_director){ 0 };
}

void sl_sim_directors_deinit(struct sl_sim *sim)
{
    for (uint32_t i = 0; i < SL_SIM_DIRECTORS; i++)
        director_forget(sim, &sim->directors[i]);
    sl_sim_free(&sim->engine, sim->directors, SL_SIM_DIRECTORS * sizeof *sim->directors);
    sl_sim_free(&sim->engine, sim->store.drains, sim->store.drain_cap * sizeof *sim->store.drains);
    sl_sim_free(&sim->engine, sim->store.feeds, sim->store.feed_cap * sizeof *sim->store.feeds);
}

static uint32_t director_cap_for(uint32_t index)
{
    uint32_t cap = DIRECTOR_CAP_MIN;
    while (cap <= index)
        cap *= 2;
    return cap;
}

struct director_node *sl_sim__director_node(struct sl_sim *sim, struct sl_sim_director *d, uint32_t member)
{
    if (member >= d->node_cap) {
        uint32_t cap = director_cap_for(member);
        d->nodes = sl_sim_resize(&sim->engine, d->nodes, d->node_cap * sizeof *d->nodes, cap * sizeof *d->nodes);
        d->node_cap = cap;
    }
    return &d->nodes[member];
}

struct director_feed *sl_sim__director_feed(struct sl_sim *sim, struct sl_sim_director *d, uint32_t feed)
{
    if (feed >= d->feed_cap) {
        uint32_t cap = director_cap_for(feed);
        d->feeds = sl_sim_resize(&sim->engine, d->feeds, d->feed_cap * sizeof *d->feeds, cap * sizeof *d->feeds);
        d->feed_cap = cap;
    }
    return &d->feeds[feed];
}

/* Pointers into both arrays stay valid for what follows. */
static void director_reserve(struct sl_sim *sim, struct sl_sim_director *d)
{
    (void)sl_sim__director_node(sim, d, sim->members.count);
    (void)sl_sim__director_feed(sim, d, sim->store.feed_count);
}

bool sl_sim__director_is_due(const struct sl_sim *sim, sl_ns sent, sl_ns resend)
{
    return sent == 0 || sim->engine.now - sent >= resend;
}

sl_ns sl_sim__director_store_delay(const struct sl_sim *sim, uint64_t object, uint64_t n)
{
    return sl_sim_between(&sim->engine, SL_SIM_DRAW_STORE, object, n, sim->opts.store_ns, sim->opts.store_ns);
}

void sl_sim__director_send(struct sl_sim *sim, const struct sl_sim_director *d, uint32_t member, enum sl_msg_type type,
                           const ProtobufCMessage *message)
{
    sl_sim_post_message(sim, &sim->hosts[d->host], member, type, message);
}

/* ---- election ---- */

static bool director_is_target(struct sl_sim *sim, uint32_t host)
{
    const struct sl_sim_drain *drain = sl_sim_drain_of(sim, sl_node_id_str(&sim->hosts[host].id));
    return drain && drain->phase != SL_SIM_DRAIN_DONE;
}

static bool director_may_lead(struct sl_sim *sim, uint32_t host)
{
    const struct sl_sim_host *h = &sim->hosts[host];
    return sl_sim_host_is_up(h) && !director_is_target(sim, host) && !h->is_unleased &&
           sim->members.items[h->member].is_leased &&
           sl_manager_liveness(sl_node_manager(h->node)) == SL_LIVENESS_ALIVE;
}

static uint32_t director_candidate(struct sl_sim *sim)
{
    uint32_t preferred = sim->store.preferred_host;
    if (preferred < sim->host_count && director_may_lead(sim, preferred))
        return preferred;
    for (uint32_t i = 0; i < sim->host_count; i++) {
        if (director_may_lead(sim, i))
            return i;
    }
    return SL_SIM_HOST_NONE;
}

static void director_call_election(struct sl_sim *sim)
{
    sl_sim_engine_push(&sim->engine, sim->engine.now + DIRECTOR_ELECTION_NS,
                       (struct sl_sim_event){ .kind = SL_SIM_EVENT_ELECTION });
}

/* A slot whose director is gone; if all sleep, the oldest of them is forgotten. */
static struct sl_sim_director *director_slot(struct sl_sim *sim)
{
    struct sl_sim_director *oldest = &sim->directors[0];
    for (uint32_t i = 0; i < SL_SIM_DIRECTORS; i++) {
        struct sl_sim_director *d = &sim->directors[i];
        if (!d->is_active)
            return d;
        if (d->version < oldest->version)
            oldest = d;
    }
    director_forget(sim, oldest);
    return oldest;
}

/* Leadership hangs on the lease: a leader who sleeps keeps it until the lease is gone. */
static bool director_holds_office(struct sl_sim *sim, const struct sl_sim_director *d)
{
    const struct sl_sim_host *h = &sim->hosts[d->host];
    if (!d->is_active || d->version != sim->store.version)
        return false;
    if (h->process == d->process)
        return sim->members.items[h->member].is_leased;
    for (uint32_t i = 0; i < sim->members.count; i++) { /* it died: until its lease ends, or it was registered anew */
        if (sim->members.items[i].process == d->process)
            return sim->members.items[i].is_leased;
    }
    return false;
}

struct sl_sim_director *sl_sim_director_in_charge(struct sl_sim *sim)
{
    for (uint32_t i = 0; i < SL_SIM_DIRECTORS; i++) {
        struct sl_sim_director *d = &sim->directors[i];
        if (director_holds_office(sim, d) && sim->hosts[d->host].process == d->process)
            return d;
    }
    return NULL;
}

static bool director_office_is_held(struct sl_sim *sim)
{
    for (uint32_t i = 0; i < SL_SIM_DIRECTORS; i++) {
        if (director_holds_office(sim, &sim->directors[i]))
            return true;
    }
    return false;
}

void sl_sim_director_elect(struct sl_sim *sim)
{
    director_call_election(sim); /* somebody always waits for the office */
    if (director_office_is_held(sim))
        return;
    uint32_t host = director_candidate(sim);
    if (host == SL_SIM_HOST_NONE)
        return;
    sim->store.preferred_host = SL_SIM_HOST_NONE;
    struct sl_sim_director *d = director_slot(sim);
    director_forget(sim, d);
    *d = (struct sl_sim_director){
        .is_active = true, .host = (uint16_t)host, .process = sim->hosts[host].process, .version = ++sim->store.version
    };
    sl_sim_log_note(&sim->log, sim->hosts[host].id.text, "elected coordinator, version %u", (unsigned)d->version);
    sl_sim_director_on_period(sim, (uint32_t)(d - sim->directors), (uint32_t)d->version);
}

void sl_sim_director_resign(struct sl_sim *sim, uint32_t next_host)
{
    struct sl_sim_director *d = sl_sim_director_in_charge(sim);
    if (d)
        director_forget(sim, d);
    sim->store.preferred_host = next_host;
}

/* ---- nodes ---- */

static bool director_sees(const struct sl_sim *sim, const struct sl_sim_director *d, uint32_t member)
{
    const struct sl_sim_host *h = &sim->hosts[d->host];
    for (uint32_t i = 0; i < h->view_count; i++) {
        if (h->view[i] == member)
            return true;
    }
    return false;
}

/* The start time in a member's key tells a new process with an old id. */
static void director_track(struct sl_sim *sim, struct sl_sim_director *d)
{
    for (uint32_t member = 0; member < sim->members.count; member++) {
        struct director_node *n = sl_sim__director_node(sim, d, member);
        const struct sl_sim_member *m = &sim->members.items[member];
        bool is_seen = director_sees(sim, d, member);
        if (n->is_tracked && (!is_seen || n->process != m->process)) {
            sl_sim__director_on_lost(sim, d, member);
            *n = (struct director_node){ 0 };
        }
        if (is_seen && !n->is_tracked)
            *n = (struct director_node){ .is_tracked = true, .process = m->process };
    }
}

/* True if everybody has answered. */
static bool director_ask(struct sl_sim *sim, struct sl_sim_director *d)
{
    bool all_answered = true;
    for (uint32_t member = 0; member < sim->members.count; member++) {
        struct director_node *n = sl_sim__director_node(sim, d, member);
        if (!n->is_tracked || n->is_answered)
            continue;
        all_answered = false;
        if (!sl_sim__director_is_due(sim, n->asked_at, DIRECTOR_RESEND_NS))
            continue;
        n->asked_at = sim->engine.now;
        Pb__CoordinatorBootstrapRequest request = PB__COORDINATOR_BOOTSTRAP_REQUEST__INIT;
        request.version = (int64_t)d->version;
        sl_sim__director_send(sim, d, member, SL_MSG_COORDINATOR_BOOTSTRAP_REQUEST, &request.base);
    }
    return all_answered;
}

bool sl_sim__director_may_place(struct sl_sim *sim, struct sl_sim_director *d, uint32_t member)
{
    const struct director_node *n = sl_sim__director_node(sim, d, member);
    if (!n->is_tracked || !n->is_answered || n->liveness != SL_LIVENESS_ALIVE)
        return false;
    const struct sl_sim_drain *drain = sl_sim_drain_of(sim, sl_node_id_str(&sim->members.items[member].id));
    return !drain || drain->phase == SL_SIM_DRAIN_DONE;
}

uint32_t sl_sim__director_pick(struct sl_sim *sim, struct sl_sim_director *d)
{
    uint32_t best = SL_SIM_MEMBER_NONE, best_load = UINT32_MAX;
    for (uint32_t member = 0; member < sim->members.count; member++) {
        if (!sl_sim__director_may_place(sim, d, member))
            continue;
        uint32_t load = 0;
        for (uint32_t i = 0; i < sim->store.feed_count; i++) {
            const struct director_feed *f = sl_sim__director_feed(sim, d, i);
            load += f->state != DIRECTOR_FEED_ABSENT && f->owner == member;
        }
        if (load < best_load) {
            best = member;
            best_load = load;
        }
    }
    return best;
}

static void director_on_deposed(struct sl_sim *sim, struct sl_sim_director *d)
{
    if (d->is_deposed)
        director_forget(sim, d);
    else
        d->is_deposed = true; /* one more round of messages before it notices: they must all be refused */
}

void sl_sim_director_on_period(struct sl_sim *sim, uint32_t a, uint32_t b)
{
    struct sl_sim_director *d = &sim->directors[a];
    if (!d->is_active || (uint32_t)d->version != b)
        return;
    if (d->version != sim->store.version)
        director_on_deposed(sim, d);
    else if (director_is_target(sim, d->host) && director_candidate(sim) != SL_SIM_HOST_NONE)
        director_forget(sim, d); /* who drains itself hands over first; the intent is in the store */
    if (!d->is_active)
        return;
    director_reserve(sim, d);
    director_track(sim, d);
    if (director_ask(sim, d) && !d->is_ready) {
        d->is_ready = true;
        sl_sim__director_adopt(sim, d);
    }
    if (d->is_ready) {
        sl_sim__director_place_feeds(sim, d);
        sl_sim__director_run_drains(sim, d);
    }
    sl_sim_engine_push(
        &sim->engine, sim->engine.now + DIRECTOR_PERIOD_NS,
        (struct sl_sim_event){ .kind = SL_SIM_EVENT_DIRECTOR, .host = d->host, .life = d->process, .a = a, .b = b });
}

/* ---- messages ---- */

static void director_on_self(struct director_node *n, const Pb__SelfReport *self)
{
    if (!self)
        return;
    n->has_self = true;
    n->maintainers = self->maintainers;
    n->dispatchers = self->dispatchers;
    n->self_work = self->unflushed_rows + self->maintainers + self->dispatchers + self->source_readers;
}

static void director_on_bootstrap(struct sl_sim *sim, struct sl_sim_director *d, uint32_t member,
                                  const Pb__CoordinatorBootstrapResponse *r)
{
    struct director_node *n = sl_sim__director_node(sim, d, member);
    if (n->is_answered)
        return;
    n->is_answered = true;
    n->node_epoch = r->node_epoch;
    n->liveness = (int)r->liveness;
    director_on_self(n, r->self);
    for (size_t i = 0; i < r->n_statuses; i++)
        sl_sim__director_on_status(sim, d, member, r->statuses[i]);
}

static void director_on_heartbeat(struct director_node *n, const Pb__NodeHeartbeat *hb)
{
    if (hb->node_epoch < n->node_epoch)
        return;
    bool set = sl_node_id_set(&n->target.node, sl_str_of(hb->drain_target_node_id));
    SL_REQUIRE(set);
    n->target.epoch = hb->drain_target_epoch;
    n->node_epoch = hb->node_epoch;
    n->liveness = (int)hb->liveness;
    director_on_self(n, hb->self);
}

static void director_handle(struct sl_sim *sim, struct sl_sim_director *d, uint32_t member, enum sl_msg_type type,
                            const ProtobufCMessage *message)
{
    struct director_node *n = sl_sim__director_node(sim, d, member);
    if (!n->is_tracked)
        return;
    if (type == SL_MSG_COORDINATOR_BOOTSTRAP_RESPONSE) {
        director_on_bootstrap(sim, d, member, (const Pb__CoordinatorBootstrapResponse *)message);
    } else if (!n->is_answered) {
        return;
    } else if (type == SL_MSG_NODE_HEARTBEAT_REQUEST) {
        director_on_heartbeat(n, (const Pb__NodeHeartbeat *)message);
    } else if (type == SL_MSG_SET_NODE_LIVENESS_RESPONSE) {
        const Pb__SetNodeLivenessResponse *r = (const Pb__SetNodeLivenessResponse *)message;
        if (r->node_epoch >= n->node_epoch) {
            n->node_epoch = r->node_epoch;
            n->liveness = (int)r->applied;
            director_on_self(n, r->blocked_by);
        }
    } else {
        const Pb__MaintainerHeartbeat *hb = (const Pb__MaintainerHeartbeat *)message;
        for (size_t i = 0; i < hb->n_statuses; i++)
            sl_sim__director_on_status(sim, d, member, hb->statuses[i]);
    }
}

bool sl_sim_director_on_message(struct sl_sim *sim, struct sl_sim_host *h, enum sl_msg_type type,
                                struct sl_bytes envelope)
{
    if (type != SL_MSG_COORDINATOR_BOOTSTRAP_RESPONSE && type != SL_MSG_MAINTAINER_HEARTBEAT_REQUEST &&
        type != SL_MSG_NODE_HEARTBEAT_REQUEST && type != SL_MSG_SET_NODE_LIVENESS_RESPONSE)
        return false;
    const struct sl_wire_limits limits = SL_WIRE_LIMITS_DEFAULT;
    struct sl_envelope e;
    const ProtobufCMessage *message = NULL;
    struct sl_node_id from;
    enum sl_refusal refusal = sl_envelope_decode(&e, envelope, &limits);
    sl_arena_reset(&sim->arena);
    if (refusal == SL_REFUSE_NONE)
        refusal = sl_payload_decode(type, e.payload[0], &limits, &sim->arena, &message);
    SL_REQUIRE(refusal == SL_REFUSE_NONE && sl_node_id_set(&from, e.from));
    uint32_t member = sl_sim_members_find(sim, &from);
    for (uint32_t i = 0; i < SL_SIM_DIRECTORS; i++) {
        struct sl_sim_director *d = &sim->directors[i];
        if (!d->is_active || d->host != h->index || d->process != h->process)
            continue;
        director_reserve(sim, d);
        if (member != SL_SIM_MEMBER_NONE)
            director_handle(sim, d, member, type, message);
    }
    return true;
}

uint32_t sl_sim_director_owner(struct sl_sim *sim, uint32_t feed)
{
    struct sl_sim_director *d = sl_sim_director_in_charge(sim);
    if (!d || !d->is_ready)
        return SL_SIM_HOST_NONE;
    const struct director_feed *f = sl_sim__director_feed(sim, d, feed);
    if (f->state != DIRECTOR_FEED_RUNNING)
        return SL_SIM_HOST_NONE;
    return sim->members.items[f->owner].host;
}
