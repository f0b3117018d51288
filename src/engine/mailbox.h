/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_ENGINE_MAILBOX_H
#define SL_ENGINE_MAILBOX_H

#include "base/units.h"

#include <pthread.h>
#include <stdbool.h>

/*
 * How threads hand work to each other: a bounded first-in-first-out queue with any number of producers. The consumer
 * takes all there is at once, so the lock is held for a swap of two pointers, and one wake serves a whole batch.
 *
 * Invariants:
 *   1. Order is kept per producer, and put-before-put over all of them.
 *   2. wake is called once for each time the queue goes from empty to not empty, by that producer, outside of the lock.
 *   3. A closed mailbox takes nothing more; what it holds can still be taken.
 */

/* The first member of what is sent. Whoever put it must not touch it until the consumer gives it back. */
struct sl_mail {
    struct sl_mail *next;
};

struct sl_mailbox {
    pthread_mutex_t mutex;
    pthread_cond_t filled;
    struct sl_mail *head, *tail;
    void (*wake)(void *ctx);
    void *ctx;
    uint32_t count, count_max;
    bool is_closed;
};

/* wake may be null (then the consumer blocks in sl_mailbox_wait or asks); it is called in the producer's thread. */
void sl_mailbox_init(struct sl_mailbox *m, uint32_t count_max, void (*wake)(void *ctx), void *ctx);
/* Must be empty and out of use by other threads. */
void sl_mailbox_deinit(struct sl_mailbox *m);

/* Any thread. False (the mail stays the caller's) if count_max are waiting or the mailbox is closed. */
bool sl_mailbox_put(struct sl_mailbox *m, struct sl_mail *mail);

/* Any thread, usually one. Everything that waits, oldest first, linked by next; null if nothing does. Never blocks. */
struct sl_mail *sl_mailbox_take(struct sl_mailbox *m);

/* As take, but blocks until there is something, the mailbox is closed, or the time is over (SL_NEVER: no limit). */
struct sl_mail *sl_mailbox_wait(struct sl_mailbox *m, sl_ns timeout_ns);

/* Any thread. Ends all waits. */
void sl_mailbox_close(struct sl_mailbox *m);
bool sl_mailbox_is_closed(struct sl_mailbox *m);

#endif
