/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/file/file_table.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TABLE_PATH_MAX (SL_FILE_FOLDER_MAX + 64u)
#define TABLE_TS "%020" PRIu64 /* names sort as numbers do */

/* ---- names ---- */

static bool table_is_plain(struct sl_str name, size_t i)
{
    char c = name.ptr[i];
    return (uint8_t)c >= 0x20 && c != 0x7f && !strchr("%/\\:*?\"<>|", c) && !(c == '.' && i == 0);
}

/* A name of the source as one of a folder: %XX for what file systems do not take. */
static void table_put_name(struct sl_text *out, struct sl_str name)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < name.len; i++) {
        const char escaped[3] = { '%', digits[(uint8_t)name.ptr[i] >> 4], digits[name.ptr[i] & 15] };
        bool is_plain = table_is_plain(name, i);
        sl_text_str(out, (struct sl_str){ is_plain ? name.ptr + i : escaped, is_plain ? 1 : 3 });
    }
}

bool sl_file_folder(char out[SL_FILE_FOLDER_MAX], struct sl_str schema, struct sl_str table)
{
    struct sl_text text;
    sl_text_init(&text, out, SL_FILE_FOLDER_MAX);
    sl_text_cstr(&text, "data/");
    table_put_name(&text, schema);
    sl_text_cstr(&text, "/");
    table_put_name(&text, table);
    return !text.cut;
}

static void table_part_path(const struct sl_file_table *f, char out[TABLE_PATH_MAX])
{
    snprintf(out, TABLE_PATH_MAX, "%s/" TABLE_TS ".part", f->state.folder, f->state.first);
}

static void table_final_path(const struct sl_file_table *f, char out[TABLE_PATH_MAX])
{
    snprintf(out, TABLE_PATH_MAX, "%s/" TABLE_TS "-" TABLE_TS "%s", f->state.folder, f->state.first, f->state.ts,
             f->suffix);
}

/* ---- in hand ---- */

static bool table_exists(int root, const char *path)
{
    struct stat st;
    return fstatat(root, path, &st, 0) == 0;
}

static bool table_lost(const struct sl_file_table *f, struct sl_trouble *t)
{
    sl_trouble_set(t, SL_TROUBLE_LASTING, "SINK_DAMAGED",
                   "restore the directory, or start a new feed into an empty one",
                   "file: the open file of table %" PRId64 " is gone or too short", f->id);
    t->table_id = f->id;
    return false;
}

/* A process that ended between the renaming and the saving has left a state that is one step behind. */
static bool table_repair(struct sl_file_table *f, struct sl_trouble *t)
{
    char part[TABLE_PATH_MAX], final[TABLE_PATH_MAX];
    if (!f->state.is_open)
        return true;
    table_part_path(f, part);
    table_final_path(f, final);
    if (table_exists(f->root, part))
        return true;
    if (!table_exists(f->root, final))
        return table_lost(f, t);
    f->state.is_open = false;
    f->is_changed = true;
    return true;
}

bool sl_file_table_take(struct sl_file_table *f, int root, int64_t id, const char *suffix, const _Atomic bool *stop,
                        struct sl_trouble *t)
{
    *f = (struct sl_file_table){ .root = root, .id = id, .lock = -1, .part = -1, .suffix = suffix };
    f->lock = sl_file_lock(root, id, stop, t);
    if (f->lock < 0)
        return false;
    if (sl_file_state_load(&f->state, root, id, t) && table_repair(f, t))
        return true;
    sl_file_table_drop(f);
    return false;
}

static void table_close_part(struct sl_file_table *f)
{
    if (f->part >= 0)
        close(f->part);
    f->part = -1;
}

void sl_file_table_drop(struct sl_file_table *f)
{
    table_close_part(f);
    if (f->lock >= 0)
        close(f->lock);
    f->lock = -1;
}

bool sl_file_table_check(const struct sl_file_table *f, struct sl_placement placement, struct sl_trouble *t)
{
    if (sl_placement_cmp(placement, f->state.placement) >= 0)
        return true;
    sl_trouble_set(t, SL_TROUBLE_STALE, "FENCED", "", "file: table %" PRId64 " has another owner", f->id);
    t->table_id = f->id;
    return false;
}

/* ---- the open file ---- */

/* What a killed process wrote behind the counted length goes. */
static bool table_reopen(struct sl_file_table *f, struct sl_trouble *t)
{
    char path[TABLE_PATH_MAX];
    struct stat st;
    table_part_path(f, path);
    f->part = openat(f->root, path, O_RDWR | O_CLOEXEC);
    if (f->part < 0 || fstat(f->part, &st) != 0)
        return errno == ENOENT ? table_lost(f, t) : sl_file_trouble(t, errno, "open", path);
    if ((uint64_t)st.st_size < f->state.length)
        return table_lost(f, t);
    return (uint64_t)st.st_size == f->state.length || ftruncate(f->part, (off_t)f->state.length) == 0 ||
           sl_file_trouble(t, errno, "cut", path);
}

