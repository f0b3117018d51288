/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/incidents.h"
#include "tests/support/sl_test.h"

#include <stdlib.h>

#define SEEDS 5

static void run(const char *name)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct sl_sim *sim = calloc(1, sizeof *sim);
        assert_non_null(sim);
        bool is_known = sl_sim_incident_run(sim, name, seed, NULL);
        assert_true(is_known);
        if (sim->engine.violation.oracle)
            fail_msg("seed %llu: %s: %s", (unsigned long long)seed, sim->engine.violation.oracle,
                     sim->engine.violation.text);
        sl_sim_deinit(sim);
        free(sim);
    }
}

static void incident_ticdc_5083(void **state)
{
    (void)state;
    run("ticdc-5083");
}

static void incident_ticdc_4065(void **state)
{
    (void)state;
    run("ticdc-4065");
}

static void incident_ticdc_4421(void **state)
{
    (void)state;
    run("ticdc-4421");
}

static void incident_ticdc_4526(void **state)
{
    (void)state;
    run("ticdc-4526");
}

static void incident_ticdc_2655(void **state)
{
    (void)state;
    run("ticdc-2655");
}

static void incident_ticdc_6069(void **state)
{
    (void)state;
    run("ticdc-6069");
}

static void incident_ticdc_3677(void **state)
{
    (void)state;
    run("ticdc-3677");
}

static void incident_ticdc_3974(void **state)
{
    (void)state;
    run("ticdc-3974");
}

static void incident_ticdc_1643(void **state)
{
    (void)state;
    run("ticdc-1643");
}

static void incident_ticdc_5401(void **state)
{
    (void)state;
    run("ticdc-5401");
}

static void incident_ticdc_5710(void **state)
{
    (void)state;
    run("ticdc-5710");
}

static void incident_ticdc_6144(void **state)
{
    (void)state;
    run("ticdc-6144");
}

static void incident_ticdc_6316(void **state)
{
    (void)state;
    run("ticdc-6316");
}

static void incident_ticdc_4115(void **state)
{
    (void)state;
    run("ticdc-4115");
}

static void incident_tiflow_6112(void **state)
{
    (void)state;
    run("tiflow-6112");
}

static void incident_tiflow_6266(void **state)
{
    (void)state;
    run("tiflow-6266");
}

static void incident_nomad_14293(void **state)
{
    (void)state;
    run("nomad-14293");
}

static void incident_crdb_123370(void **state)
{
    (void)state;
    run("crdb-123370");
}

static void every_incident_has_a_test(void **state)
{
    uint32_t count = 0;
    (void)state;
    while (sl_sim_incident_name(count))
        count++;
    assert_int_equal(count, 18);
    assert_false(sl_sim_incident_is_known("none"));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(incident_ticdc_5083),       cmocka_unit_test(incident_ticdc_4065),
        cmocka_unit_test(incident_ticdc_4421),       cmocka_unit_test(incident_ticdc_4526),
        cmocka_unit_test(incident_ticdc_2655),       cmocka_unit_test(incident_ticdc_6069),
        cmocka_unit_test(incident_ticdc_3677),       cmocka_unit_test(incident_ticdc_3974),
        cmocka_unit_test(incident_ticdc_1643),       cmocka_unit_test(incident_ticdc_5401),
        cmocka_unit_test(incident_ticdc_5710),       cmocka_unit_test(incident_ticdc_6144),
        cmocka_unit_test(incident_ticdc_6316),       cmocka_unit_test(incident_ticdc_4115),
        cmocka_unit_test(incident_tiflow_6112),      cmocka_unit_test(incident_tiflow_6266),
        cmocka_unit_test(incident_nomad_14293),      cmocka_unit_test(incident_crdb_123370),
        cmocka_unit_test(every_incident_has_a_test),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
