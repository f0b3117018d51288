/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_PORT_ROWS_H
#define SL_PORT_ROWS_H

#include "base/check.h"
#include "base/str.h"
#include "base/units.h"
#include "core/common/data_plane.h"

#include <stdatomic.h>

/*
 * What flows through a node: batches of row changes. A source fills a batch, the engine hands it to dispatchers by table,
 * sinks read it. A row is written once, by the source, and never copied again: whoever needs it later counts on the
 * batch. Rows of one table keep their order; so does the batch as a whole.
 *
 *   batch: through = 9, resolved = 9                  tables
 *     row 0  ts 7  t1  <----------------------------- t1: first row 0, last row 3
 *     row 1  ts 7  t2  <-------+--------------------- t2: first row 1, last row 1
 *     row 2  ts 9  t1  ...
 *
 * A batch has one writer until it is sealed, and any number of readers afterwards, in any thread.
 */

/* ---- values ---- */

enum sl_value_kind {
    SL_VALUE_ABSENT, /* the source did not say (a partial image) */
    SL_VALUE_NULL,
    SL_VALUE_INT,    /* int64 */
    SL_VALUE_UINT,   /* uint64; also YEAR, BIT, the index of an ENUM, the mask of a SET */
    SL_VALUE_DOUBLE, /* FLOAT too */
    SL_VALUE_TEXT,   /* characters in the column's charset; also DECIMAL, dates and times as the server spells them */
    SL_VALUE_BYTES,  /* BINARY, BLOB, geometry */
};

struct sl_value {
    uint8_t kind;  /* enum sl_value_kind */
    uint8_t spare; /* of the source */
    uint32_t len;  /* TEXT, BYTES */
    union {
        int64_t i;
        uint64_t u;
        double d;
        const uint8_t *ptr; /* TEXT, BYTES: in the batch; need not end in NUL */
    } v;
};

/* ---- tables ---- */

enum sl_column_flags {
    SL_COLUMN_KEY = 1, /* part of the primary key (or the key that takes its place) */
    SL_COLUMN_NULLABLE = 2,
    SL_COLUMN_UNSIGNED = 4,
    SL_COLUMN_GENERATED = 8, /* the sink computes it itself */
    SL_COLUMN_UNIQUE = 16,   /* part of another unique key */
};

struct sl_column {
    struct sl_str name;
    struct sl_str type; /* as declared ("decimal(10,2)"), or empty if the source does not know */
    uint32_t charset;   /* collation id of the MySQL family, 0 = none */
    uint16_t type_code; /* of the MySQL family's binlog; other sources choose the nearest */
    uint16_t meta;      /* likewise */
    uint32_t flags;     /* enum sl_column_flags */
};

/*
 * One version of a table's definition. Immutable; counted, because batches outlive the moment at which a DDL replaces
 * it. Made by a source, freed by the last batch that names it.
 */
struct sl_table_def {
    atomic_uint refs;
    int64_t table_id; /* of the source's catalogue: the same on every node, never 0 */
    int64_t schema_id;
    uint64_t version; /* larger after each DDL of the table */
    struct sl_str schema, table;
    uint32_t column_count;
    const struct sl_column *columns;
    void (*free)(struct sl_table_def *def);
};
struct sl_table_def *sl_table_def_ref(struct sl_table_def *def);
void sl_table_def_unref(struct sl_table_def *def); /* null allowed */

/* ---- batches ---- */

enum sl_row_op { SL_ROW_INSERT, SL_ROW_UPDATE, SL_ROW_DELETE };

struct sl_row {
    sl_ts ts;                              /* of its transaction */
    const struct sl_value *before, *after; /* column_count values each; null: no such image */
    uint32_t table;                        /* index of its table in the batch */
    uint32_t next;                         /* index of the same table's next row, or SL_ROW_NONE */
    uint8_t op;                            /* enum sl_row_op */
};
#define SL_ROW_NONE UINT32_MAX

struct sl_batch_table {
    struct sl_table_def *def;
    uint32_t first, last, count; /* rows */
};

/* What a change of the schema means for the tables that are replicated. */
enum sl_ddl_effect {
    SL_DDL_NOTHING, /* none of them is concerned */
    SL_DDL_OWN,     /* of one table alone, which stays: its own dispatcher performs it, between its rows */
    SL_DDL_MAKES,   /* tables or schemas come into being: the table trigger performs it, nobody has to wait */
    SL_DDL_JOINT,   /* reaches several tables, or drops or renames some: all concerned wait for each other */
    SL_DDL_REFUSED, /* cannot be replicated */
};

/*
 * A change of the schema. Ends its batch: rows before it are older, rows after it are in later batches. An id that goes
 * and comes in one change (two tables that swap their names) is in neither list.
 */
struct sl_ddl {
    sl_ts ts;
    struct sl_str gtid; /* of its transaction, as every server of the source's data knows it; empty: none */
    struct sl_str gtids_before, gtids; /* of the place in front of it, and of ts, as sl_batch_set_gtids says */
    enum sl_ddl_effect effect;
    const char *kind;                  /* "alter table": static */
    struct sl_str schema;              /* in which it was given */
    struct sl_str statement;           /* as it was given */
    struct sl_str table_schema, table; /* OWN: the names of the one table; may be empty */
    uint64_t mode;                     /* of the session that gave it (sql_mode) */
    enum sl_influence influence;
    int64_t schema_id;     /* influence DB */
    const int64_t *tables; /* OWN: the one; JOINT: those that have to wait, 0 (the table trigger) among them */
    const int64_t *dropped;
    const struct sl_added_table *added;
    uint32_t table_count, dropped_count, added_count;
};

