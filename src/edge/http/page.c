/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/http/view_feed.h"
#include "edge/http/views.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * /metrics. What this process knows of itself comes from the node and from the API; on the owner there are also nodes,
 * feeds and drains, from the core's own answers to three questions. A question that is not answered leaves its samples
 * out; the page comes all the same.
 */
enum { PAGE_BYTES_MAX = 16 << 20 };
#define PAGE_ANSWER_NS (5 * SL_S)

/* ---- the owner's view ---- */

static uint32_t page_feed_labels(struct sl_label labels[SL_LABELS_MAX], const struct sl_feed_view *v)
{
    labels[0] = sl_label_of("namespace", sl_str_of(v->record.id.keyspace));
    labels[1] = sl_label_of("changefeed", sl_str_of(v->record.id.name));
    return 2;
}

static uint64_t page_feed_status(enum sl_feed_state state)
{
    switch (state) {
    case SL_FEED_NORMAL:
        return 0;
    case SL_FEED_PENDING:
        return 1;
    case SL_FEED_FAILED:
        return 2;
    case SL_FEED_STOPPED:
        return 3;
    case SL_FEED_FINISHED:
        return 4;
    case SL_FEED_REMOVED:
        return 5;
    case SL_FEED_WARNING:
        return 6;
    }
    SL_UNREACHABLE();
}

void sl_api_collect_checkpoint(struct sl_metrics *m, enum sl_metric position, enum sl_metric lag,
                               const struct sl_label *labels, uint32_t label_count, sl_ts checkpoint)
{
    uint64_t now_ms = sl__time_wall_ms(), wall_ms = sl__feed_wall_ms(checkpoint);
    if (wall_ms == 0)
        return;
    sl_metrics_u64(m, position, labels, label_count, wall_ms);
    sl_metrics_real(m, lag, labels, label_count, now_ms > wall_ms ? (double)(now_ms - wall_ms) / 1000 : 0);
}

static void page_feed(struct sl_metrics *m, const struct sl_feed_view *v)
{
    struct sl_label labels[SL_LABELS_MAX];
    uint32_t count = page_feed_labels(labels, v);
    sl_metrics_u64(m, SL_METRIC_OWNER_FEED_STATUS, labels, count, page_feed_status(v->record.state));
    sl_api_collect_checkpoint(m, SL_METRIC_OWNER_CHECKPOINT_TS, SL_METRIC_OWNER_CHECKPOINT_LAG, labels, count,
                              v->checkpoint);
    if (!v->record.error.present)
        return;
    labels[count++] = sl_label_of("state", sl_str_of(sl_feed_state_name(v->record.state)));
    labels[count++] = sl_label_of("code", sl_str_of(v->record.error.code));
    labels[count++] = sl_label_of("message", sl_str_of(v->record.error.message));
    sl_metrics_u64(m, SL_METRIC_OWNER_FEED_ERROR, labels, count, 1);
}

static void page_feeds(struct sl_metrics *m, const struct sl_reply *r)
{
    static const struct {
        const char *placement, *label;
    } states[] = { { NULL, "Total" },
                   { "replicating", "Working" },
                   { "scheduling", "Scheduling" },
                   { "absent", "Absent" },
                   { "stopped", "Stopped" } };
    for (uint32_t i = 0; i < r->feed_count; i++)
        page_feed(m, &r->feeds[i]);
    for (size_t s = 0; s < sizeof states / sizeof states[0]; s++) {
        uint64_t count = 0;
        for (uint32_t i = 0; i < r->feed_count; i++) {
            const char *placement = r->feeds[i].placement;
            count += !states[s].placement || (placement && strcmp(placement, states[s].placement) == 0);
        }
        const struct sl_label label = sl_label_of("state", sl_str_of(states[s].label));
        sl_metrics_u64(m, SL_METRIC_FEED_STATE_COUNT, &label, 1, count);
    }
}

static void page_nodes(struct sl_metrics *m, const struct sl_reply *r)
{
    for (uint32_t i = 0; i < r->node_count; i++) {
        const struct sl_node_view *v = &r->nodes[i];
        const struct sl_label labels[] = { sl_label_of("node", sl_node_id_str(&v->capture.id)),
                                           sl_label_of("name", sl_str_of(v->capture.name)) };
        if (v->unknown || !v->observed)
            continue;
        sl_metrics_u64(m, SL_METRIC_NODE_LIVENESS, labels, 2, (uint64_t)v->liveness);
        if (!v->has_report)
            continue;
        sl_metrics_u64(m, SL_METRIC_NODE_MAINTAINERS, labels, 2, v->maintainers);
        sl_metrics_u64(m, SL_METRIC_NODE_DISPATCHERS, labels, 2, v->dispatchers);
    }
}

