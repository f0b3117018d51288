/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a payload may not be. The rules about structure, enums and text hold for every field of every message, so they
 * are tested over the schema: for each field that can be reached, a message is made that is wrong in that one place.
 */
#include "tests/support/sl_test.h"
#include "tests/wire/wire_fixture.h"
#include "tests/wire/wire_random_message.h"

#include <stdio.h>
#include <string.h>

enum { PATH_DEPTH_MAX = 8, KIB = 1024, MIB = 1024 * 1024 };

static uint8_t many_bytes[MIB + 1];

static struct sl_bytes bytes_of(const struct sl_wire_hex *hex)
{
    return sl_wire_hex_bytes(hex);
}

static enum sl_refusal refusal_of(enum sl_msg_type type, const char *digits)
{
    struct sl_wire_fixture f;
    sl_wire_fixture_init(&f, SL_WIRE_ARENA_BYTES);
    struct sl_wire_hex hex = sl_wire_hex(digits);
    const ProtobufCMessage *message = NULL;
    enum sl_refusal refusal = sl_wire_decode(&f, type, bytes_of(&hex), &message);
    assert_true((refusal == SL_REFUSE_NONE) == (message != NULL));
    sl_wire_fixture_deinit(&f);
    return refusal;
}

/* ---- over the schema ---- */

/* A field, and the way to it from a type's message. */
struct path {
    enum sl_msg_type type;
    const ProtobufCMessageDescriptor *message; /* that holds the field */
    const ProtobufCFieldDescriptor *fields[PATH_DEPTH_MAX];
    uint32_t depth;
};

typedef void path_fn(const struct path *p, void *context);

static void walk_message(struct path *p, const ProtobufCMessageDescriptor *d, path_fn *fn, void *context)
{
    SL_REQUIRE(p->depth < PATH_DEPTH_MAX);
    for (uint32_t i = 0; i < d->n_fields; i++) {
        p->message = d;
        p->fields[p->depth++] = &d->fields[i];
        fn(p, context);
        if (d->fields[i].type == PROTOBUF_C_TYPE_MESSAGE) {
            walk_message(p, d->fields[i].descriptor, fn, context);
        }
        p->depth--;
    }
}

static void walk_schema(path_fn *fn, void *context)
{
    enum sl_msg_type types[SL_WIRE_PB_TYPES_MAX];
    uint32_t count = sl_wire_pb_types(types);
    sl_assert_u64(count, 28);
    for (uint32_t i = 0; i < count; i++) {
        struct path p = { .type = types[i] };
        walk_message(&p, sl_wire_descriptor(types[i]), fn, context);
    }
}

static size_t put_varint(uint8_t *out, uint64_t v)
{
    size_t len = 0;
    for (; v >= 0x80; v >>= 7) {
        out[len++] = (uint8_t)(v | 0x80);
    }
    out[len++] = (uint8_t)v;
    return len;
}

/* Puts the value (key excluded) at the path: each sub-message on the way holds that one field. */
static struct sl_wire_hex message_at(const struct path *p, uint32_t wire_type, const uint8_t *value, size_t value_len)
{
    struct sl_wire_hex inner = { .len = 0 };
    inner.len = put_varint(inner.bytes, (uint64_t)p->fields[p->depth - 1]->id << 3 | wire_type);
    memcpy(inner.bytes + inner.len, value, value_len);
    inner.len += value_len;
    for (uint32_t i = p->depth - 1; i > 0; i--) {
        struct sl_wire_hex outer = { .len = 0 };
        outer.len = put_varint(outer.bytes, (uint64_t)p->fields[i - 1]->id << 3 | 2);
        outer.len += put_varint(outer.bytes + outer.len, inner.len);
        memcpy(outer.bytes + outer.len, inner.bytes, inner.len);
        outer.len += inner.len;
        inner = outer;
    }
    return inner;
}

static void print_path(const struct path *p)
{
    print_error("at %s", sl_msg_row((int32_t)p->type)->name);
    for (uint32_t i = 0; i < p->depth; i++) {
        print_error(".%s", p->fields[i]->name);
    }
    print_error("\n");
}

struct walk {
    struct sl_wire_fixture *f;
    uint32_t fields_count;
};

static void expect_at(struct walk *w, const struct path *p, uint32_t wire_type, struct sl_bytes value,
                      enum sl_refusal wanted)
{
    struct sl_wire_hex hex = message_at(p, wire_type, value.ptr, value.len);
    const ProtobufCMessage *message = NULL;
    enum sl_refusal refusal = sl_wire_decode(w->f, p->type, bytes_of(&hex), &message);
    if (refusal != wanted) {
        print_path(p);
    }
    sl_assert_str(sl_refusal_name(refusal), sl_refusal_name(wanted));
}

