/* SPDX-License-Identifier: Apache-2.0 */
#include "core/node/cluster.h"

#include "base/check.h"
#include "base/hash.h"
#include "core/common/mem_tags.h"

#define CLUSTER_OP_RANGE_BITS 40 /* a million million operations of membership, and of each leadership */

struct sl_cluster {
    struct sl_cluster_opts opts;
    struct sl_membership *membership;
    struct sl_coordinator *coordinator; /* null while this node does not lead */
    struct sl_node_id *ids;             /* of the member set, node_count_max + 1 */
    uint64_t generation_told, version;
    uint64_t leadership_count;
    bool told_alive;
};

static size_t cluster_ids_bytes(const struct sl_cluster *c)
{
    return (c->opts.membership.node_count_max + (size_t)1) * sizeof *c->ids;
}

enum sl_code sl_cluster_new(struct sl_cluster **out, const struct sl_cluster_opts *opts, sl_ns now)
{
    *out = NULL;
    struct sl_cluster *c = sl_mem_alloc(opts->mem, SL_TAG_NODE, sizeof *c);
    if (!c)
        return SL_NOMEM;
    c->opts = *opts;
    c->opts.membership.mem = opts->mem;
    c->opts.membership.op_base = 0;
    c->told_alive = true;
    c->ids = sl_mem_alloc(opts->mem, SL_TAG_NODE, cluster_ids_bytes(c));
    enum sl_code code = c->ids ? sl_membership_new(&c->membership, &c->opts.membership, now) : SL_NOMEM;
    if (code != SL_OK) {
        sl_cluster_free(c);
        return code;
    }
    *out = c;
    return SL_OK;
}

void sl_cluster_free(struct sl_cluster *c)
{
    if (!c)
        return;
    sl_coordinator_free(c->coordinator);
    sl_membership_free(c->membership);
    sl_mem_free(c->opts.mem, SL_TAG_NODE, c->ids, cluster_ids_bytes(c));
    sl_mem_free(c->opts.mem, SL_TAG_NODE, c, sizeof *c);
}

void sl_cluster_start(struct sl_cluster *c, sl_ns now, struct sl_outbox *out)
{
    sl_membership_start(c->membership, now, out);
}

/* ---- the seat ---- */

static void cluster_leave_seat(struct sl_cluster *c, sl_ns now, struct sl_outbox *out)
{
    sl_coordinator_stop(c->coordinator, now, out);
    sl_coordinator_free(c->coordinator);
    c->coordinator = NULL;
    c->version = 0;
}

static void cluster_take_seat(struct sl_cluster *c, sl_ns now, uint64_t version, struct sl_outbox *out)
{
    struct sl_coordinator_opts o = c->opts.coordinator;
    o.mem = c->opts.mem;
    o.members = c->opts.members;
    o.membership = c->membership;
    o.cluster = c->opts.membership.cluster;
    o.version = version;
    o.interop = c->opts.membership.interop;
    o.seed = sl_hash_u64x2(c->opts.seed, version, 1);
    o.op_base = ++c->leadership_count << CLUSTER_OP_RANGE_BITS;
    /* Without memory for the seat somebody else should have it. */
    if (sl_coordinator_new(&c->coordinator, &o, now) != SL_OK) {
        sl_membership_resign(c->membership, now, out);
        return;
    }
    c->version = version;
    sl_coordinator_start(c->coordinator, now, out);
}

bool sl_cluster_settle(struct sl_cluster *c, sl_ns now, bool is_alive, struct sl_outbox *out)
{
    struct sl_membership_view view;
    if (is_alive != c->told_alive) {
        c->told_alive = is_alive;
        sl_membership_set_alive(c->membership, now, is_alive, out);
    }
    sl_membership_view(c->membership, &view);
    bool is_seated = c->coordinator != NULL;
    if (is_seated && (!view.leader || view.leader_version != c->version)) {
        cluster_leave_seat(c, now, out);
        return false;
    }
    if (!is_seated && view.leader) {
        cluster_take_seat(c, now, view.leader_version, out);
        return false;
    }
    if (is_seated && is_alive && view.waiting_count > 0 && sl_coordinator_wants_resign(c->coordinator)) {
        sl_membership_resign(c->membership, now, out);
        return false;
    }
    return true;
}

/* ---- inputs ---- */

void sl_cluster_on_store(struct sl_cluster *c, sl_ns now, const struct sl_store_result *r, struct sl_outbox *out)
{
    if (!sl_membership_on_store(c->membership, now, r, out) && c->coordinator)
        (void)sl_coordinator_on_store(c->coordinator, now, r, out);
}

void sl_cluster_on_watch(struct sl_cluster *c, sl_ns now, const struct sl_store_watch_batch *b, struct sl_outbox *out)
{
    (void)sl_membership_on_watch(c->membership, now, b, out);
}

enum sl_refusal sl_cluster_on_message(struct sl_cluster *c, sl_ns now, sl_node_ref from, enum sl_msg_type type,
                                      const ProtobufCMessage *message, struct sl_outbox *out)
{
    if (!c->coordinator)
        return SL_REFUSE_NOT_HANDLED;
    return sl_coordinator_on_message(c->coordinator, now, from, type, message, out);
}

