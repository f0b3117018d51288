/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/etcd/etcd_internal.h"

#include <stdlib.h>
#include <string.h>

#define RETRY_NS (100 * SL_MS) /* after all endpoints failed, doubled each time */
#define RETRY_NS_MAX (2 * SL_S)
#define LOGIN_REFUSED_NS (2 * SL_S)
#define CALLS_MAX 1024u

/* ---- health ---- */

static void conn_tell_unwell(struct etcd_store *s, const char *text)
{
    struct sl_err e = { 0 };
    if (s->is_told_unwell || !s->opts.on_health)
        return;
    s->is_told_unwell = true;
    const char *hint = s->tls ? " (TLS is spoken; a port without it needs http://)" : " (a TLS port needs https://)";
    (void)sl_err_set(&e, SL_NOT_READY, "no etcd answers, last %s:%u: %.90s%s", s->endpoints.list[s->endpoint].host,
                     s->endpoints.list[s->endpoint].port, text, hint);
    s->opts.on_health(s->opts.health_ctx, &e);
}

static void conn_tell_refused(struct etcd_store *s, const struct sl_grpc_status *status)
{
    struct sl_err e = { 0 };
    if (s->is_told_unwell || !s->opts.on_health)
        return;
    s->is_told_unwell = true;
    (void)sl_err_set(&e, SL_BAD_CONFIG, "etcd does not accept the user: check name and password (%.90s)",
                     status->message);
    s->opts.on_health(s->opts.health_ctx, &e);
}

void sl__etcd_tell_refusal(struct etcd_store *s, const struct sl_grpc_status *status)
{
    struct sl_err e = { 0 };
    if (s->is_told_unwell || !s->opts.on_health)
        return;
    s->is_told_unwell = true;
    if (status->code == SL_GRPC_UNIMPLEMENTED)
        (void)sl_err_set(&e, SL_BAD_CONFIG, "what answers at %s:%u is no etcd (or one before 3.4)",
                         s->endpoints.list[s->endpoint].host, s->endpoints.list[s->endpoint].port);
    else
        (void)sl_err_set(&e, SL_BAD_CONFIG, "etcd refuses: %.90s", status->message);
    s->opts.on_health(s->opts.health_ctx, &e);
}

void sl__etcd_tell_well(struct etcd_store *s)
{
    if (!s->is_told_unwell)
        return;
    s->is_told_unwell = false;
    s->opts.on_health(s->opts.health_ctx, &(struct sl_err){ .code = SL_OK });
}

static void conn_is_ready(struct etcd_store *s)
{
    s->state = ETCD_CONN_READY;
    s->fail_count = s->bad_count = 0;
    sl_turn_wake(s->turn);
    sl__etcd_tell_well(s);
}

/* ---- the token ---- */

void sl__etcd_wipe(uint8_t *secret, size_t size)
{
    volatile uint8_t *bytes = secret; /* what is freed next would not be written otherwise */
    for (size_t i = 0; secret && i < size; i++)
        bytes[i] = 0;
    free(secret);
}

static void conn_forget_token(struct etcd_store *s)
{
    sl__etcd_wipe(s->token, s->token_size);
    s->token = NULL;
    s->token_size = 0;
}

uint32_t sl__etcd_metadata(const struct etcd_store *s, struct sl_grpc_metadata m[2])
{
    /* A member that was cut off then says so at once, and ends its streams, instead of being silent. */
    m[0] = (struct sl_grpc_metadata){ .name = SL_STR("hasleader"), .value = SL_STR("true") };
    if (!s->token)
        return 1;
    struct sl_str token = { (const char *)s->token, s->token_size };
    m[1] = (struct sl_grpc_metadata){ .name = SL_STR("token"), .value = token, .secret = true };
    return 2;
}

static void conn_on_token(void *ctx, struct sl_bytes message)
{
    struct etcd_store *s = ctx;
    struct sl_secret token;
    conn_forget_token(s);
    sl_arena_reset(&s->arena);
    if (sl__etcd_decode_login(message, &s->arena, &token) != SL_OK)
        return;
    struct sl_bytes hidden = sl_secret_reveal(token);
    s->token = malloc(hidden.len);
    if (!s->token)
        return;
    memcpy(s->token, hidden.ptr, hidden.len);
    s->token_size = hidden.len;
}