static void expect_hex(struct walk *w, const struct path *p, uint32_t wire_type, const char *digits,
                       enum sl_refusal wanted)
{
    struct sl_wire_hex value = sl_wire_hex(digits);
    expect_at(w, p, wire_type, bytes_of(&value), wanted);
}

static void check_enum(const struct path *p, void *context)
{
    struct walk *w = context;
    if (p->fields[p->depth - 1]->type != PROTOBUF_C_TYPE_ENUM) {
        return;
    }
    w->fields_count++;
    expect_hex(w, p, 0, "07", SL_REFUSE_BAD_ENUM);
    expect_hex(w, p, 0, "ffffffffffffffffff01", SL_REFUSE_BAD_ENUM); /* -1 */
    expect_hex(w, p, 0, "8080808010", SL_REFUSE_BAD_ENUM);           /* 2^32: its low half is a known value */
}

static void every_enum_field_refuses_values_that_are_not_known(void **state)
{
    (void)state;
    struct sl_wire_fixture f;
    sl_wire_fixture_init(&f, SL_WIRE_ARENA_BYTES);
    struct walk w = { .f = &f };
    walk_schema(check_enum, &w);
    assert_true(w.fields_count >= 20);
    sl_wire_fixture_deinit(&f);
}

/* What is for people is cleaned instead. */
static bool is_error_text(const struct path *p)
{
    return p->message == &pb__running_error__descriptor;
}

static void check_text(const struct path *p, void *context)
{
    struct walk *w = context;
    if (p->fields[p->depth - 1]->type != PROTOBUF_C_TYPE_STRING) {
        return;
    }
    w->fields_count++;
    static const char *const bad[] = {
        "03 610062",   /* "a\0b": protobuf-c alone would read "a" */
        "01 00",       /* a NUL */
        "01 1b",       /* escape */
        "02 c328",     /* broken two-byte character */
        "02 c080",     /* overlong NUL */
        "03 eda080",   /* surrogate */
        "04 f4908080", /* above U+10FFFF */
        "01 ff",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (!is_error_text(p))
            expect_hex(w, p, 2, bad[i], SL_REFUSE_BAD_TEXT);
    }
    if (!is_error_text(p)) {
        expect_hex(w, p, 2, "03 610a62", SL_REFUSE_BAD_TEXT);
        expect_hex(w, p, 2, "03 610962", SL_REFUSE_BAD_TEXT);
    }
    uint8_t text[16] = { 9, 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a' };
    w->f->limits.text_bytes_max = 8;
    expect_at(w, p, 2, (struct sl_bytes){ text, 10 }, SL_REFUSE_BAD_TEXT);
    w->f->limits = SL_WIRE_LIMITS_DEFAULT;
}

static void every_text_field_refuses_control_characters_broken_utf8_and_length(void **state)
{
    (void)state;
    struct sl_wire_fixture f;
    sl_wire_fixture_init(&f, SL_WIRE_ARENA_BYTES);
    struct walk w = { .f = &f };
    walk_schema(check_text, &w);
    assert_true(w.fields_count >= 60);
    sl_wire_fixture_deinit(&f);
}

static uint32_t wire_type_of(const ProtobufCFieldDescriptor *field)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
        return 2;
    case PROTOBUF_C_TYPE_FLOAT:
        return 5;
    default: /* the schema has no other fixed types */
        return 0;
    }
}

static void check_structure(const struct path *p, void *context)
{
    static const char *const values[] = { "01", "0102030405060708", "01 01", "", "", "01020304", "", "" };
    struct walk *w = context;
    const ProtobufCFieldDescriptor *field = p->fields[p->depth - 1];
    uint32_t right = wire_type_of(field);
    bool packable = field->label == PROTOBUF_C_LABEL_REPEATED && right != 2;
    w->fields_count++;
    for (uint32_t wire_type = 0; wire_type < 8; wire_type++) {
        if (wire_type != right && !(packable && wire_type == 2)) {
            expect_hex(w, p, wire_type, values[wire_type], SL_REFUSE_MALFORMED);
        }
    }
    expect_hex(w, p, 0, "8080808080808080808001", SL_REFUSE_MALFORMED); /* 11 bytes */
    expect_hex(w, p, 2, "05 61", SL_REFUSE_TRUNCATED);
}

static void every_field_refuses_other_wire_types_and_broken_values(void **state)
{
    (void)state;
    struct sl_wire_fixture f;
    sl_wire_fixture_init(&f, SL_WIRE_ARENA_BYTES);
    struct walk w = { .f = &f };
    walk_schema(check_structure, &w);
    assert_true(w.fields_count >= 300);
    sl_wire_fixture_deinit(&f);
}