void sl_cluster_on_members(struct sl_cluster *c, sl_ns now, const struct sl_members_change *change,
                           struct sl_outbox *out)
{
    if (c->coordinator)
        sl_coordinator_on_members(c->coordinator, now, change, out);
}

void sl_cluster_on_tick(struct sl_cluster *c, sl_ns now, struct sl_outbox *out)
{
    sl_membership_on_tick(c->membership, now, out);
    if (c->coordinator)
        sl_coordinator_on_tick(c->coordinator, now, out);
}

sl_ns sl_cluster_deadline(const struct sl_cluster *c)
{
    sl_ns at = sl_membership_deadline(c->membership);
    return c->coordinator ? sl_ns_min(at, sl_coordinator_deadline(c->coordinator)) : at;
}

/* ---- a clean stop ---- */

void sl_cluster_leave(struct sl_cluster *c, sl_ns now, struct sl_outbox *out)
{
    sl_membership_leave(c->membership, now, out);
}

bool sl_cluster_has_left(const struct sl_cluster *c)
{
    struct sl_membership_view view;
    sl_membership_view(c->membership, &view);
    return view.left || view.fenced;
}

/* ---- requests ---- */

static void cluster_reply(uint64_t ticket, enum sl_code code, struct sl_str detail, uint32_t remaining,
                          struct sl_outbox *out)
{
    struct sl_reply reply = { .ticket = ticket, .code = code, .remaining = remaining };
    struct sl_text text;
    sl_text_init(&text, reply.detail, sizeof reply.detail);
    sl_text_str(&text, detail);
    sl_out_reply(out, &reply);
}

/*
 * The detail of NOT_OWNER is the owner's id, so that the shell can pass the request on. While there is none an old client
 * must not get an error for its DrainNode: some read any error as "drained".
 */
static void cluster_refer(const struct sl_cluster *c, const struct sl_request *r, struct sl_outbox *out)
{
    struct sl_membership_view view;
    sl_membership_view(c->membership, &view);
    /* This node's own key may be the oldest while it has no coordinator: nobody shall be sent back here. */
    bool is_elsewhere = !sl_node_id_is_none(&view.owner) && !sl_node_id_eq(&view.owner, &c->opts.membership.self.id);
    if (is_elsewhere)
        cluster_reply(r->ticket, SL_NOT_OWNER, sl_node_id_str(&view.owner), 0, out);
    else if (r->verb == SL_REQUEST_DRAIN_NODE)
        cluster_reply(r->ticket, SL_OK, SL_STR(""), 1, out);
    else
        cluster_reply(r->ticket, SL_NOT_OWNER, SL_STR(""), 0, out);
}

static void cluster_resign(struct sl_cluster *c, sl_ns now, const struct sl_request *r, struct sl_outbox *out)
{
    struct sl_membership_view view;
    sl_membership_view(c->membership, &view);
    if (view.waiting_count == 0) {
        cluster_reply(r->ticket, SL_REFUSED, SL_STR("no other node waits to take over"), 0, out);
        return;
    }
    cluster_reply(r->ticket, SL_OK, SL_STR(""), 0, out);
    sl_membership_resign(c->membership, now, out);
}

struct sl_str sl_cluster_resolve(const struct sl_cluster *c, struct sl_str node)
{
    struct sl_membership_view view;
    sl_membership_view(c->membership, &view);
    if (node.len == 0 || sl_members_find_str(c->opts.members, node) != SL_NODE_NONE)
        return node;
    for (uint32_t i = 0; i < view.member_count; i++) {
        const struct sl_capture *capture = &view.members[i];
        if (sl_str_eq(sl_str_of(capture->name), node))
            return sl_node_id_str(&capture->id);
    }
    return node;
}

void sl_cluster_on_request(struct sl_cluster *c, sl_ns now, const struct sl_request *r, struct sl_outbox *out)
{
    if (!c->coordinator) {
        cluster_refer(c, r, out);
        return;
    }
    if (r->verb == SL_REQUEST_RESIGN) {
        cluster_resign(c, now, r, out);
        return;
    }
    sl_coordinator_on_request(c->coordinator, now, r, out);
}

/* ---- views ---- */

bool sl_cluster_take_members(struct sl_cluster *c, const struct sl_node_id **ids, uint32_t *count)
{
    struct sl_membership_view view;
    sl_membership_view(c->membership, &view);
    if (view.generation == c->generation_told)
        return false;
    SL_REQUIRE(view.member_count <= c->opts.membership.node_count_max + 1);
    c->generation_told = view.generation;
    for (uint32_t i = 0; i < view.member_count; i++)
        c->ids[i] = view.members[i].id;
    *ids = c->ids;
    *count = view.member_count;
    return true;
}

uint64_t sl_cluster_read_members(struct sl_cluster *c, sl_ns now, struct sl_outbox *out)
{
    return sl_membership_read_anew(c->membership, now, out);
}

uint64_t sl_cluster_member_reads_done(const struct sl_cluster *c)
{
    return sl_membership_reads_done(c->membership);
}

bool sl_cluster_is_fenced(const struct sl_cluster *c)
{
    struct sl_membership_view view;
    sl_membership_view(c->membership, &view);
    return view.fenced;
}

const struct sl_coordinator *sl_cluster_coordinator(const struct sl_cluster *c)
{
    return c->coordinator;
}

const struct sl_membership *sl_cluster_membership(const struct sl_cluster *c)
{
    return c->membership;
}
