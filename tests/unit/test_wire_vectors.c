/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes of the protocol, checked in both directions: the message encodes to exactly them, and they decode to the
 * message. They were made with protoc from the protocol's field numbers, so they do not come from our codec.
 */
#include "tests/support/sl_test.h"
#include "tests/wire/wire_fixture.h"

#include <string.h>

#define NANOS UINT64_C(1700000000000000000)

/* Encodes, compares with the digits, decodes the digits; *out is valid until the next call with the same fixture. */
static const void *both_ways(struct sl_wire_fixture *f, enum sl_msg_type type, const ProtobufCMessage *message,
                             const char *digits)
{
    struct sl_wire_hex wanted = sl_wire_hex(digits);
    uint8_t bytes[SL_WIRE_HEX_BYTES_MAX];
    sl_assert_u64(sl_payload_size(type, message), wanted.len);
    sl_assert_u64(sl_payload_encode(type, message, bytes), wanted.len);
    sl_assert_mem(bytes, wanted.bytes, wanted.len);
    const ProtobufCMessage *decoded = NULL;
    sl_assert_i64(sl_wire_decode(f, type, sl_wire_hex_bytes(&wanted), &decoded), SL_REFUSE_NONE);
    sl_assert_u64(sl_payload_encode(type, decoded, bytes), wanted.len);
    sl_assert_mem(bytes, wanted.bytes, wanted.len);
    return decoded;
}

static void a_drain_target_is_an_id_and_an_epoch(void **state)
{
    (void)state;
    struct sl_wire_fixture f;
    sl_wire_fixture_init(&f, SL_WIRE_ARENA_BYTES);
    enum sl_msg_type type = SL_MSG_SET_DISPATCHER_DRAIN_TARGET_REQUEST;
    Pb__SetDispatcherDrainTargetRequest m = PB__SET_DISPATCHER_DRAIN_TARGET_REQUEST__INIT;
    m.target_node_id = (char[]){ "n2" };
    m.target_epoch = 7;
    const Pb__SetDispatcherDrainTargetRequest *got = both_ways(&f, type, &m.base, "0a 02 6e32 10 07");
    sl_assert_str(got->target_node_id, "n2");
    sl_assert_u64(got->target_epoch, 7);
    m.target_node_id = (char[]){ "" };
    got = both_ways(&f, type, &m.base, "1007");
    sl_assert_str(got->target_node_id, "");
    sl_assert_u64(got->target_epoch, 7);
    sl_wire_fixture_deinit(&f);
}

static void an_alive_node_of_epoch_0_is_zero_bytes(void **state)
{
    (void)state;
    struct sl_wire_fixture f;
    sl_wire_fixture_init(&f, SL_WIRE_ARENA_BYTES);
    Pb__NodeHeartbeat m = PB__NODE_HEARTBEAT__INIT;
    const Pb__NodeHeartbeat *got = both_ways(&f, SL_MSG_NODE_HEARTBEAT_REQUEST, &m.base, "");
    sl_assert_i64(got->liveness, PB__NODE_LIVENESS__ALIVE);
    sl_assert_u64(got->node_epoch, 0);
    sl_wire_fixture_deinit(&f);
}

static void a_node_heartbeat_tells_liveness_epoch_and_target(void **state)
{
    (void)state;
    struct sl_wire_fixture f;
    sl_wire_fixture_init(&f, SL_WIRE_ARENA_BYTES);
    enum sl_msg_type type = SL_MSG_NODE_HEARTBEAT_REQUEST;
    Pb__NodeHeartbeat m = PB__NODE_HEARTBEAT__INIT;
    m.node_epoch = NANOS;
    const Pb__NodeHeartbeat *got = both_ways(&f, type, &m.base, "10 8080a8b1e39fe7cb17");
    sl_assert_u64(got->node_epoch, NANOS);
    m.liveness = PB__NODE_LIVENESS__DRAINING;
    m.node_epoch = 300;
    m.drain_target_node_id = (char[]){ "n2" };
    m.drain_target_epoch = 7;
    got = both_ways(&f, type, &m.base, "08 01 10 ac02 1a 02 6e32 20 07");
    sl_assert_i64(got->liveness, PB__NODE_LIVENESS__DRAINING);
    sl_assert_str(got->drain_target_node_id, "n2");
    sl_assert_u64(got->drain_target_epoch, 7);
    sl_wire_fixture_deinit(&f);
}