/* Validation descends as deep as the schema, so the schema must not contain itself: walk_message would abort. */
static void count_depth(const struct path *p, void *context)
{
    uint32_t *depth = context;
    *depth = p->depth > *depth ? p->depth : *depth;
}

static void no_message_nests_deeper_than_five(void **state)
{
    (void)state;
    uint32_t depth = 0;
    walk_schema(count_depth, &depth);
    sl_assert_u64(depth, 5);
}

/* ---- required fields and ids ---- */

#define FEED "0a11 08021001 1a026366 220764656661756c74"
#define DID "08 01 10 02"

static void every_type_about_a_feed_needs_its_id(void **state)
{
    (void)state;
    uint32_t without = 0;
    enum sl_msg_type types[SL_WIRE_PB_TYPES_MAX];
    uint32_t count = sl_wire_pb_types(types);
    for (uint32_t i = 0; i < count; i++) {
        const ProtobufCFieldDescriptor *first =
            protobuf_c_message_descriptor_get_field(sl_wire_descriptor(types[i]), 1);
        bool about_a_feed = first->descriptor == &pb__changefeed_id__descriptor;
        sl_assert_str(sl_refusal_name(refusal_of(types[i], "")),
                      sl_refusal_name(about_a_feed ? SL_REFUSE_MISSING_FIELD : SL_REFUSE_NONE));
        without += about_a_feed ? 0 : 1;
    }
    /* bootstrap request and response, maintainer heartbeat, node heartbeat, liveness request and response, target */
    sl_assert_u64(without, 7);
}

static void other_required_sub_messages_must_be_there(void **state)
{
    (void)state;
    static const struct {
        enum sl_msg_type type;
        enum sl_refusal refusal;
        const char *digits;
    } cases[] = {
        /* a status needs its dispatcher, a heartbeat no watermark */
        { SL_MSG_HEART_BEAT_REQUEST, SL_REFUSE_NONE, FEED },
        { SL_MSG_HEART_BEAT_REQUEST, SL_REFUSE_MISSING_FIELD, FEED "22 00" },
        { SL_MSG_HEART_BEAT_REQUEST, SL_REFUSE_NONE, FEED "22 06 0a 04" DID },
        { SL_MSG_HEART_BEAT_RESPONSE, SL_REFUSE_MISSING_FIELD, FEED "12 00" },
        { SL_MSG_HEART_BEAT_RESPONSE, SL_REFUSE_NONE, FEED "12 02 0a 00" },
        /* schedule: config, its dispatcher, and what to create over */
        { SL_MSG_SCHEDULE_DISPATCHER_REQUEST, SL_REFUSE_MISSING_FIELD, FEED },
        { SL_MSG_SCHEDULE_DISPATCHER_REQUEST, SL_REFUSE_MISSING_FIELD, FEED "12 02 0a 00" },
        { SL_MSG_SCHEDULE_DISPATCHER_REQUEST, SL_REFUSE_MISSING_FIELD, FEED "12 06 1a 04" DID },
        { SL_MSG_SCHEDULE_DISPATCHER_REQUEST, SL_REFUSE_NONE, FEED "12 08 0a 00 1a 04" DID },
        { SL_MSG_SCHEDULE_DISPATCHER_REQUEST, SL_REFUSE_NONE, FEED "12 06 1a 04" DID "18 01" },
        { SL_MSG_MERGE_DISPATCHER_REQUEST, SL_REFUSE_MISSING_FIELD, FEED "12 04" DID },
        { SL_MSG_MERGE_DISPATCHER_REQUEST, SL_REFUSE_NONE, FEED "12 04" DID "1a 04" DID },
        /* both trigger ids are for the maintainer's own node only */
        { SL_MSG_MAINTAINER_BOOTSTRAP_REQUEST, SL_REFUSE_NONE, FEED },
        { SL_MSG_MAINTAINER_BOOTSTRAP_RESPONSE, SL_REFUSE_NONE, FEED },
        { SL_MSG_MAINTAINER_BOOTSTRAP_RESPONSE, SL_REFUSE_MISSING_FIELD, FEED "12 06 0a 04" DID },
        { SL_MSG_MAINTAINER_BOOTSTRAP_RESPONSE, SL_REFUSE_MISSING_FIELD, FEED "12 02 1a 00" },
        { SL_MSG_MAINTAINER_BOOTSTRAP_RESPONSE, SL_REFUSE_NONE, FEED "12 08 0a 04" DID "1a 00" },
        { SL_MSG_MAINTAINER_BOOTSTRAP_RESPONSE, SL_REFUSE_MISSING_FIELD, FEED "32 00" },
        { SL_MSG_MAINTAINER_BOOTSTRAP_RESPONSE, SL_REFUSE_MISSING_FIELD, FEED "42 00" },
        { SL_MSG_MAINTAINER_POST_BOOTSTRAP_REQUEST, SL_REFUSE_MISSING_FIELD, FEED },
        { SL_MSG_MAINTAINER_POST_BOOTSTRAP_REQUEST, SL_REFUSE_NONE, FEED "12 04" DID },
        { SL_MSG_MAINTAINER_POST_BOOTSTRAP_RESPONSE, SL_REFUSE_NONE, FEED },
        { SL_MSG_BLOCK_STATUS_REQUEST, SL_REFUSE_MISSING_FIELD, FEED "12 06 0a 04" DID },
        { SL_MSG_BLOCK_STATUS_REQUEST, SL_REFUSE_NONE, FEED "12 08 0a 04" DID "12 00" },
        { SL_MSG_MAINTAINER_HEARTBEAT_REQUEST, SL_REFUSE_MISSING_FIELD, "0a 00" },
        { SL_MSG_MAINTAINER_HEARTBEAT_REQUEST, SL_REFUSE_NONE, "0a 13" FEED },
        { SL_MSG_COORDINATOR_BOOTSTRAP_RESPONSE, SL_REFUSE_MISSING_FIELD, "0a 00" },
        { SL_MSG_COORDINATOR_BOOTSTRAP_RESPONSE, SL_REFUSE_NONE, "0a 13" FEED },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        enum sl_refusal refusal = refusal_of(cases[i].type, cases[i].digits);
        if (refusal != cases[i].refusal) {
            print_error("case %zu\n", i);
        }
        sl_assert_str(sl_refusal_name(refusal), sl_refusal_name(cases[i].refusal));
    }
}

