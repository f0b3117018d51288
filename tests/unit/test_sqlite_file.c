/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/sqlite/sqlite_store.h"
#include "tests/support/process.h"
#include "tests/support/sqlite_faults.h"
#include "tests/support/store_pump.h"

#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* The file itself: what opening it says, what survives, disks that are full or broken, copies. */

enum { TEXT_MAX = 256, OUTCOMES_MAX = 64 };

struct fixture {
    struct sl_store_pump pump;
    char dir[64], path[96];
    struct sl_sqlite_opts opts;
    struct sl_store *store;
    struct sl_store_result result; /* the last one */
    uint32_t result_count;
    enum sl_store_outcome outcomes[OUTCOMES_MAX]; /* in the order of results */
    enum sl_code health;
    uint32_t health_count;
    uint32_t event_count, split_count; /* revisions in more than one batch */
    sl_revision event_revision;        /* of the last event */
};

static void setup(struct fixture *f)
{
    memset(f, 0, sizeof *f);
    sl_store_pump_init(&f->pump);
    sl_process_make_dir(f->dir, sizeof f->dir);
    snprintf(f->path, sizeof f->path, "%s/meta.db", f->dir);
    f->opts = SL_SQLITE_OPTS_DEFAULT;
    f->opts.path = f->path;
}

static void teardown(struct fixture *f)
{
    sl_store_pump_deinit(&f->pump);
    sl_process_remove_dir(f->dir);
}

static void on_result(void *ctx, const struct sl_store_result *r)
{
    struct fixture *f = ctx;
    f->result = *r;
    f->result.pairs = NULL;
    f->outcomes[f->result_count++ % OUTCOMES_MAX] = r->outcome;
}

static void on_watch(void *ctx, const struct sl_store_watch_batch *b)
{
    struct fixture *f = ctx;
    f->event_count += b->event_count;
    if (b->event_count == 0)
        return;
    f->split_count += b->events[0].pair.mod_revision == f->event_revision ? 1 : 0;
    f->event_revision = b->events[b->event_count - 1].pair.mod_revision;
}

static void on_health(void *ctx, const struct sl_err *e)
{
    struct fixture *f = ctx;
    f->health = e->code;
    f->health_count++;
}

static enum sl_code open_with(struct fixture *f, struct sl_err *err)
{
    const struct sl_store_client client = { f, on_result, on_watch };
    f->opts.on_health = on_health;
    f->opts.health_ctx = f;
    *err = (struct sl_err){ 0 };
    return sl_sqlite_store_open(&f->store, &f->pump.loop, &f->opts, &client, err);
}

static void open_store(struct fixture *f)
{
    struct sl_err err;
    enum sl_code code = open_with(f, &err);
    sl_assert_str(err.text, "");
    sl_assert_i64(code, SL_OK);
}

static void close_store(struct fixture *f)
{
    sl_store_pump_close(&f->pump, f->store);
    f->store = NULL;
}

static void assert_open_fails(struct fixture *f, enum sl_code code, const char *words)
{
    struct sl_err err;
    sl_assert_i64(open_with(f, &err), code);
    assert_null(f->store);
    if (!strstr(err.text, words))
        sl_assert_str(err.text, words);
    assert_null(strchr(err.text, '\n'));
}

static struct sl_store_result call(struct fixture *f, struct sl_store_op op)
{
    uint32_t before = f->result_count;
    op.id = before + 1;
    assert_true(sl_store_submit(f->store, &op));
    for (int i = 0; i < 1000 && f->result_count == before; i++)
        sl_store_pump_poll(&f->pump, 20 * SL_MS);
    sl_assert_u64(f->result_count, before + 1);
    sl_assert_u64(f->result.id, op.id);
    return f->result;
}

static struct sl_store_result put_bytes(struct fixture *f, const char *key, struct sl_bytes value, sl_lease_id lease,
                                        bool critical)
{
    struct sl_store_action action = { SL_ACTION_PUT, sl_str_of(key), value, lease };
    return call(f,
                (struct sl_store_op){ .verb = SL_STORE_TXN, .then = &action, .then_count = 1, .critical = critical });
}

static struct sl_store_result put(struct fixture *f, const char *key, const char *value)
{
    return put_bytes(f, key, (struct sl_bytes){ (const uint8_t *)value, strlen(value) }, 0, false);
}

