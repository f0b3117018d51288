/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/file/file_state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define STATE_PATH_MAX (SL_FILE_PATH_MAX + 64u)
#define STATE_FORM \
    "sluice-file-state 1 %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNx64 " %d"

bool sl_file_trouble(struct sl_trouble *t, int error, const char *what)
{
    return sl_trouble_set(t, SL_TROUBLE_PASSING, "SINK_IO", "see that the directory is there, writable, and has room",
                          "file: cannot %s: %s", what, strerror(error));
}

static void state_path(char *out, const char *directory, int64_t table_id, const char *suffix)
{
    snprintf(out, STATE_PATH_MAX, "%s/.sluice/%" PRId64 "%s", directory, table_id, suffix);
}

int sl_file_lock(const char *directory, int64_t table_id, struct sl_trouble *t)
{
    char path[STATE_PATH_MAX];
    state_path(path, directory, table_id, ".lock");
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0) {
        sl_file_trouble(t, errno, "open a lock file");
        return -1;
    }
    while (flock(fd, LOCK_EX) != 0) {
        if (errno == EINTR)
            continue;
        sl_file_trouble(t, errno, "lock a table");
        close(fd);
        return -1;
    }
    return fd;
}

bool sl_file_sync_folder(const char *path, struct sl_trouble *t)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool is_done = fd >= 0 && fsync(fd) == 0;
    if (!is_done)
        sl_file_trouble(t, errno, "sync a folder");
    if (fd >= 0)
        close(fd);
    return is_done;
}

static bool state_parse(struct sl_file_state *s, char *text)
{
    int is_open = 0;
    char *folder = strchr(text, '\n'), *end = folder ? strchr(folder + 1, '\n') : NULL;
    if (!end || strcmp(end, "\nend\n") != 0 || (size_t)(end - folder) > sizeof s->folder)
        return false;
    if (sscanf(text, STATE_FORM, &s->placement.maintainer_epoch, &s->placement.seq, &s->ts, &s->ddl_ts, &s->first,
               &s->length, &s->schema, &is_open) != 8)
        return false;
    s->is_open = is_open != 0;
    memcpy(s->folder, folder + 1, (size_t)(end - folder - 1));
    s->folder[end - folder - 1] = '\0';
    return true;
}

bool sl_file_state_load(struct sl_file_state *s, const char *directory, int64_t table_id, struct sl_trouble *t)
{
    char path[STATE_PATH_MAX], text[1024];
    memset(s, 0, sizeof *s);
    state_path(path, directory, table_id, ".state");
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT || sl_file_trouble(t, errno, "read a state file");
    ssize_t n = read(fd, text, sizeof text - 1);
    int error = errno;
    close(fd);
    if (n < 0)
        return sl_file_trouble(t, error, "read a state file");
    text[n] = '\0';
    if (state_parse(s, text))
        return true;
    t->table_id = table_id;
    return sl_trouble_set(t, SL_TROUBLE_LASTING, "SINK_DAMAGED", "restore the .sluice folder of the directory",
                          "file: the state file of table %" PRId64 " cannot be read", table_id);
}

bool sl_file_state_store(const struct sl_file_state *s, const char *directory, int64_t table_id, struct sl_trouble *t)
{
    char path[STATE_PATH_MAX], temporary[STATE_PATH_MAX], folder[STATE_PATH_MAX], text[1024];
    state_path(path, directory, table_id, ".state");
    state_path(temporary, directory, table_id, ".new");
    snprintf(folder, sizeof folder, "%s/.sluice", directory);
    int size = snprintf(text, sizeof text,
                        "sluice-file-state 1 %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64
                        " %" PRIx64 " %d\n%s\nend\n",
                        s->placement.maintainer_epoch, s->placement.seq, s->ts, s->ddl_ts, s->first, s->length,
                        s->schema, s->is_open, s->folder);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    bool is_done = fd >= 0 && write(fd, text, (size_t)size) == size && fdatasync(fd) == 0;
    if (!is_done)
        sl_file_trouble(t, errno, "write a state file");
    if (fd >= 0)
        close(fd);
    if (is_done && rename(temporary, path) != 0)
        is_done = sl_file_trouble(t, errno, "replace a state file");
    return is_done && sl_file_sync_folder(folder, t);
}
