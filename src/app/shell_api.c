/* SPDX-License-Identifier: Apache-2.0 */
#include "app/shell_internal.h"

#include "app/version.h"
#include "core/common/mem_tags.h"

#include <stdlib.h>

static void api_submit(void *ctx, const struct sl_request *request)
{
    struct sl_input in = { .kind = SL_IN_REQUEST, .u.request = *request };
    sl__shell_input(ctx, &in);
}

static void api_status(void *ctx, struct sl_api_status *status)
{
    struct sl_shell *s = ctx;
    struct sl_node *n = sl_host_node(s->host);
    struct sl_membership_view view;
    sl_membership_view(sl_node_membership(n), &view);
    *status = (struct sl_api_status){ .id = sl_node_id_str(&s->params.id),
                                      .name = sl_str_of(s->params.name),
                                      .address = sl_str_of(s->params.address),
                                      .cluster = sl_str_of(s->params.cluster),
                                      .owner = view.owner,
                                      .is_owner = view.leader,
                                      .is_fenced = view.fenced,
                                      .liveness = (int)sl_manager_liveness(sl_node_manager(n)),
                                      .node_epoch = sl_manager_node_epoch(sl_node_manager(n)),
                                      .members = view.members,
                                      .member_count = view.member_count };
}

static void api_audit(void *ctx, const struct sl_api_audit *a)
{
    struct sl_shell *s = ctx;
    sl_log_app(s->log, SL_APP_AUDIT, sl_f_str("action", sl_str_of(a->action)), sl_f_str("actor", a->actor),
               sl_f_str("remote", a->remote), sl_f_str("object", a->object), sl_f_str("reason", a->reason),
               sl_f_u64("status", a->http_status));
}

static bool api_set_log_level(void *ctx, struct sl_str name)
{
    struct sl_shell *s = ctx;
    enum sl_event_level level;
    if (!sl_log_level_of(name, &level))
        return false;
    sl_log_set_level(s->log, level);
    sl_log_app(s->log, SL_APP_LOG_LEVEL, sl_f_str("log_level", name));
    return true;
}

/* ---- shown ---- */

static void api_json_string(struct sl_text *json, const char *value)
{
    sl_text_cstr(json, "\"");
    for (; *value != '\0'; value++) {
        char escaped[3] = { '\\', *value, '\0' };
        sl_text_cstr(json, *value == '"' || *value == '\\' ? escaped : escaped + 1);
    }
    sl_text_cstr(json, "\"");
}

static void api_config(void *ctx, struct sl_text *json)
{
    const struct sl_shell *s = ctx;
    for (unsigned id = 0; id < SL_OPTION_ID_config; id++) {
        char value[4096];
        sl_options_show(s->options, (enum sl_option_id)id, value, sizeof value);
        sl_text_cstr(json, id == 0 ? "{" : ",");
        api_json_string(json, sl_option_row((enum sl_option_id)id)->flag);
        sl_text_cstr(json, ":");
        api_json_string(json, value);
    }
    sl_text_cstr(json, "}");
}

static void api_put(struct sl_text *text, const char *key, uint64_t value)
{
    sl_text_cstr(text, key);
    sl_text_cstr(text, ": ");
    sl_text_u64(text, value);
    sl_text_cstr(text, "\n");
}

