/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/sqlite/sqlite_worker.h"

#include <stdlib.h>
#include <string.h>

#define GROUP_MAX 128u                      /* operations in one transaction of the file */
#define BATCH_BYTES ((size_t)1 << 20)       /* of one batch, about */
#define UNREAD_BYTES_MAX ((size_t)16 << 20) /* beyond that the log keeps what watches have not seen */
#define POLL_UNWATCHED_NS (50 * SL_MS)      /* others' leases are looked after without watches too */
#define EXPIRE_BUSY_NS (100 * SL_MS)
#define EXPIRE_PAUSE_NS (20 * SL_MS)

struct group { /* operations performed together: the first count waiting ones */
    uint32_t count;
    bool write, critical;
};

static struct sqlite_task *task_of(struct sl_mail *mail)
{
    return (struct sqlite_task *)(void *)mail;
}

static struct sqlite_task *task_next(const struct sqlite_task *t)
{
    return task_of(t->head.mail.next);
}

/* ---- telling the loop ---- */

/* Batches and health; they never take the room of results. */
static bool worker_put(struct sqlite_worker *w, struct sqlite_mail *m, size_t bytes)
{
    if (atomic_load(&w->unread_count) >= SQLITE_UNREAD_MAX || atomic_load(&w->unread_bytes) > UNREAD_BYTES_MAX)
        return false;
    atomic_fetch_add(&w->unread_count, 1);
    atomic_fetch_add(&w->unread_bytes, bytes);
    SL_REQUIRE(sl_mailbox_put(&w->outbox, &m->mail));
    return true;
}

static void worker_tell_health(struct sqlite_worker *w, const struct sl_err *e)
{
    if (e->code == w->health.code && strcmp(e->text, w->health.text) == 0)
        return;
    struct sqlite_health *note = calloc(1, sizeof *note);
    if (!note)
        return;
    note->head.kind = SQLITE_MAIL_HEALTH;
    note->err = *e;
    if (worker_put(w, &note->head, 0))
        w->health = *e;
    else
        free(note);
}

static void worker_is_well(struct sqlite_worker *w)
{
    if (w->health.code != SL_OK)
        worker_tell_health(w, &(struct sl_err){ .code = SL_OK });
}

static void worker_is_unwell(struct sqlite_worker *w, int rc)
{
    struct sl_err e = { 0 };
    (void)sl__sqlite_explain(&w->db, rc, &e);
    worker_tell_health(w, &e);
}

static void worker_is_foreign(struct sqlite_worker *w)
{
    struct sl_err e = { 0 };
    (void)sl__sqlite_explain_foreign(&w->db, &e);
    worker_tell_health(w, &e);
}

/* ---- watches ---- */

/* The watch of this id, or null; id 0 finds a free slot. */
static struct sqlite_watch *worker_find_watch(struct sqlite_worker *w, sl_op_id id)
{
    for (uint32_t i = 0; i < SQLITE_WATCHES_MAX; i++) {
        if (w->watches[i].id == id)
            return &w->watches[i];
    }
    return NULL;
}

static void worker_unwatch(struct sqlite_worker *w, sl_op_id id)
{
    struct sqlite_watch *watch = id != 0 ? worker_find_watch(w, id) : NULL;
    if (!watch)
        return;
    free(watch->prefix);
    *watch = (struct sqlite_watch){ 0 };
    w->watch_count--;
}

static void worker_watch(struct sqlite_worker *w, struct sqlite_task *t)
{
    const struct sl_store_op *op = &t->op;
    struct sqlite_watch *watch = worker_find_watch(w, 0);
    char *prefix = watch ? malloc(op->key.len + 1) : NULL;
    if (!prefix) {
        t->result.outcome = SL_STORE_REFUSED;
        return;
    }
    if (op->key.len > 0)
        memcpy(prefix, op->key.ptr, op->key.len);
    sl_revision next = op->from_revision > 0 ? op->from_revision : t->result.revision + 1;
    *watch = (struct sqlite_watch){ op->id, prefix, op->key.len, next };
    w->watch_count++;
    w->is_fresh = false;
}

