/* SPDX-License-Identifier: Apache-2.0 */
/* A whole node behind its one door: what it refuses, and that refusing shows nothing. */
#include "tests/support/manager_fixture.h"
#include "tests/support/node_fixture.h"
#include "tests/support/sl_test.h"

#include <stdio.h>
#include <string.h>

/* ---- addresses and bytes ---- */

static void bytes_that_are_no_envelope_are_refused(void **state)
{
    (void)state;
    struct node_fixture f;
    nf_setup(&f);
    const uint8_t junk[] = { 0xff, 0xff, 0xff };
    nf_step(&f, &(struct sl_input){ .kind = SL_IN_MESSAGE, .u.message = { junk, sizeof junk } });
    sl_assert_u64(f.out.count, 1);
    sl_assert_str(nf_refused(&f, "type"), "unknown");
    sl_assert_str(nf_refused(&f, "from"), "");
    sl_assert_u64(nf_refused_total(&f), 1);
    nf_teardown(&f);
}

static void a_message_for_another_node_is_refused(void **state)
{
    (void)state;
    struct node_fixture f;
    nf_setup(&f);
    struct sl_bytes payload = { (const uint8_t *)"", 0 };
    struct sl_envelope e = nf_envelope("c1", SL_MSG_COORDINATOR_BOOTSTRAP_REQUEST, &payload, 1);
    e.to = SL_STR("n2");
    nf_step_envelope(&f, &e);
    nf_expect_refused(&f, SL_REFUSE_WRONG_TARGET, 1);
    sl_assert_str(nf_refused(&f, "type"), "COORDINATOR_BOOTSTRAP_REQUEST");
    sl_assert_str(nf_refused(&f, "from"), "c1");
    nf_teardown(&f);
}

static void a_message_from_a_stranger_is_refused(void **state)
{
    (void)state;
    struct node_fixture f;
    nf_setup(&f);
    nf_bootstrap(&f, 1);
    nf_send_target(&f, "n7", 1);
    nf_expect_refused(&f, SL_REFUSE_UNKNOWN_NODE, 1);
    sl_assert_u64(sl_manager_target(sl_node_manager(f.node))->epoch, 0);
    nf_teardown(&f);
}

static void a_message_on_a_topic_of_another_type_is_refused(void **state)
{
    (void)state;
    struct node_fixture f;
    nf_setup(&f);
    struct sl_bytes payload = { (const uint8_t *)"", 0 };
    struct sl_envelope e = nf_envelope("c1", SL_MSG_COORDINATOR_BOOTSTRAP_REQUEST, &payload, 1);
    e.topic = sl_str_of(sl_topic_text(SL_TOPIC_HC));
    nf_step_envelope(&f, &e);
    nf_expect_refused(&f, SL_REFUSE_WRONG_TOPIC, 1);
    nf_teardown(&f);
}

static void types_that_no_part_of_the_node_wants_are_not_handled(void **state)
{
    (void)state;
    static const enum sl_msg_type types[] = { SL_MSG_BATCH_DML_EVENT, SL_MSG_DISPATCHER_HEARTBEAT,
                                              SL_MSG_NODE_HEARTBEAT_REQUEST, SL_MSG_REDO_META_MESSAGE,
                                              SL_MSG_LOG_COORDINATOR_CHANGEFEED_STATES };
    struct node_fixture f;
    nf_setup(&f);
    for (uint32_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        struct sl_bytes payload = { (const uint8_t *)"", 0 };
        struct sl_envelope e = nf_envelope("c1", types[i], &payload, 1);
        nf_step_envelope(&f, &e);
        nf_expect_refused(&f, SL_REFUSE_NOT_HANDLED, i + 1);
        sl_assert_str(nf_refused(&f, "type"), sl_msg_row((int32_t)types[i])->name);
    }
    nf_teardown(&f);
}

/* ---- payload lists ---- */

