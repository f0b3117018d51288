/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/cluster.h"
#include "sim/oracle_internal.h"
#include "sim/sim.h"

#include <inttypes.h>

/*
 * What the store really holds, against what nodes do and say. Everything is read from the model, past all faults.
 */
#define JUDGE_CAP_MIN 16u

static void judge_range(struct sl_sim *sim, const struct sl_key *prefix, struct sl_store_result *result)
{
    struct sl_store_op op = { .id = 1, .verb = SL_STORE_RANGE, .key = sl_key_str(prefix) };
    sl_store_model_perform(sl_store_sim_model(sim->cluster->store), sim->engine.now, &op, result);
    SL_REQUIRE(result->outcome == SL_STORE_OK);
}

static void judge_feeds(struct sl_sim *sim)
{
    struct sl_key prefix;
    struct sl_store_result r;
    struct sl_feed_record record;
    bool fits = sl_key_feed_infos(&prefix, SL_STR(SL_SIM_CLUSTER_ID), SL_STR("default"));
    SL_REQUIRE(fits);
    judge_range(sim, &prefix, &r);
    for (uint32_t i = 0; i < r.pair_count; i++) {
        struct sl_str name = sl_key_tail(r.pairs[i].key, sl_key_str(&prefix));
        uint32_t feed = sl_sim_catalog_find_name(&sim->catalog, name);
        enum sl_code code = sl_feed_record_parse(&record, SL_STR("default"), name, sl_secret_of(r.pairs[i].value));
        SL_REQUIRE(code == SL_OK && feed != SL_SIM_FEED_NONE);
        if (record.epoch > sl_sim_oracle_feed(&sim->oracle, feed)->epoch_durable)
            sl_sim_oracle_feed_epoch_durable(&sim->oracle, feed, record.epoch);
    }
}

static bool judge_knows(const struct sl_sim_cluster_judge *j, const struct sl_node_id *node, uint64_t epoch)
{
    for (uint32_t i = 0; i < j->target_count; i++) {
        if (j->targets[i].epoch == epoch && sl_node_id_eq(&j->targets[i].node, node))
            return true;
    }
    return false;
}

static void judge_learn(struct sl_sim *sim, const struct sl_intent *intent)
{
    struct sl_sim_cluster_judge *j = &sim->cluster->judge;
    if (intent->epoch == 0 || judge_knows(j, &intent->target, intent->epoch))
        return;
    if (j->target_count == j->target_cap) {
        uint32_t cap = j->target_cap > 0 ? j->target_cap * 2 : JUDGE_CAP_MIN;
        j->targets =
            sl_sim_resize(&sim->engine, j->targets, j->target_cap * sizeof *j->targets, cap * sizeof *j->targets);
        j->target_cap = cap;
    }
    j->targets[j->target_count++] = (struct sl_sim_durable_target){ .node = intent->target, .epoch = intent->epoch };
    if (intent->epoch > sim->oracle.drain_epoch_durable)
        sl_sim_oracle_drain_epoch_durable(&sim->oracle, intent->epoch);
}

static void judge_drains(struct sl_sim *sim)
{
    struct sl_key prefix;
    struct sl_store_result r;
    struct sl_intent intent;
    bool fits = sl_key_drains(&prefix, SL_STR(SL_SIM_CLUSTER_ID));
    SL_REQUIRE(fits);
    judge_range(sim, &prefix, &r);
    for (uint32_t i = 0; i < r.pair_count; i++) {
        enum sl_code code = sl_intent_parse(&intent, r.pairs[i].value);
        SL_REQUIRE(code == SL_OK);
        judge_learn(sim, &intent);
        if (intent.phase == SL_DRAIN_SAFE)
            sl_sim_judge_safe(sim, &intent.target, intent.target_node_epoch);
    }
}

/* A process whose lease the store has ended lives on without it; one that is awake has fenced itself before. */
static void judge_leases(struct sl_sim *sim)
{
    const struct sl_store_model *model = sl_store_sim_model(sim->cluster->store);
    for (uint32_t i = 0; i < sim->host_count; i++) {
        struct sl_sim_host *h = &sim->hosts[i];
        struct sl_sim_cluster_host *ch = &sim->cluster->hosts[i];
        if (h->state == SL_SIM_HOST_DOWN || ch->lease == 0 || sl_store_model_has_lease(model, ch->lease))
            continue;
        ch->lease = 0;
        h->is_unleased = true;
        sl_sim_sink_process_unleased(&sim->sink, h->process);
    }
}

void sl_sim_judge_store(struct sl_sim *sim)
{
    struct sl_sim_cluster_judge *j = &sim->cluster->judge;
    sl_revision revision = sl_store_model_revision(sl_store_sim_model(sim->cluster->store));
    judge_leases(sim);
    if (revision == j->revision)
        return;
    j->revision = revision;
    judge_feeds(sim);
    judge_drains(sim);
}