static void a_liveness_command_and_its_answer_look_alike(void **state)
{
    (void)state;
    struct sl_wire_fixture f;
    sl_wire_fixture_init(&f, SL_WIRE_ARENA_BYTES);
    Pb__SetNodeLivenessRequest request = PB__SET_NODE_LIVENESS_REQUEST__INIT;
    request.target = PB__NODE_LIVENESS__DRAINING;
    request.node_epoch = 300;
    const Pb__SetNodeLivenessRequest *got =
        both_ways(&f, SL_MSG_SET_NODE_LIVENESS_REQUEST, &request.base, "08 01 10 ac02");
    sl_assert_i64(got->target, PB__NODE_LIVENESS__DRAINING);
    Pb__SetNodeLivenessResponse response = PB__SET_NODE_LIVENESS_RESPONSE__INIT;
    response.applied = PB__NODE_LIVENESS__DRAINING;
    response.node_epoch = 300;
    const Pb__SetNodeLivenessResponse *answer =
        both_ways(&f, SL_MSG_SET_NODE_LIVENESS_RESPONSE, &response.base, "08 01 10 ac02");
    sl_assert_u64(answer->node_epoch, 300);
    request.target = PB__NODE_LIVENESS__STOPPING;
    request.node_epoch = NANOS;
    got = both_ways(&f, SL_MSG_SET_NODE_LIVENESS_REQUEST, &request.base, "08 02 10 8080a8b1e39fe7cb17");
    sl_assert_i64(got->target, PB__NODE_LIVENESS__STOPPING);
    sl_wire_fixture_deinit(&f);
}

static void a_coordinator_bootstrap_request_is_a_version(void **state)
{
    (void)state;
    struct sl_wire_fixture f;
    sl_wire_fixture_init(&f, SL_WIRE_ARENA_BYTES);
    Pb__CoordinatorBootstrapRequest m = PB__COORDINATOR_BOOTSTRAP_REQUEST__INIT;
    m.version = 123;
    const Pb__CoordinatorBootstrapRequest *got = both_ways(&f, SL_MSG_COORDINATOR_BOOTSTRAP_REQUEST, &m.base, "08 7b");
    sl_assert_i64(got->version, 123);
    m.version = 400000;
    got = both_ways(&f, SL_MSG_COORDINATOR_BOOTSTRAP_REQUEST, &m.base, "08 80b518");
    sl_assert_i64(got->version, 400000);
    sl_wire_fixture_deinit(&f);
}

static void a_coordinator_bootstrap_response_tells_the_drain_protocol(void **state)
{
    (void)state;
    struct sl_wire_fixture f;
    sl_wire_fixture_init(&f, SL_WIRE_ARENA_BYTES);
    enum sl_msg_type type = SL_MSG_COORDINATOR_BOOTSTRAP_RESPONSE;
    Pb__CoordinatorBootstrapResponse m = PB__COORDINATOR_BOOTSTRAP_RESPONSE__INIT;
    m.drain_protocol_version = 1;
    const Pb__CoordinatorBootstrapResponse *got = both_ways(&f, type, &m.base, "10 01");
    sl_assert_u64(got->drain_protocol_version, 1);
    m.drain_target_node_id = (char[]){ "n2" };
    m.drain_target_epoch = 7;
    got = both_ways(&f, type, &m.base, "10 01 1a 02 6e32 20 07");
    sl_assert_str(got->drain_target_node_id, "n2");
    sl_assert_u64(got->drain_target_epoch, 7);
    sl_wire_fixture_deinit(&f);
}

static Pb__ChangefeedID the_feed(char name[3], char keyspace[8])
{
    Pb__ChangefeedID id = PB__CHANGEFEED_ID__INIT;
    id.high = 2;
    id.low = 1;
    id.name = memcpy(name, "cf", 3);
    id.keyspace = memcpy(keyspace, "default", 8);
    return id;
}

static void a_feed_id_has_four_parts(void **state)
{
    (void)state;
    struct sl_wire_fixture f;
    sl_wire_fixture_init(&f, SL_WIRE_ARENA_BYTES);
    char name[3], keyspace[8];
    Pb__ChangefeedID feed = the_feed(name, keyspace);
    struct sl_wire_hex wanted = sl_wire_hex("08 02 10 01 1a 02 6366 22 07 64656661756c74");
    uint8_t bytes[SL_WIRE_HEX_BYTES_MAX];
    sl_assert_u64(pb__changefeed_id__pack(&feed, bytes), wanted.len);
    sl_assert_mem(bytes, wanted.bytes, wanted.len);
    Pb__LogCoordinatorResolvedTsRequest m = PB__LOG_COORDINATOR_RESOLVED_TS_REQUEST__INIT;
    m.changefeed = &feed;
    const Pb__LogCoordinatorResolvedTsRequest *got = both_ways(&f, SL_MSG_LOG_COORDINATOR_RESOLVED_TS_REQUEST, &m.base,
                                                               "0a 11 08 02 10 01 1a 02 6366 22 07 64656661756c74");
    sl_assert_u64(got->changefeed->high, 2);
    sl_assert_u64(got->changefeed->low, 1);
    sl_assert_str(got->changefeed->name, "cf");
    sl_assert_str(got->changefeed->keyspace, "default");
    sl_wire_fixture_deinit(&f);
}

