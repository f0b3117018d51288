/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/sim.h"

/*
 * What leaves a node and what it is given, looked at from outside: facts for the oracles, moments for aimed faults,
 * events for the log.
 */

static const ProtobufCMessage *observe_decode(struct sl_sim *sim, const struct sl_out_send *send)
{
    const struct sl_wire_limits limits = SL_WIRE_LIMITS_DEFAULT;
    const ProtobufCMessage *message;
    sl_arena_reset(&sim->arena);
    enum sl_refusal refusal = sl_payload_decode(send->type, send->payload, &limits, &sim->arena, &message);
    SL_REQUIRE(refusal == SL_REFUSE_NONE); /* what a node sends, a node must accept */
    return message;
}

static void observe_target(struct sl_drain_target *target, const char *node_id, uint64_t epoch)
{
    bool set = sl_node_id_set(&target->node, sl_str_of(node_id));
    SL_REQUIRE(set);
    target->epoch = epoch;
}

static void observe_status(struct sl_sim *sim, const Pb__MaintainerStatus *status)
{
    struct sl_feed_id id;
    bool set = sl_feed_id_set(&id, status->changefeed);
    uint32_t feed = set ? sl_sim_catalog_find(&sim->catalog, &id) : SL_SIM_FEED_NONE;
    SL_REQUIRE(feed != SL_SIM_FEED_NONE);
    sl_sim_oracle_feed_epoch_used(&sim->oracle, feed, status->maintainer_epoch);
    if (status->checkpoint_ts != 0 && status->bootstrap_done) {
        sl_sim_oracle_covers(&sim->oracle, feed, status->checkpoint_ts, sl_sim_sink_first_open(&sim->sink, feed));
        sl_sim_oracle_checkpoint(&sim->oracle, feed, status->maintainer_epoch, status->checkpoint_ts,
                                 sl_sim_sink_feed_durable(&sim->sink, feed), sl_sim_sink_laggard(&sim->sink, feed));
    }
    if (status->drain_progress)
        sl_sim_oracle_drain_epoch_used(&sim->oracle, status->drain_progress->target_epoch);
}

/* Nodes speak of sets of targets, and of the oldest alone to those that know no sets. */
static void observe_set(struct sl_sim *sim, const struct sl_sim_host *h, Pb__DrainTarget *const *targets, size_t count,
                        uint64_t version)
{
    struct sl_target_set set = { .version = version, .count = (uint32_t)count };
    SL_REQUIRE(count <= SL_TARGETS_MAX);
    for (size_t i = 0; i < count; i++)
        observe_target(&set.targets[i], targets[i]->node_id, targets[i]->epoch);
    sl_sim_judge_set(sim, h, &set);
}

static void observe_bootstrap(struct sl_sim *sim, const struct sl_sim_host *h,
                              const Pb__CoordinatorBootstrapResponse *r)
{
    struct sl_sim_self_image image = {
        .process = h->process, .node_epoch = r->node_epoch, .liveness = (int)r->liveness, .is_unleased = h->is_unleased
    };
    sl_sim_oracle_self(&sim->oracle, &image);
    observe_set(sim, h, r->targets, r->n_targets, r->drain_target_epoch);
    for (size_t i = 0; i < r->n_statuses; i++)
        observe_status(sim, r->statuses[i]);
}

static void observe_heartbeat(struct sl_sim *sim, const struct sl_sim_host *h, const Pb__NodeHeartbeat *hb)
{
    struct sl_sim_self_image image = { .process = h->process,
                                       .node_epoch = hb->node_epoch,
                                       .liveness = (int)hb->liveness,
                                       .is_unleased = h->is_unleased };
    sl_sim_oracle_self(&sim->oracle, &image);
    observe_set(sim, h, hb->targets, hb->n_targets, hb->drain_target_epoch);
}

static void observe_liveness(struct sl_sim *sim, const struct sl_sim_host *h, const Pb__SetNodeLivenessResponse *r)
{
    struct sl_sim_self_image image = {
        .process = h->process, .node_epoch = r->node_epoch, .liveness = (int)r->applied, .is_unleased = h->is_unleased
    };
    sl_sim_oracle_self(&sim->oracle, &image);
}

