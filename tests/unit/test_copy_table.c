/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/mariadb/copy_table.h"
#include "tests/support/sl_test.h"

#include <string.h>

/* Values as the server spells them, places between chunks, and the statements that come of them; no server. */

static struct sl_column columns[4];
static struct sl_copy_column classes[4];
static struct sl_table_def def;
static struct sl_copy_table table;

static void put_column(uint32_t i, const char *name, const char *type)
{
    columns[i] = (struct sl_column){ .name = sl_str_of(name), .flags = i < 2 ? SL_COLUMN_KEY : 0 };
    classes[i] = (struct sl_copy_column){ .charset = "utf8mb4", .collation = "utf8mb4_bin" };
    assert_true(sl_copy_class_of(&classes[i], type));
}

static int begin(void **state)
{
    (void)state;
    put_column(0, "id", "int");
    put_column(1, "na`me", "varchar");
    put_column(2, "f", "float");
    put_column(3, "u", "uuid");
    def = (struct sl_table_def){ .schema = SL_STR("s"), .table = SL_STR("t"), .column_count = 4, .columns = columns };
    table = (struct sl_copy_table){
        .def = &def, .hash = 0x1122334455667788u, .columns = classes, .key = { 0, 1 }, .key_count = 2
    };
    return 0;
}

static struct sl_bytes bytes(const char *text)
{
    return (struct sl_bytes){ (const uint8_t *)text, strlen(text) };
}

static void numbers_are_read_to_their_ends(void **state)
{
    (void)state;
    struct sl_value v;
    struct sl_copy_column c = { .class = SL_COPY_INTEGER };
    assert_true(sl_copy_value(&v, &c, false, bytes("-9223372036854775808")));
    sl_assert_i64(v.v.i, INT64_MIN);
    assert_true(sl_copy_value(&v, &c, true, bytes("18446744073709551615")));
    sl_assert_u64(v.v.u, UINT64_MAX);
    assert_int_equal(v.kind, SL_VALUE_UINT);
    assert_false(sl_copy_value(&v, &c, true, bytes("-1")));
    assert_false(sl_copy_value(&v, &c, false, bytes("")));
    assert_false(sl_copy_value(&v, &c, false, bytes("1x")));
    c.class = SL_COPY_BITS;
    assert_true(sl_copy_value(&v, &c, false, bytes("18446744073709551615")));
    assert_int_equal(v.kind, SL_VALUE_UINT);
    c.class = SL_COPY_REAL;
    assert_true(sl_copy_value(&v, &c, false, bytes("0.10000000149011612")));
    assert_true(v.v.d == (double)0.1f);
    assert_false(sl_copy_value(&v, &c, false, bytes("0.1 ")));
}

static void every_type_has_a_class_and_others_are_refused(void **state)
{
    (void)state;
    struct sl_copy_column c;
    static const char *const known[] = { "tinyint",   "year", "bit",      "set",  "decimal",
                                         "timestamp", "json", "geometry", "inet4" };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        assert_true(sl_copy_class_of(&c, known[i]));
    assert_false(sl_copy_class_of(&c, "vector"));
    assert_false(sl_copy_class_of(&c, ""));
}

static size_t write_place(uint8_t out[256], int64_t id, const char *name)
{
    const struct sl_value row[4] = {
        { .kind = SL_VALUE_INT, .v.i = id },
        { .kind = SL_VALUE_TEXT, .len = (uint32_t)strlen(name), .v.ptr = (const uint8_t *)name },
    };
    return sl_copy_place_write(out, 256, &table, row);
}

static void a_chunk_begins_behind_the_last_row_of_the_one_before(void **state)
{
    (void)state;
    uint8_t place[256];
    char memory[1024];
    struct sl_text sql;
    size_t len = write_place(place, -7, "o'x");
    sl_text_init(&sql, memory, sizeof memory);
    assert_true(sl_copy_select_spell(&sql, &table, (struct sl_bytes){ place, len }, 100));
    assert_string_equal(memory,
                        "SELECT `id`, `na``me`, CAST(`f` AS DOUBLE), CAST(`u` AS BINARY(16)) FROM `s`.`t` "
                        "FORCE INDEX (PRIMARY) WHERE (`id` > -7) OR (`id` = -7 AND `na``me` > "
                        "CONVERT(0x6f2778 USING utf8mb4) COLLATE utf8mb4_bin) ORDER BY `id`, `na``me` LIMIT 100");
    sl_text_init(&sql, memory, sizeof memory);
    assert_true(sl_copy_select_spell(&sql, &table, (struct sl_bytes){ 0 }, 3));
    assert_null(strstr(memory, "WHERE"));
}

/* It comes from the sink. */
static void a_place_that_was_tampered_with_is_refused(void **state)
{
    (void)state;
    uint8_t place[256];
    char memory[1024];
    struct sl_text sql;
    size_t len = write_place(place, 12345, "a");
    for (size_t cut = 0; cut < len; cut++) {
        sl_text_init(&sql, memory, sizeof memory);
        assert_false(sl_copy_place_spell(&sql, &table, (struct sl_bytes){ place, cut }));
    }
    memcpy(place + 12, "1 OR ", 5);
    sl_text_init(&sql, memory, sizeof memory);
    assert_false(sl_copy_place_spell(&sql, &table, (struct sl_bytes){ place, len }));
    len = write_place(place, 12345, "a");
    place[0] ^= 1; /* of another definition */
    sl_text_init(&sql, memory, sizeof memory);
    assert_false(sl_copy_place_spell(&sql, &table, (struct sl_bytes){ place, len }));
}

static void a_key_that_is_too_large_has_no_place(void **state)
{
    (void)state;
    uint8_t place[20];
    const struct sl_value row[4] = { { .kind = SL_VALUE_INT, .v.i = 1 },
                                     { .kind = SL_VALUE_TEXT, .len = 9, .v.ptr = (const uint8_t *)"123456789" } };
    assert_int_equal(sl_copy_place_write(place, sizeof place, &table, row), 0);
    assert_int_equal(sl_copy_place_write(place, 3, &table, row), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(numbers_are_read_to_their_ends, begin),
        cmocka_unit_test_setup(every_type_has_a_class_and_others_are_refused, begin),
        cmocka_unit_test_setup(a_chunk_begins_behind_the_last_row_of_the_one_before, begin),
        cmocka_unit_test_setup(a_place_that_was_tampered_with_is_refused, begin),
        cmocka_unit_test_setup(a_key_that_is_too_large_has_no_place, begin),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