static void an_add_maintainer_request_carries_the_config_as_bytes(void **state)
{
    (void)state;
    struct sl_wire_fixture f;
    sl_wire_fixture_init(&f, SL_WIRE_ARENA_BYTES);
    char name[3], keyspace[8];
    Pb__ChangefeedID feed = the_feed(name, keyspace);
    Pb__AddMaintainerRequest m = PB__ADD_MAINTAINER_REQUEST__INIT;
    m.changefeed = &feed;
    m.config = (ProtobufCBinaryData){ .len = 2, .data = (uint8_t[]){ '{', '}' } };
    m.checkpoint_ts = 100;
    m.is_new_changefeed = 1;
    m.maintainer_epoch = 5;
    const Pb__AddMaintainerRequest *got =
        both_ways(&f, SL_MSG_ADD_MAINTAINER_REQUEST, &m.base,
                  "0a11 08021001 1a026366 220764656661756c74 12027b7d 1864 2001 3005");
    sl_assert_u64(got->config.len, 2);
    sl_assert_mem(got->config.data, "{}", 2);
    sl_assert_u64(got->checkpoint_ts, 100);
    assert_true(got->is_new_changefeed);
    sl_assert_u64(got->maintainer_epoch, 5);
    sl_wire_fixture_deinit(&f);
}

static void a_maintainer_heartbeat_carries_status_and_drain_progress(void **state)
{
    (void)state;
    struct sl_wire_fixture f;
    sl_wire_fixture_init(&f, SL_WIRE_ARENA_BYTES);
    char name[3], keyspace[8];
    Pb__ChangefeedID feed = the_feed(name, keyspace);
    Pb__DrainProgress progress = PB__DRAIN_PROGRESS__INIT;
    progress.target_node_id = (char[]){ "n2" };
    progress.target_epoch = 7;
    progress.target_dispatcher_count = 3;
    Pb__MaintainerStatus status = PB__MAINTAINER_STATUS__INIT;
    status.changefeed = &feed;
    status.feed_state = (char[]){ "normal" };
    status.state = PB__COMPONENT_STATE__WORKING;
    status.checkpoint_ts = 100;
    status.bootstrap_done = 1;
    status.last_synced_ts = 90;
    status.drain_progress = &progress;
    status.maintainer_epoch = 5;
    Pb__MaintainerHeartbeat m = PB__MAINTAINER_HEARTBEAT__INIT;
    m.n_statuses = 1;
    m.statuses = (Pb__MaintainerStatus *[]){ &status };
    const Pb__MaintainerHeartbeat *got = both_ways(&f, SL_MSG_MAINTAINER_HEARTBEAT_REQUEST, &m.base,
                                                   "0a2d 0a11080210011a026366220764656661756c74 12066e6f726d616c 2064 "
                                                   "3001 385a 42080a026e3210071803 4805");
    sl_assert_u64(got->n_statuses, 1);
    sl_assert_str(got->statuses[0]->feed_state, "normal");
    sl_assert_u64(got->statuses[0]->last_synced_ts, 90);
    sl_assert_u64(got->statuses[0]->drain_progress->target_dispatcher_count, 3);
    sl_assert_u64(got->statuses[0]->drain_progress->target_inflight_drain_move_count, 0);
    sl_wire_fixture_deinit(&f);
}

/* ---- outer messages ---- */

/* With the length that the gRPC prefix of the message carries. */
struct outer {
    enum sl_msg_type type;
    const char *from, *to, *topic, *payload, *digits;
    uint32_t grpc_length;
};

