/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/http/api_internal.h"

#include <stdlib.h>
#include <string.h>

/* ---- every answer ends here ---- */

static void answer_audit(const struct sl__call *c)
{
    const struct sl_api_port *port = &c->api->port;
    if (!c->route || c->route->role != SL__OPERATOR || c->forward)
        return;
    const struct sl_api_audit audit = { .action = c->route->name,
                                        .actor = sl__call_actor(c),
                                        .remote = sl_str_of(c->conn ? c->conn->remote : ""),
                                        .object = sl_str_of(c->object),
                                        .reason = sl_str_of(c->reason),
                                        .http_status = c->status };
    port->audit(port->ctx, &audit);
}

void sl__answer_response(struct sl__call *c, uint32_t status, struct MHD_Response *response)
{
    struct sl_api *api = c->api;
    if (c->state == SL__CALL_ANSWERED || !response) {
        if (response)
            MHD_destroy_response(response);
        return;
    }
    bool is_suspended = c->state == SL__CALL_WAITING;
    uint32_t class = status / 100 < 6 ? status / 100 : 5;
    c->state = SL__CALL_ANSWERED;
    c->status = status;
    c->response = response;
    api->answered[c->route ? c->route->id : SL__ROUTE_COUNT][class]++;
    answer_audit(c);
    if (!is_suspended)
        return;
    MHD_resume_connection(c->mhd);
    sl__server_kick(api);
}

static struct MHD_Response *answer_make(struct sl_str body, const char *content_type)
{
    /* MHD copies; the text is a view. */
    struct MHD_Response *response = MHD_create_response_from_buffer(
        body.len, (void *)(uintptr_t)(body.len > 0 ? body.ptr : ""), MHD_RESPMEM_MUST_COPY);
    if (!response)
        return NULL;
    if (content_type)
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    (void)MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    return response;
}

enum {
    ANSWER_SMALL_BYTES = 64 << 10,
    ANSWERS_BYTES_MAX = 256 << 20, /* that clients have not taken yet, of all calls together */
    ANSWER_SCRATCH_BYTES_KEPT = 1 << 20,
};

void sl__answer_body(struct sl__call *c, uint32_t status, const char *content_type, struct sl_str body)
{
    struct sl_api *api = c->api;
    if (body.len > ANSWER_SMALL_BYTES && api->answer_bytes + body.len > ANSWERS_BYTES_MAX) {
        api->refused[SL__REFUSED_WAITING]++;
        sl__answer_overload(c); /* which is small */
        return;
    }
    if (c->state != SL__CALL_ANSWERED) {
        c->answer_bytes = body.len;
        api->answer_bytes += body.len;
    }
    sl__answer_response(c, status, answer_make(body, content_type));
}

void sl__answer_empty(struct sl__call *c, uint32_t status)
{
    sl__answer_body(c, status, NULL, (struct sl_str){ NULL, 0 });
}

#define ANSWER_JSON "application/json; charset=utf-8"

void sl__answer_json(struct sl__call *c, uint32_t status, sl__render *render, const void *ctx)
{
    if (sl__buf_render(&c->api->scratch, render, ctx))
        sl__answer_body(c, status, ANSWER_JSON, sl__buf_str(&c->api->scratch));
    else
        sl__answer_code(c, SL_NOMEM, "the answer is larger than an answer may be");
    if (c->api->scratch.cap > ANSWER_SCRATCH_BYTES_KEPT)
        sl__buf_deinit(&c->api->scratch);
}

void sl__answer_done(struct sl__call *c)
{
    uint32_t status = c->route->flavor == SL__REF_V1 ? MHD_HTTP_ACCEPTED : MHD_HTTP_OK;
    sl__answer_body(c, status, ANSWER_JSON, SL_STR("{}"));
}

/* ---- errors as the reference writes them ---- */

struct answer_error {
    const char *code, *text, *remedy;
    struct sl_str about;
};

