/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/plan.h"
#include "tests/support/sl_test.h"

#include <stdlib.h>

/*
 * One change of a schema of each kind, and one fault at each step of it: all judges at work, and in the end everything has
 * to be performed, passed and in order again.
 */
enum { HOSTS = 4, TABLES = 6 };
#define START_NS (60 * SL_S)
#define TROUBLE_NS (8 * SL_S)
#define SETTLE_NS (200 * SL_S)

static struct sl_sim *new_sim(uint64_t seed, uint32_t feed_count)
{
    struct sl_sim *sim = calloc(1, sizeof *sim);
    struct sl_sim_opts opts;
    assert_non_null(sim);
    sl_sim_opts_default(&opts);
    opts.seed = seed;
    opts.host_count = HOSTS;
    opts.feed_count_max = feed_count;
    sl_sim_init(sim, &opts);
    for (uint32_t i = 0; i < feed_count; i++) {
        const struct sl_sim_fault create = { .action = SL_SIM_ACTION_CREATE_FEED, .count = TABLES };
        sl_sim_faults_do(sim, &create);
    }
    assert_true(sl_sim_settle(sim, START_NS, false));
    return sim;
}

static void free_sim(struct sl_sim *sim)
{
    sl_sim_deinit(sim);
    free(sim);
}

static void change(struct sl_sim *sim, enum sl_sim_ddl_kind kind)
{
    const struct sl_sim_fault ddl = { .action = SL_SIM_ACTION_DDL, .options = kind, .count = 2 };
    sl_sim_faults_do(sim, &ddl);
}

struct step {
    enum sl_sim_ddl_kind kind;
    enum sl_sim_moment moment;
    enum sl_sim_action action;
    uint32_t host; /* SL_SIM_HOST_NONE: whom the moment happens to */
    bool is_whole; /* every moment comes */
};

static const char *step_text(const struct step *s, char out[128])
{
    snprintf(out, 128, "%s, when %s: %s", sl_sim_ddl_text(s->kind), sl_sim_moment_text(s->moment),
             sl_sim_action_text(s->action));
    return out;
}

static void check_quiet(const struct sl_sim *sim, const struct step *s)
{
    char text[128];
    if (sim->engine.violation.oracle)
        fail_msg("%s: %s: %s", step_text(s, text), sim->engine.violation.oracle, sim->engine.violation.text);
}

/* What has to be there before the change can be made. */
static void prepare(struct sl_sim *sim, enum sl_sim_ddl_kind kind)
{
    if (kind == SL_SIM_DDL_CREATE_AGAIN)
        change(sim, SL_SIM_DDL_DROP);
    if (kind != SL_SIM_DDL_DROP_DATABASE)
        return;
    change(sim, SL_SIM_DDL_CREATE_DATABASE);
    change(sim, SL_SIM_DDL_CREATE);
    (void)sl_sim_run_until(sim, sim->engine.now + SL_S);
}

static void run_step(const struct step *s)
{
    struct sl_sim *sim = new_sim(1 + (uint64_t)s->kind, 1);
    const struct sl_sim_fault fault = { .action = s->action,
                                        .host = s->host,
                                        .peer = 2,
                                        .lasts_ns = 2 * SL_S,
                                        .draw = 1,
                                        .moment = s->moment,
                                        .at_host = SL_SIM_HOST_NONE,
                                        .delay_width_ns = SL_MS };
    prepare(sim, s->kind);
    uint64_t done = sim->faults.done_counts[s->action], performed = sim->sink.change_count;
    sl_sim_faults_aim(sim, &fault);
    change(sim, s->kind);
    (void)sl_sim_run_until(sim, sim->engine.now + TROUBLE_NS);
    check_quiet(sim, s);
    if (s->is_whole && sim->faults.done_counts[s->action] == done) {
        char text[128];
        fail_msg("%s: it never came", step_text(s, text));
    }
    sl_sim_faults_end(sim, false);
    (void)sl_sim_settle(sim, SETTLE_NS, false);
    check_quiet(sim, s);
    assert_true(sim->sink.change_count > performed);
    sl_assert_u64(sl_sim_sink_first_open(&sim->sink, 0), SL_TS_MAX);
    free_sim(sim);
}

