/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/mailbox.h"
#include "tests/support/sl_test.h"

#include <stdatomic.h>

#define PRODUCERS 4u
#define LETTERS 5000u

struct letter {
    struct sl_mail mail; /* first */
    uint32_t producer, number;
};

static struct letter letters[PRODUCERS][LETTERS];
static struct sl_mailbox box;
static atomic_uint wakes;

static void count_wake(void *ctx)
{
    atomic_fetch_add((atomic_uint *)ctx, 1);
}

static void what_is_put_comes_out_in_order_with_one_wake(void **state)
{
    (void)state;
    struct letter *mine = letters[0];
    atomic_store(&wakes, 0);
    sl_mailbox_init(&box, 10, count_wake, &wakes);
    assert_null(sl_mailbox_take(&box));
    for (uint32_t i = 0; i < 3; i++)
        assert_true(sl_mailbox_put(&box, &mine[i].mail));
    sl_assert_u64(atomic_load(&wakes), 1);
    struct sl_mail *all = sl_mailbox_take(&box);
    for (uint32_t i = 0; i < 3; i++, all = all->next)
        assert_true(all == &mine[i].mail);
    assert_null(all);
    assert_true(sl_mailbox_put(&box, &mine[0].mail));
    sl_assert_u64(atomic_load(&wakes), 2);
    assert_true(sl_mailbox_take(&box) == &mine[0].mail);
    sl_mailbox_deinit(&box);
}

static void full_mailbox_takes_nothing_more(void **state)
{
    (void)state;
    struct letter *mine = letters[0];
    sl_mailbox_init(&box, 2, NULL, NULL);
    assert_true(sl_mailbox_put(&box, &mine[0].mail));
    assert_true(sl_mailbox_put(&box, &mine[1].mail));
    assert_false(sl_mailbox_put(&box, &mine[2].mail));
    sl_mailbox_take(&box);
    assert_true(sl_mailbox_put(&box, &mine[2].mail));
    sl_mailbox_take(&box);
    sl_mailbox_deinit(&box);
}

static void closed_mailbox_refuses_but_gives_what_it_has(void **state)
{
    (void)state;
    struct letter *mine = letters[0];
    sl_mailbox_init(&box, 2, NULL, NULL);
    assert_true(sl_mailbox_put(&box, &mine[0].mail));
    sl_mailbox_close(&box);
    assert_true(sl_mailbox_is_closed(&box));
    assert_false(sl_mailbox_put(&box, &mine[1].mail));
    assert_true(sl_mailbox_wait(&box, SL_NEVER) == &mine[0].mail);
    assert_null(sl_mailbox_wait(&box, SL_NEVER));
    sl_mailbox_deinit(&box);
}

static void wait_ends_when_the_time_is_over(void **state)
{
    (void)state;
    sl_mailbox_init(&box, 2, NULL, NULL);
    assert_null(sl_mailbox_wait(&box, SL_MS));
    sl_mailbox_deinit(&box);
}

static void *produce(void *arg)
{
    struct letter *mine = arg;
    for (uint32_t i = 0; i < LETTERS; i++) {
        mine[i].number = i;
        while (!sl_mailbox_put(&box, &mine[i].mail))
            continue; /* full: the consumer is at it */
    }
    return NULL;
}

static void producers_in_threads_lose_nothing_and_keep_their_order(void **state)
{
    (void)state;
    pthread_t threads[PRODUCERS];
    uint32_t next[PRODUCERS] = { 0 }, total = 0;
    sl_mailbox_init(&box, 100, NULL, NULL);
    for (uint32_t p = 0; p < PRODUCERS; p++) {
        for (uint32_t i = 0; i < LETTERS; i++)
            letters[p][i].producer = p;
        sl_assert_i64(pthread_create(&threads[p], NULL, produce, letters[p]), 0);
    }
    while (total < PRODUCERS * LETTERS) {
        for (struct sl_mail *mail = sl_mailbox_wait(&box, SL_NEVER); mail; mail = mail->next, total++) {
            const struct letter *l = (const struct letter *)mail;
            sl_assert_u64(l->number, next[l->producer]);
            next[l->producer]++;
        }
    }
    for (uint32_t p = 0; p < PRODUCERS; p++)
        pthread_join(threads[p], NULL);
    assert_null(sl_mailbox_take(&box));
    sl_mailbox_deinit(&box);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_put_comes_out_in_order_with_one_wake),
        cmocka_unit_test(full_mailbox_takes_nothing_more),
        cmocka_unit_test(closed_mailbox_refuses_but_gives_what_it_has),
        cmocka_unit_test(wait_ends_when_the_time_is_over),
        cmocka_unit_test(producers_in_threads_lose_nothing_and_keep_their_order),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
