/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/http/stream.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/*
 * What another node has to answer: the request is replayed there, its answer copied back (reference behaviour, with its
 * headers). libcurl's multi interface, driven by the loop: its sockets are polled, its one timer is ours.
 *
 * A forward belongs to its call. Whichever ends first tells the other: the call by sl__forward_cancel, the forward by
 * the answer.
 */
enum {
    FORWARD_TIMES_MAX = 2,
    FORWARD_CONNECT_MS = 3000,
    FORWARD_OLD_DRAIN_MS = 4000, /* old clients wait 5 s for that answer */
    FORWARD_ADDRESS_MAX = SL_ADDRESS_MAX,
};

struct forward {
    struct sl_api *api;
    struct sl__call *call; /* null: cancelled */
    CURL *easy;
    struct curl_slist *headers;
    struct sl__buf answer;
    char content_type[128];
    struct sl__stream *relay; /* an event stream: bytes go on as they come */
    char error[CURL_ERROR_SIZE];
};

struct sl__forwards {
    struct sl_api *api;
    CURLM *multi;
    struct sl_timer *timer;
    bool is_freed;
};

struct forward_poll { /* of one of libcurl's sockets */
    uv_poll_t handle;
    struct sl__forwards *forwards;
    curl_socket_t socket;
};

/* ---- the end of a forward ---- */

static void forward_free(struct sl__forwards *fs, struct forward *f)
{
    (void)curl_multi_remove_handle(fs->multi, f->easy);
    curl_easy_cleanup(f->easy);
    curl_slist_free_all(f->headers);
    sl__buf_deinit(&f->answer);
    free(f);
}

static bool forward_is_old_drain(const struct sl__call *c)
{
    return c->route->id == SL__ROUTE_capture_drain;
}

static void forward_deliver(struct forward *f, CURLcode result)
{
    struct sl__call *c = f->call;
    long status = 0;
    c->forward = NULL;
    (void)curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status);
    if (f->relay) {
        sl__stream_relay_end(f->relay);
        return;
    }
    if (forward_is_old_drain(c) && (result != CURLE_OK || status >= 500 || status < 100)) {
        sl__answer_timeout(c); /* which says: one left */
    } else if (result == CURLE_OK && status >= 200) {
        c->forward = f; /* the audit line is the other node's */
        sl__answer_body(c, (uint32_t)status, f->content_type[0] != '\0' ? f->content_type : NULL,
                        sl__buf_str(&f->answer));
        c->forward = NULL;
    } else if (c->route->flavor == SL__OWN) {
        sl__answer_own(c, 502, "UNREACHABLE", "the node that has to answer this cannot be reached",
                       "try again; if it stays so, look at that node and the network between");
    } else {
        sl__answer_cdc(c, 500, "", "TiCDC cluster is unavailable, please try again later", SL_STR(""));
    }
}

static void forwards_collect(struct sl__forwards *fs)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(fs->multi, &left)) != NULL) {
        struct forward *f = NULL;
        CURLcode result = message->data.result;
        if (message->msg != CURLMSG_DONE)
            continue;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&f);
        if (f->call)
            forward_deliver(f, result);
        forward_free(fs, f);
    }
}

/* ---- libcurl in the loop ---- */

static void forwards_act(struct sl__forwards *fs, curl_socket_t socket, int flags)
{
    int running;
    (void)curl_multi_socket_action(fs->multi, socket, flags, &running);
    forwards_collect(fs);
}

static void forwards_on_timer(void *ctx)
{
    forwards_act(ctx, CURL_SOCKET_TIMEOUT, 0);
}

static int forwards_set_timer(CURLM *multi, long timeout_ms, void *ctx)
{
    struct sl__forwards *fs = ctx;
    (void)multi;
    sl_timer_arm(fs->timer, timeout_ms < 0 ? SL_NEVER : sl_ns_after(sl_loop_now(), (sl_ns)timeout_ms * SL_MS));
    return 0;
}

