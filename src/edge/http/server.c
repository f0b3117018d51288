/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/http/stream.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    SERVER_CONNECTION_MEMORY_BYTES = 32 * 1024, /* head of a request, and what is read at once */
};
#define SERVER_TICK_NS (200 * SL_MS)

/* ---- MHD inside the loop ---- */

/* Only here and in server_on_run: see H3. */
static void server_run(struct sl_api *api)
{
    MHD_UNSIGNED_LONG_LONG timeout_ms;
    if (!api->daemon)
        return;
    (void)MHD_run(api->daemon);
    if (MHD_get_timeout(api->daemon, &timeout_ms) != MHD_YES)
        sl_timer_arm(api->run_timer, SL_NEVER);
    else
        sl_timer_arm(api->run_timer, sl_ns_after(sl_loop_now(), (sl_ns)timeout_ms * SL_MS));
}

static void server_on_run(void *ctx)
{
    server_run(ctx);
}

static void server_on_poll(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    server_run(poll->data);
}

void sl__server_kick(struct sl_api *api)
{
    if (api->daemon)
        sl_timer_arm(api->run_timer, sl_loop_now());
}

/* ---- connections ---- */

static void server_conn_drop(struct sl__conn *conn)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(conn->mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    conn->deadline = SL_NEVER;
    if (info)
        (void)shutdown(info->connect_fd, SHUT_RDWR);
}

static void server_on_connection(void *cls, struct MHD_Connection *mhd, void **socket_ctx,
                                 enum MHD_ConnectionNotificationCode code)
{
    struct sl_api *api = cls;
    struct sl__conn *conn = *socket_ctx;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        conn = calloc(1, sizeof *conn);
        *socket_ctx = conn;
        if (!conn)
            return;
        struct sl_text t;
        sl_text_init(&t, conn->remote, sizeof conn->remote);
        sl_text_cstr(&t, api->adopting ? api->adopting : "");
        conn->mhd = mhd;
        conn->deadline = sl_ns_after(sl_loop_now(), (sl_ns)api->opts.request_s_max * SL_S);
        conn->next = api->conns;
        if (api->conns)
            api->conns->prev = conn;
        api->conns = conn;
        api->conn_count++;
        return;
    }
    if (!conn)
        return;
    if (conn->prev)
        conn->prev->next = conn->next;
    else
        api->conns = conn->next;
    if (conn->next)
        conn->next->prev = conn->prev;
    api->conn_count--;
    free(conn);
    *socket_ctx = NULL;
}

