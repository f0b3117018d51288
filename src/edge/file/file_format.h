/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_FILE_FILE_FORMAT_H
#define SL_EDGE_FILE_FILE_FORMAT_H

#include "edge/file/file_charset.h"
#include "edge/file/file_opts.h"
#include "edge/file/file_out.h"

#define SL_FILE_COLUMNS_MAX 4096u /* those behind it are written in base64 if they are text */

/* Rows and schema changes as lines (docs/file-sink.md). What went wrong with the file is in out->error. */
struct sl_file_format {
    struct sl_file_out *out;
    struct sl_file_charsets *charsets;
    enum sl_file_protocol protocol;
    uint64_t now_ms;       /* wall clock, shown as ts of canal-json, ts_ms of debezium */
    struct sl_str feed;    /* its name */
    bool is_out_of_memory; /* a line is not whole */
    /* of the row being written: columns, and whether there are any, with text that is not valid in its charset */
    uint64_t marks[SL_FILE_COLUMNS_MAX / 64];
    bool has_marks;
};

const char *sl_file_format_suffix(enum sl_file_protocol protocol); /* ".json", ".csv" */

void sl_file_format_row(struct sl_file_format *f, const struct sl_table_def *def, const struct sl_row *row);
void sl_file_format_ddl(struct sl_file_format *f, const struct sl_ddl *ddl);

/* The definition of a table as a JSON object: columns, types, keys. */
void sl_file_format_schema(struct sl_file_out *o, const struct sl_table_def *def);

#endif
