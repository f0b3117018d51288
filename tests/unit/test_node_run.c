/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of a node together, with a model of the shell around it. */
#include "tests/support/manager_fixture.h"
#include "tests/support/node_fixture.h"
#include "tests/support/sl_test.h"

#include <stdio.h>
#include <string.h>

/* ---- composition ---- */

static void a_feed_added_here_replicates_its_tables(void **state)
{
    (void)state;
    struct node_fixture f;
    nf_setup_running(&f, mf_config(1));
    struct sl_hosted hosted;
    sl_node_hosted(f.node, &hosted);
    sl_assert_u64(hosted.maintainers, 1);
    sl_assert_u64(hosted.dispatchers, NF_TABLES + 1);
    sl_assert_u64(f.opened, NF_TABLES + 1);
    sl_assert_u64(nf_refused_total(&f), 0);
    nf_teardown(&f);
}

/* A maintainer whose step is full asks for the next one at once. It must get it, and must not keep the manager in this
 * one. */
static void a_feed_that_may_send_little_per_step_gets_there_in_more_steps(void **state)
{
    (void)state;
    struct node_fixture f;
    nf_init(&f);
    f.opts.manager.maintainer.sends_per_step = 1;
    f.coordinator = "n1";
    sl_assert_i64(sl_node_new(&f.node, &f.opts, f.now), SL_OK);
    nf_bootstrap(&f, 1);
    nf_send_add(&f, "n1", 1, 100, mf_config(1));
    nf_shell_run(&f, f.now + 2 * SL_S);
    sl_assert_u64(nf_stats(&f).replicating, NF_TABLES);
    nf_teardown(&f);
}

static void a_node_that_runs_dispatchers_does_not_stop(void **state)
{
    (void)state;
    struct node_fixture f;
    nf_setup_running(&f, mf_config(1));
    nf_send_liveness(&f, PB__NODE_LIVENESS__DRAINING);
    sl_assert_i64(sl_manager_liveness(sl_node_manager(f.node)), SL_LIVENESS_DRAINING);
    nf_send_liveness(&f, PB__NODE_LIVENESS__STOPPING);
    sl_assert_i64(sl_manager_liveness(sl_node_manager(f.node)), SL_LIVENESS_DRAINING);
    sl_assert_u64(nf_sent_count(&f, SL_MSG_SET_NODE_LIVENESS_RESPONSE), 1);
    struct sl_feed_id id = mf_feed(1);
    Pb__ChangefeedID changefeed = sl_feed_id_pb(&id);
    Pb__RemoveMaintainerRequest req = PB__REMOVE_MAINTAINER_REQUEST__INIT;
    req.changefeed = &changefeed;
    req.cascade = req.removed = true;
    req.maintainer_epoch = 1;
    nf_step_message(&f, f.coordinator, SL_MSG_REMOVE_MAINTAINER_REQUEST, &req.base);
    nf_shell_run(&f, f.now + 2 * SL_S);
    assert_null(sl_manager_find(sl_node_manager(f.node), &id));
    nf_send_liveness(&f, PB__NODE_LIVENESS__STOPPING);
    sl_assert_i64(sl_manager_liveness(sl_node_manager(f.node)), SL_LIVENESS_STOPPING);
    nf_teardown(&f);
}

static void on_a_stopping_node_no_sink_is_opened(void **state)
{
    (void)state;
    struct node_fixture f;
    nf_setup(&f);
    nf_bootstrap(&f, 1);
    nf_send_liveness(&f, PB__NODE_LIVENESS__DRAINING);
    nf_send_liveness(&f, PB__NODE_LIVENESS__STOPPING);
    struct sl_feed_id id = mf_feed(1);
    Pb__ChangefeedID changefeed = sl_feed_id_pb(&id);
    Pb__MaintainerBootstrapRequest req = PB__MAINTAINER_BOOTSTRAP_REQUEST__INIT;
    req.changefeed = &changefeed;
    req.maintainer_epoch = 1;
    char config[] = "{\"changefeed_id\":{},\"epoch\":1,\"start_ts\":100}";
    req.config.data = (uint8_t *)config;
    req.config.len = strlen(config);
    nf_step_message(&f, "c1", SL_MSG_MAINTAINER_BOOTSTRAP_REQUEST, &req.base);
    for (uint32_t i = 0; i < f.out.count; i++)
        assert_true(f.out.items[i].kind != SL_OUT_COMMAND);
    nf_teardown(&f);
}

static void a_lost_lease_fences_every_sink_and_stops_the_node(void **state)
{
    (void)state;
    struct node_fixture f;
    nf_setup_running(&f, mf_config(1));
    nf_step(&f, &(struct sl_input){ .kind = SL_IN_LEASE_LOST });
    sl_assert_i64(sl_manager_liveness(sl_node_manager(f.node)), SL_LIVENESS_STOPPING);
    sl_assert_i64(f.out.items[0].kind, SL_OUT_COMMAND);
    sl_assert_i64(f.out.items[0].u.command.verb, SL_COMMAND_FENCE_FEED);
    nf_step(&f, &(struct sl_input){ .kind = SL_IN_LEASE_LOST });
    sl_assert_u64(f.out.count, 0);
    nf_teardown(&f);
}