static void page_drain_left(struct sl_metrics *m, const struct sl_drain_view *v, struct sl_label labels[SL_LABELS_MAX])
{
    const struct {
        const char *kind;
        uint32_t count;
    } left[] = { { "maintainers", v->maintainers },         { "operators", v->operators },
                 { "dispatchers", v->dispatchers },         { "moves", v->moves },
                 { "feeds_unsettled", v->feeds_unsettled }, { "peers_unacked", v->peers_unacked } };
    for (size_t i = 0; i < sizeof left / sizeof left[0]; i++) {
        labels[2] = sl_label_of("kind", sl_str_of(left[i].kind));
        sl_metrics_u64(m, SL_METRIC_DRAIN_REMAINING, labels, 3, left[i].count);
    }
    sl_metrics_u64(m, SL_METRIC_DRAIN_MOVES, labels, 2, v->moves);
    sl_metrics_u64(m, SL_METRIC_DRAIN_STUCK, labels, 2, v->stuck);
    if (v->dispatchers_at_start > 0)
        sl_metrics_u64(m, SL_METRIC_DRAIN_MOVES_DONE, labels, 2, v->moves_done);
    if (v->is_lag_known)
        sl_metrics_real(m, SL_METRIC_DRAIN_LAG_WORST, labels, 2, (double)v->lag_ms_worst / 1000);
}

static void page_drain_times(struct sl_metrics *m, const struct sl_drain_view *v, const struct sl__drain_seen *seen,
                             const struct sl_label *labels)
{
    const struct sl_intent *i = &v->intent;
    uint64_t now_ms = sl__time_wall_ms();
    if (now_ms >= i->created_wall_ms)
        sl_metrics_real(m, SL_METRIC_DRAIN_AGE, labels, 2, (double)(now_ms - i->created_wall_ms) / 1000);
    if (i->deadline_wall_ms > 0 && !v->safe_to_stop)
        sl_metrics_real(m, SL_METRIC_DRAIN_DEADLINE, labels, 2, ((double)i->deadline_wall_ms - (double)now_ms) / 1000);
    if (seen && !v->safe_to_stop)
        sl_metrics_real(m, SL_METRIC_DRAIN_SINCE_PROGRESS, labels, 2,
                        (double)(sl_loop_now() - seen->progress_at) / (double)SL_S);
    if (v->lag_budget_ms > 0)
        sl_metrics_real(m, SL_METRIC_DRAIN_LAG_BUDGET, labels, 2, (double)v->lag_budget_ms / 1000);
}

static void page_drain(struct sl_metrics *m, const struct sl_drain_view *v, const struct sl__board *board)
{
    struct sl_label labels[SL_LABELS_MAX] = { sl_label_of("drain", sl_str_of(v->intent.id)),
                                              sl_label_of("node", sl_node_id_str(&v->intent.target)) };
    page_drain_times(m, v, sl__board_find(board, v->intent.id), labels);
    sl_metrics_u64(m, SL_METRIC_DRAIN_SAFE, labels, 2, v->safe_to_stop);
    /* While the coordinator starts the counts are not known. */
    if (v->blocker != SL_BLOCKED_COORDINATOR_STARTING)
        page_drain_left(m, v, labels);
    labels[2] = sl_label_of("phase", sl_str_of(sl_drain_phase_name(v->intent.phase)));
    sl_metrics_u64(m, SL_METRIC_DRAIN_PHASE, labels, 3, 1);
    labels[2] = sl_label_of("blocker", sl_str_of(sl_blocker_name(v->blocker)));
    if (v->blocker != SL_BLOCKED_NONE)
        sl_metrics_u64(m, SL_METRIC_DRAIN_BLOCKER, labels, 3, 1);
}

static void page_drains(struct sl_metrics *m, const struct sl_reply *r, const struct sl__board *board)
{
    for (uint32_t i = 0; i < r->drain_count; i++) {
        if (!sl__drain_is_over(r->drains[i].intent.phase))
            page_drain(m, &r->drains[i], board);
    }
}

/* ---- this process ---- */