/* In a read transaction. rc; *done: the watch is up to date. */
static int worker_deliver_some(struct sqlite_worker *w, struct sqlite_watch *watch, bool *done)
{
    *done = watch->next > w->db.revision;
    if (*done || atomic_load(&w->unread_bytes) > UNREAD_BYTES_MAX)
        return SQLITE_OK; /* the loop is slow: the log keeps what is not read */
    struct sqlite_batch *b = calloc(1, sizeof *b);
    if (!b)
        return SQLITE_NOMEM;
    b->head.kind = SQLITE_MAIL_BATCH;
    struct sl_str prefix = { watch->prefix, watch->prefix_len };
    int rc = sl__sqlite_changes(&w->db, prefix, watch->next, BATCH_BYTES, &b->batch, &b->rows);
    b->batch.watch = watch->id;
    /* Once it is put it belongs to the loop. */
    const struct sl_store_watch_batch said = b->batch;
    bool is_wanted = rc == SQLITE_OK && (said.ended || said.event_count > 0);
    bool is_put = is_wanted && worker_put(w, &b->head, b->rows.bytes);
    if (!is_put) {
        sl__sqlite_rows_drop(&b->rows);
        free(b);
    }
    if (rc != SQLITE_OK || is_put != is_wanted)
        return rc;
    watch->next = said.revision + 1;
    *done = watch->next > w->db.revision || said.ended;
    if (said.ended)
        worker_unwatch(w, watch->id);
    return SQLITE_OK;
}

/* All that fits; *fresh: every watch is up to date. */
static int worker_deliver(struct sqlite_worker *w, bool *fresh)
{
    int rc = SQLITE_OK;
    *fresh = true;
    for (uint32_t i = 0; i < SQLITE_WATCHES_MAX; i++) {
        struct sqlite_watch *watch = &w->watches[i];
        sl_revision before = -1;
        bool done = watch->id == 0;
        while (!done && rc == SQLITE_OK && watch->next != before) {
            before = watch->next;
            rc = worker_deliver_some(w, watch, &done);
        }
        *fresh = *fresh && done;
    }
    return rc;
}

/* ---- what is not asked for: others' changes, leases, the write-ahead log ---- */

static void worker_refresh(struct sqlite_worker *w)
{
    int64_t version = w->data_version;
    int rc = sl__sqlite_data_version(&w->db, &version);
    if (rc == SQLITE_OK && version == w->data_version && w->is_fresh)
        return;
    bool fresh = false;
    w->db.busy_until = sl_ns_after(sl__sqlite_steady_now(), EXPIRE_BUSY_NS);
    if (rc == SQLITE_OK)
        rc = sl__sqlite_begin(&w->db, false, false);
    if (rc != SQLITE_OK) {
        if (!sl__sqlite_is_busy(rc))
            worker_is_unwell(w, rc);
        return;
    }
    if (w->db.is_foreign)
        worker_is_foreign(w);
    else
        rc = sl__sqlite_first_lease_end(&w->db, &w->first_end);
    if (!w->db.is_foreign && rc == SQLITE_OK)
        rc = worker_deliver(w, &fresh);
    sl__sqlite_rollback(&w->db);
    if (rc != SQLITE_OK) {
        worker_is_unwell(w, rc);
        return;
    }
    w->data_version = version;
    w->is_fresh = fresh;
}

