/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/file/file_checkpoint.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CHECKPOINT_PATH "checkpoint"
#define CHECKPOINT_OLD_S 10
#define CHECKPOINT_TABLE (-1) /* whose lock and state keep it from going back; no table has this id */

/* Whether it is N.state, of a table. */
static bool checkpoint_table_of(int64_t *id, const char *name)
{
    char *end;
    errno = 0;
    long long number = strtoll(name, &end, 10);
    *id = number;
    return end != name && errno == 0 && strcmp(end, ".state") == 0 && number != CHECKPOINT_TABLE;
}

/* Under the table's lock anybody may: who goes on writing it begins another one. */
static bool checkpoint_finish_old(const struct sl_file_place *p, int64_t table_id, struct sl_trouble *t)
{
    struct sl_file_table f;
    int64_t old_s = (int64_t)time(NULL) - 2 * (int64_t)(p->opts->flush_ns / SL_S) - CHECKPOINT_OLD_S;
    if (!sl_file_table_take(&f, p->root, table_id, sl_file_format_suffix(p->opts->protocol), p->stop, t))
        return false;
    bool is_old = f.state.is_open && !f.is_changed && sl_file_table_is_older(&f, old_s);
    bool is_done = !is_old || (sl_file_table_finish(&f, t) && sl_file_tables_save(&f, 1, t));
    sl_file_table_drop(&f);
    return is_done;
}

/*
 * States are read without their locks: they are replaced as a whole. A file that is opened meanwhile begins behind the
 * feed's checkpoint, and one that is finished meanwhile makes the result smaller than it could be, no more.
 */
static bool checkpoint_look(const struct sl_file_place *p, DIR *folder, sl_ts *checkpoint, struct sl_trouble *t)
{
    sl_ts feed = *checkpoint;
    for (const struct dirent *e = readdir(folder); e; e = readdir(folder)) {
        struct sl_file_state s;
        int64_t table_id;
        if (!checkpoint_table_of(&table_id, e->d_name))
            continue;
        if (!sl_file_state_load(&s, p->root, table_id, t))
            return false;
        if (!s.is_open || s.first > feed)
            continue;
        *checkpoint = sl_ts_min(*checkpoint, s.first > 0 ? s.first - 1 : 0);
        if (!checkpoint_finish_old(p, table_id, t))
            return false;
    }
    return true;
}

static bool checkpoint_finished(const struct sl_file_place *p, sl_ts *checkpoint, struct sl_trouble *t)
{
    int fd = openat(p->root, SL_FILE_PRIVATE, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
    if (!folder) {
        sl_file_trouble(t, errno, "read the folder", SL_FILE_PRIVATE);
        if (fd >= 0)
            close(fd);
        return false;
    }
    bool is_done = checkpoint_look(p, folder, checkpoint, t);
    closedir(folder);
    return is_done;
}

static bool checkpoint_put(int root, sl_ts checkpoint, struct sl_trouble *t)
{
    char text[64];
    struct sl_file_state s;
    if (!sl_file_state_load(&s, root, CHECKPOINT_TABLE, t))
        return false;
    if (s.ts >= checkpoint)
        return true;
    s.ts = checkpoint;
    snprintf(text, sizeof text, "{\"checkpoint\":%" PRIu64 "}\n", checkpoint);
    return sl_file_put_whole(root, CHECKPOINT_PATH, sl_str_of(text), t) &&
           sl_file_state_prepare(&s, root, CHECKPOINT_TABLE, t) && sl_file_state_replace(root, CHECKPOINT_TABLE, t) &&
           sl_file_sync_folder(root, ".", t);
}

bool sl_file_checkpoint_show(const struct sl_file_place *p, sl_ts feed, bool *is_whole, struct sl_trouble *t)
{
    sl_ts checkpoint = feed;
    if (!checkpoint_finished(p, &checkpoint, t))
        return false;
    *is_whole = checkpoint == feed;
    int lock = sl_file_lock(p->root, CHECKPOINT_TABLE, p->stop, t);
    bool is_done = lock >= 0 && checkpoint_put(p->root, checkpoint, t);
    if (lock >= 0)
        close(lock);
    return is_done;
}