/* With a set, the single target is its oldest at the version of the set, for peers that know no sets. */
static void observe_push(struct sl_sim *sim, uint32_t to, const Pb__SetDispatcherDrainTargetRequest *r)
{
    struct sl_drain_target target;
    sl_sim_faults_on_moment(sim, SL_SIM_MOMENT_PUSHED, to);
    sl_sim_oracle_drain_epoch_used(&sim->oracle, r->target_epoch);
    observe_target(&target, r->target_node_id, r->target_epoch);
    if (!r->has_target_set)
        sl_sim_judge_target(sim, &target.node, target.epoch);
    for (size_t i = 0; i < r->n_targets; i++) {
        observe_target(&target, r->targets[i]->node_id, r->targets[i]->epoch);
        sl_sim_judge_target(sim, &target.node, target.epoch);
    }
}

void sl_sim_observe_send(struct sl_sim *sim, const struct sl_sim_host *h, const struct sl_out_send *send)
{
    SL_REQUIRE(send->payload.len <= SL_SIM_PAYLOAD_BYTES_MAX);
    if (send->type != SL_MSG_MAINTAINER_BOOTSTRAP_REQUEST && send->type != SL_MSG_ADD_MAINTAINER_REQUEST)
        sl_sim_oracle_secret(&sim->oracle, send->payload, "a message");
    if (send->type == SL_MSG_SET_DISPATCHER_DRAIN_TARGET_REQUEST)
        observe_push(sim, h->index, (const Pb__SetDispatcherDrainTargetRequest *)observe_decode(sim, send));
    if (send->type == SL_MSG_COORDINATOR_BOOTSTRAP_RESPONSE) {
        observe_bootstrap(sim, h, (const Pb__CoordinatorBootstrapResponse *)observe_decode(sim, send));
    } else if (send->type == SL_MSG_NODE_HEARTBEAT_REQUEST) {
        observe_heartbeat(sim, h, (const Pb__NodeHeartbeat *)observe_decode(sim, send));
    } else if (send->type == SL_MSG_SET_NODE_LIVENESS_RESPONSE) {
        observe_liveness(sim, h, (const Pb__SetNodeLivenessResponse *)observe_decode(sim, send));
    } else if (send->type == SL_MSG_MAINTAINER_HEARTBEAT_REQUEST) {
        const Pb__MaintainerHeartbeat *hb = (const Pb__MaintainerHeartbeat *)observe_decode(sim, send);
        for (size_t i = 0; i < hb->n_statuses; i++)
            observe_status(sim, hb->statuses[i]);
    }
}

/* Each step is judged when it is made: reports may skip one. */
static void observe_liveness_change(struct sl_sim *sim, const struct sl_sim_host *h)
{
    enum sl_liveness liveness = sl_manager_liveness(sl_node_manager(h->node));
    bool stops = liveness == SL_LIVENESS_STOPPING;
    struct sl_sim_self_image image = { .process = h->process,
                                       .liveness = (int)liveness,
                                       .is_unleased = h->is_unleased };
    sl_sim_oracle_self(&sim->oracle, &image);
    if (stops && !h->is_unleased)
        sl_sim_oracle_stopping(&sim->oracle, h->process, sl_sim_host_work(h));
    sl_sim_faults_on_moment(sim, stops ? SL_SIM_MOMENT_STOPPING : SL_SIM_MOMENT_DRAINING, h->index);
}

static bool observe_moment_of(enum sl_event_id id, enum sl_sim_moment *moment)
{
    if (id == SL_EV_TARGET_APPLIED)
        *moment = SL_SIM_MOMENT_TARGET_APPLIED;
    else if (id == SL_EV_TARGET_CLEARED)
        *moment = SL_SIM_MOMENT_TARGET_CLEARED;
    else if (id == SL_EV_MAINTAINER_ADDED)
        *moment = SL_SIM_MOMENT_MAINTAINER_ADDED;
    else if (id == SL_EV_MAINTAINER_BOOTSTRAPPED)
        *moment = SL_SIM_MOMENT_BOOTSTRAPPED;
    else
        return false;
    return true;
}