static void worker_expire(struct sqlite_worker *w)
{
    sl_ns now = sl__sqlite_steady_now();
    if (w->first_end > sl__sqlite_lease_now() || now < w->expire_not_before)
        return;
    w->expire_not_before = sl_ns_after(now, EXPIRE_PAUSE_NS);
    w->db.busy_until = sl_ns_after(now, EXPIRE_BUSY_NS);
    int rc = sl__sqlite_begin(&w->db, true, false);
    if (rc == SQLITE_OK && w->db.is_foreign) {
        sl__sqlite_rollback(&w->db);
        w->first_end = SL_NEVER; /* not ours to end */
        return;
    }
    if (rc == SQLITE_OK)
        rc = sl__sqlite_end_due_leases(&w->db);
    if (rc == SQLITE_OK)
        rc = sl__sqlite_first_lease_end(&w->db, &w->first_end);
    if (rc == SQLITE_OK)
        rc = sl__sqlite_commit(&w->db);
    else
        sl__sqlite_rollback(&w->db);
    if (rc == SQLITE_OK)
        w->expire_not_before = 0;
    else if (!sl__sqlite_is_busy(rc))
        worker_is_unwell(w, rc);
    w->is_fresh = false;
}

static void worker_checkpoint(struct sqlite_worker *w)
{
    sl_ns now = sl__sqlite_steady_now();
    if (now < w->checkpoint_at)
        return;
    w->checkpoint_at = sl_ns_after(now, w->checkpoint_ns);
    /* One that others prevent is made later, and a commit makes one by itself when the log grows. */
    (void)sqlite3_wal_checkpoint_v2(w->db.handle, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
}

/* ---- operations ---- */

static void worker_answer(struct sqlite_worker *w, struct sqlite_task *t)
{
    w->waiting = t->head.mail.next;
    if (!w->waiting)
        w->waiting_end = &w->waiting;
    w->alone_count -= w->alone_count > 0 ? 1 : 0;
    /* There is always room for as many as may be in flight. */
    SL_REQUIRE(sl_mailbox_put(&w->outbox, &t->head.mail));
}

static void worker_fail(struct sqlite_worker *w, uint32_t count, enum sl_store_outcome outcome)
{
    for (uint32_t i = 0; i < count; i++) {
        struct sqlite_task *t = task_of(w->waiting);
        bool is_unwatch = t->op.verb == SL_STORE_UNWATCH;
        if (is_unwatch)
            worker_unwatch(w, t->op.watch);
        sl__sqlite_rows_drop(&t->rows);
        t->result = (struct sl_store_result){ .id = t->op.id,
                                              .verb = t->op.verb,
                                              .outcome = is_unwatch ? SL_STORE_OK : outcome };
        worker_answer(w, t);
    }
}

static sl_ns worker_deadline(const struct sqlite_worker *w, const struct sqlite_task *t)
{
    return sl_ns_after(t->submitted, w->busy_ns);
}

static void worker_refuse_late_ones(struct sqlite_worker *w)
{
    sl_ns now = sl__sqlite_steady_now();
    while (w->waiting && worker_deadline(w, task_of(w->waiting)) <= now)
        worker_fail(w, 1, SL_STORE_REFUSED);
}

static struct group worker_choose(const struct sqlite_worker *w)
{
    struct group g = { 0 };
    uint32_t max = w->alone_count > 0 ? 1 : GROUP_MAX;
    for (const struct sqlite_task *t = task_of(w->waiting); t && g.count < max; t = task_next(t)) {
        g.count++;
        g.write = g.write || sl__sqlite_op_writes(t->op.verb);
        g.critical = g.critical || t->op.critical;
    }
    return g;
}

/* rc of the first that failed. */
static int worker_perform(struct sqlite_worker *w, const struct group *g)
{
    int rc = g->write ? sl__sqlite_end_due_leases(&w->db) : SQLITE_OK;
    struct sqlite_task *t = task_of(w->waiting);
    for (uint32_t i = 0; i < g->count && rc == SQLITE_OK; i++, t = task_next(t)) {
        sl__sqlite_rows_drop(&t->rows);
        rc = sl__sqlite_perform(&w->db, &t->op, &t->result, &t->rows);
    }
    if (rc == SQLITE_OK && g->write)
        rc = sl__sqlite_trim_history(&w->db);
    return rc;
}

static void worker_answer_group(struct sqlite_worker *w, const struct group *g)
{
    for (uint32_t i = 0; i < g->count; i++) {
        struct sqlite_task *t = task_of(w->waiting);
        if (t->op.verb == SL_STORE_WATCH && t->result.outcome == SL_STORE_OK)
            worker_watch(w, t);
        if (t->op.verb == SL_STORE_UNWATCH)
            worker_unwatch(w, t->op.watch);
        worker_answer(w, t);
    }
    w->is_fresh = w->is_fresh && !g->write;
    worker_is_well(w);
}

/* Something failed and nothing was written. */
static void worker_try_alone(struct sqlite_worker *w, const struct group *g, int rc)
{
    if (g->count > 1) {
        w->alone_count = g->count;
        return;
    }
    worker_is_unwell(w, rc);
    worker_fail(w, 1, SL_STORE_REFUSED);
}

static void worker_run_group(struct sqlite_worker *w)
{
    worker_refuse_late_ones(w);
    struct group g = worker_choose(w);
    if (g.count == 0)
        return;
    w->db.busy_until = worker_deadline(w, task_of(w->waiting));
    int rc = sl__sqlite_begin(&w->db, g.write, g.critical);
    if (sl__sqlite_is_busy(rc)) {
        worker_is_unwell(w, rc);
        return; /* those whose time is over are refused next */
    }
    if (rc != SQLITE_OK) {
        worker_is_unwell(w, rc);
        worker_fail(w, g.count, SL_STORE_REFUSED);
        return;
    }
    if (w->db.is_foreign) {
        sl__sqlite_rollback(&w->db);
        worker_is_foreign(w);
        worker_fail(w, g.count, SL_STORE_REFUSED);
        return;
    }
    rc = worker_perform(w, &g);
    if (rc != SQLITE_OK || !g.write)
        sl__sqlite_rollback(&w->db);
    if (rc != SQLITE_OK) {
        worker_try_alone(w, &g, rc);
        return;
    }
    rc = g.write ? sl__sqlite_commit(&w->db) : SQLITE_OK;
    if (rc != SQLITE_OK) {
        worker_is_unwell(w, rc);
        worker_fail(w, g.count, SL_STORE_UNKNOWN);
        return;
    }
    worker_answer_group(w, &g);
}

/* ---- the thread ---- */

static void worker_take(struct sqlite_worker *w, struct sl_mail *mail)
{
    if (!mail)
        return;
    *w->waiting_end = mail;
    while (mail->next)
        mail = mail->next;
    w->waiting_end = &mail->next;
}

static sl_ns worker_pause(const struct sqlite_worker *w)
{
    if (w->waiting)
        return 0;
    sl_ns pause = w->watch_count > 0 ? w->poll_ns : POLL_UNWATCHED_NS;
    if (w->first_end == SL_NEVER)
        return pause;
    sl_ns left = w->first_end - sl__sqlite_lease_now();
    return left > SL_MS ? sl_ns_min(pause, left) : sl_ns_min(pause, SL_MS);
}

void *sl__sqlite_worker_main(void *worker)
{
    struct sqlite_worker *w = worker;
    w->waiting_end = &w->waiting;
    while (!atomic_load(&w->stop)) {
        sl_ns pause = worker_pause(w);
        worker_take(w, pause > 0 ? sl_mailbox_wait(&w->inbox, pause) : sl_mailbox_take(&w->inbox));
        worker_expire(w);
        worker_run_group(w);
        worker_refresh(w);
        worker_checkpoint(w);
    }
    for (uint32_t i = 0; i < SQLITE_WATCHES_MAX; i++)
        worker_unwatch(w, w->watches[i].id);
    sl__sqlite_db_close(&w->db);
    atomic_store(&w->is_done, true);
    w->outbox.wake(w->outbox.ctx);
    return NULL;
}
