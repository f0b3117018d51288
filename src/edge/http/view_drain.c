/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/http/views.h"

#include <string.h>

static void drain_put_time(struct sl_json_out *j, const char *key, uint64_t wall_ms)
{
    char text[SL__TIME_BYTES];
    if (wall_ms > 0)
        sl__put_cstr(j, key, sl__time_rfc3339(text, wall_ms));
    else
        sl__put_null(j, key);
}

void sl__put_node(struct sl_json_out *j, const char *key, const struct sl_node_id *id, const char *name)
{
    sl_json_key(j, key);
    sl_json_open(j, '{');
    sl__put_text(j, "id", sl_node_id_str(id));
    sl__put_cstr(j, "name", name);
    sl_json_close(j, '}');
}

/* A drain that is over blocks nothing; before that "none" means that nothing was found to block it yet. */
static void drain_put_blocker(struct sl_json_out *j, const struct sl_drain_view *v)
{
    if (v->blocker == SL_BLOCKED_NONE) {
        sl__put_null(j, "blocker");
        return;
    }
    sl_json_key(j, "blocker");
    sl_json_open(j, '{');
    sl__put_cstr(j, "kind", sl_blocker_name(v->blocker));
    sl__put_cstr(j, "text", sl_blocker_text(v->blocker));
    sl__put_cstr(j, "detail", v->blocker_detail);
    sl_json_close(j, '}');
}

static void drain_put_counts(struct sl_json_out *j, const struct sl_drain_view *v)
{
    bool is_known = v->blocker != SL_BLOCKED_COORDINATOR_STARTING;
    /* While the coordinator starts nobody knows: a zero would read as "nothing left". */
    if (!is_known) {
        sl__put_null(j, "remaining");
        return;
    }
    sl_json_key(j, "remaining");
    sl_json_open(j, '{');
    sl__put_u64(j, "maintainers", v->maintainers);
    sl__put_u64(j, "operators", v->operators);
    sl__put_u64(j, "dispatchers", v->dispatchers);
    sl__put_u64(j, "moves", v->moves);
    sl__put_u64(j, "feeds_unsettled", v->feeds_unsettled);
    sl__put_u64(j, "peers_unacked", v->peers_unacked);
    sl__put_u64(j, "stuck", v->stuck);
    sl_json_close(j, '}');
}

static void drain_put_span_id(struct sl_json_out *j, struct sl_dispatcher_id id)
{
    char text[40];
    struct sl_text t;
    sl_text_init(&t, text, sizeof text);
    sl_text_hex64(&t, id.high);
    sl_text_hex64(&t, id.low);
    sl__put_cstr(j, "span", text);
}

static void drain_put_slow(struct sl_json_out *j, const struct sl_drain_view *v)
{
    sl_json_key(j, "slowest");
    sl_json_open(j, '[');
    for (uint32_t i = 0; i < v->slow_count && i < SL_DRAIN_SLOW_MAX; i++) {
        const struct sl_drain_slow *s = &v->slow[i];
        sl_json_open(j, '{');
        sl__put_cstr(j, "feed", s->feed);
        drain_put_span_id(j, s->span);
        sl__put_cstr(j, "phase", s->phase);
        sl__put_text(j, "waits_for", sl_node_id_str(&s->waits_for));
        sl__put_u64(j, "age_ms", s->age_ms);
        sl_json_close(j, '}');
    }
    sl_json_close(j, ']');
}

static void drain_put_history(struct sl_json_out *j, const struct sl__drain_seen *seen)
{
    char text[SL__TIME_BYTES];
    sl_json_key(j, "history");
    sl_json_open(j, '[');
    for (uint32_t i = 0; seen && i < seen->phase_count; i++) {
        sl_json_open(j, '{');
        sl__put_cstr(j, "phase", sl_drain_phase_name(seen->phases[i].phase));
        sl__put_cstr(j, "seen_at", sl__time_rfc3339(text, seen->phases[i].wall_ms));
        sl_json_close(j, '}');
    }
    sl_json_close(j, ']');
}

static void drain_put_u64_or_null(struct sl_json_out *j, const char *key, bool is_known, uint64_t v)
{
    if (is_known)
        sl__put_u64(j, key, v);
    else
        sl__put_null(j, key);
}

