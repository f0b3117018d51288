/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/http/body.h"
#include "edge/http/views.h"

/* Nodes and the cluster, ours. */

static bool node_refused(struct sl__call *c, const struct sl_reply *reply)
{
    if (reply->code == SL_OK)
        return false;
    sl__answer_code(c, reply->code, reply->detail);
    return true;
}

static void node_show(struct sl__call *c, const struct sl_reply *reply, sl__render *render)
{
    struct sl_api_status status;
    if (node_refused(c, reply))
        return;
    sl__call_status(c, &status);
    const struct sl__reply_shown shown = { reply, c, &status };
    sl__answer_json(c, 200, render, &shown);
}

static void node_ask(struct sl__call *c, sl__on_reply *on_reply)
{
    struct sl_request request = { .verb = SL_REQUEST_NODE_LIST };
    sl__call_submit(c, &request, on_reply);
}

static void node_list_on_reply(struct sl__call *c, const struct sl_reply *reply)
{
    node_show(c, reply, sl__render_nodes);
}

void sl__on_node_list(struct sl__call *c)
{
    node_ask(c, node_list_on_reply);
}

static void cluster_on_reply(struct sl__call *c, const struct sl_reply *reply)
{
    node_show(c, reply, sl__render_cluster);
}

void sl__on_cluster(struct sl__call *c)
{
    node_ask(c, cluster_on_reply);
}

static void restart_plan_on_reply(struct sl__call *c, const struct sl_reply *reply)
{
    node_show(c, reply, sl__render_restart_plan);
}

void sl__on_restart_plan(struct sl__call *c)
{
    node_ask(c, restart_plan_on_reply);
}

static void node_get_on_reply(struct sl__call *c, const struct sl_reply *reply)
{
    if (node_refused(c, reply))
        return;
    struct sl_str id = sl__call_node(c, c->params[0]);
    for (uint32_t i = 0; i < reply->node_count; i++) {
        if (sl_str_eq(sl_node_id_str(&reply->nodes[i].capture.id), id)) {
            const struct sl__node_shown shown = { &reply->nodes[i] };
            sl__answer_json(c, 200, sl__render_node, &shown);
            return;
        }
    }
    sl__answer_code(c, SL_NOT_FOUND, "no such node, or more than one begins so");
}

void sl__on_node_get(struct sl__call *c)
{
    node_ask(c, node_get_on_reply);
}

/* ---- changes ---- */

static void node_done_on_reply(struct sl__call *c, const struct sl_reply *reply)
{
    if (!node_refused(c, reply))
        sl__answer_body(c, 200, "application/json; charset=utf-8", SL_STR("{\"done\":true}"));
}

void sl__on_node_remove(struct sl__call *c)
{
    struct sl_request request = { .verb = SL_REQUEST_NODE_REMOVE, .actor = sl__call_actor(c) };
    request.node = sl__call_node(c, c->params[0]);
    sl__call_about(c, request.node);
    sl__call_submit(c, &request, node_done_on_reply);
}

void sl__on_cluster_stop(struct sl__call *c)
{
    struct sl_request request = { .verb = SL_REQUEST_CLUSTER_STOP, .actor = sl__call_actor(c) };
    if (!sl__body_bool(c, "cancel", &request.cancel) || !sl__body_text(c, "reason", &request.reason)) {
        sl__answer_bad(c, "cancel must be true or false, reason a text");
        return;
    }
    sl__call_because(c, request.reason);
    sl__call_submit(c, &request, node_done_on_reply);
}
