/* SPDX-License-Identifier: Apache-2.0 */
#include "base/prng.h"
#include "tests/support/plane_driver.h"
#include "tests/support/sl_test.h"

#include <stdio.h>
#include <time.h>

/*
 * Random histories of two nodes that share a source and a sink: tables open, close and move, nodes crash and are fenced,
 * source and sink fail and hang. After every step some table's checkpoint is compared with what is in the sink; at
 * the end everything must be there, once.
 */
#define HISTORY_TABLES 12u
#define HISTORY_NODES 2u
#define HISTORY_STEPS 400u

enum history_stage { STAGE_NONE, STAGE_RUNS, STAGE_CLOSES };

struct history_table {
    enum history_stage stage;
    uint32_t node;
    sl_dispatcher_token token;
    sl_ts checkpoint; /* from which its next dispatcher starts */
};

static struct plane_driver nodes[HISTORY_NODES];
static struct history_table tables[HISTORY_TABLES + 1];
static struct sl_prng prng;
static uint64_t token_next, placement_next;

static uint32_t draw(uint32_t count)
{
    return (uint32_t)(sl_prng_below(&prng, count));
}

/* What a dispatcher said last is all that anybody knows of it. */
static void history_settle(void)
{
    for (uint32_t i = 1; i <= HISTORY_TABLES; i++) {
        struct history_table *t = &tables[i];
        if (t->stage == STAGE_NONE)
            continue;
        const struct plane_view *v = &nodes[t->node].views[t->token];
        t->checkpoint = sl_ts_max(t->checkpoint, plane_driver_checkpoint(&nodes[t->node], t->token));
        if (v->is_closed || v->has_failed)
            t->stage = STAGE_NONE;
        if (!plane_model_has(i, t->checkpoint))
            fail_msg("table %u: its checkpoint %llu passed what is durable, %llu (follows %d, own %llu, feed %llu, "
                     "closed %d, "
                     "failed %d, stage %d, reports %u)",
                     i, (unsigned long long)t->checkpoint, (unsigned long long)plane_model_durable(i), v->follows,
                     (unsigned long long)v->checkpoint, (unsigned long long)nodes[t->node].progress, v->is_closed,
                     v->has_failed, (int)t->stage, v->reports);
    }
}

static void history_poll(void)
{
    for (uint32_t i = 0; i < HISTORY_NODES; i++)
        plane_driver_step(&nodes[i]);
    history_settle();
}

static void history_open_table(uint32_t table, uint32_t node)
{
    struct history_table *t = &tables[table];
    if (t->stage != STAGE_NONE)
        return;
    *t = (struct history_table){ STAGE_RUNS, node, token_next++, t->checkpoint };
    plane_driver_start(&nodes[node], t->token, table, t->checkpoint, (struct sl_placement){ 1, placement_next++ });
}

static void history_close_table(uint32_t table)
{
    struct history_table *t = &tables[table];
    if (t->stage != STAGE_RUNS)
        return;
    t->stage = STAGE_CLOSES;
    plane_driver_stop(&nodes[t->node], t->token);
}

static void history_forget(uint32_t node)
{
    for (uint32_t i = 1; i <= HISTORY_TABLES; i++)
        if (tables[i].node == node)
            tables[i].stage = STAGE_NONE;
}

static void history_crash(uint32_t node)
{
    plane_driver_close(&nodes[node]);
    history_forget(node);
    plane_driver_open(&nodes[node], NULL);
    plane_driver_open_feed(&nodes[node]);
}

static void history_fence(uint32_t node)
{
    struct plane_driver *d = &nodes[node];
    plane_driver_command_feed(d, SL_COMMAND_FENCE_FEED);
    history_forget(node);
    plane_driver_command_feed(d, SL_COMMAND_CLOSE_FEED);
    plane_driver_until(d, d->feed_closed);
    d->feed_closed = d->feed_opened = false;
    d->progress = d->resolved = 0; /* the core makes a new dispatch manager */
    plane_driver_open_feed(d);
}

