/* SPDX-License-Identifier: Apache-2.0 */
#include "core/node/node.h"

#include "base/check.h"
#include "base/hash.h"
#include "core/common/mem_tags.h"

/* Which part of a node a message type is for; what is in no row is not for a node. */
#define NODE_ROUTES(X)                                 \
    X(HEART_BEAT_REQUEST, MANAGER)                     \
    X(HEART_BEAT_RESPONSE, ORCHESTRATOR)               \
    X(SCHEDULE_DISPATCHER_REQUEST, ORCHESTRATOR)       \
    X(CHECKPOINT_TS_MESSAGE, MANAGER)                  \
    X(BLOCK_STATUS_REQUEST, MANAGER)                   \
    X(MERGE_DISPATCHER_REQUEST, ORCHESTRATOR)          \
    X(COORDINATOR_BOOTSTRAP_REQUEST, MANAGER)          \
    X(ADD_MAINTAINER_REQUEST, MANAGER)                 \
    X(REMOVE_MAINTAINER_REQUEST, MANAGER)              \
    X(MAINTAINER_BOOTSTRAP_REQUEST, ORCHESTRATOR)      \
    X(MAINTAINER_BOOTSTRAP_RESPONSE, MANAGER)          \
    X(MAINTAINER_POST_BOOTSTRAP_REQUEST, ORCHESTRATOR) \
    X(MAINTAINER_POST_BOOTSTRAP_RESPONSE, MANAGER)     \
    X(MAINTAINER_CLOSE_REQUEST, ORCHESTRATOR)          \
    X(MAINTAINER_CLOSE_RESPONSE, MANAGER)              \
    X(SET_NODE_LIVENESS_REQUEST, MANAGER)              \
    X(SET_DISPATCHER_DRAIN_TARGET_REQUEST, MANAGER)    \
    X(COORDINATOR_BOOTSTRAP_RESPONSE, CLUSTER)         \
    X(MAINTAINER_HEARTBEAT_REQUEST, CLUSTER)           \
    X(LOG_COORDINATOR_RESOLVED_TS_RESPONSE, CLUSTER)   \
    X(NODE_HEARTBEAT_REQUEST, CLUSTER)                 \
    X(SET_NODE_LIVENESS_RESPONSE, CLUSTER)

enum node_part { NODE_NOBODY, NODE_MANAGER, NODE_ORCHESTRATOR, NODE_CLUSTER };

static const enum node_part node_parts[SL_MSG_COUNT] = {
#define NODE_ROUTE(name, part) [SL_MSG_##name] = NODE_##part,
    NODE_ROUTES(NODE_ROUTE)
#undef NODE_ROUTE
};

struct sl_node {
    struct sl_node_opts opts;
    struct sl_members *members;
    struct sl_manager *manager;
    struct sl_orchestrator *orchestrator;
    struct sl_cluster *cluster; /* null: the shell says who is a member */
    bool cluster_started, fenced;
    struct sl_arena decode; /* the payloads of the message of this step */
    uint64_t refusals[SL_REFUSAL_COUNT];
    sl_ns now;
    enum sl_liveness told_liveness; /* what the orchestrator knows */
    struct sl_hosted told_hosted;   /* what the manager knows */
};

/* One message on its way through the node. */
struct node_message {
    struct sl_envelope envelope;
    sl_node_ref from;
    const ProtobufCMessage *payloads[SL_PAYLOADS_MAX];
};

/* ---- life ---- */

enum { NODE_COUNT_DEFAULT = 256, NODE_FEEDS_DEFAULT = 4096, NODE_CONFIG_BYTES_DEFAULT = 1 << 20 };
#define NODE_DECODE_GROWTH 4 /* decoded messages are larger than their bytes; beyond this they are refused */

