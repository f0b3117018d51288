/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/sl_test.h"
#include "tests/wire/wire_fixture.h"

#include <ctype.h>
#include <string.h>

/* The protocol's table written down a second time, in the words of the wire, so that a slip in one of the two shows. */
struct expected_row {
    const char *name;
    const char *payload; /* protobuf message, or the payload kind in brackets */
    const char *topic, *second_topic;
    char lane; /* C command, e event */
};

/* clang-format off */
static const struct expected_row expected[] = {
    [1]  = { "BATCH_DML_EVENT",                    "[envelope]", "event-collector", "redo-event-collector", 'e' },
    [2]  = { "DDL_EVENT",                          "[envelope]", "event-collector", "redo-event-collector", 'e' },
    [3]  = { "BATCH_RESOLVED_TS",                  "[envelope]", "event-collector", "redo-event-collector", 'e' },
    [4]  = { "SYNC_POINT_EVENT",                   "[envelope]", "event-collector", "redo-event-collector", 'e' },
    [5]  = { "HANDSHAKE_EVENT",                    "[envelope]", "event-collector", "redo-event-collector", 'e' },
    [6]  = { "READY_EVENT",                        "[envelope]", "event-collector", "redo-event-collector", 'e' },
    [7]  = { "NOT_REUSABLE_EVENT",                 "[envelope]", "event-collector", "redo-event-collector", 'e' },
    [8]  = { "LOG_COORDINATOR_BROADCAST_REQUEST",  "[empty]", "event-store", "log-coordinator-client", 'e' },
    [9]  = { "EVENT_STORE_STATE",                  "[log]", "log-coordinator", NULL, 'e' },
    [10] = { "REUSABLE_EVENT_SERVICE_REQUEST",     "[log]", "log-coordinator", NULL, 'C' },
    [11] = { "REUSABLE_EVENT_SERVICE_RESPONSE",    "[log]", "log-coordinator-client", NULL, 'e' },
    [12] = { "LOG_COORDINATOR_RESOLVED_TS_REQUEST", "pb.LogCoordinatorResolvedTsRequest", "log-coordinator", NULL, 'e' },
    [13] = { "HEART_BEAT_REQUEST",                 "pb.HeartBeatRequest", "maintainer-manager", NULL, 'C' },
    [14] = { "HEART_BEAT_RESPONSE",                "pb.HeartBeatResponse", "heartbeat-collector", NULL, 'C' },
    [15] = { "SCHEDULE_DISPATCHER_REQUEST",        "pb.ScheduleDispatcherRequest", "heartbeat-collector", NULL, 'C' },
    [16] = { "DISPATCHER_REQUEST",                 "[eventpb]", "EventServiceTopic", NULL, 'C' },
    [17] = { "CHECKPOINT_TS_MESSAGE",              "pb.CheckpointTsMessage", "maintainer-manager", "heartbeat-collector", 'C' },
    [18] = { "BLOCK_STATUS_REQUEST",               "pb.BlockStatusRequest", "maintainer-manager", NULL, 'C' },
    [19] = { "DISPATCHER_HEARTBEAT",               "[envelope]", "EventServiceTopic", NULL, 'C' },
    [20] = { "DISPATCHER_HEARTBEAT_RESPONSE",      "[envelope]", "event-collector", NULL, 'C' },
    [21] = { "REDO_META_MESSAGE",                  "pb.RedoMetaMessage", "heartbeat-collector", NULL, 'C' },
    [22] = { "MERGE_DISPATCHER_REQUEST",           "pb.MergeDispatcherRequest", "heartbeat-collector", NULL, 'C' },
    [23] = { "CONGESTION_CONTROL",                 "[envelope]", "EventServiceTopic", NULL, 'C' },
    [24] = { "COORDINATOR_BOOTSTRAP_REQUEST",      "pb.CoordinatorBootstrapRequest", "maintainer-manager", NULL, 'C' },
    [25] = { "COORDINATOR_BOOTSTRAP_RESPONSE",     "pb.CoordinatorBootstrapResponse", "coordinator", NULL, 'C' },
    [26] = { "ADD_MAINTAINER_REQUEST",             "pb.AddMaintainerRequest", "maintainer-manager", NULL, 'C' },
    [27] = { "REMOVE_MAINTAINER_REQUEST",          "pb.RemoveMaintainerRequest", "maintainer-manager", NULL, 'C' },
    [28] = { "MAINTAINER_HEARTBEAT_REQUEST",       "pb.MaintainerHeartbeat", "coordinator", NULL, 'C' },
    [29] = { "MAINTAINER_BOOTSTRAP_REQUEST",       "pb.MaintainerBootstrapRequest", "dispatcher-manager-manager", NULL, 'C' },
    [30] = { "MAINTAINER_BOOTSTRAP_RESPONSE",      "pb.MaintainerBootstrapResponse", "maintainer-manager", NULL, 'C' },
    [31] = { "MAINTAINER_POST_BOOTSTRAP_REQUEST",  "pb.MaintainerPostBootstrapRequest", "dispatcher-manager-manager", NULL, 'C' },
    [32] = { "MAINTAINER_POST_BOOTSTRAP_RESPONSE", "pb.MaintainerPostBootstrapResponse", "maintainer-manager", NULL, 'C' },
    [33] = { "MAINTAINER_CLOSE_REQUEST",           "pb.MaintainerCloseRequest", "dispatcher-manager-manager", NULL, 'C' },
    [34] = { "MAINTAINER_CLOSE_RESPONSE",          "pb.MaintainerCloseResponse", "maintainer", NULL, 'C' },
    [35] = { "LOG_COORDINATOR_RESOLVED_TS_RESPONSE", "pb.LogCoordinatorResolvedTsResponse", "coordinator", NULL, 'e' },
    [36] = { "MESSAGE_HAND_SHAKE",                 "[json]", "", NULL, 'e' },
    [37] = { "LOG_COORDINATOR_CHANGEFEED_STATES",  "[log]", "log-coordinator", NULL, 'e' },
    [38] = { "REDO_RESOLVED_TS_PROGRESS_MESSAGE",  "pb.RedoResolvedTsProgressMessage", "maintainer-manager", NULL, 'C' },
    [39] = { "REDO_RESOLVED_TS_FORWARD_MESSAGE",   "pb.RedoResolvedTsForwardMessage", "heartbeat-collector", NULL, 'C' },
    [40] = { "DISPATCHER_SET_CHECKSUM_UPDATE_REQUEST", "pb.DispatcherSetChecksumUpdateRequest", "dispatcher-manager-manager", NULL, 'C' },
    [41] = { "DISPATCHER_SET_CHECKSUM_ACK_RESPONSE", "pb.DispatcherSetChecksumAckResponse", "heartbeat-collector", NULL, 'C' },
    [42] = { "NODE_HEARTBEAT_REQUEST",             "pb.NodeHeartbeat", "coordinator", NULL, 'C' },
    [43] = { "SET_NODE_LIVENESS_REQUEST",          "pb.SetNodeLivenessRequest", "maintainer-manager", NULL, 'C' },
    [44] = { "SET_NODE_LIVENESS_RESPONSE",         "pb.SetNodeLivenessResponse", "coordinator", NULL, 'C' },
    [45] = { "SET_DISPATCHER_DRAIN_TARGET_REQUEST", "pb.SetDispatcherDrainTargetRequest", "maintainer-manager", NULL, 'C' },
};
/* clang-format on */

