/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/http/openapi.h"
#include "edge/http/stream.h"

#include "wire/json_doc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CALL_FORWARDS_MAX = 2,
    CALL_BODY_EXCESS_FACTOR = 4, /* how much of a body over the limit is read and dropped, to answer it politely */
    CALL_SLOT_BITS = 16,
    CALL_BODIES_BYTES_MAX = 64 << 20, /* of all calls together */
};

/* ---- beginning and end ---- */

static char *call_copy(const char *s)
{
    size_t len = strlen(s) + 1;
    char *copy = malloc(len);
    if (copy)
        memcpy(copy, s, len);
    return copy;
}

struct sl__call *sl__call_begin(struct sl_api *api, struct sl__conn *conn, struct MHD_Connection *mhd, const char *uri)
{
    struct sl__call *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    *c = (struct sl__call){ .api = api, .conn = conn, .mhd = mhd, .slot = UINT32_MAX, .deadline = SL_NEVER };
    c->body.bytes_max = api->opts.body_bytes_max;
    c->started = sl_loop_now();
    c->uri = call_copy(uri);
    if (!c->uri) {
        free(c);
        return NULL;
    }
    if (conn)
        conn->deadline = sl_ns_after(c->started, (sl_ns)api->opts.request_s_max * SL_S);
    return c;
}

static void call_release_slot(struct sl__call *c)
{
    if (c->slot == UINT32_MAX)
        return;
    c->api->calls[c->slot] = NULL;
    c->api->generations[c->slot]++;
    c->api->call_count--;
    c->slot = UINT32_MAX;
}

void sl__call_end(struct sl__call *c)
{
    if (c->forward)
        sl__forward_cancel(c);
    if (c->stream)
        sl__stream_detach(c->stream);
    call_release_slot(c);
    if (c->response)
        MHD_destroy_response(c->response);
    json_object_put(c->doc);
    c->api->body_bytes -= c->body.len;
    c->api->answer_bytes -= c->answer_bytes;
    sl__buf_deinit(&c->body);
    if (c->state_free)
        c->state_free(c->state_data);
    free(c->state_data);
    free(c->path);
    free(c->uri);
    if (c->conn)
        c->conn->deadline = sl_ns_after(sl_loop_now(), (sl_ns)c->api->opts.idle_s_max * SL_S);
    free(c);
}

/* ---- waiting ---- */

bool sl__call_take_slot(struct sl__call *c)
{
    struct sl_api *api = c->api;
    uint32_t max = api->opts.waiting_count_max;
    if (c->slot != UINT32_MAX)
        return true;
    if (api->call_count == max)
        return false;
    while (api->calls[api->call_hint] != NULL)
        api->call_hint = (api->call_hint + 1) % max;
    c->slot = api->call_hint;
    c->generation = api->generations[c->slot];
    api->calls[c->slot] = c;
    api->call_count++;
    return true;
}

uint64_t sl__call_ticket(const struct sl__call *c)
{
    return SL_API_TICKET_BIT | (uint64_t)c->generation << CALL_SLOT_BITS | c->slot;
}

struct sl__call *sl__call_of(const struct sl_api *api, uint64_t ticket)
{
    uint32_t slot = ticket & ((1u << CALL_SLOT_BITS) - 1);
    struct sl__call *c = slot < api->opts.waiting_count_max ? api->calls[slot] : NULL;
    return c && sl__call_ticket(c) == ticket ? c : NULL;
}

void sl__call_set_deadline(struct sl__call *c, sl_ns after)
{
    c->deadline = sl_ns_after(sl_loop_now(), after);
}

void sl__call_submit(struct sl__call *c, struct sl_request *request, sl__on_reply *on_reply)
{
    if (!sl__call_take_slot(c)) {
        c->api->refused[SL__REFUSED_WAITING]++;
        sl__answer_overload(c);
        return;
    }
    if (c->deadline == SL_NEVER)
        sl__call_set_deadline(c, (sl_ns)c->api->opts.answer_s_max * SL_S);
    c->on_reply = on_reply;
    request->ticket = sl__call_ticket(c);
    c->api->port.submit(c->api->port.ctx, request);
}

