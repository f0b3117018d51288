/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/loop/timer.h"
#include "edge/sqlite/sqlite_worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GIVE_UP_NS (9 * SL_S) /* of the loop: the thread may hang in a disk that does not answer */

struct sqlite_store {
    struct sl_store base; /* first */
    struct sqlite_worker worker;
    struct sl_sqlite_opts opts;
    char *path;
    pthread_t thread;
    uv_async_t async;
    struct sl_timer *timer;
    struct sqlite_task *oldest, *newest; /* in flight */
    uint32_t task_count;
    size_t task_bytes;
    sl_op_id watches[SQLITE_WATCHES_MAX]; /* those that were answered and have not ended */
    bool is_armed, is_closing;
    void (*on_closed)(void *ctx);
    void *closed_ctx;
};

static struct sqlite_store *store_of(struct sl_store *s)
{
    return (struct sqlite_store *)(void *)s;
}

/* ---- operations in flight ---- */

/* It may be early: then it is set again for the one that is oldest by then. */
static void store_arm(struct sqlite_store *s)
{
    const struct sqlite_task *t = s->oldest;
    while (t && t->is_answered)
        t = t->newer;
    s->is_armed = t != NULL;
    sl_timer_arm(s->timer, t ? sl_ns_after(t->submitted, GIVE_UP_NS) : SL_NEVER);
}

static struct sqlite_task *task_new(const struct sl_store_op *op)
{
    size_t head = (sizeof(struct sqlite_task) + 7) & ~(size_t)7, size = sl_store_op_bytes(op);
    uint8_t *memory = malloc(head + size);
    struct sqlite_task *t = (struct sqlite_task *)(void *)memory;
    if (!t)
        return NULL;
    *t = (struct sqlite_task){ .head.kind = SQLITE_MAIL_TASK, .submitted = sl__sqlite_steady_now(), .bytes = size };
    sl_store_op_copy(&t->op, op, memory + head);
    return t;
}

static void store_link(struct sqlite_store *s, struct sqlite_task *t)
{
    t->older = s->newest;
    if (s->newest)
        s->newest->newer = t;
    else
        s->oldest = t;
    s->newest = t;
    s->task_count++;
    s->task_bytes += t->bytes;
}

static void store_drop(struct sqlite_store *s, struct sqlite_task *t)
{
    if (t->older)
        t->older->newer = t->newer;
    else
        s->oldest = t->newer;
    if (t->newer)
        t->newer->older = t->older;
    else
        s->newest = t->older;
    s->task_count--;
    s->task_bytes -= t->bytes;
    sl__sqlite_rows_drop(&t->rows);
    free(t);
}

static bool store_submit(struct sl_store *base, const struct sl_store_op *op)
{
    struct sqlite_store *s = store_of(base);
    SL_REQUIRE(!s->is_closing);
    if (s->task_count >= s->opts.op_count_max || sl_store_op_bytes(op) > s->opts.op_bytes_max - s->task_bytes)
        return false;
    struct sqlite_task *t = task_new(op);
    if (!t)
        return false;
    store_link(s, t);
    if (!sl_mailbox_put(&s->worker.inbox, &t->head.mail)) {
        store_drop(s, t);
        return false;
    }
    if (!s->is_armed)
        store_arm(s);
    return true;
}

/* ---- what the thread says ---- */

static sl_op_id *store_find_watch(struct sqlite_store *s, sl_op_id id)
{
    for (uint32_t i = 0; i < SQLITE_WATCHES_MAX; i++) {
        if (s->watches[i] == id)
            return &s->watches[i];
    }
    return NULL;
}

static void store_forget_watch(struct sqlite_store *s, sl_op_id id)
{
    sl_op_id *slot = id != 0 ? store_find_watch(s, id) : NULL;
    if (slot)
        *slot = 0;
}

/* One that was given up meanwhile is not wanted any more; should there be no memory to say so, its batches are dropped. */
static void store_on_watching(struct sqlite_store *s, const struct sqlite_task *t)
{
    sl_op_id *slot = store_find_watch(s, 0);
    if (!t->is_answered && SL_EXPECT(slot != NULL)) {
        *slot = t->op.id;
        return;
    }
    struct sqlite_task *undo = task_new(&(struct sl_store_op){ .verb = SL_STORE_UNWATCH, .watch = t->op.id });
    if (!undo)
        return;
    undo->is_answered = true;
    store_link(s, undo);
    if (!sl_mailbox_put(&s->worker.inbox, &undo->head.mail))
        store_drop(s, undo);
}