static struct sl__conn *server_conn_of(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

static void *server_on_uri(void *cls, const char *uri, struct MHD_Connection *mhd)
{
    return sl__call_begin(cls, server_conn_of(mhd), mhd, uri);
}

static enum MHD_Result server_on_request(void *cls, struct MHD_Connection *mhd, const char *url, const char *method,
                                         const char *version, const char *upload, size_t *upload_size, void **ctx)
{
    (void)cls;
    (void)mhd;
    (void)version;
    return *ctx ? sl__call_continue(*ctx, url, method, upload, upload_size) : MHD_NO;
}

static void server_on_completed(void *cls, struct MHD_Connection *mhd, void **ctx, enum MHD_RequestTerminationCode code)
{
    (void)cls;
    (void)mhd;
    (void)code;
    if (*ctx)
        sl__call_end(*ctx);
    *ctx = NULL;
}

void sl_api_adopt(struct sl_api *api, int fd, struct sl_str remote)
{
    struct sockaddr_storage address = { .ss_family = AF_UNIX };
    socklen_t len = sizeof address;
    char name[64];
    struct sl_text t;
    if (api->closing || api->conn_count >= api->opts.connection_count_max) {
        api->refused[SL__REFUSED_CONNECTION]++;
        (void)close(fd);
        return;
    }
    if (getsockname(fd, (struct sockaddr *)&address, &len) != 0 || len < sizeof(sa_family_t))
        len = sizeof(struct sockaddr);
    sl_text_init(&t, name, sizeof name);
    if (sl_str_is_printable_utf8(remote))
        sl_text_str(&t, remote);
    api->adopting = name;
    /* It closes the socket when it fails. */
    (void)MHD_add_connection(api->daemon, fd, (struct sockaddr *)&address, len);
    api->adopting = NULL;
    sl__server_kick(api);
}

/* ---- time ---- */

static void server_check_owner(struct sl_api *api)
{
    struct sl_api_status status = { .is_owner = false };
    api->port.status(api->port.ctx, &status);
    if (status.is_owner && !api->was_owner)
        api->owner_times++;
    if (status.is_owner != api->was_owner)
        sl__board_reset(api->board);
    api->was_owner = status.is_owner;
}

static void server_on_tick(void *ctx)
{
    struct sl_api *api = ctx;
    sl_ns now = sl_loop_now();
    if (api->closing)
        return;
    server_check_owner(api);
    sl__call_tick(api, now);
    sl__stream_tick(api, now);
    for (struct sl__conn *conn = api->conns; conn; conn = conn->next) {
        if (conn->deadline <= now)
            server_conn_drop(conn);
    }
    sl_timer_arm(api->tick_timer, sl_ns_after(now, SERVER_TICK_NS));
}

/* ---- open ---- */

void sl_api_opts_default(struct sl_api_opts *opts)
{
    *opts = (struct sl_api_opts){ .connection_count_max = 1000,
                                  .idle_s_max = 75,
                                  .request_s_max = 30,
                                  .answer_s_max = 120,
                                  .send_s_max = 120,
                                  .body_bytes_max = 1u << 20,
                                  .response_bytes_max = 64u << 20,
                                  .waiting_count_max = 512,
                                  .watcher_count_max = 128 };
}

static bool server_start(struct sl_api *api)
{
    api->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_NO_LISTEN_SOCKET, 0, NULL, NULL, server_on_request, api,
        MHD_OPTION_CONNECTION_LIMIT, api->opts.connection_count_max, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)api->opts.idle_s_max, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)SERVER_CONNECTION_MEMORY_BYTES,
        MHD_OPTION_NOTIFY_CONNECTION, server_on_connection, api, MHD_OPTION_URI_LOG_CALLBACK, server_on_uri, api,
        MHD_OPTION_NOTIFY_COMPLETED, server_on_completed, api, MHD_OPTION_END);
    const union MHD_DaemonInfo *info = api->daemon ? MHD_get_daemon_info(api->daemon, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
    api->poll = info ? calloc(1, sizeof *api->poll) : NULL;
    if (!api->poll || uv_poll_init(api->opts.loop, api->poll, info->epoll_fd) != 0) {
        free(api->poll);
        api->poll = NULL;
        return false;
    }
    api->poll->data = api;
    return uv_poll_start(api->poll, UV_READABLE, server_on_poll) == 0;
}

void sl__api_release(struct sl_api *api)
{
    if (api->is_freed && api->probe_count == 0)
        free(api);
}

static void server_free(struct sl_api *api)
{
    sl__forwards_free(api->forwards);
    sl__auth_free(api->auth);
    sl_timer_free(api->run_timer);
    sl_timer_free(api->tick_timer);
    sl_turn_free(api->turn);
    sl__buf_deinit(&api->scratch);
    free(api->board);
    free(api->calls);
    free(api->generations);
    api->is_freed = true;
    sl__api_release(api);
}

static void server_on_poll_closed(uv_handle_t *handle)
{
    struct sl_api *api = handle->data;
    void (*on_closed)(void *ctx) = api->on_closed;
    void *ctx = api->closed_ctx;
    free(handle);
    server_free(api);
    if (on_closed)
        on_closed(ctx);
}

