/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/blackhole/check_internal.h"
#include "edge/fs/make_path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHECK_MAGIC UINT64_C(0x736c636865636b31)
#define CHECK_HEADER_SIZE 4096u
#define CHECK_OWNERS_MIN 1024u
#define CHECK_READ_RECORDS 1024u

_Static_assert(sizeof(struct sl_check_record) == 64, "gen_check.py reads records of 64 bytes");

static bool check_io(struct sl_trouble *t, const char *what)
{
    return sl_trouble_set(t, SL_TROUBLE_PASSING, "SINK_IO", "see that the directory is writable and has room",
                          "check: cannot %s: %s", what, strerror(errno));
}

bool sl_check_make_directory(const char *path, struct sl_trouble *t)
{
    errno = sl_fs_make_path(path);
    return errno == 0 || check_io(t, "make the directory");
}

/* ---- the files ---- */

static int check_open_file(const char *path, const char *name)
{
    char full[SL_CHECK_PATH_MAX + 16];
    snprintf(full, sizeof full, "%s/%s", path, name);
    return open(full, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
}

static struct sl_check_owner *check_owners(const struct sl_check_store *s)
{
    return (struct sl_check_owner *)(void *)((uint8_t *)s->header + CHECK_HEADER_SIZE);
}

static size_t check_mapped_owners(const struct sl_check_store *s)
{
    return (s->mapped_size - CHECK_HEADER_SIZE) / sizeof(struct sl_check_owner);
}

/* Maps as many owners as the file has, or as are needed: then the file grows first, and with zeroes. */
static bool check_map(struct sl_check_store *s, uint64_t owners_needed, struct sl_trouble *t)
{
    uint64_t count = s->header ? s->header->owner_count : CHECK_OWNERS_MIN;
    while (count < owners_needed)
        count *= 2;
    if (s->header && check_mapped_owners(s) >= count)
        return true;
    size_t size = CHECK_HEADER_SIZE + count * sizeof(struct sl_check_owner);
    struct stat st;
    if (fstat(s->state, &st) != 0 || ((uint64_t)st.st_size < size && ftruncate(s->state, (off_t)size) != 0))
        return check_io(t, "grow the state");
    if ((uint64_t)st.st_size > size)
        size = (size_t)st.st_size;
    void *mapped = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, s->state, 0);
    if (mapped == MAP_FAILED)
        return check_io(t, "map the state");
    if (s->header)
        munmap(s->header, s->mapped_size);
    s->header = mapped;
    s->mapped_size = size;
    s->header->owner_count = check_mapped_owners(s);
    return true;
}

static bool check_adopt(struct sl_check_store *s, const struct sl_feed_id *feed, struct sl_trouble *t)
{
    struct sl_check_header *h = s->header;
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): sl_trouble_set is false, so who has the lock has a map */
    if (h->magic == 0) {
        h->feed_high = feed->high;
        h->feed_low = feed->low;
        __atomic_store_n(&h->magic, CHECK_MAGIC, __ATOMIC_RELEASE);
    }
    if (h->magic == CHECK_MAGIC && h->feed_high == feed->high && h->feed_low == feed->low)
        return true;
    return sl_trouble_set(t, SL_TROUBLE_LASTING, "SINK_IN_USE", "give each feed a directory of its own",
                          "check: the directory belongs to another feed");
}

bool sl_check_store_open(struct sl_check_store *s, const char *path, const struct sl_feed_id *feed,
                         struct sl_trouble *t)
{
    *s = (struct sl_check_store){ .lock = check_open_file(path, "lock"),
                                  .log = check_open_file(path, "log"),
                                  .state = check_open_file(path, "state") };
    bool is_open = s->lock >= 0 && s->log >= 0 && s->state >= 0;
    if (!is_open)
        check_io(t, "open the files");
    is_open = is_open && sl_check_store_lock(s, t);
    if (is_open) {
        is_open = check_adopt(s, feed, t);
        sl_check_store_unlock(s);
    }
    if (!is_open)
        sl_check_store_close(s);
    return is_open;
}

void sl_check_store_close(struct sl_check_store *s)
{
    if (s->header)
        munmap(s->header, s->mapped_size);
    if (s->lock >= 0)
        close(s->lock);
    if (s->log >= 0)
        close(s->log);
    if (s->state >= 0)
        close(s->state);
}

/* ---- the state follows the log ---- */

static void check_apply(struct sl_check_store *s, const struct sl_check_record *r)
{
    struct sl_check_owner *owner = &check_owners(s)[r->table_id];
    if (r->kind == SL_CHECK_CLAIM) {
        owner->placement = (struct sl_placement){ r->epoch, r->placement_seq };
    } else if (r->kind == SL_CHECK_ROW) {
        owner->ts = r->ts;
        owner->rows++;
    }
}

