/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/file/file_charset.h"
#include "edge/file/file_format.h"
#include "edge/file/file_opts.h"
#include "edge/file/file_state.h"
#include "tests/support/sl_test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct sl_column columns[] = {
    { .name = { "k", 1 }, .type = { "int", 3 }, .type_code = 3, .flags = SL_COLUMN_KEY },
    { .name = { "v", 1 }, .type = { "text", 4 }, .type_code = 252, .charset = 8 },
};
static struct sl_table_def table = {
    .refs = 1, .table_id = 7, .schema = { "s", 1 }, .table = { "t", 1 }, .column_count = 2, .columns = columns
};

static struct sl_file_out out;
static char line[4096];

static const char *formatted(enum sl_file_protocol protocol, const struct sl_row *row)
{
    FILE *file = tmpfile();
    struct sl_file_charsets charsets;
    assert_non_null(file);
    sl_file_charsets_init(&charsets);
    sl_file_out_init(&out, fileno(file), 0);
    struct sl_file_format f = { .out = &out, .charsets = &charsets, .protocol = protocol, .now_ms = 5 };
    sl_file_format_row(&f, &table, row);
    assert_true(sl_file_out_flush(&out));
    ssize_t n = pread(fileno(file), line, sizeof line - 1, 0);
    assert_true(n > 0);
    line[n] = '\0';
    sl_file_charsets_deinit(&charsets);
    fclose(file);
    return line;
}

static struct sl_value text(const char *s)
{
    return (struct sl_value){ .kind = SL_VALUE_TEXT, .len = (uint32_t)strlen(s), .v.ptr = (const uint8_t *)s };
}

static void each_format_writes_one_row_as_documented(void **state)
{
    (void)state;
    const struct sl_value before[] = { { .kind = SL_VALUE_INT, .v.i = -1 }, { .kind = SL_VALUE_NULL } };
    const struct sl_value after[] = { { .kind = SL_VALUE_INT, .v.i = -1 }, text("\xe4\"\n") };
    const struct sl_row row = { .ts = 9, .before = before, .after = after, .op = SL_ROW_UPDATE };
    sl_assert_str(
        formatted(SL_FILE_CANAL_JSON, &row),
        "{\"id\":0,\"database\":\"s\",\"table\":\"t\",\"pkNames\":[\"k\"],\"isDdl\":false,\"type\":\"UPDATE\","
        "\"es\":5,\"ts\":5,\"commitTs\":9,\"sql\":\"\",\"sqlType\":{\"k\":4,\"v\":2004},\"mysqlType\":"
        "{\"k\":\"int\",\"v\":\"text\"},\"data\":[{\"k\":\"-1\",\"v\":\"\xc3\xa4\\\"\\u000a\"}],"
        "\"old\":[{\"k\":\"-1\",\"v\":null}]}\n");
    sl_assert_str(formatted(SL_FILE_DEBEZIUM, &row),
                  "{\"before\":{\"k\":-1,\"v\":null},\"after\":{\"k\":-1,\"v\":\"\xc3\xa4\\\"\\u000a\"},\"source\":"
                  "{\"connector\":\"sluice\",\"name\":\"\",\"ts\":9,\"db\":\"s\",\"table\":\"t\",\"pos\":\"9\"},"
                  "\"op\":\"u\",\"ts_ms\":5}\n");
    sl_assert_str(formatted(SL_FILE_CSV, &row), "U,\"t\",\"s\",9,,-1,\"\xc3\xa4\"\"\n\"\r\n");
}

static void text_that_is_not_of_its_charset_is_marked_and_in_base64(void **state)
{
    (void)state;
    const struct sl_value after[] = { { .kind = SL_VALUE_INT, .v.i = 1 }, text("\x81") };
    const struct sl_row row = { .ts = 9, .after = after, .op = SL_ROW_INSERT };
    sl_assert_str(formatted(SL_FILE_CSV, &row), "I,\"t\",\"s\",9,2,1,gQ==\r\n");
    assert_non_null(strstr(formatted(SL_FILE_CANAL_JSON, &row), ",\"base64\":[\"v\"]}"));
    assert_false(sl_file_charset_is_known(3));
    assert_true(sl_file_charset_is_known(2304));
}