static void a_feed_id_without_number_or_name_is_refused(void **state)
{
    (void)state;
    enum sl_msg_type type = SL_MSG_CHECKPOINT_TS_MESSAGE;
    sl_assert_i64(refusal_of(type, "0a 00"), SL_REFUSE_BAD_ID);
    sl_assert_i64(refusal_of(type, "0a 04 1a 02 6366"), SL_REFUSE_BAD_ID);
    sl_assert_i64(refusal_of(type, "0a 02 08 01"), SL_REFUSE_BAD_ID);
    sl_assert_i64(refusal_of(type, "0a 06 08 01 1a 02 6366"), SL_REFUSE_NONE);
}

static void a_dispatcher_id_may_be_zero_only_where_it_is_optional(void **state)
{
    (void)state;
    sl_assert_i64(refusal_of(SL_MSG_HEART_BEAT_REQUEST, FEED "22 02 0a 00"), SL_REFUSE_BAD_ID);
    sl_assert_i64(refusal_of(SL_MSG_MERGE_DISPATCHER_REQUEST, FEED "1a 00"), SL_REFUSE_BAD_ID);
    sl_assert_i64(refusal_of(SL_MSG_MERGE_DISPATCHER_REQUEST, FEED "12 00 1a 04" DID), SL_REFUSE_BAD_ID);
    sl_assert_i64(refusal_of(SL_MSG_MAINTAINER_BOOTSTRAP_REQUEST, FEED "22 00"), SL_REFUSE_NONE);
}

/* Every place in a payload that holds a node id. */
struct node_id_places {
    Pb__NodeHeartbeat beat;
    Pb__SetDispatcherDrainTargetRequest request;
    Pb__CoordinatorBootstrapResponse response;
    Pb__MaintainerHeartbeat maintainers;
    Pb__DrainTarget target, *targets[1];
    Pb__DrainProgress progress;
    Pb__StuckSpan stuck, *stuck_spans[1];
    Pb__DispatcherID dispatcher;
    Pb__MaintainerStatus status, *statuses[1];
    Pb__ChangefeedID feed;
};

static void places_init(struct node_id_places *p)
{
    *p = (struct node_id_places){
        PB__NODE_HEARTBEAT__INIT,
        PB__SET_DISPATCHER_DRAIN_TARGET_REQUEST__INIT,
        PB__COORDINATOR_BOOTSTRAP_RESPONSE__INIT,
        PB__MAINTAINER_HEARTBEAT__INIT,
        PB__DRAIN_TARGET__INIT,
        { &p->target },
        PB__DRAIN_PROGRESS__INIT,
        PB__STUCK_SPAN__INIT,
        { &p->stuck },
        PB__DISPATCHER_ID__INIT,
        PB__MAINTAINER_STATUS__INIT,
        { &p->status },
        PB__CHANGEFEED_ID__INIT,
    };
    p->beat.n_targets = 1;
    p->beat.targets = p->targets;
    p->maintainers.n_statuses = 1;
    p->maintainers.statuses = p->statuses;
    p->status.changefeed = &p->feed;
    p->status.drain_progress = &p->progress;
    p->progress.n_stuck_spans = 1;
    p->progress.stuck_spans = p->stuck_spans;
    p->stuck.id = &p->dispatcher;
    p->dispatcher.low = 1;
    p->feed.low = 1;
    p->feed.name = (char *)(uintptr_t)"cf";
}