/* Moves arrive about in the order in which they started, so counting is enough to see a wave end. */
static void observe_move(struct sl_sim_stats *st, bool is_done)
{
    if (!is_done) {
        st->moves_in_flight++;
        return;
    }
    st->moves_done++;
    if (st->wave_left == 0) {
        st->waves++;
        st->wave_left = st->moves_in_flight;
    }
    st->wave_left -= st->wave_left > 0;
    st->moves_in_flight -= st->moves_in_flight > 0;
}

void sl_sim_observe_event(struct sl_sim *sim, const struct sl_sim_host *h, const struct sl_event *event)
{
    enum sl_sim_moment moment;
    for (uint32_t i = 0; i < event->field_count; i++) {
        if (event->fields[i].kind == SL_FIELD_STR)
            sl_sim_oracle_secret(
                &sim->oracle, (struct sl_bytes){ (const uint8_t *)event->fields[i].str.ptr, event->fields[i].str.len },
                "an event");
    }
    if (observe_moment_of(event->id, &moment))
        sl_sim_faults_on_moment(sim, moment, h->index);
    if (event->id == SL_EV_LIVENESS_CHANGED)
        observe_liveness_change(sim, h);
    if (event->id == SL_EV_MOVE_STARTED || event->id == SL_EV_MOVE_DONE)
        observe_move(&sim->stats, event->id == SL_EV_MOVE_DONE);
    if (event->id == SL_EV_STORE_VALUE_REFUSED)
        sl_sim_judge_refused_value(sim, h, event->fields[0].str);
    if (event->id == SL_EV_MAINTAINER_ADDED)
        sl_sim_oracle_work(&sim->oracle, h->process, "a maintainer");
    sl_sim_log_event(&sim->log, h->id.text, event);
}

void sl_sim_observe_input(struct sl_sim *sim, const struct sl_sim_host *h, const struct sl_input *in)
{
    if (in->kind != SL_IN_REPORT)
        return;
    if (in->u.report.kind == SL_REPORT_BLOCKED)
        sl_sim_faults_on_moment(sim, SL_SIM_MOMENT_DDL_BLOCKED, h->index);
    else if (in->u.report.kind == SL_REPORT_UNBLOCKED)
        sl_sim_faults_on_moment(sim, SL_SIM_MOMENT_DDL_BEHIND, h->index);
    if (in->u.report.kind == SL_REPORT_CLOSED)
        sl_sim_faults_on_moment(sim, SL_SIM_MOMENT_ORIGIN_STOPPED, h->index);
    else if (in->u.report.kind == SL_REPORT_READY)
        sl_sim_faults_on_moment(sim, SL_SIM_MOMENT_DESTINATION_READY, h->index);
}

void sl_sim_observe_command(struct sl_sim *sim, const struct sl_sim_host *h, const struct sl_command *c)
{
    if (c->verb == SL_COMMAND_OPEN) {
        sl_sim_oracle_work(&sim->oracle, h->process, "a dispatcher");
        sl_sim_faults_on_moment(sim, SL_SIM_MOMENT_DESTINATION_OPENS, h->index);
    } else if (c->verb == SL_COMMAND_OPEN_FEED) {
        sl_sim_oracle_work(&sim->oracle, h->process, "a feed");
    } else if (c->verb == SL_COMMAND_CLOSE) {
        sl_sim_faults_on_moment(sim, SL_SIM_MOMENT_ORIGIN_CLOSES, h->index);
    } else if (c->verb == SL_COMMAND_WRITE) {
        sl_sim_faults_on_moment(sim, SL_SIM_MOMENT_DDL_WRITES, h->index);
    } else if (c->verb == SL_COMMAND_PASS) {
        sl_sim_faults_on_moment(sim, SL_SIM_MOMENT_DDL_PASSES, h->index);
    }
}
