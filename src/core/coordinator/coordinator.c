/* SPDX-License-Identifier: Apache-2.0 */
#include "core/coordinator/coordinator.h"

#include "base/check.h"
#include "base/hash.h"
#include "core/common/mem_tags.h"

/* state, legal next states */
#define COORDINATOR_STATES(X)             \
    X(LOADING, GO(RUNNING) | GO(STOPPED)) \
    X(RUNNING, GO(STOPPED))               \
    X(STOPPED, 0u)
enum coordinator_state {
#define COORDINATOR_ENUM(name, next) COORDINATOR_##name,
    COORDINATOR_STATES(COORDINATOR_ENUM)
#undef COORDINATOR_ENUM
};

#define GO(name) (1u << COORDINATOR_##name)
static const uint32_t coordinator_next[] = {
#define COORDINATOR_NEXT(name, next) [COORDINATOR_##name] = (next),
    COORDINATOR_STATES(COORDINATOR_NEXT)
#undef COORDINATOR_NEXT
};
#undef GO

#define COORDINATOR_LIVENESS_RESEND_NS (1 * SL_S)
#define COORDINATOR_TARGET_RESEND_NS (5 * SL_S)
#define COORDINATOR_SILENT_PART 3 /* of the time after which a node is unknown: then it is asked again */
#define COORDINATOR_FEED_STUCK_NS (30 * 60 * SL_S)
#define COORDINATOR_BACKOFF_MIN_NS (10 * SL_S)
#define COORDINATOR_BACKOFF_MAX_NS (600 * SL_S)

struct coordinator_peer { /* by node ref */
    sl_ns ask_at;         /* no bootstrap request before */
    bool is_reported;     /* its maintainers were told to the feeds, in node_epoch */
    uint64_t node_epoch;
};

struct sl_coordinator {
    struct sl_coordinator_opts opts;
    enum coordinator_state state;
    sl_ns now;
    struct sl_nodes *nodes;
    struct sl_feeds *feeds;
    struct sl_drains *drains;
    sl_op_id op_next;
    struct sl_arena scratch; /* lists */
    struct coordinator_peer *peers;
    uint32_t peer_count;
};

/* ---- life ---- */

enum { COORDINATOR_SEED_FEEDS = 1, COORDINATOR_SEED_DRAINS };

static enum sl_code coordinator_new_feeds(struct sl_coordinator *c, sl_ns now)
{
    const struct sl_coordinator_opts *o = &c->opts;
    const struct sl_feeds_opts opts = {
        .mem = o->mem,
        .members = o->members,
        .nodes = c->nodes,
        .cluster = o->cluster,
        .seed = sl_hash_u64x2(o->seed, o->version, COORDINATOR_SEED_FEEDS),
        .feed_count_max = o->feed_count_max,
        .batch = o->batch,
        .operator_resend_ns = o->operator_resend_ns,
        .balance_ns = o->balance_ns,
        .operator_timeout_ns = o->operator_timeout_ns,
        .stuck_ns = COORDINATOR_FEED_STUCK_NS,
        .backoff_min_ns = COORDINATOR_BACKOFF_MIN_NS,
        .backoff_max_ns = COORDINATOR_BACKOFF_MAX_NS,
        .interop = o->interop,
        .op_next = &c->op_next,
        .wall_offset_ns = o->wall_offset_ns,
        .config_bytes_max = o->config_bytes_max,
    };
    return sl_feeds_new(&c->feeds, &opts, now);
}

static enum sl_code coordinator_new_drains(struct sl_coordinator *c, sl_ns now)
{
    const struct sl_coordinator_opts *o = &c->opts;
    const struct sl_drains_opts opts = {
        .mem = o->mem,
        .members = o->members,
        .membership = o->membership,
        .nodes = c->nodes,
        .feeds = c->feeds,
        .cluster = o->cluster,
        .seed = sl_hash_u64x2(o->seed, o->version, COORDINATOR_SEED_DRAINS),
        .session_count_max = o->session_count_max,
        .history_count_max = o->history_count_max,
        .liveness_resend_ns = COORDINATOR_LIVENESS_RESEND_NS,
        .target_resend_ns = COORDINATOR_TARGET_RESEND_NS,
        .wall_offset_ns = o->wall_offset_ns,
        .op_next = &c->op_next,
    };
    return sl_drains_new(&c->drains, &opts, now);
}

