/* SPDX-License-Identifier: Apache-2.0 */
#include "core/coordinator/drains_internal.h"

#include <string.h>

/*
 * What operators and clients ask about drains. Old clients know one verb, DrainNode, and read several errors as "done":
 * to them every doubt is a number >= 1. Ours get a code, a sentence, and the drain.
 */
#define API_DEADLINE_MS_MAX (UINT64_C(30) * 24 * 3600 * 1000)
#define API_ETA_IDLE_NS (3 * SL_S)
#define API_LAG_BUDGET_MS_MAX (UINT64_C(24) * 3600 * 1000)

/* ---- answers ---- */

/* A node that is gone has the name it had. */
static void api_name_target(const struct sl_drains *d, struct sl_drain_view *v)
{
    struct sl_str name = sl__drain_name_of(d, &v->intent.target);
    struct sl_text t;
    sl_text_init(&t, v->target_name, sizeof v->target_name);
    sl_text_str(&t, name.len > 0 ? name : sl_str_of(v->intent.target_name));
}

/* What is left at the pace of what was done; not known before a hundredth was, after a take-over, or while nothing goes on. */
static uint64_t api_eta_ms(sl_ns now, const struct drain_session *s, const struct sl_drain_view *v)
{
    bool stands_still = sl_ns_after(s->progress_at, API_ETA_IDLE_NS) < now;
    bool has_begun = v->moves_done > s->dispatchers_at_start / 100;
    if (s->accepted_at == 0 || !has_begun || now <= s->accepted_at || stands_still)
        return 0;
    uint64_t spent_ms = (uint64_t)((now - s->accepted_at) / SL_MS);
    return spent_ms > UINT64_MAX / (v->dispatchers + 1u) ? 0 : spent_ms * v->dispatchers / v->moves_done;
}

static void api_view_counts(const struct sl_drains *d, sl_ns now, const struct drain_session *s,
                            struct sl_drain_view *v)
{
    struct sl_proof_facts f;
    sl__drain_facts(d, now, s, &f);
    v->maintainers = f.feeds.bound;
    v->operators = f.feeds.operators;
    v->dispatchers = sl_drain_dispatchers_left(&f);
    v->moves = f.feeds.moves;
    v->stuck = f.feeds.stuck;
    v->feeds_unsettled = f.feeds.unsettled;
    v->peers_unacked = f.peers - f.peers_acked;
    v->moves_done = s->dispatchers_at_start > v->dispatchers ? s->dispatchers_at_start - v->dispatchers : 0;
    v->lag_ms_worst = f.feeds.lag_ms;
    v->is_lag_known = f.feeds.is_lag_known;
    v->eta_ms = api_eta_ms(now, s, v);
    if (s->node != SL_NODE_NONE)
        v->slow_count = sl_feeds_slowest(d->opts.feeds, now, s->node, v->intent.epoch, v->slow, SL_DRAIN_SLOW_MAX);
}

static void api_view(const struct sl_drains *d, sl_ns now, const struct drain_session *s, struct sl_drain_view *v)
{
    *v = (struct sl_drain_view){ .intent = s->mod_revision > 0 ? s->durable : s->intent,
                                 .safe_to_stop = sl__drain_is_safe(d, s),
                                 .blocker = s->blocker,
                                 .since = s->accepted_at,
                                 .progress_at = s->progress_at,
                                 .dispatchers_at_start = s->dispatchers_at_start };
    v->lag_budget_ms = v->intent.lag_budget_ms;
    memcpy(v->blocker_detail, s->detail, sizeof v->blocker_detail);
    api_name_target(d, v);
    if (v->intent.phase == SL_DRAIN_SAFE || !sl__drain_is_open(s)) {
        v->blocker = SL_BLOCKED_NONE;
        v->blocker_detail[0] = '\0';
        v->moves_done = v->safe_to_stop ? s->dispatchers_at_start : 0;
    } else if (d->is_settled) {
        api_view_counts(d, now, s, v);
    } else {
        v->blocker = SL_BLOCKED_COORDINATOR_STARTING;
    }
}

