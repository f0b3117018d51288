/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/file/file_state.h"

#include "base/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define STATE_PATH_MAX 64u
#define STATE_HEAD "sluice-file-state 1\n"
#define LOCK_NAP_NS (5 * SL_MS)
#define LOCK_TRIES_MAX 2000u /* 10 s */

/* ---- troubles ---- */

bool sl_file_trouble(struct sl_trouble *t, int error, const char *what, const char *path)
{
    const char *code = "SINK_IO", *remedy = "see that the directory is there, and what the system's log says";
    if (error == ENOSPC || error == EDQUOT || error == EFBIG) {
        code = "SINK_FULL";
        remedy = "make room in the file system of the directory: nothing is lost, the feed goes on by itself";
    } else if (error == EACCES || error == EPERM || error == EROFS) {
        code = "SINK_DENIED";
        remedy = "let the user of sluiced write in the directory: nothing is lost, the feed goes on by itself";
    }
    return sl_trouble_set(t, SL_TROUBLE_PASSING, code, remedy, "file: cannot %s%s%s: %s", what, path ? " " : "",
                          path ? path : "", strerror(error));
}

static bool state_is_damaged(struct sl_trouble *t, int64_t table_id)
{
    sl_trouble_set(t, SL_TROUBLE_LASTING, "SINK_DAMAGED",
                   "restore the .sluice folder of the directory, or start a new feed into an empty one",
                   "file: the state file of table %" PRId64 " is damaged", table_id);
    t->table_id = table_id;
    return false;
}

/* ---- files ---- */

bool sl_file_sync_folder(int root, const char *path, struct sl_trouble *t)
{
    int fd = openat(root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool is_done = fd >= 0 && fsync(fd) == 0;
    if (!is_done)
        sl_file_trouble(t, errno, "sync the folder", path);
    if (fd >= 0)
        close(fd);
    return is_done;
}

static bool state_make_one(int root, const char *folder, const char *above, struct sl_trouble *t)
{
    if (mkdirat(root, folder, 0777) == 0)
        return sl_file_sync_folder(root, above, t);
    return errno == EEXIST || sl_file_trouble(t, errno, "make the folder", folder);
}

bool sl_file_make_folder(int root, const char *folder, struct sl_trouble *t)
{
    char part[SL_FILE_FOLDER_MAX], above[SL_FILE_FOLDER_MAX] = ".";
    for (size_t i = 1; i == 1 || folder[i - 1] != '\0'; i++) {
        if (folder[i] != '/' && folder[i] != '\0')
            continue;
        SL_REQUIRE(i < sizeof part);
        memcpy(part, folder, i);
        part[i] = '\0';
        if (!state_make_one(root, part, above, t))
            return false;
        memcpy(above, part, i + 1);
    }
    return true;
}

static bool state_write(int root, const char *path, struct sl_str content, struct sl_trouble *t)
{
    int fd = openat(root, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    int error = fd < 0 ? errno : 0;
    for (size_t done = 0; error == 0 && done < content.len;) {
        ssize_t n = write(fd, content.ptr + done, content.len - done);
        if (n > 0)
            done += (size_t)n;
        else if (n == 0 || errno != EINTR)
            error = n == 0 ? EIO : errno;
    }
    if (error == 0 && fdatasync(fd) != 0)
        error = errno;
    if (fd >= 0)
        close(fd);
    return error == 0 || sl_file_trouble(t, error, "write", path);
}

bool sl_file_put_whole(int root, const char *path, struct sl_str content, struct sl_trouble *t)
{
    char temporary[SL_FILE_FOLDER_MAX + 64];
    int size = snprintf(temporary, sizeof temporary, "%s.new", path);
    if (size < 0 || (size_t)size >= sizeof temporary)
        return sl_file_trouble(t, ENAMETOOLONG, "write", path);
    return state_write(root, temporary, content, t) &&
           (renameat(root, temporary, root, path) == 0 || sl_file_trouble(t, errno, "replace", path));
}

bool sl_file_get_whole(int root, const char *path, char *out, size_t size, size_t *length, bool *is_there,
                       struct sl_trouble *t)
{
    int fd = openat(root, path, O_RDONLY | O_CLOEXEC), error = fd < 0 ? errno : 0;
    *length = 0;
    *is_there = fd >= 0;
    while (error == 0 && *length < size - 1) {
        ssize_t n = read(fd, out + *length, size - 1 - *length);
        if (n == 0)
            break;
        if (n > 0)
            *length += (size_t)n;
        else if (errno != EINTR)
            error = errno;
    }
    out[*length] = '\0';
    if (fd >= 0)
        close(fd);
    return error == 0 || error == ENOENT || sl_file_trouble(t, error, "read", path);
}

/* ---- the lock ---- */

static void state_path(char *out, int64_t table_id, const char *suffix)
{
    snprintf(out, STATE_PATH_MAX, SL_FILE_PRIVATE "/%" PRId64 "%s", table_id, suffix);
}

static bool state_is_stopped(const _Atomic bool *stop)
{
    return stop && atomic_load(stop);
}

/*
 * Whoever has it is in a commit, and has it no longer than that; a process that was put to sleep there keeps it, though,
 * and nobody may write before it has woken up or is gone.
 */
bool sl_file_lock_wait(int fd, const _Atomic bool *stop, struct sl_trouble *t)
{
    const struct timespec nap = { .tv_nsec = LOCK_NAP_NS };
    for (unsigned i = 0; i < LOCK_TRIES_MAX && !state_is_stopped(stop); i++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return true;
        if (errno != EWOULDBLOCK && errno != EINTR)
            return sl_file_trouble(t, errno, "lock a table", NULL);
        nanosleep(&nap, NULL);
    }
    if (state_is_stopped(stop))
        return sl_trouble_set(t, SL_TROUBLE_ENDED, "ENDED", "", "interrupted");
    return sl_trouble_set(t, SL_TROUBLE_PASSING, "SINK_LOCKED",
                          "see which process has a lock below .sluice (lslocks): if it hangs, end it",
                          "file: another process has been holding the lock of a table for 10 s");
}

int sl_file_lock(int root, int64_t table_id, const _Atomic bool *stop, struct sl_trouble *t)
{
    char path[STATE_PATH_MAX];
    state_path(path, table_id, ".lock");
    int fd = openat(root, path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0) {
        sl_file_trouble(t, errno, "open", path);
        return -1;
    }
    if (sl_file_lock_wait(fd, stop, t))
        return fd;
    close(fd);
    return -1;
}

/* ---- the text ---- */

size_t sl_file_state_format(const struct sl_file_state *s, char *out)
{
    struct sl_text text;
    const uint64_t numbers[] = {
        s->placement.maintainer_epoch, s->placement.seq, s->ts, s->ddl_ts, s->first, s->length, s->schema, s->is_open
    };
    sl_text_init(&text, out, SL_FILE_STATE_BYTES_MAX);
    sl_text_cstr(&text, STATE_HEAD);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        sl_text_u64(&text, numbers[i]);
        sl_text_cstr(&text, "\n");
    }
    sl_text_cstr(&text, s->folder);
    sl_text_cstr(&text, "\n");
    sl_text_hex64(&text, sl_hash_bytes(0, out, text.len));
    sl_text_cstr(&text, "\n");
    SL_REQUIRE(!text.cut);
    return text.len;
}

/* The next line, without its end. */
static bool state_line(struct sl_str *out, struct sl_str *rest)
{
    const char *end = rest->len > 0 ? memchr(rest->ptr, '\n', rest->len) : NULL;
    if (!end)
        return false;
    *out = (struct sl_str){ rest->ptr, (size_t)(end - rest->ptr) };
    *rest = (struct sl_str){ end + 1, rest->len - out->len - 1 };
    return true;
}

static bool state_number(uint64_t *out, struct sl_str text)
{
    *out = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint64_t digit = (uint64_t)(uint8_t)text.ptr[i] - '0';
        if (digit > 9 || *out > (UINT64_MAX - digit) / 10)
            return false;
        *out = *out * 10 + digit;
    }
    return text.len > 0;
}