static sl_node_ref coordinator_member_after(const struct sl_coordinator *c, sl_node_ref ref)
{
    return sl_members_next(c->opts.members, ref);
}

static enum sl_code coordinator_init(struct sl_coordinator *c, const struct sl_coordinator_opts *opts, sl_ns now)
{
    c->opts = *opts;
    c->now = now;
    c->op_next = opts->op_base;
    c->peer_count = sl_members_ref_max(opts->members) + 1;
    sl_arena_init(&c->scratch, opts->mem, SL_TAG_COORDINATOR, c->peer_count * sizeof(struct sl_node_view));
    c->peers = sl_mem_alloc(opts->mem, SL_TAG_COORDINATOR, c->peer_count * sizeof *c->peers);
    enum sl_code code = c->peers ? SL_OK : SL_NOMEM;
    if (code == SL_OK)
        code = sl_nodes_new(&c->nodes, opts->mem, opts->members, opts->unknown_ns);
    if (code == SL_OK)
        code = coordinator_new_feeds(c, now);
    return code == SL_OK ? coordinator_new_drains(c, now) : code;
}

enum sl_code sl_coordinator_new(struct sl_coordinator **out, const struct sl_coordinator_opts *opts, sl_ns now)
{
    SL_REQUIRE(opts->version > 0 && opts->version <= INT64_MAX);
    *out = NULL;
    struct sl_coordinator *c = sl_mem_alloc(opts->mem, SL_TAG_COORDINATOR, sizeof *c);
    if (!c)
        return SL_NOMEM;
    enum sl_code code = coordinator_init(c, opts, now);
    if (code != SL_OK) {
        sl_coordinator_free(c);
        return code;
    }
    for (sl_node_ref ref = coordinator_member_after(c, SL_NODE_NONE); ref != SL_NODE_NONE;
         ref = coordinator_member_after(c, ref))
        sl_nodes_add(c->nodes, now, ref);
    *out = c;
    return SL_OK;
}

void sl_coordinator_free(struct sl_coordinator *c)
{
    if (!c)
        return;
    struct sl_mem *mem = c->opts.mem;
    sl_drains_free(c->drains);
    sl_feeds_free(c->feeds);
    sl_nodes_free(c->nodes);
    sl_arena_deinit(&c->scratch);
    sl_mem_free(mem, SL_TAG_COORDINATOR, c->peers, c->peer_count * sizeof *c->peers);
    sl_mem_free(mem, SL_TAG_COORDINATOR, c, sizeof *c);
}

static void coordinator_set_state(struct sl_coordinator *c, enum coordinator_state state)
{
    SL_REQUIRE((coordinator_next[c->state] & (1u << state)) != 0);
    c->state = state;
}

void sl_coordinator_stop(struct sl_coordinator *c, sl_ns now, struct sl_outbox *out)
{
    if (c->state == COORDINATOR_STOPPED)
        return;
    sl_drains_stop(c->drains, now, out);
    sl_feeds_stop(c->feeds, out);
    coordinator_set_state(c, COORDINATOR_STOPPED);
}

static bool coordinator_begin(struct sl_coordinator *c, sl_ns now)
{
    SL_REQUIRE(now >= c->now);
    c->now = now;
    return c->state != COORDINATOR_STOPPED;
}

/* ---- bootstrap ---- */

static bool coordinator_has_answered(const struct sl_coordinator *c, sl_node_ref ref)
{
    return sl_nodes_at(c->nodes, ref)->bootstrapped;
}

/*
 * When to ask a node for its bootstrap (again). One that answered is heard every few seconds; if it is silent, its process
 * may have been replaced under the same id by one that says nothing before it is asked.
 */
static sl_ns coordinator_ask_at(const struct sl_coordinator *c, sl_node_ref ref)
{
    sl_ns at = c->peers[ref].ask_at;
    sl_ns silent_at = sl_ns_after(sl_nodes_at(c->nodes, ref)->last_seen, c->opts.unknown_ns / COORDINATOR_SILENT_PART);
    return coordinator_has_answered(c, ref) && silent_at > at ? silent_at : at;
}