static enum sl_refusal refusal_of_message(enum sl_msg_type type, const ProtobufCMessage *message)
{
    struct sl_wire_fixture f;
    sl_wire_fixture_init(&f, SL_WIRE_ARENA_BYTES);
    uint8_t bytes[512];
    SL_REQUIRE(sl_payload_size(type, message) <= sizeof bytes);
    struct sl_bytes encoded = { bytes, sl_payload_encode(type, message, bytes) };
    const ProtobufCMessage *decoded = NULL;
    enum sl_refusal refusal = sl_wire_decode(&f, type, encoded, &decoded);
    sl_wire_fixture_deinit(&f);
    return refusal;
}

static void node_ids_inside_payloads_are_at_most_62_bytes(void **state)
{
    (void)state;
    char longest[64] = { 0 }, too_long[64] = { 0 };
    memset(longest, 'n', 62);
    memset(too_long, 'n', 63);
    struct node_id_places p;
    places_init(&p);
    const struct {
        char **id;
        enum sl_msg_type type;
        const ProtobufCMessage *message;
    } cases[] = {
        { &p.beat.drain_target_node_id, SL_MSG_NODE_HEARTBEAT_REQUEST, &p.beat.base },
        { &p.target.node_id, SL_MSG_NODE_HEARTBEAT_REQUEST, &p.beat.base },
        { &p.request.target_node_id, SL_MSG_SET_DISPATCHER_DRAIN_TARGET_REQUEST, &p.request.base },
        { &p.response.drain_target_node_id, SL_MSG_COORDINATOR_BOOTSTRAP_RESPONSE, &p.response.base },
        { &p.progress.target_node_id, SL_MSG_MAINTAINER_HEARTBEAT_REQUEST, &p.maintainers.base },
        { &p.stuck.node, SL_MSG_MAINTAINER_HEARTBEAT_REQUEST, &p.maintainers.base },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        *cases[i].id = longest;
        sl_assert_i64(refusal_of_message(cases[i].type, cases[i].message), SL_REFUSE_NONE);
        *cases[i].id = too_long;
        sl_assert_i64(refusal_of_message(cases[i].type, cases[i].message), SL_REFUSE_BAD_ID);
        *cases[i].id = longest;
    }
    p.stuck.id = NULL;
    sl_assert_i64(refusal_of_message(SL_MSG_MAINTAINER_HEARTBEAT_REQUEST, &p.maintainers.base),
                  SL_REFUSE_MISSING_FIELD);
}

static void check_twice(const struct path *p, void *context)
{
    struct walk *w = context;
    const ProtobufCFieldDescriptor *field = p->fields[p->depth - 1];
    if (field->type != PROTOBUF_C_TYPE_MESSAGE || field->label == PROTOBUF_C_LABEL_REPEATED) {
        return;
    }
    w->fields_count++;
    uint8_t again[8] = { 0 };
    size_t key_len = put_varint(again + 1, (uint64_t)field->id << 3 | 2);
    expect_at(w, p, 2, (struct sl_bytes){ again, 1 + key_len + 1 }, SL_REFUSE_MALFORMED);
}

/* Decoders disagree about what it means. */
static void a_single_sub_message_that_comes_twice_is_refused(void **state)
{
    (void)state;
    struct sl_wire_fixture f;
    sl_wire_fixture_init(&f, SL_WIRE_ARENA_BYTES);
    struct walk w = { .f = &f };
    walk_schema(check_twice, &w);
    assert_true(w.fields_count >= 60);
    sl_wire_fixture_deinit(&f);
}

static void the_last_value_of_a_number_or_text_wins(void **state)
{
    (void)state;
    struct sl_wire_fixture f;
    sl_wire_fixture_init(&f, SL_WIRE_ARENA_BYTES);
    struct sl_wire_hex hex = sl_wire_hex("0a 02 6e31 10 05 0a 02 6e32 10 07");
    const ProtobufCMessage *message = NULL;
    sl_assert_i64(sl_wire_decode(&f, SL_MSG_SET_DISPATCHER_DRAIN_TARGET_REQUEST, bytes_of(&hex), &message),
                  SL_REFUSE_NONE);
    const Pb__SetDispatcherDrainTargetRequest *target = (const void *)message;
    sl_assert_str(target->target_node_id, "n2");
    sl_assert_u64(target->target_epoch, 7);
    sl_wire_fixture_deinit(&f);
}

/* ---- text, numbers, unknown fields ---- */