static void api_reply(struct sl_reply *r, enum sl_code code, const char *detail)
{
    struct sl_text t;
    r->code = code;
    sl_text_init(&t, r->detail, sizeof r->detail);
    sl_text_cstr(&t, detail);
}

static void api_answer(uint64_t ticket, enum sl_code code, const char *detail, struct sl_outbox *out)
{
    struct sl_reply r = { .ticket = ticket };
    api_reply(&r, code, detail);
    sl_out_reply(out, &r);
}

static void api_answer_drain(const struct sl_drains *d, sl_ns now, uint64_t ticket, const struct drain_session *s,
                             enum sl_code code, const char *detail, struct sl_outbox *out)
{
    struct sl_drain_view view;
    api_view(d, now, s, &view);
    struct sl_reply r = { .ticket = ticket, .drains = &view, .drain_count = 1 };
    api_reply(&r, code, detail);
    sl_out_reply(out, &r);
}

void sl__drain_answer_waiting(struct sl_drains *d, sl_ns now, struct drain_session *s, enum sl_code code,
                              const char *detail, struct sl_outbox *out)
{
    d->ticket_count -= s->ticket_count;
    for (uint32_t i = 0; i < s->ticket_count; i++)
        api_answer_drain(d, now, s->tickets[i], s, code, detail, out);
    s->ticket_count = 0;
}

/* The answer comes when the store holds what was asked for: at once if it does already. */
static void api_answer_when_durable(struct sl_drains *d, sl_ns now, uint64_t ticket, struct drain_session *s,
                                    const char *detail, struct sl_outbox *out)
{
    if (sl__drain_is_in_step(s)) {
        api_answer_drain(d, now, ticket, s, SL_OK, detail, out);
    } else if (s->ticket_count == DRAIN_TICKETS_MAX || d->ticket_count == DRAIN_TICKETS_ALL_MAX) {
        api_answer_drain(d, now, ticket, s, SL_BUSY, "it is being stored, and too many wait for that: ask again", out);
    } else {
        s->tickets[s->ticket_count++] = ticket;
        d->ticket_count++;
    }
}

/* ---- finding ---- */

static bool api_starts_with(struct sl_str s, struct sl_str prefix)
{
    return s.len >= prefix.len && memcmp(s.ptr, prefix.ptr, prefix.len) == 0;
}

static int api_rank(const struct drain_session *s)
{
    if (!sl__drain_is_open(s))
        return 0;
    return s->intent.phase == SL_DRAIN_CLEARING ? 1 : 2;
}

/* Of two with the same target. Clocks of coordinators differ, epochs grow; 0 was cancelled before it had one. */
static bool api_is_newer(const struct drain_session *s, const struct drain_session *than)
{
    int a = api_rank(s), b = api_rank(than);
    return a > b || (a == b && s->intent.epoch >= than->intent.epoch);
}

/* The session for this target id: the one at work, else one that is being cleared, else the newest. */
static struct drain_session *api_session_of(struct sl_drains *d, struct sl_str target)
{
    struct drain_session *found = NULL;
    for (uint32_t i = 0; i < d->session_count; i++) {
        struct drain_session *s = &d->sessions[i];
        bool is_it = sl_str_eq(sl_node_id_str(&s->intent.target), target);
        if (is_it && (!found || api_is_newer(s, found)))
            found = s;
    }
    return found;
}

static struct drain_session *api_session_named(struct sl_drains *d, struct sl_str id)
{
    struct drain_session *found = NULL;
    for (uint32_t i = 0; i < d->session_count; i++) {
        struct drain_session *s = &d->sessions[i];
        if (!api_starts_with(sl_str_of(s->intent.id), id))
            continue;
        if (found)
            return NULL;
        found = s;
    }
    return found;
}

/* It ended with a proof, which nobody under the same id has made void since. Null: false. */
static bool api_has_proved(const struct drain_session *s)
{
    return s && s->intent.ended_from == SL_DRAIN_SAFE && !s->is_superseded;
}

/* The node was safe to stop, and has stopped, if it is a member for a while yet. */
static bool api_has_stopped(const struct sl_drains *d, const struct drain_session *s)
{
    return api_has_proved(s) && sl__drain_has_vanished(d, &s->intent.target);
}