static void store_on_task(struct sqlite_store *s, struct sqlite_task *t)
{
    const struct sl_store_result *r = &t->result;
    if (r->verb == SL_STORE_WATCH && r->outcome == SL_STORE_OK)
        store_on_watching(s, t);
    if (r->verb == SL_STORE_UNWATCH)
        store_forget_watch(s, t->op.watch);
    if (!t->is_answered)
        s->base.client.on_result(s->base.client.ctx, r);
    store_drop(s, t);
}

static void store_on_batch(struct sqlite_store *s, struct sqlite_batch *b)
{
    /* A watch whose result came too late is not one the client knows. */
    if (store_find_watch(s, b->batch.watch)) {
        if (b->batch.ended)
            store_forget_watch(s, b->batch.watch);
        s->base.client.on_watch(s->base.client.ctx, &b->batch);
    }
}

static void store_free_mail(struct sqlite_store *s, struct sqlite_mail *m)
{
    if (m->kind == SQLITE_MAIL_TASK) {
        store_drop(s, (struct sqlite_task *)(void *)m);
        return;
    }
    atomic_fetch_sub(&s->worker.unread_count, 1);
    if (m->kind == SQLITE_MAIL_BATCH) {
        struct sqlite_batch *b = (struct sqlite_batch *)(void *)m;
        atomic_fetch_sub(&s->worker.unread_bytes, b->rows.bytes);
        sl__sqlite_rows_drop(&b->rows);
    }
    free(m);
}

static void store_on_mail(struct sqlite_store *s, struct sqlite_mail *m)
{
    switch (m->kind) {
    case SQLITE_MAIL_TASK:
        store_on_task(s, (struct sqlite_task *)(void *)m);
        return;
    case SQLITE_MAIL_BATCH:
        store_on_batch(s, (struct sqlite_batch *)(void *)m);
        break;
    case SQLITE_MAIL_HEALTH:
        if (s->opts.on_health)
            s->opts.on_health(s->opts.health_ctx, &((struct sqlite_health *)(void *)m)->err);
        break;
    }
    store_free_mail(s, m);
}

static void store_on_timer(void *ctx)
{
    struct sqlite_store *s = ctx;
    sl_ns now = sl__sqlite_steady_now();
    struct sqlite_task *next = NULL;
    for (struct sqlite_task *t = s->oldest; t && !s->is_closing; t = next) {
        next = t->newer;
        if (sl_ns_after(t->submitted, GIVE_UP_NS) > now)
            break;
        if (t->is_answered)
            continue;
        t->is_answered = true;
        if (t->op.verb == SL_STORE_UNWATCH)
            store_forget_watch(s, t->op.watch);
        struct sl_store_result r = { .id = t->op.id, .verb = t->op.verb, .outcome = SL_STORE_UNKNOWN };
        s->base.client.on_result(s->base.client.ctx, &r);
    }
    if (!s->is_closing)
        store_arm(s);
}

/* ---- the end ---- */

static void store_free(struct sqlite_store *s)
{
    free(s->path);
    free(s);
}

static void store_on_handle_closed(uv_handle_t *handle)
{
    struct sqlite_store *s = handle->data;
    void (*on_closed)(void *ctx) = s->on_closed;
    void *ctx = s->closed_ctx;
    store_free(s);
    if (on_closed)
        on_closed(ctx);
}

static void store_finish(struct sqlite_store *s)
{
    pthread_join(s->thread, NULL);
    struct sl_mail *next = NULL;
    for (struct sl_mail *m = sl_mailbox_take(&s->worker.outbox); m; m = next) {
        next = m->next;
        store_free_mail(s, (struct sqlite_mail *)(void *)m);
    }
    (void)sl_mailbox_take(&s->worker.inbox); /* its tasks are in the list of those in flight */
    struct sqlite_task *newer = NULL;
    for (struct sqlite_task *t = s->oldest; t; t = newer) {
        newer = t->newer;
        store_drop(s, t);
    }
    sl_mailbox_deinit(&s->worker.inbox);
    sl_mailbox_deinit(&s->worker.outbox);
    sl_timer_free(s->timer);
    uv_close((uv_handle_t *)&s->async, store_on_handle_closed);
}