static void conn_on_login_end(void *ctx, const struct sl_grpc_status *status)
{
    struct etcd_store *s = ctx;
    if (s->is_closing || s->state != ETCD_CONN_LOGIN)
        return;
    /* etcd without authentication refuses to authenticate; then nobody asks for a token either. */
    if (s->token || status->code == SL_GRPC_FAILED_PRECONDITION) {
        conn_is_ready(s);
        return;
    }
    if (status->code == SL_GRPC_INVALID_ARGUMENT || status->code == SL_GRPC_PERMISSION_DENIED) {
        conn_tell_refused(s, status);
        sl__etcd_refuse_pending(s);
        s->retry_at = sl_ns_after(sl_loop_now(), LOGIN_REFUSED_NS);
    }
    s->must_redial = true;
    sl_turn_wake(s->turn);
}

void sl__etcd_login(struct etcd_store *s)
{
    static const struct sl_grpc_call_events events = { .on_message = conn_on_token, .on_end = conn_on_login_end };
    const struct sl_grpc_call_opts opts = {
        .path = SL_ETCD_AUTHENTICATE, .timeout_ns = s->opts.dial_ns, .events = &events, .ctx = s
    };
    struct sl_bytes request, password = { s->password, s->password_size };
    sl_grpc_call call = 0;
    if (s->state == ETCD_CONN_LOGIN)
        return;
    s->state = ETCD_CONN_LOGIN;
    conn_forget_token(s);
    sl_arena_reset(&s->arena);
    if (sl__etcd_encode_login(sl_str_of(s->user), sl_secret_of(password), &s->arena, &request) != SL_OK ||
        sl_grpc_client_unary(s->client, &call, &opts, request, NULL) != SL_OK) {
        s->must_redial = true;
        sl_turn_wake(s->turn);
    }
}

/* ---- the connection ---- */

/* Another endpoint at once, until all have failed; then after a pause that grows and differs between nodes. */
static void conn_schedule(struct etcd_store *s)
{
    uint32_t rounds = s->fail_count / s->endpoints.count;
    sl_ns pause = 0;
    if (rounds > 0) {
        pause = sl_ns_min(RETRY_NS << sl_u32_min(rounds - 1, 8), RETRY_NS_MAX);
        pause = pause / 2 + sl_prng_between(&s->prng, 0, pause / 2);
    }
    sl_ns at = sl_ns_after(sl_loop_now(), pause);
    s->retry_at = s->retry_at > at ? s->retry_at : at;
    s->endpoint = (s->endpoint + 1) % s->endpoints.count;
    sl_turn_wake(s->turn);
}

static void conn_failed(struct etcd_store *s, const char *text)
{
    s->fail_count++;
    s->bad_count = 0;
    s->state = ETCD_CONN_IDLE;
    if (s->fail_count >= s->endpoints.count)
        conn_tell_unwell(s, text);
    conn_schedule(s);
}

static void conn_on_connected(void *ctx)
{
    struct etcd_store *s = ctx;
    if (s->is_closing)
        return;
    if (s->user)
        sl__etcd_login(s);
    else
        conn_is_ready(s);
}

static void conn_on_disconnected(void *ctx, const struct sl_err *why)
{
    struct etcd_store *s = ctx;
    if (s->is_closing)
        return;
    sl__etcd_conn_close(s);
    conn_failed(s, why->text);
}

void sl__etcd_conn_close(struct etcd_store *s)
{
    sl_grpc_client_close(s->client);
    s->client = NULL;
    s->state = ETCD_CONN_IDLE;
    s->must_redial = false;
    conn_forget_token(s);
    sl__etcd_give_up_sent(s);
}

void sl__etcd_redial(struct etcd_store *s)
{
    sl__etcd_conn_close(s);
    if (!s->is_closing)
        conn_failed(s, "it does not answer in time or has no leader");
}

void sl__etcd_dial(struct etcd_store *s)
{
    static const struct sl_grpc_client_events events = { conn_on_connected, conn_on_disconnected };
    const struct sl_etcd_endpoint *e = &s->endpoints.list[s->endpoint];
    const struct sl_grpc_client_opts opts = { .loop = s->loop,
                                              .host = e->host,
                                              .port = e->port,
                                              .tls = s->tls,
                                              .connect_timeout_ns = s->opts.dial_ns,
                                              .call_count_max = CALLS_MAX,
                                              .events = &events,
                                              .ctx = s };
    struct sl_err err = { 0 };
    s->state = ETCD_CONN_DIALING;
    s->retry_at = 0;
    if (sl_grpc_client_open(&s->client, &opts, &err) != SL_OK)
        conn_failed(s, err.text);
}
