/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything that src/wire reads from a peer. The first byte says what the rest is: 0 an envelope, the number of a type
 * its payload, above that a feed's record or a flattened configuration. The second byte chooses the memory cap.
 *
 * What must hold: bytes that are accepted can be written again and mean the same; a memory cap changes a result to
 * OUT_OF_MEMORY and to nothing else.
 */
#include "wire/feed_config.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Between the two: the number of a type. */
enum {
    KIND_ENVELOPE = 0,
    KIND_RECORD = SL_MSG_COUNT,
    KIND_FLAT_CONFIG = SL_MSG_COUNT + 1,
    KIND_COUNT = SL_MSG_COUNT + 2
};
enum { HEADER_BYTES = 2, ARENA_BYTES_MAX = 16 << 20, JSON_BYTES_MAX = 64 << 10 };

struct fuzz {
    struct sl_mem mem;
    struct sl_arena arena;
    struct sl_wire_limits limits;
};

static void fuzz_init(struct fuzz *f, size_t bytes_max)
{
    static const char *const tags[] = { "fuzz" };
    sl_mem_init(&f->mem, &(struct sl_mem_opts){ .tag_names = tags, .tag_count = 1 });
    sl_arena_init(&f->arena, &f->mem, 0, bytes_max);
    f->limits = SL_WIRE_LIMITS_DEFAULT;
}

static void fuzz_deinit(struct fuzz *f)
{
    sl_arena_deinit(&f->arena);
    sl_mem_deinit(&f->mem);
}

static size_t fuzz_cap(uint8_t choice)
{
    static const size_t caps[] = { 64, 256, 1024, 4096 };
    return caps[choice % 4];
}

/* ---- payloads ---- */

static void payload_twice(struct fuzz *f, enum sl_msg_type type, const ProtobufCMessage *message, size_t bytes_max)
{
    size_t len = sl_payload_size(type, message);
    SL_REQUIRE(len <= 2 * bytes_max); /* a list of one number that came unpacked grows by a byte */
    uint8_t *first = malloc(len + 1);
    uint8_t *second = malloc(len + 1);
    SL_REQUIRE(first != NULL && second != NULL);
    SL_REQUIRE(sl_payload_encode(type, message, first) == len);
    const ProtobufCMessage *back = NULL;
    SL_REQUIRE(sl_payload_decode(type, (struct sl_bytes){ first, len }, &f->limits, &f->arena, &back) ==
               SL_REFUSE_NONE);
    SL_REQUIRE(sl_payload_size(type, back) == len);
    SL_REQUIRE(sl_payload_encode(type, back, second) == len);
    SL_REQUIRE(memcmp(first, second, len) == 0);
    free(first);
    free(second);
}

static void payload_capped(enum sl_msg_type type, struct sl_bytes bytes, size_t cap, enum sl_refusal wanted)
{
    struct fuzz f;
    fuzz_init(&f, cap);
    const ProtobufCMessage *message = NULL;
    enum sl_refusal refusal = sl_payload_decode(type, bytes, &f.limits, &f.arena, &message);
    SL_REQUIRE(refusal == wanted || refusal == SL_REFUSE_OUT_OF_MEMORY);
    SL_REQUIRE((refusal == SL_REFUSE_NONE) == (message != NULL));
    fuzz_deinit(&f);
}

static void fuzz_payload(enum sl_msg_type type, struct sl_bytes bytes, size_t cap)
{
    struct fuzz f;
    fuzz_init(&f, ARENA_BYTES_MAX);
    const ProtobufCMessage *message = NULL;
    enum sl_refusal refusal = sl_payload_decode(type, bytes, &f.limits, &f.arena, &message);
    SL_REQUIRE((refusal == SL_REFUSE_NONE) == (message != NULL));
    if (message != NULL) {
        payload_twice(&f, type, message, bytes.len);
    }
    fuzz_deinit(&f);
    payload_capped(type, bytes, cap, refusal);
}

/* ---- envelopes ---- */

