/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our side of the comparison with protoc (test_protoc_crosscheck.sh):
 *
 *   wire_random proto             the schema of a batch: field N repeats the payload of type N, field 100 envelopes
 *   wire_random write SEED COUNT  a batch of COUNT random messages of each type, written by our encoders
 *   wire_random read              a batch from standard input, read by our decoders and written by our encoders
 *
 * and of the comparison of docs/protocol.md with the tables of src/wire (test_protocol_doc.sh):
 *
 *   wire_random doc               both tables as the document must show them
 */
#include "tests/wire/wire_fixture.h"
#include "tests/wire/wire_random_message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BATCH_ENVELOPE_FIELD = 100,
    BATCH_BYTES_MAX = 64 << 20,
    ARENA_BYTES_MAX = 64 << 20,
    MESSAGE_BYTES_MAX = 1 << 20,
    REPEATED_MAX = 3,
    PAYLOAD_BYTES_MAX = 40,
    ID_BYTES = 8,
};

static void write_varint(uint64_t v)
{
    for (; v >= 0x80; v >>= 7) {
        putchar((int)((v & 0x7f) | 0x80));
    }
    putchar((int)v);
}

static void write_element(uint32_t field, const uint8_t *bytes, size_t len)
{
    write_varint((uint64_t)field << 3 | 2);
    write_varint(len);
    fwrite(bytes, 1, len, stdout);
}

static void write_payload(enum sl_msg_type type, const ProtobufCMessage *message)
{
    static uint8_t bytes[MESSAGE_BYTES_MAX];
    size_t len = sl_payload_size(type, message);
    SL_REQUIRE(len <= sizeof bytes);
    SL_REQUIRE(sl_payload_encode(type, message, bytes) == len);
    write_element((uint32_t)type, bytes, len);
}

static void write_envelope(const struct sl_envelope *envelope)
{
    static uint8_t bytes[MESSAGE_BYTES_MAX];
    size_t len = sl_envelope_size(envelope);
    SL_REQUIRE(len <= sizeof bytes);
    SL_REQUIRE(sl_envelope_encode(envelope, bytes) == len);
    write_element(BATCH_ENVELOPE_FIELD, bytes, len);
}

static int run_proto(const enum sl_msg_type *types, uint32_t types_count)
{
    printf(
        "syntax = \"proto3\";\npackage pb;\nimport \"heartbeat.proto\";\nimport \"message.proto\";\nmessage Batch {\n");
    for (uint32_t i = 0; i < types_count; i++) {
        printf("  repeated %s m%u = %u;\n", sl_wire_descriptor(types[i])->name, (unsigned)types[i], (unsigned)types[i]);
    }
    printf("  repeated Message envelope = %d;\n}\n", BATCH_ENVELOPE_FIELD);
    return EXIT_SUCCESS;
}

static void print_topics(const struct sl_msg_row *row)
{
    printf("%s%s%s", row->topic == SL_TOPIC_NONE ? "" : "`", sl_topic_text(row->topic),
           row->topic == SL_TOPIC_NONE ? "none" : "`");
    if (row->topic2 != SL_TOPIC_NONE) {
        printf(", `%s`", sl_topic_text(row->topic2));
    }
}

static int run_doc(void)
{
    static const char *const payloads[] = {
        [SL_PAYLOAD_ENVELOPE] = "event envelope",
        [SL_PAYLOAD_LOG] = "logservice",
        [SL_PAYLOAD_EVENTPB] = "event service",
        [SL_PAYLOAD_EMPTY] = "no bytes",
        [SL_PAYLOAD_JSON] = "JSON",
    };
    printf("| # | type | payload | topic | lane |\n|---|---|---|---|---|\n");
    for (int32_t number = 1; number < SL_MSG_COUNT; number++) {
        const struct sl_msg_row *row = sl_msg_row(number);
        bool pb = row->kind == SL_PAYLOAD_PB;
        const char *payload = pb ? strchr(sl_wire_descriptor(row->type)->name, '.') + 1 : payloads[row->kind];
        printf("| %d | %s | %s%s%s | ", (int)number, row->name, pb ? "`" : "", payload, pb ? "`" : "");
        print_topics(row);
        printf(" | %s |\n", row->lane == SL_LANE_COMMAND ? "command" : "event");
    }
    printf("| reason | meaning |\n|---|---|\n");
    for (uint32_t r = SL_REFUSE_NONE + 1; r < SL_REFUSAL_COUNT; r++) {
        printf("| `%s` | %s |\n", sl_refusal_name((enum sl_refusal)r), sl_refusal_text((enum sl_refusal)r));
    }
    return EXIT_SUCCESS;
}