void sl__call_tick(struct sl_api *api, sl_ns now)
{
    for (uint32_t slot = 0; slot < api->opts.waiting_count_max && api->call_count > 0; slot++) {
        struct sl__call *c = api->calls[slot];
        if (c && c->state == SL__CALL_WAITING && c->deadline <= now)
            sl__answer_timeout(c);
    }
}

void sl__call_refuse_all(struct sl_api *api)
{
    for (uint32_t slot = 0; slot < api->opts.waiting_count_max; slot++) {
        if (api->calls[slot] && api->calls[slot]->state == SL__CALL_WAITING)
            sl__answer_overload(api->calls[slot]);
    }
}

/* ---- what a request says ---- */

struct sl_str sl__call_query(const struct sl__call *c, const char *key)
{
    return sl_str_of(MHD_lookup_connection_value(c->mhd, MHD_GET_ARGUMENT_KIND, key));
}

struct sl_str sl__call_header(const struct sl__call *c, const char *key)
{
    return sl_str_of(MHD_lookup_connection_value(c->mhd, MHD_HEADER_KIND, key));
}

void sl__call_about(struct sl__call *c, struct sl_str object)
{
    struct sl_text t;
    sl_text_init(&t, c->object, sizeof c->object);
    if (sl_str_is_printable_utf8(object))
        sl_text_str(&t, object);
}

struct sl_str sl__call_actor(const struct sl__call *c)
{
    struct json_object *actor = sl__doc_get(c->doc, "actor");
    if (c->user[0] != '\0')
        return sl_str_of(c->user);
    if (actor && sl__doc_is_text(actor)) {
        struct sl_str said = sl_str_of(json_object_get_string(actor));
        if (said.len > 0 && said.len <= SL_ACTOR_MAX && sl_str_is_printable_utf8(said))
            return said;
    }
    return sl_str_of(c->conn ? c->conn->remote : "");
}

void sl__call_status(const struct sl__call *c, struct sl_api_status *status)
{
    *status = (struct sl_api_status){ .is_owner = false };
    c->api->port.status(c->api->port.ctx, status);
}

/* ---- before the handler ---- */

/*
 * A page of somebody else in an operator's browser must not be able to change anything here: browsers say where a
 * request comes from, other clients do not.
 */
static bool call_is_cross_site(const struct sl__call *c)
{
    struct sl_str origin = sl__call_header(c, "Origin");
    struct sl_str host = sl__call_header(c, "Host");
    if (c->route->role != SL__OPERATOR || origin.len == 0)
        return false;
    size_t at = 0;
    while (at + 3 <= origin.len && memcmp(origin.ptr + at, "://", 3) != 0)
        at++;
    at += 3;
    return at > origin.len || !sl_str_eq((struct sl_str){ origin.ptr + at, origin.len - at }, host);
}

static void call_on_auth(void *ctx, uint64_t ticket, bool right, enum sl__role role);
static void call_run(struct sl__call *c);

static void call_authorized(struct sl__call *c)
{
    if (c->role < c->route->role) {
        c->api->refused[SL__REFUSED_AUTH]++;
        sl__answer_no_auth(c, true, true);
        return;
    }
    call_run(c);
}

static void call_authorize(struct sl__call *c)
{
    struct sl_api *api = c->api;
    if (!api->auth || c->route->role == SL__PUBLIC) {
        call_run(c);
        return;
    }
    struct sl_str header = sl__call_header(c, MHD_HTTP_HEADER_AUTHORIZATION);
    struct sl_secret secret = sl_secret_of((struct sl_bytes){ (const uint8_t *)header.ptr, header.len });
    enum sl__auth_verdict verdict = SL__AUTH_BUSY;
    if (sl__call_take_slot(c))
        verdict =
            sl__auth_check(api->auth, secret, sl_loop_now(), &c->role, c->user, call_on_auth, api, sl__call_ticket(c));
    switch (verdict) {
    case SL__AUTH_YES:
        call_authorized(c);
        return;
    case SL__AUTH_NO:
        api->refused[SL__REFUSED_AUTH]++;
        sl__answer_no_auth(c, header.len > 0, false);
        return;
    case SL__AUTH_LATER:
        sl__call_set_deadline(c, (sl_ns)api->opts.answer_s_max * SL_S);
        return;
    case SL__AUTH_BUSY:
        api->refused[SL__REFUSED_WAITING]++;
        sl__answer_overload(c);
        return;
    }
    SL_UNREACHABLE();
}