static void page_routes(struct sl_metrics *m, const struct sl_api *api)
{
    static const char *const classes[] = { "0xx", "1xx", "2xx", "3xx", "4xx", "5xx" };
    static const char *const reasons[] = { "connections", "waiting", "body", "auth" };
    for (uint32_t r = 0; r <= SL__ROUTE_COUNT; r++) {
        for (uint32_t k = 0; k < sizeof classes / sizeof classes[0]; k++) {
            const struct sl_label labels[] = {
                sl_label_of("route", sl_str_of(r < SL__ROUTE_COUNT ? sl__route_at(r)->name : "none")),
                sl_label_of("status", sl_str_of(classes[k])),
            };
            if (api->answered[r][k] > 0)
                sl_metrics_u64(m, SL_METRIC_HTTP_REQUESTS, labels, 2, api->answered[r][k]);
        }
    }
    for (uint32_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        const struct sl_label label = sl_label_of("reason", sl_str_of(reasons[i]));
        sl_metrics_u64(m, SL_METRIC_HTTP_REFUSED, &label, 1, api->refused[i]);
    }
    sl_metrics_u64(m, SL_METRIC_HTTP_CONNECTIONS, NULL, 0, api->conn_count);
    sl_metrics_u64(m, SL_METRIC_HTTP_WATCHERS, NULL, 0, api->stream_count);
}

static void page_self(struct sl_metrics *m, const struct sl_api *api, const struct sl_api_status *status)
{
    const struct sl_label build[] = { sl_label_of("release_version", sl_str_of(api->opts.version)),
                                      sl_label_of("git_hash", sl_str_of(api->opts.git_hash)),
                                      sl_label_of("utc_build_time", SL_STR("")),
                                      sl_label_of("kernel_type", SL_STR("Classic")),
                                      sl_label_of("ticdc_arch", SL_STR("newarch")) };
    sl_metrics_u64(m, SL_METRIC_BUILD_INFO, build, sizeof build / sizeof build[0], 1);
    sl_metrics_u64(m, SL_METRIC_OWNERSHIP_COUNT, NULL, 0, api->owner_times);
    sl_metrics_u64(m, SL_METRIC_IS_OWNER, NULL, 0, status->is_owner);
    sl_metrics_u64(m, SL_METRIC_SELF_LIVENESS, NULL, 0, status->is_fenced ? 2 : (uint64_t)status->liveness);
    if (status->member_count > 0)
        sl_metrics_u64(m, SL_METRIC_NODES, NULL, 0, status->member_count);
    sl_metrics_histogram(m, SL_METRIC_DRAIN_DURATION, NULL, 0, &api->board->durations);
    page_routes(m, api);
    sl__page_process(m);
}

/* ---- the page ---- */

static void page_free(void *ctx)
{
    struct sl_metrics **m = ctx;
    sl_metrics_free(*m);
    *m = NULL;
}

static struct sl_metrics *page_metrics(const struct sl__call *c)
{
    return *(struct sl_metrics **)c->state_data;
}

static void page_finish(struct sl__call *c)
{
    sl__answer_body(c, 200, "text/plain; version=0.0.4; charset=utf-8", sl_metrics_text(page_metrics(c)));
}

static void page_on_reply(struct sl__call *c, const struct sl_reply *reply)
{
    static const enum sl_request_verb verbs[] = { SL_REQUEST_DRAIN_LIST, SL_REQUEST_NODE_LIST, SL_REQUEST_FEED_LIST };
    struct sl_metrics *m = page_metrics(c);
    if (reply && reply->code == SL_OK) {
        page_drains(m, reply, c->api->board);
        page_nodes(m, reply);
        if (verbs[c->step - 1] == SL_REQUEST_FEED_LIST)
            page_feeds(m, reply);
    }
    if (c->step == sizeof verbs / sizeof verbs[0]) {
        page_finish(c);
        return;
    }
    struct sl_request request = { .verb = verbs[c->step++], .keyspace = SL_STR("default") };
    sl__call_submit(c, &request, page_on_reply);
}

void sl__on_metrics(struct sl__call *c)
{
    struct sl_api_status status;
    sl__call_status(c, &status);
    c->state_data = calloc(1, sizeof(struct sl_metrics *));
    c->state_free = c->state_data ? page_free : NULL;
    if (!c->state_data || sl_metrics_new(c->state_data, PAGE_BYTES_MAX) != SL_OK) {
        sl__answer_overload(c);
        return;
    }
    page_self(page_metrics(c), c->api, &status);
    if (c->api->port.collect)
        c->api->port.collect(c->api->port.ctx, page_metrics(c));
    sl__call_set_deadline(c, PAGE_ANSWER_NS);
    if (status.is_owner)
        page_on_reply(c, NULL);
    else
        page_finish(c);
}