void sl_node_opts_default(struct sl_node_opts *opts)
{
    *opts = (struct sl_node_opts){
        .node_count_max = NODE_COUNT_DEFAULT,
        .wire = SL_WIRE_LIMITS_DEFAULT,
        .manager = { .feed_count_max = NODE_FEEDS_DEFAULT,
                     .config_bytes_max = NODE_CONFIG_BYTES_DEFAULT,
                     .enforce_self_guard = true,
                     .tick_ns = SL_MANAGER_TICK_NS,
                     .heartbeat_ns = SL_MANAGER_HEARTBEAT_NS,
                     .heartbeat_min_ns = SL_MANAGER_HEARTBEAT_MIN_NS,
                     .status_resend_ns = SL_MANAGER_STATUS_RESEND_NS,
                     .maintainer = SL_MAINTAINER_LIMITS_DEFAULT,
                     .pacer = SL_PACER_OPTS_DEFAULT },
        .orchestrator = SL_ORCHESTRATOR_OPTS_DEFAULT,
        .membership = SL_MEMBERSHIP_OPTS_DEFAULT,
        .coordinator = SL_COORDINATOR_OPTS_DEFAULT,
    };
    opts->decode_bytes_max = NODE_DECODE_GROWTH * opts->wire.message_bytes_max;
}

/* Streams of the node's seed. */
enum { NODE_SEED_MEMBERS = 1, NODE_SEED_MANAGER, NODE_SEED_ORCHESTRATOR, NODE_SEED_CLUSTER };

static void node_complete_opts(struct sl_node *n)
{
    struct sl_node_opts *o = &n->opts;
    o->manager.mem = o->orchestrator.mem = o->mem;
    o->manager.members = o->orchestrator.members = n->members;
    o->manager.node_epoch = o->node_epoch;
    o->manager.interop = o->orchestrator.interop = o->interop;
    o->manager.reads_members = o->membership.cluster.len > 0;
    o->manager.seed = sl_hash_u64x2(o->seed, o->node_epoch, NODE_SEED_MANAGER);
    o->orchestrator.start_epoch = o->node_epoch;
    o->orchestrator.seed = sl_hash_u64x2(o->seed, o->node_epoch, NODE_SEED_ORCHESTRATOR);
}

static enum sl_code node_new_cluster(struct sl_node *n, sl_ns now)
{
    const struct sl_node_opts *o = &n->opts;
    if (o->membership.cluster.len == 0)
        return SL_OK;
    struct sl_cluster_opts c = { .mem = o->mem,
                                 .members = n->members,
                                 .membership = o->membership,
                                 .coordinator = o->coordinator,
                                 .seed = sl_hash_u64x2(o->seed, o->node_epoch, NODE_SEED_CLUSTER) };
    c.membership.self.id = o->id;
    c.membership.self.node_epoch = o->node_epoch;
    c.membership.interop = o->interop;
    /* The table of members holds the node itself and what membership knows besides. */
    c.membership.node_count_max = sl_u32_min(c.membership.node_count_max, o->node_count_max - 1);
    return sl_cluster_new(&n->cluster, &c, now);
}

static enum sl_code node_new_parts(struct sl_node *n, sl_ns now)
{
    const struct sl_node_opts *o = &n->opts;
    uint64_t seed = sl_hash_u64x2(o->seed, o->node_epoch, NODE_SEED_MEMBERS);
    enum sl_code code = sl_members_new(&n->members, o->mem, &o->id, o->node_count_max, seed);
    node_complete_opts(n);
    if (code == SL_OK)
        code = sl_manager_new(&n->manager, &o->manager, now);
    if (code == SL_OK)
        code = sl_orchestrator_new(&n->orchestrator, &o->orchestrator, now);
    return code == SL_OK ? node_new_cluster(n, now) : code;
}

enum sl_code sl_node_new(struct sl_node **out, const struct sl_node_opts *opts, sl_ns now)
{
    SL_REQUIRE(opts->node_epoch != 0 && !sl_node_id_is_none(&opts->id));
    *out = NULL;
    struct sl_node *n = sl_mem_alloc(opts->mem, SL_TAG_NODE, sizeof *n);
    if (!n)
        return SL_NOMEM;
    n->opts = *opts;
    n->now = now;
    sl_arena_init(&n->decode, opts->mem, SL_TAG_DECODE, opts->decode_bytes_max);
    enum sl_code code = node_new_parts(n, now);
    if (code != SL_OK) {
        sl_node_free(n);
        return code;
    }
    *out = n;
    return SL_OK;
}

