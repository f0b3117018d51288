/* SPDX-License-Identifier: Apache-2.0 */
#include "core/coordinator/drains_internal.h"

#include <string.h>

/*
 * What operators and clients ask about drains. Old clients know one verb, DrainNode, and read several errors as "done":
 * to them every doubt is a number >= 1 (docs/protocol.md). Ours get a code, a sentence, and the drain.
 */

static void api_view(const struct sl_drains *d, sl_ns now, const struct drain_session *s, struct sl_drain_view *v)
{
    *v = (struct sl_drain_view){ .intent = s->intent,
                                 .blocker = s->blocker,
                                 .since = s->accepted_at,
                                 .progress_at = s->progress_at,
                                 .dispatchers_at_start = s->left_at_start };
    enum sl_drain_phase phase = sl__drain_phase(s);
    v->intent.phase = phase;
    v->safe_to_stop = phase == SL_DRAIN_SAFE || (phase > SL_DRAIN_SAFE && s->durable.ended_from == SL_DRAIN_SAFE);
    memcpy(v->blocker_detail, s->detail, sizeof v->blocker_detail);
    if (!sl__drain_is_open(s) || !d->settled)
        return;
    struct sl_proof_facts f;
    sl__drain_facts(d, now, s, &f);
    v->maintainers = f.feeds.bound;
    v->operators = f.feeds.operators;
    v->dispatchers = f.feeds.dispatchers;
    v->moves = f.feeds.moves;
    v->stuck = f.feeds.stuck;
    v->feeds_unsettled = f.feeds.unsettled;
    v->peers_unacked = f.peers - f.peers_acked;
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
    for (uint32_t i = 0; i < s->ticket_count; i++)
        api_answer_drain(d, now, s->tickets[i], s, code, detail, out);
    s->ticket_count = 0;
}

/* ---- finding ----------------------------------------------------------------------------------------------------- */

static bool api_starts_with(struct sl_str s, struct sl_str prefix)
{
    return s.len >= prefix.len && memcmp(s.ptr, prefix.ptr, prefix.len) == 0;
}

/* A member by id or unique prefix of one; SL_NODE_NONE if there is none or more than one. */
static sl_node_ref api_find_node(const struct sl_drains *d, struct sl_str node)
{
    sl_node_ref found = sl_members_find_str(d->opts.members, node);
    if (found != SL_NODE_NONE || node.len == 0)
        return found;
    for (sl_node_ref ref = sl_members_next(d->opts.members, SL_NODE_NONE); ref != SL_NODE_NONE;
         ref = sl_members_next(d->opts.members, ref)) {
        if (!api_starts_with(sl_node_id_str(sl_members_id(d->opts.members, ref)), node))
            continue;
        if (found != SL_NODE_NONE)
            return SL_NODE_NONE;
        found = ref;
    }
    return found;
}

/* The newest session for this target id; open ones first. */
static struct drain_session *api_session_of(struct sl_drains *d, struct sl_str target)
{
    struct drain_session *found = NULL;
    for (uint32_t i = 0; i < d->session_count; i++) {
        struct drain_session *s = &d->sessions[i];
        if (!sl_str_eq(sl_node_id_str(&s->intent.target), target))
            continue;
        bool newer = !found || s->intent.created_wall_ms >= found->intent.created_wall_ms;
        if (sl__drain_is_open(s) || (newer && !(found && sl__drain_is_open(found))))
            found = s;
    }
    return found;
}

static struct drain_session *api_session_named(struct sl_drains *d, struct sl_str id)
{
    struct drain_session *found = NULL;
    for (uint32_t i = 0; i < d->session_count && id.len > 0; i++) {
        struct drain_session *s = &d->sessions[i];
        if (!api_starts_with(sl_str_of(s->intent.id), id))
            continue;
        if (found)
            return NULL;
        found = s;
    }
    return found;
}

/* By drain id, else by the node's id or prefix. */
static struct drain_session *api_session(struct sl_drains *d, const struct sl_request *r)
{
    if (r->drain.len > 0)
        return api_session_named(d, r->drain);
    sl_node_ref node = api_find_node(d, r->node);
    return api_session_of(d, node != SL_NODE_NONE ? sl_node_id_str(sl_members_id(d->opts.members, node)) : r->node);
}

/* ---- starting ---------------------------------------------------------------------------------------------------- */

static uint32_t api_open_count(const struct sl_drains *d)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < d->session_count; i++)
        count += sl__drain_is_open(&d->sessions[i]);
    return count;
}

