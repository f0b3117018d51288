/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_SQLITE_SQLITE_STORE_H
#define SL_EDGE_SQLITE_SQLITE_STORE_H

#include "base/err.h"
#include "port/store.h"

struct uv_loop_s;

/*
 * The metadata store in one SQLite file, shared by the processes of one machine. A connection has a thread of its own
 * that does all the work on the file; the loop never waits for it.
 *
 * Contract of src/port/store.h, and beyond it:
 *   - Operations of one connection are performed in the order of their submit. Several that wait are put into one
 *     transaction of the file; each keeps its own result and revision, and all are answered after the commit.
 *   - OK of a critical operation survives a power cut (the file was synchronised). Any other survives the end of the
 *     process, and a power cut may take the newest of them, never one in the middle.
 *   - Leases are counted by CLOCK_BOOTTIME, which is the same for all processes of the machine and goes on while it
 *     sleeps. Any process ends leases that are due. After a reboot all leases are gone.
 *   - On a full or broken disk operations are REFUSED, or UNKNOWN if it broke during the commit; reads go on.
 *
 * The file must lie on a local file system. What looks like a file used by two machines at once is refused.
 */
struct sl_sqlite_opts {
    const char *path;           /* of the file; made if missing, its directory is not */
    sl_ns busy_ns;              /* how long an operation waits for other processes before it is REFUSED */
    sl_ns poll_ns;              /* how often the file is asked for changes by others while something is watched */
    sl_ns checkpoint_ns;        /* how often the write-ahead log is folded into the file */
    uint32_t op_count_max;      /* in flight; beyond that submit refuses */
    size_t op_bytes_max;        /* of all operations in flight */
    uint32_t history_count_max; /* changes kept for watches; older ones are compacted away */
    const char *boot_id;        /* null: this machine's; else, for tests, another one's */
    /*
     * Told in the loop thread when the store stops working (e says why and what to do) and when it works again
     * (e->code is SL_OK). May be null. Valid during the call.
     */
    void (*on_health)(void *ctx, const struct sl_err *e);
    void *health_ctx;
};
#define SL_SQLITE_OPTS_DEFAULT                                  \
    ((struct sl_sqlite_opts){ .busy_ns = 5 * SL_S,              \
                              .poll_ns = 5 * SL_MS,             \
                              .checkpoint_ns = 60 * SL_S,       \
                              .op_count_max = 4096,             \
                              .op_bytes_max = (size_t)64 << 20, \
                              .history_count_max = 20000 })

/*
 * Opens, checks and if need be makes the file; this part is synchronous and may wait busy_ns for other processes. The
 * strings of opts are copied. The loop must run for results to come. Errors, in one line with the remedy, nothing left
 * behind:
 *   BAD_CONFIG  the path (directory missing, no permission, read-only, a directory)
 *   MALFORMED   not a database, not one of ours, a newer format, or damaged
 *   REFUSED     shared between machines
 *   BUSY        locked by another process
 *   LIMIT       the disk is full
 *   NOMEM
 * *out is closed with sl_store_close; on_closed comes in the loop thread, when the thread has finished what it is doing: on a
 * disk that hangs this may be never. The memory is freed before it.
 */
SL_CHECKED enum sl_code sl_sqlite_store_open(struct sl_store **out, struct uv_loop_s *loop,
                                             const struct sl_sqlite_opts *opts, const struct sl_store_client *client,
                                             struct sl_err *err);

/* ---- without a loop, from any thread, for `sluice meta`; they block. Errors as above. ---- */

/* Copies the file as it is at one moment, also while it is in use, into dest, which must not exist (EXISTS). */
SL_CHECKED enum sl_code sl_sqlite_backup(const char *path, const char *dest, struct sl_err *err);

/*
 * Makes path a copy of a backup, without its leases, what hung on them and its history, a million revisions later, so
 * that what is written next is newer than what anybody has seen since the backup was made. Refused with EXISTS if there is a file at path: whoever restores moves the old one away first.
 */
SL_CHECKED enum sl_code sl_sqlite_restore(const char *src, const char *path, struct sl_err *err);

/*
 * Gives all keys that hang on no lease, ascending, as they are at one moment. each returns false to stop (REFUSED); what
 * pair points to is valid during the call.
 */
SL_CHECKED enum sl_code sl_sqlite_export(const char *path, bool (*each)(void *ctx, const struct sl_store_pair *pair),
                                         void *ctx, struct sl_err *err);

#endif