/* By drain id or unique prefix, else by the node's id or prefix. */
static struct drain_session *api_session(struct sl_drains *d, const struct sl_request *r)
{
    if (r->drain.len > 0)
        return api_session_named(d, r->drain);
    sl_node_ref node = sl_members_find_prefix(d->opts.members, r->node);
    return api_session_of(d, node != SL_NODE_NONE ? sl_node_id_str(sl_members_id(d->opts.members, node)) : r->node);
}

/* ---- starting ---- */

static bool api_has_room(const struct sl_drains *d)
{
    uint32_t open = 0;
    for (uint32_t i = 0; i < d->session_count; i++)
        open += sl__drain_is_open(&d->sessions[i]);
    return open < d->opts.session_count_max && d->session_count < d->session_cap;
}

/* For people; what cannot be stored is left out. */
static void api_copy(char *to, size_t size, struct sl_str from)
{
    struct sl_text t;
    sl_text_init(&t, to, size);
    if (sl_str_is_printable_utf8(from))
        sl_text_str(&t, from);
}

static struct drain_session *api_open(struct sl_drains *d, sl_ns now, sl_node_ref node, const struct sl_request *r)
{
    if (!api_has_room(d))
        return NULL;
    SL_REQUIRE(d->sessions != NULL);
    struct drain_session *s = &d->sessions[d->session_count++];
    uint64_t wall_ms = sl__drain_wall_ms(d, now);
    *s = (struct drain_session){ .node = node, .accepted_at = now, .blocker = SL_BLOCKED_NOT_DURABLE };
    struct sl_text id;
    sl_text_init(&id, s->intent.id, sizeof s->intent.id);
    sl_text_hex64(&id, sl_prng_u64(&d->prng));
    s->intent.target = *sl_members_id(d->opts.members, node);
    api_copy(s->intent.target_name, sizeof s->intent.target_name, sl__drain_name_of(d, &s->intent.target));
    const struct sl_self_report *self = &sl_nodes_at(d->opts.nodes, node)->self;
    s->dispatchers_at_start = self->valid ? self->dispatchers : 0;
    s->intent.created_wall_ms = wall_ms;
    s->intent.deadline_wall_ms = r->deadline_ms > 0 ? wall_ms + r->deadline_ms : 0;
    s->intent.lag_budget_ms = r->lag_budget_ms;
    s->intent.stop_node = r->stop_node;
    s->intent.cancel_at_deadline = r->cancel_at_deadline;
    api_copy(s->intent.reason, sizeof s->intent.reason, r->reason);
    api_copy(s->intent.actor, sizeof s->intent.actor, r->actor);
    return s;
}

static bool api_is_last_node(const struct sl_drains *d)
{
    return sl_members_alive_count(d->opts.members) < 2;
}

/* ---- DrainNode, the protocol's verb ---- */

static uint32_t api_remaining(const struct sl_drains *d, sl_ns now, const struct drain_session *s)
{
    struct sl_proof_facts f;
    bool is_safe = sl__drain_is_safe(d, s);
    if (is_safe || !d->is_settled)
        return is_safe ? 0 : 1;
    sl__drain_facts(d, now, s, &f);
    return sl_drain_remaining(&f, false);
}

/* Whether the session is about the process that has this id now, or about one that is gone. */
static bool api_is_about(const struct sl_drains *d, const struct drain_session *s, sl_node_ref node)
{
    if (d->is_settled || node == SL_NODE_NONE)
        return s->node == node;
    const struct sl_observed *o = sl_nodes_at(d->opts.nodes, node);
    return s->durable.phase == SL_DRAIN_SAFE && (!o->observed || o->node_epoch == s->durable.target_node_epoch);
}