static void api_debug_info(void *ctx, struct sl_text *text)
{
    struct sl_shell *s = ctx;
    struct sl_host_stats host;
    struct sl_transport_stats peers;
    struct sl_plane_stats plane;
    struct sl_hosted hosted;
    sl_host_stats_read(s->host, &host);
    sl_transport_stats_read(s->transport, &peers);
    sl_plane_stats(s->plane, &plane);
    sl_node_hosted(sl_host_node(s->host), &hosted);
    sl_text_cstr(text, "sluiced " SL_VERSION "\nnode ");
    sl_text_cstr(text, s->params.name);
    sl_text_cstr(text, " ");
    sl_text_cstr(text, s->params.id.text);
    sl_text_cstr(text, "\n\n");
    api_put(text, "steps", host.step_count);
    api_put(text, "inputs that wait", host.waiting_count);
    api_put(text, "outputs that wait for the store", host.held_count);
    api_put(text, "messages to itself", host.looped_count);
    api_put(text, "messages to itself lost", host.lost_count);
    api_put(text, "peers", peers.peer_count);
    api_put(text, "peers connected", peers.connected_count);
    for (size_t i = 0; i < sizeof peers.lanes / sizeof peers.lanes[0]; i++) {
        api_put(text, i == SL_LANE_EVENT ? "events sent" : "commands sent", peers.lanes[i].sent_count);
        api_put(text, i == SL_LANE_EVENT ? "events received" : "commands received", peers.lanes[i].received_count);
        api_put(text, i == SL_LANE_EVENT ? "events congested" : "commands congested", peers.lanes[i].congested_count);
        api_put(text, i == SL_LANE_EVENT ? "events lost" : "commands lost", peers.lanes[i].lost_count);
    }
    api_put(text, "maintainers", hosted.maintainers);
    api_put(text, "dispatchers", hosted.dispatchers);
    api_put(text, "dispatchers that follow", plane.followers);
    api_put(text, "readers", plane.readers);
    api_put(text, "rows read", plane.rows_read);
    api_put(text, "rows durable", plane.rows_durable);
    api_put(text, "rows not durable yet", plane.rows_unflushed);
    api_put(text, "bytes queued", plane.bytes_queued);
    api_put(text, "memory of the core", sl_host_mem(s->host)->live_bytes);
    api_put(text, "memory of the core at most", sl_host_mem(s->host)->peak_bytes);
}

/* ---- metrics ---- */

static void api_metric(struct sl_metrics *m, enum sl_metric id, uint64_t value)
{
    sl_metrics_u64(m, id, NULL, 0, value);
}

static void api_metric_of(struct sl_metrics *m, enum sl_metric id, const char *key, const char *word, uint64_t value)
{
    const struct sl_label label = sl_label_of(key, sl_str_of(word));
    sl_metrics_u64(m, id, &label, 1, value);
}

static void api_collect_core(struct sl_shell *s, struct sl_metrics *m)
{
    struct sl_node *n = sl_host_node(s->host);
    const struct sl_mem *mem = sl_host_mem(s->host);
    struct sl_hosted hosted;
    sl_node_hosted(n, &hosted);
    api_metric(m, SL_METRIC_HOSTED_MAINTAINERS, hosted.maintainers);
    api_metric(m, SL_METRIC_HOSTED_DISPATCHERS, hosted.dispatchers);
    for (uint32_t tag = 0; tag < mem->opts.tag_count; tag++) {
        if (mem->tag_bytes[tag] > 0)
            api_metric_of(m, SL_METRIC_MEMORY_LIVE, "kind", mem->opts.tag_names[tag], mem->tag_bytes[tag]);
    }
    api_metric(m, SL_METRIC_MEMORY_PEAK, mem->peak_bytes);
    for (unsigned r = 1; r < SL_REFUSAL_COUNT; r++) {
        uint64_t count = sl_node_refusal_count(n, (enum sl_refusal)r);
        if (count > 0)
            api_metric_of(m, SL_METRIC_REFUSALS, "reason", sl_refusal_name((enum sl_refusal)r), count);
    }
    api_metric(m, SL_METRIC_CHECKS_FAILED, sl_check_failures());
}

static uint32_t api_feed_labels(struct sl_label labels[SL_LABELS_MAX], const struct sl_feed_id *id)
{
    labels[0] = sl_label_of("namespace", sl_str_of(id->keyspace));
    labels[1] = sl_label_of("changefeed", sl_str_of(id->name));
    return 2;
}