static void coordinator_ask_due(struct sl_coordinator *c, struct sl_outbox *out)
{
    Pb__CoordinatorBootstrapRequest m = PB__COORDINATOR_BOOTSTRAP_REQUEST__INIT;
    m.version = (int64_t)c->opts.version;
    for (sl_node_ref ref = coordinator_member_after(c, SL_NODE_NONE); ref != SL_NODE_NONE;
         ref = coordinator_member_after(c, ref)) {
        if (c->now < coordinator_ask_at(c, ref))
            continue;
        (void)sl_out_send(out, ref, SL_MSG_COORDINATOR_BOOTSTRAP_REQUEST, &m.base);
        c->peers[ref].ask_at = sl_ns_after(c->now, c->opts.bootstrap_resend_ns);
    }
}

static bool coordinator_has_vanished(const struct sl_coordinator *c, sl_node_ref ref)
{
    const struct sl_membership *m = c->opts.membership;
    return m && sl_membership_has_vanished(m, sl_members_id(c->opts.members, ref));
}

/*
 * Whoever has lost its lease has fenced itself: what it ran is to be placed anew, and its answer is not waited for. If it
 * registers again it counts as one that joins later.
 */
static bool coordinator_is_waited_for(const struct sl_coordinator *c, sl_node_ref ref)
{
    return !coordinator_has_answered(c, ref) && !coordinator_has_vanished(c, ref);
}

static bool coordinator_is_complete(const struct sl_coordinator *c)
{
    if (!sl_feeds_is_loaded(c->feeds) || !sl_drains_is_loaded(c->drains))
        return false;
    for (sl_node_ref ref = coordinator_member_after(c, SL_NODE_NONE); ref != SL_NODE_NONE;
         ref = coordinator_member_after(c, ref)) {
        if (coordinator_is_waited_for(c, ref))
            return false;
    }
    return true;
}

/* Feeds first, because drains count what they settled; but not before they know where they may place nothing. */
static void coordinator_settle(struct sl_coordinator *c, struct sl_outbox *out)
{
    if (c->state != COORDINATOR_LOADING || !coordinator_is_complete(c))
        return;
    coordinator_set_state(c, COORDINATOR_RUNNING);
    sl_drains_announce(c->drains, c->now, out);
    sl_feeds_settle(c->feeds, c->now, out);
    sl_drains_settle(c->drains, c->now, out);
}

void sl_coordinator_start(struct sl_coordinator *c, sl_ns now, struct sl_outbox *out)
{
    SL_REQUIRE(c->state == COORDINATOR_LOADING);
    (void)coordinator_begin(c, now);
    sl_feeds_load(c->feeds, now, out);
    sl_drains_load(c->drains, now, out);
    coordinator_ask_due(c, out);
}

/* ---- messages ---- */

/* Something was observed of a node. The drains look first: they say who is held back as a destination. */
static void coordinator_seen(struct sl_coordinator *c, sl_node_ref from, struct sl_outbox *out)
{
    if (c->state != COORDINATOR_RUNNING)
        return;
    sl_drains_on_node_seen(c->drains, c->now, from);
    sl_feeds_nodes_changed(c->feeds, c->now, out);
}

/* Another process, or the same after an undrain: what it understands, and what it runs, has to be asked again. */
static void coordinator_ask_if_new(struct sl_coordinator *c, sl_node_ref from, bool had_answered, struct sl_outbox *out)
{
    if (!had_answered || coordinator_has_answered(c, from))
        return;
    c->peers[from].ask_at = c->now;
    coordinator_ask_due(c, out);
}

/* While loading, what a node runs is collected: once per process, and anew if that was replaced. */
static void coordinator_collect(struct sl_coordinator *c, sl_node_ref from, const Pb__CoordinatorBootstrapResponse *r,
                                struct sl_outbox *out)
{
    struct coordinator_peer *peer = &c->peers[from];
    uint64_t node_epoch = sl_nodes_at(c->nodes, from)->node_epoch;
    if (peer->is_reported && peer->node_epoch == node_epoch)
        return;
    if (peer->is_reported)
        sl_feeds_on_node_lost(c->feeds, c->now, from, out);
    peer->is_reported = true;
    peer->node_epoch = node_epoch;
    for (size_t i = 0; i < r->n_statuses; i++)
        sl_feeds_reported(c->feeds, from, r->statuses[i]);
}

/*
 * While running: a process that replaced another one under the same id runs nothing, so what was bound to that one has
 * to be placed anew. After an undrain it is the same process, which lists what it runs.
 */
