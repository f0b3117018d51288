/* SPDX-License-Identifier: Apache-2.0 */
#include "app/log.h"

#include "tests/support/sl_test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WALL UINT64_C(1700000000123456789) /* 2023-11-14T22:13:20.123Z */

static const struct sl_field fields[] = {
    { .key = "name", .kind = SL_FIELD_STR, .str = { "a \"b\"\n\xff", 7 } },
    { .key = "count", .kind = SL_FIELD_U64, .u64 = UINT64_MAX },
    { .key = "delta", .kind = SL_FIELD_I64, .u64 = (uint64_t)-3 },
    { .key = "id", .kind = SL_FIELD_HEX128, .u64 = 1, .u64_low = 2 },
};
enum { FIELD_COUNT = sizeof fields / sizeof fields[0] };

static void format(char *out, size_t size, enum sl_log_format f)
{
    struct sl_text text;
    sl_text_init(&text, out, size);
    sl_log_format(&text, f, WALL, SL_STR("n1"), SL_LEVEL_WARN, "EVENT", "what to do", fields, FIELD_COUNT);
}

static void a_line_of_logfmt_cannot_be_forged(void **state)
{
    (void)state;
    char line[512];
    format(line, sizeof line, SL_LOG_LOGFMT);
    sl_assert_str(line, "time=2023-11-14T22:13:20.123Z self=n1 level=warn event=EVENT name=\"a \\\"b\\\"\\n\\xff\" "
                        "count=18446744073709551615 delta=-3 id=00000000000000010000000000000002 msg=\"what to do\"");
}

static void a_line_of_json_cannot_be_forged(void **state)
{
    (void)state;
    char line[512];
    format(line, sizeof line, SL_LOG_JSON);
    sl_assert_str(line, "{\"time\":\"2023-11-14T22:13:20.123Z\",\"self\":\"n1\",\"level\":\"warn\",\"event\":\"EVENT\","
                        "\"name\":\"a \\\"b\\\"\\u000a\\u00ff\",\"count\":18446744073709551615,\"delta\":-3,"
                        "\"id\":\"00000000000000010000000000000002\",\"msg\":\"what to do\"}");
}

static void levels_have_names(void **state)
{
    (void)state;
    enum sl_event_level level;
    assert_true(sl_log_level_of(SL_STR("error"), &level));
    sl_assert_i64(level, SL_LEVEL_ERROR);
    assert_false(sl_log_level_of(SL_STR("fatal"), &level));
    assert_false(sl_log_level_of(SL_STR(""), &level));
}

struct fixture {
    char folder[64], path[96], moved[96], text[65536];
    struct sl_log *log;
};

static void setup(struct fixture *f)
{
    struct sl_err err = { 0 };
    *f = (struct fixture){ 0 };
    snprintf(f->folder, sizeof f->folder, "/tmp/sl_test_log_XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->path, sizeof f->path, "%s/log", f->folder);
    snprintf(f->moved, sizeof f->moved, "%s/log.1", f->folder);
    const struct sl_log_opts opts = { .path = f->path, .node = "n1", .level = SL_LEVEL_INFO };
    sl_assert_i64(sl_log_open(&f->log, &opts, &err), SL_OK);
}

static void wait_a_little(void)
{
    nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
}

static const char *text_of(struct fixture *f, const char *path)
{
    int fd = open(path, O_RDONLY);
    ssize_t len = fd >= 0 ? read(fd, f->text, sizeof f->text - 1) : 0;
    f->text[len > 0 ? len : 0] = '\0';
    if (fd >= 0)
        close(fd);
    return f->text;
}

static void teardown(struct fixture *f)
{
    unlink(f->path);
    unlink(f->moved);
    rmdir(f->folder);
}

static void the_level_decides_what_is_written(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    const struct sl_event debug = { .id = SL_EV_MOVE_DONE, .field_count = 1, .fields = fields };
    sl_log_core(f.log, &debug);
    sl_log_app(f.log, SL_APP_STARTED, sl_f_u64("x", 1));
    sl_log_set_level(f.log, SL_LEVEL_DEBUG);
    sl_log_core(f.log, &debug);
    sl_log_set_level(f.log, SL_LEVEL_ERROR);
    sl_log_app(f.log, SL_APP_STOPPED, sl_f_u64("x", 1));
    sl_log_close(f.log);
    const char *text = text_of(&f, f.path);
    const char *started = strstr(text, "event=STARTED"), *done = strstr(text, "event=MOVE_DONE");
    assert_true(started && done && started < done);
    assert_null(strstr(done + 1, "event="));
    teardown(&f);
}

static void a_file_that_was_moved_away_is_opened_again(void **state)
{
    (void)state;
    struct fixture f;
    struct sl_err err = { 0 };
    setup(&f);
    sl_log_app(f.log, SL_APP_STARTED, sl_f_u64("x", 1));
    while (!strstr(text_of(&f, f.path), "STARTED"))
        wait_a_little();
    sl_assert_i64(rename(f.path, f.moved), 0);
    sl_assert_i64(sl_log_reopen(f.log, f.path, &err), SL_OK);
    sl_log_app(f.log, SL_APP_STOPPED, sl_f_u64("x", 1));
    sl_assert_i64(sl_log_reopen(f.log, "/nonexistent/log", &err), SL_BAD_CONFIG);
    sl_log_close(f.log);
    assert_null(strstr(text_of(&f, f.moved), "STOPPED"));
    assert_non_null(strstr(text_of(&f, f.path), "STOPPED"));
    teardown(&f);
}

/* The reader of a pipe does not read: nothing blocks, and later lines say how many are missing. */
static void lines_without_room_are_counted(void **state)
{
    (void)state;
    char path[64], chunk[65536];
    int ends[2];
    struct sl_log *log;
    struct sl_err err = { 0 };
    sl_assert_i64(pipe(ends), 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", ends[1]);
    const struct sl_log_opts opts = { .path = path, .node = "n1", .waiting_bytes_max = 65536 };
    sl_assert_i64(sl_log_open(&log, &opts, &err), SL_OK);
    for (int i = 0; i < 10000; i++)
        sl_log_app(log, SL_APP_STARTED, sl_f_u64("number", (uint64_t)i));
    bool was_said = false;
    for (int i = 0; i < 10000 && !was_said; i++) {
        ssize_t len = read(ends[0], chunk, sizeof chunk - 1);
        chunk[len > 0 ? len : 0] = '\0';
        was_said = strstr(chunk, "event=LOG_LOST count=") != NULL;
        sl_log_app(log, SL_APP_STOPPED, sl_f_u64("x", 1));
    }
    assert_true(was_said);
    close(ends[0]);
    sl_log_close(log);
    close(ends[1]);
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN); /* as the program does */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_of_logfmt_cannot_be_forged),
        cmocka_unit_test(a_line_of_json_cannot_be_forged),
        cmocka_unit_test(levels_have_names),
        cmocka_unit_test(the_level_decides_what_is_written),
        cmocka_unit_test(a_file_that_was_moved_away_is_opened_again),
        cmocka_unit_test(lines_without_room_are_counted),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