static const char *const kinds[] = {
    [SL_PAYLOAD_PB] = "[pb]",           [SL_PAYLOAD_ENVELOPE] = "[envelope]", [SL_PAYLOAD_LOG] = "[log]",
    [SL_PAYLOAD_EVENTPB] = "[eventpb]", [SL_PAYLOAD_EMPTY] = "[empty]",       [SL_PAYLOAD_JSON] = "[json]",
};

static void the_table_has_the_45_types_of_the_protocol(void **state)
{
    (void)state;
    sl_assert_u64(sizeof expected / sizeof expected[0], 46);
    sl_assert_i64(SL_MSG_COUNT, 46);
    for (int32_t number = 1; number <= 45; number++) {
        const struct sl_msg_row *row = sl_msg_row(number);
        assert_non_null(row);
        sl_assert_i64((int32_t)row->type, number);
        sl_assert_str(row->name, expected[number].name);
    }
}

static void every_type_has_the_topics_and_the_lane_of_the_protocol(void **state)
{
    (void)state;
    for (int32_t number = 1; number < SL_MSG_COUNT; number++) {
        const struct sl_msg_row *row = sl_msg_row(number);
        const struct expected_row *wanted = &expected[number];
        const char *second = row->topic2 == SL_TOPIC_NONE ? NULL : sl_topic_text(row->topic2);
        sl_assert_str(sl_topic_text(row->topic), wanted->topic);
        sl_assert_str(second, wanted->second_topic);
        sl_assert_i64(row->lane, wanted->lane == 'C' ? SL_LANE_COMMAND : SL_LANE_EVENT);
    }
}