void sl_node_free(struct sl_node *n)
{
    if (!n)
        return;
    sl_cluster_free(n->cluster);
    sl_orchestrator_free(n->orchestrator);
    sl_manager_free(n->manager);
    sl_members_free(n->members);
    sl_arena_deinit(&n->decode);
    sl_mem_free(n->opts.mem, SL_TAG_NODE, n, sizeof *n);
}

/* ---- messages ---- */

/*
 * A process that took over the id of one before it, and has no capture key of its own yet, is taken for that one: what is
 * placed on it would be counted out when the old key expires, while it works.
 */
static bool node_is_known(const struct sl_node *n)
{
    struct sl_membership_view view;
    if (!n->cluster)
        return true;
    sl_membership_view(sl_cluster_membership(n->cluster), &view);
    return view.joined || view.fenced || view.left;
}

static enum sl_refusal node_check_address(const struct sl_node *n, struct node_message *m)
{
    if (!sl_str_eq(m->envelope.to, sl_node_id_str(&n->opts.id)))
        return SL_REFUSE_WRONG_TARGET;
    if (!node_is_known(n))
        return SL_REFUSE_NOT_BOOTSTRAPPED;
    m->from = sl_members_find_str(n->members, m->envelope.from);
    if (m->from == SL_NODE_NONE)
        return SL_REFUSE_UNKNOWN_NODE;
    enum node_part part = node_parts[m->envelope.type];
    bool is_for_nobody = part == NODE_NOBODY || (part == NODE_CLUSTER && !n->cluster);
    return is_for_nobody ? SL_REFUSE_NOT_HANDLED : SL_REFUSE_NONE;
}

/* All or nothing: a message of which one payload is bad is not handled in part. */
static enum sl_refusal node_decode(struct sl_node *n, struct node_message *m, struct sl_bytes bytes)
{
    enum sl_refusal refusal = sl_envelope_decode(&m->envelope, bytes, &n->opts.wire);
    if (refusal == SL_REFUSE_NONE)
        refusal = node_check_address(n, m);
    for (uint32_t i = 0; refusal == SL_REFUSE_NONE && i < m->envelope.payload_count; i++)
        refusal =
            sl_payload_decode(m->envelope.type, m->envelope.payload[i], &n->opts.wire, &n->decode, &m->payloads[i]);
    return refusal;
}

static void node_spread_liveness(struct sl_node *n, struct sl_outbox *out)
{
    enum sl_liveness liveness = sl_manager_liveness(n->manager);
    if (liveness == n->told_liveness)
        return;
    n->told_liveness = liveness;
    sl_orchestrator_set_liveness(n->orchestrator, n->now, liveness, out);
}

/*
 * What a maintainer passes on to its own node: the same type as what it was sent, to the second topic. It is for the
 * sink of the table trigger and goes no further in the control plane; the maintainer would pass it on for ever.
 */
static bool node_is_passed_on(const struct node_message *m)
{
    struct sl_str second = sl_str_of(sl_topic_text(sl_msg_row((int32_t)m->envelope.type)->topic2));
    return m->envelope.type == SL_MSG_CHECKPOINT_TS_MESSAGE && sl_str_eq(m->envelope.topic, second);
}

static enum sl_refusal node_pass_on(struct sl_node *n, const struct node_message *m, const ProtobufCMessage *payload,
                                    struct sl_outbox *out)
{
    const Pb__CheckpointTsMessage *message = (const void *)payload;
    struct sl_feed_id feed;
    if (m->from == sl_members_self(n->members) && sl_feed_id_set(&feed, message->changefeed))
        sl_orchestrator_on_checkpoint(n->orchestrator, &feed, message->checkpoint_ts, out);
    return SL_REFUSE_NONE;
}