/*
 * A portion of the rows that a table had before its log is followed (docs/decisions/0007-initial-copy.md), as inserts of
 * ts SL_CHUNK_TS. The batch holds nothing else. Chunks of one copy follow each other from number 1 without a gap.
 */
struct sl_chunk {
    uint64_t number;
    sl_ts low;  /* of the snapshot of chunk 1: from there on the log has to be applied */
    sl_ts high; /* of the snapshot of this one */
    bool is_last;
    bool is_gone;                     /* last, because the table is not there (any more) */
    bool is_void;                     /* the table was redefined: there are no rows, the copy has to begin again */
    struct sl_bytes place;            /* where the next chunk begins; meaningful to the source alone */
    uint64_t rows_before, rows_about; /* copied before this one; of the whole table, as the source guesses */
    struct sl_str schema, table;
    struct sl_str make_schema, make_table; /* statements of the source's dialect that define them; number 1 alone */
};
#define SL_CHUNK_TS ((sl_ts)1)
#define SL_COPY_PLACE_MAX 16384u

struct sl_batch;

/* Empty; holds one reference. Null without memory. */
struct sl_batch *sl_batch_new(void);
struct sl_batch *sl_batch_ref(struct sl_batch *b);
void sl_batch_unref(struct sl_batch *b); /* null allowed */

/* -- by the source, before it is sealed -- */

/*
 * Adds a row and makes room for its images; the caller fills in all values of those that it asked for (they start as
 * SL_VALUE_ABSENT). The row of a ts must not be older than the one before. False without memory: the batch is as before.
 */
struct sl_row_images {
    struct sl_value *before, *after;
};
SL_CHECKED bool sl_batch_add(struct sl_batch *b, struct sl_table_def *def, enum sl_row_op op, sl_ts ts,
                             struct sl_row_images *images);
/* The same for who writes all values anyway: they start as anything. */
SL_CHECKED bool sl_batch_add_uncleared(struct sl_batch *b, struct sl_table_def *def, enum sl_row_op op, sl_ts ts,
                                       struct sl_row_images *images);
/* Whether rows of def may be added: a batch has one definition of each table. */
bool sl_batch_takes(struct sl_batch *b, const struct sl_table_def *def);
/* Memory in the batch for the bytes of a value, 8-byte aligned; null without memory. */
uint8_t *sl_batch_bytes(struct sl_batch *b, size_t size);
/* Takes back all rows but the first row_count: the source says that they were rolled back. Their memory stays. */
void sl_batch_cut(struct sl_batch *b, uint32_t row_count);
/* Copies all it points to. Nothing may be added after it. */
SL_CHECKED bool sl_batch_set_ddl(struct sl_batch *b, const struct sl_ddl *ddl);
/* Before the rows are added, and instead of a change of the schema. Copies all it points to; takes def. */
SL_CHECKED bool sl_batch_set_chunk(struct sl_batch *b, struct sl_table_def *def, const struct sl_chunk *chunk);
/* Afterwards, still before it is sealed: what was not known before the rows. */
SL_CHECKED bool sl_batch_end_chunk(struct sl_batch *b, bool is_last, struct sl_bytes place);
/*
 * What sl_batch_rows_through is called by every server that has the source's data: the last transaction of each replication
 * domain up to it ("0-1-100,3-7-5", ascending). Copied. Never called, or empty: it is not known. Before it is sealed.
 */
SL_CHECKED bool sl_batch_set_gtids(struct sl_batch *b, struct sl_str gtids);
/*
 * Everything of the source up to and with through is in this batch or in an earlier one, so what has one ts is never split
 * over batches. arrived_ns: when the oldest row was read, on CLOCK_MONOTONIC.
 */
void sl_batch_seal(struct sl_batch *b, sl_ts through, sl_ns arrived_ns);

/* -- by anybody -- */

sl_ts sl_batch_through(const struct sl_batch *b);
/* How far one is who has the rows of the batch: not behind the change of the schema that ends it. */
sl_ts sl_batch_rows_through(const struct sl_batch *b);
struct sl_str sl_batch_gtids(const struct sl_batch *b); /* of rows_through; NUL-terminated */
sl_ns sl_batch_arrived(const struct sl_batch *b);
size_t sl_batch_size(const struct sl_batch *b); /* bytes of memory */
uint32_t sl_batch_row_count(const struct sl_batch *b);
const struct sl_row *sl_batch_row(const struct sl_batch *b, uint32_t index);
uint32_t sl_batch_table_count(const struct sl_batch *b);
const struct sl_batch_table *sl_batch_table(const struct sl_batch *b, uint32_t index);
/* The index of a table in the batch, or SL_ROW_NONE. */
uint32_t sl_batch_find_table(const struct sl_batch *b, int64_t table_id);
const struct sl_ddl *sl_batch_ddl(const struct sl_batch *b);     /* or null */
const struct sl_chunk *sl_batch_chunk(const struct sl_batch *b); /* or null */

/* The rows of one table of a batch whose ts is in (after, through]. A view; valid as long as the batch. */
struct sl_row_run {
    const struct sl_batch *batch;
    uint32_t table; /* index in the batch */
    sl_ts after, through;
};
/* The first row (row null) or the one after row; null at the end. */
const struct sl_row *sl_row_run_next(const struct sl_row_run *run, const struct sl_row *row);

#endif