/* SL_NOT_FOUND, which old clients read as "done", only for a node that is gone and that nothing is left to say of. */
static void api_drain_node(struct sl_drains *d, sl_ns now, const struct sl_request *r, struct sl_outbox *out)
{
    struct sl_reply reply = { .ticket = r->ticket, .code = SL_OK, .remaining = 1 };
    sl_node_ref node = sl_members_find_str(d->opts.members, r->node);
    struct drain_session *s = d->is_loaded ? api_session_of(d, r->node) : NULL;
    bool is_open = s && sl__drain_is_open(s);
    if (api_has_stopped(d, s))
        node = SL_NODE_NONE;
    if (s && api_is_about(d, s, node) && (is_open || node == SL_NODE_NONE))
        reply.remaining = api_remaining(d, now, s);
    if (d->is_settled && node == SL_NODE_NONE && reply.remaining > 0 && !api_has_proved(s))
        api_reply(&reply, SL_NOT_FOUND, "no such node in the cluster");
    /* No room, no other node, a former life of it still being cleared: transient, and legible in the list of drains. */
    if (d->is_settled && node != SL_NODE_NONE && !is_open && !api_is_last_node(d))
        (void)api_open(d, now, node, r);
    sl_out_reply(out, &reply);
}

/* ---- ours ---- */

/* A request without options joins whatever runs. */
static bool api_fits(const struct sl_intent *i, const struct sl_request *r)
{
    uint64_t deadline_ms = i->deadline_wall_ms > 0 ? i->deadline_wall_ms - i->created_wall_ms : 0;
    bool has_none = r->deadline_ms == 0 && r->lag_budget_ms == 0 && !r->stop_node && !r->cancel_at_deadline;
    bool is_same = deadline_ms == r->deadline_ms && i->lag_budget_ms == r->lag_budget_ms &&
                   i->stop_node == r->stop_node && i->cancel_at_deadline == r->cancel_at_deadline;
    return has_none || is_same;
}

static void api_plan(struct sl_drains *d, sl_ns now, sl_node_ref node, uint64_t ticket, struct sl_outbox *out)
{
    uint32_t max = sl_members_alive_count(d->opts.members);
    sl_arena_reset(&d->scratch);
    struct sl_plan_move *rows = sl_arena_alloc(&d->scratch, max * sizeof *rows);
    struct sl_reply r = { .ticket = ticket, .plan = rows };
    if (!rows) {
        api_answer(ticket, SL_NOMEM, "no memory for the plan", out);
        return;
    }
    r.plan_count = sl_feeds_plan(d->opts.feeds, now, node, rows, max);
    bool is_possible = sl_feeds_has_destination(d->opts.feeds, now, node);
    api_reply(&r, is_possible ? SL_OK : SL_REFUSED, is_possible ? "" : sl_blocker_text(SL_BLOCKED_NO_DESTINATION));
    sl_out_reply(out, &r);
}

static void api_join(struct sl_drains *d, sl_ns now, struct drain_session *s, const struct sl_request *r,
                     struct sl_outbox *out)
{
    if (s->intent.phase == SL_DRAIN_CLEARING)
        api_answer_drain(d, now, r->ticket, s, SL_BUSY, "the last drain of this node is being cleared: ask again", out);
    else if (!api_fits(&s->intent, r))
        api_answer_drain(d, now, r->ticket, s, SL_EXISTS, "a drain of this node runs with other options", out);
    else
        api_answer_when_durable(d, now, r->ticket, s, "joined the running drain", out);
}

/* Null, or what is wrong with the options, whatever the node. */
static const char *api_check_options(const struct sl_request *r)
{
    if (r->deadline_ms > API_DEADLINE_MS_MAX)
        return "a deadline is at most 30 days away";
    if (r->cancel_at_deadline && r->deadline_ms == 0)
        return "to cancel at the deadline needs a deadline";
    return r->lag_budget_ms > API_LAG_BUDGET_MS_MAX ? "a lag budget is at most one day" : NULL;
}

/* A node that is gone: what its last drain came to is more than that it is not there. */
static void api_not_here(struct sl_drains *d, sl_ns now, uint64_t ticket, const struct drain_session *s,
                         struct sl_outbox *out)
{
    if (s)
        api_answer_drain(d, now, ticket, s, SL_NOT_FOUND, "the node has left; this was its last drain", out);
    else
        api_answer(ticket, SL_NOT_FOUND, "no such node, or more than one begins so", out);
}