/* Indented with four blanks, because some clients show the body as it is. */
static void answer_render_cdc(struct sl_json_out *j, const void *ctx)
{
    const struct answer_error *e = ctx;
    char message[600];
    struct sl_text t;
    sl_text_init(&t, message, sizeof message);
    if (e->code[0] != '\0') {
        sl_text_cstr(&t, "[");
        sl_text_cstr(&t, e->code);
        sl_text_cstr(&t, "]");
    }
    sl_text_cstr(&t, e->text);
    sl_text_str(&t, e->about);
    sl_text_cstr(j->text, "{\n    \"error_msg\": ");
    sl__json_text(j, (struct sl_str){ message, t.len });
    sl_text_cstr(j->text, ",\n    \"error_code\": ");
    j->comma = false;
    sl__json_cstr(j, e->code);
    sl_text_cstr(j->text, "\n}");
}

void sl__answer_cdc(struct sl__call *c, uint32_t status, const char *code, const char *text, struct sl_str about)
{
    const struct answer_error e = { .code = code, .text = text, .about = about };
    sl__answer_json(c, status, answer_render_cdc, &e);
}

/* What the core's codes are in the reference, on routes about feeds. */
static void answer_code_cdc(struct sl__call *c, enum sl_code code, const char *detail)
{
    struct sl_str feed = c->params[0];
    switch (code) {
    case SL_NOT_FOUND:
        if (feed.ptr)
            sl__answer_cdc(c, 400, "CDC:ErrChangeFeedNotExists", "changefeed not exists, ", feed);
        else
            sl__answer_cdc(c, 400, "CDC:ErrAPIInvalidParam", "invalid api parameter: ", sl_str_of(detail));
        return;
    case SL_EXISTS:
        sl__answer_cdc(c, 400, "CDC:ErrChangeFeedAlreadyExists", "changefeed already exists, ", sl_str_of(c->object));
        return;
    case SL_REFUSED:
    case SL_BUSY:
        sl__answer_cdc(c, 400, "CDC:ErrChangefeedUpdateRefused", "changefeed update error: ", sl_str_of(detail));
        return;
    case SL_NOT_READY:
        sl__answer_cdc(c, 500, "", "coordinator is not fully initialized, wait a moment", SL_STR(""));
        return;
    case SL_NOT_OWNER:
        sl__answer_cdc(c, 500, "CDC:ErrNotOwner", "this capture is not a owner", SL_STR(""));
        return;
    case SL_NOMEM:
    case SL_OK:
    case SL_CODE_COUNT:
        sl__answer_cdc(c, 500, "", "", sl_str_of(detail));
        return;
    case SL_LIMIT:
    case SL_TRUNCATED:
    case SL_MALFORMED:
    case SL_UNKNOWN_TYPE:
    case SL_BAD_FIELD:
    case SL_MISSING_FIELD:
    case SL_BAD_CONFIG:
    case SL_STALE:
        sl__answer_cdc(c, 400, "CDC:ErrAPIInvalidParam", "invalid api parameter: ", sl_str_of(detail));
        return;
    }
    SL_UNREACHABLE();
}

/* ---- ours ---- */

static void answer_render_own(struct sl_json_out *j, const void *ctx)
{
    const struct answer_error *e = ctx;
    sl_json_open(j, '{');
    sl__put_cstr(j, "error_code", e->code);
    sl__put_cstr(j, "error_msg", e->text);
    sl__put_cstr(j, "remedy", e->remedy);
    sl_json_close(j, '}');
}

void sl__answer_own(struct sl__call *c, uint32_t status, const char *code, const char *text, const char *remedy)
{
    const struct answer_error e = { .code = code, .text = text, .remedy = remedy };
    sl__answer_json(c, status, answer_render_own, &e);
}

uint32_t sl__answer_http_of(enum sl_code code)
{
    switch (code) {
    case SL_OK:
        return 200;
    case SL_NOT_FOUND:
        return 404;
    case SL_EXISTS:
    case SL_STALE:
    case SL_REFUSED:
    case SL_BUSY:
        return 409;
    case SL_LIMIT:
        return 429;
    case SL_NOMEM:
    case SL_NOT_OWNER:
    case SL_NOT_READY:
        return 503;
    case SL_TRUNCATED:
    case SL_MALFORMED:
    case SL_UNKNOWN_TYPE:
    case SL_BAD_FIELD:
    case SL_MISSING_FIELD:
    case SL_BAD_CONFIG:
        return 400;
    case SL_CODE_COUNT:
        break;
    }
    SL_UNREACHABLE();
}

static bool answer_is_own(const struct sl__call *c)
{
    return c->route && c->route->flavor == SL__OWN;
}

