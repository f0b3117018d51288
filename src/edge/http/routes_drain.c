/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/http/body.h"
#include "edge/http/stream.h"
#include "edge/http/views.h"

#include <string.h>

/* ---- the drain of old clients ---- */

/*
 * They ask every second until the count is 0 and kill the node then; some read an error as 0. So: an error only for what
 * really is one (reference behaviour), a number of at least 1 for everything that may pass.
 */
#define DRAIN_OLD_ANSWER_NS (3 * SL_S) /* they wait 5 s */

static void drain_count_render(struct sl_json_out *j, const void *ctx)
{
    sl_json_open(j, '{');
    sl__put_u64(j, "current_table_count", *(const uint32_t *)ctx);
    sl_json_close(j, '}');
}

static void drain_answer_count(struct sl__call *c, uint32_t count)
{
    sl__answer_json(c, 202, drain_count_render, &count);
}

static void drain_old_on_reply(struct sl__call *c, const struct sl_reply *reply)
{
    if (reply->code == SL_OK)
        drain_answer_count(c, reply->remaining);
    else if (reply->code == SL_NOT_FOUND)
        sl__answer_cdc(c, 400, "CDC:ErrCaptureNotExist", "capture not exists, ", sl_str_of(c->object));
    else
        drain_answer_count(c, 1);
}

void sl__on_capture_drain(struct sl__call *c)
{
    struct sl_api_status status;
    struct sl_str id;
    if (!sl__body_text(c, "capture_id", &id) || id.len == 0) {
        sl__answer_bad(c, "capture_id must be the id of a node");
        return;
    }
    sl__call_about(c, id);
    sl__call_because(c, SL_STR("asked by an old client"));
    sl__call_status(c, &status);
    if (!status.is_owner) {
        if (!sl__forward_to_owner(c))
            drain_answer_count(c, 1);
        return;
    }
    struct sl_request request = { .verb = SL_REQUEST_DRAIN_NODE, .node = id, .actor = sl__call_actor(c) };
    sl__call_set_deadline(c, DRAIN_OLD_ANSWER_NS);
    sl__call_submit(c, &request, drain_old_on_reply);
}

/* ---- ours ---- */

static void drain_see(struct sl__call *c, const struct sl_reply *reply)
{
    sl__board_observe_all(c->api->board, sl_loop_now(), sl__time_wall_ms(), reply);
}

static void drain_answer_one(struct sl__call *c, uint32_t status, const struct sl_reply *reply)
{
    const struct sl__drain_shown shown = { &reply->drains[0], c->api };
    drain_see(c, reply);
    sl__answer_json(c, status, sl__render_drain, &shown);
}

struct drain_conflict {
    const struct sl_reply *reply;
    const struct sl_api *api;
};

/* Refused, but there is a drain to look at. */
static void drain_render_conflict(struct sl_json_out *j, const void *ctx)
{
    const struct drain_conflict *conflict = ctx;
    const struct sl_reply *r = conflict->reply;
    const struct sl__drain_shown shown = { &r->drains[0], conflict->api };
    sl_json_open(j, '{');
    sl__put_cstr(j, "error_code", sl_code_name(r->code));
    sl__put_cstr(j, "error_msg", r->detail[0] != '\0' ? r->detail : sl_code_text(r->code));
    sl__put_cstr(j, "remedy", sl_code_remedy(r->code));
    sl_json_key(j, "drain");
    sl__render_drain(j, &shown);
    sl_json_close(j, '}');
}

static void drain_answer(struct sl__call *c, uint32_t status, const struct sl_reply *reply)
{
    const struct drain_conflict conflict = { reply, c->api };
    if (reply->code == SL_OK && reply->drain_count > 0) {
        drain_answer_one(c, status, reply);
    } else if (reply->drain_count > 0) {
        drain_see(c, reply);
        sl__answer_json(c, sl__answer_http_of(reply->code), drain_render_conflict, &conflict);
    } else {
        sl__answer_code(c, reply->code, reply->detail);
    }
}

/* ---- start ---- */

static void drain_start_on_reply(struct sl__call *c, const struct sl_reply *reply)
{
    struct sl_api_status status;
    sl__call_status(c, &status);
    const struct sl__reply_shown shown = { reply, c, &status };
    if (reply->plan_count > 0)
        sl__answer_json(c, 200, sl__render_plan, &shown);
    else
        drain_answer(c, 202, reply);
}

