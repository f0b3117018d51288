/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_FILE_FILE_TABLE_H
#define SL_EDGE_FILE_FILE_TABLE_H

#include "edge/file/file_format.h"
#include "edge/file/file_state.h"

/*
 * The files of one span, in the hands of one process at a time: from take to drop it has the span's lock.
 *
 *              open            rows, schema changes       save             finish
 *   no file ---------> .part -----------------------> durable, counted ---------> named by its first and last ts, final
 *                        ^                                     |
 *                        +-------------------------------------+
 *
 * Only what the stored state counts exists: a .part may be longer after a crash and is cut when it is opened again.
 */
struct sl_file_table {
    int root;
    int64_t id;
    int lock, part; /* files, -1: not open */
    const char *suffix;
    struct sl_file_state state;
    bool is_changed; /* state: since it was loaded or saved */
    bool is_new;     /* its .part was made since it was taken */
};

/* The table trigger's, and of a table. False: the names are too long. */
#define SL_FILE_DDL_FOLDER "ddl"
SL_CHECKED bool sl_file_folder(char out[SL_FILE_FOLDER_MAX], struct sl_str schema, struct sl_str table);

/* Waits for the lock and loads the state. False: nothing is held. */
SL_CHECKED bool sl_file_table_take(struct sl_file_table *f, int root, int64_t id, const char *suffix,
                                   const _Atomic bool *stop, struct sl_trouble *t);
void sl_file_table_drop(struct sl_file_table *f);

/* STALE if a larger placement owns the span. */
SL_CHECKED bool sl_file_table_check(const struct sl_file_table *f, struct sl_placement placement, struct sl_trouble *t);

/* The .part that is open, or a new one that begins with first. */
SL_CHECKED bool sl_file_table_open(struct sl_file_table *f, const char *folder, sl_ts first, struct sl_trouble *t);

/* Several at once, since what is durable together costs less: first everything written, then the states, then in place. */
SL_CHECKED bool sl_file_tables_save(struct sl_file_table *tables, uint32_t count, struct sl_trouble *t);

/* Whether the .part was last written before that wall clock time, in seconds. */
bool sl_file_table_is_older(const struct sl_file_table *f, int64_t than_s);

/* The .part gets its final name; the state, which must have been saved, is changed. Without a .part no effect. */
SL_CHECKED bool sl_file_table_finish(struct sl_file_table *f, struct sl_trouble *t);

/* The definition that holds from this ts on, beside the files of the folder. */
SL_CHECKED bool sl_file_table_put_schema(struct sl_file_table *f, const char *folder, sl_ts from,
                                         const struct sl_table_def *def, struct sl_file_out *out, struct sl_trouble *t);
uint64_t sl_file_schema_digest(const struct sl_table_def *def, struct sl_file_out *out);

#endif
