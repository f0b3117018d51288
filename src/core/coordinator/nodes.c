/* SPDX-License-Identifier: Apache-2.0 */
#include "core/coordinator/nodes.h"

#include "core/common/mem_tags.h"

struct sl_nodes {
    struct sl_mem *mem;
    const struct sl_members *members;
    sl_ns unknown_ns;
    uint32_t at_count;       /* indexed by ref */
    struct sl_observed at[]; /* 0 is not used */
};

static size_t nodes_bytes(uint32_t at_count)
{
    return sizeof(struct sl_nodes) + at_count * sizeof(struct sl_observed);
}

enum sl_code sl_nodes_new(struct sl_nodes **out, struct sl_mem *mem, const struct sl_members *members, sl_ns unknown_ns)
{
    uint32_t at_count = sl_members_ref_max(members) + 1;
    *out = sl_mem_alloc(mem, SL_TAG_COORDINATOR, nodes_bytes(at_count));
    if (!*out)
        return SL_NOMEM;
    (*out)->mem = mem;
    (*out)->members = members;
    (*out)->unknown_ns = unknown_ns;
    (*out)->at_count = at_count;
    return SL_OK;
}

void sl_nodes_free(struct sl_nodes *n)
{
    if (n)
        sl_mem_free(n->mem, SL_TAG_COORDINATOR, n, nodes_bytes(n->at_count));
}

void sl_nodes_add(struct sl_nodes *n, sl_ns now, sl_node_ref ref)
{
    SL_REQUIRE(ref != SL_NODE_NONE && ref < n->at_count);
    /* The clock of silence starts with membership: a node that never says a word becomes UNKNOWN too. */
    n->at[ref] = (struct sl_observed){ .last_seen = now };
}

void sl_nodes_remove(struct sl_nodes *n, sl_node_ref ref)
{
    SL_REQUIRE(ref != SL_NODE_NONE && ref < n->at_count);
    n->at[ref] = (struct sl_observed){ 0 };
}

/* The rule of the header. False: the observation is older than what is known. */
static bool nodes_observe(struct sl_observed *o, sl_ns now, uint64_t node_epoch, Pb__NodeLiveness liveness)
{
    if (node_epoch < o->node_epoch)
        return false;
    /* A foreign bootstrap answer names no epoch: the first heartbeat completes it, only a later one replaces the
     * process. */
    if (node_epoch > o->node_epoch && o->node_epoch > 0)
        *o = (struct sl_observed){ .node_epoch = node_epoch };
    else if (o->observed && (enum sl_liveness)liveness < o->liveness)
        return false;
    o->observed = true;
    o->node_epoch = node_epoch;
    o->last_seen = now;
    o->liveness = (enum sl_liveness)liveness;
    return true;
}

static void nodes_take_self(struct sl_observed *o, const Pb__SelfReport *self)
{
    /* Within one lane reports come in order; an older one from the other lane must not hide newer work. */
    if (!self || (o->self.valid && self->report_seq < o->self.seq))
        return;
    o->self = (struct sl_self_report){ .valid = true,
                                       .seq = self->report_seq,
                                       .maintainers = self->maintainers,
                                       .dispatchers = self->dispatchers,
                                       .readers = self->source_readers,
                                       .unflushed_rows = self->unflushed_rows,
                                       .liveness = o->liveness };
}

static void nodes_add_acked(struct sl_observed *o, const char *node_id, uint64_t epoch)
{
    struct sl_drain_target target = { .epoch = epoch };
    if (o->acked_count < SL_TARGETS_MAX && sl_node_id_set(&target.node, sl_str_of(node_id)) &&
        sl_drain_target_is_set(&target))
        o->acked[o->acked_count++] = target;
}

/* A Sluice node lists its whole set; of a foreign one the single target is the set. */
static void nodes_take_targets(struct sl_observed *o, const char *single, uint64_t epoch,
                               Pb__DrainTarget *const *targets, size_t count)
{
    /* What one process holds only goes up (docs/invariants.md I4): this is an old word of it. */
    if (epoch < o->acked_epoch_max)
        return;
    o->acked_count = 0;
    for (size_t i = 0; i < count; i++)
        nodes_add_acked(o, targets[i]->node_id, targets[i]->epoch);
    if (count == 0)
        nodes_add_acked(o, single, epoch);
    o->acked_epoch_max = epoch;
}

