/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/etcd/etcd_store.h"

#include "core/common/mem_tags.h"
#include "edge/etcd/etcd_internal.h"

#include <stdlib.h>
#include <string.h>

#define OP_NS_MAX (9 * SL_S)
#define TICK_NS (50 * SL_MS)                /* while something waits for a connection or for a watch to stand */
#define DECODED_BYTES_MAX ((size_t)1 << 30) /* of one answer; it is at most as large as what the connection takes */

static struct etcd_store *store_of(struct sl_store *s)
{
    return (struct etcd_store *)(void *)s;
}

/* ---- operations in ---- */

static bool store_submit(struct sl_store *base, const struct sl_store_op *op)
{
    struct etcd_store *s = store_of(base);
    size_t head = (sizeof(struct etcd_op) + 7) & ~(size_t)7, size = sl_store_op_bytes(op);
    SL_REQUIRE(!s->is_closing);
    if (s->pending.count + s->sent.count >= s->opts.op_count_max || size > s->opts.op_bytes_max - s->op_bytes)
        return false;
    uint8_t *memory = malloc(head + size);
    struct etcd_op *o = (struct etcd_op *)(void *)memory;
    if (!o)
        return false;
    *o = (struct etcd_op){ .store = s, .deadline = sl_ns_after(sl_loop_now(), s->opts.op_ns), .bytes = size };
    sl_store_op_copy(&o->op, op, memory + head);
    s->op_bytes += size;
    sl__etcd_op_append(&s->pending, o);
    sl_turn_wake(s->turn);
    return true;
}

/* ---- the end ---- */

/* Also of one that is half made. */
static void store_free(struct etcd_store *s)
{
    struct etcd_op *next = NULL;
    for (struct etcd_op *op = s->pending.head; op; op = next) {
        next = op->next;
        sl__etcd_op_free(op);
    }
    sl_arena_deinit(&s->arena);
    sl_mem_deinit(&s->mem);
    sl_tls_unref(s->tls);
    sl_timer_free(s->timer);
    sl_turn_free(s->turn);
    sl__etcd_wipe(s->password, s->password_size);
    free(s->user);
    free(s);
}

static void store_finish(struct etcd_store *s)
{
    void (*on_closed)(void *ctx) = s->on_closed;
    void *ctx = s->closed_ctx;
    sl__etcd_conn_close(s);
    store_free(s);
    on_closed(ctx);
}

static void store_close(struct sl_store *base, void (*on_closed)(void *ctx), void *ctx)
{
    struct etcd_store *s = store_of(base);
    SL_REQUIRE(!s->is_closing && on_closed);
    s->is_closing = true;
    s->on_closed = on_closed;
    s->closed_ctx = ctx;
    sl_turn_wake(s->turn);
}

/* ---- the turn ---- */

static void store_arm(struct etcd_store *s)
{
    sl_ns at = s->state == ETCD_CONN_IDLE ? s->retry_at : SL_NEVER;
    /* A call that was sent gives up by itself; what else may have to be given up is looked at now and then. */
    if (s->pending.count + s->sent.count > 0)
        at = sl_ns_min(at, sl_ns_after(sl_loop_now(), TICK_NS));
    sl_timer_arm(s->timer, at);
}

static void store_on_turn(void *ctx)
{
    struct etcd_store *s = ctx;
    if (s->must_redial && !s->is_closing)
        sl__etcd_redial(s);
    if (s->state == ETCD_CONN_IDLE && s->retry_at <= sl_loop_now() && !s->is_closing)
        sl__etcd_dial(s);
    if (!s->is_closing)
        sl__etcd_flush(s);
    if (s->is_closing)
        store_finish(s);
    else
        store_arm(s);
}

static void store_on_timer(void *ctx)
{
    struct etcd_store *s = ctx;
    sl_turn_wake(s->turn);
}

static const struct sl_store_backend store_backend = { .name = "etcd", .submit = store_submit, .close = store_close };

/* ---- open ---- */

static enum sl_code store_setup_tls(struct etcd_store *s, const struct sl_etcd_opts *opts, struct sl_err *err)
{
    bool has_files = opts->ca_file || opts->cert_file || opts->key_file;
    const struct sl_tls_opts tls = { .ca_path = opts->ca_file,
                                     .cert_path = opts->cert_file,
                                     .key_path = opts->key_file };
    if (!opts->cert_file != !opts->key_file)
        return sl_err_set(err, SL_BAD_CONFIG, "a certificate for etcd needs its key, and a key its certificate");
    if (s->endpoints.is_http && opts->tls)
        return sl_err_set(err, SL_BAD_CONFIG, "an endpoint of etcd is http://, but TLS is asked for: write https://");
    if (s->endpoints.is_http || (!opts->tls && !has_files && !s->endpoints.is_https))
        return SL_OK;
    return sl_tls_new(&s->tls, &tls, err);
}

static enum sl_code store_setup_user(struct etcd_store *s, const struct sl_etcd_opts *opts, struct sl_err *err)
{
    struct sl_bytes password = sl_secret_reveal(opts->password);
    if (!opts->user || !opts->user[0])
        return SL_OK;
    s->user = strdup(opts->user);
    s->password = malloc(password.len + 1);
    if (!s->user || !s->password)
        return sl_err_set(err, SL_NOMEM, "no memory for the connection to etcd");
    if (password.len > 0)
        memcpy(s->password, password.ptr, password.len);
    s->password_size = password.len;
    return SL_OK;
}

static enum sl_code store_setup_loop(struct etcd_store *s, uv_loop_t *loop, struct sl_err *err)
{
    uint64_t seed = (uint64_t)sl_loop_now() ^ (uint64_t)(uintptr_t)s;
    s->loop = loop;
    sl_prng_init(&s->prng, seed);
    s->timer = sl_timer_new(loop, store_on_timer, s);
    s->turn = sl_turn_new(loop, store_on_turn, s);
    if (!s->timer || !s->turn)
        return sl_err_set(err, SL_NOMEM, "no memory for the connection to etcd");
    sl_turn_wake(s->turn);
    return SL_OK;
}

/* What is not copied must not be found here later. */
static struct sl_etcd_opts store_numbers(const struct sl_etcd_opts *opts)
{
    struct sl_etcd_opts own = *opts;
    own.endpoints = own.ca_file = own.cert_file = own.key_file = own.user = NULL;
    own.password = (struct sl_secret){ 0 };
    own.op_ns = sl_ns_min(opts->op_ns, OP_NS_MAX);
    return own;
}

enum sl_code sl_etcd_store_open(struct sl_store **out, struct uv_loop_s *loop, const struct sl_etcd_opts *opts,
                                const struct sl_store_client *client, struct sl_err *err)
{
    *out = NULL;
    struct etcd_store *s = calloc(1, sizeof *s);
    if (!s)
        return sl_err_set(err, SL_NOMEM, "no memory for the connection to etcd");
    const struct sl_mem_opts mem = sl_mem_opts_of(0);
    s->base = (struct sl_store){ &store_backend, *client };
    s->opts = store_numbers(opts);
    sl_mem_init(&s->mem, &mem);
    sl_arena_init(&s->arena, &s->mem, SL_TAG_STORE, DECODED_BYTES_MAX);
    enum sl_code code = sl__etcd_endpoints_parse(&s->endpoints, opts->endpoints, err);
    if (code == SL_OK)
        code = store_setup_tls(s, opts, err);
    if (code == SL_OK)
        code = store_setup_user(s, opts, err);
    if (code == SL_OK)
        code = store_setup_loop(s, loop, err);
    if (code == SL_OK)
        *out = &s->base;
    else
        store_free(s);
    return code;
}