static bool parsed(struct sl_file_opts *o, const char *uri)
{
    struct sl_trouble t;
    return sl_file_opts_parse(o, sl_secret_of((struct sl_bytes){ (const uint8_t *)uri, strlen(uri) }), &t);
}

static void settings_outside_of_their_range_are_refused(void **state)
{
    (void)state;
    struct sl_file_opts o;
    assert_true(parsed(&o, "file:///d?protocol=csv&file-size=2MiB&flush-interval=500ms"));
    sl_assert_u64(o.file_size, 2u << 20);
    sl_assert_i64(o.flush_ns, 500 * SL_MS);
    assert_false(parsed(&o, "file:///d"));
    assert_false(parsed(&o, "file:///d?protocol=xml"));
    assert_false(parsed(&o, "file:///d?protocol=csv&file-size=0"));
    assert_false(parsed(&o, "file:///d?protocol=csv&flush-interval=1ms"));
    assert_false(parsed(&o, "file:///d?protocol=csv&colour=1"));
}

static void state_is_read_back_as_it_was_stored(void **state)
{
    (void)state;
    char stored[SL_FILE_STATE_BYTES_MAX];
    struct sl_file_state got,
        s = { .placement = { 1, UINT64_MAX }, .ts = 3, .length = 4, .schema = 0xabc, .is_open = true };
    snprintf(s.folder, sizeof s.folder, "data/a b/t");
    size_t length = sl_file_state_format(&s, stored);
    assert_true(sl_file_state_parse(&got, (struct sl_str){ stored, length }));
    sl_assert_u64(got.placement.seq, UINT64_MAX);
    sl_assert_u64(got.length, 4);
    sl_assert_u64(got.schema, 0xabc);
    assert_true(got.is_open);
    sl_assert_str(got.folder, "data/a b/t");
}

static void no_state_is_believed_that_is_cut_or_changed(void **state)
{
    (void)state;
    char stored[SL_FILE_STATE_BYTES_MAX];
    struct sl_file_state got, s = { .placement = { 1, 2 }, .ts = 3, .length = 4, .is_open = true };
    snprintf(s.folder, sizeof s.folder, "data/s/t");
    size_t length = sl_file_state_format(&s, stored);
    for (size_t i = 0; i < length; i++) {
        assert_false(sl_file_state_parse(&got, (struct sl_str){ stored, i }));
        for (unsigned bit = 0; bit < 8; bit++) {
            stored[i] = (char)(stored[i] ^ 1 << bit);
            assert_false(sl_file_state_parse(&got, (struct sl_str){ stored, length }));
            stored[i] = (char)(stored[i] ^ 1 << bit);
        }
    }
    snprintf(s.folder, sizeof s.folder, "data/../t"); /* well formed, and leads out of the directory */
    length = sl_file_state_format(&s, stored);
    assert_false(sl_file_state_parse(&got, (struct sl_str){ stored, length }));
}

static void troubles_with_the_disk_pass_and_say_what_to_do(void **state)
{
    (void)state;
    struct sl_trouble t = { 0 };
    static const struct {
        int error;
        const char *code;
    } rows[] = { { ENOSPC, "SINK_FULL" },
                 { EDQUOT, "SINK_FULL" },
                 { EACCES, "SINK_DENIED" },
                 { EROFS, "SINK_DENIED" },
                 { EIO, "SINK_IO" } };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_false(sl_file_trouble(&t, rows[i].error, "write a file of", "data/s/t"));
        sl_assert_str(t.code, rows[i].code);
        sl_assert_i64(t.kind, SL_TROUBLE_PASSING);
        assert_non_null(strstr(t.detail, "data/s/t"));
        assert_true(t.remedy[0] != 0);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_format_writes_one_row_as_documented),
        cmocka_unit_test(text_that_is_not_of_its_charset_is_marked_and_in_base64),
        cmocka_unit_test(settings_outside_of_their_range_are_refused),
        cmocka_unit_test(state_is_read_back_as_it_was_stored),
        cmocka_unit_test(no_state_is_believed_that_is_cut_or_changed),
        cmocka_unit_test(troubles_with_the_disk_pass_and_say_what_to_do),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