static const struct outer outers[] = {
    { SL_MSG_SET_DISPATCHER_DRAIN_TARGET_REQUEST, "n1", "n3", "maintainer-manager", "0a026e321007",
      "08 2d 12 02 6e31 1a 02 6e33 22 12 6d61696e7461696e65722d6d616e61676572 2a 06 0a026e321007", 0x26 },
    { SL_MSG_COORDINATOR_BOOTSTRAP_REQUEST, "n1", "n2", "maintainer-manager", "087b",
      "08 18 12 02 6e31 1a 02 6e32 22 12 6d61696e7461696e65722d6d616e61676572 2a 02 087b", 0x22 },
    { SL_MSG_SET_NODE_LIVENESS_REQUEST, "n1", "n2", "maintainer-manager", "080110ac02",
      "08 2b 12 02 6e31 1a 02 6e32 22 12 6d61696e7461696e65722d6d616e61676572 2a 05 080110ac02", 0x25 },
    { SL_MSG_NODE_HEARTBEAT_REQUEST, "n2", "n1", "coordinator", "080110ac021a026e322007",
      "08 2a 12 02 6e32 1a 02 6e31 22 0b 636f6f7264696e61746f72 2a 0b 080110ac021a026e322007", 0x24 },
    { SL_MSG_MESSAGE_HAND_SHAKE, "n1", "n2", "",
      "7b2256657273696f6e223a312c2254696d657374616d70223a313730303030303030302c2253747265616d54797065223a22636f6d6d616e"
      "64227d",
      "08 24 12 02 6e31 1a 02 6e32 2a 3b 7b2256657273696f6e223a312c2254696d657374616d70223a313730303030303030302c2253"
      "747265616d54797065223a22636f6d6d616e64227d",
      0x47 },
    { SL_MSG_LOG_COORDINATOR_BROADCAST_REQUEST, "n1", "n2", "event-store", "",
      "08 08 12 02 6e31 1a 02 6e32 22 0b 6576656e742d73746f7265 2a 00", 0x19 },
};

static void outer_messages_encode_to_the_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof outers / sizeof outers[0]; i++) {
        const struct outer *o = &outers[i];
        struct sl_wire_hex payload = sl_wire_hex(o->payload), wanted = sl_wire_hex(o->digits);
        struct sl_envelope e = { .type = o->type, .payload_count = 1 };
        e.from = sl_str_of(o->from);
        e.to = sl_str_of(o->to);
        e.topic = sl_str_of(o->topic);
        e.payload[0] = sl_wire_hex_bytes(&payload);
        uint8_t bytes[SL_WIRE_HEX_BYTES_MAX];
        sl_assert_u64(wanted.len, o->grpc_length);
        sl_assert_u64(sl_envelope_size(&e), wanted.len);
        sl_assert_u64(sl_envelope_encode(&e, bytes), wanted.len);
        sl_assert_mem(bytes, wanted.bytes, wanted.len);
    }
}

static void outer_messages_decode_to_views_of_their_bytes(void **state)
{
    (void)state;
    struct sl_wire_limits limits = SL_WIRE_LIMITS_DEFAULT;
    for (size_t i = 0; i < sizeof outers / sizeof outers[0]; i++) {
        const struct outer *o = &outers[i];
        struct sl_wire_hex payload = sl_wire_hex(o->payload), bytes = sl_wire_hex(o->digits);
        struct sl_envelope e;
        sl_assert_i64(sl_envelope_decode(&e, sl_wire_hex_bytes(&bytes), &limits), SL_REFUSE_NONE);
        sl_assert_i64(e.type, o->type);
        assert_true(sl_str_eq(e.from, sl_str_of(o->from)));
        assert_true(sl_str_eq(e.to, sl_str_of(o->to)));
        assert_true(sl_str_eq(e.topic, sl_str_of(o->topic)));
        sl_assert_u64(e.payload_count, 1);
        assert_true(sl_bytes_eq(e.payload[0], sl_wire_hex_bytes(&payload)));
        assert_true((const uint8_t *)e.from.ptr > bytes.bytes);
        assert_true((const uint8_t *)e.from.ptr < bytes.bytes + bytes.len);
    }
}

static void the_handshake_payload_is_its_json_text(void **state)
{
    (void)state;
    struct sl_wire_limits limits = SL_WIRE_LIMITS_DEFAULT;
    struct sl_wire_hex bytes = sl_wire_hex(outers[4].digits);
    struct sl_envelope e;
    sl_assert_i64(sl_envelope_decode(&e, sl_wire_hex_bytes(&bytes), &limits), SL_REFUSE_NONE);
    struct sl_str json = SL_STR("{\"Version\":1,\"Timestamp\":1700000000,\"StreamType\":\"command\"}");
    sl_assert_u64(e.payload[0].len, json.len);
    sl_assert_mem(e.payload[0].ptr, json.ptr, json.len);
}

