/* SPDX-License-Identifier: Apache-2.0 */
#include "core/manager/manager_internal.h"

/* Only a node that a coordinator has bootstrapped has one; the id decides, because a ref may be given to another node.
 */
static bool scope_is_bootstrapped(const struct sl_manager *m)
{
    return m->scope.version > 0;
}

sl_node_ref sl__scope_coordinator(const struct sl_manager *m)
{
    return sl_members_find(m->opts.members, &m->scope.coordinator);
}

static bool scope_is_coordinator(const struct sl_manager *m, sl_node_ref from)
{
    return sl_node_id_eq(sl_members_id(m->opts.members, from), &m->scope.coordinator);
}

enum sl_refusal sl__scope_check_sender(const struct sl_manager *m, sl_node_ref from)
{
    if (!scope_is_bootstrapped(m))
        return SL_REFUSE_NOT_BOOTSTRAPPED;
    return scope_is_coordinator(m, from) ? SL_REFUSE_NONE : SL_REFUSE_WRONG_SENDER;
}

/* ---- reports ---- */

/* The set knows its own count better than whoever told it, who may have counted before this step. */
static void scope_fill_self(struct sl_manager *m, Pb__SelfReport *self)
{
    const struct sl_hosted *hosted = &m->scope.hosted;
    pb__self_report__init(self);
    self->maintainers = sl_manager_maintainer_count(m);
    self->dispatchers = hosted->dispatchers;
    self->source_readers = hosted->readers;
    self->unflushed_rows = hosted->unflushed_rows;
    self->report_seq = ++m->scope.report_seq;
}

static bool scope_hosts_work(const Pb__SelfReport *self)
{
    return self->maintainers > 0 || self->dispatchers > 0 || self->source_readers > 0 || self->unflushed_rows > 0;
}

/* The applied target as a set of at most one: list must have room for one pointer. */
static size_t scope_fill_targets(struct sl_manager *m, Pb__DrainTarget *target, Pb__DrainTarget **list)
{
    pb__drain_target__init(target);
    target->node_id = m->scope.target.node.text;
    target->epoch = m->scope.target.epoch;
    *list = target;
    return sl_drain_target_is_set(&m->scope.target) ? 1 : 0;
}

void sl__scope_send_heartbeat(struct sl_manager *m, struct sl_outbox *out)
{
    struct sl__scope *s = &m->scope;
    sl_node_ref to = sl__scope_coordinator(m);
    s->heartbeat_at = m->now; /* also if it cannot leave: the next one is due a period later, or when forced */
    if (to == SL_NODE_NONE)
        return;
    Pb__NodeHeartbeat heartbeat = PB__NODE_HEARTBEAT__INIT;
    Pb__SelfReport self;
    Pb__DrainTarget target, *targets;
    scope_fill_self(m, &self);
    heartbeat.liveness = sl_liveness_pb(s->liveness);
    heartbeat.node_epoch = m->opts.node_epoch;
    heartbeat.drain_target_node_id = s->target.node.text;
    heartbeat.drain_target_epoch = s->target.epoch;
    heartbeat.capabilities = SL__MANAGER_CAPABILITIES;
    heartbeat.self = &self;
    heartbeat.n_targets = scope_fill_targets(m, &target, &targets);
    heartbeat.targets = &targets;
    sl_out_send(out, to, SL_MSG_NODE_HEARTBEAT_REQUEST, &heartbeat.base);
}

/* ---- coordinator fence ---- */

/*
 * The version is the revision at which the coordinator was elected: two coordinators never share one, so an equal
 * version from somebody else is a lie or an accident, and only the holder may ask again.
 */
static enum sl_refusal scope_check_version(const struct sl_manager *m, sl_node_ref from, int64_t version)
{
    if (version <= 0 || version < m->scope.version)
        return SL_REFUSE_STALE_VERSION;
    if (version == m->scope.version && !scope_is_coordinator(m, from))
        return SL_REFUSE_WRONG_SENDER;
    return SL_REFUSE_NONE;
}

