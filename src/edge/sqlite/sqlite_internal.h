/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_SQLITE_SQLITE_INTERNAL_H
#define SL_EDGE_SQLITE_SQLITE_INTERNAL_H

#include "base/prng.h"
#include "edge/sqlite/sqlite_store.h"

#include <sqlite3.h>
#include <stdatomic.h>

/*
 * One open file. Used by one thread at a time; nothing here knows the loop or a queue. Functions that say "rc" return
 * a code of SQLite.
 *
 *   D1  kv, lease, log and meta are written only inside begin(write) .. commit, under SQLite's one write lock.
 *   D2  meta.revision is the newest revision; log holds every change from meta.compacted on, ascending by seq, the
 *       changes of one revision together.
 *   D3  meta.boot_id is the boot in which lease.ends_at is counted. Who finds another one than its own writes nothing.
 *   D4  meta.beat grows with every GRANT and KEEPALIVE: who looks at it sees whether owners of leases are alive.
 */
#define SQLITE_KEY_BYTES_MAX 4096
#define SQLITE_OP_BYTES_MAX ((size_t)3 << 19) /* 1.5 MiB, as in etcd */
#define SQLITE_RANGE_BYTES_MAX ((size_t)64 << 20)
#define SQLITE_APPLICATION_ID 0x536c7563 /* "Sluc" */
#define SQLITE_FILE_FORMAT 1

/* name, text (one is longer than a line: in sqlite_txn.c). Prepared when first used. */
#define SQLITE_STATEMENTS(X)                                                                                         \
    X(BEGIN_READ, "BEGIN")                                                                                           \
    X(BEGIN_WRITE, "BEGIN IMMEDIATE")                                                                                \
    X(COMMIT, "COMMIT")                                                                                              \
    X(ROLLBACK, "ROLLBACK")                                                                                          \
    X(SYNC_NORMAL, "PRAGMA synchronous=NORMAL")                                                                      \
    X(SYNC_FULL, "PRAGMA synchronous=FULL")                                                                          \
    X(DATA_VERSION, "PRAGMA data_version")                                                                           \
    X(META_READ, "SELECT revision, compacted, beat, boot_id FROM meta WHERE id = 1")                                 \
    X(META_WRITE, "UPDATE meta SET revision = ?1, compacted = ?2, beat = ?3, boot_id = ?4 WHERE id = 1")             \
    X(KV_GET, "SELECT key, value, create_rev, mod_rev, lease FROM kv WHERE key = ?1")                                \
    X(KV_FROM, "SELECT key, value, create_rev, mod_rev, lease FROM kv WHERE key >= ?1 ORDER BY key")                 \
    X(KV_BETWEEN, "SELECT key, value, create_rev, mod_rev, lease FROM kv WHERE key >= ?1 AND key < ?2 ORDER BY key") \
    X(KV_UNLEASED, "SELECT key, value, create_rev, mod_rev, lease FROM kv WHERE lease = 0 ORDER BY key")             \
    X(KV_REVISIONS, "SELECT create_rev, mod_rev FROM kv WHERE key = ?1")                                             \
    X(KV_VALUE, "SELECT value FROM kv WHERE key = ?1")                                                               \
    X(KV_PUT, txn_upsert)                                                                                            \
    X(KV_DELETE, "DELETE FROM kv WHERE key = ?1")                                                                    \
    X(KV_OF_LEASE, "SELECT key FROM kv WHERE lease = ?1 AND lease <> 0 ORDER BY key LIMIT 1")                        \
    X(LOG_ADD, "INSERT INTO log (rev, key, value, create_rev, lease, deleted) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")      \
    X(LOG_FROM, "SELECT key, value, create_rev, rev, lease, deleted FROM log WHERE rev >= ?1 ORDER BY rev, seq")     \
    X(LOG_ENDS, "SELECT (SELECT min(seq) FROM log), (SELECT max(seq) FROM log)")                                     \
    X(LOG_REV_AT, "SELECT rev FROM log WHERE seq = ?1")                                                              \
    X(LOG_CLEAR, "DELETE FROM log")                                                                                  \
    X(LOG_TRIM, "DELETE FROM log WHERE rev < ?1")                                                                    \
    X(LEASE_ADD, "INSERT OR IGNORE INTO lease (id, ttl_ns, ends_at) VALUES (?1, ?2, ?3)")                            \
    X(LEASE_KEEP, "UPDATE lease SET ends_at = ?2 + ttl_ns WHERE id = ?1 RETURNING ttl_ns")                           \
    X(LEASE_GET, "SELECT ttl_ns FROM lease WHERE id = ?1")                                                           \
    X(LEASE_DELETE, "DELETE FROM lease WHERE id = ?1")                                                               \
    X(LEASE_FIRST, "SELECT id, ends_at FROM lease ORDER BY ends_at, id LIMIT 1")                                     \
    X(LEASE_TTL_MAX, "SELECT max(ttl_ns) FROM lease")

enum sqlite_statement {
#define SQLITE_STATEMENT_ENUM(name, text) STMT_##name,
    SQLITE_STATEMENTS(SQLITE_STATEMENT_ENUM)
#undef SQLITE_STATEMENT_ENUM
        STMT_COUNT
};