/* Gives up the oldest ended session, in the store too; the answer of that delete interests nobody. */
static bool api_make_room(struct sl_drains *d, struct sl_outbox *out)
{
    if (d->session_count < d->session_cap)
        return true;
    struct drain_session *oldest = NULL;
    for (uint32_t i = 0; i < d->session_count; i++) {
        struct drain_session *s = &d->sessions[i];
        bool ended = !sl__drain_is_open(s) && s->write == 0 && s->read == 0 && !s->differs;
        if (ended && (!oldest || s->intent.ended_wall_ms < oldest->intent.ended_wall_ms))
            oldest = s;
    }
    struct sl_key key;
    if (!oldest || !sl_key_drain(&key, sl_str_of(d->cluster), sl_str_of(oldest->intent.id)))
        return false;
    struct sl_store_action gone = { .kind = SL_ACTION_DELETE, .key = sl_key_str(&key) };
    struct sl_store_op op = { .id = ++*d->opts.op_next, .verb = SL_STORE_TXN, .then = &gone, .then_count = 1 };
    if (!sl_out_store(out, &op))
        return false;
    *oldest = d->sessions[--d->session_count];
    return true;
}

static void api_copy(char *to, size_t size, struct sl_str from)
{
    struct sl_text t;
    sl_text_init(&t, to, size);
    sl_text_str(&t, from);
}

static struct drain_session *api_open(struct sl_drains *d, sl_ns now, sl_node_ref node, const struct sl_request *r,
                                      struct sl_outbox *out)
{
    if (api_open_count(d) >= d->opts.session_count_max || !api_make_room(d, out))
        return NULL;
    struct drain_session *s = &d->sessions[d->session_count++];
    uint64_t wall_ms = ((uint64_t)now + d->opts.wall_offset_ns) / (uint64_t)SL_MS;
    *s = (struct drain_session){ .node = node, .accepted_at = now, .blocker = SL_BLOCKED_NOT_DURABLE };
    struct sl_text id;
    sl_text_init(&id, s->intent.id, sizeof s->intent.id);
    sl_text_hex64(&id, sl_prng_u64(&d->prng));
    s->intent.target = *sl_members_id(d->opts.members, node);
    s->intent.target_node_epoch = sl_nodes_at(d->opts.nodes, node)->node_epoch;
    s->intent.created_wall_ms = wall_ms;
    s->intent.deadline_wall_ms = r->deadline_ms > 0 ? wall_ms + r->deadline_ms : 0;
    s->intent.lag_budget_ms = r->lag_budget_ms;
    s->intent.stop_node = r->stop_node;
    s->intent.cancel_at_deadline = r->cancel_at_deadline;
    api_copy(s->intent.reason, sizeof s->intent.reason, r->reason);
    api_copy(s->intent.actor, sizeof s->intent.actor, r->actor);
    sl__drain_changed(s);
    sl__drain_check_soon(d, now);
    return s;
}

static bool api_is_last_node(const struct sl_drains *d)
{
    return sl_members_alive_count(d->opts.members) < 2;
}

/* ---- DrainNode, the protocol's verb --------------------------------------------------------------------------------
 */

static void api_answer_count(uint64_t ticket, uint32_t remaining, struct sl_outbox *out)
{
    struct sl_reply r = { .ticket = ticket, .code = SL_OK, .remaining = remaining };
    sl_out_reply(out, &r);
}

static uint32_t api_remaining(const struct sl_drains *d, sl_ns now, const struct drain_session *s)
{
    struct sl_proof_facts f;
    enum sl_drain_phase phase = sl__drain_phase(s);
    bool safe = phase == SL_DRAIN_SAFE || (phase > SL_DRAIN_SAFE && s->durable.ended_from == SL_DRAIN_SAFE);
    sl__drain_facts(d, now, s, &f);
    return sl_drain_remaining(&f, safe);
}

static void api_drain_node(struct sl_drains *d, sl_ns now, const struct sl_request *r, struct sl_outbox *out)
{
    sl_node_ref node = sl_members_find_str(d->opts.members, r->node);
    struct drain_session *s = api_session_of(d, r->node);
    if (!d->settled) {
        api_answer_count(r->ticket, 1, out);
        return;
    }
    /* A node that left stays safe, or gone: the last word about it is kept in the history. A rejoined id starts anew.
     */
    bool ended = s && !sl__drain_is_open(s);
    if (s && (!ended || (node == SL_NODE_NONE && s->intent.phase == SL_DRAIN_DONE))) {
        api_answer_count(r->ticket, api_remaining(d, now, s), out);
        return;
    }
    if (node == SL_NODE_NONE) {
        api_answer(r->ticket, SL_NOT_FOUND, "no such node in the cluster", out);
        return;
    }
    /* No room, no destination: transient to an old client, and legible in the list of drains. */
    (void)api_open(d, now, node, r, out);
    api_answer_count(r->ticket, 1, out);
}

/* ---- ours ----------------------------------------------------------------------------------------------------------
 */

static bool api_same_options(const struct sl_intent *i, const struct sl_request *r)
{
    bool deadline = (i->deadline_wall_ms == 0) == (r->deadline_ms == 0);
    return deadline && i->lag_budget_ms == r->lag_budget_ms && i->stop_node == r->stop_node &&
           i->cancel_at_deadline == r->cancel_at_deadline;
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
    bool possible = sl_feeds_has_destination(d->opts.feeds, now, node);
    api_reply(&r, possible ? SL_OK : SL_REFUSED, possible ? "" : sl_blocker_text(SL_BLOCKED_NO_DESTINATION));
    sl_out_reply(out, &r);
}