/* Before a maintainer has heard from all nodes it knows neither its spans nor how far they are. */
static void api_collect_maintainer(struct sl_metrics *m, const struct sl_maintainer *maintainer)
{
    struct sl_label labels[SL_LABELS_MAX];
    struct sl_maintainer_stats stats;
    uint32_t count = api_feed_labels(labels, sl_maintainer_feed(maintainer));
    sl_metrics_u64(m, SL_METRIC_MAINTAINER_COUNT, labels, count, 1);
    if (!sl_maintainer_is_bootstrapped(maintainer))
        return;
    sl_maintainer_stats(maintainer, &stats);
    sl_api_collect_checkpoint(m, SL_METRIC_MAINTAINER_CHECKPOINT_TS, SL_METRIC_MAINTAINER_CHECKPOINT_LAG, labels, count,
                              sl_maintainer_checkpoint(maintainer));
    labels[count++] = sl_label_of("mode", SL_STR("default"));
    sl_metrics_u64(m, SL_METRIC_SCHEDULER_TASK, labels, count, stats.operators);
    sl_metrics_u64(m, SL_METRIC_SCHEDULER_SPAN_COUNT, labels, count, stats.spans);
}

static void api_collect_feeds(struct sl_shell *s, struct sl_metrics *m)
{
    struct sl_node *n = sl_host_node(s->host);
    const struct sl_maintainer *maintainer;
    struct sl_orchestrator_feed feed;
    struct sl_label labels[SL_LABELS_MAX];
    for (uint32_t at = 0; (at = sl_manager_next(sl_node_manager(n), at, &maintainer)) != 0;)
        api_collect_maintainer(m, maintainer);
    for (uint32_t at = 0; (at = sl_orchestrator_next(sl_node_orchestrator(n), at, &feed)) != 0;) {
        uint32_t count = api_feed_labels(labels, feed.feed);
        sl_metrics_u64(m, SL_METRIC_MANAGER_COUNT, labels, count, 1);
        labels[count++] = sl_label_of("event_type", SL_STR("eventDispatcher"));
        sl_metrics_u64(m, SL_METRIC_DISPATCHER_COUNT, labels, count, feed.dispatchers);
    }
}

static void api_collect_lanes(struct sl_metrics *m, const struct sl_transport_stats *peers)
{
    static const char *const lanes[] = { [SL_LANE_EVENT] = "event", [SL_LANE_COMMAND] = "command" };
    api_metric(m, SL_METRIC_PEERS_CONNECTED, peers->connected_count);
    for (size_t i = 0; i < sizeof lanes / sizeof lanes[0]; i++) {
        const struct sl_label labels[] = { sl_label_of("type", sl_str_of(lanes[i])),
                                           sl_label_of("message", SL_STR("message_congested")) };
        sl_metrics_u64(m, SL_METRIC_MESSAGES_SENT, labels, 1, peers->lanes[i].sent_count);
        sl_metrics_u64(m, SL_METRIC_MESSAGES_RECEIVED, labels, 1, peers->lanes[i].received_count);
        sl_metrics_u64(m, SL_METRIC_MESSAGES_DROPPED, labels, 1, peers->lanes[i].lost_count);
        sl_metrics_u64(m, SL_METRIC_MESSAGES_ERRORS, labels, 2, peers->lanes[i].congested_count);
    }
}

static void api_collect_edges(struct sl_shell *s, struct sl_metrics *m)
{
    static const char *const outcomes[] = { [SL_STORE_OK] = "ok",
                                            [SL_STORE_REFUSED] = "refused",
                                            [SL_STORE_UNKNOWN] = "unknown",
                                            [SL_STORE_COMPACTED] = "compacted",
                                            [SL_STORE_LEASE_GONE] = "lease_gone" };
    static const char *const levels[] = { "debug", "info", "warn", "error" };
    struct sl_transport_stats peers;
    struct sl_plane_stats plane;
    sl_transport_stats_read(s->transport, &peers);
    sl_plane_stats(s->plane, &plane);
    api_collect_lanes(m, &peers);
    api_metric(m, SL_METRIC_HOSTED_READERS, plane.readers);
    api_metric(m, SL_METRIC_HOSTED_UNFLUSHED, plane.rows_unflushed);
    api_metric(m, SL_METRIC_TABLES_COPYING, plane.copying);
    api_metric(m, SL_METRIC_ROWS_COPIED, plane.rows_copied);
    api_metric(m, SL_METRIC_ROWS_READ, plane.rows_read);
    api_metric(m, SL_METRIC_ROWS_WRITTEN, plane.rows_durable);
    for (size_t i = 0; i < sizeof outcomes / sizeof outcomes[0]; i++)
        api_metric_of(m, SL_METRIC_STORE_OPS, "result", outcomes[i], s->op_counts[i]);
    sl_metrics_histogram(m, SL_METRIC_STORE_DURATION, NULL, 0, &s->op_seconds);
    sl_metrics_histogram(m, SL_METRIC_STEP_DURATION, NULL, 0, &s->step_seconds);
    sl_metrics_histogram(m, SL_METRIC_MOVE_DURATION, NULL, 0, &s->move_seconds);
    sl_metrics_histogram(m, SL_METRIC_LOOP_LAG, NULL, 0, &s->lag_seconds);
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++)
        api_metric_of(m, SL_METRIC_EVENTS, "level", levels[i], s->event_counts[i]);
}