static bool check_recover(struct sl_check_store *s, struct sl_trouble *t)
{
    struct sl_check_record records[CHECK_READ_RECORDS];
    memset(check_owners(s), 0, check_mapped_owners(s) * sizeof(struct sl_check_owner));
    for (uint64_t at = 0; at < s->header->record_count;) {
        uint64_t left = s->header->record_count - at;
        size_t count = left < CHECK_READ_RECORDS ? (size_t)left : CHECK_READ_RECORDS;
        ssize_t got = pread(s->log, records, count * sizeof records[0], (off_t)(at * sizeof records[0]));
        if (got != (ssize_t)(count * sizeof records[0]))
            return check_io(t, "read the log again");
        for (size_t i = 0; i < count; i++)
            check_apply(s, &records[i]);
        at += count;
    }
    __atomic_store_n(&s->header->is_dirty, 0, __ATOMIC_RELEASE);
    return true;
}

bool sl_check_store_lock(struct sl_check_store *s, struct sl_trouble *t)
{
    while (flock(s->lock, LOCK_EX) != 0)
        if (errno != EINTR)
            return check_io(t, "lock the directory");
    if (check_map(s, 0, t) && (!s->header->is_dirty || check_recover(s, t)))
        return true;
    flock(s->lock, LOCK_UN);
    return false;
}

void sl_check_store_unlock(struct sl_check_store *s)
{
    flock(s->lock, LOCK_UN);
}

bool sl_check_store_owner(struct sl_check_store *s, int64_t table_id, struct sl_check_owner *out, struct sl_trouble *t)
{
    *out = (struct sl_check_owner){ 0 };
    if (table_id < 0 || table_id >= SL_CHECK_TABLES_MAX)
        return sl_trouble_set(t, SL_TROUBLE_LASTING, "TABLE_ID", "use it with gen:// sources",
                              "check: a table id is not below %d", SL_CHECK_TABLES_MAX);
    if (!check_map(s, (uint64_t)table_id + 1, t))
        return false;
    *out = check_owners(s)[table_id];
    return true;
}

/* Appended after what counts; what a killed process left there is overwritten. */
static bool check_write(struct sl_check_store *s, const struct sl_check_record *records, uint32_t count,
                        struct sl_trouble *t)
{
    size_t size = count * sizeof *records;
    off_t at = (off_t)(s->header->record_count * sizeof *records);
    for (size_t done = 0; done < size;) {
        ssize_t n = pwrite(s->log, (const uint8_t *)records + done, size - done, at + (off_t)done);
        if (n < 0 && errno != EINTR)
            return check_io(t, "write the log");
        done += n > 0 ? (size_t)n : 0;
    }
    __atomic_store_n(&s->header->is_dirty, 1, __ATOMIC_SEQ_CST);
    __atomic_store_n(&s->header->record_count, s->header->record_count + count, __ATOMIC_SEQ_CST);
    for (uint32_t i = 0; i < count; i++)
        check_apply(s, &records[i]);
    __atomic_store_n(&s->header->is_dirty, 0, __ATOMIC_SEQ_CST);
    return true;
}

static bool check_refuse(struct sl_check_store *s, const struct sl_check_record *row, struct sl_trouble *t)
{
    struct sl_check_record r = *row;
    r.kind = SL_CHECK_REFUSED;
    if (!check_write(s, &r, 1, t))
        return false;
    sl_trouble_set(t, SL_TROUBLE_STALE, "FENCED", "", "check: a larger placement owns the table");
    t->table_id = row->table_id;
    return false;
}

bool sl_check_store_commit(struct sl_check_store *s, struct sl_check_record *records, uint32_t count,
                           struct sl_trouble *t)
{
    for (uint32_t i = 0; i < count; i++) {
        struct sl_check_record *r = &records[i];
        struct sl_check_owner owner;
        if (!sl_check_store_owner(s, r->table_id, &owner, t))
            return false;
        r->pid = (uint32_t)getpid();
        int order = sl_placement_cmp((struct sl_placement){ r->epoch, r->placement_seq }, owner.placement);
        if (r->kind == SL_CHECK_ROW && order < 0)
            return check_refuse(s, r, t);
        if (r->kind == SL_CHECK_ROW && order > 0)
            return sl_trouble_set(t, SL_TROUBLE_LASTING, "NOT_RAISED", "report this as a bug",
                                  "check: a row was written before its placement was raised");
    }
    return count == 0 || check_write(s, records, count, t);
}
