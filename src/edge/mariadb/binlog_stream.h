/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_MARIADB_BINLOG_STREAM_H
#define SL_EDGE_MARIADB_BINLOG_STREAM_H

#include "base/units.h"
#include "edge/mariadb/binlog_inflate.h"
#include "edge/mariadb/binlog_payload.h"
#include "edge/mariadb/binlog_table.h"
#include "port/rows.h"

/*
 * The events of a dump connection, one after the other, become groups (transactions and statements that change the
 * schema) with a position. Bytes in, items out, no I/O.
 *
 *              FORMAT             GTID                      rows, XID / COMMIT
 *   STARTING ----------> BETWEEN -----------------> INSIDE --------------------> BETWEEN
 *      ^  ROTATE to another  |  \-- GTID standalone --> STANDALONE -- QUERY ---> BETWEEN
 *      '---------------------'
 * MySQL does not say with the GTID what follows:  BETWEEN -- GTID --> OPENING -- BEGIN --> INSIDE
 *                                                                        \-- another QUERY: a schema change --> BETWEEN
 * A compressed transaction of MySQL has all that comes behind its GTID in one event: sl_binlog_stream_more gives its items.
 *   -> FAILED from any of them; stays there: the connection has to be opened anew
 *
 * Position of a group: ts = epoch:8 | number of the file:24 | start offset of its GTID event:32. It grows strictly. A
 * group that crosses 4 GiB still starts below it; a later group in the same file would not, and is refused.
 *
 * What may be trusted, by state:
 *   STARTING    nothing: neither the lengths of events nor whether they carry checksums.
 *   BETWEEN     the format, and that everything up to the position is complete: the one state to resume from.
 *   OPENING     a GTID, and with it the position. Not yet what the group is.
 *   INSIDE      the tables of this statement (B3). Not that the group will be committed: only its last item says so.
 *   STANDALONE  that one statement follows, which the source has committed already.
 *   FAILED      the text. No event is looked at any more.
 *
 * A large group has several: its rows count bytes (as they are after decompression), and each whole SL_BINLOG_PART_BYTES
 * begins another part of it. So ts is a function of the log alone, whoever reads it and from where. The ts of a part is an
 * offset inside of the group at which nothing begins; one can tell by its low bits that it may be such a one. Rows may
 * compress to less than there are such offsets in their event; then what is left of them is one part. The rows of
 * CREATE TABLE ... SELECT come one behind the ts of their group, which is that of the statement.
 *
 * Rows may be taken back: by a return to a savepoint, or because the group ends with ROLLBACK. A server writes such
 * groups when something in the transaction could not be rolled back (a temporary table, a table without transactions),
 * and nothing in front of them tells.
 *
 * Invariants:
 *   B1  items of a group come between its BEGIN and an item with ends_group; groups do not nest.
 *   B2  ts of BEGIN items grows strictly, and is above that of all parts of the group before.
 *   B3  a table that a ROWS item names is as the last TABLE_MAP of the same statement said; ids of other server runs
 *       or files are forgotten (the same id may mean another table).
 *   B4  what cannot be replicated exactly (statement format, XA, incidents, unknown events) ends in FAILED with a
 *       text that names the position and the setting to change. Nothing is skipped silently.
 */
enum sl_binlog_state {
    SL_BINLOG_STARTING,
    SL_BINLOG_BETWEEN,
    SL_BINLOG_OPENING,
    SL_BINLOG_INSIDE,
    SL_BINLOG_STANDALONE,
    SL_BINLOG_FAILED,
};

enum sl_binlog_item_kind {
    SL_BINLOG_NOTHING, /* nothing to tell */
    SL_BINLOG_BEGIN,
    SL_BINLOG_ROWS,
    SL_BINLOG_SAVEPOINT, /* name */
    SL_BINLOG_UNDO,      /* all rows since the savepoint of this name never happened */
    SL_BINLOG_STATEMENT, /* a schema change: DDL as its writer spelled it */
    SL_BINLOG_END,       /* of a group without a statement */
    SL_BINLOG_IDLE,      /* heartbeat: the source has nothing newer than ts */
    SL_BINLOG_FILE,      /* the log goes on in another file */
};

struct sl_binlog_rows {
    enum sl_row_op op;
    const struct sl_binlog_table *table;
    struct sl_bytes before_present, after_present; /* bitmaps of columns; INSERT has no before, DELETE no after */
    uint32_t before_count, after_count;            /* set bits */
    struct sl_bytes rows;
};

