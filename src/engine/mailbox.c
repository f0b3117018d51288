/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/mailbox.h"

#include "base/check.h"

#include <errno.h>
#include <stddef.h>
#include <time.h>

void sl_mailbox_init(struct sl_mailbox *m, uint32_t count_max, void (*wake)(void *ctx), void *ctx)
{
    SL_REQUIRE(count_max > 0);
    *m = (struct sl_mailbox){ .wake = wake, .ctx = ctx, .count_max = count_max };
    pthread_condattr_t monotonic;
    int failed = pthread_mutex_init(&m->mutex, NULL) | pthread_condattr_init(&monotonic) |
                 pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) | pthread_cond_init(&m->filled, &monotonic);
    SL_REQUIRE(failed == 0);
    pthread_condattr_destroy(&monotonic);
}

void sl_mailbox_deinit(struct sl_mailbox *m)
{
    SL_REQUIRE(m->head == NULL);
    pthread_cond_destroy(&m->filled);
    pthread_mutex_destroy(&m->mutex);
}

bool sl_mailbox_put(struct sl_mailbox *m, struct sl_mail *mail)
{
    pthread_mutex_lock(&m->mutex);
    bool is_taken = !m->is_closed && m->count < m->count_max;
    bool was_empty = m->head == NULL;
    if (is_taken) {
        mail->next = NULL;
        if (was_empty)
            m->head = mail;
        else
            m->tail->next = mail;
        m->tail = mail;
        m->count++;
        if (was_empty)
            pthread_cond_signal(&m->filled);
    }
    pthread_mutex_unlock(&m->mutex);
    if (is_taken && was_empty && m->wake)
        m->wake(m->ctx);
    return is_taken;
}

static struct sl_mail *mailbox_swap(struct sl_mailbox *m)
{
    struct sl_mail *all = m->head;
    m->head = m->tail = NULL;
    m->count = 0;
    return all;
}

struct sl_mail *sl_mailbox_take(struct sl_mailbox *m)
{
    pthread_mutex_lock(&m->mutex);
    struct sl_mail *all = mailbox_swap(m);
    pthread_mutex_unlock(&m->mutex);
    return all;
}

static struct timespec mailbox_deadline(sl_ns timeout_ns)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    sl_ns end = sl_ns_after((sl_ns)t.tv_sec * SL_S + t.tv_nsec, timeout_ns);
    return (struct timespec){ .tv_sec = end / SL_S, .tv_nsec = end % SL_S };
}

struct sl_mail *sl_mailbox_wait(struct sl_mailbox *m, sl_ns timeout_ns)
{
    struct timespec deadline = timeout_ns == SL_NEVER ? (struct timespec){ 0 } : mailbox_deadline(timeout_ns);
    int result = 0;
    pthread_mutex_lock(&m->mutex);
    while (m->head == NULL && !m->is_closed && result != ETIMEDOUT) {
        if (timeout_ns == SL_NEVER)
            pthread_cond_wait(&m->filled, &m->mutex);
        else
            result = pthread_cond_timedwait(&m->filled, &m->mutex, &deadline);
    }
    struct sl_mail *all = mailbox_swap(m);
    pthread_mutex_unlock(&m->mutex);
    return all;
}

void sl_mailbox_close(struct sl_mailbox *m)
{
    pthread_mutex_lock(&m->mutex);
    m->is_closed = true;
    pthread_cond_broadcast(&m->filled);
    pthread_mutex_unlock(&m->mutex);
}

bool sl_mailbox_is_closed(struct sl_mailbox *m)
{
    pthread_mutex_lock(&m->mutex);
    bool is_closed = m->is_closed;
    pthread_mutex_unlock(&m->mutex);
    return is_closed;
}
