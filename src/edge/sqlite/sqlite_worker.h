/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_SQLITE_SQLITE_WORKER_H
#define SL_EDGE_SQLITE_SQLITE_WORKER_H

#include "edge/sqlite/sqlite_internal.h"
#include "engine/mailbox.h"

/*
 * The thread of one connection. It takes operations from its inbox, and puts them back with their results into the outbox,
 * with batches of watches and changes of health between them, in the order in which the loop shall deliver them.
 *
 *   W1  Operations are performed in the order of the inbox, many in one transaction of the file. Nothing of it is put into
 *       the outbox before the commit.
 *   W2  An operation that fails before the commit is done again alone, so that it does not take others with it.
 *   W3  A commit that fails leaves in doubt what it held: it is UNKNOWN.
 *   W4  A watch has delivered every revision below its next one.
 */
enum sqlite_mail_kind { SQLITE_MAIL_TASK, SQLITE_MAIL_BATCH, SQLITE_MAIL_HEALTH };

struct sqlite_mail { /* first member of each below */
    struct sl_mail mail;
    enum sqlite_mail_kind kind;
};

struct sqlite_task { /* an operation; made and freed by the loop */
    struct sqlite_mail head;
    struct sqlite_task *older, *newer; /* of the loop: in flight, in the order of submit */
    bool is_answered;                  /* of the loop */
    sl_ns submitted;                   /* steady clock */
    size_t bytes;
    struct sl_store_op op; /* points behind this struct */
    struct sl_store_result result;
    struct sqlite_rows rows;
};

struct sqlite_batch { /* made by the thread, freed by the loop */
    struct sqlite_mail head;
    struct sl_store_watch_batch batch;
    struct sqlite_rows rows;
};

struct sqlite_health { /* same */
    struct sqlite_mail head;
    struct sl_err err;
};

#define SQLITE_WATCHES_MAX 64
#define SQLITE_UNREAD_MAX 256u /* room in the outbox beside one for each operation in flight */

struct sqlite_watch {
    sl_op_id id; /* 0 = free */
    char *prefix;
    size_t prefix_len;
    sl_revision next; /* first revision not delivered */
};

struct sqlite_worker {
    struct sqlite_db db;
    struct sl_mailbox inbox, outbox;
    atomic_bool stop, is_done;
    atomic_size_t unread_bytes, unread_count; /* of batches and health in the outbox */
    sl_ns busy_ns, poll_ns, checkpoint_ns;
    struct sl_mail *waiting, **waiting_end; /* tasks */
    uint32_t alone_count;                   /* so many of them are done one by one */
    struct sqlite_watch watches[SQLITE_WATCHES_MAX];
    uint32_t watch_count;
    int64_t data_version;
    bool is_fresh;           /* nothing changed since watches and first_end were brought up to date */
    sl_ns first_end;         /* of the first lease, on the lease clock */
    sl_ns expire_not_before; /* steady clock */
    sl_ns checkpoint_at;
    struct sl_err health; /* last told */
};

/* Runs until stop; closes the file; then is_done and a wake. */
void *sl__sqlite_worker_main(void *worker);

#endif