static enum sl_refusal node_handle(struct sl_node *n, const struct node_message *m, const ProtobufCMessage *payload,
                                   struct sl_outbox *out)
{
    struct sl_hosted hosted;
    if (node_is_passed_on(m))
        return node_pass_on(n, m, payload, out);
    switch (node_parts[m->envelope.type]) {
    case NODE_MANAGER:
        sl_node_hosted(n, &hosted);
        return sl_manager_on_message(n->manager, n->now, m->from, m->envelope.type, payload, &hosted, out);
    case NODE_ORCHESTRATOR:
        return sl_orchestrator_on_message(n->orchestrator, n->now, m->from, m->envelope.type, payload, out);
    case NODE_CLUSTER:
        return sl_cluster_on_message(n->cluster, n->now, m->from, m->envelope.type, payload, out);
    case NODE_NOBODY:
        break;
    }
    SL_UNREACHABLE();
}

static void node_refuse(struct sl_node *n, const struct sl_envelope *e, enum sl_refusal reason, struct sl_outbox *out)
{
    const struct sl_msg_row *row = sl_msg_row((int32_t)e->type);
    n->refusals[reason]++;
    /* Nodes speak to their last coordinator until the next one calls them: that is no news. */
    if (reason == SL_REFUSE_NOT_HANDLED && n->cluster && node_parts[e->type] == NODE_CLUSTER)
        return;
    /* Nor that the others speak to a node until they have heard that it leaves. */
    if (reason == SL_REFUSE_STOPPING && n->fenced)
        return;
    sl_out_event(out, SL_EV_MESSAGE_REFUSED, sl_f_str("reason", sl_str_of(sl_refusal_name(reason))),
                 sl_f_str("type", row ? sl_str_of(row->name) : SL_STR("unknown")), sl_f_str("from", e->from));
}

/* One line for the message, with the first reason, however many of its payloads were refused. */
static void node_on_message(struct sl_node *n, struct sl_bytes bytes, struct sl_outbox *out)
{
    struct node_message m;
    enum sl_refusal first = node_decode(n, &m, bytes);
    uint32_t count = first == SL_REFUSE_NONE ? m.envelope.payload_count : 0;
    for (uint32_t i = 0; i < count; i++) {
        enum sl_refusal refusal = node_handle(n, &m, m.payloads[i], out);
        if (first == SL_REFUSE_NONE)
            first = refusal;
        node_spread_liveness(n, out);
    }
    if (first != SL_REFUSE_NONE)
        node_refuse(n, &m.envelope, first, out);
    sl_arena_reset(&n->decode);
}

/* ---- other inputs ---- */

static void node_tell_members(struct sl_node *n, const struct sl_members_change *change, uint32_t left_out,
                              struct sl_outbox *out)
{
    sl_out_event(out, SL_EV_MEMBERS_CHANGED, sl_f_u64("added", change->added_count),
                 sl_f_u64("removed", change->removed_count), sl_f_u64("members", sl_members_alive_count(n->members)),
                 sl_f_u64("left_out", left_out));
    sl_manager_on_members(n->manager, n->now, change, out);
    sl_orchestrator_on_members(n->orchestrator, n->now, change, out);
    if (n->cluster)
        sl_cluster_on_members(n->cluster, n->now, change, out);
}

/*
 * A full table frees the slots of removed members only for the next snapshot. So when some were left out, the same
 * snapshot is applied again, now that every part has dropped the removed ones.
 */
static void node_on_members(struct sl_node *n, const struct sl_in_members *members, struct sl_outbox *out)
{
    const struct sl_members_change *change;
    uint32_t left_out;
    do {
        left_out = sl_members_apply(n->members, members->ids, members->count, &change);
        if (change->added_count + change->removed_count > 0)
            node_tell_members(n, change, left_out, out);
    } while (left_out > 0 && change->removed_count > 0);
}

static void node_on_tick(struct sl_node *n, struct sl_outbox *out)
{
    struct sl_hosted hosted;
    sl_node_hosted(n, &hosted);
    sl_manager_on_tick(n->manager, n->now, &hosted, out);
    sl_orchestrator_on_tick(n->orchestrator, n->now, out);
    if (n->cluster)
        sl_cluster_on_tick(n->cluster, n->now, out);
}