static uint32_t count(struct fixture *f, const char *prefix)
{
    struct sl_store_result r = call(f, (struct sl_store_op){ .verb = SL_STORE_RANGE, .key = sl_str_of(prefix) });
    sl_assert_i64(r.outcome, SL_STORE_OK);
    return r.pair_count;
}

static void sql(const char *path, const char *text)
{
    sqlite3 *db = NULL;
    sl_assert_i64(sqlite3_open(path, &db), SQLITE_OK);
    sl_assert_i64(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
    sl_assert_i64(sqlite3_close(db), SQLITE_OK);
}

static void write_file(const char *path, const char *text, size_t size)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    sl_assert_u64(fwrite(text, 1, size, file), size);
    fclose(file);
}

/* ---- opening ---- */

static void opening_says_what_is_wrong_and_what_to_do(void **state)
{
    (void)state;
    struct fixture f;
    char path[160];
    setup(&f);
    f.opts.path = "";
    assert_open_fails(&f, SL_BAD_CONFIG, "is empty or longer");
    snprintf(path, sizeof path, "%s/missing/meta.db", f.dir);
    f.opts.path = path;
    assert_open_fails(&f, SL_BAD_CONFIG, "missing does not exist: make it");
    f.opts.path = f.dir;
    assert_open_fails(&f, SL_BAD_CONFIG, "is not a file: name a file");
    f.opts.path = f.path;
    write_file(f.path, "this is a text that is long enough to be looked at as a database, but is none of them ...... ",
               93);
    assert_open_fails(&f, SL_MALFORMED, "is not an SQLite database: name another file");
    unlink(f.path);
    sql(f.path, "CREATE TABLE x (a)");
    assert_open_fails(&f, SL_MALFORMED, "belongs to another program: name another file");
    teardown(&f);
}

static void a_newer_format_is_refused(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    open_store(&f);
    close_store(&f);
    sql(f.path, "PRAGMA user_version=99");
    assert_open_fails(&f, SL_MALFORMED, "written by a newer version: upgrade");
    teardown(&f);
}

static void a_damaged_file_is_refused(void **state)
{
    (void)state;
    struct fixture f;
    char noise[4096];
    setup(&f);
    open_store(&f);
    for (int i = 0; i < 200; i++) {
        char key[16];
        snprintf(key, sizeof key, "key%d", i);
        sl_assert_i64(put(&f, key, "a value that fills some pages of the file").outcome, SL_STORE_OK);
    }
    close_store(&f);
    memset(noise, 0xa5, sizeof noise);
    int fd = open(f.path, O_WRONLY);
    for (int page = 2; page < 6; page++)
        sl_assert_i64(pwrite(fd, noise, sizeof noise, page * 4096), sizeof noise);
    close(fd);
    assert_open_fails(&f, SL_MALFORMED, "is damaged: restore a backup");
    teardown(&f);
}