/* Every prefix is refused or a message of its own; a decoder that reads on would be seen by the address sanitizer. */
static void a_vector_cut_anywhere_is_refused_or_a_shorter_message(void **state)
{
    (void)state;
    struct sl_wire_fixture f;
    sl_wire_fixture_init(&f, SL_WIRE_ARENA_BYTES);
    for (size_t i = 0; i < sizeof outers / sizeof outers[0]; i++) {
        struct sl_wire_hex whole = sl_wire_hex(outers[i].digits);
        for (size_t len = 0; len < whole.len; len++) {
            struct sl_wire_hex cut = { .len = 0 };
            uint8_t *end = cut.bytes + SL_WIRE_HEX_BYTES_MAX - len; /* ends where the memory ends */
            memcpy(end, whole.bytes, len);
            struct sl_envelope e;
            enum sl_refusal refusal = sl_envelope_decode(&e, (struct sl_bytes){ end, len }, &f.limits);
            assert_true(refusal != SL_REFUSE_NONE); /* the payload comes last, and none is refused */
        }
    }
    sl_wire_fixture_deinit(&f);
}

static void a_payload_cut_anywhere_is_refused_or_a_shorter_message(void **state)
{
    (void)state;
    static const struct {
        enum sl_msg_type type;
        const char *digits;
    } payloads[] = {
        { SL_MSG_SET_DISPATCHER_DRAIN_TARGET_REQUEST, "0a 02 6e32 10 07" },
        { SL_MSG_NODE_HEARTBEAT_REQUEST, "08 01 10 ac02 1a 02 6e32 20 07" },
        { SL_MSG_COORDINATOR_BOOTSTRAP_RESPONSE, "10 01 1a 02 6e32 20 07" },
        { SL_MSG_ADD_MAINTAINER_REQUEST, "0a11 08021001 1a026366 220764656661756c74 12027b7d 1864 2001 3005" },
        { SL_MSG_MAINTAINER_HEARTBEAT_REQUEST, "0a2d 0a11080210011a026366220764656661756c74 12066e6f726d616c 2064 3001 "
                                               "385a 42080a026e3210071803 4805" },
    };
    struct sl_wire_fixture f;
    sl_wire_fixture_init(&f, SL_WIRE_ARENA_BYTES);
    for (size_t i = 0; i < sizeof payloads / sizeof payloads[0]; i++) {
        struct sl_wire_hex whole = sl_wire_hex(payloads[i].digits);
        for (size_t len = 0; len < whole.len; len++) {
            struct sl_wire_hex cut = { .len = 0 };
            uint8_t *end = cut.bytes + SL_WIRE_HEX_BYTES_MAX - len;
            memcpy(end, whole.bytes, len);
            const ProtobufCMessage *message = NULL;
            enum sl_refusal refusal = sl_wire_decode(&f, payloads[i].type, (struct sl_bytes){ end, len }, &message);
            if (refusal == SL_REFUSE_NONE) {
                uint8_t again[SL_WIRE_HEX_BYTES_MAX];
                sl_assert_u64(sl_payload_encode(payloads[i].type, message, again), len);
                sl_assert_mem(again, whole.bytes, len);
            } else {
                assert_null(message);
                assert_true(refusal == SL_REFUSE_TRUNCATED || refusal == SL_REFUSE_MISSING_FIELD);
            }
        }
    }
    sl_wire_fixture_deinit(&f);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_drain_target_is_an_id_and_an_epoch),
        cmocka_unit_test(an_alive_node_of_epoch_0_is_zero_bytes),
        cmocka_unit_test(a_node_heartbeat_tells_liveness_epoch_and_target),
        cmocka_unit_test(a_liveness_command_and_its_answer_look_alike),
        cmocka_unit_test(a_coordinator_bootstrap_request_is_a_version),
        cmocka_unit_test(a_coordinator_bootstrap_response_tells_the_drain_protocol),
        cmocka_unit_test(a_feed_id_has_four_parts),
        cmocka_unit_test(an_add_maintainer_request_carries_the_config_as_bytes),
        cmocka_unit_test(a_maintainer_heartbeat_carries_status_and_drain_progress),
        cmocka_unit_test(outer_messages_encode_to_the_byte),
        cmocka_unit_test(outer_messages_decode_to_views_of_their_bytes),
        cmocka_unit_test(the_handshake_payload_is_its_json_text),
        cmocka_unit_test(a_vector_cut_anywhere_is_refused_or_a_shorter_message),
        cmocka_unit_test(a_payload_cut_anywhere_is_refused_or_a_shorter_message),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