static void a_low_latency_feed_reports_its_checkpoint_before_the_next_tick(void **state)
{
    (void)state;
    char config[1024];
    const char *text = mf_config(1), *at = strstr(text, "\"filter\"");
    snprintf(config, sizeof config, "%.*s\"performance-mode\":\"low-latency\",%s", (int)(at - text), text, at);
    struct node_fixture f;
    nf_setup_running(&f, config);
    struct sl_feed_id id = mf_feed(1);
    struct sl_maintainer *m = sl_manager_find(sl_node_manager(f.node), &id);
    sl_ts before = sl_maintainer_checkpoint(m);
    f.statuses = 0;
    sl_ns began = f.now;
    struct sl_report progress = { .kind = SL_REPORT_FEED_PROGRESS, .checkpoint = before + 50, .resolved = before + 50 };
    progress.feed = (UINT64_C(1) << 32) | 1; /* the first feed of this node */
    nf_step(&f, &(struct sl_input){ .kind = SL_IN_REPORT, .u.report = progress });
    while (sl_maintainer_checkpoint(m) == before && f.now < began + 2 * SL_S)
        nf_shell_run(&f, f.now + 1 * SL_MS);
    sl_assert_u64(sl_maintainer_checkpoint(m), before + 50);
    f.statuses = 0;
    nf_shell_run(&f, f.now + 15 * SL_MS);
    assert_true(f.statuses >= 1);
    nf_teardown(&f);
}

/* The coordinator tells the maintainer, the maintainer its own node: the same type, the second topic. */
static void a_checkpoint_that_a_maintainer_passes_on_goes_no_further(void **state)
{
    (void)state;
    struct node_fixture f;
    nf_setup_running(&f, mf_config(1));
    struct sl_feed_id id = mf_feed(1);
    Pb__ChangefeedID changefeed = sl_feed_id_pb(&id);
    Pb__CheckpointTsMessage m = PB__CHECKPOINT_TS_MESSAGE__INIT;
    m.changefeed = &changefeed;
    m.checkpoint_ts = 100;
    uint8_t room[512];
    struct sl_bytes payload = nf_pack(room, SL_MSG_CHECKPOINT_TS_MESSAGE, &m.base);
    struct sl_envelope e = nf_envelope(f.coordinator, SL_MSG_CHECKPOINT_TS_MESSAGE, &payload, 1);
    nf_step_envelope(&f, &e);
    sl_assert_u64(nf_sent_count(&f, SL_MSG_CHECKPOINT_TS_MESSAGE), 1);
    e.topic = sl_str_of(sl_topic_text(SL_TOPIC_HC));
    nf_step_envelope(&f, &e);
    sl_assert_u64(nf_sent_count(&f, SL_MSG_CHECKPOINT_TS_MESSAGE), 0);
    sl_assert_u64(nf_refused_total(&f), 0);
    nf_teardown(&f);
}

static void the_deadline_is_that_of_the_part_that_is_due_first(void **state)
{
    (void)state;
    struct node_fixture f;
    nf_setup(&f);
    sl_assert_i64(sl_node_deadline(f.node), SL_NEVER);
    nf_bootstrap(&f, 1);
    sl_assert_i64(sl_node_deadline(f.node), f.now + SL_MANAGER_HEARTBEAT_NS);
    nf_send_add(&f, "c1", 1, 100, mf_config(1));
    assert_true(sl_node_deadline(f.node) <= f.now + SL_MANAGER_TICK_NS);
    nf_teardown(&f);
}

static void a_full_membership_can_be_replaced_in_one_snapshot(void **state)
{
    (void)state;
    static const char *const first[] = { "n1", "a", "b", "c" }, *const second[] = { "n1", "d", "e", "f" };
    struct node_fixture f;
    nf_setup(&f);
    nf_members(&f, first, 4);
    nf_members(&f, second, 4);
    for (int i = 0; i < 4; i++)
        assert_true(sl_members_find_str(sl_node_members(f.node), sl_str_of(second[i])) != SL_NODE_NONE);
    sl_assert_u64(sl_members_alive_count(sl_node_members(f.node)), 4);
    nf_members(&f, second, 4);
    sl_assert_u64(f.out.count, 0);
    nf_teardown(&f);
}