static void run_steps(enum sl_sim_action action, uint32_t host)
{
    static const enum sl_sim_ddl_kind kinds[] = {
        SL_SIM_DDL_CREATE, SL_SIM_DDL_CREATE_AGAIN,    SL_SIM_DDL_DROP,          SL_SIM_DDL_ALTER, SL_SIM_DDL_RENAME,
        SL_SIM_DDL_SWAP,   SL_SIM_DDL_CREATE_DATABASE, SL_SIM_DDL_DROP_DATABASE,
    };
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        for (uint32_t m = SL_SIM_MOMENT_DDL_BLOCKED; m < SL_SIM_MOMENT_COUNT; m++) {
            const struct step s = { .kind = kinds[k],
                                    .moment = (enum sl_sim_moment)m,
                                    .action = action,
                                    .host = host,
                                    .is_whole = kinds[k] == SL_SIM_DDL_SWAP };
            run_step(&s);
        }
    }
}

static void whoever_is_at_a_step_of_it_may_die(void **state)
{
    (void)state;
    run_steps(SL_SIM_ACTION_CRASH, SL_SIM_HOST_NONE);
}

static void whoever_is_at_a_step_of_it_may_sleep(void **state)
{
    (void)state;
    run_steps(SL_SIM_ACTION_PAUSE, SL_SIM_HOST_NONE);
}

static void the_coordinator_may_die_at_every_step_of_it(void **state)
{
    (void)state;
    run_steps(SL_SIM_ACTION_KILL_COORDINATOR, SL_SIM_HOST_LEADER);
}

/* The first table is among those that the change is about. */
static void a_table_may_move_at_every_step_of_it(void **state)
{
    (void)state;
    run_steps(SL_SIM_ACTION_MOVE_TABLE, 3);
}

static void the_feed_and_its_trigger_may_move_at_every_step_of_it(void **state)
{
    (void)state;
    run_steps(SL_SIM_ACTION_MOVE_FEED, 3);
}

static void whoever_is_at_a_step_of_it_may_be_drained(void **state)
{
    (void)state;
    run_steps(SL_SIM_ACTION_DRAIN, SL_SIM_HOST_NONE);
}

static void words_about_it_may_be_lost_at_every_step_of_it(void **state)
{
    (void)state;
    run_steps(SL_SIM_ACTION_LOSE_BLOCKS, SL_SIM_HOST_NONE);
}

static void words_about_it_may_come_again_at_every_step_of_it(void **state)
{
    (void)state;
    run_steps(SL_SIM_ACTION_LATE_BLOCK, SL_SIM_HOST_NONE);
}

static void a_change_that_cannot_be_performed_fails_its_feed_and_no_other(void **state)
{
    (void)state;
    static const enum sl_sim_ddl_kind kinds[] = { SL_SIM_DDL_ALTER_REFUSED, SL_SIM_DDL_UNKNOWN };
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        struct sl_sim *sim = new_sim(7, 2);
        change(sim, kinds[k]);
        sl_ts changed = sim->catalog.feeds[0].ddls[0].ddl.ts;
        (void)sl_sim_run_until(sim, sim->engine.now + 10 * SL_S);
        assert_int_equal(sl_sim_judge_feed(sim, 0)->state, SL_FEED_FAILED);
        assert_true(sl_sim_judge_feed(sim, 0)->checkpoint < changed);
        assert_int_equal(sl_sim_judge_feed(sim, 1)->state, SL_FEED_NORMAL);
        assert_true(sl_sim_judge_feed(sim, 1)->checkpoint > changed);
        assert_true(sl_sim_settle(sim, SETTLE_NS, false)); /* the operator sees to it, and resumes */
        sl_assert_str(sim->engine.violation.oracle, NULL);
        sl_assert_u64(sl_sim_sink_first_open(&sim->sink, 0), SL_TS_MAX);
        free_sim(sim);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whoever_is_at_a_step_of_it_may_die),
        cmocka_unit_test(whoever_is_at_a_step_of_it_may_sleep),
        cmocka_unit_test(the_coordinator_may_die_at_every_step_of_it),
        cmocka_unit_test(a_table_may_move_at_every_step_of_it),
        cmocka_unit_test(the_feed_and_its_trigger_may_move_at_every_step_of_it),
        cmocka_unit_test(whoever_is_at_a_step_of_it_may_be_drained),
        cmocka_unit_test(words_about_it_may_be_lost_at_every_step_of_it),
        cmocka_unit_test(words_about_it_may_come_again_at_every_step_of_it),
        cmocka_unit_test(a_change_that_cannot_be_performed_fails_its_feed_and_no_other),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
