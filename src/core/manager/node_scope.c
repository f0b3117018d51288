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
static struct sl_hosted scope_hosted(const struct sl_manager *m)
{
    struct sl_hosted hosted = m->scope.hosted;
    hosted.maintainers = sl_manager_maintainer_count(m);
    return hosted;
}

static void scope_fill_self(struct sl_manager *m, Pb__SelfReport *self)
{
    const struct sl_hosted hosted = scope_hosted(m);
    pb__self_report__init(self);
    self->maintainers = hosted.maintainers;
    self->dispatchers = hosted.dispatchers;
    self->source_readers = hosted.readers;
    self->unflushed_rows = hosted.unflushed_rows;
    self->report_seq = ++m->scope.report_seq;
}

static bool scope_hosts_work(const Pb__SelfReport *self)
{
    return self->maintainers > 0 || self->dispatchers > 0 || self->source_readers > 0 || self->unflushed_rows > 0;
}

struct scope_targets {
    Pb__DrainTarget items[SL_TARGETS_MAX];
    Pb__DrainTarget *list[SL_TARGETS_MAX];
};

/* Points into the state: for sending at once. */
static size_t scope_fill_targets(struct sl_manager *m, struct scope_targets *t)
{
    struct sl_target_set *held = &m->scope.targets;
    for (uint32_t i = 0; i < held->count; i++) {
        pb__drain_target__init(&t->items[i]);
        t->items[i].node_id = held->targets[i].node.text;
        t->items[i].epoch = held->targets[i].epoch;
        t->list[i] = &t->items[i];
    }
    return held->count;
}

void sl__scope_send_heartbeat(struct sl_manager *m, struct sl_outbox *out)
{
    struct sl__scope *s = &m->scope;
    sl_node_ref to = sl__scope_coordinator(m);
    s->heartbeat_at = m->now; /* also if it cannot leave: the next one is due a period later, or when forced */
    s->told = scope_hosted(m);
    if (to == SL_NODE_NONE)
        return;
    Pb__NodeHeartbeat heartbeat = PB__NODE_HEARTBEAT__INIT;
    Pb__SelfReport self;
    struct scope_targets targets;
    scope_fill_self(m, &self);
    heartbeat.liveness = sl_liveness_pb(s->liveness);
    heartbeat.node_epoch = s->node_epoch;
    heartbeat.drain_target_node_id = s->reported.node.text;
    heartbeat.drain_target_epoch = s->reported.epoch;
    heartbeat.capabilities = SL__MANAGER_CAPABILITIES;
    heartbeat.self = &self;
    heartbeat.n_targets = scope_fill_targets(m, &targets);
    heartbeat.targets = targets.list;
    bool is_sent = sl_out_send(out, to, SL_MSG_NODE_HEARTBEAT_REQUEST, &heartbeat.base);
    s->told_work = !is_sent || scope_hosts_work(&self);
}