static void assert_message_of_error(const char *error, const char *expected)
{
    char text[256];
    struct sl_wire_fixture f;
    sl_wire_fixture_init(&f, SL_WIRE_ARENA_BYTES);
    (void)snprintf(text, sizeof text, "%s%s", FEED, error);
    struct sl_wire_hex hex = sl_wire_hex(text);
    const ProtobufCMessage *message = NULL;
    sl_assert_i64(sl_wire_decode(&f, SL_MSG_HEART_BEAT_REQUEST, bytes_of(&hex), &message), SL_REFUSE_NONE);
    const Pb__HeartBeatRequest *heartbeat = (const void *)message;
    sl_assert_str(heartbeat->err->message, expected);
    sl_wire_fixture_deinit(&f);
}

/* One strange byte in what a peer says of an error must not cost the whole heartbeat. */
static void the_text_of_an_error_is_cleaned_and_never_refused(void **state)
{
    (void)state;
    assert_message_of_error("32 09 22 07 61 0a 62 09 63 0d 64", "a\nb\tc\rd");
    assert_message_of_error("32 05 22 03 61 1b 62", "a b");
    assert_message_of_error("32 05 22 03 61 c3 62", "a b");
    assert_message_of_error("32 05 22 03 61 00 62", "a");
    assert_message_of_error("32 06 22 04 61 c3 a4 62", "a\xc3\xa4"
                                                       "b");
    assert_message_of_error("32 0a 12 03 61 0a 62 22 03 ff fe fd", "   ");
}

static void traffic_may_be_infinite_or_not_a_number(void **state)
{
    (void)state;
    sl_assert_i64(refusal_of(SL_MSG_HEART_BEAT_REQUEST, FEED "22 0b 0a 04" DID "25 0000c07f"), SL_REFUSE_NONE);
    sl_assert_i64(refusal_of(SL_MSG_HEART_BEAT_REQUEST, FEED "22 0b 0a 04" DID "25 0000807f"), SL_REFUSE_NONE);
}

static void unknown_fields_are_dropped_at_every_depth(void **state)
{
    (void)state;
    struct sl_wire_fixture f;
    sl_wire_fixture_init(&f, SL_WIRE_ARENA_BYTES);
    /* field 200 of all wire types around, and inside the feed id */
    struct sl_wire_hex hex = sl_wire_hex("c00c 05 c10c 0102030405060708 c20c 02 6161 c50c 01020304"
                                         "0a 14 c00c 05 08021001 1a026366 220764656661756c74 10 64");
    const ProtobufCMessage *message = NULL;
    enum sl_msg_type type = SL_MSG_CHECKPOINT_TS_MESSAGE;
    sl_assert_i64(sl_wire_decode(&f, type, bytes_of(&hex), &message), SL_REFUSE_NONE);
    struct sl_wire_hex wanted = sl_wire_hex(FEED "10 64");
    uint8_t again[64];
    sl_assert_u64(sl_payload_size(type, message), wanted.len);
    sl_assert_u64(sl_payload_encode(type, message, again), wanted.len);
    sl_assert_mem(again, wanted.bytes, wanted.len);
    sl_wire_fixture_deinit(&f);
}

static void extension_fields_are_read(void **state)
{
    (void)state;
    struct sl_wire_fixture f;
    sl_wire_fixture_init(&f, SL_WIRE_ARENA_BYTES);
    /* NodeHeartbeat: capabilities 5; self {3 maintainers}; targets [{"n2",7}] */
    struct sl_wire_hex hex = sl_wire_hex("a006 05 aa06 02 0803 b206 06 0a 02 6e32 10 07");
    const ProtobufCMessage *message = NULL;
    sl_assert_i64(sl_wire_decode(&f, SL_MSG_NODE_HEARTBEAT_REQUEST, bytes_of(&hex), &message), SL_REFUSE_NONE);
    const Pb__NodeHeartbeat *beat = (const void *)message;
    sl_assert_u64(beat->capabilities, 5);
    sl_assert_u64(beat->self->maintainers, 3);
    sl_assert_u64(beat->n_targets, 1);
    sl_assert_str(beat->targets[0]->node_id, "n2");
    sl_wire_fixture_deinit(&f);
}

static void numbers_may_be_packed_or_not(void **state)
{
    (void)state;
    /* State.block_tables.table_ids = [1, 300], once packed and once as two fields */
    sl_assert_i64(refusal_of(SL_MSG_BLOCK_STATUS_REQUEST, FEED "12 0f 0a 04" DID "12 07 1a 05 12 03 01 ac02"),
                  SL_REFUSE_NONE);
    sl_assert_i64(refusal_of(SL_MSG_BLOCK_STATUS_REQUEST, FEED "12 0f 0a 04" DID "12 07 1a 05 10 01 10 ac02"),
                  SL_REFUSE_NONE);
    sl_assert_i64(refusal_of(SL_MSG_BLOCK_STATUS_REQUEST, FEED "12 0e 0a 04" DID "12 06 1a 04 12 02 01 ac"),
                  SL_REFUSE_TRUNCATED);
}

