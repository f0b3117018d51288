/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_FILE_FILE_STATE_H
#define SL_EDGE_FILE_FILE_STATE_H

#include "edge/file/file_opts.h"
#include "port/sink.h"

#include <stdatomic.h>

/*
 * What is durable of a span, in .sluice/<table id>.state below the directory: all there is, and nothing else counts. It
 * is read and written under the lock of the span, .sluice/<table id>.lock. root is the opened directory.
 */
#define SL_FILE_FOLDER_MAX 600u
#define SL_FILE_STATE_BYTES_MAX 1024u

struct sl_file_state {
    struct sl_placement placement;
    sl_ts ts, ddl_ts; /* ddl_ts: of the last schema change that was written */
    sl_ts first;      /* of the open file */
    uint64_t length;  /* of the open file; what is behind it does not exist */
    uint64_t schema;  /* digest of its table's definition */
    bool is_open;
    char folder[SL_FILE_FOLDER_MAX]; /* of the last file, below the directory; may be empty */
};

/* False: text is not one that was stored whole; *s is zero. */
SL_CHECKED bool sl_file_state_parse(struct sl_file_state *s, struct sl_str text);
/* Into SL_FILE_STATE_BYTES_MAX bytes; the length. */
size_t sl_file_state_format(const struct sl_file_state *s, char *out);

/*
 * Takes the lock of a span: a file that the caller closes, or -1. Waits for whoever has it, but not for ever, and not
 * after *stop (null: nobody stops it).
 */
SL_CHECKED int sl_file_lock(int root, int64_t table_id, const _Atomic bool *stop, struct sl_trouble *t);
/* The same for a file that is open. */
SL_CHECKED bool sl_file_lock_wait(int fd, const _Atomic bool *stop, struct sl_trouble *t);
/* Under the lock. A span without a state has the zero state. */
SL_CHECKED bool sl_file_state_load(struct sl_file_state *s, int root, int64_t table_id, struct sl_trouble *t);
/* Under the lock. Prepared and durable, but not in place: the old one holds. */
SL_CHECKED bool sl_file_state_prepare(const struct sl_file_state *s, int root, int64_t table_id, struct sl_trouble *t);
/* In its place, atomically; durable after sl_file_sync_folder(root, SL_FILE_PRIVATE). */
SL_CHECKED bool sl_file_state_replace(int root, int64_t table_id, struct sl_trouble *t);
#define SL_FILE_PRIVATE ".sluice"

/* ---- files below the directory ---- */

/* PASSING: full, denied, input/output. path is relative to the directory and may be null. */
bool sl_file_trouble(struct sl_trouble *t, int error, const char *what, const char *path);
/* Makes it and those above it, durably. */
SL_CHECKED bool sl_file_make_folder(int root, const char *folder, struct sl_trouble *t);
SL_CHECKED bool sl_file_sync_folder(int root, const char *path, struct sl_trouble *t);
/* A file with this content, atomic and durable but for its folder's entry. */
SL_CHECKED bool sl_file_put_whole(int root, const char *path, struct sl_str content, struct sl_trouble *t);
/* Reads at most size - 1 bytes and ends them in NUL; *is_there is false if there is no such file. */
SL_CHECKED bool sl_file_get_whole(int root, const char *path, char *out, size_t size, size_t *length, bool *is_there,
                                  struct sl_trouble *t);

#endif