/* A draining node is waited for: whatever emptied it, the coordinator shall know. Otherwise other counts are news. */
static void node_tell_hosted(struct sl_node *n, struct sl_outbox *out)
{
    struct sl_hosted hosted;
    sl_node_hosted(n, &hosted);
    bool is_news = hosted.dispatchers != n->told_hosted.dispatchers || hosted.readers != n->told_hosted.readers;
    if (!is_news && sl_manager_liveness(n->manager) != SL_LIVENESS_DRAINING)
        return;
    n->told_hosted = hosted;
    sl_manager_on_hosted(n->manager, n->now, &hosted, out);
}

/* The sinks first: from here on another node may be given our work. */
static void node_fence(struct sl_node *n, struct sl_str cause, struct sl_outbox *out)
{
    enum sl_liveness before = sl_manager_liveness(n->manager);
    n->fenced = true;
    sl_orchestrator_fence(n->orchestrator, out);
    sl_manager_fence(n->manager);
    if (before != SL_LIVENESS_STOPPING)
        sl_out_event(out, SL_EV_LIVENESS_CHANGED, sl_f_str("from", sl_str_of(sl_liveness_name((int)before))),
                     sl_f_str("to", sl_str_of(sl_liveness_name((int)SL_LIVENESS_STOPPING))), sl_f_str("cause", cause));
}

static void node_on_lease_lost(struct sl_node *n, struct sl_outbox *out)
{
    node_fence(n, SL_STR("lease lost"), out);
}

/* The others may take over as soon as the keys are gone, so what still runs here ends first. */
static void node_on_leave(struct sl_node *n, struct sl_outbox *out)
{
    if (!n->fenced)
        node_fence(n, SL_STR("the node stops"), out);
    if (n->cluster)
        sl_cluster_leave(n->cluster, n->now, out);
}

static void node_on_request(struct sl_node *n, const struct sl_request *request, struct sl_outbox *out)
{
    struct sl_reply reply = { .ticket = request->ticket, .code = SL_NOT_OWNER };
    struct sl_request resolved = *request;
    if (n->cluster)
        resolved.node = sl_cluster_resolve(n->cluster, request->node);
    if (sl_manager_on_request(n->manager, n->now, &resolved, out))
        return;
    if (n->cluster)
        sl_cluster_on_request(n->cluster, n->now, &resolved, out);
    else
        sl_out_reply(out, &reply);
}

/* ---- the cluster side ---- */

/* What the input led to beyond the part that it was for: a fence, another member set, a seat taken or left. */
static void node_follow_cluster(struct sl_node *n, struct sl_outbox *out)
{
    bool is_settled;
    do {
        struct sl_in_members members;
        if (sl_cluster_is_fenced(n->cluster) && !n->fenced)
            node_on_lease_lost(n, out);
        if (sl_cluster_take_members(n->cluster, &members.ids, &members.count))
            node_on_members(n, &members, out);
        bool is_alive = sl_manager_liveness(n->manager) == SL_LIVENESS_ALIVE;
        is_settled = sl_cluster_settle(n->cluster, n->now, is_alive, out);
    } while (!is_settled);
}

/*
 * A node that does not reach the store for a while does not see who joins, and a maintainer that is added there in that
 * time would take over without the dispatchers of those. So the members are read anew for each.
 */
static void node_read_members(struct sl_node *n, struct sl_outbox *out)
{
    if (sl_manager_wants_members_read(n->manager))
        sl_manager_on_members_read_begun(n->manager, sl_cluster_read_members(n->cluster, n->now, out));
    node_follow_cluster(n, out);
    sl_manager_on_members_read(n->manager, n->now, sl_cluster_member_reads_done(n->cluster), out);
}

/*
 * Whatever the input is, what was due comes first: a process that slept past its lease must find that out before it acts on
 * a message that waited meanwhile (membership.h, S1).
 */
static void node_wake_cluster(struct sl_node *n, struct sl_outbox *out)
{
    if (!n->cluster || n->now < sl_cluster_deadline(n->cluster))
        return;
    sl_cluster_on_tick(n->cluster, n->now, out);
    node_follow_cluster(n, out);
}

/* ---- step ---- */