static void api_join(struct sl_drains *d, sl_ns now, struct drain_session *s, const struct sl_request *r,
                     struct sl_outbox *out)
{
    if (!api_same_options(&s->intent, r)) {
        api_answer_drain(d, now, r->ticket, s, SL_EXISTS, "a drain of this node runs with other options", out);
    } else if (s->mod_revision > 0 || s->ticket_count == DRAIN_TICKETS_MAX) {
        api_answer_drain(d, now, r->ticket, s, SL_OK, "joined the running drain", out);
    } else {
        s->tickets[s->ticket_count++] = r->ticket;
    }
}

static void api_drain(struct sl_drains *d, sl_ns now, const struct sl_request *r, struct sl_outbox *out)
{
    sl_node_ref node = api_find_node(d, r->node);
    if (!d->settled) {
        api_answer(r->ticket, SL_NOT_READY, sl_blocker_text(SL_BLOCKED_COORDINATOR_STARTING), out);
        return;
    }
    if (node == SL_NODE_NONE) {
        api_answer(r->ticket, SL_NOT_FOUND, "no such node, or more than one begins so", out);
        return;
    }
    struct drain_session *s = api_session_of(d, sl_node_id_str(sl_members_id(d->opts.members, node)));
    if (r->dry_run) {
        api_plan(d, now, node, r->ticket, out);
    } else if (s && sl__drain_is_open(s)) {
        api_join(d, now, s, r, out);
    } else if (api_is_last_node(d)) {
        api_answer(r->ticket, SL_REFUSED, "it is the last node: nothing could take its work; stop the cluster instead",
                   out);
    } else {
        s = api_open(d, now, node, r, out);
        if (s)
            s->tickets[s->ticket_count++] = r->ticket;
        else
            api_answer(r->ticket, SL_LIMIT, "too many drains at once; wait for one to end", out);
    }
}

static void api_undrain(struct sl_drains *d, sl_ns now, const struct sl_request *r, struct sl_outbox *out)
{
    struct drain_session *s = api_session(d, r);
    if (!s || !d->settled) {
        api_answer(r->ticket, d->settled ? SL_NOT_FOUND : SL_NOT_READY, "no such drain", out);
        return;
    }
    bool foreign = s->node != SL_NODE_NONE && sl_nodes_at(d->opts.nodes, s->node)->protocol_version == 0;
    const char *why = NULL;
    if (s->intent.cancelled || s->intent.phase == SL_DRAIN_CANCELLED)
        why = "";
    else if (s->intent.phase >= SL_DRAIN_STOPPING)
        why = "too late: the node was told, or is about to be told, to stop";
    else if (foreign)
        why = "the node is foreign: it cannot become alive again in the same process";
    if (why) {
        api_answer_drain(d, now, r->ticket, s, why[0] ? SL_REFUSED : SL_OK, why, out);
        return;
    }
    s->intent.cancelled = true;
    sl__drain_set_phase(s, SL_DRAIN_CLEARING);
    if (s->ticket_count < DRAIN_TICKETS_MAX)
        s->tickets[s->ticket_count++] = r->ticket;
    else
        api_answer_drain(d, now, r->ticket, s, SL_OK, "", out);
    sl__drain_check_soon(d, now);
}

static void api_list(struct sl_drains *d, sl_ns now, const struct sl_request *r, struct sl_outbox *out)
{
    sl_arena_reset(&d->scratch);
    struct sl_drain_view *views = sl_arena_alloc(&d->scratch, (size_t)d->session_cap * sizeof *views);
    if (!views) {
        api_answer(r->ticket, SL_NOMEM, "no memory for the list", out);
        return;
    }
    for (uint32_t i = 0; i < d->session_count; i++)
        api_view(d, now, &d->sessions[i], &views[i]);
    struct sl_reply reply = { .ticket = r->ticket, .code = SL_OK, .drains = views, .drain_count = d->session_count };
    sl_out_reply(out, &reply);
}

void sl_drains_on_request(struct sl_drains *d, sl_ns now, const struct sl_request *r, struct sl_outbox *out)
{
    struct drain_session *s = NULL;
    if (r->verb == SL_REQUEST_DRAIN_NODE) {
        api_drain_node(d, now, r, out);
    } else if (r->verb == SL_REQUEST_DRAIN) {
        api_drain(d, now, r, out);
    } else if (r->verb == SL_REQUEST_UNDRAIN) {
        api_undrain(d, now, r, out);
    } else if (r->verb == SL_REQUEST_DRAIN_LIST) {
        api_list(d, now, r, out);
    } else {
        SL_REQUIRE(r->verb == SL_REQUEST_DRAIN_SHOW);
        s = api_session(d, r);
        if (s)
            api_answer_drain(d, now, r->ticket, s, SL_OK, "", out);
        else
            api_answer(r->ticket, SL_NOT_FOUND, "no such drain, or more than one begins so", out);
    }
    sl__drain_write_due(d, now, out);
}
