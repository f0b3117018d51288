/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/cluster.h"
#include "sim/oracle_internal.h"
#include "sim/sim.h"

#include <inttypes.h>
#include <stdio.h>

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

/* ---- feeds ---- */

static struct sl_sim_seen_feed *judge_seen_feed(struct sl_sim *sim, uint32_t feed)
{
    struct sl_sim_cluster_judge *j = &sim->cluster->judge;
    if (feed >= j->feed_cap) {
        uint32_t cap = j->feed_cap > 0 ? j->feed_cap : JUDGE_CAP_MIN;
        while (cap <= feed)
            cap *= 2;
        j->feeds = sl_sim_resize(&sim->engine, j->feeds, j->feed_cap * sizeof *j->feeds, cap * sizeof *j->feeds);
        j->feed_cap = cap;
    }
    return &j->feeds[feed];
}

const struct sl_sim_seen_feed *sl_sim_judge_feed(struct sl_sim *sim, uint32_t feed)
{
    return judge_seen_feed(sim, feed);
}

static void judge_state(struct sl_sim *sim, uint32_t feed, const struct sl_sim_seen_feed *f)
{
    const char *name = sim->catalog.feeds[feed].id.name;
    sl_sim_oracle_count(&sim->oracle, SL_SIM_ORACLE_WISHED);
    if (f->info_revision == 0 && !sl_sim_client_asked(sim, SL_SIM_WISH_REMOVE, feed))
        sl_sim_oracle_fail(&sim->oracle, SL_SIM_ORACLE_WISHED, "feed %s is gone and nobody removed it", name);
    if (f->info_revision != 0 && f->state == SL_FEED_STOPPED && !sl_sim_client_asked(sim, SL_SIM_WISH_PAUSE, feed))
        sl_sim_oracle_fail(&sim->oracle, SL_SIM_ORACLE_WISHED, "feed %s is stopped and nobody paused it", name);
}

static void judge_info(struct sl_sim *sim, uint32_t feed, const struct sl_store_pair *pair)
{
    struct sl_feed_record record;
    struct sl_sim_seen_feed *f = judge_seen_feed(sim, feed);
    sl_revision revision = pair ? pair->mod_revision : 0;
    if (f->info_revision == revision)
        return;
    f->info_revision = revision;
    if (pair) {
        enum sl_code code = sl_feed_record_parse(
            &record, SL_STR("default"), sl_feed_id_name(&sim->catalog.feeds[feed].id), sl_secret_of(pair->value));
        SL_REQUIRE(code == SL_OK);
        f->state = record.state;
        if (record.epoch > sl_sim_oracle_feed(&sim->oracle, feed)->epoch_durable)
            sl_sim_oracle_feed_epoch_durable(&sim->oracle, feed, record.epoch);
    }
    judge_state(sim, feed, f);
}

/* The stored checkpoint is what a new coordinator begins from: it may not pass what is durable, nor go back. */
static void judge_status(struct sl_sim *sim, uint32_t feed, const struct sl_store_pair *pair)
{
    struct sl_feed_status status;
    struct sl_sim_seen_feed *f = judge_seen_feed(sim, feed);
    sl_revision revision = pair ? pair->mod_revision : 0;
    if (f->status_revision == revision)
        return;
    f->status_revision = revision;
    if (!pair)
        return;
    enum sl_code code = sl_feed_status_parse(&status, pair->value);
    SL_REQUIRE(code == SL_OK);
    sl_sim_oracle_count(&sim->oracle, SL_SIM_ORACLE_CHECKPOINT);
    if (status.checkpoint < f->checkpoint)
        sl_sim_oracle_fail(&sim->oracle, SL_SIM_ORACLE_CHECKPOINT,
                           "feed %" PRIu32 ": the stored checkpoint went back from %" PRIu64 " to %" PRIu64, feed,
                           f->checkpoint, status.checkpoint);
    sl_sim_oracle_covers(&sim->oracle, feed, status.checkpoint, sl_sim_sink_first_open(&sim->sink, feed));
    sl_ts durable = sl_sim_sink_feed_durable(&sim->sink, feed);
    if (status.checkpoint > durable)
        sl_sim_oracle_fail(&sim->oracle, SL_SIM_ORACLE_CHECKPOINT,
                           "feed %" PRIu32 ": the stored checkpoint is %" PRIu64 ", durable is %" PRIu64, feed,
                           status.checkpoint, durable);
    f->checkpoint = status.checkpoint;
}

