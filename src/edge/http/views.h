/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_HTTP_VIEWS_H
#define SL_EDGE_HTTP_VIEWS_H

#include "edge/http/api_internal.h"

/* What the core shows, as JSON. Contexts are given as const void *, to be functions of sl__buf_render. */

struct sl__drain_shown {
    const struct sl_drain_view *view;
    const struct sl_api *api;
};
sl__render sl__render_drain; /* ctx: struct sl__drain_shown */

struct sl__reply_shown {
    const struct sl_reply *reply;
    const struct sl__call *call;
    const struct sl_api_status *status;
};
sl__render sl__render_drains, sl__render_plan, sl__render_nodes, sl__render_cluster, sl__render_restart_plan;

struct sl__node_shown {
    const struct sl_node_view *view;
};
sl__render sl__render_node;

/* {"id","name"}; name is empty if it is not known. */
void sl__put_node(struct sl_json_out *j, const char *key, const struct sl_node_id *id, const char *name);
const char *sl__liveness_name(int liveness);

#endif