static void forwards_on_poll(uv_poll_t *handle, int status, int events)
{
    struct forward_poll *p = handle->data;
    int flags = status < 0 ? CURL_CSELECT_ERR : 0;
    flags |= events & UV_READABLE ? CURL_CSELECT_IN : 0;
    flags |= events & UV_WRITABLE ? CURL_CSELECT_OUT : 0;
    forwards_act(p->forwards, p->socket, flags);
}

static void forwards_on_poll_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static struct forward_poll *forwards_poll_new(struct sl__forwards *fs, curl_socket_t socket)
{
    struct forward_poll *p = calloc(1, sizeof *p);
    if (!p || uv_poll_init_socket(fs->api->opts.loop, &p->handle, socket) != 0) {
        free(p);
        return NULL;
    }
    p->handle.data = p;
    p->forwards = fs;
    p->socket = socket;
    (void)curl_multi_assign(fs->multi, socket, p);
    return p;
}

static int forwards_set_socket(CURL *easy, curl_socket_t socket, int what, void *ctx, void *socket_ctx)
{
    struct sl__forwards *fs = ctx;
    struct forward_poll *p = socket_ctx;
    int events = 0;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (p) {
            (void)uv_poll_stop(&p->handle);
            uv_close((uv_handle_t *)&p->handle, forwards_on_poll_closed);
            (void)curl_multi_assign(fs->multi, socket, NULL);
        }
        return 0;
    }
    p = p ? p : forwards_poll_new(fs, socket);
    events |= what != CURL_POLL_IN ? UV_WRITABLE : 0;
    events |= what != CURL_POLL_OUT ? UV_READABLE : 0;
    return p && uv_poll_start(&p->handle, events, forwards_on_poll) == 0 ? 0 : -1;
}

enum sl_code sl__forwards_new(struct sl__forwards **out, struct sl_api *api, struct sl_err *err)
{
    struct sl__forwards *fs = calloc(1, sizeof *fs);
    *out = fs;
    if (!fs || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return sl_err_set(err, SL_NOMEM, "no memory for forwarding");
    fs->api = api;
    fs->multi = curl_multi_init();
    fs->timer = sl_timer_new(api->opts.loop, forwards_on_timer, fs);
    if (!fs->multi || !fs->timer)
        return sl_err_set(err, SL_NOMEM, "no memory for forwarding");
    (void)curl_multi_setopt(fs->multi, CURLMOPT_SOCKETFUNCTION, forwards_set_socket);
    (void)curl_multi_setopt(fs->multi, CURLMOPT_SOCKETDATA, fs);
    (void)curl_multi_setopt(fs->multi, CURLMOPT_TIMERFUNCTION, forwards_set_timer);
    (void)curl_multi_setopt(fs->multi, CURLMOPT_TIMERDATA, fs);
    (void)curl_multi_setopt(fs->multi, CURLMOPT_MAX_HOST_CONNECTIONS, 64L);
    return SL_OK;
}

void sl__forwards_free(struct sl__forwards *fs)
{
    if (!fs)
        return;
    if (fs->multi)
        (void)curl_multi_cleanup(fs->multi);
    sl_timer_free(fs->timer);
    free(fs);
}

void sl__forward_cancel(struct sl__call *c)
{
    struct forward *f = c->forward;
    c->forward = NULL;
    f->call = NULL;
    /* Never called from inside libcurl: MHD's callbacks are not. */
    forward_free(c->api->forwards, f);
}

/* ---- what goes out and what comes back ---- */

static size_t forward_on_body(char *bytes, size_t size, size_t count, void *ctx)
{
    struct forward *f = ctx;
    size_t len = size * count;
    if (!f->call)
        return 0;
    if (f->relay)
        return sl__stream_relay_bytes(f->relay, bytes, len) ? len : 0;
    return sl__buf_add(&f->answer, bytes, len) ? len : 0;
}

static bool forward_is_content_type(const char *line, size_t len, struct sl_str *value)
{
    static const char name[] = "content-type:";
    size_t at = sizeof name - 1;
    if (len <= at || strncasecmp(line, name, at) != 0)
        return false;
    while (at < len && line[at] == ' ')
        at++;
    while (len > at && (line[len - 1] == '\r' || line[len - 1] == '\n' || line[len - 1] == ' '))
        len--;
    *value = (struct sl_str){ line + at, len - at };
    return true;
}

static size_t forward_on_header(char *line, size_t size, size_t count, void *ctx)
{
    struct forward *f = ctx;
    struct sl_str value;
    size_t len = size * count;
    if (!f->call || !forward_is_content_type(line, len, &value))
        return len;
    struct sl_text t;
    sl_text_init(&t, f->content_type, sizeof f->content_type);
    if (sl_str_is_printable_utf8(value))
        sl_text_str(&t, value);
    if (f->call->route->id == SL__ROUTE_drain_events && strncmp(f->content_type, "text/event-stream", 17) == 0 &&
        f->call->state != SL__CALL_ANSWERED)
        f->relay = sl__stream_relay(f->call);
    return len;
}

/* Of the connection, not of the request; or written by libcurl itself. */
static bool forward_drops(const char *key)
{
    static const char *const names[] = { "Host",
                                         "Connection",
                                         "Content-Length",
                                         "Transfer-Encoding",
                                         "Expect",
                                         "Upgrade",
                                         "Keep-Alive",
                                         "TE",
                                         "Trailer",
                                         "Proxy-Connection",
                                         "Origin",
                                         "Referer",
                                         "TiCDC-ForwardFrom",
                                         "TiCDC-ForwardTimes",
                                         "Accept-Encoding" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcasecmp(key, names[i]) == 0)
            return true;
    }
    return false;
}