static void payloads_are_handled_in_order(void **state)
{
    (void)state;
    struct node_fixture f;
    nf_setup(&f);
    nf_bootstrap(&f, 1);
    char n2[] = "n2", none[] = "";
    uint8_t room[2][64];
    Pb__SetDispatcherDrainTargetRequest set = nf_target_request(n2, 3), clear = nf_target_request(none, 3);
    struct sl_bytes payloads[] = { nf_pack(room[0], SL_MSG_SET_DISPATCHER_DRAIN_TARGET_REQUEST, &set.base),
                                   nf_pack(room[1], SL_MSG_SET_DISPATCHER_DRAIN_TARGET_REQUEST, &clear.base) };
    struct sl_envelope e = nf_envelope("c1", SL_MSG_SET_DISPATCHER_DRAIN_TARGET_REQUEST, payloads, 2);
    nf_step_envelope(&f, &e);
    sl_assert_u64(nf_sent_count(&f, SL_MSG_NODE_HEARTBEAT_REQUEST), 2);
    sl_assert_u64(sl_manager_target(sl_node_manager(f.node))->epoch, 3);
    assert_false(sl_drain_target_is_set(sl_manager_target(sl_node_manager(f.node))));
    sl_assert_u64(nf_refused_total(&f), 0);
    nf_teardown(&f);
}

static void one_bad_payload_refuses_the_whole_message(void **state)
{
    (void)state;
    struct node_fixture f;
    nf_setup(&f);
    nf_bootstrap(&f, 1);
    char n2[] = "n2";
    uint8_t room[64];
    Pb__SetDispatcherDrainTargetRequest set = nf_target_request(n2, 3);
    struct sl_bytes payloads[] = { nf_pack(room, SL_MSG_SET_DISPATCHER_DRAIN_TARGET_REQUEST, &set.base),
                                   { (const uint8_t *)"\x0a\x7f", 2 } };
    struct sl_envelope e = nf_envelope("c1", SL_MSG_SET_DISPATCHER_DRAIN_TARGET_REQUEST, payloads, 2);
    nf_step_envelope(&f, &e);
    sl_assert_u64(f.out.count, 1);
    sl_assert_u64(nf_refused_total(&f), 1);
    sl_assert_u64(sl_manager_target(sl_node_manager(f.node))->epoch, 0);
    nf_teardown(&f);
}

static void a_message_of_refused_payloads_is_one_line(void **state)
{
    (void)state;
    struct node_fixture f;
    nf_setup(&f);
    char n2[] = "n2";
    uint8_t room[64];
    Pb__SetDispatcherDrainTargetRequest set = nf_target_request(n2, 3);
    struct sl_bytes payload = nf_pack(room, SL_MSG_SET_DISPATCHER_DRAIN_TARGET_REQUEST, &set.base);
    struct sl_bytes payloads[] = { payload, payload, payload };
    struct sl_envelope e = nf_envelope("c1", SL_MSG_SET_DISPATCHER_DRAIN_TARGET_REQUEST, payloads, 3);
    nf_step_envelope(&f, &e);
    nf_expect_refused(&f, SL_REFUSE_NOT_BOOTSTRAPPED, 1);
    nf_teardown(&f);
}

/* ---- refusals ---- */

static void a_refused_message_changes_nothing_and_outputs_only_what_is_owed(void **state)
{
    (void)state;
    struct node_fixture f;
    nf_setup(&f);
    nf_bootstrap(&f, 5);
    nf_send_target(&f, "c1", 4);
    nf_bootstrap(&f, 4);
    nf_expect_refused(&f, SL_REFUSE_STALE_VERSION, 1);
    nf_send_target(&f, "n1", 9);
    nf_expect_refused(&f, SL_REFUSE_WRONG_SENDER, 1);
    nf_send_add(&f, "n1", 1, 100, mf_config(1));
    nf_expect_refused(&f, SL_REFUSE_WRONG_SENDER, 2);
    nf_send_add(&f, "c1", 1, 0, mf_config(1));
    sl_assert_str(nf_refused(&f, "reason"), "zero_checkpoint");
    sl_assert_u64(f.out.count, 2);
    sl_assert_u64(nf_sent_count(&f, SL_MSG_MAINTAINER_HEARTBEAT_REQUEST), 1);
    sl_assert_u64(sl_manager_target(sl_node_manager(f.node))->epoch, 4);
    sl_assert_u64(sl_manager_maintainer_count(sl_node_manager(f.node)), 0);
    nf_teardown(&f);
}