/* ---- limits and memory ---- */

static void a_type_without_a_protobuf_payload_is_not_handled(void **state)
{
    (void)state;
    for (int32_t number = 1; number < SL_MSG_COUNT; number++) {
        const struct sl_msg_row *row = sl_msg_row(number);
        if (row->kind != SL_PAYLOAD_PB) {
            sl_assert_i64(refusal_of(row->type, ""), SL_REFUSE_NOT_HANDLED);
        }
    }
    sl_assert_i64(refusal_of(SL_MSG_INVALID, ""), SL_REFUSE_UNKNOWN_TYPE);
    sl_assert_i64(refusal_of((enum sl_msg_type)SL_MSG_COUNT, ""), SL_REFUSE_UNKNOWN_TYPE);
}

static void a_payload_above_the_limit_is_refused_unread(void **state)
{
    (void)state;
    struct sl_wire_fixture f;
    sl_wire_fixture_init(&f, SL_WIRE_ARENA_BYTES);
    f.limits.message_bytes_max = MIB;
    const ProtobufCMessage *message = NULL;
    enum sl_refusal refusal =
        sl_wire_decode(&f, SL_MSG_NODE_HEARTBEAT_REQUEST, (struct sl_bytes){ many_bytes, MIB + 1 }, &message);
    sl_assert_i64(refusal, SL_REFUSE_OVERSIZED);
    sl_assert_u64(f.mem.calls, 0);
    sl_wire_fixture_deinit(&f);
}

/* 2 bytes of empty sub-message become a node of 64 bytes or more: without a cap, 1 MiB becomes 68 MiB. */
static void a_mebibyte_of_empty_sub_messages_stops_at_the_memory_cap(void **state)
{
    (void)state;
    struct sl_wire_fixture f;
    sl_wire_fixture_init(&f, 4 * MIB);
    for (size_t i = 0; i + 1 < MIB; i += 2) {
        many_bytes[i] = 0x22;
        many_bytes[i + 1] = 0;
    }
    const ProtobufCMessage *message = NULL;
    enum sl_refusal refusal =
        sl_wire_decode(&f, SL_MSG_HEART_BEAT_REQUEST, (struct sl_bytes){ many_bytes, MIB }, &message);
    sl_assert_i64(refusal, SL_REFUSE_OUT_OF_MEMORY);
    assert_null(message);
    assert_true(f.mem.peak_bytes <= 5 * MIB);
    sl_wire_fixture_deinit(&f);
}

static void a_mebibyte_of_unknown_fields_stops_at_the_memory_cap(void **state)
{
    (void)state;
    struct sl_wire_fixture f;
    sl_wire_fixture_init(&f, 4 * MIB);
    for (size_t i = 0; i + 1 < MIB; i += 2) {
        many_bytes[i] = 0x50;
        many_bytes[i + 1] = 0;
    }
    const ProtobufCMessage *message = NULL;
    enum sl_refusal refusal =
        sl_wire_decode(&f, SL_MSG_NODE_HEARTBEAT_REQUEST, (struct sl_bytes){ many_bytes, MIB }, &message);
    sl_assert_i64(refusal, SL_REFUSE_OUT_OF_MEMORY);
    sl_wire_fixture_deinit(&f);
}

/* A random message of the type, encoded; the arena is reset. */
static struct sl_bytes random_payload(struct sl_wire_fixture *f, enum sl_msg_type type, uint64_t seed)
{
    struct sl_wire_random r = { .arena = &f->arena, .repeated_max = 4 };
    sl_prng_init(&r.prng, seed);
    sl_arena_reset(&f->arena);
    const ProtobufCMessage *message = sl_wire_random_message(&r, sl_wire_descriptor(type));
    SL_REQUIRE(sl_payload_size(type, message) <= sizeof many_bytes);
    return (struct sl_bytes){ many_bytes, sl_payload_encode(type, message, many_bytes) };
}

/* Every cap from nothing upwards, until the message fits: each allocation of protobuf-c is the failing one once. */
static void a_decode_that_runs_into_any_memory_cap_is_refused_without_a_trace(void **state)
{
    (void)state;
    struct sl_wire_fixture big;
    sl_wire_fixture_init(&big, SL_WIRE_ARENA_BYTES);
    enum sl_msg_type types[SL_WIRE_PB_TYPES_MAX];
    uint32_t count = sl_wire_pb_types(types);
    for (uint32_t i = 0; i < count; i++) {
        struct sl_bytes bytes = random_payload(&big, types[i], i + 1);
        enum sl_refusal refusal = SL_REFUSE_OUT_OF_MEMORY;
        for (size_t cap = 16; refusal != SL_REFUSE_NONE; cap += 16) {
            struct sl_wire_fixture f;
            sl_wire_fixture_init(&f, cap);
            const ProtobufCMessage *message = NULL;
            refusal = sl_wire_decode(&f, types[i], bytes, &message);
            assert_true(refusal == SL_REFUSE_NONE || refusal == SL_REFUSE_OUT_OF_MEMORY);
            assert_true(cap < 256 * KIB);
            sl_wire_fixture_deinit(&f); /* requires that all is freed */
        }
    }
    sl_wire_fixture_deinit(&big);
}

