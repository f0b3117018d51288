/* SPDX-License-Identifier: Apache-2.0 */
#include "core/maintainer/maintainer_internal.h"

/*
 * From "nothing is known" to spans with places:
 *
 *   ask every member  ->  all answered  ->  load the tables at the trigger's start  ->  adopt (adopt.c)  ->  RUNNING
 *
 * Each arrow can fail and is tried again after bootstrap_resend_ns, with an error in the status meanwhile. Once
 * RUNNING, the same question serves nodes that join later and nodes that fell silent.
 */

#define FEED_LOAD_DOUBLINGS_MAX 5u /* 500 ms to 16 s */
#define FEED_LOAD_FAILURES_MAX 5u  /* in a row: then it is an error of the feed */

static bool feed_bootstrap_asks(const struct sl_maintainer *m)
{
    bool state_asks = m->state == SL__MAINTAINER_BOOTSTRAPPING || m->state == SL__MAINTAINER_RUNNING;
    return state_asks && m->is_started && !m->opts.remove_only;
}

static sl_ns feed_bootstrap_retry_at(const struct sl_maintainer *m)
{
    return sl_ns_after(m->now, m->opts.limits.bootstrap_resend_ns);
}

void sl__feed_bootstrap_begin(struct sl_maintainer *m)
{
    for (sl_node_ref ref = sl_members_next(m->opts.members, SL_NODE_NONE); ref != SL_NODE_NONE;
         ref = sl_members_next(m->opts.members, ref)) {
        m->nodes[ref].heard_at = m->now;
        sl_bootstrap_add(&m->bootstrap, m->now, ref);
    }
}

void sl__feed_bootstrap_drop_node(struct sl_maintainer *m, sl_node_ref ref)
{
    struct sl__node *node = sl__maintainer_node(m, ref);
    sl__answer_free(node->answer, m->opts.mem);
    node->answer = NULL;
    sl_bootstrap_remove(&m->bootstrap, ref);
}

/* ---- requests ---- */

/* Only the own node hosts the table trigger, so only it is told the trigger's id (reference behaviour). */
static void feed_bootstrap_send(const struct sl_maintainer *m, sl_node_ref to, struct sl_outbox *out)
{
    Pb__ChangefeedID feed = sl_feed_id_pb(&m->id);
    Pb__DispatcherID trigger = sl_dispatcher_id_pb(m->trigger.id);
    Pb__MaintainerBootstrapRequest request = PB__MAINTAINER_BOOTSTRAP_REQUEST__INIT;
    request.changefeed = &feed;
    request.config = (ProtobufCBinaryData){ .len = m->config_len, .data = m->config };
    if (m->source)
        request.source_uri = (char *)m->source;
    request.start_ts = m->checkpoint.committed;
    request.keyspace_id = m->opts.keyspace_id;
    request.maintainer_epoch = m->opts.epoch;
    request.capabilities = SL__CAPABILITIES;
    if (to == sl__maintainer_self(m)) {
        request.table_trigger_id = &trigger;
        request.is_new = m->is_new;
    }
    (void)sl_out_send(out, to, SL_MSG_MAINTAINER_BOOTSTRAP_REQUEST, &request.base);
}

/*
 * A node that hosts spans and says nothing may have lost them, together with the word of it: it is asked what it still
 * runs. A node without spans has nothing to say; its silence begins when it gets some.
 */
static void feed_bootstrap_watch(struct sl_maintainer *m, struct sl_outbox *out)
{
    if (m->state != SL__MAINTAINER_RUNNING || m->now < m->silence_at)
        return;
    m->silence_at = sl_ns_after(m->now, m->opts.limits.silence_ns);
    for (sl_node_ref ref = sl_members_next(m->opts.members, SL_NODE_NONE); ref != SL_NODE_NONE;
         ref = sl_members_next(m->opts.members, ref)) {
        struct sl__node *node = &m->nodes[ref];
        if (!sl_control_node_is_used(m->control, ref))
            node->heard_at = m->now;
        sl_ns silent_at = sl_ns_after(node->heard_at, m->opts.limits.silence_ns);
        if (silent_at > m->now) {
            m->silence_at = sl_ns_min(m->silence_at, silent_at);
        } else if (sl_bootstrap_is_settled(&m->bootstrap, ref) && !sl_bootstrap_is_doubted(&m->bootstrap, ref)) {
            sl_bootstrap_ask_again(&m->bootstrap, m->now, ref);
            sl_out_event(out, SL_EV_NODE_SILENT, sl_f_str("feed", sl_feed_id_name(&m->id)),
                         sl_f_str("node", sl__maintainer_node_str(m, ref)));
        }
    }
}

/* ---- tables ---- */

/* Where the feed's DDL stream starts: only the node of the table trigger reports it. */
static sl_ts feed_bootstrap_start_ts(const struct sl_maintainer *m)
{
    sl_ts start = SL_TS_NONE;
    for (sl_node_ref ref = sl_bootstrap_next_answered(&m->bootstrap, SL_NODE_NONE); ref != SL_NODE_NONE;
         ref = sl_bootstrap_next_answered(&m->bootstrap, ref))
        start = sl_ts_max(start, m->nodes[ref].answer->checkpoint);
    return start;
}