static bool forward_add_header(struct forward *f, const char *key, const char *value)
{
    char line[4096];
    int len = snprintf(line, sizeof line, value[0] != '\0' ? "%s: %s" : "%s;%s", key, value);
    if (len < 0 || (size_t)len >= sizeof line)
        return false;
    struct curl_slist *grown = curl_slist_append(f->headers, line);
    f->headers = grown ? grown : f->headers;
    return grown != NULL;
}

static enum MHD_Result forward_copy_header(void *ctx, enum MHD_ValueKind kind, const char *key, const char *value)
{
    (void)kind;
    if (!forward_drops(key))
        (void)forward_add_header(ctx, key, value ? value : "");
    return MHD_YES;
}

static bool forward_set_headers(struct forward *f, struct sl__call *c)
{
    struct sl_api_status status;
    char id[SL_NODE_ID_MAX + 1], times[12];
    struct sl_text t;
    sl__call_status(c, &status);
    sl_text_init(&t, id, sizeof id);
    sl_text_str(&t, status.id);
    (void)snprintf(times, sizeof times, "%u", c->forwarded + 1);
    (void)MHD_get_connection_values(c->mhd, MHD_HEADER_KIND, forward_copy_header, f);
    return forward_add_header(f, "TiCDC-ForwardFrom", id) && forward_add_header(f, "TiCDC-ForwardTimes", times) &&
           forward_add_header(f, "Expect", "") && curl_easy_setopt(f->easy, CURLOPT_HTTPHEADER, f->headers) == CURLE_OK;
}

static bool forward_set_url(struct forward *f, const struct sl__call *c, struct sl_str address)
{
    struct sl__buf url = { .bytes_max = 64 * 1024 };
    const char *scheme = f->api->opts.ca_path && f->api->opts.ca_path[0] != '\0' ? "https://" : "http://";
    bool ok = address.len <= FORWARD_ADDRESS_MAX && sl__buf_add(&url, scheme, strlen(scheme)) &&
              sl__buf_add(&url, address.ptr, address.len) && sl__buf_add(&url, c->uri, strlen(c->uri) + 1) &&
              c->uri[0] == '/' && curl_easy_setopt(f->easy, CURLOPT_URL, url.ptr) == CURLE_OK;
    sl__buf_deinit(&url);
    return ok;
}

static bool forward_set_tls(struct forward *f)
{
    const struct sl_api_opts *o = &f->api->opts;
    if (!o->ca_path || o->ca_path[0] == '\0')
        return true;
    bool ok = curl_easy_setopt(f->easy, CURLOPT_CAINFO, o->ca_path) == CURLE_OK &&
              curl_easy_setopt(f->easy, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2) == CURLE_OK;
    if (ok && o->cert_path && o->cert_path[0] != '\0')
        ok = curl_easy_setopt(f->easy, CURLOPT_SSLCERT, o->cert_path) == CURLE_OK &&
             curl_easy_setopt(f->easy, CURLOPT_SSLKEY, o->key_path) == CURLE_OK;
    return ok;
}

