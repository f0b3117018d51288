/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our decoders against protobuf-c's over random and damaged messages: what we accept, protobuf-c accepts with the same
 * meaning, and it survives being written and read again.
 */
#include "proto/message.pb-c.h"
#include "tests/support/sl_test.h"
#include "tests/wire/wire_fixture.h"
#include "tests/wire/wire_random_message.h"

#include <stdlib.h>
#include <string.h>

enum { BYTES_MAX = 64 * 1024, VALID_PER_TYPE = 40, DAMAGED_PER_TYPE = 1500, RANDOM_PER_TYPE = 500, ENVELOPES = 30000 };

/* A growing text of bytes with room for damage. */
struct buffer {
    size_t len;
    uint8_t bytes[BYTES_MAX];
};

static struct buffer first, second, again;

/* ---- damage ---- */

static void buffer_insert(struct buffer *b, size_t at, const uint8_t *from, size_t len)
{
    if (b->len + len > BYTES_MAX) {
        return;
    }
    memmove(b->bytes + at + len, b->bytes + at, b->len - at);
    memcpy(b->bytes + at, from, len);
    b->len += len;
}

static void buffer_remove(struct buffer *b, size_t at, size_t len)
{
    memmove(b->bytes + at, b->bytes + at + len, b->len - at - len);
    b->len -= len;
}

static uint8_t damage_byte(struct sl_prng *p)
{
    static const uint8_t edges[] = { 0x00, 0x01, 0x7f, 0x80, 0xff, 0x08, 0x0a, 0x12 };
    return sl_prng_chance(p, 1, 2) ? edges[sl_prng_below(p, sizeof edges)] : (uint8_t)sl_prng_below(p, 256);
}

/* A piece of b, or of another message, put somewhere else. */
static void damage_copy(struct sl_prng *p, struct buffer *b, const struct buffer *from)
{
    uint8_t piece[64];
    if (from->len == 0) {
        return;
    }
    size_t start = sl_prng_below(p, from->len);
    size_t len = 1 + sl_prng_below(p, sizeof piece);
    len = len < from->len - start ? len : from->len - start;
    memcpy(piece, from->bytes + start, len);
    buffer_insert(b, sl_prng_below(p, b->len + 1), piece, len);
}

static void damage_once(struct sl_prng *p, struct buffer *b, const struct buffer *other)
{
    uint8_t byte = damage_byte(p);
    size_t at = sl_prng_below(p, b->len + 1);
    bool inside = at < b->len;
    switch (sl_prng_below(p, 7)) {
    case 0:
        b->bytes[at] = (uint8_t)(b->bytes[at] ^ (1u << sl_prng_below(p, 8)));
        return;
    case 1:
        b->bytes[at] = byte;
        return;
    case 2:
        buffer_insert(b, at, &byte, 1);
        return;
    case 3:
        buffer_remove(b, at, inside ? 1 + sl_prng_below(p, b->len - at) : 0);
        return;
    case 4:
        b->len = at;
        return;
    case 5:
        damage_copy(p, b, b);
        return;
    default:
        damage_copy(p, b, other);
        return;
    }
}

static void damage(struct sl_prng *p, struct buffer *b, const struct buffer *other)
{
    for (uint64_t times = 1 + sl_prng_below(p, 3); times > 0; times--) {
        damage_once(p, b, other);
    }
}

/* Memory of exactly the size, so that the address sanitizer sees a read behind the end. */
static struct sl_bytes exact_copy(const struct buffer *b)
{
    uint8_t *copy = malloc(b->len > 0 ? b->len : 1);
    assert_non_null(copy);
    memcpy(copy, b->bytes, b->len);
    return (struct sl_bytes){ copy, b->len };
}

/* ---- payloads ---- */

static void random_payload(struct sl_wire_fixture *f, struct sl_prng *p, enum sl_msg_type type, struct buffer *out)
{
    sl_arena_reset(&f->arena);
    struct sl_wire_random r = { .prng = *p, .arena = &f->arena, .repeated_max = 3 };
    const ProtobufCMessage *message = sl_wire_random_message(&r, sl_wire_descriptor(type));
    *p = r.prng;
    SL_REQUIRE(sl_payload_size(type, message) <= BYTES_MAX / 2);
    out->len = sl_payload_encode(type, message, out->bytes);
}