static void rejected_message_never_prints_config(void **state)
{
    (void)state;
    struct node_fixture f;
    nf_setup(&f);
    const char *config = mf_config(1);
    char broken[1024], other[1024];
    assert_non_null(strstr(config, MF_PASSWORD));
    snprintf(broken, sizeof broken, "%s", config);
    broken[strlen(broken) - 1] = '\0';
    snprintf(other, sizeof other, "%s", mf_config(2));
    config = mf_config(1);
    const struct {
        const char *from, *config;
        int64_t version; /* of the bootstrap by c1 before it, or 0 */
        uint64_t epoch, checkpoint;
        enum sl_refusal reason;
    } cases[] = {
        { "c1", config, 0, 1, 100, SL_REFUSE_NOT_BOOTSTRAPPED }, { "c9", config, 0, 1, 100, SL_REFUSE_UNKNOWN_NODE },
        { "n1", config, 1, 1, 100, SL_REFUSE_WRONG_SENDER },     { "c1", config, 1, 1, 0, SL_REFUSE_ZERO_CHECKPOINT },
        { "c1", config, 1, 0, 100, SL_REFUSE_ZERO_EPOCH },       { "c1", broken, 1, 1, 100, SL_REFUSE_BAD_CONFIG },
        { "c1", other, 1, 1, 100, SL_REFUSE_BAD_CONFIG },        { "c1", config, 1, 5, 100, SL_REFUSE_NONE },
        { "c1", config, 1, 4, 100, SL_REFUSE_STALE_VERSION },    { "c1", config, 1, 6, 100, SL_REFUSE_FEED_BUSY },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (cases[i].version > 0)
            nf_bootstrap(&f, cases[i].version);
        nf_send_add(&f, cases[i].from, cases[i].epoch, cases[i].checkpoint, cases[i].config);
        sl_assert_str(nf_refused(&f, "reason"),
                      cases[i].reason == SL_REFUSE_NONE ? "-" : sl_refusal_name(cases[i].reason));
        if (cases[i].reason == SL_REFUSE_NONE)
            continue; /* the accepted one has to carry the configuration to the dispatch managers */
        assert_false(mf_out_holds(&f.out, MF_PASSWORD));
    }
    nf_teardown(&f);
}

/* A message cut or damaged anywhere, so that every decoder on the way refuses it once. */
static void damaged_message_never_prints_config(void **state)
{
    (void)state;
    struct node_fixture f;
    nf_setup(&f);
    nf_bootstrap(&f, 1);
    struct sl_feed_id id = mf_feed(1);
    Pb__ChangefeedID changefeed = sl_feed_id_pb(&id);
    Pb__AddMaintainerRequest req = PB__ADD_MAINTAINER_REQUEST__INIT;
    uint8_t config[1024], room[2048], bytes[2048];
    req.config.len = strlen(mf_config(1));
    memcpy(config, mf_config(1), req.config.len);
    req.changefeed = &changefeed;
    req.config.data = config;
    struct sl_bytes payload = nf_pack(room, SL_MSG_ADD_MAINTAINER_REQUEST, &req.base);
    struct sl_envelope e = nf_envelope("c1", SL_MSG_ADD_MAINTAINER_REQUEST, &payload, 1);
    size_t size = sl_envelope_encode(&e, bytes);
    for (size_t i = 0; i < size; i++) {
        uint8_t kept = bytes[i];
        nf_step(&f, &(struct sl_input){ .kind = SL_IN_MESSAGE, .u.message = { bytes, i } });
        assert_false(mf_out_holds(&f.out, MF_PASSWORD));
        bytes[i] = (uint8_t)~kept;
        nf_step(&f, &(struct sl_input){ .kind = SL_IN_MESSAGE, .u.message = { bytes, size } });
        assert_false(mf_out_holds(&f.out, MF_PASSWORD));
        bytes[i] = kept;
    }
    sl_assert_u64(sl_manager_maintainer_count(sl_node_manager(f.node)), 0);
    nf_teardown(&f);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_that_are_no_envelope_are_refused),
        cmocka_unit_test(a_message_for_another_node_is_refused),
        cmocka_unit_test(a_message_from_a_stranger_is_refused),
        cmocka_unit_test(a_message_on_a_topic_of_another_type_is_refused),
        cmocka_unit_test(types_that_no_part_of_the_node_wants_are_not_handled),
        cmocka_unit_test(payloads_are_handled_in_order),
        cmocka_unit_test(one_bad_payload_refuses_the_whole_message),
        cmocka_unit_test(a_message_of_refused_payloads_is_one_line),
        cmocka_unit_test(a_refused_message_changes_nothing_and_outputs_only_what_is_owed),
        cmocka_unit_test(rejected_message_never_prints_config),
        cmocka_unit_test(damaged_message_never_prints_config),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