/* Outside of every callback of ours: MHD calls completed for what is left. */
static void server_on_close_turn(void *ctx)
{
    struct sl_api *api = ctx;
    struct MHD_Daemon *daemon = api->daemon;
    uv_poll_stop(api->poll);
    (void)MHD_run(daemon);
    api->daemon = NULL;
    MHD_stop_daemon(daemon);
    uv_close((uv_handle_t *)api->poll, server_on_poll_closed);
}

void sl_api_close(struct sl_api *api, void (*on_closed)(void *ctx), void *ctx)
{
    SL_REQUIRE(!api->closing);
    api->closing = true;
    api->on_closed = on_closed;
    api->closed_ctx = ctx;
    sl_timer_arm(api->tick_timer, SL_NEVER);
    sl_timer_arm(api->run_timer, SL_NEVER);
    sl__streams_end(api);
    sl__call_refuse_all(api);
    sl_turn_wake(api->turn);
}

static enum sl_code server_fill(struct sl_api *api, struct sl_err *err)
{
    const struct sl_api_opts *o = &api->opts;
    api->scratch.bytes_max = o->response_bytes_max;
    api->calls = calloc(o->waiting_count_max, sizeof *api->calls);
    api->generations = calloc(o->waiting_count_max, sizeof *api->generations);
    api->board = calloc(1, sizeof *api->board);
    api->run_timer = sl_timer_new(o->loop, server_on_run, api);
    api->tick_timer = sl_timer_new(o->loop, server_on_tick, api);
    api->turn = sl_turn_new(o->loop, server_on_close_turn, api);
    if (!api->calls || !api->generations || !api->board || !api->run_timer || !api->tick_timer || !api->turn)
        return sl_err_set(err, SL_NOMEM, "no memory for the HTTP API");
    for (uint32_t i = 0; i < o->waiting_count_max; i++)
        api->generations[i] = 1;
    sl__board_init(api->board);
    sl_prng_init(&api->prng, o->seed);
    enum sl_code code = sl__forwards_new(&api->forwards, api, err);
    if (code == SL_OK && o->users_file && o->users_file[0] != '\0')
        code = sl__auth_new(&api->auth, o->loop, o->users_file, err);
    return code;
}

enum sl_code sl_api_open(struct sl_api **out, const struct sl_api_opts *opts, const struct sl_api_port *port,
                         struct sl_err *err)
{
    *out = NULL;
    SL_REQUIRE(port->submit && port->status && port->audit);
    SL_REQUIRE(opts->waiting_count_max > 0 && opts->waiting_count_max < UINT16_MAX);
    struct sl_api *api = calloc(1, sizeof *api);
    if (!api)
        return sl_err_set(err, SL_NOMEM, "no memory for the HTTP API");
    api->opts = *opts;
    api->port = *port;
    api->opened = sl_loop_now();
    enum sl_code code = server_fill(api, err);
    if (code == SL_OK && !server_start(api)) {
        if (api->daemon)
            MHD_stop_daemon(api->daemon);
        code = sl_err_set(err, SL_NOMEM, "the HTTP server cannot be started");
    }
    if (code != SL_OK) {
        server_free(api);
        return code;
    }
    sl_timer_arm(api->tick_timer, sl_ns_after(api->opened, SERVER_TICK_NS));
    *out = api;
    return SL_OK;
}

enum sl_code sl_api_reload(struct sl_api *api, struct sl_err *err)
{
    if (!api->auth)
        return SL_OK;
    return sl__auth_reload(api->auth, api->opts.users_file, err);
}

bool sl_api_on_reply(struct sl_api *api, const struct sl_reply *reply)
{
    if ((reply->ticket & SL_API_TICKET_BIT) == 0)
        return false;
    if (reply->ticket == SL__BOARD_TICKET) {
        api->list_asked = false;
        sl__stream_show(api, reply);
        return true;
    }
    struct sl__call *c = sl__call_of(api, reply->ticket);
    if (c && c->state != SL__CALL_ANSWERED && c->on_reply)
        c->on_reply(c, reply);
    return true;
}