static bool table_begin(struct sl_file_table *f, const char *folder, sl_ts first, struct sl_trouble *t)
{
    char path[TABLE_PATH_MAX];
    snprintf(f->state.folder, sizeof f->state.folder, "%s", folder);
    f->state.first = first;
    f->state.length = 0;
    f->state.is_open = f->is_changed = f->is_new = true;
    table_part_path(f, path);
    if (!sl_file_make_folder(f->root, folder, t))
        return false;
    f->part = openat(f->root, path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    return f->part >= 0 ? sl_file_sync_folder(f->root, folder, t) : sl_file_trouble(t, errno, "open", path);
}

bool sl_file_table_open(struct sl_file_table *f, const char *folder, sl_ts first, struct sl_trouble *t)
{
    if (f->part >= 0)
        return true;
    return f->state.is_open ? table_reopen(f, t) : table_begin(f, folder, first, t);
}

bool sl_file_tables_save(struct sl_file_table *tables, uint32_t count, struct sl_trouble *t)
{
    bool has_any = false;
    for (uint32_t i = 0; i < count; i++) {
        if (tables[i].part >= 0 && fdatasync(tables[i].part) != 0)
            return sl_file_trouble(t, errno, "sync a file of", tables[i].state.folder);
    }
    for (uint32_t i = 0; i < count; i++) {
        if (tables[i].is_changed && !sl_file_state_prepare(&tables[i].state, tables[i].root, tables[i].id, t))
            return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!tables[i].is_changed)
            continue;
        if (!sl_file_state_replace(tables[i].root, tables[i].id, t))
            return false;
        tables[i].is_changed = false;
        has_any = true;
    }
    return !has_any || sl_file_sync_folder(tables[0].root, SL_FILE_PRIVATE, t);
}

bool sl_file_table_is_older(const struct sl_file_table *f, int64_t than_s)
{
    char path[TABLE_PATH_MAX];
    struct stat st;
    table_part_path(f, path);
    return fstatat(f->root, path, &st, 0) == 0 && st.st_mtim.tv_sec < than_s;
}

bool sl_file_table_finish(struct sl_file_table *f, struct sl_trouble *t)
{
    char part[TABLE_PATH_MAX], final[TABLE_PATH_MAX];
    if (!f->state.is_open)
        return true;
    SL_REQUIRE(!f->is_changed);
    if (f->part < 0 && !table_reopen(f, t))
        return false;
    table_part_path(f, part);
    table_final_path(f, final);
    if (fsync(f->part) != 0)
        return sl_file_trouble(t, errno, "sync", part);
    if (renameat(f->root, part, f->root, final) != 0)
        return sl_file_trouble(t, errno, "rename", part);
    table_close_part(f);
    f->state.is_open = false;
    f->is_changed = true;
    return sl_file_sync_folder(f->root, f->state.folder, t);
}

/* ---- definitions ---- */

uint64_t sl_file_schema_digest(const struct sl_table_def *def, struct sl_file_out *out)
{
    sl_file_out_init(out, -1, 0);
    sl_file_format_schema(out, def);
    sl_file_out_flush(out);
    return out->hash;
}

bool sl_file_table_put_schema(struct sl_file_table *f, const char *folder, sl_ts from, const struct sl_table_def *def,
                              struct sl_file_out *out, struct sl_trouble *t)
{
    char temporary[TABLE_PATH_MAX], path[TABLE_PATH_MAX];
    snprintf(path, sizeof path, "%s/" TABLE_TS ".schema.json", folder, from);
    snprintf(temporary, sizeof temporary, "%s/" TABLE_TS ".new", folder, from);
    if (!sl_file_make_folder(f->root, folder, t))
        return false;
    int fd = openat(f->root, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
        return sl_file_trouble(t, errno, "open", temporary);
    sl_file_out_init(out, fd, 0);
    sl_file_format_schema(out, def);
    if (sl_file_out_flush(out) && fdatasync(fd) != 0)
        out->error = errno;
    close(fd);
    if (out->error != 0)
        return sl_file_trouble(t, out->error, "write", temporary);
    if (renameat(f->root, temporary, f->root, path) != 0)
        return sl_file_trouble(t, errno, "rename", temporary);
    return sl_file_sync_folder(f->root, folder, t);
}