static void every_type_has_the_payload_of_the_protocol(void **state)
{
    (void)state;
    for (int32_t number = 1; number < SL_MSG_COUNT; number++) {
        const struct sl_msg_row *row = sl_msg_row(number);
        const char *payload = row->kind == SL_PAYLOAD_PB ? sl_wire_descriptor(row->type)->name : kinds[row->kind];
        sl_assert_str(payload, expected[number].payload);
    }
}

static void numbers_outside_the_table_have_no_row(void **state)
{
    (void)state;
    static const int32_t outside[] = { 0, -1, SL_MSG_COUNT, SL_MSG_COUNT + 1, INT32_MAX, INT32_MIN };
    for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++) {
        assert_null(sl_msg_row(outside[i]));
    }
}

static void topics_are_the_exact_strings(void **state)
{
    (void)state;
    sl_assert_i64(SL_TOPIC_COUNT, 12);
    sl_assert_str(sl_topic_text(SL_TOPIC_NONE), "");
    sl_assert_str(sl_topic_text(SL_TOPIC_MM), "maintainer-manager");
    sl_assert_str(sl_topic_text(SL_TOPIC_HC), "heartbeat-collector");
    sl_assert_str(sl_topic_text(SL_TOPIC_CO), "coordinator");
    sl_assert_str(sl_topic_text(SL_TOPIC_DMM), "dispatcher-manager-manager");
    sl_assert_str(sl_topic_text(SL_TOPIC_MT), "maintainer");
    sl_assert_str(sl_topic_text(SL_TOPIC_LC), "log-coordinator");
    sl_assert_str(sl_topic_text(SL_TOPIC_LCC), "log-coordinator-client");
    sl_assert_str(sl_topic_text(SL_TOPIC_ES), "EventServiceTopic");
    sl_assert_str(sl_topic_text(SL_TOPIC_EST), "event-store");
    sl_assert_str(sl_topic_text(SL_TOPIC_EC), "event-collector");
    sl_assert_str(sl_topic_text(SL_TOPIC_REC), "redo-event-collector");
}

static void a_refusal_is_named_like_its_constant_in_lower_case(void **state)
{
    (void)state;
    static const char *const constants[] = {
#define CONSTANT(constant, name, text) #constant,
        SL_REFUSALS(CONSTANT)
#undef CONSTANT
    };
    for (uint32_t r = 0; r < SL_REFUSAL_COUNT; r++) {
        char lower[32] = { 0 };
        for (size_t i = 0; constants[r][i] != '\0'; i++) {
            lower[i] = (char)tolower((unsigned char)constants[r][i]);
        }
        sl_assert_str(sl_refusal_name((enum sl_refusal)r), lower);
        assert_true(strlen(sl_refusal_text((enum sl_refusal)r)) > 0);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_has_the_45_types_of_the_protocol),
        cmocka_unit_test(every_type_has_the_topics_and_the_lane_of_the_protocol),
        cmocka_unit_test(every_type_has_the_payload_of_the_protocol),
        cmocka_unit_test(numbers_outside_the_table_have_no_row),
        cmocka_unit_test(topics_are_the_exact_strings),
        cmocka_unit_test(a_refusal_is_named_like_its_constant_in_lower_case),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