void sl__scope_note_hosted(struct sl_manager *m, struct sl_outbox *out)
{
    const struct sl_hosted hosted = scope_hosted(m);
    bool hosts_work =
        hosted.maintainers > 0 || hosted.dispatchers > 0 || hosted.readers > 0 || hosted.unflushed_rows > 0;
    if (m->scope.liveness == SL_LIVENESS_DRAINING && m->scope.told_work && !hosts_work)
        sl__scope_send_heartbeat(m, out);
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
    struct scope_targets targets;
    /* Half a list would read as "the other feeds are not here"; without memory the coordinator has to ask again. */
    if (!sl__report_all(m, &response.statuses, &response.n_statuses))
        return;
    scope_fill_self(m, &self);
    response.drain_protocol_version = SL_DRAIN_PROTOCOL_VERSION;
    response.drain_target_node_id = s->reported.node.text;
    response.drain_target_epoch = s->reported.epoch;
    response.liveness = sl_liveness_pb(s->liveness);
    response.node_epoch = s->node_epoch;
    response.capabilities = SL__MANAGER_CAPABILITIES;
    response.protocol_version = SL_PROTOCOL_VERSION;
    response.n_targets = scope_fill_targets(m, &targets);
    response.targets = targets.list;
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

/* ---- drain targets ---- */

/* One event for each target that is new. */
static void scope_tell_applied(const struct sl_manager *m, const struct sl_target_set *before, struct sl_outbox *out)
{
    const struct sl_target_set *held = &m->scope.targets;
    for (uint32_t i = 0; i < held->count; i++) {
        const struct sl_drain_target *t = &held->targets[i], *old = sl_target_set_find(before, &t->node);
        if (!old || old->epoch != t->epoch)
            sl_out_event(out, SL_EV_TARGET_APPLIED, sl_f_str("target", sl_node_id_str(&t->node)),
                         sl_f_u64("epoch", t->epoch));
    }
}

/* wanted: as one target where there are more, which is enough to find the request again. before: what was held. */
static void scope_tell_target(struct sl_manager *m, enum sl_target_verdict verdict,
                              const struct sl_drain_target *wanted, const struct sl_target_set *before,
                              struct sl_outbox *out)
{
    const struct sl_drain_target *held = &m->scope.reported;
    if (verdict == SL_TARGET_SET)
        scope_tell_applied(m, before, out);
    else if (verdict == SL_TARGET_CLEARED)
        sl_out_event(out, SL_EV_TARGET_CLEARED, sl_f_u64("epoch", held->epoch));
    else if (verdict != SL_TARGET_DUPLICATE) /* which is a coordinator that waits for an answer: nothing to tell */
        sl_out_event(out, SL_EV_TARGET_REFUSED, sl_f_str("verdict", sl_str_of(sl_target_verdict_name(verdict))),
                     sl_f_str("target", sl_node_id_str(&wanted->node)), sl_f_u64("epoch", wanted->epoch),
                     sl_f_str("applied_target", sl_node_id_str(&held->node)), sl_f_u64("applied_epoch", held->epoch));
}

static enum sl_refusal scope_read_set(struct sl_target_set *set, const Pb__SetDispatcherDrainTargetRequest *req)
{
    *set = (struct sl_target_set){ .version = req->target_epoch };
    if (req->n_targets > SL_TARGETS_MAX)
        return SL_REFUSE_BAD_TARGETS;
    for (size_t i = 0; i < req->n_targets; i++) {
        struct sl_drain_target *t = &set->targets[set->count++];
        t->epoch = req->targets[i]->epoch;
        t->lag_budget_ms = req->targets[i]->lag_budget_ms;
        if (!sl_node_id_set(&t->node, sl_str_of(req->targets[i]->node_id)))
            return SL_REFUSE_BAD_ID;
    }
    return sl_target_set_is_valid(set) ? SL_REFUSE_NONE : SL_REFUSE_BAD_TARGETS;
}

/* Changes nothing unless the whole request can be read. */
static enum sl_refusal scope_apply_target(struct sl_manager *m, const Pb__SetDispatcherDrainTargetRequest *req,
                                          struct sl_drain_target *wanted, enum sl_target_verdict *verdict)
{
    struct sl_target_set set;
    *wanted = (struct sl_drain_target){ .epoch = req->target_epoch };
    if (!sl_node_id_set(&wanted->node, sl_str_of(req->target_node_id)))
        return SL_REFUSE_BAD_ID;
    if (!req->has_target_set) {
        *verdict = sl_target_set_apply_single(&m->scope.targets, wanted);
        return SL_REFUSE_NONE;
    }
    enum sl_refusal refusal = scope_read_set(&set, req);
    if (refusal != SL_REFUSE_NONE)
        return refusal;
    *wanted = sl_target_set_reported(&set);
    *verdict = sl_target_set_apply(&m->scope.targets, &set);
    return SL_REFUSE_NONE;
}

enum sl_refusal sl__scope_on_target(struct sl_manager *m, const Pb__SetDispatcherDrainTargetRequest *req,
                                    struct sl_outbox *out)
{
    const struct sl_target_set before = m->scope.targets;
    struct sl_drain_target wanted;
    enum sl_target_verdict verdict;
    enum sl_refusal refusal = scope_apply_target(m, req, &wanted, &verdict);
    if (refusal == SL_REFUSE_NONE) {
        m->scope.reported = sl_target_set_reported(&m->scope.targets);
        if (sl_target_verdict_changed(verdict))
            sl__set_fan_out_target(m, out);
        scope_tell_target(m, verdict, &wanted, &before, out);
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
    response.node_epoch = m->scope.node_epoch;
    response.blocked_by = blocked_by;
    sl_out_send(out, sl__scope_coordinator(m), SL_MSG_SET_NODE_LIVENESS_RESPONSE, &response.base);
}

static void scope_tell_liveness_refused(const struct sl_manager *m, const Pb__SetNodeLivenessRequest *req,
                                        struct sl_outbox *out)
{
    sl_out_event(out, SL_EV_LIVENESS_REFUSED, sl_f_str("wanted", sl_str_of(sl_liveness_name((int)req->target))),
                 sl_f_str("liveness", sl_str_of(sl_liveness_name((int)m->scope.liveness))),
                 sl_f_u64("wanted_node_epoch", req->node_epoch), sl_f_u64("node_epoch", m->scope.node_epoch));
}

static void scope_refuse_stopping(struct sl_manager *m, Pb__SelfReport *self, struct sl_outbox *out)
{
    sl_out_event(out, SL_EV_STOPPING_REFUSED, sl_f_u64("maintainers", self->maintainers),
                 sl_f_u64("dispatchers", self->dispatchers), sl_f_u64("readers", self->source_readers),
                 sl_f_u64("unflushed_rows", self->unflushed_rows));
    scope_reply_liveness(m, self, out);
    m->scope.told_work = true;
}

/* The self guard: what a coordinator believes about this node cannot make it stop while it works (M3). */
static bool scope_is_guarded(const struct sl_manager *m, int wanted)
{
    return m->opts.enforce_self_guard && m->scope.liveness == SL_LIVENESS_DRAINING && wanted == SL_LIVENESS_STOPPING;
}

/*
 * A drain with the wish to stop is safe, and the store holds that: whoever runs this process may end it. It comes again
 * until the node has left.
 */
static void scope_on_stop(struct sl_manager *m, const Pb__SetNodeLivenessRequest *req, struct sl_outbox *out)
{
    struct sl__scope *s = &m->scope;
    bool is_meant = req->node_epoch == s->node_epoch && (int)req->target == (int)SL_LIVENESS_STOPPING;
    if (!is_meant || s->liveness != SL_LIVENESS_STOPPING) {
        scope_tell_liveness_refused(m, req, out);
    } else if (!s->wants_stop) {
        s->wants_stop = true;
        sl_out_event(out, SL_EV_STOP_ORDERED, sl_f_u64("node_epoch", s->node_epoch));
    }
    scope_reply_liveness(m, NULL, out);
}

/*
 * To the coordinator a new node epoch is another process, of which it knows nothing until it has answered a bootstrap: so
 * that answer follows unasked.
 */
static void scope_on_undrain(struct sl_manager *m, const Pb__SetNodeLivenessRequest *req, struct sl_outbox *out)
{
    struct sl__scope *s = &m->scope;
    enum sl_liveness before = s->liveness;
    bool is_meant = req->node_epoch == s->node_epoch && (int)req->target == (int)SL_LIVENESS_ALIVE;
    if (!is_meant || !sl_liveness_begin_life(&s->liveness, &s->node_epoch)) {
        scope_tell_liveness_refused(m, req, out);
        scope_reply_liveness(m, NULL, out);
        return;
    }
    sl_out_event(out, SL_EV_NODE_UNDRAINED, sl_f_str("from", sl_str_of(sl_liveness_name((int)before))),
                 sl_f_u64("node_epoch", s->node_epoch));
    sl__scope_send_heartbeat(m, out);
    scope_reply_liveness(m, NULL, out);
    scope_send_bootstrap_response(m, out);
}

enum sl_refusal sl__scope_on_liveness(struct sl_manager *m, const Pb__SetNodeLivenessRequest *req,
                                      struct sl_outbox *out)
{
    if (req->undrain) {
        scope_on_undrain(m, req, out);
        return SL_REFUSE_NONE;
    }
    if (req->stop) {
        scope_on_stop(m, req, out);
        return SL_REFUSE_NONE;
    }
    struct sl__scope *s = &m->scope;
    enum sl_liveness before = s->liveness;
    Pb__SelfReport self;
    if (req->node_epoch == s->node_epoch && scope_is_guarded(m, (int)req->target)) {
        scope_fill_self(m, &self);
        if (scope_hosts_work(&self)) {
            scope_refuse_stopping(m, &self, out);
            return SL_REFUSE_NONE;
        }
    }
    if (req->node_epoch == s->node_epoch && sl_liveness_step(&s->liveness, (int)req->target)) {
        sl_out_event(out, SL_EV_LIVENESS_CHANGED, sl_f_str("from", sl_str_of(sl_liveness_name((int)before))),
                     sl_f_str("to", sl_str_of(sl_liveness_name((int)s->liveness))));
        sl__scope_send_heartbeat(m, out);
    } else if (req->node_epoch != s->node_epoch || (int)req->target != (int)before) {
        scope_tell_liveness_refused(m, req, out);
    }
    scope_reply_liveness(m, NULL, out);
    return SL_REFUSE_NONE;
}

/* ---- periodic heartbeat ---- */

/* Rows come and go all the time: they are told along with the rest. */
static bool scope_has_news(const struct sl_manager *m)
{
    const struct sl_hosted is = scope_hosted(m), *told = &m->scope.told;
    return is.maintainers != told->maintainers || is.dispatchers != told->dispatchers || is.readers != told->readers;
}

sl_ns sl__scope_deadline(const struct sl_manager *m)
{
    if (!scope_is_bootstrapped(m))
        return SL_NEVER;
    return sl_ns_after(m->scope.heartbeat_at, scope_has_news(m) ? m->opts.heartbeat_min_ns : m->opts.heartbeat_ns);
}

void sl__scope_run(struct sl_manager *m, struct sl_outbox *out)
{
    if (m->now >= sl__scope_deadline(m))
        sl__scope_send_heartbeat(m, out);
}