static void a_step_that_has_too_much_to_send_says_so_once(void **state)
{
    (void)state;
    struct node_fixture f;
    nf_setup(&f);
    nf_bootstrap(&f, 1);
    while (sl_outbox_room(&f.out) > 0) {
        Pb__NodeHeartbeat filler = PB__NODE_HEARTBEAT__INIT;
        (void)sl_out_send(&f.out, 1, SL_MSG_NODE_HEARTBEAT_REQUEST, &filler.base);
    }
    uint32_t count = f.out.count;
    f.now += SL_MANAGER_HEARTBEAT_NS;
    sl_node_step(f.node, f.now, &(struct sl_input){ .kind = SL_IN_TICK }, &f.out);
    sl_assert_u64(f.out.count, count + 1);
    sl_assert_i64(f.out.items[count].u.event.id, SL_EV_OUTBOX_FULL);
    nf_teardown(&f);
}

static void a_request_is_answered_although_nobody_is_coordinator_here(void **state)
{
    (void)state;
    struct node_fixture f;
    nf_setup(&f);
    struct sl_request request = { .verb = SL_REQUEST_NODE_LIST, .ticket = 77 };
    nf_step(&f, &(struct sl_input){ .kind = SL_IN_REQUEST, .u.request = request });
    sl_assert_u64(f.out.count, 1);
    sl_assert_i64(f.out.items[0].kind, SL_OUT_REPLY);
    sl_assert_u64(f.out.items[0].u.reply.ticket, 77);
    sl_assert_i64(f.out.items[0].u.reply.code, SL_NOT_OWNER);
    nf_teardown(&f);
}

static void the_same_inputs_give_the_same_outputs(void **state)
{
    (void)state;
    uint64_t digest = 0;
    for (int run = 0; run < 2; run++) {
        struct node_fixture f;
        nf_setup_running(&f, mf_config(1));
        nf_send_target(&f, f.coordinator, 1);
        nf_shell_run(&f, f.now + 3 * SL_S);
        assert_true(run == 0 || f.digest == digest);
        digest = f.digest;
        nf_teardown(&f);
    }
}

/* ---- torture ---- */

static void a_node_without_memory_is_not_made_and_leaks_nothing(void **state)
{
    (void)state;
    enum sl_code code;
    uint64_t n = 0;
    do {
        struct node_fixture f;
        nf_init(&f);
        f.mem.fail_at = ++n;
        code = sl_node_new(&f.node, &f.opts, f.now);
        f.mem.fail_at = 0;
        if (code != SL_OK) {
            sl_assert_i64(code, SL_NOMEM);
            assert_null(f.node);
            sl_assert_u64(f.mem.live_bytes, 0);
            sl_assert_i64(sl_node_new(&f.node, &f.opts, f.now), SL_OK);
        }
        nf_teardown(&f);
    } while (code != SL_OK);
    assert_true(n > 3);
}

/* One allocation of the whole way to a running feed fails, for every one of them: the feed runs all the same, later. */
static void a_feed_runs_whichever_allocation_failed_once(void **state)
{
    (void)state;
    uint64_t calls = 0;
    for (uint64_t n = 1; n == 1 || n <= calls; n++) {
        struct node_fixture f;
        nf_setup_alone(&f);
        nf_bootstrap(&f, 1);
        uint64_t before = f.mem.calls;
        f.mem.fail_at = n;
        for (int tries = 0; tries < 20; tries++) {
            nf_send_add(&f, f.coordinator, 1, 100, mf_config(1));
            nf_shell_run(&f, f.now + 1 * SL_S);
            struct sl_feed_id id = mf_feed(1);
            if (sl_manager_find(sl_node_manager(f.node), &id) && nf_stats(&f).replicating == NF_TABLES)
                break;
        }
        f.mem.fail_at = 0;
        sl_assert_u64(nf_stats(&f).replicating, NF_TABLES);
        if (n == 1)
            calls = f.mem.calls - before;
        nf_teardown(&f);
    }
    assert_true(calls > 10);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_feed_added_here_replicates_its_tables),
        cmocka_unit_test(a_feed_that_may_send_little_per_step_gets_there_in_more_steps),
        cmocka_unit_test(a_node_that_runs_dispatchers_does_not_stop),
        cmocka_unit_test(on_a_stopping_node_no_sink_is_opened),
        cmocka_unit_test(a_lost_lease_fences_every_sink_and_stops_the_node),
        cmocka_unit_test(a_low_latency_feed_reports_its_checkpoint_before_the_next_tick),
        cmocka_unit_test(a_checkpoint_that_a_maintainer_passes_on_goes_no_further),
        cmocka_unit_test(the_deadline_is_that_of_the_part_that_is_due_first),
        cmocka_unit_test(a_full_membership_can_be_replaced_in_one_snapshot),
        cmocka_unit_test(a_step_that_has_too_much_to_send_says_so_once),
        cmocka_unit_test(a_request_is_answered_although_nobody_is_coordinator_here),
        cmocka_unit_test(the_same_inputs_give_the_same_outputs),
        cmocka_unit_test(a_node_without_memory_is_not_made_and_leaks_nothing),
        cmocka_unit_test(a_feed_runs_whichever_allocation_failed_once),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
