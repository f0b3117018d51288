/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_PORT_SOURCE_H
#define SL_PORT_SOURCE_H

#include "base/secret.h"
#include "port/marks.h"
#include "port/rows.h"
#include "port/trouble.h"

/*
 * A source of changes as the engine sees it. A driver is a static table of functions, chosen by the scheme of the URI.
 * All calls may block and are made in threads of the engine, never in the loop thread; calls on one reader come from one
 * thread, but for interrupt. Functions are true on success; otherwise they fill *t.
 *
 * Contract:
 *   S1  ts is a total order of the source's commits, the same on every node and for every reader.
 *   S2  A reader opened from ts gives every change after ts, once, in order: all of one transaction have one ts, unless it
 *       is so large that the driver splits it; its parts then have growing ts, the same for every reader.
 *   S3  through never goes back, and grows without rows where the source can tell that there are none (idle tables).
 *   S4  Table ids are the source's own, the same on every node and in list.
 *   S5  A driver that cannot replicate something exactly says so (LASTING) before it loses a row.
 */
struct sl_source_table {
    int64_t table_id, schema_id;
    struct sl_str schema, table;
    bool has_no_key; /* of list with wants_keys: there is no primary key, nor one that takes its place */
};

struct sl_source_open {
    struct sl_secret uri;
    struct sl_secret config; /* the feed's flattened configuration (filters); may be empty */
    bool wants_keys;
    sl_ts from; /* the first change wanted is the first one after it */
    /* list: asked now and then; true: nobody waits for the answer any more (trouble ENDED). May be null. */
    bool (*is_over)(void *ctx);
    void *ctx;
};

struct sl_reader { /* the first member of a driver's own struct */
    const struct sl_source_driver *driver;
};

/*
 * The rows that a table has before its log is followed, chunk by chunk (docs/decisions/0007-initial-copy.md). One that
 * copies serves any number of tables, one after the other; calls come from one thread, but for interrupt.
 *
 *   S6  Each chunk shows the table as it is at one ts (its high), and no ts of a chunk is below not_before.
 *   S7  A chunk after place holds the rows that follow it in the order of the key; the chunk is_last if there are no more.
 *   S8  A table that is defined otherwise than when place was made gives a chunk that is_void.
 */
struct sl_copier { /* the first member of a driver's own struct */
    const struct sl_source_driver *driver;
};

struct sl_copy_ask {
    int64_t table_id;
    sl_ts not_before;
    uint64_t number;       /* of the chunk that is wanted, from 1 */
    struct sl_bytes place; /* of the chunk before it */
    sl_ts low;             /* likewise */
    uint64_t rows_before, rows_about;
    uint32_t rows_max;
    size_t bytes_max;
};

struct sl_source_driver {
    const char *schemes; /* separated by spaces: "mysql mariadb" */
    /* Checks the text of the URI only: unknown parameters, missing parts. */
    bool (*check)(struct sl_secret uri, struct sl_trouble *t);
    bool (*open)(struct sl_reader **out, const struct sl_source_open *o, struct sl_trouble *t);
    /*
     * Fills and seals an empty batch: as many changes as are there, up to about bytes_max of memory; waits up to
     * wait_ns for the first one. Without any change through may still have grown. After a trouble the reader can only
     * be closed.
     */
    bool (*read)(struct sl_reader *r, struct sl_batch *into, size_t bytes_max, sl_ns wait_ns, struct sl_trouble *t);
    /* Any thread: a read that runs, and every later one, ends soon (trouble ENDED, or success). */
    void (*interrupt)(struct sl_reader *r);
    void (*close)(struct sl_reader *r);
    /* Calls each for every table that exists at o->from, in order of table id; false from each ends it. */
    bool (*list)(const struct sl_source_open *o, bool (*each)(void *ctx, const struct sl_source_table *table),
                 void *ctx, struct sl_trouble *t);
    /* The ts of now: everything committed before the call is at or before it. */
    bool (*head)(sl_ts *out, struct sl_secret uri, struct sl_trouble *t);
    /* Null, all four: rows that are there already cannot be copied. o->from means nothing. */
    bool (*copy_open)(struct sl_copier **out, const struct sl_source_open *o, struct sl_trouble *t);
    /* Fills and seals an empty batch with a chunk. After a trouble it can only be closed. */
    bool (*copy_read)(struct sl_copier *c, const struct sl_copy_ask *ask, struct sl_batch *into, struct sl_trouble *t);
    void (*copy_interrupt)(struct sl_copier *c); /* any thread: a read that runs ends soon */
    void (*copy_close)(struct sl_copier *c);
    /*
     * Another server with the same data, both null if there cannot be one. succeed writes the URI under which it is read, so
     * that each of its ts is above last. find_marks finds what stands behind the base in its log, exactly, and sets moved of the
     * base and of those; otherwise LASTING, with what is missing.
     */
    bool (*succeed)(struct sl_secret uri, sl_ts last, char *out, size_t size, struct sl_trouble *t);
    bool (*find_marks)(struct sl_secret uri, struct sl_marks *marks, struct sl_trouble *t);
};

/* The driver of the URI's scheme; null (trouble UNKNOWN_SCHEME, BAD_URI) if there is none. drivers ends in null. */
const struct sl_source_driver *sl_source_find(const struct sl_source_driver *const *drivers, struct sl_secret uri,
                                              struct sl_trouble *t);

#endif