static void drain_put_times(struct sl_json_out *j, const struct sl_drain_view *v, const struct sl__drain_seen *seen)
{
    const struct sl_intent *i = &v->intent;
    uint64_t wall_ms = sl__time_wall_ms();
    uint64_t until_ms = i->ended_wall_ms > 0 ? i->ended_wall_ms : wall_ms;
    bool is_over = sl__drain_is_over(i->phase);
    drain_put_time(j, "created_at", i->created_wall_ms);
    drain_put_time(j, "deadline_at", i->deadline_wall_ms);
    drain_put_time(j, "ended_at", i->ended_wall_ms);
    drain_put_u64_or_null(j, "age_ms", until_ms >= i->created_wall_ms, until_ms - i->created_wall_ms);
    drain_put_u64_or_null(j, "since_progress_ms", seen && !is_over && !v->safe_to_stop,
                          seen ? (uint64_t)((sl_loop_now() - seen->progress_at) / SL_MS) : 0);
    drain_put_u64_or_null(j, "eta_ms", v->eta_ms > 0 && !is_over && !v->safe_to_stop, v->eta_ms);
    sl__put_bool(j, "late", i->deadline_wall_ms > 0 && !v->safe_to_stop && until_ms > i->deadline_wall_ms);
}

void sl__render_drain(struct sl_json_out *j, const void *ctx)
{
    const struct sl__drain_shown *shown = ctx;
    const struct sl_drain_view *v = shown->view;
    const struct sl_intent *i = &v->intent;
    const struct sl__drain_seen *seen = sl__board_find(shown->api->board, i->id);
    sl_json_open(j, '{');
    sl__put_cstr(j, "id", i->id);
    sl__put_node(j, "node", &i->target, v->target_name);
    sl__put_cstr(j, "phase", sl_drain_phase_name(i->phase));
    sl__put_bool(j, "safe_to_stop", v->safe_to_stop);
    sl__put_cstr(j, "proof", i->proof_reference ? "reference" : "full");
    drain_put_blocker(j, v);
    drain_put_counts(j, v);
    sl__put_u64(j, "dispatchers_at_start", v->dispatchers_at_start);
    sl__put_u64(j, "moves_done", v->moves_done);
    drain_put_u64_or_null(j, "lag_ms_worst", v->is_lag_known, v->lag_ms_worst);
    drain_put_u64_or_null(j, "lag_budget_ms", v->lag_budget_ms > 0 || i->lag_budget_ms > 0,
                          v->lag_budget_ms > 0 ? v->lag_budget_ms : i->lag_budget_ms);
    drain_put_times(j, v, seen);
    sl__put_bool(j, "cancelled", i->cancelled);
    sl__put_bool(j, "stop", i->stop_node);
    sl__put_bool(j, "cancel_at_deadline", i->cancel_at_deadline);
    sl__put_cstr(j, "reason", i->reason);
    sl__put_cstr(j, "actor", i->actor);
    sl__put_u64(j, "epoch", i->epoch);
    drain_put_slow(j, v);
    drain_put_history(j, seen);
    sl_json_close(j, '}');
}

void sl__render_drains(struct sl_json_out *j, const void *ctx)
{
    const struct sl__reply_shown *shown = ctx;
    sl_json_open(j, '{');
    sl__put_u64(j, "total", shown->reply->drain_count);
    sl_json_key(j, "items");
    sl_json_open(j, '[');
    for (uint32_t i = 0; i < shown->reply->drain_count; i++) {
        const struct sl__drain_shown one = { &shown->reply->drains[i], shown->call->api };
        sl__render_drain(j, &one);
    }
    sl_json_close(j, ']');
    sl_json_close(j, '}');
}

static const char *drain_name_of(const struct sl_api_status *status, const struct sl_node_id *id)
{
    for (uint32_t i = 0; i < status->member_count; i++) {
        if (sl_node_id_eq(&status->members[i].id, id))
            return status->members[i].name;
    }
    return "";
}

void sl__render_plan(struct sl_json_out *j, const void *ctx)
{
    const struct sl__reply_shown *shown = ctx;
    const struct sl_reply *r = shown->reply;
    sl_json_open(j, '{');
    sl__put_bool(j, "dry_run", true);
    sl__put_bool(j, "possible", r->code == SL_OK);
    sl__put_cstr(j, "blocker", r->code == SL_OK ? "" : r->detail);
    sl_json_key(j, "plan");
    sl_json_open(j, '[');
    for (uint32_t i = 0; i < r->plan_count; i++) {
        const struct sl_plan_move *p = &r->plan[i];
        sl_json_open(j, '{');
        sl__put_node(j, "node", &p->node, drain_name_of(shown->status, &p->node));
        sl__put_bool(j, "is_target", p->is_target);
        sl__put_bool(j, "is_eligible", p->is_eligible);
        sl__put_u64(j, "maintainers_before", p->maintainers_before);
        sl__put_u64(j, "maintainers_after", p->maintainers_after);
        sl__put_u64(j, "dispatchers_before", p->dispatchers_before);
        sl__put_u64(j, "dispatchers_after", p->dispatchers_after);
        sl_json_close(j, '}');
    }
    sl_json_close(j, ']');
    sl_json_close(j, '}');
}