static void coordinator_note_process(struct sl_coordinator *c, sl_node_ref from,
                                     const Pb__CoordinatorBootstrapResponse *r, struct sl_outbox *out)
{
    struct coordinator_peer *peer = &c->peers[from];
    uint64_t node_epoch = sl_nodes_at(c->nodes, from)->node_epoch;
    if (peer->is_reported && peer->node_epoch != node_epoch && r->n_statuses == 0)
        sl_feeds_on_node_replaced(c->feeds, c->now, from, out);
    peer->is_reported = true;
    peer->node_epoch = node_epoch;
    sl_drains_on_node_seen(c->drains, c->now, from);
}

static enum sl_refusal coordinator_on_bootstrap(struct sl_coordinator *c, sl_node_ref from,
                                                const Pb__CoordinatorBootstrapResponse *r, struct sl_outbox *out)
{
    bool had_answered = coordinator_has_answered(c, from);
    if (!sl_nodes_on_bootstrap(c->nodes, c->now, from, r))
        return SL_REFUSE_STALE_VERSION;
    coordinator_ask_if_new(c, from, had_answered, out);
    if (c->state == COORDINATOR_LOADING)
        coordinator_collect(c, from, r, out);
    else
        coordinator_note_process(c, from, r, out);
    for (size_t i = 0; i < r->n_statuses && c->state == COORDINATOR_RUNNING; i++)
        sl_feeds_on_status(c->feeds, c->now, from, r->statuses[i], out);
    coordinator_settle(c, out);
    coordinator_seen(c, from, out);
    return SL_REFUSE_NONE;
}

static enum sl_refusal coordinator_on_statuses(struct sl_coordinator *c, sl_node_ref from,
                                               const Pb__MaintainerHeartbeat *hb, struct sl_outbox *out)
{
    if (c->state == COORDINATOR_LOADING)
        return SL_REFUSE_NONE; /* passed over: it is said again every second */
    if (!coordinator_has_answered(c, from))
        return SL_REFUSE_NOT_BOOTSTRAPPED;
    for (size_t i = 0; i < hb->n_statuses; i++)
        sl_feeds_on_status(c->feeds, c->now, from, hb->statuses[i], out);
    sl_drains_on_node_seen(c->drains, c->now, from);
    return SL_REFUSE_NONE;
}

static enum sl_refusal coordinator_on_observation(struct sl_coordinator *c, sl_node_ref from, enum sl_msg_type type,
                                                  const ProtobufCMessage *message, struct sl_outbox *out)
{
    bool had_answered = coordinator_has_answered(c, from), is_taken;
    if (type == SL_MSG_NODE_HEARTBEAT_REQUEST)
        is_taken = sl_nodes_on_heartbeat(c->nodes, c->now, from, (const Pb__NodeHeartbeat *)(const void *)message);
    else
        is_taken =
            sl_nodes_on_liveness(c->nodes, c->now, from, (const Pb__SetNodeLivenessResponse *)(const void *)message);
    if (!is_taken)
        return SL_REFUSE_STALE_VERSION;
    coordinator_ask_if_new(c, from, had_answered, out);
    coordinator_seen(c, from, out);
    return SL_REFUSE_NONE;
}

enum sl_refusal sl_coordinator_on_message(struct sl_coordinator *c, sl_ns now, sl_node_ref from, enum sl_msg_type type,
                                          const ProtobufCMessage *message, struct sl_outbox *out)
{
    if (!coordinator_begin(c, now))
        return SL_REFUSE_NOT_HANDLED;
    if (type == SL_MSG_COORDINATOR_BOOTSTRAP_RESPONSE)
        return coordinator_on_bootstrap(c, from, (const Pb__CoordinatorBootstrapResponse *)(const void *)message, out);
    if (type == SL_MSG_MAINTAINER_HEARTBEAT_REQUEST)
        return coordinator_on_statuses(c, from, (const Pb__MaintainerHeartbeat *)(const void *)message, out);
    if (type == SL_MSG_NODE_HEARTBEAT_REQUEST || type == SL_MSG_SET_NODE_LIVENESS_RESPONSE)
        return coordinator_on_observation(c, from, type, message, out);
    /* Resolved timestamps of a foreign log coordinator: nobody here asks for them, and they do no harm. */
    return type == SL_MSG_LOG_COORDINATOR_RESOLVED_TS_RESPONSE ? SL_REFUSE_NONE : SL_REFUSE_NOT_HANDLED;
}

/* ---- members ---- */