bool sl_nodes_on_heartbeat(struct sl_nodes *n, sl_ns now, sl_node_ref from, const Pb__NodeHeartbeat *hb)
{
    struct sl_observed *o = &n->at[from];
    if (!nodes_observe(o, now, hb->node_epoch, hb->liveness))
        return false;
    o->capabilities = hb->capabilities;
    nodes_take_self(o, hb->self);
    nodes_take_targets(o, hb->drain_target_node_id, hb->drain_target_epoch, hb->targets, hb->n_targets);
    return true;
}

bool sl_nodes_on_liveness(struct sl_nodes *n, sl_ns now, sl_node_ref from, const Pb__SetNodeLivenessResponse *r)
{
    struct sl_observed *o = &n->at[from];
    if (!nodes_observe(o, now, r->node_epoch, r->applied))
        return false;
    nodes_take_self(o, r->blocked_by);
    return true;
}

bool sl_nodes_on_bootstrap(struct sl_nodes *n, sl_ns now, sl_node_ref from, const Pb__CoordinatorBootstrapResponse *r)
{
    struct sl_observed *o = &n->at[from];
    /* A foreign answer carries neither epoch nor liveness: it confirms the process that is known, and changes neither.
     */
    bool ours = r->protocol_version > 0;
    uint64_t node_epoch = ours ? r->node_epoch : o->node_epoch;
    Pb__NodeLiveness liveness = ours ? r->liveness : (Pb__NodeLiveness)o->liveness;
    bool observed = o->observed;
    if (!nodes_observe(o, now, node_epoch, liveness))
        return false;
    o->observed = observed || ours;
    o->bootstrapped = true;
    o->drain_protocol = r->drain_protocol_version;
    o->protocol_version = r->protocol_version;
    o->capabilities = r->capabilities;
    nodes_take_self(o, r->self);
    nodes_take_targets(o, r->drain_target_node_id, r->drain_target_epoch, r->targets, r->n_targets);
    return true;
}

void sl_nodes_hold_back(struct sl_nodes *n, sl_node_ref ref, bool is_held_back)
{
    SL_REQUIRE(ref != SL_NODE_NONE && ref < n->at_count);
    n->at[ref].is_held_back = is_held_back;
}

const struct sl_observed *sl_nodes_at(const struct sl_nodes *n, sl_node_ref ref)
{
    SL_REQUIRE(ref != SL_NODE_NONE && ref < n->at_count);
    return &n->at[ref];
}

bool sl_nodes_is_unknown(const struct sl_nodes *n, sl_ns now, sl_node_ref ref)
{
    return now - sl_nodes_at(n, ref)->last_seen > n->unknown_ns;
}

static bool nodes_holds(const struct sl_observed *o, const struct sl_drain_target *target)
{
    for (uint32_t i = 0; i < o->acked_count; i++) {
        if (o->acked[i].epoch == target->epoch && sl_node_id_eq(&o->acked[i].node, &target->node))
            return true;
    }
    return false;
}

bool sl_nodes_has_acked(const struct sl_nodes *n, sl_node_ref ref, const struct sl_drain_target *target)
{
    return nodes_holds(sl_nodes_at(n, ref), target);
}

bool sl_nodes_has_cleared(const struct sl_nodes *n, sl_node_ref ref, const struct sl_drain_target *target)
{
    const struct sl_observed *o = sl_nodes_at(n, ref);
    return o->acked_epoch_max >= target->epoch && !nodes_holds(o, target);
}

uint64_t sl_nodes_epoch_seen_max(const struct sl_nodes *n)
{
    uint64_t seen_max = 0;
    for (uint32_t ref = 1; ref < n->at_count; ref++)
        seen_max = n->at[ref].acked_epoch_max > seen_max ? n->at[ref].acked_epoch_max : seen_max;
    return seen_max;
}