static const char *drain_read(const struct sl__call *c, struct sl_request *r)
{
    if (!sl__body_text(c, "node", &r->node) || r->node.len == 0)
        return "node must be an id, the unique beginning of one, or a name";
    if (!sl__body_text(c, "reason", &r->reason) || !sl_str_is_printable_utf8(r->reason) ||
        r->reason.len > SL_REASON_MAX)
        return "reason must be a text of at most 200 bytes";
    if (!sl__body_time(c, "deadline", "deadline_ms", &r->deadline_ms))
        return "deadline must be a time such as \"10m\" (or deadline_ms a number)";
    if (!sl__body_time(c, "max_lag", "lag_budget_ms", &r->lag_budget_ms))
        return "max_lag must be a time such as \"5s\" (or lag_budget_ms a number)";
    if (!sl__body_bool(c, "dry_run", &r->dry_run) || !sl__body_bool(c, "stop", &r->stop_node) ||
        !sl__body_bool(c, "cancel_at_deadline", &r->cancel_at_deadline))
        return "dry_run, stop and cancel_at_deadline must be true or false";
    if (r->cancel_at_deadline && r->deadline_ms == 0)
        return "cancel_at_deadline needs a deadline";
    return NULL;
}

void sl__on_drain_start(struct sl__call *c)
{
    struct sl_request request = { .verb = SL_REQUEST_DRAIN, .actor = sl__call_actor(c) };
    const char *wrong = drain_read(c, &request);
    if (wrong) {
        sl__answer_bad(c, wrong);
        return;
    }
    request.node = sl__call_node(c, request.node);
    sl__call_about(c, request.node);
    sl__call_because(c, request.reason);
    sl__call_submit(c, &request, drain_start_on_reply);
}

/* ---- show ---- */

static void drain_list_on_reply(struct sl__call *c, const struct sl_reply *reply)
{
    const struct sl__reply_shown shown = { .reply = reply, .call = c };
    if (reply->code != SL_OK) {
        sl__answer_code(c, reply->code, reply->detail);
        return;
    }
    drain_see(c, reply);
    sl__answer_json(c, 200, sl__render_drains, &shown);
}

void sl__on_drain_list(struct sl__call *c)
{
    struct sl_request request = { .verb = SL_REQUEST_DRAIN_LIST };
    sl__call_submit(c, &request, drain_list_on_reply);
}

/*
 * A drain is named by its id or by its node; the core is asked for the one, then for the other. then = what to do with
 * the answer that counts.
 */
static void drain_ask(struct sl__call *c, enum sl_request_verb verb, bool by_node, sl__on_reply *then)
{
    struct sl_request request = { .verb = verb, .actor = sl__call_actor(c), .reason = sl_str_of(c->reason) };
    if (by_node)
        request.node = sl__call_node(c, c->params[0]);
    else
        request.drain = c->params[0];
    sl__call_submit(c, &request, then);
}

static void drain_get_on_reply(struct sl__call *c, const struct sl_reply *reply)
{
    if (reply->code == SL_NOT_FOUND && c->step++ == 0)
        drain_ask(c, SL_REQUEST_DRAIN_SHOW, true, drain_get_on_reply);
    else
        drain_answer(c, 200, reply);
}

void sl__on_drain_get(struct sl__call *c)
{
    drain_ask(c, SL_REQUEST_DRAIN_SHOW, false, drain_get_on_reply);
}

static void drain_events_on_reply(struct sl__call *c, const struct sl_reply *reply)
{
    if (reply->code == SL_NOT_FOUND && c->step++ == 0) {
        drain_ask(c, SL_REQUEST_DRAIN_SHOW, true, drain_events_on_reply);
        return;
    }
    if (reply->code == SL_OK && reply->drain_count > 0) {
        drain_see(c, reply);
        sl__stream_start(c, reply->drains[0].intent.id);
    } else {
        drain_answer(c, 200, reply);
    }
}

void sl__on_drain_events(struct sl__call *c)
{
    drain_ask(c, SL_REQUEST_DRAIN_SHOW, false, drain_events_on_reply);
}

/* ---- cancel ---- */

static bool drain_read_reason(struct sl__call *c)
{
    struct sl_str reason;
    if (!sl__body_text(c, "reason", &reason) || !sl_str_is_printable_utf8(reason) || reason.len > SL_REASON_MAX) {
        sl__answer_bad(c, "reason must be a text of at most 200 bytes");
        return false;
    }
    sl__call_because(c, reason);
    sl__call_about(c, c->params[0]);
    return true;
}

static void drain_cancel_on_reply(struct sl__call *c, const struct sl_reply *reply)
{
    if (reply->code == SL_NOT_FOUND && c->step++ == 0)
        drain_ask(c, SL_REQUEST_UNDRAIN, true, drain_cancel_on_reply);
    else
        drain_answer(c, 200, reply);
}

void sl__on_drain_cancel(struct sl__call *c)
{
    if (drain_read_reason(c))
        drain_ask(c, SL_REQUEST_UNDRAIN, false, drain_cancel_on_reply);
}

static void node_undrain_on_reply(struct sl__call *c, const struct sl_reply *reply)
{
    drain_answer(c, 200, reply);
}

void sl__on_node_undrain(struct sl__call *c)
{
    if (drain_read_reason(c))
        drain_ask(c, SL_REQUEST_UNDRAIN, true, node_undrain_on_reply);
}