static void coordinator_on_lost(struct sl_coordinator *c, sl_node_ref ref, struct sl_outbox *out)
{
    sl_drains_on_node_lost(c->drains, c->now, ref, out);
    sl_feeds_on_node_lost(c->feeds, c->now, ref, out);
    sl_nodes_remove(c->nodes, ref);
    c->peers[ref] = (struct coordinator_peer){ 0 };
}

static void coordinator_on_added(struct sl_coordinator *c, sl_node_ref ref)
{
    sl_nodes_add(c->nodes, c->now, ref);
    c->peers[ref] = (struct coordinator_peer){ .ask_at = c->now };
    sl_drains_on_node_added(c->drains, c->now, ref);
}

/* The order is the reference's: drains judge completeness before anything of the node is forgotten; a node that left may
 * have been the last one that bootstrap waited for. */
void sl_coordinator_on_members(struct sl_coordinator *c, sl_ns now, const struct sl_members_change *change,
                               struct sl_outbox *out)
{
    if (!coordinator_begin(c, now))
        return;
    for (uint32_t i = 0; i < change->removed_count; i++)
        coordinator_on_lost(c, change->removed[i], out);
    for (uint32_t i = 0; i < change->added_count; i++)
        coordinator_on_added(c, change->added[i]);
    coordinator_ask_due(c, out);
    coordinator_settle(c, out);
}

/* ---- store, time ---- */

bool sl_coordinator_on_store(struct sl_coordinator *c, sl_ns now, const struct sl_store_result *r,
                             struct sl_outbox *out)
{
    if (!coordinator_begin(c, now))
        return false;
    bool is_ours = sl_drains_on_store(c->drains, now, r, out) || sl_feeds_on_store(c->feeds, now, r, out);
    coordinator_settle(c, out);
    return is_ours;
}

void sl_coordinator_on_tick(struct sl_coordinator *c, sl_ns now, struct sl_outbox *out)
{
    if (!coordinator_begin(c, now))
        return;
    coordinator_ask_due(c, out);
    sl_feeds_on_tick(c->feeds, now, out);
    sl_drains_on_tick(c->drains, now, out);
    coordinator_settle(c, out);
}

sl_ns sl_coordinator_deadline(const struct sl_coordinator *c)
{
    if (c->state == COORDINATOR_STOPPED)
        return SL_NEVER;
    sl_ns at = sl_ns_min(sl_feeds_deadline(c->feeds), sl_drains_deadline(c->drains));
    for (sl_node_ref ref = coordinator_member_after(c, SL_NODE_NONE); ref != SL_NODE_NONE;
         ref = coordinator_member_after(c, ref))
        at = sl_ns_min(at, coordinator_ask_at(c, ref));
    return at;
}

/* ---- requests ---- */

static void coordinator_answer(uint64_t ticket, enum sl_code code, const char *detail, struct sl_outbox *out)
{
    struct sl_reply r = { .ticket = ticket, .code = code };
    struct sl_text t;
    sl_text_init(&t, r.detail, sizeof r.detail);
    sl_text_cstr(&t, detail);
    sl_out_reply(out, &r);
}

static void coordinator_view_node(const struct sl_coordinator *c, sl_node_ref ref, struct sl_node_view *v)
{
    const struct sl_observed *o = sl_nodes_at(c->nodes, ref);
    *v = (struct sl_node_view){ .capture.id = *sl_members_id(c->opts.members, ref),
                                .is_owner = ref == sl_members_self(c->opts.members),
                                .observed = o->observed,
                                .unknown = sl_nodes_is_unknown(c->nodes, c->now, ref),
                                .liveness = (int)o->liveness,
                                .capabilities = o->capabilities,
                                .has_report = o->self.valid,
                                .is_draining = sl_feeds_is_draining(c->feeds, ref),
                                .silent_ns = o->observed ? c->now - o->last_seen : SL_NEVER };
    v->maintainers = o->self.valid ? o->self.maintainers : sl_feeds_maintainers_on(c->feeds, ref);
    v->dispatchers = o->self.dispatchers;
    v->readers = o->self.readers;
    v->unflushed_rows = o->self.unflushed_rows;
    struct sl_membership_view view = { 0 };
    if (c->opts.membership)
        sl_membership_view(c->opts.membership, &view);
    for (uint32_t i = 0; i < view.member_count; i++) {
        if (sl_node_id_eq(&view.members[i].id, &v->capture.id))
            v->capture = view.members[i];
    }
}