static bool envelope_eq(const struct sl_envelope *a, const struct sl_envelope *b)
{
    bool equal = a->type == b->type && sl_str_eq(a->from, b->from) && sl_str_eq(a->to, b->to) &&
                 sl_str_eq(a->topic, b->topic) && a->payload_count == b->payload_count;
    for (uint32_t i = 0; i < a->payload_count && equal; i++) {
        equal = sl_bytes_eq(a->payload[i], b->payload[i]);
    }
    return equal;
}

static void fuzz_envelope(struct sl_bytes bytes, size_t cap)
{
    struct sl_wire_limits limits = SL_WIRE_LIMITS_DEFAULT;
    struct sl_envelope e;
    if (sl_envelope_decode(&e, bytes, &limits) != SL_REFUSE_NONE) {
        SL_REQUIRE(e.payload_count == 0 && e.to.len == 0 && e.topic.len == 0);
        return;
    }
    size_t len = sl_envelope_size(&e);
    SL_REQUIRE(len <= bytes.len);
    uint8_t *encoded = malloc(len);
    SL_REQUIRE(encoded != NULL);
    SL_REQUIRE(sl_envelope_encode(&e, encoded) == len);
    struct sl_envelope back;
    SL_REQUIRE(sl_envelope_decode(&back, (struct sl_bytes){ encoded, len }, &limits) == SL_REFUSE_NONE);
    SL_REQUIRE(envelope_eq(&e, &back));
    free(encoded);
    for (uint32_t i = 0; i < e.payload_count; i++) {
        fuzz_payload(e.type, e.payload[i], cap);
    }
}

/* ---- configurations ---- */

static void fuzz_record(struct sl_secret json, size_t cap)
{
    struct sl_feed_info info;
    bool accepted = sl_feed_info_parse(&info, json, JSON_BYTES_MAX) == SL_REFUSE_NONE;
    struct fuzz f;
    fuzz_init(&f, ARENA_BYTES_MAX);
    struct sl_secret flat;
    enum sl_refusal refusal = sl_feed_bootstrap_config(&flat, json, SL_STR("UTC"), &f.arena);
    if (accepted) {
        struct sl_bootstrap_config config;
        SL_REQUIRE(refusal == SL_REFUSE_NONE);
        SL_REQUIRE(sl_bootstrap_config_parse(&config, flat, SIZE_MAX) == SL_REFUSE_NONE);
        SL_REQUIRE(config.epoch == info.epoch && config.start_ts == info.start_ts);
        SL_REQUIRE(config.target_ts == info.target_ts && config.low_latency == info.low_latency);
        SL_REQUIRE(info.tasks_per_node > 0);
    }
    fuzz_deinit(&f);
    fuzz_init(&f, cap);
    enum sl_refusal capped = sl_feed_bootstrap_config(&flat, json, SL_STR("UTC"), &f.arena);
    SL_REQUIRE(capped == refusal || capped == SL_REFUSE_OUT_OF_MEMORY);
    fuzz_deinit(&f);
}

static void fuzz_flat_config(struct sl_secret json)
{
    struct sl_bootstrap_config config;
    if (sl_bootstrap_config_parse(&config, json, JSON_BYTES_MAX) != SL_REFUSE_NONE) {
        SL_REQUIRE(config.epoch == 0 && config.start_ts == 0 && config.target_ts == 0 && !config.low_latency);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < HEADER_BYTES) {
        return 0;
    }
    uint32_t kind = data[0] % (uint32_t)KIND_COUNT;
    size_t cap = fuzz_cap(data[1]);
    struct sl_bytes rest = { data + HEADER_BYTES, size - HEADER_BYTES };
    if (kind == KIND_ENVELOPE) {
        fuzz_envelope(rest, cap);
    } else if (kind == KIND_RECORD) {
        fuzz_record(sl_secret_of(rest), cap);
    } else if (kind == KIND_FLAT_CONFIG) {
        fuzz_flat_config(sl_secret_of(rest));
    } else {
        fuzz_payload((enum sl_msg_type)kind, rest, cap);
    }
    return 0;
}