struct sqlite_db {
    sqlite3 *handle;
    sqlite3_stmt *stmts[STMT_COUNT];
    const char *path; /* of the owner */
    char boot_id[40]; /* of this boot */
    struct sl_prng prng;
    const atomic_bool *stop; /* null allowed: ends waiting for locks */
    sl_ns busy_until;        /* steady clock: until when a lock is waited for */
    uint32_t history_count_max;
    bool is_sync_full;
    /* of the running transaction */
    bool is_meta_dirty, is_foreign;
    sl_ns now; /* of leases */
    sl_revision revision, compacted;
    int64_t beat;
};

sl_ns sl__sqlite_steady_now(void); /* CLOCK_MONOTONIC */
sl_ns sl__sqlite_lease_now(void);  /* CLOCK_BOOTTIME */

/* ---- sqlite_file.c: opening, errors ---- */

/* Takes the fields path, stop and history_count_max as they are. All or nothing. */
SL_CHECKED enum sl_code sl__sqlite_db_open(struct sqlite_db *d, sl_ns busy_ns, struct sl_err *err);
void sl__sqlite_db_close(struct sqlite_db *d);
/* Opens for reading what must exist and be ours; no leases are touched. */
SL_CHECKED enum sl_code sl__sqlite_db_open_to_read(struct sqlite_db *d, sl_ns busy_ns, struct sl_err *err);
/* Opens a file that must not exist yet (EXISTS), without putting anything into it. */
SL_CHECKED enum sl_code sl__sqlite_db_make(struct sqlite_db *d, sl_ns busy_ns, struct sl_err *err);
/* Says in one line what rc of this file means and what to do. rc is not OK. */
enum sl_code sl__sqlite_explain(const struct sqlite_db *d, int rc, struct sl_err *err);
/* Same, for a file that is used by another machine. */
enum sl_code sl__sqlite_explain_foreign(const struct sqlite_db *d, struct sl_err *err);
/* Whether waiting for a lock may make this rc go away. */
bool sl__sqlite_is_busy(int rc);
/* For a statement whose row must be there: OK for ROW, CORRUPT for DONE, or the error. */
int sl__sqlite_one_row(int rc);

/* ---- sqlite_txn.c: transactions of the file ---- */

/* The statement, reset and without bindings; null: *rc says why. Valid until its next use. */
sqlite3_stmt *sl__sqlite_use(struct sqlite_db *d, enum sqlite_statement which, int *rc);
/* Runs one that gives no rows. rc: OK or an error. */
int sl__sqlite_run(struct sqlite_db *d, enum sqlite_statement which);
/* rc. Waits for locks until busy_until. Reads meta; a foreign boot sets is_foreign. */
int sl__sqlite_begin(struct sqlite_db *d, bool write, bool critical);
/* rc. After an error nothing is known about what was written, and the transaction is over. */
int sl__sqlite_commit(struct sqlite_db *d);
void sl__sqlite_rollback(struct sqlite_db *d);
/* rc. Changes with every commit of somebody else. */
int sl__sqlite_data_version(struct sqlite_db *d, int64_t *version);
/* rc. Ends leases that are due, in a write transaction; forgets history that is too long. */
int sl__sqlite_end_due_leases(struct sqlite_db *d);
int sl__sqlite_trim_history(struct sqlite_db *d);
/* rc. When the first lease ends, or SL_NEVER. In any transaction. */
int sl__sqlite_first_lease_end(struct sqlite_db *d, sl_ns *ends_at);
/* rc. Deletes all leases and what hangs on them, in a write transaction. */
int sl__sqlite_wipe_leases(struct sqlite_db *d);

/* ---- sqlite_rows.c ---- */

/* Pairs or events with their bytes. Zero is empty. */
struct sqlite_rows {
    struct sl_store_event *events;
    struct sl_store_pair *pairs;
    uint32_t count, cap;
    size_t bytes;
    struct sqlite_rows_block *blocks;
};
void sl__sqlite_rows_drop(struct sqlite_rows *rows);
/* Copies the row of the statement: key, value, create revision, mod revision, lease. False: no memory. */
bool sl__sqlite_rows_add_pair(struct sqlite_rows *rows, sqlite3_stmt *s);
bool sl__sqlite_rows_add_event(struct sqlite_rows *rows, sqlite3_stmt *s, bool deleted);

/* ---- sqlite_ops.c: operations inside a transaction ---- */

bool sl__sqlite_op_writes(enum sl_store_verb verb);
/*
 * rc. Fills the result; its pairs belong to rows. An operation that is refused has changed nothing and gives OK. After
 * any other rc the whole transaction must be rolled back.
 */
int sl__sqlite_perform(struct sqlite_db *d, const struct sl_store_op *op, struct sl_store_result *result,
                       struct sqlite_rows *rows);
/*
 * rc. Changes of keys with the prefix from a revision on, up to a whole revision that fills about bytes_max. The
 * batch's events belong to rows.
 */
int sl__sqlite_changes(struct sqlite_db *d, struct sl_str prefix, sl_revision from, size_t bytes_max,
                       struct sl_store_watch_batch *batch, struct sqlite_rows *rows);
/* rc. All keys with the prefix, or the key itself, ascending, into rows->pairs. */
int sl__sqlite_range(struct sqlite_db *d, struct sl_str key, bool exact, struct sqlite_rows *rows);

#endif