/* Of the sink's own making: below the directory, and no way out of it. */
static bool state_folder_is_good(struct sl_str s)
{
    bool is_inside = s.len == 0 || sl_str_eq(s, SL_STR("ddl")) || (s.len > 5 && memcmp(s.ptr, "data/", 5) == 0);
    for (size_t i = 0; i < s.len; i++)
        is_inside = is_inside && s.ptr[i] != '\0' && !(s.ptr[i] == '.' && (i == 0 || s.ptr[i - 1] == '/'));
    return is_inside && s.len < SL_FILE_FOLDER_MAX;
}

static bool state_sum_is_good(struct sl_str text, struct sl_str rest)
{
    char memory[24];
    struct sl_text sum;
    sl_text_init(&sum, memory, sizeof memory);
    sl_text_hex64(&sum, sl_hash_bytes(0, text.ptr, text.len - rest.len));
    sl_text_cstr(&sum, "\n");
    return sl_str_eq((struct sl_str){ memory, sum.len }, rest);
}

bool sl_file_state_parse(struct sl_file_state *s, struct sl_str text)
{
    struct sl_file_state got = { .ts = 0 };
    uint64_t is_open;
    uint64_t *numbers[] = { &got.placement.maintainer_epoch,
                            &got.placement.seq,
                            &got.ts,
                            &got.ddl_ts,
                            &got.first,
                            &got.length,
                            &got.schema,
                            &is_open };
    struct sl_str rest = text, line;
    memset(s, 0, sizeof *s);
    if (!state_line(&line, &rest) || !sl_str_eq(line, sl_str_of("sluice-file-state 1")))
        return false;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (!state_line(&line, &rest) || !state_number(numbers[i], line))
            return false;
    }
    if (!state_line(&line, &rest) || !state_folder_is_good(line) || !state_sum_is_good(text, rest) || is_open > 1)
        return false;
    got.is_open = is_open == 1;
    if (line.len > 0)
        memcpy(got.folder, line.ptr, line.len);
    if (got.is_open && line.len == 0)
        return false;
    *s = got;
    return true;
}

/* ---- in its place ---- */

bool sl_file_state_load(struct sl_file_state *s, int root, int64_t table_id, struct sl_trouble *t)
{
    char path[STATE_PATH_MAX], text[SL_FILE_STATE_BYTES_MAX];
    size_t length;
    bool is_there;
    memset(s, 0, sizeof *s);
    state_path(path, table_id, ".state");
    if (!sl_file_get_whole(root, path, text, sizeof text, &length, &is_there, t))
        return false;
    return !is_there || sl_file_state_parse(s, (struct sl_str){ text, length }) || state_is_damaged(t, table_id);
}

bool sl_file_state_prepare(const struct sl_file_state *s, int root, int64_t table_id, struct sl_trouble *t)
{
    char path[STATE_PATH_MAX], text[SL_FILE_STATE_BYTES_MAX];
    state_path(path, table_id, ".new");
    return state_write(root, path, (struct sl_str){ text, sl_file_state_format(s, text) }, t);
}

bool sl_file_state_replace(int root, int64_t table_id, struct sl_trouble *t)
{
    char from[STATE_PATH_MAX], to[STATE_PATH_MAX];
    state_path(from, table_id, ".new");
    state_path(to, table_id, ".state");
    return renameat(root, from, root, to) == 0 || sl_file_trouble(t, errno, "replace", to);
}
