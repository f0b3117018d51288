/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/sqlite/sqlite_internal.h"

#include <unistd.h>

#define OFFLINE_BUSY_NS (10 * SL_S)
#define RESTORE_REVISIONS 1000000 /* between a backup and what is written after its restore */

/* All pages at once, so that they are of one moment; writers of the source are not held up. */
static int offline_copy_pages(struct sqlite_db *to, struct sqlite_db *from)
{
    sqlite3_backup *backup = sqlite3_backup_init(to->handle, "main", from->handle, "main");
    if (!backup)
        return sqlite3_errcode(to->handle);
    int rc = sqlite3_backup_step(backup, -1);
    int finished = sqlite3_backup_finish(backup);
    return rc == SQLITE_DONE ? finished : rc;
}

/* Makes *to a copy of src; on failure nothing is left of it. A copy is one file, without a write-ahead log beside it. */
static enum sl_code offline_copy(struct sqlite_db *to, const char *src, struct sl_err *err)
{
    struct sqlite_db from = { .path = src };
    enum sl_code code = sl__sqlite_db_open_to_read(&from, OFFLINE_BUSY_NS, err);
    if (code != SL_OK)
        return code;
    code = sl__sqlite_db_make(to, OFFLINE_BUSY_NS, err);
    if (code == SL_OK) {
        int rc = offline_copy_pages(to, &from);
        if (rc == SQLITE_OK)
            rc = sqlite3_exec(to->handle, "PRAGMA journal_mode=DELETE", NULL, NULL, NULL);
        if (rc != SQLITE_OK) {
            code = sl__sqlite_explain(to, rc, err);
            sl__sqlite_db_close(to);
            unlink(to->path);
        }
    }
    sl__sqlite_db_close(&from);
    return code;
}

enum sl_code sl_sqlite_backup(const char *path, const char *dest, struct sl_err *err)
{
    struct sqlite_db to = { .path = dest };
    enum sl_code code = offline_copy(&to, path, err);
    if (code == SL_OK)
        sl__sqlite_db_close(&to);
    return code;
}

static int offline_start_anew(struct sqlite_db *d)
{
    int rc = sl__sqlite_begin(d, true, true);
    if (rc != SQLITE_OK)
        return rc;
    rc = sl__sqlite_wipe_leases(d);
    if (rc == SQLITE_OK)
        rc = sl__sqlite_run(d, STMT_LOG_CLEAR);
    d->revision += RESTORE_REVISIONS;
    d->compacted = d->revision + 1;
    d->is_meta_dirty = true;
    if (rc == SQLITE_OK)
        return sl__sqlite_commit(d);
    sl__sqlite_rollback(d);
    return rc;
}

enum sl_code sl_sqlite_restore(const char *src, const char *path, struct sl_err *err)
{
    struct sqlite_db to = { .path = path };
    enum sl_code code = offline_copy(&to, src, err);
    if (code != SL_OK)
        return code;
    int rc = offline_start_anew(&to);
    if (rc != SQLITE_OK)
        code = sl__sqlite_explain(&to, rc, err);
    sl__sqlite_db_close(&to);
    if (code != SL_OK)
        unlink(path);
    return code;
}

static struct sl_store_pair offline_pair(sqlite3_stmt *s)
{
    return (struct sl_store_pair){
        .key = { sqlite3_column_blob(s, 0), (size_t)sqlite3_column_bytes(s, 0) },
        .value = { sqlite3_column_blob(s, 1), (size_t)sqlite3_column_bytes(s, 1) },
        .create_revision = sqlite3_column_int64(s, 2),
        .mod_revision = sqlite3_column_int64(s, 3),
    };
}

enum sl_code sl_sqlite_export(const char *path, bool (*each)(void *ctx, const struct sl_store_pair *pair), void *ctx,
                              struct sl_err *err)
{
    struct sqlite_db d = { .path = path };
    int rc = SQLITE_OK;
    enum sl_code code = sl__sqlite_db_open_to_read(&d, OFFLINE_BUSY_NS, err);
    if (code != SL_OK)
        return code;
    sqlite3_stmt *s = sl__sqlite_use(&d, STMT_KV_UNLEASED, &rc);
    while (s && code == SL_OK && (rc = sqlite3_step(s)) == SQLITE_ROW) {
        struct sl_store_pair pair = offline_pair(s);
        if (!each(ctx, &pair))
            code = sl_err_set(err, SL_REFUSED, "the export of %s was stopped", path);
    }
    if (code == SL_OK && rc != SQLITE_DONE)
        code = sl__sqlite_explain(&d, rc, err);
    sl__sqlite_db_close(&d);
    return code;
}