static void api_drain(struct sl_drains *d, sl_ns now, const struct sl_request *r, struct sl_outbox *out)
{
    sl_node_ref node = sl_members_find_prefix(d->opts.members, r->node);
    const char *wrong = api_check_options(r);
    if (wrong) {
        api_answer(r->ticket, SL_BAD_FIELD, wrong, out);
        return;
    }
    struct sl_str id = node != SL_NODE_NONE ? sl_node_id_str(sl_members_id(d->opts.members, node)) : r->node;
    struct drain_session *s = id.len > 0 ? api_session_of(d, id) : NULL;
    if (node == SL_NODE_NONE || api_has_stopped(d, s)) {
        api_not_here(d, now, r->ticket, s, out);
    } else if (r->dry_run) {
        api_plan(d, now, node, r->ticket, out);
    } else if (s && sl__drain_is_open(s)) {
        api_join(d, now, s, r, out);
    } else if (api_is_last_node(d)) {
        api_answer(r->ticket, SL_REFUSED, "it is the last node: nothing could take its work; stop the cluster instead",
                   out);
    } else {
        s = api_open(d, now, node, r);
        if (s)
            api_answer_when_durable(d, now, r->ticket, s, "", out);
        else
            api_answer(r->ticket, SL_LIMIT, "too many drains at once: wait for one to end", out);
    }
}

static void api_undrain(struct sl_drains *d, sl_ns now, const struct sl_request *r, struct sl_outbox *out)
{
    struct drain_session *s = api_session(d, r);
    bool is_transient = false;
    if (!s) {
        api_answer(r->ticket, SL_NOT_FOUND, "no such drain, or more than one begins so", out);
        return;
    }
    if (!s->intent.cancelled) {
        const char *why = sl__drain_why_no_cancel(d, s, &is_transient);
        if (why) {
            api_answer_drain(d, now, r->ticket, s, is_transient ? SL_NOT_READY : SL_REFUSED, why, out);
            return;
        }
        sl__drain_cancel(s);
        sl__drain_check_now(d, now);
    }
    api_answer_when_durable(d, now, r->ticket, s, "", out);
}

static void api_list(struct sl_drains *d, sl_ns now, const struct sl_request *r, struct sl_outbox *out)
{
    sl_arena_reset(&d->scratch);
    struct sl_drain_view *views = sl_arena_alloc(&d->scratch, (size_t)d->session_count * sizeof *views);
    if (!views) {
        api_answer(r->ticket, SL_NOMEM, "no memory for the list", out);
        return;
    }
    for (uint32_t i = 0; i < d->session_count; i++)
        api_view(d, now, &d->sessions[i], &views[i]);
    struct sl_reply reply = { .ticket = r->ticket, .code = SL_OK, .drains = views, .drain_count = d->session_count };
    sl_out_reply(out, &reply);
}

static void api_show(struct sl_drains *d, sl_ns now, const struct sl_request *r, struct sl_outbox *out)
{
    const struct drain_session *s = api_session(d, r);
    if (s)
        api_answer_drain(d, now, r->ticket, s, SL_OK, "", out);
    else
        api_answer(r->ticket, SL_NOT_FOUND, "no such drain, or more than one begins so", out);
}

void sl__drain_answer(struct sl_drains *d, sl_ns now, const struct sl_request *r, struct sl_outbox *out)
{
    bool only_reads = r->verb == SL_REQUEST_DRAIN_LIST || r->verb == SL_REQUEST_DRAIN_SHOW;
    bool is_ready = only_reads ? d->is_loaded : d->is_settled;
    if (r->verb == SL_REQUEST_DRAIN_NODE)
        api_drain_node(d, now, r, out);
    else if (!is_ready)
        api_answer(r->ticket, SL_NOT_READY, sl_blocker_text(SL_BLOCKED_COORDINATOR_STARTING), out);
    else if (r->verb == SL_REQUEST_DRAIN)
        api_drain(d, now, r, out);
    else if (r->verb == SL_REQUEST_UNDRAIN)
        api_undrain(d, now, r, out);
    else if (r->verb == SL_REQUEST_DRAIN_LIST)
        api_list(d, now, r, out);
    else if (r->verb == SL_REQUEST_DRAIN_SHOW)
        api_show(d, now, r, out);
    else
        SL_UNREACHABLE();
}
