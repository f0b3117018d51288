/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/http/views.h"

#include <stdlib.h>
#include <string.h>

const char *sl__liveness_name(int liveness)
{
    static const char *const names[] = { "alive", "draining", "stopping" };
    return liveness >= 0 && liveness <= 2 ? names[liveness] : "unknown";
}

static const char *node_state(const struct sl_node_view *v)
{
    if (v->unknown || !v->observed)
        return "unknown";
    return sl__liveness_name(v->liveness);
}

/* What nobody reported is null, never 0: a zero would read as "empty, stop it". */
static void node_put_count(struct sl_json_out *j, const char *key, bool is_known, uint64_t count)
{
    if (is_known)
        sl__put_u64(j, key, count);
    else
        sl__put_null(j, key);
}

void sl__render_node(struct sl_json_out *j, const void *ctx)
{
    const struct sl__node_shown *shown = ctx;
    const struct sl_node_view *v = shown->view;
    const struct sl_capture *c = &v->capture;
    char text[SL__TIME_BYTES];
    bool is_known = v->has_report && !v->unknown;
    sl_json_open(j, '{');
    sl__put_text(j, "id", sl_node_id_str(&c->id));
    sl__put_cstr(j, "name", c->name);
    sl__put_cstr(j, "address", c->address);
    sl__put_cstr(j, "version", c->version);
    sl__put_bool(j, "is_owner", v->is_owner);
    sl__put_bool(j, "is_sluice", c->is_sluice);
    sl__put_cstr(j, "liveness", node_state(v));
    sl__put_bool(j, "is_draining", v->is_draining);
    node_put_count(j, "maintainers", is_known, v->maintainers);
    node_put_count(j, "dispatchers", is_known, v->dispatchers);
    node_put_count(j, "readers", is_known, v->readers);
    node_put_count(j, "unflushed_rows", is_known, v->unflushed_rows);
    node_put_count(j, "silent_ms", v->silent_ns != SL_NEVER && v->silent_ns >= 0, (uint64_t)(v->silent_ns / SL_MS));
    if (c->start_timestamp_s > 0)
        sl__put_cstr(j, "started_at", sl__time_rfc3339(text, c->start_timestamp_s * 1000));
    else
        sl__put_null(j, "started_at");
    sl__put_u64(j, "node_epoch", c->node_epoch);
    sl__put_u64(j, "capabilities", v->capabilities);
    sl_json_close(j, '}');
}

void sl__render_nodes(struct sl_json_out *j, const void *ctx)
{
    const struct sl__reply_shown *shown = ctx;
    sl_json_open(j, '{');
    sl__put_u64(j, "total", shown->reply->node_count);
    sl_json_key(j, "items");
    sl_json_open(j, '[');
    for (uint32_t i = 0; i < shown->reply->node_count; i++) {
        const struct sl__node_shown one = { &shown->reply->nodes[i] };
        sl__render_node(j, &one);
    }
    sl_json_close(j, ']');
    sl_json_close(j, '}');
}

void sl__render_cluster(struct sl_json_out *j, const void *ctx)
{
    const struct sl__reply_shown *shown = ctx;
    const struct sl_reply *r = shown->reply;
    uint64_t maintainers = 0, dispatchers = 0;
    uint32_t draining = 0, silent = 0;
    const struct sl_node_view *owner = NULL;
    bool is_known = true;
    for (uint32_t i = 0; i < r->node_count; i++) {
        const struct sl_node_view *v = &r->nodes[i];
        bool has_report = v->has_report && !v->unknown;
        is_known = is_known && has_report;
        maintainers += v->maintainers;
        dispatchers += v->dispatchers;
        draining += v->is_draining;
        silent += v->unknown || !v->observed;
        owner = v->is_owner ? v : owner;
    }
    sl_json_open(j, '{');
    sl__put_text(j, "cluster", shown->status->cluster);
    sl__put_cstr(j, "version", shown->call->api->opts.version);
    sl__put_node(j, "owner", owner ? &owner->capture.id : &(struct sl_node_id){ .len = 0 },
                 owner ? owner->capture.name : "");
    sl__put_u64(j, "nodes", r->node_count);
    sl__put_u64(j, "nodes_draining", draining);
    sl__put_u64(j, "nodes_silent", silent);
    node_put_count(j, "maintainers", is_known, maintainers);
    node_put_count(j, "dispatchers", is_known, dispatchers);
    sl_json_close(j, '}');
}

/* ---- restart plan: idle nodes first, the owner last, so that it moves once ---- */

static int node_restart_order(const void *a, const void *b)
{
    const struct sl_node_view *x = *(const struct sl_node_view *const *)a, *y = *(const struct sl_node_view *const *)b;
    if (x->is_owner != y->is_owner)
        return x->is_owner ? 1 : -1;
    if (x->dispatchers != y->dispatchers)
        return x->dispatchers < y->dispatchers ? -1 : 1;
    return sl_str_cmp(sl_node_id_str(&x->capture.id), sl_node_id_str(&y->capture.id));
}

static void node_put_step(struct sl_json_out *j, const struct sl_node_view *v, uint32_t step)
{
    char command[128];
    struct sl_text t;
    struct sl_str name = sl_str_of(v->capture.name);
    sl_text_init(&t, command, sizeof command);
    sl_text_cstr(&t, "sluice node drain ");
    sl_text_str(&t, name.len > 0 ? name : sl_node_id_str(&v->capture.id));
    sl_text_cstr(&t, " --stop");
    sl_json_open(j, '{');
    sl__put_u64(j, "step", step);
    sl__put_node(j, "node", &v->capture.id, v->capture.name);
    sl__put_cstr(j, "address", v->capture.address);
    sl__put_bool(j, "is_owner", v->is_owner);
    sl__put_cstr(j, "version", v->capture.version);
    sl__put_cstr(j, "command", command);
    sl_json_close(j, '}');
}

void sl__render_restart_plan(struct sl_json_out *j, const void *ctx)
{
    const struct sl__reply_shown *shown = ctx;
    const struct sl_reply *r = shown->reply;
    const struct sl_node_view **order = calloc(r->node_count + 1, sizeof(struct sl_node_view *));
    sl_json_open(j, '{');
    sl__put_bool(j, "possible", r->node_count > 1);
    sl__put_cstr(j, "blocker", r->node_count > 1 ? "" : "with one node its work has nowhere to go while it restarts");
    sl_json_key(j, "steps");
    sl_json_open(j, '[');
    for (uint32_t i = 0; order && i < r->node_count; i++)
        order[i] = &r->nodes[i];
    if (order)
        qsort(order, r->node_count, sizeof order[0], node_restart_order);
    for (uint32_t i = 0; order && i < r->node_count; i++)
        node_put_step(j, order[i], i + 1);
    sl_json_close(j, ']');
    sl_json_close(j, '}');
    free(order);
}