static void node_input(struct sl_node *n, const struct sl_input *in, struct sl_outbox *out)
{
    switch (in->kind) {
    case SL_IN_TICK:
        node_on_tick(n, out);
        return;
    case SL_IN_MESSAGE:
        node_on_message(n, in->u.message, out);
        return;
    case SL_IN_MEMBERS:
        node_on_members(n, &in->u.members, out);
        return;
    case SL_IN_REPORT:
        sl_orchestrator_on_report(n->orchestrator, n->now, &in->u.report, out);
        return;
    case SL_IN_SCHEMA:
        sl_manager_on_schema(n->manager, n->now, &in->u.schema, out);
        return;
    case SL_IN_SCHEMA_CHANGE:
        sl_manager_on_schema_change(n->manager, n->now, &in->u.schema_change, out);
        return;
    case SL_IN_LEASE_LOST:
        node_on_lease_lost(n, out);
        return;
    case SL_IN_LEAVE:
        node_on_leave(n, out);
        return;
    case SL_IN_REQUEST:
        node_on_request(n, &in->u.request, out);
        return;
    case SL_IN_STORE:
        if (n->cluster)
            sl_cluster_on_store(n->cluster, n->now, &in->u.store, out);
        return;
    case SL_IN_WATCH:
        if (n->cluster)
            sl_cluster_on_watch(n->cluster, n->now, &in->u.watch, out);
        return;
    }
    SL_UNREACHABLE();
}

void sl_node_step(struct sl_node *n, sl_ns now, const struct sl_input *in, struct sl_outbox *out)
{
    SL_REQUIRE(now >= n->now);
    n->now = now;
    uint64_t dropped_before = out->dropped_count;
    if (n->cluster && !n->cluster_started) {
        n->cluster_started = true;
        sl_cluster_start(n->cluster, now, out);
    }
    node_wake_cluster(n, out);
    node_input(n, in, out);
    if (n->cluster)
        node_read_members(n, out);
    node_spread_liveness(n, out);
    node_tell_hosted(n, out);
    if (out->dropped_count > dropped_before)
        sl_out_event(out, SL_EV_OUTBOX_FULL, sl_f_u64("dropped", out->dropped_count - dropped_before));
    SL_REQUIRE(n->told_liveness == sl_manager_liveness(n->manager));
}

sl_ns sl_node_deadline(const struct sl_node *n)
{
    sl_ns at = sl_ns_min(sl_manager_deadline(n->manager), sl_orchestrator_deadline(n->orchestrator));
    if (!n->cluster)
        return at;
    return n->cluster_started ? sl_ns_min(at, sl_cluster_deadline(n->cluster)) : n->now;
}

/* ---- views ---- */

uint64_t sl_node_refusal_count(const struct sl_node *n, enum sl_refusal reason)
{
    SL_REQUIRE((unsigned)reason < SL_REFUSAL_COUNT);
    return n->refusals[reason];
}

const struct sl_members *sl_node_members(const struct sl_node *n)
{
    return n->members;
}

struct sl_manager *sl_node_manager(struct sl_node *n)
{
    return n->manager;
}

struct sl_orchestrator *sl_node_orchestrator(struct sl_node *n)
{
    return n->orchestrator;
}

bool sl_node_wants_stop(const struct sl_node *n)
{
    return sl_manager_wants_stop(n->manager);
}

bool sl_node_has_left(const struct sl_node *n)
{
    return !n->cluster || sl_cluster_has_left(n->cluster);
}

const struct sl_coordinator *sl_node_coordinator(const struct sl_node *n)
{
    return n->cluster ? sl_cluster_coordinator(n->cluster) : NULL;
}

const struct sl_membership *sl_node_membership(const struct sl_node *n)
{
    return n->cluster ? sl_cluster_membership(n->cluster) : NULL;
}

void sl_node_hosted(const struct sl_node *n, struct sl_hosted *hosted)
{
    *hosted = (struct sl_hosted){
        .maintainers = sl_manager_maintainer_count(n->manager),
        .dispatchers = sl_orchestrator_dispatcher_count(n->orchestrator),
        .readers = sl_orchestrator_reader_count(n->orchestrator),
        .unflushed_rows = sl_orchestrator_unflushed_rows(n->orchestrator),
    };
}
