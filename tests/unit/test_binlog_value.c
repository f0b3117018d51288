/* SPDX-License-Identifier: Apache-2.0 */
#include "base/prng.h"
#include "edge/mariadb/binlog_value.h"
#include "tests/support/sl_test.h"

#include <string.h>

/* Every type of column whose values are read as they stand in the log. */
#define COLUMNS 15u
static const uint8_t types[COLUMNS] = { 1, 1, 2, 9, 3, 8, 8, 254, 254, 15, 15, 252, 252, 252, 252 };
static const uint8_t metas[] = {
    254, 60, 0xee, 0x2c, 100, 0, 0xe8, 3, 1, 2, 3, 4
}; /* CHAR(60) and of 300 bytes, ... */
static const uint8_t widths[COLUMNS] = { 1, 1, 2, 3, 4, 8, 8, 1, 2, 1, 2, 1, 2, 3, 4 };
#define FIRST_VIEW 7u
static const uint8_t optional[] = {
    1, 1, 0x44,                            /* signs: the second and the sixth of the numbers are unsigned */
    3, 8, 33,   33, 33, 63, 33, 63, 33, 33 /* collations of the texts: some are of bytes */
};

struct out { /* what is written to */
    uint8_t bytes[2048];
    size_t len;
};

static void put(struct out *o, const void *bytes, size_t len)
{
    assert_true(o->len + len <= sizeof o->bytes);
    memcpy(o->bytes + o->len, bytes, len);
    o->len += len;
}

static void put_le(struct out *o, uint64_t v, size_t width)
{
    for (size_t i = 0; i < width; i++)
        put(o, &(uint8_t){ (uint8_t)(v >> 8 * i) }, 1);
}

static struct sl_binlog_table *new_table(void)
{
    struct out map = { .len = 0 };
    struct sl_binlog_table *table;
    put(&map, "\1\0\0\0\0\0\0\0\1s\0\1t\0", 14);
    put_le(&map, COLUMNS, 1);
    put(&map, types, sizeof types);
    put_le(&map, sizeof metas, 1);
    put(&map, metas, sizeof metas);
    put(&map, "\xff\x7f", 2);
    put(&map, optional, sizeof optional);
    sl_assert_i64(sl_binlog_table_new(&table, (struct sl_bytes){ map.bytes, map.len }, true, NULL), SL_OK);
    return table;
}

static void put_row(struct out *o, struct sl_prng *prng)
{
    uint8_t nulls[2] = { 0 };
    for (uint32_t i = 0; i < COLUMNS; i++)
        nulls[i / 8] |= (uint8_t)(sl_prng_chance(prng, 1, 6) << i % 8);
    put(o, nulls, sizeof nulls);
    for (uint32_t i = 0; i < COLUMNS; i++) {
        if (nulls[i / 8] >> i % 8 & 1)
            continue;
        uint64_t len = sl_prng_below(prng, 40);
        put_le(o, i < FIRST_VIEW ? sl_prng_u64(prng) : len, widths[i]);
        for (uint64_t n = 0; i >= FIRST_VIEW && n < len; n++)
            put_le(o, sl_prng_u64(prng), 1);
    }
}

struct read { /* what reading a row came to */
    enum sl_code code;
    size_t used;
    struct sl_value values[COLUMNS];
};

static struct read read_row(const struct sl_binlog_table *table, const struct out *o, size_t len)
{
    static const uint8_t all[] = { 0xff, 0x7f };
    const struct sl_value_memory memory = { 0 };
    struct read r;
    struct sl_cursor c = sl_cursor_of((struct sl_bytes){ o->bytes, len });
    memset(&r, 0, sizeof r);
    r.code = sl_binlog_image_read(r.values, &c, table, (struct sl_bytes){ all, sizeof all }, COLUMNS, &memory, NULL);
    r.used = (size_t)(c.at - o->bytes);
    return r;
}

static void assert_same(const struct read *a, const struct read *b)
{
    sl_assert_i64(a->code, b->code);
    sl_assert_u64(a->used, b->used);
    for (uint32_t i = 0; a->code == SL_OK && i < COLUMNS; i++) {
        sl_assert_i64(a->values[i].kind, b->values[i].kind);
        sl_assert_u64(a->values[i].len, b->values[i].len);
        sl_assert_u64(a->values[i].v.u, b->values[i].v.u);
    }
}

/* The general way is what types.sql compares with a server. */
static void rows_of_plain_values_are_read_as_the_general_way_reads_them(void **state)
{
    (void)state;
    struct sl_prng prng;
    struct sl_binlog_table *table = new_table();
    sl_prng_init(&prng, 7);
    assert_true(table->is_plain);
    for (int turn = 0; turn < 20000; turn++) {
        struct out o = { .len = 0 };
        put_row(&o, &prng);
        size_t len = sl_prng_chance(&prng, 1, 4) ? sl_prng_below(&prng, o.len) : o.len;
        table->is_plain = true;
        struct read plain = read_row(table, &o, len);
        table->is_plain = false;
        struct read general = read_row(table, &o, len);
        assert_same(&plain, &general);
        sl_assert_i64(plain.code, len == o.len ? SL_OK : SL_TRUNCATED);
    }
    sl_binlog_table_free(table);
}

static void signs_and_collations_decide_the_kind(void **state)
{
    (void)state;
    struct sl_binlog_table *table = new_table();
    struct out o = { .len = 0 };
    put(&o, "\0\0", 2);
    for (uint32_t i = 0; i < COLUMNS; i++)
        put_le(&o, i < FIRST_VIEW ? UINT64_MAX : 0, widths[i]);
    struct read r = read_row(table, &o, o.len);
    sl_assert_i64(r.code, SL_OK);
    sl_assert_u64(r.used, o.len);
    sl_assert_i64(r.values[0].v.i, -1);
    sl_assert_i64(r.values[1].kind, SL_VALUE_UINT);
    sl_assert_u64(r.values[1].v.u, 255);
    sl_assert_i64(r.values[3].v.i, -1);
    sl_assert_u64(r.values[5].v.u, UINT64_MAX);
    sl_assert_i64(r.values[6].kind, SL_VALUE_INT);
    sl_assert_i64(r.values[9].kind, SL_VALUE_TEXT);
    sl_assert_i64(r.values[10].kind, SL_VALUE_BYTES);
    sl_binlog_table_free(table);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_of_plain_values_are_read_as_the_general_way_reads_them),
        cmocka_unit_test(signs_and_collations_decide_the_kind),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
