/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"
#include "edge/gen/gen.h"
#include "port/uri.h"

#define GEN_EPOCH_MS UINT64_C(1735689600000) /* 2025-01-01T00:00:00Z */
#define GEN_TABLES_MAX 16777215u
#define GEN_STRIDE UINT64_C(2654435761)

struct gen_param {
    const char *name;
    size_t offset;
    uint64_t min, max;
};

static const struct gen_param gen_params[] = {
    { "tables", offsetof(struct sl_gen_opts, tables), 1, GEN_TABLES_MAX },
    { "rows_per_s", offsetof(struct sl_gen_opts, rows_per_s), 0, 1000000000 },
    { "seed", offsetof(struct sl_gen_opts, seed), 0, UINT64_MAX },
    { "keys", offsetof(struct sl_gen_opts, keys), 1, 1000000000000 },
    { "payload", offsetof(struct sl_gen_opts, payload), 0, 65535 },
    { "epoch_ms", offsetof(struct sl_gen_opts, epoch_ms), 0, 1000000000000000 },
    { "limit", offsetof(struct sl_gen_opts, limit), 1, UINT64_MAX },
};
#define GEN_PARAMS_COUNT (sizeof gen_params / sizeof gen_params[0])
#define GEN_REMEDY "write gen://?tables=N&rows_per_s=R[&seed=S][&keys=K][&payload=B][&epoch_ms=T][&limit=L]"

static bool gen_set(struct sl_gen_opts *out, const struct sl_uri_param *param, struct sl_trouble *t)
{
    for (size_t i = 0; i < GEN_PARAMS_COUNT; i++) {
        const struct gen_param *g = &gen_params[i];
        if (!sl_str_eq(param->name, sl_str_of(g->name)))
            continue;
        uint64_t *field = (uint64_t *)(void *)((char *)out + g->offset);
        if (sl_uri_u64(field, param->value, g->max) && *field >= g->min)
            return true;
        return sl_trouble_set(t, SL_TROUBLE_LASTING, "BAD_URI", GEN_REMEDY, "gen: %s is not a number from %llu to %llu",
                              g->name, (unsigned long long)g->min, (unsigned long long)g->max);
    }
    return sl_trouble_set(t, SL_TROUBLE_LASTING, "BAD_URI", GEN_REMEDY, "gen: no parameter is called '%.*s'",
                          (int)(param->name.len < 32 ? param->name.len : 32), param->name.ptr);
}

static uint64_t gen_gcd(uint64_t a, uint64_t b)
{
    while (b != 0) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static uint64_t gen_stride(uint64_t tables)
{
    uint64_t stride = GEN_STRIDE % tables;
    while (tables > 1 && gen_gcd(stride, tables) != 1)
        stride = (stride + 1) % tables;
    return stride;
}

bool sl_gen_parse(struct sl_gen_opts *out, struct sl_secret uri, struct sl_trouble *t)
{
    struct sl_uri parsed;
    struct sl_uri_param param;
    *out =
        (struct sl_gen_opts){ .tables = 1, .keys = 1000, .payload = 32, .epoch_ms = GEN_EPOCH_MS, .limit = UINT64_MAX };
    if (!sl_uri_parse(&parsed, uri, t))
        return false;
    if (!sl_str_eq(parsed.scheme, SL_STR("gen")) || parsed.host.len > 0 || parsed.path.len > 1)
        return sl_trouble_set(t, SL_TROUBLE_LASTING, "BAD_URI", GEN_REMEDY, "gen: there is no host and no path");
    while (sl_uri_next_param(&parsed.query, &param))
        if (!gen_set(out, &param, t))
            return false;
    out->stride = gen_stride(out->tables);
    return true;
}

struct sl_gen_change sl_gen_change_at(const struct sl_gen_opts *o, uint64_t i)
{
    static const enum sl_row_op turns[] = { SL_ROW_INSERT, SL_ROW_UPDATE, SL_ROW_DELETE };
    uint64_t round = i / o->tables, place = i % o->tables;
    uint64_t shift = sl_hash_mix(o->seed ^ sl_hash_mix(round));
    return (struct sl_gen_change){ .table = (uint32_t)((place * o->stride + shift % o->tables) % o->tables),
                                   .seq = round + 1,
                                   .id = round % o->keys,
                                   .op = turns[round / o->keys % 3] };
}

uint64_t sl_gen_count_at(const struct sl_gen_opts *o, sl_ns wall_ns)
{
    uint64_t now_us = (uint64_t)(wall_ns / 1000), epoch_us = o->epoch_ms * 1000;
    if (now_us <= epoch_us)
        return 0;
    uint64_t us = now_us - epoch_us;
    if (o->rows_per_s == 0)
        return us / 1000;
    uint64_t seconds = us / 1000000, rest = us % 1000000;
    uint64_t count = seconds * o->rows_per_s + rest * o->rows_per_s / 1000000;
    return count < o->limit ? count : o->limit;
}
