/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/script.h"
#include "tests/support/sl_test.h"

#include <inttypes.h>

/*
 * A life of two feeds with a drain, in the simulator with all its oracles: a cluster of three forms, feeds are made, a
 * node is drained and stops, it comes back, the feeds go on. One allocation of the core of one node fails, for each of
 * them. The life must end as it does without that, and nothing may leak.
 */
enum { LIFE_NODES = 3 };

static const char life_story[] = "feed orders tables=40\n"
                                 "feed bills tables=3\n"
                                 "run until replicating\n"
                                 "drain n3\n"
                                 "run until drained n3\n"
                                 "start n3\n"
                                 "run until replicating\n";

/* Whether there were so many allocations that this one failed; of no use for the node that begins anew. */
static bool life_run(uint32_t host, uint64_t fail_at)
{
    struct sl_sim_opts opts;
    sl_sim_opts_default(&opts);
    struct sl_sim_script *s = sl_sim_script_new(&opts);
    bool is_good = sl_sim_script_run(s, SL_STR("cluster nodes=3\n"));
    assert_true(is_good);
    struct sl_mem *mem = &s->sim.hosts[host].mem;
    mem->fail_at = fail_at;
    is_good = sl_sim_script_run(s, sl_str_of(life_story));
    if (!is_good)
        fail_msg("n%" PRIu32 ", allocation %" PRIu64 " fails:\n%s", host + 1, fail_at, s->text.ptr);
    bool has_failed = mem->fail_at == 0;
    sl_sim_script_free(s); /* and with it the memory of each node, of which nothing may be left */
    return has_failed;
}

static void life_of_feeds_goes_on_whichever_allocation_fails(void **state)
{
    uint64_t failed = 0;
    (void)state;
    for (uint32_t host = 0; host < LIFE_NODES - 1; host++) {
        uint64_t at = 1;
        while (life_run(host, at))
            at++;
        failed += at - 1;
    }
    for (uint64_t at = 1; at <= failed / (LIFE_NODES - 1); at++)
        (void)life_run(LIFE_NODES - 1, at); /* about as many as the others, until it is drained */
    assert_true(failed > 60);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(life_of_feeds_goes_on_whichever_allocation_fails) };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