static void judge_feeds(struct sl_sim *sim)
{
    struct sl_store_model *model = sl_store_sim_model(sim->cluster->store);
    struct sl_key key;
    struct sl_store_pair pair;
    for (uint32_t feed = 0; feed < sim->catalog.feed_count; feed++) {
        struct sl_str name = sl_feed_id_name(&sim->catalog.feeds[feed].id);
        bool fits = sl_key_feed_info(&key, SL_STR(SL_SIM_CLUSTER_ID), SL_STR("default"), name);
        bool is_there = sl_store_model_get(model, sl_key_str(&key), &pair);
        judge_info(sim, feed, is_there ? &pair : NULL);
        fits = fits && sl_key_feed_status(&key, SL_STR(SL_SIM_CLUSTER_ID), SL_STR("default"), name);
        SL_REQUIRE(fits);
        is_there = sl_store_model_get(model, sl_key_str(&key), &pair);
        judge_status(sim, feed, is_there ? &pair : NULL);
    }
}

/* ---- drains ---- */

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

static struct sl_sim_seen_drain *judge_seen_drain(struct sl_sim *sim, struct sl_str id)
{
    struct sl_sim_cluster_judge *j = &sim->cluster->judge;
    for (uint32_t i = j->drain_count; i > 0; i--) {
        if (sl_str_eq(sl_str_of(j->drains[i - 1].id), id))
            return &j->drains[i - 1];
    }
    if (j->drain_count == j->drain_cap) {
        uint32_t cap = j->drain_cap > 0 ? j->drain_cap * 2 : JUDGE_CAP_MIN;
        j->drains = sl_sim_resize(&sim->engine, j->drains, j->drain_cap * sizeof *j->drains, cap * sizeof *j->drains);
        j->drain_cap = cap;
    }
    struct sl_sim_seen_drain *d = &j->drains[j->drain_count++];
    *d = (struct sl_sim_seen_drain){ .phase = SL_DRAIN_PENDING, .begun_at = sim->engine.now };
    snprintf(d->id, sizeof d->id, "%.*s", (int)id.len, id.ptr);
    return d;
}

/* A target without extensions gives no self-report: then the proof is the reference's, and says so. */
static void judge_proof(struct sl_sim *sim, const struct sl_intent *intent)
{
    uint32_t host = sl_sim_find_host(sim, sl_node_id_str(&intent->target));
    bool is_foreign = host != SL_SIM_HOST_NONE && sim->hosts[host].is_foreign;
    bool may_be_reference = sim->opts.foreign_hosts != 0; /* also of a coordinator that is foreign to the target */
    sl_sim_oracle_count(&sim->oracle, SL_SIM_ORACLE_SAFE);
    if (is_foreign ? !intent->proof_reference : intent->proof_reference && !may_be_reference)
        sl_sim_oracle_fail(&sim->oracle, SL_SIM_ORACLE_SAFE, "the proof for %s says %s", intent->target.text,
                           intent->proof_reference ? "reference, and the node reports itself"
                                                   : "self-report, and the node gives none");
}

static void judge_drain(struct sl_sim *sim, struct sl_sim_seen_drain *d, const struct sl_intent *intent, bool is_new)
{
    uint32_t host = sl_sim_find_host(sim, sl_node_id_str(&intent->target));
    bool is_other_phase = is_new || d->phase != intent->phase;
    d->target = intent->target;
    d->epoch = intent->epoch;
    d->phase = intent->phase;
    judge_learn(sim, intent);
    /* The node may have gone before SAFE was stored: that it was is then stored with what comes after. */
    bool is_proved =
        intent->phase == SL_DRAIN_SAFE || (intent->phase > SL_DRAIN_SAFE && intent->ended_from == SL_DRAIN_SAFE);
    if (is_proved && !d->was_safe)
        d->safe_at = sim->engine.now;
    d->was_safe |= is_proved;
    if (intent->phase == SL_DRAIN_SAFE) {
        d->node_epoch = intent->target_node_epoch;
        sl_sim_judge_safe(sim, &intent->target, intent->target_node_epoch);
    }
    if (!is_other_phase)
        return;
    sim->stats.drains_begun += is_new;
    sim->stats.drains_ended += intent->phase >= SL_DRAIN_DONE;
    if (intent->phase == SL_DRAIN_SAFE)
        judge_proof(sim, intent);
    if (host != SL_SIM_HOST_NONE)
        sl_sim_faults_on_moment(sim, (enum sl_sim_moment)((int)SL_SIM_MOMENT_PHASE_PENDING + (int)intent->phase), host);
}