/* The same bytes read by protobuf-c alone, without unknown fields, must give the same message. */
static void expect_same_as_protobuf_c(struct sl_wire_fixture *f, enum sl_msg_type type, struct sl_bytes bytes,
                                      const struct buffer *ours)
{
    ProtobufCMessage *theirs = protobuf_c_message_unpack(sl_wire_descriptor(type), NULL, bytes.len, bytes.ptr);
    assert_non_null(theirs);
    static struct buffer packed;
    SL_REQUIRE(protobuf_c_message_get_packed_size(theirs) <= BYTES_MAX);
    packed.len = protobuf_c_message_pack(theirs, packed.bytes);
    protobuf_c_message_free_unpacked(theirs, NULL);
    const ProtobufCMessage *message = NULL;
    sl_assert_i64(sl_wire_decode(f, type, (struct sl_bytes){ packed.bytes, packed.len }, &message), SL_REFUSE_NONE);
    static struct buffer known;
    known.len = sl_payload_encode(type, message, known.bytes);
    sl_assert_u64(known.len, ours->len);
    sl_assert_mem(known.bytes, ours->bytes, ours->len);
}

/* True if the bytes are accepted; then everything that must follow is checked. */
static bool check_payload(struct sl_wire_fixture *f, enum sl_msg_type type, const struct buffer *b)
{
    struct sl_bytes bytes = exact_copy(b);
    const ProtobufCMessage *message = NULL;
    enum sl_refusal refusal = sl_wire_decode(f, type, bytes, &message);
    assert_true((refusal == SL_REFUSE_NONE) == (message != NULL));
    if (message != NULL) {
        SL_REQUIRE(sl_payload_size(type, message) <= BYTES_MAX);
        again.len = sl_payload_encode(type, message, again.bytes);
        expect_same_as_protobuf_c(f, type, bytes, &again);
    }
    free((void *)(uintptr_t)bytes.ptr);
    return message != NULL;
}

static void for_each_type(void (*fn)(struct sl_wire_fixture *, struct sl_prng *, enum sl_msg_type))
{
    struct sl_wire_fixture f;
    sl_wire_fixture_init(&f, SL_WIRE_ARENA_BYTES);
    enum sl_msg_type types[SL_WIRE_PB_TYPES_MAX];
    uint32_t count = sl_wire_pb_types(types);
    for (uint32_t i = 0; i < count; i++) {
        struct sl_prng p;
        sl_prng_init(&p, i + 1);
        fn(&f, &p, types[i]);
    }
    sl_wire_fixture_deinit(&f);
}

static void check_valid(struct sl_wire_fixture *f, struct sl_prng *p, enum sl_msg_type type)
{
    for (int i = 0; i < VALID_PER_TYPE; i++) {
        random_payload(f, p, type, &first);
        assert_true(check_payload(f, type, &first));
        sl_assert_u64(again.len, first.len);
        sl_assert_mem(again.bytes, first.bytes, first.len);
    }
}

static void a_valid_message_of_every_type_is_accepted_and_written_back_the_same(void **state)
{
    (void)state;
    for_each_type(check_valid);
}

static void check_damaged(struct sl_wire_fixture *f, struct sl_prng *p, enum sl_msg_type type)
{
    int accepted_count = 0;
    for (int i = 0; i < DAMAGED_PER_TYPE; i++) {
        random_payload(f, p, type, &first);
        random_payload(f, p, type, &second);
        damage(p, &first, &second);
        accepted_count += check_payload(f, type, &first) ? 1 : 0;
    }
    /* Else the generator is not worth its name: some damage leaves a message, some does not. */
    assert_true(accepted_count > DAMAGED_PER_TYPE / 100);
    assert_true(accepted_count < DAMAGED_PER_TYPE * 99 / 100);
}

static void what_is_accepted_of_damaged_messages_means_the_same_to_protobuf_c(void **state)
{
    (void)state;
    for_each_type(check_damaged);
}