static void store_on_async(uv_async_t *async)
{
    struct sqlite_store *s = async->data;
    struct sl_mail *next = NULL;
    for (struct sl_mail *m = sl_mailbox_take(&s->worker.outbox); m; m = next) {
        next = m->next;
        if (s->is_closing)
            store_free_mail(s, (struct sqlite_mail *)(void *)m);
        else
            store_on_mail(s, (struct sqlite_mail *)(void *)m);
    }
    if (s->is_closing && atomic_load(&s->worker.is_done))
        store_finish(s);
}

static void store_close(struct sl_store *base, void (*on_closed)(void *ctx), void *ctx)
{
    struct sqlite_store *s = store_of(base);
    SL_REQUIRE(!s->is_closing);
    s->is_closing = true;
    s->on_closed = on_closed;
    s->closed_ctx = ctx;
    atomic_store(&s->worker.stop, true);
    sl_mailbox_close(&s->worker.inbox);
    sl_timer_arm(s->timer, SL_NEVER);
}

static const struct sl_store_backend store_backend = { .name = "sqlite", .submit = store_submit, .close = store_close };

/* ---- open ---- */

static void store_wake(void *ctx)
{
    struct sqlite_store *s = ctx;
    uv_async_send(&s->async);
}

static void store_setup_worker(struct sqlite_store *s)
{
    struct sqlite_worker *w = &s->worker;
    w->db.path = s->path;
    w->db.stop = &w->stop;
    w->db.history_count_max = s->opts.history_count_max;
    w->busy_ns = sl_ns_min(s->opts.busy_ns, GIVE_UP_NS - SL_S);
    w->poll_ns = s->opts.poll_ns;
    w->checkpoint_ns = s->opts.checkpoint_ns;
    w->checkpoint_at = sl_ns_after(sl__sqlite_steady_now(), s->opts.checkpoint_ns);
    w->first_end = SL_NEVER;
    if (s->opts.boot_id)
        snprintf(w->db.boot_id, sizeof w->db.boot_id, "%s", s->opts.boot_id);
    /* The watches: each may have to be undone once, beyond what the client may have in flight. */
    uint32_t task_count_max = s->opts.op_count_max + SQLITE_WATCHES_MAX;
    sl_mailbox_init(&w->inbox, task_count_max, NULL, NULL);
    sl_mailbox_init(&w->outbox, task_count_max + SQLITE_UNREAD_MAX, store_wake, s);
}

/* The file is open. All or nothing. */
static enum sl_code store_start(struct sqlite_store *s, struct uv_loop_s *loop, struct sl_err *err)
{
    s->timer = sl_timer_new(loop, store_on_timer, s);
    if (!s->timer)
        return sl_err_set(err, SL_NOMEM, "no memory for %s", s->path);
    s->async.data = s;
    if (uv_async_init(loop, &s->async, store_on_async) != 0) {
        sl_timer_free(s->timer);
        return sl_err_set(err, SL_LIMIT, "cannot open %s: too many open files", s->path);
    }
    if (pthread_create(&s->thread, NULL, sl__sqlite_worker_main, &s->worker) == 0)
        return SL_OK;
    sl_timer_free(s->timer);
    s->is_closing = true; /* freed by its handle */
    uv_close((uv_handle_t *)&s->async, store_on_handle_closed);
    return sl_err_set(err, SL_LIMIT, "cannot start a thread for the metadata file: raise the limit of processes");
}

enum sl_code sl_sqlite_store_open(struct sl_store **out, struct uv_loop_s *loop, const struct sl_sqlite_opts *opts,
                                  const struct sl_store_client *client, struct sl_err *err)
{
    *out = NULL;
    struct sqlite_store *s = calloc(1, sizeof *s);
    char *path = strdup(opts->path);
    if (!s || !path) {
        free(s);
        free(path);
        return sl_err_set(err, SL_NOMEM, "no memory for the metadata file");
    }
    s->base = (struct sl_store){ &store_backend, *client };
    s->opts = *opts;
    s->path = path;
    store_setup_worker(s);
    enum sl_code code = sl__sqlite_db_open(&s->worker.db, opts->busy_ns, err);
    if (code == SL_OK)
        code = store_start(s, loop, err);
    if (code == SL_OK) {
        *out = &s->base;
        return SL_OK;
    }
    if (s->worker.db.handle)
        sl__sqlite_db_close(&s->worker.db);
    sl_mailbox_deinit(&s->worker.inbox);
    sl_mailbox_deinit(&s->worker.outbox);
    if (!s->is_closing)
        store_free(s);
    return code;
}
