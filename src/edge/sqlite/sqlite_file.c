/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/sqlite/sqlite_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BOOT_ID_PATH "/proc/sys/kernel/random/boot_id"
#define PATH_BYTES_MAX 1000
#define WAL_BYTES_MAX (4 << 20) /* of the write-ahead log, after it was folded into the file */

static const char file_schema[] =
    "CREATE TABLE meta (id INTEGER PRIMARY KEY CHECK (id = 1), revision INTEGER NOT NULL, compacted INTEGER NOT NULL,"
    " beat INTEGER NOT NULL, boot_id TEXT NOT NULL);"
    "CREATE TABLE kv (key BLOB PRIMARY KEY NOT NULL, value BLOB NOT NULL, create_rev INTEGER NOT NULL,"
    " mod_rev INTEGER NOT NULL, lease INTEGER NOT NULL);"
    "CREATE INDEX kv_lease ON kv (lease, key) WHERE lease <> 0;"
    "CREATE TABLE lease (id INTEGER PRIMARY KEY, ttl_ns INTEGER NOT NULL, ends_at INTEGER NOT NULL);"
    "CREATE INDEX lease_ends ON lease (ends_at);"
    "CREATE TABLE log (seq INTEGER PRIMARY KEY, rev INTEGER NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL,"
    " create_rev INTEGER NOT NULL, lease INTEGER NOT NULL, deleted INTEGER NOT NULL);"
    "CREATE INDEX log_rev ON log (rev);";

/* ---- what a code means ---- */

bool sl__sqlite_is_busy(int rc)
{
    return (rc & 0xff) == SQLITE_BUSY || (rc & 0xff) == SQLITE_LOCKED;
}

int sl__sqlite_one_row(int rc)
{
    if (rc == SQLITE_DONE)
        return SQLITE_CORRUPT;
    return rc == SQLITE_ROW ? SQLITE_OK : rc;
}

enum sl_code sl__sqlite_explain(const struct sqlite_db *d, int rc, struct sl_err *err)
{
    int cause = d->handle ? sqlite3_system_errno(d->handle) : 0;
    switch (rc & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return sl_err_set(err, SL_BUSY, "%s is locked by another process: end that process or wait", d->path);
    case SQLITE_FULL:
        return sl_err_set(err, SL_LIMIT, "no space left for %s: free some on its disk", d->path);
    case SQLITE_NOTADB:
        return sl_err_set(err, SL_MALFORMED, "%s is not an SQLite database: name another file", d->path);
    case SQLITE_CORRUPT:
        return sl_err_set(err, SL_MALFORMED, "%s is damaged: restore a backup (sluice meta restore)", d->path);
    case SQLITE_READONLY:
        return sl_err_set(err, SL_BAD_CONFIG, "%s is read-only: give this user the right to write it", d->path);
    case SQLITE_CANTOPEN:
        return sl_err_set(err, SL_BAD_CONFIG, "%s cannot be opened (%s): check path and permissions", d->path,
                          cause != 0 ? strerror(cause) : "SQLite");
    case SQLITE_NOMEM:
        return sl_err_set(err, SL_NOMEM, "no memory for %s", d->path);
    case SQLITE_IOERR:
        if (rc == SQLITE_IOERR_WRITE)
            return sl_err_set(err, SL_LIMIT, "cannot write %s: its disk is full, over a quota or broken", d->path);
        return sl_err_set(err, SL_REFUSED, "%s: input/output error (%s): check its disk", d->path, sqlite3_errstr(rc));
    default:
        return sl_err_set(err, SL_REFUSED, "%s: %s", d->path, sqlite3_errstr(rc));
    }
}

enum sl_code sl__sqlite_explain_foreign(const struct sqlite_db *d, struct sl_err *err)
{
    return sl_err_set(err, SL_REFUSED, "%s is in use on another machine: give each its own file, or use etcd", d->path);
}

/* ---- waiting ---- */

/* The waits of SQLite's own handler grow to 100 ms, which is the tail of latency; these stay short and differ. */
static int file_on_busy(void *ctx, int count)
{
    struct sqlite_db *d = ctx;
    (void)count;
    if (sl__sqlite_steady_now() >= d->busy_until || (d->stop && atomic_load(d->stop)))
        return 0;
    struct timespec t = { .tv_nsec = (long)sl_prng_between(&d->prng, 100 * SL_US, 1500 * SL_US) };
    nanosleep(&t, NULL);
    return 1;
}