static void judge_intent(struct sl_sim *sim, struct sl_str id, const struct sl_store_pair *pair)
{
    struct sl_intent intent;
    struct sl_sim_seen_drain *d = sl_str_eq(id, SL_STR(SL_SIM_PLANTED)) ? NULL : judge_seen_drain(sim, id);
    if (!d || d->mod_revision == pair->mod_revision)
        return;
    bool is_new = d->mod_revision == 0;
    d->mod_revision = pair->mod_revision;
    enum sl_code code = sl_intent_parse(&intent, pair->value);
    SL_REQUIRE(code == SL_OK);
    judge_drain(sim, d, &intent, is_new);
}

static void judge_drains(struct sl_sim *sim)
{
    struct sl_key prefix;
    struct sl_store_result r;
    bool fits = sl_key_drains(&prefix, SL_STR(SL_SIM_CLUSTER_ID));
    SL_REQUIRE(fits);
    judge_range(sim, &prefix, &r);
    for (uint32_t i = 0; i < r.pair_count; i++)
        judge_intent(sim, sl_key_tail(r.pairs[i].key, sl_key_str(&prefix)), &r.pairs[i]);
}

/* ---- changes ---- */

static void judge_change(struct sl_sim *sim, const struct sl_store_event *change)
{
    struct sl_key infos, statuses, drains;
    bool fits = sl_key_feed_infos(&infos, SL_STR(SL_SIM_CLUSTER_ID), SL_STR("default")) &&
                sl_key_feed_statuses(&statuses, SL_STR(SL_SIM_CLUSTER_ID), SL_STR("default")) &&
                sl_key_drains(&drains, SL_STR(SL_SIM_CLUSTER_ID));
    SL_REQUIRE(fits);
    const struct sl_store_pair *pair = change->deleted ? NULL : &change->pair;
    struct sl_str name = sl_key_tail(change->pair.key, sl_key_str(&infos));
    struct sl_str status_name = sl_key_tail(change->pair.key, sl_key_str(&statuses));
    struct sl_str drain = sl_key_tail(change->pair.key, sl_key_str(&drains));
    uint32_t feed = sl_sim_catalog_find_name(&sim->catalog, name.len > 0 ? name : status_name);
    if (drain.len > 0 && pair)
        judge_intent(sim, drain, pair);
    else if (name.len > 0 && feed != SL_SIM_FEED_NONE)
        judge_info(sim, feed, pair);
    else if (status_name.len > 0 && feed != SL_SIM_FEED_NONE)
        judge_status(sim, feed, pair);
}

/* Only what has changed, unless the store does not know any more what did. */
static void judge_changes(struct sl_sim *sim, sl_revision from)
{
    struct sl_store_watch_batch batch;
    bool is_known =
        sl_store_model_changes(sl_store_sim_model(sim->cluster->store), SL_STR(""), from, &batch) && !batch.ended;
    for (uint32_t i = 0; is_known && i < batch.event_count; i++)
        judge_change(sim, &batch.events[i]);
    if (is_known)
        return;
    judge_feeds(sim);
    judge_drains(sim);
}

/* ---- leases ---- */

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
    sl_revision from = j->revision + 1;
    j->revision = revision;
    judge_changes(sim, from);
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

/* ---- answers ---- */

static bool judge_was_safe(const struct sl_sim *sim, const struct sl_node_id *node)
{
    const struct sl_sim_cluster_judge *j = &sim->cluster->judge;
    for (uint32_t i = 0; i < j->drain_count; i++) {
        if (j->drains[i].was_safe && sl_node_id_eq(&j->drains[i].target, node))
            return true;
    }
    return false;
}

/* The live process of this id that holds its lease, or a null pointer. */
static const struct sl_sim_host *judge_member(const struct sl_sim *sim, const struct sl_node_id *node)
{
    for (uint32_t i = 0; i < sim->host_count; i++) {
        const struct sl_sim_host *h = &sim->hosts[i];
        if (h->state != SL_SIM_HOST_DOWN && !h->is_unleased && sl_node_id_eq(&h->id, node))
            return h;
    }
    return NULL;
}