static void history_trouble(void)
{
    switch (draw(5)) {
    case 0:
        plane_model_fail_commits(1 + draw(3), SL_TROUBLE_PASSING, draw(2) == 0);
        return;
    case 1:
        plane_model_fail_raises(1 + draw(3), SL_TROUBLE_PASSING);
        return;
    case 2:
        plane_model_fail_source(1 + draw(2), draw(4) == 0 ? SL_TROUBLE_LASTING : SL_TROUBLE_PASSING);
        return;
    case 3:
        plane_model_hold_writer(draw(2), draw(2) == 0);
        return;
    case 4: /* an owner elsewhere appears and vanishes: whoever writes the table is refused */
        plane_model_rob(1 + draw(HISTORY_TABLES), (struct sl_placement){ 1, placement_next++ });
        return;
    }
}

static void history_step(void)
{
    uint32_t table = 1 + draw(HISTORY_TABLES);
    switch (draw(12)) {
    case 0:
    case 1:
    case 2:
        history_open_table(table, draw(HISTORY_NODES));
        break;
    case 3:
    case 4:
        history_close_table(table);
        break;
    case 5:
    case 6:
        plane_model_write(1, HISTORY_TABLES, draw(2000));
        break;
    case 7:
        plane_model_write(table, 1, draw(300));
        break;
    case 8:
        history_trouble();
        break;
    case 9:
        nanosleep(&(struct timespec){ .tv_nsec = 1000 * (long)draw(2000) }, NULL);
        break;
    case 10:
        if (draw(20) == 0)
            history_crash(draw(HISTORY_NODES));
        break;
    case 11:
        if (draw(20) == 0)
            history_fence(draw(HISTORY_NODES));
        break;
    }
    history_poll();
}

static bool history_is_done(sl_ts head)
{
    history_poll();
    for (uint32_t i = 1; i <= HISTORY_TABLES; i++) {
        history_open_table(i, i % HISTORY_NODES);
        if (tables[i].checkpoint < head)
            return false;
    }
    return true;
}

static void history_end(void)
{
    plane_model_hold_writer(0, false);
    plane_model_hold_writer(1, false);
    plane_model_fail_commits(0, SL_TROUBLE_PASSING, false);
    plane_model_fail_raises(0, SL_TROUBLE_PASSING);
    plane_model_fail_source(0, SL_TROUBLE_PASSING);
    sl_ts head = plane_model_write(1, HISTORY_TABLES, HISTORY_TABLES);
    plane_driver_until(&nodes[0], history_is_done(head));
    for (uint32_t i = 1; i <= HISTORY_TABLES; i++)
        history_close_table(i);
    plane_driver_until(&nodes[0], (history_poll(), nodes[0].readers + nodes[1].readers == 0));
    for (uint32_t i = 1; i <= HISTORY_TABLES; i++)
        assert_true(plane_model_has(i, head));
    sl_assert_u64(plane_model_twice(), 0);
    sl_assert_str(plane_model_wrong(), NULL);
}

static void history_run(uint64_t seed)
{
    plane_model_init();
    plane_model_write_one(PLANE_MODEL_TABLES);
    sl_prng_init(&prng, seed);
    token_next = placement_next = 1;
    for (uint32_t i = 1; i <= HISTORY_TABLES; i++)
        tables[i] = (struct history_table){ .checkpoint = 1 };
    for (uint32_t i = 0; i < HISTORY_NODES; i++) {
        plane_driver_open(&nodes[i], NULL);
        plane_driver_open_feed(&nodes[i]);
    }
    for (uint32_t i = 0; i < HISTORY_STEPS; i++)
        history_step();
    history_end();
    for (uint32_t i = 0; i < HISTORY_NODES; i++)
        plane_driver_close(&nodes[i]);
    plane_model_deinit();
}

static void random_histories_lose_nothing_and_write_nothing_twice(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        print_message("seed %llu\n", (unsigned long long)seed);
        history_run(seed);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_histories_lose_nothing_and_write_nothing_twice),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