struct sl_binlog_item {
    enum sl_binlog_item_kind kind;
    bool ends_group;
    bool ends_part;             /* ROWS: the next ones have another ts */
    bool is_undone;             /* END: no row of the group ever happened */
    sl_ts ts;                   /* of the group; ROWS, END: of the part; IDLE: everything up to it has come */
    uint32_t time;              /* seconds, as the source says */
    struct sl_binlog_gtid gtid; /* of a BEGIN; not set in other kinds, nor are the next two */
    struct sl_binlog_rows rows;
    struct sl_binlog_query statement;
    struct sl_str name;
};

struct sl_binlog_stream_opts {
    uint8_t epoch;
    bool is_checksum_announced; /* what was negotiated: counts until the first format description */
    bool verifies_checksums;
    size_t inflate_bytes_max;
    uint32_t table_count_max;
};

struct sl_binlog_stream {
    struct sl_binlog_stream_opts opts;
    enum sl_binlog_state state;
    struct sl_binlog_format format;
    char file[256];
    uint32_t file_number;
    struct sl_binlog_gtid gtid; /* of the open group */
    sl_ts group_ts, last_ts;    /* of the open group; of the last one begun */
    sl_ts rows_ts;              /* of its first rows */
    uint64_t group_bytes;       /* of its rows */
    uint32_t group_end;      /* last offset that a part of it may have; where the end is not known, the last of all */
    bool at_statement_start; /* no row of the statement has come: the tables may be forgotten */
    struct sl_binlog_table **tables; /* open addressing by id */
    uint32_t table_count, table_cap;
    uint64_t serial_last;
    struct sl_inflate_buffer inflated;
    struct sl_payload payload;
    struct sl_binlog_event payload_event; /* the one that is open, without its body */
};

/* SL_NOMEM. */
SL_CHECKED enum sl_code sl_binlog_stream_init(struct sl_binlog_stream *s, const struct sl_binlog_stream_opts *opts);
void sl_binlog_stream_deinit(struct sl_binlog_stream *s);

/*
 * One event, without the OK byte before it. *item is valid until the next call, what it points to as long as bytes and
 * until the next call. Not SL_OK: the stream is FAILED, *err says why and what to do; the same from then on.
 *
 * While the stream has more, the event was a whole transaction: bytes have to stay, and no other event may be fed before
 * sl_binlog_stream_more, which is to feed without an event, has given all of its items.
 */
SL_CHECKED enum sl_code sl_binlog_stream_feed(struct sl_binlog_stream *s, struct sl_bytes bytes,
                                              struct sl_binlog_item *item, struct sl_err *err);
SL_CHECKED enum sl_code sl_binlog_stream_more(struct sl_binlog_stream *s, struct sl_binlog_item *item,
                                              struct sl_err *err);

static inline bool sl_binlog_stream_has_more(const struct sl_binlog_stream *s)
{
    return s->payload.is_open && s->state != SL_BINLOG_FAILED;
}

static inline sl_ts sl_binlog_ts(uint8_t epoch, uint32_t file_number, uint32_t pos)
{
    return (sl_ts)epoch << 56 | (sl_ts)file_number << 32 | pos;
}

static inline uint8_t sl_binlog_epoch(sl_ts ts)
{
    return (uint8_t)(ts >> 56);
}

/* Checkpoints are made of these numbers: they never change. */
#define SL_BINLOG_PART_BYTES (UINT64_C(4) << 20)
#define SL_BINLOG_PART_STEP \
    2048u /* a part takes more of a log than this, also if its events are compressed one by one */

/*
 * Of rows that have bytes of the group's before them. Always below the next group: behind end, the last offset that may be
 * used, the rest of the group is one part.
 */
static inline sl_ts sl_binlog_part_ts(sl_ts group, uint64_t bytes, uint32_t end)
{
    uint64_t part = bytes / SL_BINLOG_PART_BYTES;
    uint64_t base = (group & UINT32_MAX) | (SL_BINLOG_PART_STEP - 1);
    if (part == 0 || base > end)
        return group;
    uint64_t most = (end - base) / SL_BINLOG_PART_STEP;
    return (group & ~(sl_ts)UINT32_MAX) | (base + (part < most ? part : most) * SL_BINLOG_PART_STEP);
}

/* What stands at this offset may be a row, which can say anything: nobody may take it for an event. */
static inline bool sl_binlog_may_be_part(uint32_t pos)
{
    return (pos & (SL_BINLOG_PART_STEP - 1)) == SL_BINLOG_PART_STEP - 1;
}

#endif