static void scope_send_bootstrap_response(struct sl_manager *m, struct sl_outbox *out)
{
    struct sl__scope *s = &m->scope;
    Pb__CoordinatorBootstrapResponse response = PB__COORDINATOR_BOOTSTRAP_RESPONSE__INIT;
    Pb__SelfReport self;
    Pb__DrainTarget target, *targets;
    /* Half a list would read as "the other feeds are not here"; without memory the coordinator has to ask again. */
    if (!sl__report_all(m, &response.statuses, &response.n_statuses))
        return;
    scope_fill_self(m, &self);
    response.drain_protocol_version = SL_DRAIN_PROTOCOL_VERSION;
    response.drain_target_node_id = s->target.node.text;
    response.drain_target_epoch = s->target.epoch;
    response.liveness = sl_liveness_pb(s->liveness);
    response.node_epoch = m->opts.node_epoch;
    response.capabilities = SL__MANAGER_CAPABILITIES;
    response.protocol_version = SL_PROTOCOL_VERSION;
    response.n_targets = scope_fill_targets(m, &target, &targets);
    response.targets = &targets;
    response.self = &self;
    if (!sl_out_send(out, sl__scope_coordinator(m), SL_MSG_COORDINATOR_BOOTSTRAP_RESPONSE, &response.base))
        sl__report_undo(m);
}

enum sl_refusal sl__scope_on_bootstrap(struct sl_manager *m, sl_node_ref from,
                                       const Pb__CoordinatorBootstrapRequest *req, struct sl_outbox *out)
{
    enum sl_refusal refusal = scope_check_version(m, from, req->version);
    if (refusal != SL_REFUSE_NONE)
        return refusal;
    if (req->version > m->scope.version) {
        m->scope.version = req->version;
        m->scope.coordinator = *sl_members_id(m->opts.members, from);
        sl_out_event(out, SL_EV_COORDINATOR_ACCEPTED, sl_f_str("coordinator", sl_node_id_str(&m->scope.coordinator)),
                     sl_f_i64("version", req->version));
    }
    scope_send_bootstrap_response(m, out);
    sl__scope_send_heartbeat(m, out);
    return SL_REFUSE_NONE;
}

/* ---- drain target ---- */

static void scope_tell_target(struct sl_manager *m, enum sl_target_verdict verdict,
                              const struct sl_drain_target *wanted, struct sl_outbox *out)
{
    const struct sl_drain_target *held = &m->scope.target;
    if (verdict == SL_TARGET_SET)
        sl_out_event(out, SL_EV_TARGET_APPLIED, sl_f_str("target", sl_node_id_str(&held->node)),
                     sl_f_u64("epoch", held->epoch));
    else if (verdict == SL_TARGET_CLEARED)
        sl_out_event(out, SL_EV_TARGET_CLEARED, sl_f_u64("epoch", held->epoch));
    else if (verdict != SL_TARGET_DUPLICATE) /* which is a coordinator that waits for an answer: nothing to tell */
        sl_out_event(out, SL_EV_TARGET_REFUSED, sl_f_str("verdict", sl_str_of(sl_target_verdict_name(verdict))),
                     sl_f_str("target", sl_node_id_str(&wanted->node)), sl_f_u64("epoch", wanted->epoch),
                     sl_f_str("applied_target", sl_node_id_str(&held->node)), sl_f_u64("applied_epoch", held->epoch));
}

enum sl_refusal sl__scope_on_target(struct sl_manager *m, const Pb__SetDispatcherDrainTargetRequest *req,
                                    struct sl_outbox *out)
{
    struct sl_drain_target wanted = { .epoch = req->target_epoch };
    enum sl_refusal refusal = SL_REFUSE_NONE;
    if (sl_node_id_set(&wanted.node, sl_str_of(req->target_node_id))) {
        enum sl_target_verdict verdict = sl_drain_target_apply(&m->scope.target, &wanted);
        if (sl_target_verdict_changed(verdict))
            sl__set_fan_out_target(m, out);
        scope_tell_target(m, verdict, &wanted, out);
    } else {
        refusal = SL_REFUSE_BAD_ID;
    }
    /* Always: it is the acknowledgement of what holds now, for a request that was late or came twice as well (M2). */
    sl__scope_send_heartbeat(m, out);
    return refusal;
}