static void coordinator_list_nodes(struct sl_coordinator *c, const struct sl_request *r, struct sl_outbox *out)
{
    uint32_t count = 0;
    sl_arena_reset(&c->scratch);
    struct sl_node_view *views =
        sl_arena_alloc(&c->scratch, sl_members_alive_count(c->opts.members) * sizeof(struct sl_node_view));
    if (!views) {
        coordinator_answer(r->ticket, SL_NOMEM, "no memory for the list", out);
        return;
    }
    for (sl_node_ref ref = coordinator_member_after(c, SL_NODE_NONE); ref != SL_NODE_NONE;
         ref = coordinator_member_after(c, ref))
        coordinator_view_node(c, ref, &views[count++]);
    struct sl_reply reply = { .ticket = r->ticket, .code = SL_OK, .nodes = views, .node_count = count };
    sl_out_reply(out, &reply);
}

static void coordinator_remove_node(struct sl_coordinator *c, const struct sl_request *r, struct sl_outbox *out)
{
    sl_node_ref ref = sl_members_find_prefix(c->opts.members, r->node);
    if (ref == SL_NODE_NONE)
        coordinator_answer(r->ticket, SL_NOT_FOUND, "no such node: one whose lease has ended leaves nothing behind",
                           out);
    else if (coordinator_has_vanished(c, ref))
        coordinator_answer(r->ticket, SL_OK, "its lease has ended: it leaves by itself, within seconds", out);
    else if (sl_nodes_is_unknown(c->nodes, c->now, ref))
        coordinator_answer(r->ticket, SL_REFUSED, "it is silent, but keeps its lease and may write: end its process",
                           out);
    else
        coordinator_answer(r->ticket, SL_REFUSED, "it is alive: drain it, then stop its process", out);
}

static void coordinator_pass_to_feeds(struct sl_coordinator *c, const struct sl_request *r, struct sl_outbox *out)
{
    if (c->state == COORDINATOR_RUNNING)
        sl_feeds_on_request(c->feeds, c->now, r, out);
    else
        coordinator_answer(r->ticket, SL_NOT_READY, sl_blocker_text(SL_BLOCKED_COORDINATOR_STARTING), out);
}

void sl_coordinator_on_request(struct sl_coordinator *c, sl_ns now, const struct sl_request *r, struct sl_outbox *out)
{
    if (!coordinator_begin(c, now)) {
        coordinator_answer(r->ticket, SL_NOT_OWNER, "this node ceased to be the coordinator: ask the new one", out);
        return;
    }
    switch (r->verb) {
    case SL_REQUEST_DRAIN_NODE:
    case SL_REQUEST_DRAIN:
    case SL_REQUEST_DRAIN_SHOW:
    case SL_REQUEST_DRAIN_LIST:
    case SL_REQUEST_UNDRAIN:
        sl_drains_on_request(c->drains, now, r, out);
        return;
    case SL_REQUEST_NODE_LIST:
        coordinator_list_nodes(c, r, out);
        return;
    case SL_REQUEST_FEED_CREATE:
    case SL_REQUEST_FEED_PAUSE:
    case SL_REQUEST_FEED_RESUME:
    case SL_REQUEST_FEED_REMOVE:
    case SL_REQUEST_FEED_UPDATE:
    case SL_REQUEST_FEED_SHOW:
    case SL_REQUEST_FEED_LIST:
    case SL_REQUEST_FEED_MOVE:
    case SL_REQUEST_TABLE_LIST:
    case SL_REQUEST_TABLE_MOVE:
    case SL_REQUEST_DISPATCHER_COUNT:
    case SL_REQUEST_CLUSTER_STOP:
        coordinator_pass_to_feeds(c, r, out);
        return;
    case SL_REQUEST_NODE_REMOVE:
        coordinator_remove_node(c, r, out);
        return;
    case SL_REQUEST_RESIGN:
        coordinator_answer(r->ticket, SL_REFUSED, "the node resigns, not its coordinator", out);
        return;
    }
    SL_UNREACHABLE();
}

/* ---- views ---- */

bool sl_coordinator_is_running(const struct sl_coordinator *c)
{
    return c->state == COORDINATOR_RUNNING;
}

bool sl_coordinator_wants_resign(const struct sl_coordinator *c)
{
    return c->state == COORDINATOR_RUNNING && sl_drains_wants_resign(c->drains);
}