static void write_random_payloads(struct sl_wire_random *r, enum sl_msg_type type, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        sl_arena_reset(r->arena);
        write_payload(type, sl_wire_random_message(r, sl_wire_descriptor(type)));
    }
}

static void write_random_envelope(struct sl_prng *prng)
{
    const struct sl_msg_row *row = sl_msg_row((int32_t)sl_prng_between(prng, 1, SL_MSG_COUNT - 1));
    char ids[2][ID_BYTES];
    uint8_t payload[PAYLOAD_BYTES_MAX];
    memset(ids, 'n', sizeof ids);
    for (size_t i = 0; i < sizeof payload; i++) {
        payload[i] = (uint8_t)sl_prng_below(prng, 256);
    }
    struct sl_envelope e = { .type = row->type, .topic = sl_str_of(sl_topic_text(row->topic)) };
    e.from = (struct sl_str){ ids[0], 1 + sl_prng_below(prng, ID_BYTES) };
    e.to = (struct sl_str){ ids[1], 1 + sl_prng_below(prng, ID_BYTES) };
    e.payload_count = (uint32_t)sl_prng_between(prng, 1, SL_PAYLOADS_MAX);
    for (uint32_t i = 0; i < e.payload_count; i++) {
        e.payload[i] = (struct sl_bytes){ payload, sl_prng_below(prng, sizeof payload) };
    }
    write_envelope(&e);
}

static int run_write(const enum sl_msg_type *types, uint32_t types_count, uint64_t seed, uint64_t count)
{
    struct sl_wire_fixture f;
    sl_wire_fixture_init(&f, ARENA_BYTES_MAX);
    struct sl_wire_random r = { .arena = &f.arena, .repeated_max = REPEATED_MAX };
    sl_prng_init(&r.prng, seed);
    for (uint32_t i = 0; i < types_count; i++) {
        write_random_payloads(&r, types[i], count);
    }
    for (uint64_t i = 0; i < count; i++) {
        write_random_envelope(&r.prng);
    }
    sl_wire_fixture_deinit(&f);
    return EXIT_SUCCESS;
}

/* One element of a batch through our decoder and encoder. */
static bool read_element(struct sl_wire_fixture *f, uint64_t field, struct sl_bytes bytes)
{
    enum sl_refusal refusal;
    if (field == BATCH_ENVELOPE_FIELD) {
        struct sl_envelope e;
        refusal = sl_envelope_decode(&e, bytes, &f->limits);
        if (refusal == SL_REFUSE_NONE) {
            write_envelope(&e);
        }
    } else {
        const ProtobufCMessage *message = NULL;
        refusal = sl_wire_decode(f, (enum sl_msg_type)field, bytes, &message);
        if (refusal == SL_REFUSE_NONE) {
            write_payload((enum sl_msg_type)field, message);
        }
    }
    if (refusal != SL_REFUSE_NONE) {
        fprintf(stderr, "wire_random: field %u refused: %s\n", (unsigned)field, sl_refusal_name(refusal));
    }
    return refusal == SL_REFUSE_NONE;
}

static uint64_t batch_varint(const uint8_t **at)
{
    uint64_t v = 0;
    for (unsigned shift = 0;; shift += 7) {
        uint8_t byte = *(*at)++;
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            return v;
        }
    }
}

static int run_read(void)
{
    uint8_t *batch = malloc(BATCH_BYTES_MAX);
    if (batch == NULL) {
        return EXIT_FAILURE;
    }
    struct sl_wire_fixture f;
    sl_wire_fixture_init(&f, ARENA_BYTES_MAX);
    const uint8_t *end = batch + fread(batch, 1, BATCH_BYTES_MAX, stdin);
    bool accepted = true;
    for (const uint8_t *at = batch; at < end && accepted;) {
        uint64_t field = batch_varint(&at) >> 3;
        uint64_t len = batch_varint(&at);
        accepted = read_element(&f, field, (struct sl_bytes){ at, len });
        at += len;
    }
    sl_wire_fixture_deinit(&f);
    free(batch);
    return accepted ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    enum sl_msg_type types[SL_WIRE_PB_TYPES_MAX];
    uint32_t types_count = sl_wire_pb_types(types);
    if (argc == 2 && strcmp(argv[1], "proto") == 0) {
        return run_proto(types, types_count);
    }
    if (argc == 4 && strcmp(argv[1], "write") == 0) {
        return run_write(types, types_count, strtoull(argv[2], NULL, 10), strtoull(argv[3], NULL, 10));
    }
    if (argc == 2 && strcmp(argv[1], "read") == 0) {
        return run_read();
    }
    if (argc == 2 && strcmp(argv[1], "doc") == 0) {
        return run_doc();
    }
    fprintf(stderr, "usage: %s proto | write SEED COUNT | read | doc\n", argv[0]);
    return EXIT_FAILURE;
}