static void a_failed_allocation_is_refused_and_the_next_decode_works(void **state)
{
    (void)state;
    struct sl_wire_fixture big;
    sl_wire_fixture_init(&big, SL_WIRE_ARENA_BYTES);
    enum sl_msg_type types[SL_WIRE_PB_TYPES_MAX];
    uint32_t count = sl_wire_pb_types(types);
    for (uint32_t i = 0; i < count; i++) {
        struct sl_bytes bytes = random_payload(&big, types[i], i + 100);
        enum sl_refusal refusal = SL_REFUSE_OUT_OF_MEMORY;
        for (uint64_t fail_at = 1; refusal != SL_REFUSE_NONE; fail_at++) {
            struct sl_wire_fixture f;
            sl_wire_fixture_init(&f, SL_WIRE_ARENA_BYTES);
            f.mem.fail_at = fail_at;
            const ProtobufCMessage *message = NULL;
            refusal = sl_wire_decode(&f, types[i], bytes, &message);
            assert_true(refusal == SL_REFUSE_NONE || refusal == SL_REFUSE_OUT_OF_MEMORY);
            f.mem.fail_at = 0;
            sl_assert_i64(sl_wire_decode(&f, types[i], bytes, &message), SL_REFUSE_NONE);
            sl_wire_fixture_deinit(&f);
        }
    }
    sl_wire_fixture_deinit(&big);
}

static void a_warm_arena_decodes_without_allocating(void **state)
{
    (void)state;
    struct sl_wire_fixture f;
    sl_wire_fixture_init(&f, SL_WIRE_ARENA_BYTES);
    struct sl_bytes bytes = random_payload(&f, SL_MSG_HEART_BEAT_REQUEST, 7);
    const ProtobufCMessage *message = NULL;
    sl_assert_i64(sl_wire_decode(&f, SL_MSG_HEART_BEAT_REQUEST, bytes, &message), SL_REFUSE_NONE);
    uint64_t calls = f.mem.calls;
    for (int i = 0; i < 100; i++) {
        sl_assert_i64(sl_wire_decode(&f, SL_MSG_HEART_BEAT_REQUEST, bytes, &message), SL_REFUSE_NONE);
    }
    sl_assert_u64(f.mem.calls, calls);
    sl_wire_fixture_deinit(&f);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_enum_field_refuses_values_that_are_not_known),
        cmocka_unit_test(every_text_field_refuses_control_characters_broken_utf8_and_length),
        cmocka_unit_test(every_field_refuses_other_wire_types_and_broken_values),
        cmocka_unit_test(no_message_nests_deeper_than_five),
        cmocka_unit_test(every_type_about_a_feed_needs_its_id),
        cmocka_unit_test(other_required_sub_messages_must_be_there),
        cmocka_unit_test(a_feed_id_without_number_or_name_is_refused),
        cmocka_unit_test(a_dispatcher_id_may_be_zero_only_where_it_is_optional),
        cmocka_unit_test(node_ids_inside_payloads_are_at_most_62_bytes),
        cmocka_unit_test(a_single_sub_message_that_comes_twice_is_refused),
        cmocka_unit_test(the_last_value_of_a_number_or_text_wins),
        cmocka_unit_test(the_text_of_an_error_is_cleaned_and_never_refused),
        cmocka_unit_test(traffic_may_be_infinite_or_not_a_number),
        cmocka_unit_test(unknown_fields_are_dropped_at_every_depth),
        cmocka_unit_test(extension_fields_are_read),
        cmocka_unit_test(numbers_may_be_packed_or_not),
        cmocka_unit_test(a_type_without_a_protobuf_payload_is_not_handled),
        cmocka_unit_test(a_payload_above_the_limit_is_refused_unread),
        cmocka_unit_test(a_mebibyte_of_empty_sub_messages_stops_at_the_memory_cap),
        cmocka_unit_test(a_mebibyte_of_unknown_fields_stops_at_the_memory_cap),
        cmocka_unit_test(a_decode_that_runs_into_any_memory_cap_is_refused_without_a_trace),
        cmocka_unit_test(a_failed_allocation_is_refused_and_the_next_decode_works),
        cmocka_unit_test(a_warm_arena_decodes_without_allocating),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