static bool feed_bootstrap_is_ready(const struct sl_maintainer *m)
{
    return m->has_members && sl_bootstrap_is_ready(&m->bootstrap);
}

/* The ts at which the tables are wanted; none while they are not. */
static sl_ts feed_bootstrap_wanted_ts(const struct sl_maintainer *m)
{
    if (m->state == SL__MAINTAINER_RUNNING)
        return m->schema.missing_from == SL_TS_MAX ? SL_TS_NONE : m->schema.missing_to;
    return feed_bootstrap_is_ready(m) ? feed_bootstrap_start_ts(m) : SL_TS_NONE;
}

static void feed_bootstrap_load(struct sl_maintainer *m, struct sl_outbox *out)
{
    if (m->schema.request != 0 || m->now < m->schema.retry_at)
        return;
    sl_ts ts = feed_bootstrap_wanted_ts(m);
    const struct sl_out_schema_load load = { .feed = m->id,
                                             .request = m->schema.request_next,
                                             .ts = ts,
                                             .source = sl_secret_of((struct sl_bytes){ m->source, m->source_len }),
                                             .config = sl_secret_of((struct sl_bytes){ m->config, m->config_len }) };
    if (ts != SL_TS_NONE && sl_out_schema_load(out, &load)) {
        m->schema.request = m->schema.request_next++;
    } else if (ts != SL_TS_NONE) {
        m->schema.retry_at = feed_bootstrap_retry_at(m);
    } else if (m->state == SL__MAINTAINER_BOOTSTRAPPING && feed_bootstrap_is_ready(m)) {
        sl__status_note_own_error(m, "CDC:ErrSluiceNoCheckpoint", "no node reported where the feed starts", out);
        sl_bootstrap_ask_again(&m->bootstrap, feed_bootstrap_retry_at(m), sl__maintainer_self(m));
    }
}

/*
 * Told at once; an error of the feed, for which the coordinator would start it anew, only when it goes on: a source that is
 * away for a moment is asked again, at longer and longer intervals.
 */
static void feed_bootstrap_fail(struct sl_maintainer *m, enum sl_code code, struct sl_outbox *out)
{
    struct sl__schema *s = &m->schema;
    if (s->failures > 0 && m->now < s->retry_at)
        return; /* one of many tables for which there is no room */
    uint32_t doublings = sl_u32_min(s->failures++, FEED_LOAD_DOUBLINGS_MAX);
    sl_ns delay = m->opts.limits.bootstrap_resend_ns << doublings;
    s->retry_at = sl_ns_after(m->now, delay);
    sl_out_event(out, SL_EV_TABLES_NOT_LOADED, sl_f_str("feed", sl_feed_id_name(&m->id)),
                 sl_f_str("code", sl_str_of(sl_code_name(code))), sl_f_u64("failures", s->failures),
                 sl_f_u64("retry_ms", (uint64_t)(delay / SL_MS)));
    if (s->failures >= FEED_LOAD_FAILURES_MAX)
        sl__status_note_own_error(m, "CDC:ErrSluiceBootstrap", sl_code_text(code), out);
}

void sl__feed_bootstrap_want_tables(struct sl_maintainer *m, sl_ts commit_ts, enum sl_code code, struct sl_outbox *out)
{
    m->schema.missing_from = sl_ts_min(m->schema.missing_from, commit_ts);
    m->schema.missing_to = sl_ts_max(m->schema.missing_to, commit_ts);
    m->schema.request = 0; /* an answer under way is older than this change */
    feed_bootstrap_fail(m, code, out);
}

static void feed_bootstrap_finish(struct sl_maintainer *m, struct sl_outbox *out)
{
    uint32_t node_count = m->bootstrap.counts[SL_BOOTSTRAP_ANSWERED];
    for (sl_node_ref ref = 1; ref <= sl_members_ref_max(m->opts.members); ref++) {
        sl__answer_free(m->nodes[ref].answer, m->opts.mem);
        m->nodes[ref].answer = NULL;
    }
    sl_bootstrap_clear(&m->bootstrap);
    sl__status_drop_error(m, sl__maintainer_self(m));
    m->is_bootstrapped = true;
    m->trigger.post_at = m->now;
    m->silence_at = sl_ns_after(m->now, m->opts.limits.silence_ns);
    m->round = (struct sl__round){ .not_before = m->now, .is_wanted = true };
    sl__maintainer_set_state(m, SL__MAINTAINER_RUNNING, out);
    sl_out_event(out, SL_EV_MAINTAINER_BOOTSTRAPPED, sl_f_str("feed", sl_feed_id_name(&m->id)),
                 sl_f_u64("epoch", m->opts.epoch), sl_f_u64("nodes", node_count),
                 sl_f_u64("spans", sl_control_span_count(m->control)));
    sl_control_start(m->control, m->now, out);
}

