/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/meta_export.h"

#include "cli/text.h"
#include "edge/etcd/etcd_store.h"
#include "edge/sqlite/sqlite_store.h"

#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define EXPORT_KEYS_MAX 64            /* of one transaction */
#define EXPORT_BYTES_MAX (512u << 10) /* likewise; one larger value goes alone. etcd takes 1.5 MiB */
#define EXPORT_PAIRS_MAX ((size_t)1 << 20)

struct export_pair {
    char *key;
    uint8_t *value;
    size_t key_len, value_len;
};

struct export
{
    struct export_pair *pairs;
    size_t count, cap, written, sent; /* sent: up to the end of the transaction that is in flight */
    struct sl_store *store;
    struct sl_err *err;
    enum sl_code code;
    sl_op_id op;
};

/* ---- reading ---- */

static bool export_keep(void *ctx, const struct sl_store_pair *pair)
{
    struct export *x = ctx;
    if (x->count == x->cap) {
        size_t cap = x->cap * 2 + 64;
        struct export_pair *grown = sl_cli_alloc(cap * sizeof *grown);
        if (x->count > 0)
            memcpy(grown, x->pairs, x->count * sizeof *grown);
        free(x->pairs);
        x->pairs = grown;
        x->cap = cap;
    }
    struct export_pair *p = &x->pairs[x->count++];
    *p = (struct export_pair){ .key = sl_cli_alloc(pair->key.len + 1),
                               .value = sl_cli_alloc(pair->value.len),
                               .key_len = pair->key.len,
                               .value_len = pair->value.len };
    memcpy(p->key, pair->key.ptr, pair->key.len);
    if (pair->value.len > 0)
        memcpy(p->value, pair->value.ptr, pair->value.len);
    return x->count < EXPORT_PAIRS_MAX;
}

/* ---- writing ---- */

static void export_closed(void *ctx)
{
    (void)ctx;
}

static void export_end(struct export *x)
{
    if (x->store)
        sl_store_close(x->store, export_closed, NULL);
    x->store = NULL;
}

static void export_send(struct export *x)
{
    struct sl_store_compare compares[EXPORT_KEYS_MAX];
    struct sl_store_action puts[EXPORT_KEYS_MAX];
    uint32_t count = 0;
    size_t bytes = 0;
    if (x->written == x->count) {
        export_end(x);
        return;
    }
    for (x->sent = x->written; x->sent < x->count && count < EXPORT_KEYS_MAX; x->sent++) {
        const struct export_pair *p = &x->pairs[x->sent];
        bytes += p->key_len + p->value_len;
        if (count > 0 && bytes > EXPORT_BYTES_MAX)
            break;
        struct sl_str key = { p->key, p->key_len };
        compares[count] = (struct sl_store_compare){ .kind = SL_COMPARE_CREATE_REVISION, .key = key };
        puts[count++] =
            (struct sl_store_action){ .kind = SL_ACTION_PUT, .key = key, .value = { p->value, p->value_len } };
    }
    const struct sl_store_op op = { .id = ++x->op,
                                    .verb = SL_STORE_TXN,
                                    .critical = true,
                                    .compares = compares,
                                    .then = puts,
                                    .compare_count = count,
                                    .then_count = count };
    if (sl_store_submit(x->store, &op))
        return;
    x->code = sl_err_set(x->err, SL_NOMEM, "no room for a transaction");
    export_end(x);
}

static void export_on_result(void *ctx, const struct sl_store_result *r)
{
    struct export *x = ctx;
    if (r->id != x->op || !x->store)
        return;
    if (r->outcome == SL_STORE_OK && r->succeeded) {
        x->written = x->sent;
        export_send(x);
        return;
    }
    if (r->outcome == SL_STORE_OK)
        x->code =
            sl_err_set(x->err, SL_EXISTS, "a key is there already (%zu of %zu written): export into an empty store",
                       x->written, x->count);
    else
        x->code =
            sl_err_set(x->err, SL_NOT_READY, "etcd does not answer (%zu of %zu keys written): is it running there?",
                       x->written, x->count);
    export_end(x);
}

static void export_on_watch(void *ctx, const struct sl_store_watch_batch *batch)
{
    (void)ctx;
    (void)batch;
}

static enum sl_code export_run(struct export *x, const struct sl_cli_export_opts *opts)
{
    uv_loop_t loop;
    const struct sl_store_client client = { x, export_on_result, export_on_watch };
    struct sl_etcd_opts etcd = SL_ETCD_OPTS_DEFAULT;
    etcd.endpoints = opts->endpoints;
    etcd.ca_file = opts->ca;
    etcd.cert_file = opts->cert;
    etcd.key_file = opts->key;
    etcd.user = opts->user;
    if (opts->password)
        etcd.password = sl_secret_of((struct sl_bytes){ (const uint8_t *)opts->password, strlen(opts->password) });
    if (uv_loop_init(&loop) != 0)
        return sl_err_set(x->err, SL_NOMEM, "no event loop");
    x->code = sl_etcd_store_open(&x->store, &loop, &etcd, &client, x->err);
    if (x->code == SL_OK) {
        export_send(x);
        (void)uv_run(&loop, UV_RUN_DEFAULT);
    }
    (void)uv_loop_close(&loop);
    return x->code;
}

enum sl_code sl_cli_meta_write(const struct sl_cli_export_opts *opts, size_t *count, struct sl_err *err)
{
    struct export x = { .err = err };
    enum sl_code code = sl_sqlite_export(opts->path, export_keep, &x, err);
    if (code == SL_OK)
        code = export_run(&x, opts);
    *count = x.written;
    for (size_t i = 0; i < x.count; i++) {
        free(x.pairs[i].key);
        free(x.pairs[i].value);
    }
    free(x.pairs);
    return code;
}