static void judge_done(struct sl_sim *sim, const struct sl_node_id *node, const char *said)
{
    const struct sl_sim_host *h = judge_member(sim, node);
    uint64_t work = h ? sl_sim_host_work(h) : 0;
    if (work > 0)
        sl_sim_oracle_fail(&sim->oracle, SL_SIM_ORACLE_CONTRACT,
                           "an old client was told %s of %s, whose process %" PRIu32 " holds %" PRIu64
                           " pieces of work",
                           said, node->text, h->process, work);
}

void sl_sim_judge_old_answer(struct sl_sim *sim, const struct sl_sim_host *h, const struct sl_node_id *node,
                             const struct sl_reply *reply, bool is_zero_final)
{
    const struct sl_coordinator *c = sl_node_coordinator(h->node);
    bool is_running = c && sl_coordinator_is_running(c);
    sl_sim_oracle_count(&sim->oracle, SL_SIM_ORACLE_CONTRACT);
    if (reply->code == SL_NOT_FOUND)
        judge_done(sim, node, "'no such node'");
    else if (reply->code != SL_OK)
        sl_sim_oracle_fail(&sim->oracle, SL_SIM_ORACLE_CONTRACT, "an old client's DrainNode was answered with %s %s",
                           sl_code_name(reply->code), reply->detail);
    else if (reply->remaining > 0 && is_zero_final && is_running)
        sl_sim_oracle_fail(&sim->oracle, SL_SIM_ORACLE_CONTRACT, "%s: %" PRIu32 " after 0 was said", node->text,
                           reply->remaining);
    if (reply->code != SL_OK || reply->remaining > 0)
        return;
    if (!judge_was_safe(sim, node))
        sl_sim_oracle_fail(&sim->oracle, SL_SIM_ORACLE_CONTRACT, "%s: 0 is said and no drain of it is or was safe",
                           node->text);
    judge_done(sim, node, "0");
    const struct sl_sim_host *target = judge_member(sim, node);
    if (target && sl_sim_oracle_process(&sim->oracle, target->process)->is_safe &&
        sl_sim_oracle_process(&sim->oracle, target->process)->liveness < SL_LIVENESS_STOPPING)
        sl_sim_oracle_fail(&sim->oracle, SL_SIM_ORACLE_CONTRACT, "%s: 0 is said and its liveness is %d", node->text,
                           sl_sim_oracle_process(&sim->oracle, target->process)->liveness);
}

void sl_sim_judge_refusal(struct sl_sim *sim, const struct sl_sim_host *h, uint32_t which)
{
    sl_sim_oracle_count(&sim->oracle, SL_SIM_ORACLE_INPUT);
    sl_sim_oracle_fail(&sim->oracle, SL_SIM_ORACLE_INPUT, "%s performed bad request %" PRIu32, h->id.text, which);
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

static bool judge_believes(const struct sl_sim_host *h, struct sl_membership_view *view)
{
    return sl_sim_cluster_believes(h, view) && view->leader;
}

void sl_sim_judge_leader(struct sl_sim *sim, const struct sl_sim_host *h)
{
    struct sl_sim_cluster_judge *j = &sim->cluster->judge;
    struct sl_membership_view view, other;
    if (!judge_believes(h, &view))
        return;
    sl_sim_oracle_count(&sim->oracle, SL_SIM_ORACLE_LEADER);
    for (uint32_t i = 0; i < sim->host_count; i++) {
        if (i != h->index && judge_believes(&sim->hosts[i], &other))
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
    if (!is_same)
        sl_sim_faults_on_moment(sim, SL_SIM_MOMENT_ELECTED, h->index);
}

const struct sl_sim_seen_drain *sl_sim_judge_drain(const struct sl_sim *sim, const struct sl_node_id *node)
{
    const struct sl_sim_cluster_judge *j = &sim->cluster->judge;
    for (uint32_t i = j->drain_count; i > 0; i--) {
        if (sl_node_id_eq(&j->drains[i - 1].target, node))
            return &j->drains[i - 1];
    }
    return NULL;
}

bool sl_sim_judge_phase(struct sl_sim *sim, const struct sl_node_id *node, enum sl_drain_phase *phase)
{
    const struct sl_sim_seen_drain *d = sl_sim_judge_drain(sim, node);
    if (d)
        *phase = d->phase;
    return d != NULL;
}