static void a_file_that_others_keep_locked_is_busy(void **state)
{
    (void)state;
    struct fixture f;
    sqlite3 *db = NULL;
    setup(&f);
    open_store(&f);
    sl_assert_i64(sqlite3_open(f.path, &db), SQLITE_OK);
    sl_assert_i64(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    close_store(&f);
    f.opts.busy_ns = 200 * SL_MS;
    open_store(&f); /* opening does not write */
    sl_assert_i64(put(&f, "a", "1").outcome, SL_STORE_REFUSED);
    sl_assert_i64(f.health, SL_BUSY);
    sl_assert_u64(count(&f, "a"), 0); /* reads go on */
    sl_assert_i64(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    sl_assert_i64(put(&f, "a", "1").outcome, SL_STORE_OK);
    sl_assert_i64(f.health, SL_OK);
    sqlite3_close(db);
    close_store(&f);
    teardown(&f);
}

static void nobody_else_may_read_the_file(void **state)
{
    (void)state;
    struct fixture f;
    struct stat st;
    char wal[128];
    setup(&f);
    open_store(&f);
    (void)put(&f, "a", "1");
    snprintf(wal, sizeof wal, "%s-wal", f.path);
    sl_assert_i64(stat(f.path, &st), 0);
    sl_assert_u64(st.st_mode & 0777, 0600);
    sl_assert_i64(stat(wal, &st), 0);
    sl_assert_u64(st.st_mode & 0777, 0600);
    close_store(&f);
    teardown(&f);
}

static void the_next_process_finds_everything(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    open_store(&f);
    sl_revision revision = put(&f, "a", "1").revision;
    close_store(&f);
    open_store(&f);
    sl_assert_u64(count(&f, "a"), 1);
    sl_assert_i64(f.result.revision, revision);
    sl_assert_i64(put(&f, "a", "2").revision, revision + 1);
    close_store(&f);
    teardown(&f);
}

/* ---- another boot, another machine ---- */

static sl_lease_id put_with_lease(struct fixture *f, const char *key, sl_ns ttl_ns)
{
    sl_lease_id lease = call(f, (struct sl_store_op){ .verb = SL_STORE_GRANT, .ttl_ns = ttl_ns }).lease;
    struct sl_bytes value = { (const uint8_t *)"x", 1 };
    sl_assert_i64(put_bytes(f, key, value, lease, false).outcome, SL_STORE_OK);
    return lease;
}

static void leases_of_another_boot_are_gone(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    f.opts.boot_id = "boot-1";
    open_store(&f);
    sl_lease_id lease = put_with_lease(&f, "leased", 400 * SL_MS);
    sl_revision before = put(&f, "kept", "1").revision;
    close_store(&f);
    f.opts.boot_id = "boot-2";
    open_store(&f);
    sl_assert_u64(count(&f, "leased"), 0);
    sl_assert_u64(count(&f, "kept"), 1);
    sl_assert_i64(f.result.revision, before + 1);
    struct sl_store_op keep = { .verb = SL_STORE_KEEPALIVE, .lease = lease };
    sl_assert_i64(call(&f, keep).outcome, SL_STORE_LEASE_GONE);
    close_store(&f);
    teardown(&f);
}

/* The other machine: opens the file under its own boot and renews a lease until it is killed. */
static int renew_for_ever(void *ctx)
{
    struct fixture *f = ctx;
    f->opts.boot_id = "machine-1";
    sl_store_pump_init(&f->pump);
    open_store(f);
    sl_lease_id lease = put_with_lease(f, "leased", 2 * SL_S);
    for (;;) {
        struct sl_store_op keep = { .verb = SL_STORE_KEEPALIVE, .lease = lease };
        if (call(f, keep).outcome != SL_STORE_OK)
            return 1;
        sl_store_pump_wait(&f->pump, 50 * SL_MS);
    }
}

static void wait_for_lease(struct fixture *f)
{
    int64_t found = 0;
    for (int i = 0; i < 1000 && found == 0; i++) {
        sqlite3 *db = NULL;
        sqlite3_stmt *s = NULL;
        if (sqlite3_open_v2(f->path, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK &&
            sqlite3_prepare_v2(db, "SELECT count(*) FROM lease", -1, &s, NULL) == SQLITE_OK &&
            sqlite3_step(s) == SQLITE_ROW)
            found = sqlite3_column_int64(s, 0);
        sqlite3_finalize(s);
        sqlite3_close(db);
        nanosleep(&(struct timespec){ .tv_nsec = 20 * SL_MS }, NULL);
    }
    assert_true(found > 0);
}

static void a_file_shared_between_machines_is_refused(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    struct fixture child = f;
    pid_t pid = sl_process_fork(renew_for_ever, &child);
    wait_for_lease(&f);
    f.opts.boot_id = "machine-2";
    assert_open_fails(&f, SL_REFUSED, "is in use on another machine");
    sl_process_kill(pid);
    open_store(&f); /* nobody renews any more */
    sl_assert_u64(count(&f, "leased"), 0);
    close_store(&f);
    teardown(&f);
}

static void who_loses_the_file_to_another_boot_writes_nothing_more(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    f.opts.boot_id = "boot-1";
    open_store(&f);
    sl_assert_i64(put(&f, "a", "1").outcome, SL_STORE_OK);
    sql(f.path, "UPDATE meta SET boot_id = 'boot-2'");
    sl_assert_i64(put(&f, "a", "2").outcome, SL_STORE_REFUSED);
    sl_assert_i64(f.health, SL_REFUSED);
    close_store(&f);
    f.opts.boot_id = "boot-2";
    open_store(&f);
    sl_assert_i64(put(&f, "b", "1").revision, 2);
    close_store(&f);
    teardown(&f);
}

/* ---- disks ---- */

static void fill_until_refused(struct fixture *f, const uint8_t *block, size_t size)
{
    char key[32];
    struct sl_store_result r = { .outcome = SL_STORE_OK };
    for (int i = 0; i < 2000 && r.outcome == SL_STORE_OK; i++) {
        snprintf(key, sizeof key, "fill/%d", i);
        r = put_bytes(f, key, (struct sl_bytes){ block, size }, 0, i % 2 == 0);
    }
    assert_true(r.outcome == SL_STORE_REFUSED || r.outcome == SL_STORE_UNKNOWN);
}

/* As a full disk, but for one process: the system answers EFBIG beyond a size. */
static int write_to_a_full_disk(void *ctx)
{
    struct fixture *f = ctx;
    static uint8_t block[32 << 10];
    signal(SIGXFSZ, SIG_IGN);
    sl_store_pump_init(&f->pump);
    open_store(f);
    sl_revision before = put(f, "before", "1").revision;
    const struct rlimit full = { 512 << 10, RLIM_INFINITY }, room = { RLIM_INFINITY, RLIM_INFINITY };
    sl_assert_i64(setrlimit(RLIMIT_FSIZE, &full), 0);
    fill_until_refused(f, block, sizeof block);
    sl_assert_i64(f->health, SL_LIMIT);
    assert_true(count(f, "before") == 1); /* reads go on */
    sl_assert_i64(setrlimit(RLIMIT_FSIZE, &room), 0);
    sl_assert_i64(put(f, "after", "1").outcome, SL_STORE_OK);
    sl_assert_i64(f->health, SL_OK);
    assert_true(f->result.revision > before);
    close_store(f);
    return 0;
}

static void a_full_disk_refuses_writes_until_there_is_room(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    struct fixture child = f;
    pid_t pid = sl_process_fork(write_to_a_full_disk, &child);
    sl_assert_i64(sl_process_wait(pid), 0);
    open_store(&f);
    sl_assert_u64(count(&f, "before"), 1);
    sl_assert_u64(count(&f, "after"), 1);
    close_store(&f);
    teardown(&f);
}

static struct sl_store_result put_critical(struct fixture *f, const char *key)
{
    return put_bytes(f, key, (struct sl_bytes){ (const uint8_t *)"1", 1 }, 0, true);
}

static void setup_faults(struct fixture *f)
{
    sl_sqlite_faults_install();
    setup(f);
    open_store(f);
    sl_assert_i64(put_critical(f, "a").outcome, SL_STORE_OK);
}

static void only_critical_operations_synchronise_the_file(void **state)
{
    (void)state;
    struct fixture f;
    setup_faults(&f);
    uint32_t before = sl_sqlite_faults_syncs();
    for (int i = 0; i < 20; i++)
        sl_assert_i64(put(&f, "a", "1").outcome, SL_STORE_OK);
    sl_assert_u64(sl_sqlite_faults_syncs(), before);
    for (int i = 0; i < 20; i++)
        sl_assert_i64(put_critical(&f, "a").outcome, SL_STORE_OK);
    assert_true(sl_sqlite_faults_syncs() >= before + 20);
    close_store(&f);
    teardown(&f);
}

static void a_commit_that_cannot_be_synchronised_is_in_doubt(void **state)
{
    (void)state;
    struct fixture f;
    setup_faults(&f);
    sl_sqlite_faults_fail_syncs(1);
    sl_assert_i64(put_critical(&f, "b").outcome, SL_STORE_UNKNOWN);
    sl_assert_i64(f.health, SL_REFUSED);
    assert_true(count(&f, "b") <= 1);
    sl_assert_i64(put_critical(&f, "c").outcome, SL_STORE_OK);
    sl_assert_i64(f.health, SL_OK);
    close_store(&f);
    open_store(&f);
    sl_assert_u64(count(&f, "c"), 1);
    close_store(&f);
    teardown(&f);
}

static void a_write_that_fails_is_never_half_done(void **state)
{
    (void)state;
    struct fixture f;
    setup_faults(&f);
    uint32_t unsure = 0;
    sl_revision revision = put(&f, "a", "1").revision;
    for (uint32_t i = 0; i < 40; i++) {
        sl_sqlite_faults_fail_writes(i % 4);
        struct sl_store_result r = put(&f, "a", "1");
        sl_sqlite_faults_fail_writes(0);
        unsure += r.outcome == SL_STORE_OK ? 0 : 1;
        if (r.outcome == SL_STORE_OK)
            sl_assert_i64(r.revision, ++revision);
        else if (r.outcome == SL_STORE_UNKNOWN && count(&f, "a") == 1)
            revision = f.result.revision; /* either */
    }
    assert_true(unsure > 0);
    close_store(&f);
    open_store(&f);
    sl_assert_u64(count(&f, "a"), 1);
    sl_assert_i64(f.result.revision, revision);
    close_store(&f);
    teardown(&f);
}

static void a_disk_that_hangs_leaves_operations_in_doubt_in_time(void **state)
{
    (void)state;
    struct fixture f;
    setup_faults(&f);
    sl_sqlite_faults_slow_syncs(11000);
    sl_ns start = (sl_ns)uv_hrtime();
    sl_assert_i64(put_critical(&f, "b").outcome, SL_STORE_UNKNOWN);
    assert_true((sl_ns)uv_hrtime() - start < 10 * SL_S + SL_S);
    sl_sqlite_faults_slow_syncs(0);
    uint32_t results = f.result_count;
    sl_assert_u64(count(&f, "b"), 1); /* waits its turn; nobody is told twice */
    sl_assert_u64(f.result_count, results + 1);
    close_store(&f);
    teardown(&f);
}

/* ---- operations together ---- */

/* All at once; their outcomes begin at the result that comes next. */
static uint32_t submit_all(struct fixture *f, const struct sl_store_op *ops, uint32_t op_count)
{
    uint32_t first = f->result_count;
    for (uint32_t i = 0; i < op_count; i++) {
        struct sl_store_op op = ops[i];
        op.id = first + i + 1;
        assert_true(sl_store_submit(f->store, &op));
    }
    for (int i = 0; i < 1000 && f->result_count < first + op_count; i++)
        sl_store_pump_poll(&f->pump, 20 * SL_MS);
    sl_assert_u64(f->result_count, first + op_count);
    return first;
}

static struct sl_store_op critical_put(const struct sl_store_action *action)
{
    return (struct sl_store_op){ .verb = SL_STORE_TXN, .then = action, .then_count = 1, .critical = true };
}

static void assert_synchronises_together(struct fixture *f)
{
    enum { OPS = 50 };
    struct sl_store_op ops[OPS];
    const struct sl_store_action action = { SL_ACTION_PUT, SL_STR("a"), { (const uint8_t *)"1", 1 }, 0 };
    for (int i = 0; i < OPS; i++)
        ops[i] = critical_put(&action);
    sl_sqlite_faults_slow_syncs(50); /* while the first one is written the others gather */
    uint32_t before = sl_sqlite_faults_syncs();
    (void)submit_all(f, ops, OPS);
    sl_sqlite_faults_slow_syncs(0);
    assert_true(sl_sqlite_faults_syncs() - before <= OPS / 5);
}

static void operations_that_wait_together_share_a_synchronisation(void **state)
{
    (void)state;
    struct fixture f;
    setup_faults(&f);
    assert_synchronises_together(&f);
    close_store(&f);
    teardown(&f);
}

static void one_that_fails_does_not_take_others_with_it(void **state)
{
    enum { BIG = 50, SIZE = 1400 << 10, OPS = 3 };
    (void)state;
    struct fixture f;
    static uint8_t value[SIZE];
    const struct sl_store_action x = { SL_ACTION_PUT, SL_STR("x"), { (const uint8_t *)"1", 1 }, 0 };
    const struct sl_store_action y = { SL_ACTION_PUT, SL_STR("y"), { (const uint8_t *)"1", 1 }, 0 };
    const struct sl_store_op too_much = { .verb = SL_STORE_RANGE, .key = SL_STR("big/") };
    setup_faults(&f);
    for (int i = 0; i < BIG; i++) {
        char key[24];
        snprintf(key, sizeof key, "big/%d", i);
        sl_assert_i64(put_bytes(&f, key, (struct sl_bytes){ value, SIZE }, 0, false).outcome, SL_STORE_OK);
    }
    sl_revision before = f.result.revision;
    const struct sl_store_op ops[OPS] = { critical_put(&x), too_much, critical_put(&y) };
    uint32_t first = submit_all(&f, ops, OPS);
    sl_assert_i64(f.outcomes[first % OUTCOMES_MAX], SL_STORE_OK);
    sl_assert_i64(f.outcomes[(first + 1) % OUTCOMES_MAX], SL_STORE_REFUSED);
    sl_assert_i64(f.outcomes[(first + 2) % OUTCOMES_MAX], SL_STORE_OK);
    sl_assert_i64(f.result.revision, before + 2);
    assert_synchronises_together(&f); /* and later ones are not alone for it */
    close_store(&f);
    teardown(&f);
}

/* ---- copies ---- */

static bool export_each(void *ctx, const struct sl_store_pair *pair)
{
    char *text = ctx;
    size_t len = strlen(text);
    snprintf(text + len, TEXT_MAX - len, "%.*s=%.*s;", (int)pair->key.len, pair->key.ptr, (int)pair->value.len,
             (const char *)pair->value.ptr);
    return true;
}

static bool export_no_more(void *ctx, const struct sl_store_pair *pair)
{
    (void)pair;
    ++*(int *)ctx;
    return false;
}

static void a_backup_restores_all_but_leases(void **state)
{
    (void)state;
    struct fixture f;
    struct sl_err err = { 0 };
    char backup[128], restored[128], text[TEXT_MAX] = "";
    setup(&f);
    snprintf(backup, sizeof backup, "%s/backup", f.dir);
    snprintf(restored, sizeof restored, "%s/restored", f.dir);
    open_store(&f);
    (void)put(&f, "a", "1");
    (void)put_with_lease(&f, "leased", 60 * SL_S);
    sl_revision before = put(&f, "b", "2").revision;
    sl_assert_i64(sl_sqlite_backup(f.path, backup, &err), SL_OK); /* while it is in use */
    sl_assert_i64(sl_sqlite_backup(f.path, backup, &err), SL_EXISTS);
    assert_non_null(strstr(err.text, "exists already"));
    (void)put(&f, "c", "3");
    close_store(&f);
    sl_assert_i64(sl_sqlite_restore(backup, f.path, &err), SL_EXISTS);
    sl_assert_i64(sl_sqlite_restore(backup, restored, &err), SL_OK);
    sl_assert_i64(sl_sqlite_export(restored, export_each, text, &err), SL_OK);
    sl_assert_str(text, "a=1;b=2;");
    f.opts.path = restored;
    open_store(&f);
    sl_assert_u64(count(&f, ""), 2);
    assert_true(f.result.revision > before + 1000);
    sl_revision now = f.result.revision;
    struct sl_store_op watch = { .verb = SL_STORE_WATCH, .from_revision = before };
    sl_assert_i64(call(&f, watch).outcome, SL_STORE_COMPACTED);
    sl_assert_i64(f.result.compacted_revision, now + 1);
    sl_assert_i64(put(&f, "d", "4").revision, now + 1);
    close_store(&f);
    teardown(&f);
}

static void an_export_leaves_out_what_hangs_on_leases_and_can_be_stopped(void **state)
{
    (void)state;
    struct fixture f;
    struct sl_err err = { 0 };
    char text[TEXT_MAX] = "";
    int calls = 0;
    setup(&f);
    sl_assert_i64(sl_sqlite_export(f.path, export_each, text, &err), SL_NOT_FOUND);
    open_store(&f);
    (void)put(&f, "b", "2");
    (void)put(&f, "a", "1");
    (void)put_with_lease(&f, "leased", 60 * SL_S);
    sl_assert_i64(sl_sqlite_export(f.path, export_each, text, &err), SL_OK);
    sl_assert_str(text, "a=1;b=2;");
    sl_assert_i64(sl_sqlite_export(f.path, export_no_more, &calls, &err), SL_REFUSED);
    sl_assert_i64(calls, 1);
    close_store(&f);
    teardown(&f);
}

static void copies_of_what_is_no_store_are_refused(void **state)
{
    (void)state;
    struct fixture f;
    struct sl_err err = { 0 };
    char dest[128];
    setup(&f);
    snprintf(dest, sizeof dest, "%s/dest", f.dir);
    sl_assert_i64(sl_sqlite_backup(f.path, dest, &err), SL_NOT_FOUND);
    sql(f.path, "CREATE TABLE x (a)");
    sl_assert_i64(sl_sqlite_backup(f.path, dest, &err), SL_MALFORMED);
    sl_assert_i64(access(dest, F_OK), -1);
    teardown(&f);
}

/* ---- history ---- */

static void history_is_trimmed_from_its_old_end(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    f.opts.history_count_max = 100;
    open_store(&f);
    sl_revision last = 0;
    for (int i = 0; i < 400; i++)
        last = put(&f, "a", "1").revision;
    struct sl_store_op watch = { .verb = SL_STORE_WATCH, .from_revision = 1 };
    struct sl_store_result r = call(&f, watch);
    sl_assert_i64(r.outcome, SL_STORE_COMPACTED);
    assert_true(r.compacted_revision >= last - 100 - 70 && r.compacted_revision <= last - 99);
    watch.from_revision = r.compacted_revision;
    sl_assert_i64(call(&f, watch).outcome, SL_STORE_OK);
    close_store(&f);
    teardown(&f);
}

static void a_transaction_larger_than_a_batch_is_not_split(void **state)
{
    enum { KEYS = 10, SIZE = 140 << 10 };
    (void)state;
    struct fixture f;
    static uint8_t value[SIZE];
    struct sl_store_action actions[KEYS];
    char keys[KEYS][24];
    setup(&f);
    open_store(&f);
    for (int i = 0; i < KEYS; i++) {
        snprintf(keys[i], sizeof keys[i], "large/%d", i);
        actions[i] = (struct sl_store_action){ SL_ACTION_PUT, sl_str_of(keys[i]), { value, SIZE }, 0 };
    }
    struct sl_store_op txn = { .verb = SL_STORE_TXN, .then = actions, .then_count = KEYS };
    for (uint32_t i = 0; i < 3; i++)
        sl_assert_i64(call(&f, txn).outcome, SL_STORE_OK);
    struct sl_store_op watch = { .verb = SL_STORE_WATCH, .key = SL_STR("large/"), .from_revision = 1 };
    sl_assert_i64(call(&f, watch).outcome, SL_STORE_OK);
    for (int i = 0; i < 1000 && f.event_count < 3 * KEYS; i++)
        sl_store_pump_poll(&f.pump, 20 * SL_MS);
    sl_assert_u64(f.event_count, 3 * KEYS);
    sl_assert_u64(f.split_count, 0);
    close_store(&f);
    teardown(&f);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opening_says_what_is_wrong_and_what_to_do),
        cmocka_unit_test(a_newer_format_is_refused),
        cmocka_unit_test(a_damaged_file_is_refused),
        cmocka_unit_test(a_file_that_others_keep_locked_is_busy),
        cmocka_unit_test(nobody_else_may_read_the_file),
        cmocka_unit_test(the_next_process_finds_everything),
        cmocka_unit_test(leases_of_another_boot_are_gone),
        cmocka_unit_test(a_file_shared_between_machines_is_refused),
        cmocka_unit_test(who_loses_the_file_to_another_boot_writes_nothing_more),
        cmocka_unit_test(a_full_disk_refuses_writes_until_there_is_room),
        cmocka_unit_test(only_critical_operations_synchronise_the_file),
        cmocka_unit_test(a_commit_that_cannot_be_synchronised_is_in_doubt),
        cmocka_unit_test(a_write_that_fails_is_never_half_done),
        cmocka_unit_test(a_disk_that_hangs_leaves_operations_in_doubt_in_time),
        cmocka_unit_test(operations_that_wait_together_share_a_synchronisation),
        cmocka_unit_test(one_that_fails_does_not_take_others_with_it),
        cmocka_unit_test(a_backup_restores_all_but_leases),
        cmocka_unit_test(an_export_leaves_out_what_hangs_on_leases_and_can_be_stopped),
        cmocka_unit_test(copies_of_what_is_no_store_are_refused),
        cmocka_unit_test(history_is_trimmed_from_its_old_end),
        cmocka_unit_test(a_transaction_larger_than_a_batch_is_not_split),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