void sl__answer_code(struct sl__call *c, enum sl_code code, const char *detail)
{
    /* What the core says of codes is about the wire; a person's input has its words in the detail. */
    const char *text = detail[0] != '\0' ? detail : sl_code_text(code);
    bool is_input = code == SL_BAD_FIELD || code == SL_MISSING_FIELD || code == SL_MALFORMED;
    if (answer_is_own(c))
        sl__answer_own(c, sl__answer_http_of(code), sl_code_name(code), text,
                       is_input ? "correct the field named in the message" : sl_code_remedy(code));
    else
        answer_code_cdc(c, code, text);
}

void sl__answer_bad(struct sl__call *c, const char *what)
{
    if (answer_is_own(c))
        sl__answer_own(c, 400, sl_code_name(SL_BAD_FIELD), what,
                       "correct the request; GET /api/v2/openapi.json says how");
    else
        sl__answer_cdc(c, 400, "CDC:ErrAPIInvalidParam", "invalid api parameter: ", sl_str_of(what));
}

void sl__answer_no_owner(struct sl__call *c)
{
    if (answer_is_own(c))
        sl__answer_own(c, 503, sl_code_name(SL_NOT_OWNER), "the cluster has no coordinator at the moment",
                       "wait for the election to end and try again");
    else
        sl__answer_cdc(c, 500, "CDC:ErrOwnerNotFound", "owner not found", SL_STR(""));
}

/* An old client reads several errors as "drained": to its question every doubt is a number. */
static bool answer_is_old_drain(const struct sl__call *c)
{
    return c->route && c->route->id == SL__ROUTE_capture_drain;
}

static void answer_one_left(struct sl__call *c)
{
    sl__answer_body(c, 202, ANSWER_JSON, SL_STR("{\"current_table_count\":1}"));
}

void sl__answer_timeout(struct sl__call *c)
{
    if (answer_is_old_drain(c))
        answer_one_left(c);
    else if (answer_is_own(c))
        sl__answer_own(c, 504, "TIMEOUT", "no answer in time; what was asked for may still happen",
                       "look whether it did, and ask again");
    else
        sl__answer_cdc(c, 500, "CDC:ErrTimeout", "timeout", SL_STR(""));
}

void sl__answer_overload(struct sl__call *c)
{
    if (answer_is_old_drain(c)) {
        answer_one_left(c);
    } else if (answer_is_own(c) || !c->route) {
        sl__answer_own(c, 503, sl_code_name(SL_BUSY), "too many requests at once, or the node is stopping",
                       "try again in a moment");
    } else {
        sl__answer_cdc(c, 503, "", "TiCDC cluster is unavailable, please try again later", SL_STR(""));
    }
}

void sl__answer_no_route(struct sl__call *c)
{
    sl__answer_body(c, 404, "text/plain; charset=utf-8", SL_STR("404 page not found\n"));
}

void sl__answer_too_large(struct sl__call *c)
{
    if (answer_is_own(c))
        sl__answer_own(c, 413, sl_code_name(SL_LIMIT), "the body is larger than a body may be", "send less");
    else
        sl__answer_cdc(c, 413, "CDC:ErrAPIInvalidParam", "invalid api parameter: the body is too large", SL_STR(""));
}

void sl__answer_no_auth(struct sl__call *c, bool is_known, bool is_forbidden)
{
    if (is_forbidden && answer_is_own(c)) {
        sl__answer_own(c, 403, "FORBIDDEN", "this needs the role operator, from a page of this node or no page",
                       "use another user");
        return;
    }
    if (answer_is_own(c))
        sl__answer_own(c, 401, "UNAUTHORIZED", is_known ? "wrong user or password" : "who are you?",
                       "give a user and a password (basic authentication)");
    else if (is_known)
        sl__answer_cdc(c, 401, "CDC:ErrUnauthorized", "user unauthorized", SL_STR(""));
    else
        sl__answer_cdc(c, 401, "CDC:ErrCredentialNotFound", "credential not found", SL_STR(""));
    if (c->response)
        (void)MHD_add_response_header(c->response, MHD_HTTP_HEADER_WWW_AUTHENTICATE,
                                      "Basic realm=\"Sluice\", charset=\"UTF-8\"");
}