static bool forward_set_times(struct forward *f, const struct sl__call *c)
{
    long answer_ms = (long)f->api->opts.answer_s_max * 1000;
    if (forward_is_old_drain(c))
        answer_ms = FORWARD_OLD_DRAIN_MS;
    if (c->route->id == SL__ROUTE_drain_events)
        answer_ms = 0; /* a stream lives as long as it likes; its ends notice each other */
    return curl_easy_setopt(f->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)FORWARD_CONNECT_MS) == CURLE_OK &&
           curl_easy_setopt(f->easy, CURLOPT_TIMEOUT_MS, answer_ms) == CURLE_OK;
}

static bool forward_set_method(struct forward *f, const struct sl__call *c)
{
    bool ok = curl_easy_setopt(f->easy, CURLOPT_CUSTOMREQUEST, c->route->method) == CURLE_OK;
    if (c->body.len > 0)
        ok = ok && curl_easy_setopt(f->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)c->body.len) == CURLE_OK &&
             curl_easy_setopt(f->easy, CURLOPT_POSTFIELDS, c->body.ptr) == CURLE_OK;
    return ok;
}

static bool forward_set_up(struct forward *f, struct sl__call *c, struct sl_str address)
{
    CURL *e = f->easy;
    return forward_set_url(f, c, address) && forward_set_method(f, c) && forward_set_headers(f, c) &&
           forward_set_tls(f) && forward_set_times(f, c) && curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_PROXY, "") == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, forward_on_body) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_WRITEDATA, f) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, forward_on_header) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_HEADERDATA, f) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_ERRORBUFFER, f->error) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_PRIVATE, f) == CURLE_OK;
}

static struct forward *forward_new(struct sl__call *c, struct sl_str address)
{
    struct forward *f = calloc(1, sizeof *f);
    if (!f)
        return NULL;
    f->api = c->api;
    f->call = c;
    f->answer.bytes_max = c->api->opts.response_bytes_max;
    f->easy = curl_easy_init();
    if (!f->easy || !forward_set_up(f, c, address) ||
        curl_multi_add_handle(c->api->forwards->multi, f->easy) != CURLM_OK) {
        if (f->easy)
            curl_easy_cleanup(f->easy);
        curl_slist_free_all(f->headers);
        free(f);
        return NULL;
    }
    return f;
}

void sl__forward(struct sl__call *c, struct sl_str address)
{
    if (c->forwarded >= FORWARD_TIMES_MAX) {
        if (forward_is_old_drain(c))
            sl__answer_timeout(c);
        else if (c->route->flavor == SL__OWN)
            sl__answer_no_owner(c);
        else
            sl__answer_cdc(c, 500, "", "TiCDC cluster is unavailable, please try again later", SL_STR(""));
        return;
    }
    /* It waits without a ticket: libcurl keeps the time. But it counts. */
    c->forward = sl__call_take_slot(c) ? forward_new(c, address) : NULL;
    if (!c->forward)
        sl__answer_overload(c);
}

bool sl__forward_to_node(struct sl__call *c, struct sl_str node_id)
{
    struct sl_api_status status;
    sl__call_status(c, &status);
    if (node_id.len == 0 || sl_str_eq(node_id, status.id))
        return false;
    for (uint32_t i = 0; i < status.member_count; i++) {
        if (sl_str_eq(sl_node_id_str(&status.members[i].id), node_id)) {
            sl__forward(c, sl_str_of(status.members[i].address));
            return true;
        }
    }
    return false;
}

bool sl__forward_to_owner(struct sl__call *c)
{
    struct sl_api_status status;
    sl__call_status(c, &status);
    return !status.is_owner && !sl_node_id_is_none(&status.owner) &&
           sl__forward_to_node(c, sl_node_id_str(&status.owner));
}