static void call_on_auth(void *ctx, uint64_t ticket, bool right, enum sl__role role)
{
    struct sl__call *c = sl__call_of(ctx, ticket);
    if (!c || c->state != SL__CALL_WAITING)
        return;
    c->role = role;
    c->deadline = SL_NEVER;
    if (right) {
        call_authorized(c);
        return;
    }
    c->api->refused[SL__REFUSED_AUTH]++;
    c->user[0] = '\0';
    sl__answer_no_auth(c, true, false);
}

static bool call_parse_body(struct sl__call *c)
{
    if (c->body.len == 0)
        return true;
    enum sl_refusal refusal;
    struct sl_bytes bytes = { (const uint8_t *)c->body.ptr, c->body.len };
    c->doc = sl__doc_parse(sl_secret_of(bytes), c->body.bytes_max, &refusal);
    return c->doc != NULL;
}

static uint32_t call_forwarded(const struct sl__call *c)
{
    struct sl_str times = sl__call_header(c, "TiCDC-ForwardTimes");
    uint32_t n = 0;
    for (size_t i = 0; i < times.len; i++) {
        if (times.ptr[i] < '0' || times.ptr[i] > '9' || n > CALL_FORWARDS_MAX)
            return CALL_FORWARDS_MAX + 1;
        n = n * 10 + (uint32_t)(times.ptr[i] - '0');
    }
    return n;
}

/* The old clients' drain has its own rules for every doubt. */
static bool call_is_elsewhere(struct sl__call *c)
{
    struct sl_api_status status;
    if (c->route->where != SL__OWNER || c->route->id == SL__ROUTE_capture_drain)
        return false;
    sl__call_status(c, &status);
    if (status.is_owner)
        return false;
    bool is_captures = c->route->id == SL__ROUTE_captures_v1 || c->route->id == SL__ROUTE_captures_v2;
    if (sl__forward_to_owner(c))
        return true;
    /* The members are known without an owner too, and an old client that cannot list them restarts nodes the hard way. */
    if (is_captures && status.member_count > 0)
        return false;
    sl__answer_no_owner(c);
    return true;
}

/*
 * A member of a body that nobody reads is a wish that would be passed over in silence, such as a deadline with a slip of
 * the pen in it. Clients of the reference send what they like.
 */
static bool call_knows_members(struct sl__call *c)
{
    bool is_strict = c->route->flavor == SL__OWN && c->doc && strcmp(c->route->request, "NONE") != 0;
    if (!is_strict)
        return true;
    json_object_object_foreach(c->doc, key, value)
    {
        (void)value;
        if (!sl_openapi_has_member(c->route->request, key)) {
            char text[120];
            bool is_plain = sl_str_is_printable_utf8(sl_str_of(key)) && strlen(key) < 40;
            (void)snprintf(text, sizeof text, "the body has a member that this request does not know: %s",
                           is_plain ? key : "its name is not printable, or long");
            sl__answer_bad(c, text);
            return false;
        }
    }
    return true;
}

static void call_run(struct sl__call *c)
{
    if (!call_parse_body(c)) {
        sl__answer_bad(c, "the body is not a JSON object, or it is too deep or has numbers out of range");
        return;
    }
    if (!call_knows_members(c))
        return;
    if (call_is_elsewhere(c))
        return;
    c->route->handler(c);
}

static void call_start(struct sl__call *c)
{
    c->in_handler = true;
    c->state = SL__CALL_READY;
    if (c->conn)
        c->conn->deadline = SL_NEVER;
    c->forwarded = call_forwarded(c);
    if (!c->route)
        sl__answer_no_route(c);
    else if (c->too_large)
        sl__answer_too_large(c);
    else if (c->api->closing || c->no_room)
        sl__answer_overload(c);
    else if (call_is_cross_site(c))
        sl__answer_no_auth(c, true, true);
    else
        call_authorize(c);
    c->in_handler = false;
}