/* ---- liveness ---- */

static void scope_reply_liveness(struct sl_manager *m, Pb__SelfReport *blocked_by, struct sl_outbox *out)
{
    Pb__SetNodeLivenessResponse response = PB__SET_NODE_LIVENESS_RESPONSE__INIT;
    response.applied = sl_liveness_pb(m->scope.liveness);
    response.node_epoch = m->opts.node_epoch;
    response.blocked_by = blocked_by;
    sl_out_send(out, sl__scope_coordinator(m), SL_MSG_SET_NODE_LIVENESS_RESPONSE, &response.base);
}

static void scope_tell_liveness_refused(const struct sl_manager *m, const Pb__SetNodeLivenessRequest *req,
                                        struct sl_outbox *out)
{
    sl_out_event(out, SL_EV_LIVENESS_REFUSED, sl_f_str("wanted", sl_str_of(sl_liveness_name((int)req->target))),
                 sl_f_str("liveness", sl_str_of(sl_liveness_name((int)m->scope.liveness))),
                 sl_f_u64("wanted_node_epoch", req->node_epoch), sl_f_u64("node_epoch", m->opts.node_epoch));
}

static void scope_refuse_stopping(struct sl_manager *m, Pb__SelfReport *self, struct sl_outbox *out)
{
    sl_out_event(out, SL_EV_STOPPING_REFUSED, sl_f_u64("maintainers", self->maintainers),
                 sl_f_u64("dispatchers", self->dispatchers), sl_f_u64("readers", self->source_readers),
                 sl_f_u64("unflushed_rows", self->unflushed_rows));
    scope_reply_liveness(m, self, out);
}

/* The self guard: what a coordinator believes about this node cannot make it stop while it works (M3). */
static bool scope_is_guarded(const struct sl_manager *m, int wanted)
{
    return m->opts.enforce_self_guard && m->scope.liveness == SL_LIVENESS_DRAINING && wanted == SL_LIVENESS_STOPPING;
}

enum sl_refusal sl__scope_on_liveness(struct sl_manager *m, const Pb__SetNodeLivenessRequest *req,
                                      struct sl_outbox *out)
{
    struct sl__scope *s = &m->scope;
    enum sl_liveness before = s->liveness;
    Pb__SelfReport self;
    if (req->node_epoch == m->opts.node_epoch && scope_is_guarded(m, (int)req->target)) {
        scope_fill_self(m, &self);
        if (scope_hosts_work(&self)) {
            scope_refuse_stopping(m, &self, out);
            return SL_REFUSE_NONE;
        }
    }
    if (req->node_epoch == m->opts.node_epoch && sl_liveness_step(&s->liveness, (int)req->target)) {
        sl_out_event(out, SL_EV_LIVENESS_CHANGED, sl_f_str("from", sl_str_of(sl_liveness_name((int)before))),
                     sl_f_str("to", sl_str_of(sl_liveness_name((int)s->liveness))));
        sl__scope_send_heartbeat(m, out);
    } else if (req->node_epoch != m->opts.node_epoch || (int)req->target != (int)before) {
        scope_tell_liveness_refused(m, req, out);
    }
    scope_reply_liveness(m, NULL, out);
    return SL_REFUSE_NONE;
}

/* ---- periodic heartbeat ---- */

sl_ns sl__scope_deadline(const struct sl_manager *m)
{
    return scope_is_bootstrapped(m) ? sl_ns_after(m->scope.heartbeat_at, m->opts.heartbeat_ns) : SL_NEVER;
}

void sl__scope_run(struct sl_manager *m, struct sl_outbox *out)
{
    if (m->now >= sl__scope_deadline(m))
        sl__scope_send_heartbeat(m, out);
}