void sl_sim_judge_target(struct sl_sim *sim, const struct sl_node_id *node, uint64_t epoch)
{
    sl_sim_oracle_count(&sim->oracle, SL_SIM_ORACLE_EPOCH);
    if (node->len > 0 && !judge_knows(&sim->cluster->judge, node, epoch))
        sl_sim_oracle_fail(&sim->oracle, SL_SIM_ORACLE_EPOCH, "target ('%s', %" PRIu64 ") is sent and was in no intent",
                           node->text, epoch);
}

static const struct sl_drain_target *judge_find(const struct sl_target_set *s, const struct sl_node_id *node)
{
    for (uint32_t i = 0; i < s->count; i++) {
        if (sl_node_id_eq(&s->targets[i].node, node))
            return &s->targets[i];
    }
    return NULL;
}

/* Written out here instead of calling the core's rule, which is what is on trial. */
static bool judge_may_follow(const struct sl_target_set *was, const struct sl_target_set *is)
{
    if (is->version < was->version)
        return false;
    for (uint32_t i = 0; i < is->count; i++) {
        const struct sl_drain_target *held = judge_find(was, &is->targets[i].node);
        bool is_held = held && held->epoch == is->targets[i].epoch;
        bool is_new = is->version > was->version && is->targets[i].epoch > was->version;
        if (is->targets[i].epoch > is->version || (!is_held && !is_new))
            return false;
    }
    return true;
}

void sl_sim_judge_set(struct sl_sim *sim, const struct sl_sim_host *h, const struct sl_target_set *set)
{
    struct sl_sim_cluster_host *ch = &sim->cluster->hosts[h->index];
    sl_sim_oracle_count(&sim->oracle, SL_SIM_ORACLE_TARGET);
    if (!judge_may_follow(&ch->targets, set))
        sl_sim_oracle_fail(&sim->oracle, SL_SIM_ORACLE_TARGET,
                           "process %" PRIu32 ": the set of drain targets went from %" PRIu32 " at %" PRIu64
                           " to %" PRIu32 " at %" PRIu64,
                           h->process, ch->targets.count, ch->targets.version, set->count, set->version);
    ch->targets = *set;
    sl_sim_oracle_drain_epoch_used(&sim->oracle, set->version);
}

void sl_sim_judge_safe(struct sl_sim *sim, const struct sl_node_id *node, uint64_t node_epoch)
{
    for (uint32_t i = 0; i < sim->host_count; i++) {
        const struct sl_sim_host *h = &sim->hosts[i];
        if (h->state == SL_SIM_HOST_DOWN || !sl_node_id_eq(&h->id, node))
            continue;
        /* What it last said of itself: an undrain gave it a new one. */
        if (sl_sim_oracle_process(&sim->oracle, h->process)->node_epoch == node_epoch)
            sl_sim_oracle_safe(&sim->oracle, h->process, sl_sim_host_work(h));
    }
}

static bool judge_believes(const struct sl_sim *sim, const struct sl_sim_host *h, struct sl_membership_view *view)
{
    if (h->state == SL_SIM_HOST_DOWN)
        return false;
    const struct sl_membership *m = sl_node_membership(h->node);
    sl_membership_view(m, view);
    return view->leader && sl_membership_lease_until(m) > sim->engine.now;
}

void sl_sim_judge_leader(struct sl_sim *sim, const struct sl_sim_host *h)
{
    struct sl_sim_cluster_judge *j = &sim->cluster->judge;
    struct sl_membership_view view, other;
    if (!judge_believes(sim, h, &view))
        return;
    sl_sim_oracle_count(&sim->oracle, SL_SIM_ORACLE_LEADER);
    for (uint32_t i = 0; i < sim->host_count; i++) {
        if (i != h->index && judge_believes(sim, &sim->hosts[i], &other))
            sl_sim_oracle_fail(&sim->oracle, SL_SIM_ORACLE_LEADER,
                               "%s leads with version %" PRIu64 " and %s with version %" PRIu64, h->id.text,
                               view.leader_version, sim->hosts[i].id.text, other.leader_version);
    }
    bool is_same = view.leader_version == j->leader_version_max && j->leader_process == h->process;
    if (!is_same && view.leader_version <= j->leader_version_max)
        sl_sim_oracle_fail(&sim->oracle, SL_SIM_ORACLE_LEADER, "%s leads with version %" PRIu64 " after %" PRIu64,
                           h->id.text, view.leader_version, j->leader_version_max);
    j->elections += !is_same;
    j->leader_version_max = view.leader_version;
    j->leader_process = h->process;
}

bool sl_sim_judge_phase(struct sl_sim *sim, const struct sl_node_id *node, enum sl_drain_phase *phase)
{
    struct sl_key prefix;
    struct sl_store_result r;
    struct sl_intent intent;
    bool fits = sl_key_drains(&prefix, SL_STR(SL_SIM_CLUSTER_ID)), is_found = false;
    SL_REQUIRE(fits);
    judge_range(sim, &prefix, &r);
    for (uint32_t i = 0; i < r.pair_count; i++) {
        if (sl_intent_parse(&intent, r.pairs[i].value) != SL_OK || !sl_node_id_eq(&intent.target, node))
            continue;
        is_found = true;
        *phase = intent.phase;
    }
    return is_found;
}
