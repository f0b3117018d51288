/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/sqlite/sqlite_internal.h"

#include <string.h>
#include <time.h>

#define TRIM_STEP 64 /* changes forgotten at once, so that a write pays for it seldom and little */

static sl_ns txn_clock(clockid_t clock)
{
    struct timespec t;
    SL_REQUIRE(clock_gettime(clock, &t) == 0);
    return (sl_ns)t.tv_sec * SL_S + t.tv_nsec;
}

sl_ns sl__sqlite_steady_now(void)
{
    return txn_clock(CLOCK_MONOTONIC);
}

sl_ns sl__sqlite_lease_now(void)
{
    return txn_clock(CLOCK_BOOTTIME);
}

/* ---- statements ---- */

static const char txn_upsert[] =
    "INSERT INTO kv (key, value, create_rev, mod_rev, lease) VALUES (?1, ?2, ?3, ?3, ?4) "
    "ON CONFLICT (key) DO UPDATE SET value = ?2, mod_rev = ?3, lease = ?4 RETURNING create_rev";

static const char *const txn_texts[STMT_COUNT] = {
#define TXN_TEXT(name, text) [STMT_##name] = text,
    SQLITE_STATEMENTS(TXN_TEXT)
#undef TXN_TEXT
};

sqlite3_stmt *sl__sqlite_use(struct sqlite_db *d, enum sqlite_statement which, int *rc)
{
    sqlite3_stmt **s = &d->stmts[which];
    if (!*s) {
        *rc = sqlite3_prepare_v3(d->handle, txn_texts[which], -1, SQLITE_PREPARE_PERSISTENT, s, NULL);
        return *s;
    }
    sqlite3_reset(*s);
    sqlite3_clear_bindings(*s);
    *rc = SQLITE_OK;
    return *s;
}

int sl__sqlite_run(struct sqlite_db *d, enum sqlite_statement which)
{
    int rc = SQLITE_OK;
    sqlite3_stmt *s = sl__sqlite_use(d, which, &rc);
    if (!s)
        return rc;
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
    }
    sqlite3_reset(s);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* ---- begin and end ---- */

static int txn_read_meta(struct sqlite_db *d)
{
    int rc = SQLITE_OK;
    sqlite3_stmt *s = sl__sqlite_use(d, STMT_META_READ, &rc);
    if (!s)
        return rc;
    rc = sqlite3_step(s);
    if (rc == SQLITE_ROW) {
        d->revision = sqlite3_column_int64(s, 0);
        d->compacted = sqlite3_column_int64(s, 1);
        d->beat = sqlite3_column_int64(s, 2);
        const unsigned char *boot_id = sqlite3_column_text(s, 3);
        d->is_foreign = !boot_id || strcmp((const char *)boot_id, d->boot_id) != 0;
    }
    sqlite3_reset(s);
    /* A file without its meta row is damaged, whatever SQLite thinks of it. */
    return sl__sqlite_one_row(rc);
}

static int txn_write_meta(struct sqlite_db *d)
{
    int rc = SQLITE_OK;
    sqlite3_stmt *s = sl__sqlite_use(d, STMT_META_WRITE, &rc);
    if (!s)
        return rc;
    sqlite3_bind_int64(s, 1, d->revision);
    sqlite3_bind_int64(s, 2, d->compacted);
    sqlite3_bind_int64(s, 3, d->beat);
    sqlite3_bind_text(s, 4, d->boot_id, -1, SQLITE_STATIC);
    rc = sqlite3_step(s);
    sqlite3_reset(s);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* The pragma has no effect inside a transaction, so it is set before; it is only parsed when it changes. */
static int txn_set_sync(struct sqlite_db *d, bool full)
{
    if (d->is_sync_full == full)
        return SQLITE_OK;
    int rc = sl__sqlite_run(d, full ? STMT_SYNC_FULL : STMT_SYNC_NORMAL);
    if (rc == SQLITE_OK)
        d->is_sync_full = full;
    return rc;
}

int sl__sqlite_begin(struct sqlite_db *d, bool write, bool critical)
{
    int rc = txn_set_sync(d, critical);
    /* A transaction that begins by reading cannot wait for the write lock later: it would be refused at once. */
    if (rc == SQLITE_OK)
        rc = sl__sqlite_run(d, write ? STMT_BEGIN_WRITE : STMT_BEGIN_READ);
    if (rc != SQLITE_OK)
        return rc;
    d->is_meta_dirty = false;
    rc = txn_read_meta(d);
    d->now = sl__sqlite_lease_now();
    if (rc != SQLITE_OK)
        sl__sqlite_rollback(d);
    return rc;
}

int sl__sqlite_commit(struct sqlite_db *d)
{
    int rc = d->is_meta_dirty ? txn_write_meta(d) : SQLITE_OK;
    if (rc == SQLITE_OK)
        rc = sl__sqlite_run(d, STMT_COMMIT);
    if (rc != SQLITE_OK)
        sl__sqlite_rollback(d);
    return rc;
}

void sl__sqlite_rollback(struct sqlite_db *d)
{
    /* Some errors have rolled it back already. */
    if (!sqlite3_get_autocommit(d->handle))
        (void)sl__sqlite_run(d, STMT_ROLLBACK);
}

int sl__sqlite_data_version(struct sqlite_db *d, int64_t *version)
{
    int rc = SQLITE_OK;
    sqlite3_stmt *s = sl__sqlite_use(d, STMT_DATA_VERSION, &rc);
    if (!s)
        return rc;
    rc = sqlite3_step(s);
    if (rc == SQLITE_ROW)
        *version = sqlite3_column_int64(s, 0);
    sqlite3_reset(s);
    return rc == SQLITE_ROW ? SQLITE_OK : rc;
}

/* ---- history ---- */

static int txn_log_ends(struct sqlite_db *d, int64_t *first, int64_t *last)
{
    int rc = SQLITE_OK;
    sqlite3_stmt *s = sl__sqlite_use(d, STMT_LOG_ENDS, &rc);
    if (!s)
        return rc;
    rc = sqlite3_step(s);
    *first = rc == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
    *last = rc == SQLITE_ROW ? sqlite3_column_int64(s, 1) : 0;
    sqlite3_reset(s);
    return rc == SQLITE_ROW ? SQLITE_OK : rc;
}

static int txn_log_rev_at(struct sqlite_db *d, int64_t seq, sl_revision *revision)
{
    int rc = SQLITE_OK;
    sqlite3_stmt *s = sl__sqlite_use(d, STMT_LOG_REV_AT, &rc);
    if (!s)
        return rc;
    sqlite3_bind_int64(s, 1, seq);
    rc = sqlite3_step(s);
    *revision = rc == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
    sqlite3_reset(s);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int sl__sqlite_trim_history(struct sqlite_db *d)
{
    int64_t first = 0, last = 0;
    sl_revision keep = 0;
    int rc = txn_log_ends(d, &first, &last);
    int64_t cut = last - d->history_count_max;
    if (rc != SQLITE_OK || cut < first + TRIM_STEP)
        return rc;
    rc = txn_log_rev_at(d, cut, &keep);
    if (rc != SQLITE_OK || keep <= d->compacted)
        return rc;
    sqlite3_stmt *s = sl__sqlite_use(d, STMT_LOG_TRIM, &rc);
    if (!s)
        return rc;
    sqlite3_bind_int64(s, 1, keep);
    rc = sqlite3_step(s);
    sqlite3_reset(s);
    d->compacted = keep;
    d->is_meta_dirty = true;
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}