/* Some states of a file answer BUSY without asking the handler: the first open, the last close. */
static int file_exec(struct sqlite_db *d, const char *sql)
{
    int rc = sqlite3_exec(d->handle, sql, NULL, NULL, NULL);
    while (sl__sqlite_is_busy(rc) && file_on_busy(d, 0))
        rc = sqlite3_exec(d->handle, sql, NULL, NULL, NULL);
    return rc;
}

/* The first column of the first row, as a number or as text. */
static int file_ask(struct sqlite_db *d, const char *sql, int64_t *number, char *text, size_t text_size)
{
    sqlite3_stmt *s = NULL;
    int rc = sqlite3_prepare_v2(d->handle, sql, -1, &s, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(s);
    if (rc == SQLITE_ROW) {
        const unsigned char *found = sqlite3_column_text(s, 0);
        if (number)
            *number = sqlite3_column_int64(s, 0);
        if (text)
            snprintf(text, text_size, "%s", found ? (const char *)found : "");
    }
    sqlite3_finalize(s);
    return sl__sqlite_one_row(rc);
}

static int file_ask_again(struct sqlite_db *d, const char *sql, int64_t *number, char *text, size_t text_size)
{
    int rc = file_ask(d, sql, number, text, text_size);
    while (sl__sqlite_is_busy(rc) && file_on_busy(d, 0))
        rc = file_ask(d, sql, number, text, text_size);
    return rc;
}

/* ---- the path ---- */

/*
 * What the operating system knows better than SQLite's codes say. The file itself is only looked at by name: closing a
 * descriptor of it would drop the locks that this process holds on it.
 */
static enum sl_code file_check_existing(const char *path, bool to_write, struct sl_err *err)
{
    struct stat st;
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
        return sl_err_set(err, SL_BAD_CONFIG, "%s is not a file: name a file in that place", path);
    if (access(path, to_write ? R_OK | W_OK : R_OK) == 0)
        return SL_OK;
    if (errno == ENOENT)
        return sl_err_set(err, SL_NOT_FOUND, "there is no file %s: check the path", path);
    return sl_err_set(err, SL_BAD_CONFIG, "cannot %s %s (%s): give this user the right to",
                      to_write ? "read and write" : "read", path, strerror(errno));
}

/* SQLite keeps its write-ahead log beside the file, so the directory must be writable whether the file exists or not. */
static enum sl_code file_check_dir(const char *path, struct sl_err *err)
{
    struct stat st;
    char dir[1024];
    const char *slash = strrchr(path, '/');
    if (slash == path)
        snprintf(dir, sizeof dir, "/");
    else
        snprintf(dir, sizeof dir, "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
    if (stat(dir, &st) != 0 || !S_ISDIR(st.st_mode))
        return sl_err_set(err, SL_BAD_CONFIG, "the directory %s does not exist: make it", dir);
    if (access(dir, W_OK | X_OK) != 0)
        return sl_err_set(err, SL_BAD_CONFIG, "cannot write to the directory %s (%s): give this user the right to", dir,
                          strerror(errno));
    return SL_OK;
}

static enum sl_code file_check_path(const char *path, bool to_write, struct sl_err *err)
{
    if (!path[0] || strlen(path) > PATH_BYTES_MAX)
        return sl_err_set(err, SL_BAD_CONFIG, "the path of the metadata file is empty or longer than %d bytes",
                          PATH_BYTES_MAX);
    enum sl_code code = to_write ? file_check_dir(path, err) : SL_OK;
    if (code != SL_OK || (to_write && access(path, F_OK) != 0))
        return code;
    return file_check_existing(path, to_write, err);
}

/* The values hold passwords of sinks, so nobody else may read them; SQLite gives its other files the same mode. */
static void file_make_private(const char *path)
{
    int fd = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0)
        close(fd);
}

static void file_read_boot_id(struct sqlite_db *d)
{
    char *newline = NULL;
    FILE *f = fopen(BOOT_ID_PATH, "re");
    if (!f || !fgets(d->boot_id, sizeof d->boot_id, f))
        d->boot_id[0] = '\0';
    if (f)
        fclose(f);
    newline = strchr(d->boot_id, '\n');
    if (newline)
        *newline = '\0';
}

/* ---- open ---- */

/* Whether it is ours, and whether it has nothing in it yet. */
static enum sl_code file_check_format(struct sqlite_db *d, bool *is_new, struct sl_err *err)
{
    int64_t id = 0, format = 0, tables = 0;
    int rc = file_ask_again(d, "SELECT count(*) FROM sqlite_schema", &tables, NULL, 0);
    if (rc == SQLITE_OK)
        rc = file_ask_again(d, "PRAGMA application_id", &id, NULL, 0);
    if (rc == SQLITE_OK)
        rc = file_ask_again(d, "PRAGMA user_version", &format, NULL, 0);
    if (rc != SQLITE_OK)
        return sl__sqlite_explain(d, rc, err);
    *is_new = tables == 0 && id == 0;
    if (!*is_new && id != SQLITE_APPLICATION_ID)
        return sl_err_set(err, SL_MALFORMED, "%s belongs to another program: name another file", d->path);
    if (format > SQLITE_FILE_FORMAT)
        return sl_err_set(err, SL_MALFORMED, "%s was written by a newer version: upgrade this node", d->path);
    return SL_OK;
}

static enum sl_code file_check_pages(struct sqlite_db *d, struct sl_err *err)
{
    char verdict[64] = "";
    int rc = file_ask_again(d, "PRAGMA quick_check(1)", NULL, verdict, sizeof verdict);
    if (rc == SQLITE_OK && strcmp(verdict, "ok") != 0)
        rc = SQLITE_CORRUPT;
    return rc == SQLITE_OK ? SL_OK : sl__sqlite_explain(d, rc, err);
}

static int file_make_schema(struct sqlite_db *d)
{
    char text[160];
    int64_t tables = 0;
    int rc = file_exec(d, "BEGIN IMMEDIATE");
    if (rc != SQLITE_OK)
        return rc;
    rc = file_ask(d, "SELECT count(*) FROM sqlite_schema", &tables, NULL, 0);
    if (rc == SQLITE_OK && tables == 0) {
        snprintf(text, sizeof text,
                 "PRAGMA application_id=%d; PRAGMA user_version=%d; INSERT INTO meta VALUES (1, 0, 0, 0, '%s')",
                 SQLITE_APPLICATION_ID, SQLITE_FILE_FORMAT, d->boot_id);
        rc = sqlite3_exec(d->handle, file_schema, NULL, NULL, NULL);
        if (rc == SQLITE_OK)
            rc = sqlite3_exec(d->handle, text, NULL, NULL, NULL);
    }
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(d->handle, "COMMIT", NULL, NULL, NULL);
    if (rc != SQLITE_OK)
        sl__sqlite_rollback(d);
    return rc;
}

static enum sl_code file_set_wal(struct sqlite_db *d, struct sl_err *err)
{
    char mode[16] = "", text[64];
    int rc = file_ask_again(d, "PRAGMA journal_mode=WAL", NULL, mode, sizeof mode);
    if (rc == SQLITE_OK && strcmp(mode, "wal") != 0)
        return sl_err_set(err, SL_BAD_CONFIG, "%s: this file system cannot share memory: use a local one", d->path);
    snprintf(text, sizeof text, "PRAGMA journal_size_limit=%d", WAL_BYTES_MAX);
    if (rc == SQLITE_OK)
        rc = file_exec(d, text);
    return rc == SQLITE_OK ? SL_OK : sl__sqlite_explain(d, rc, err);
}

static enum sl_code file_open_handle(struct sqlite_db *d, sl_ns busy_ns, struct sl_err *err)
{
    uint64_t seed = (uint64_t)sl__sqlite_steady_now() ^ (uint64_t)getpid() << 32;
    sl_prng_init(&d->prng, seed);
    d->busy_until = sl_ns_after(sl__sqlite_steady_now(), busy_ns);
    int rc = sqlite3_open_v2(d->path, &d->handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_extended_result_codes(d->handle, 1);
    if (rc == SQLITE_OK)
        rc = sqlite3_busy_handler(d->handle, file_on_busy, d);
    /* Said once, because what a new connection begins with depends on how SQLite was built. */
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(d->handle, "PRAGMA synchronous=FULL", NULL, NULL, NULL);
    d->is_sync_full = true;
    return rc == SQLITE_OK ? SL_OK : sl__sqlite_explain(d, rc, err);
}

/* ---- whose leases ---- */

static void file_pause(void)
{
    nanosleep(&(struct timespec){ .tv_nsec = 20 * SL_MS }, NULL);
}

/* The state by which somebody else is seen to be alive. */
static int file_look(struct sqlite_db *d, int64_t *beat, sl_ns *ttl_max)
{
    int rc = sl__sqlite_begin(d, false, false);
    if (rc != SQLITE_OK)
        return rc;
    sqlite3_stmt *s = sl__sqlite_use(d, STMT_LEASE_TTL_MAX, &rc);
    if (s) {
        rc = sqlite3_step(s) == SQLITE_ROW ? SQLITE_OK : SQLITE_CORRUPT;
        *ttl_max = rc == SQLITE_OK ? sqlite3_column_int64(s, 0) : 0;
        sqlite3_reset(s);
    }
    *beat = d->beat;
    sl__sqlite_rollback(d);
    return rc;
}

/* Keepalives come at a third of the lease: half of it shows one, if there is somebody to send it. */
static int file_watch_for_life(struct sqlite_db *d, bool *is_alive)
{
    int64_t before = 0, beat = 0;
    sl_ns ttl_max = 0;
    int rc = file_look(d, &before, &ttl_max);
    *is_alive = false;
    if (rc != SQLITE_OK || !d->is_foreign)
        return rc;
    sl_ns until = sl_ns_after(sl__sqlite_steady_now(), sl_ns_min(ttl_max / 2, 5 * SL_S));
    while (rc == SQLITE_OK && !*is_alive && d->is_foreign && sl__sqlite_steady_now() < until) {
        file_pause();
        rc = file_look(d, &beat, &ttl_max);
        *is_alive = d->is_foreign && beat != before;
    }
    return rc;
}

/* Leases of another boot cannot be counted; a file that is looked after elsewhere is left alone. */
static enum sl_code file_claim(struct sqlite_db *d, struct sl_err *err)
{
    bool is_alive = false;
    int rc = file_watch_for_life(d, &is_alive);
    if (rc == SQLITE_OK && is_alive)
        return sl__sqlite_explain_foreign(d, err);
    if (rc == SQLITE_OK && d->is_foreign) {
        rc = sl__sqlite_begin(d, true, true);
        if (rc == SQLITE_OK && d->is_foreign) {
            d->is_meta_dirty = true;
            rc = sl__sqlite_wipe_leases(d);
        }
        if (rc == SQLITE_OK)
            rc = sl__sqlite_commit(d);
        else
            sl__sqlite_rollback(d);
    }
    return rc == SQLITE_OK ? SL_OK : sl__sqlite_explain(d, rc, err);
}

enum sl_code sl__sqlite_db_open(struct sqlite_db *d, sl_ns busy_ns, struct sl_err *err)
{
    bool is_new = false;
    enum sl_code code = file_check_path(d->path, true, err);
    if (code != SL_OK)
        return code;
    if (!d->boot_id[0])
        file_read_boot_id(d);
    if (!d->boot_id[0])
        return sl_err_set(err, SL_BAD_CONFIG, "cannot read " BOOT_ID_PATH ": mount /proc");
    file_make_private(d->path);
    code = file_open_handle(d, busy_ns, err);
    if (code == SL_OK)
        code = file_check_format(d, &is_new, err);
    if (code == SL_OK && !is_new)
        code = file_check_pages(d, err);
    if (code == SL_OK)
        code = file_set_wal(d, err);
    if (code == SL_OK && is_new) {
        int rc = file_make_schema(d);
        code = rc == SQLITE_OK ? SL_OK : sl__sqlite_explain(d, rc, err);
    }
    if (code == SL_OK)
        code = file_claim(d, err);
    if (code != SL_OK)
        sl__sqlite_db_close(d);
    return code;
}

enum sl_code sl__sqlite_db_make(struct sqlite_db *d, sl_ns busy_ns, struct sl_err *err)
{
    enum sl_code code = file_check_path(d->path, true, err);
    if (code != SL_OK)
        return code;
    if (access(d->path, F_OK) == 0)
        return sl_err_set(err, SL_EXISTS, "%s exists already: move it away or name another file", d->path);
    file_make_private(d->path);
    code = file_open_handle(d, busy_ns, err);
    if (code != SL_OK)
        sl__sqlite_db_close(d);
    return code;
}

enum sl_code sl__sqlite_db_open_to_read(struct sqlite_db *d, sl_ns busy_ns, struct sl_err *err)
{
    bool is_new = false;
    enum sl_code code = file_check_path(d->path, false, err);
    if (code != SL_OK)
        return code;
    code = file_open_handle(d, busy_ns, err);
    if (code == SL_OK)
        code = file_check_format(d, &is_new, err);
    if (code == SL_OK && is_new)
        code = sl_err_set(err, SL_MALFORMED, "%s is empty: check the path", d->path);
    if (code == SL_OK)
        code = file_check_pages(d, err);
    if (code != SL_OK)
        sl__sqlite_db_close(d);
    return code;
}

void sl__sqlite_db_close(struct sqlite_db *d)
{
    for (int i = 0; i < STMT_COUNT; i++) {
        sqlite3_finalize(d->stmts[i]);
        d->stmts[i] = NULL;
    }
    sqlite3_close(d->handle);
    d->handle = NULL;
}