static void api_collect(void *ctx, struct sl_metrics *m)
{
    struct sl_shell *s = ctx;
    api_collect_core(s, m);
    api_collect_feeds(s, m);
    api_collect_edges(s, m);
}

/* ---- reads of the store ---- */

static void api_range(void *ctx, uint64_t ticket, struct sl_str prefix)
{
    struct sl_shell *s = ctx;
    struct sl__shell_range *r = calloc(1, sizeof *r);
    if (!r)
        return; /* the API gives its client up by its own time */
    *r = (struct sl__shell_range){ .next = s->ranges, .op = SL__SHELL_OP_BIT | ++s->range_count, .ticket = ticket };
    s->ranges = r;
    const struct sl_store_op op = { .id = r->op, .verb = SL_STORE_RANGE, .key = prefix };
    if (sl_store_submit(s->store, &op))
        return;
    r->is_refused = true;
    sl_turn_wake(s->turn);
}

void sl__shell_refuse_ranges(struct sl_shell *s)
{
    for (struct sl__shell_range **at = &s->ranges; *at;) {
        struct sl__shell_range *r = *at;
        if (!r->is_refused) {
            at = &r->next;
            continue;
        }
        *at = r->next;
        sl_api_on_range(s->api, r->ticket, SL_BUSY, NULL, 0);
        free(r);
    }
}

static void api_give_range(struct sl_shell *s, uint64_t ticket, const struct sl_store_result *r)
{
    bool ok = r->outcome == SL_STORE_OK;
    struct sl_api_kv *kvs = calloc((size_t)r->pair_count + 1, sizeof *kvs);
    for (uint32_t i = 0; kvs && i < r->pair_count; i++)
        kvs[i] = (struct sl_api_kv){ .key = r->pairs[i].key, .value = r->pairs[i].value };
    sl_api_on_range(s->api, ticket, ok && kvs ? SL_OK : SL_NOT_READY, kvs, ok && kvs ? r->pair_count : 0);
    free(kvs);
}

void sl__shell_on_range(struct sl_shell *s, const struct sl_store_result *result)
{
    for (struct sl__shell_range **at = &s->ranges; *at; at = &(*at)->next) {
        struct sl__shell_range *r = *at;
        if (r->op != result->id)
            continue;
        *at = r->next;
        if (s->state != SL__SHELL_CLOSING)
            api_give_range(s, r->ticket, result);
        free(r);
        return;
    }
}

static void api_stop(void *ctx, bool without_drain)
{
    sl__shell_stop_ask(ctx, "API", without_drain);
}

void sl__shell_api_port(struct sl_shell *s, struct sl_api_port *port)
{
    *port = (struct sl_api_port){ .ctx = s,
                                  .submit = api_submit,
                                  .status = api_status,
                                  .audit = api_audit,
                                  .collect = api_collect,
                                  .set_log_level = api_set_log_level,
                                  .config = api_config,
                                  .debug_info = api_debug_info,
                                  .range = api_range,
                                  .stop = api_stop };
}
