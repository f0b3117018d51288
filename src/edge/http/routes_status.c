/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/http/body.h"
#include "edge/http/views.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What a node says of itself, and its place in the cluster. */

struct status_shown {
    const struct sl_api *api;
    const struct sl_api_status *status;
    bool is_v1;
};

static void status_render(struct sl_json_out *j, const void *ctx)
{
    const struct status_shown *s = ctx;
    int liveness = s->status->is_fenced ? 2 : s->status->liveness;
    sl_json_open(j, '{');
    sl__put_cstr(j, "version", s->api->opts.version);
    sl__put_cstr(j, "git_hash", s->api->opts.git_hash ? s->api->opts.git_hash : "");
    sl__put_text(j, "id", s->status->id);
    sl__put_text(j, "cluster_id", s->status->cluster);
    sl__put_i64(j, "pid", (int64_t)getpid());
    sl__put_bool(j, "is_owner", s->status->is_owner);
    sl__put_i64(j, "liveness", liveness);
    sl__put_text(j, "name", s->status->name);
    sl__put_text(j, "address", s->status->address);
    sl_json_close(j, '}');
}

void sl__on_status(struct sl__call *c)
{
    struct sl_api_status status;
    sl__call_status(c, &status);
    const struct status_shown shown = { .api = c->api, .status = &status };
    sl__answer_json(c, 200, status_render, &shown);
}

void sl__on_health(struct sl__call *c)
{
    struct sl_api_status status;
    sl__call_status(c, &status);
    if (status.is_fenced || status.liveness != 0)
        sl__answer_cdc(c, 500, "CDC:ErrClusterIsUnhealthy", "TiCDC cluster is unhealthy", SL_STR(""));
    else
        sl__answer_body(c, 200, "application/json; charset=utf-8", SL_STR("{}"));
}

static void captures_render(struct sl_json_out *j, const void *ctx)
{
    const struct status_shown *s = ctx;
    if (!s->is_v1) {
        sl_json_open(j, '{');
        sl__put_u64(j, "total", s->status->member_count);
        sl_json_key(j, "items");
    }
    sl_json_open(j, '[');
    for (uint32_t i = 0; i < s->status->member_count; i++) {
        const struct sl_capture *m = &s->status->members[i];
        sl_json_open(j, '{');
        sl__put_text(j, "id", sl_node_id_str(&m->id));
        sl__put_bool(j, "is_owner", sl_node_id_eq(&m->id, &s->status->owner));
        sl__put_cstr(j, "address", m->address);
        sl__put_text(j, "cluster_id", s->status->cluster);
        sl_json_close(j, '}');
    }
    sl_json_close(j, ']');
    if (!s->is_v1)
        sl_json_close(j, '}');
}

void sl__on_captures(struct sl__call *c)
{
    struct sl_api_status status;
    sl__call_status(c, &status);
    const struct status_shown shown = { c->api, &status, c->route->flavor == SL__REF_V1 };
    sl__answer_json(c, 200, captures_render, &shown);
}

/* ---- resign ---- */

static void resign_on_reply(struct sl__call *c, const struct sl_reply *reply)
{
    if (reply->code == SL_OK)
        sl__answer_done(c);
    else
        sl__answer_code(c, reply->code, reply->detail);
}

void sl__on_resign(struct sl__call *c)
{
    struct sl_request request = { .verb = SL_REQUEST_RESIGN, .actor = sl__call_actor(c) };
    sl__call_submit(c, &request, resign_on_reply);
}

/* ---- time, log ---- */

static void tso_render(struct sl_json_out *j, const void *ctx)
{
    sl_json_open(j, '{');
    sl__put_u64(j, "timestamp", *(const uint64_t *)ctx);
    sl__put_u64(j, "logic_time", 0);
    sl_json_close(j, '}');
}

void sl__on_tso(struct sl__call *c)
{
    uint64_t wall_ms = sl__time_wall_ms();
    sl__answer_json(c, 200, tso_render, &wall_ms);
}

void sl__on_log_level(struct sl__call *c)
{
    struct sl_str level;
    if (!sl__body_text(c, "log_level", &level) || level.len == 0) {
        sl__answer_bad(c, "log_level must be one of debug, info, warn, error");
        return;
    }
    sl__call_about(c, level);
    if (!c->api->port.set_log_level)
        sl__answer_code(c, SL_REFUSED, "the log level of this node cannot be changed");
    else if (c->api->port.set_log_level(c->api->port.ctx, level))
        sl__answer_done(c);
    else
        sl__answer_bad(c, "log_level must be one of debug, info, warn, error");
}

/* Rows and secrets are never logged, which is the strictest mode there is; nothing can make it laxer. */
void sl__on_log_redact(struct sl__call *c)
{
    struct sl_str mode;
    bool is_known =
        sl__body_text(c, "redact_info_log", &mode) &&
        (sl_str_eq(mode, SL_STR("off")) || sl_str_eq(mode, SL_STR("marker")) || sl_str_eq(mode, SL_STR("on")));
    if (!is_known)
        sl__answer_bad(c, "redact_info_log must be one of off, marker, on");
    else if (!sl_str_eq(mode, SL_STR("on")))
        sl__answer_bad(c, "redaction cannot be made less strict: it is on");
    else
        sl__answer_body(c, 200, "application/json; charset=utf-8",
                        SL_STR("{\"previous_mode\":\"on\",\"current_mode\":\"on\"}"));
}