static void check_random(struct sl_wire_fixture *f, struct sl_prng *p, enum sl_msg_type type)
{
    for (int i = 0; i < RANDOM_PER_TYPE; i++) {
        first.len = sl_prng_below(p, 64);
        for (size_t j = 0; j < first.len; j++) {
            first.bytes[j] = damage_byte(p);
        }
        (void)check_payload(f, type, &first);
    }
}

static void what_is_accepted_of_random_bytes_means_the_same_to_protobuf_c(void **state)
{
    (void)state;
    for_each_type(check_random);
}

/* ---- envelopes ---- */

static void random_envelope(struct sl_prng *p, struct buffer *out)
{
    static const uint8_t payload[] = { 0x08, 0x01, 0x10, 0xac, 0x02 };
    const struct sl_msg_row *row = sl_msg_row((int32_t)sl_prng_between(p, 1, SL_MSG_COUNT - 1));
    struct sl_envelope e = { .type = row->type, .topic = sl_str_of(sl_topic_text(row->topic)) };
    e.from = SL_STR("n1");
    e.to = SL_STR("n2");
    e.payload_count = (uint32_t)sl_prng_between(p, 1, 4);
    for (uint32_t i = 0; i < e.payload_count; i++) {
        e.payload[i] = (struct sl_bytes){ payload, sl_prng_below(p, sizeof payload + 1) };
    }
    out->len = sl_envelope_encode(&e, out->bytes);
}

static void expect_text(struct sl_str ours, const char *theirs)
{
    assert_true(sl_str_eq(ours, sl_str_of(theirs)));
}

static void expect_same_envelope(const struct sl_envelope *e, struct sl_bytes bytes)
{
    Pb__Message *theirs = pb__message__unpack(NULL, bytes.len, bytes.ptr);
    assert_non_null(theirs);
    sl_assert_i64(theirs->type, (int32_t)e->type);
    expect_text(e->from, theirs->from);
    expect_text(e->to, theirs->to);
    expect_text(e->topic, theirs->topic);
    sl_assert_u64(theirs->n_payload, e->payload_count);
    for (uint32_t i = 0; i < e->payload_count; i++) {
        struct sl_bytes payload = { theirs->payload[i].data, theirs->payload[i].len };
        assert_true(sl_bytes_eq(payload, e->payload[i]));
    }
    pb__message__free_unpacked(theirs, NULL);
}

static bool check_envelope(const struct buffer *b)
{
    struct sl_wire_limits limits = SL_WIRE_LIMITS_DEFAULT;
    struct sl_bytes bytes = exact_copy(b);
    struct sl_envelope e;
    bool accepted = sl_envelope_decode(&e, bytes, &limits) == SL_REFUSE_NONE;
    if (accepted) {
        expect_same_envelope(&e, bytes);
        again.len = sl_envelope_encode(&e, again.bytes);
        sl_assert_u64(again.len, sl_envelope_size(&e));
        assert_true(again.len <= b->len);
        struct sl_envelope back;
        struct sl_bytes encoded = { again.bytes, again.len };
        sl_assert_i64(sl_envelope_decode(&back, encoded, &limits), SL_REFUSE_NONE);
        expect_same_envelope(&back, bytes);
    }
    free((void *)(uintptr_t)bytes.ptr);
    return accepted;
}

static void an_accepted_envelope_means_the_same_to_protobuf_c(void **state)
{
    (void)state;
    struct sl_prng p;
    sl_prng_init(&p, 1);
    int accepted_count = 0;
    for (int i = 0; i < ENVELOPES; i++) {
        random_envelope(&p, &first);
        assert_true(check_envelope(&first));
        random_envelope(&p, &second);
        damage(&p, &first, &second);
        accepted_count += check_envelope(&first) ? 1 : 0;
    }
    assert_true(accepted_count > ENVELOPES / 100);
    assert_true(accepted_count < ENVELOPES * 9 / 10);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_valid_message_of_every_type_is_accepted_and_written_back_the_same),
        cmocka_unit_test(what_is_accepted_of_damaged_messages_means_the_same_to_protobuf_c),
        cmocka_unit_test(what_is_accepted_of_random_bytes_means_the_same_to_protobuf_c),
        cmocka_unit_test(an_accepted_envelope_means_the_same_to_protobuf_c),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
