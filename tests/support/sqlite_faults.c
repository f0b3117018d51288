/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/sqlite_faults.h"

#include "tests/support/sl_test.h"

#include <sqlite3.h>
#include <stdatomic.h>
#include <time.h>

/* Kinds of files of the system's layer below SQLite differ in their functions; there are a few of them. */
enum { KINDS_MAX = 8 };

struct kind {
    const sqlite3_io_methods *real;
    sqlite3_io_methods ours; /* the real ones, with two of them replaced */
};

static struct {
    sqlite3_vfs vfs, *real;
    struct kind kinds[KINDS_MAX];
    atomic_int kind_count;
    atomic_uint sync_count, fail_syncs, fail_writes, slow_ms;
    sqlite3_mutex *mutex;
} faults;

static const sqlite3_io_methods *faults_real(const sqlite3_file *f)
{
    for (int i = 0; i < atomic_load(&faults.kind_count); i++) {
        if (f->pMethods == &faults.kinds[i].ours)
            return faults.kinds[i].real;
    }
    return NULL;
}

/* Whether this call shall fail. */
static bool faults_take(atomic_uint *left)
{
    unsigned now = atomic_load(left);
    if (now == 0)
        return false;
    if (now != UINT32_MAX)
        atomic_fetch_sub(left, 1);
    return true;
}

static int faults_sync(sqlite3_file *f, int flags)
{
    unsigned ms = atomic_load(&faults.slow_ms);
    atomic_fetch_add(&faults.sync_count, 1);
    if (ms > 0)
        nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 }, NULL);
    if (faults_take(&faults.fail_syncs))
        return SQLITE_IOERR_FSYNC;
    return faults_real(f)->xSync(f, flags);
}

static int faults_write(sqlite3_file *f, const void *bytes, int size, sqlite3_int64 at)
{
    if (faults_take(&faults.fail_writes))
        return SQLITE_FULL;
    return faults_real(f)->xWrite(f, bytes, size, at);
}

static const sqlite3_io_methods *faults_methods(const sqlite3_io_methods *real)
{
    const sqlite3_io_methods *found = NULL;
    sqlite3_mutex_enter(faults.mutex);
    int count = atomic_load(&faults.kind_count);
    for (int i = 0; i < count && !found; i++) {
        if (faults.kinds[i].real == real)
            found = &faults.kinds[i].ours;
    }
    if (!found) {
        assert_true(count < KINDS_MAX);
        struct kind *k = &faults.kinds[count];
        k->real = real;
        k->ours = *real;
        k->ours.xSync = faults_sync;
        k->ours.xWrite = faults_write;
        found = &k->ours;
        atomic_store(&faults.kind_count, count + 1);
    }
    sqlite3_mutex_leave(faults.mutex);
    return found;
}

static int faults_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out_flags)
{
    (void)vfs;
    int rc = faults.real->xOpen(faults.real, name, f, flags, out_flags);
    if (rc == SQLITE_OK && f->pMethods)
        f->pMethods = faults_methods(f->pMethods);
    return rc;
}

void sl_sqlite_faults_install(void)
{
    if (faults.real)
        return;
    sl_assert_i64(sqlite3_initialize(), SQLITE_OK);
    faults.mutex = sqlite3_mutex_alloc(SQLITE_MUTEX_FAST);
    faults.real = sqlite3_vfs_find(NULL);
    faults.vfs = *faults.real;
    faults.vfs.zName = "faults";
    faults.vfs.xOpen = faults_open;
    sl_assert_i64(sqlite3_vfs_register(&faults.vfs, 1), SQLITE_OK);
}

uint32_t sl_sqlite_faults_syncs(void)
{
    return atomic_load(&faults.sync_count);
}

void sl_sqlite_faults_fail_syncs(uint32_t count)
{
    atomic_store(&faults.fail_syncs, count);
}

void sl_sqlite_faults_fail_writes(uint32_t count)
{
    atomic_store(&faults.fail_writes, count);
}

void sl_sqlite_faults_slow_syncs(uint32_t millis)
{
    atomic_store(&faults.slow_ms, millis);
}