/* ---- what old clients ask for and Sluice does not have ---- */

void sl__on_processors(struct sl__call *c)
{
    bool is_v1 = c->route->flavor == SL__REF_V1;
    sl__answer_body(c, 200, "application/json; charset=utf-8",
                    is_v1 ? SL_STR("[]") : SL_STR("{\"total\":0,\"items\":[]}"));
}

void sl__on_processor(struct sl__call *c)
{
    sl__answer_body(c, 200, "application/json; charset=utf-8", SL_STR("{\"table_ids\":null}"));
}

void sl__on_unsupported(struct sl__call *c)
{
    sl__answer_cdc(c, 400, "CDC:ErrAPIInvalidParam", "not supported: the sources of Sluice have nothing like it",
                   SL_STR(""));
}

void sl__on_gc_safepoint(struct sl__call *c)
{
    sl__answer_done(c);
}

/* ---- text ---- */

enum { STATUS_TEXT_BYTES_MAX = 256 * 1024 };

/* Asks the port to write text of any size up to the maximum. */
static bool status_text(struct sl__call *c, void (*write)(void *ctx, struct sl_text *text), struct sl_str *out)
{
    struct sl__buf *b = &c->api->scratch;
    struct sl_text text;
    if (!sl__buf_reserve(b, STATUS_TEXT_BYTES_MAX))
        return false;
    sl_text_init(&text, b->ptr, STATUS_TEXT_BYTES_MAX);
    write(c->api->port.ctx, &text);
    *out = (struct sl_str){ b->ptr, text.len };
    return true;
}

void sl__on_debug_info(struct sl__call *c)
{
    struct sl_str text = SL_STR("nothing to say\n");
    if (c->api->port.debug_info && !status_text(c, c->api->port.debug_info, &text)) {
        sl__answer_overload(c);
        return;
    }
    sl__answer_body(c, 200, "text/plain; charset=utf-8", text);
}

void sl__on_config(struct sl__call *c)
{
    struct sl_str text = SL_STR("{}");
    if (c->api->port.config && !status_text(c, c->api->port.config, &text)) {
        sl__answer_overload(c);
        return;
    }
    sl__answer_body(c, 200, "application/json; charset=utf-8", text);
}

/* ---- stop ---- */

void sl__on_node_stop(struct sl__call *c)
{
    struct sl_str reason;
    bool without_drain;
    if (!sl__body_text(c, "reason", &reason) || !sl__body_bool(c, "without_drain", &without_drain)) {
        sl__answer_bad(c, "reason must be a text, without_drain true or false");
        return;
    }
    sl__call_because(c, reason);
    if (!c->api->port.stop) {
        sl__answer_code(c, SL_REFUSED, "this node cannot be stopped this way");
        return;
    }
    sl__answer_body(c, 202, "application/json; charset=utf-8", SL_STR("{\"done\":true}"));
    c->api->port.stop(c->api->port.ctx, without_drain);
}

/* ---- metadata ---- */

static void metadata_put(struct sl_json_out *j, struct sl__buf *shown, const struct sl_api_kv *kv)
{
    sl_json_open(j, '{');
    sl__put_text(j, "key", kv->key);
    shown->len = 0;
    if (!sl__body_mask(shown, sl_secret_of(kv->value)))
        sl__put_cstr(j, "value", "(not shown: it cannot be read)");
    else
        sl__put_text(j, "value", sl__buf_str(shown));
    sl_json_close(j, '}');
}

struct metadata_shown {
    const struct sl_api_kv *kvs;
    uint32_t count;
};

static void metadata_render(struct sl_json_out *j, const void *ctx)
{
    const struct metadata_shown *m = ctx;
    struct sl__buf shown = { .bytes_max = 4u << 20 };
    sl_json_open(j, '[');
    for (uint32_t i = 0; i < m->count; i++)
        metadata_put(j, &shown, &m->kvs[i]);
    sl_json_close(j, ']');
    sl__buf_deinit(&shown);
}

void sl_api_on_range(struct sl_api *api, uint64_t ticket, enum sl_code code, const struct sl_api_kv *kvs,
                     uint32_t kv_count)
{
    struct sl__call *c = sl__call_of(api, ticket);
    const struct metadata_shown shown = { kvs, kv_count };
    if (!c || c->state == SL__CALL_ANSWERED)
        return;
    if (code == SL_OK)
        sl__answer_json(c, 200, metadata_render, &shown);
    else
        sl__answer_cdc(c, 500, "CDC:ErrPDEtcdAPIError", "etcd api call error", SL_STR(""));
}

void sl__on_metadata(struct sl__call *c)
{
    struct sl_api_status status;
    char memory[SL_KEY_MAX + 1];
    struct sl_text prefix;
    if (!c->api->port.range || !sl__call_take_slot(c)) {
        sl__answer_overload(c);
        return;
    }
    sl__call_status(c, &status);
    sl_text_init(&prefix, memory, sizeof memory);
    sl_text_cstr(&prefix, "/tidb/cdc/");
    sl_text_str(&prefix, status.cluster);
    sl_text_cstr(&prefix, "/");
    sl__call_set_deadline(c, (sl_ns)c->api->opts.answer_s_max * SL_S);
    c->api->port.range(c->api->port.ctx, sl__call_ticket(c), (struct sl_str){ memory, prefix.len });
}