/* ---- MHD's side ---- */

static enum MHD_Result call_queue(struct sl__call *c)
{
    enum MHD_Result result = MHD_queue_response(c->mhd, c->status, c->response);
    if (c->conn && !c->stream)
        c->conn->deadline = sl_ns_after(sl_loop_now(), (sl_ns)c->api->opts.send_s_max * SL_S);
    MHD_destroy_response(c->response);
    c->response = NULL;
    call_release_slot(c);
    return result;
}

static enum MHD_Result call_take_body(struct sl__call *c, const char *upload, size_t *upload_size)
{
    size_t excess = c->api->opts.body_bytes_max * CALL_BODY_EXCESS_FACTOR;
    bool is_refused = c->too_large || c->no_room;
    if (!is_refused && c->api->body_bytes + *upload_size > CALL_BODIES_BYTES_MAX)
        c->no_room = true;
    else if (!is_refused && !sl__buf_add(&c->body, upload, *upload_size))
        c->too_large = true;
    else if (!is_refused)
        c->api->body_bytes += *upload_size;
    if (!is_refused && (c->too_large || c->no_room))
        c->api->refused[SL__REFUSED_BODY]++;
    c->step += *upload_size;
    *upload_size = 0;
    return (c->too_large || c->no_room) && c->step > excess ? MHD_NO : MHD_YES;
}

static void call_look(struct sl__call *c, const char *url, const char *method)
{
    c->looked_at = true;
    c->path = call_copy(url);
    if (c->path)
        c->route = sl__route_find(sl_str_of(method), sl_str_of(c->path), c->params);
}

/* A body that says itself that it is too large is not waited for. */
static bool call_says_too_large(const struct sl__call *c)
{
    struct sl_str length = sl__call_header(c, MHD_HTTP_HEADER_CONTENT_LENGTH);
    uint64_t n = 0;
    for (size_t i = 0; i < length.len && length.ptr[i] >= '0' && length.ptr[i] <= '9'; i++) {
        n = n * 10 + (uint64_t)(length.ptr[i] - '0');
        if (n > c->api->opts.body_bytes_max)
            return true;
    }
    return false;
}

enum MHD_Result sl__call_continue(struct sl__call *c, const char *url, const char *method, const char *upload,
                                  size_t *upload_size)
{
    if (!c->looked_at) {
        call_look(c, url, method);
        c->too_large = call_says_too_large(c);
        if (!c->too_large)
            return MHD_YES;
        c->api->refused[SL__REFUSED_BODY]++;
        call_start(c);
        return call_queue(c);
    }
    if (*upload_size > 0)
        return call_take_body(c, upload, upload_size);
    if (c->state == SL__CALL_RECEIVING) {
        c->step = 0;
        call_start(c);
    }
    if (c->state == SL__CALL_ANSWERED)
        return call_queue(c);
    c->state = SL__CALL_WAITING;
    MHD_suspend_connection(c->mhd);
    return MHD_YES;
}

/* ---- nodes as people name them ---- */

static bool call_begins(struct sl_str s, struct sl_str with)
{
    return s.len >= with.len && memcmp(s.ptr, with.ptr, with.len) == 0;
}

struct sl_str sl__call_node(const struct sl__call *c, struct sl_str ref)
{
    struct sl_api_status status;
    struct sl_str by_id = { NULL, 0 };
    uint32_t by_id_count = 0;
    sl__call_status(c, &status);
    for (uint32_t i = 0; i < status.member_count && ref.len > 0; i++) {
        const struct sl_capture *m = &status.members[i];
        struct sl_str id = sl_node_id_str(&m->id);
        if (sl_str_eq(id, ref) || sl_str_eq(sl_str_of(m->name), ref) || sl_str_eq(sl_str_of(m->address), ref))
            return id;
        if (call_begins(id, ref)) {
            by_id = id;
            by_id_count++;
        }
    }
    return by_id_count == 1 ? by_id : ref;
}