/* Tables that could not be added when they came: start is right for all of them, because nothing of them is older. */
static enum sl_code feed_bootstrap_add_missing(struct sl_maintainer *m, const struct sl_in_schema *schema)
{
    for (uint32_t i = 0; i < schema->table_count; i++) {
        enum sl_code code =
            sl_control_add_table(m->control, schema->tables[i], m->schema.missing_from, m->opts.keyspace_id);
        if (code != SL_OK && code != SL_EXISTS)
            return code;
    }
    m->schema.missing_from = SL_TS_MAX;
    m->schema.missing_to = SL_TS_NONE;
    return SL_OK;
}

void sl__feed_bootstrap_on_schema(struct sl_maintainer *m, const struct sl_in_schema *schema, struct sl_outbox *out)
{
    if (!feed_bootstrap_asks(m) || m->schema.request == 0 || schema->request != m->schema.request)
        return;
    m->schema.request = 0;
    enum sl_code code = schema->code;
    if (code == SL_OK && m->state == SL__MAINTAINER_BOOTSTRAPPING)
        code = sl__maintainer_adopt(m, schema->tables, schema->table_count, out);
    else if (code == SL_OK)
        code = feed_bootstrap_add_missing(m, schema);
    if (code != SL_OK) {
        feed_bootstrap_fail(m, code, out);
        return;
    }
    m->schema.failures = 0;
    if (m->state == SL__MAINTAINER_BOOTSTRAPPING)
        feed_bootstrap_finish(m, out);
}

/* ---- answers ---- */

static enum sl_refusal feed_bootstrap_keep(struct sl_maintainer *m, sl_node_ref from,
                                           const Pb__MaintainerBootstrapResponse *r)
{
    struct sl__node *node = sl__maintainer_node(m, from);
    struct sl__answer *answer;
    if (sl__answer_new(&answer, m->opts.mem, r) != SL_OK)
        return SL_REFUSE_OUT_OF_MEMORY;
    sl__answer_free(node->answer, m->opts.mem);
    node->answer = answer;
    SL_REQUIRE(sl_bootstrap_answered(&m->bootstrap, from));
    return SL_REFUSE_NONE;
}

/* From a dispatch manager that a later one has replaced: it was under way for long. */
static bool feed_bootstrap_is_outdated(const struct sl_maintainer *m, sl_node_ref from,
                                       const Pb__MaintainerBootstrapResponse *r)
{
    return r->incarnation != 0 && r->incarnation < m->nodes[from].incarnation;
}

enum sl_refusal sl__feed_bootstrap_on_response(struct sl_maintainer *m, sl_node_ref from,
                                               const Pb__MaintainerBootstrapResponse *r, struct sl_outbox *out)
{
    if (!feed_bootstrap_asks(m))
        return SL_REFUSE_NOT_HANDLED;
    if (!sl_bootstrap_is_tracked(&m->bootstrap, from))
        return SL_REFUSE_UNKNOWN_NODE;
    if (!sl__maintainer_response_fits(m, r->maintainer_epoch) || feed_bootstrap_is_outdated(m, from, r))
        return SL_REFUSE_STALE_VERSION;
    if (r->err) {
        sl__status_note_peer_error(m, from, r->err, out);
        return SL_REFUSE_NONE;
    }
    if (m->state == SL__MAINTAINER_BOOTSTRAPPING) {
        enum sl_refusal refusal = feed_bootstrap_keep(m, from, r);
        if (refusal != SL_REFUSE_NONE)
            return refusal;
        sl__status_drop_error(m, from);
    }
    sl__maintainer_note_liveness(m, from, r->node_liveness);
    if (from == sl__maintainer_self(m))
        m->is_new = false;
    if (m->state == SL__MAINTAINER_RUNNING)
        sl__maintainer_merge(m, from, r, out);
    sl__maintainer_node(m, from)->incarnation = r->incarnation;
    sl__maintainer_heard(m, from);
    return SL_REFUSE_NONE;
}

/* ---- time ---- */

void sl__feed_bootstrap_run(struct sl_maintainer *m, struct sl_outbox *out)
{
    if (!feed_bootstrap_asks(m))
        return;
    feed_bootstrap_watch(m, out);
    feed_bootstrap_load(m, out);
    for (sl_node_ref ref = sl_bootstrap_take_due(&m->bootstrap, m->now); ref != SL_NODE_NONE;
         ref = sl_bootstrap_take_due(&m->bootstrap, m->now))
        feed_bootstrap_send(m, ref, out);
}

sl_ns sl__feed_bootstrap_deadline(const struct sl_maintainer *m)
{
    if (!feed_bootstrap_asks(m))
        return SL_NEVER;
    sl_ns deadline = sl_ns_min(sl_bootstrap_deadline(&m->bootstrap), m->silence_at);
    bool loads = m->schema.request == 0 && feed_bootstrap_wanted_ts(m) != SL_TS_NONE;
    return loads ? sl_ns_min(deadline, m->schema.retry_at) : deadline;
}
