/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What etcd answers, and the list of endpoints. The first byte chooses the decoder, the second the memory cap.
 *
 * What must hold: nothing of an answer is believed without looking; a batch of a watch never goes back in revisions and is
 * complete to its last event; a memory cap changes a result to LIMIT and to nothing else.
 */
#include "edge/etcd/etcd_codec.h"
#include "edge/etcd/etcd_endpoints.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    KIND_WATCH = SL_STORE_WATCH,
    KIND_LOGIN = SL_STORE_UNWATCH,
    KIND_ENDPOINTS = KIND_LOGIN + 1,
    KIND_COUNT = KIND_LOGIN + 2,
};
enum { HEADER_BYTES = 2, ARENA_BYTES_MAX = 16 << 20 };

static enum sl_code decode_watch(struct sl_bytes answer, struct sl_arena *arena)
{
    enum sl_etcd_watch_said said = SL_ETCD_WATCH_BATCH;
    struct sl_store_watch_batch batch;
    struct sl_str reason;
    sl_revision revision = 0, last = 0;
    enum sl_code code = sl__etcd_decode_watch(answer, arena, &said, &revision, &batch, &reason);
    if (code != SL_OK)
        return code;
    for (uint32_t i = 0; i < batch.event_count; i++) {
        SL_REQUIRE(batch.events[i].pair.mod_revision >= last);
        last = batch.events[i].pair.mod_revision;
    }
    SL_REQUIRE(batch.event_count == 0 || batch.revision == last);
    SL_REQUIRE(said != SL_ETCD_WATCH_ENDED || batch.ended);
    return SL_OK;
}

static enum sl_code decode(uint8_t kind, struct sl_bytes answer, struct sl_arena *arena)
{
    struct sl_store_op op = { .id = 1, .verb = (enum sl_store_verb)kind };
    struct sl_store_result r;
    struct sl_secret token;
    if (kind == KIND_WATCH)
        return decode_watch(answer, arena);
    if (kind == KIND_LOGIN)
        return sl__etcd_decode_login(answer, arena, &token);
    enum sl_code code = sl__etcd_decode(&op, answer, arena, &r);
    if (code == SL_OK && r.pair_count > 0) {
        size_t bytes = sl_store_result_bytes(&r); /* reads every length */
        SL_REQUIRE(bytes >= r.pair_count * sizeof *r.pairs);
    }
    return code;
}

static enum sl_code decode_within(uint8_t kind, struct sl_bytes answer, size_t bytes_max)
{
    static const char *const tags[] = { "fuzz" };
    struct sl_mem mem;
    struct sl_arena arena;
    sl_mem_init(&mem, &(struct sl_mem_opts){ .tag_names = tags, .tag_count = 1 });
    sl_arena_init(&arena, &mem, 0, bytes_max);
    enum sl_code code = decode(kind, answer, &arena);
    sl_arena_deinit(&arena);
    sl_mem_deinit(&mem);
    return code;
}

static void parse_endpoints(struct sl_bytes text)
{
    struct sl_etcd_endpoints list;
    struct sl_err err = { 0 };
    char *copy = malloc(text.len + 1);
    SL_REQUIRE(copy != NULL);
    if (text.len > 0)
        memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    if (sl__etcd_endpoints_parse(&list, copy, &err) == SL_OK) {
        SL_REQUIRE(list.count > 0 && list.count <= SL_ETCD_ENDPOINTS_MAX);
        for (uint32_t i = 0; i < list.count; i++)
            SL_REQUIRE(list.list[i].port > 0 && strlen(list.list[i].host) > 0);
    } else {
        SL_REQUIRE(err.text[0] != '\0');
    }
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t caps[] = { 64, 256, 1024, 4096 };
    if (size < HEADER_BYTES)
        return 0;
    uint8_t kind = data[0] % KIND_COUNT;
    struct sl_bytes rest = { data + HEADER_BYTES, size - HEADER_BYTES };
    if (kind == KIND_ENDPOINTS) {
        parse_endpoints(rest);
        return 0;
    }
    enum sl_code roomy = decode_within(kind, rest, ARENA_BYTES_MAX);
    enum sl_code tight = decode_within(kind, rest, caps[data[1] % 4]);
    SL_REQUIRE(tight == roomy || tight == SL_LIMIT);
    return 0;
}
