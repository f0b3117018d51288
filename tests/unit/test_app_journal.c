/* SPDX-License-Identifier: Apache-2.0 */
#include "app/host.h"
#include "core/common/mem_tags.h"
#include "port/store_model.h"

#include "tests/support/sl_test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * A node alone with the store's model, run by a host as the daemon runs it, and its journal.
 */
struct fixture {
    struct sl_mem mem;
    struct sl_store_model *model;
    struct sl_store_model_client *client;
    struct sl_host *host;
    struct sl_journal *journal;
    sl_ns now;
    char folder[64], path[96];
    uint32_t event_counts[SL_EVENT_COUNT];
    uint32_t reply_count, refuse_count, store_count;
    struct sl_reply reply; /* the last one; its lists are gone */
};

static sl_ns port_now(void *ctx)
{
    return ((struct fixture *)ctx)->now;
}

static void port_send(void *ctx, const struct sl_node_id *to, const struct sl_out_send *send)
{
    (void)ctx;
    (void)to;
    (void)send;
    fail_msg("there is nobody to send to");
}

static bool port_store(void *ctx, const struct sl_store_op *op)
{
    struct fixture *f = ctx;
    f->store_count++;
    if (f->refuse_count > 0) {
        f->refuse_count--;
        return false;
    }
    return sl_store_submit(sl_store_model_client_store(f->client), op);
}

static void port_command(void *ctx, const struct sl_command *command)
{
    (void)ctx;
    (void)command;
}

static void port_schema_load(void *ctx, const struct sl_out_schema_load *load)
{
    (void)ctx;
    (void)load;
}

static void port_event(void *ctx, const struct sl_event *event)
{
    ((struct fixture *)ctx)->event_counts[event->id]++;
}

static void port_reply(void *ctx, const struct sl_reply *reply)
{
    struct fixture *f = ctx;
    f->reply_count++;
    f->reply = *reply;
}

static void on_result(void *ctx, const struct sl_store_result *result)
{
    struct sl_input in = { .kind = SL_IN_STORE, .u.store = *result };
    sl_host_input(((struct fixture *)ctx)->host, &in);
}

static void on_watch(void *ctx, const struct sl_store_watch_batch *batch)
{
    struct sl_input in = { .kind = SL_IN_WATCH, .u.watch = *batch };
    sl_host_input(((struct fixture *)ctx)->host, &in);
}

static void set_params(struct sl_params *p, sl_ns now)
{
    *p = (struct sl_params){ .node_epoch = 1700000000000000000,
                             .seed = 7,
                             .wall_offset = 1700000000000000000,
                             .now = now,
                             .lease_ttl_ns = 10 * SL_S };
    assert_true(sl_node_id_set(&p->id, SL_STR("5d8c21c5-0000-4000-8000-000000000001")));
    snprintf(p->cluster, sizeof p->cluster, "default");
    snprintf(p->name, sizeof p->name, "n1");
    snprintf(p->address, sizeof p->address, "127.0.0.1:8300");
    snprintf(p->version, sizeof p->version, "v8.5.4-sluice.0.1.0");
}

static void setup(struct fixture *f)
{
    struct sl_mem_opts mem = sl_mem_opts_of(0);
    struct sl_store_model_opts model = SL_STORE_MODEL_OPTS_DEFAULT;
    struct sl_store_client client = { .ctx = f, .on_result = on_result, .on_watch = on_watch };
    struct sl_complaint c = { 0 };
    *f = (struct fixture){ .now = SL_S };
    sl_mem_init(&f->mem, &mem);
    model.mem = &f->mem;
    sl_assert_i64(sl_store_model_new(&f->model, &model), SL_OK);
    sl_assert_i64(sl_store_model_client_new(&f->client, f->model, &f->mem, &client), SL_OK);
    snprintf(f->folder, sizeof f->folder, "/tmp/sl_test_journal_XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->path, sizeof f->path, "%s/journal", f->folder);

    struct sl_host_opts opts = { .loop_count_max = 1024, .loop_bytes_max = 1 << 20 };
    set_params(&opts.params, f->now);
    opts.port = (struct sl_host_port){ .ctx = f,
                                       .now = port_now,
                                       .send = port_send,
                                       .store = port_store,
                                       .command = port_command,
                                       .schema_load = port_schema_load,
                                       .event = port_event,
                                       .reply = port_reply };
    assert_true(sl_journal_open(&f->journal, f->path, 1 << 30, &opts.params, &c));
    opts.journal = f->journal;
    sl_assert_i64(sl_host_new(&f->host, &opts), SL_OK);
    struct sl_input tick = { .kind = SL_IN_TICK };
    sl_host_input(f->host, &tick);
}

static void close_journal(struct fixture *f)
{
    sl_journal_close(f->journal);
    f->journal = NULL;
}

static void teardown(struct fixture *f)
{
    sl_host_free(f->host);
    sl_journal_close(f->journal);
    sl_store_model_client_free(f->client);
    sl_store_model_free(f->model);
    sl_mem_deinit(&f->mem);
    for (int i = 0; i <= 4; i++) {
        char path[128];
        snprintf(path, sizeof path, i == 0 ? "%s" : "%s.%d", f->path, i);
        unlink(path);
    }
    rmdir(f->folder);
}

/* From deadline to deadline. */
static void run(struct fixture *f, sl_ns duration)
{
    sl_ns until = f->now + duration;
    while (f->now < until) {
        while (sl_host_run(f->host, 16)) {
        }
        sl_store_model_client_run(f->client, f->now);
        if (sl_host_has_waiting(f->host))
            continue;
        f->now = sl_ns_min(f->now + 10 * SL_MS, until);
        struct sl_input tick = { .kind = SL_IN_TICK };
        if (sl_node_deadline(sl_host_node(f->host)) <= f->now)
            sl_host_input(f->host, &tick);
    }
}

static enum sl_exit replay(struct fixture *f, char *said, size_t size, struct sl_complaint *c)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    *c = (struct sl_complaint){ 0 };
    enum sl_exit e = sl_replay(f->path, out, c);
    fclose(out);
    snprintf(said, size, "%s", text);
    free(text);
    return e;
}

static void ask_for_nodes(struct fixture *f)
{
    struct sl_input in = { .kind = SL_IN_REQUEST, .u.request = { .verb = SL_REQUEST_NODE_LIST, .ticket = 9 } };
    sl_host_input(f->host, &in);
}

/* ---- the host ---- */

static void a_node_alone_becomes_the_coordinator_through_messages_to_itself(void **state)
{
    (void)state;
    struct fixture f;
    struct sl_host_stats stats;
    setup(&f);
    run(&f, 5 * SL_S);
    const struct sl_coordinator *c = sl_node_coordinator(sl_host_node(f.host));
    assert_non_null(c);
    assert_true(sl_coordinator_is_running(c)); /* it has asked itself, and has answered */
    sl_host_stats_read(f.host, &stats);
    assert_true(stats.looped_count > 0);
    sl_assert_u64(stats.lost_count, 0);
    sl_assert_u64(stats.held_count, 0);
    ask_for_nodes(&f);
    sl_assert_u64(f.reply_count, 1);
    sl_assert_i64(f.reply.code, SL_OK);
    sl_assert_u64(f.reply.node_count, 1);
    teardown(&f);
}

static void what_the_store_does_not_take_is_answered_as_refused(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    f.refuse_count = 7;
    run(&f, 8 * SL_S);
    sl_assert_u64(f.refuse_count, 0);
    assert_non_null(sl_node_coordinator(sl_host_node(f.host))); /* it has tried again */
    teardown(&f);
}

/* ---- the journal ---- */

static void a_replay_gives_the_same_outputs(void **state)
{
    (void)state;
    struct fixture f;
    struct sl_complaint c;
    struct sl_host_stats stats;
    char said[4096], wanted[64];
    setup(&f);
    run(&f, 5 * SL_S);
    ask_for_nodes(&f);
    f.refuse_count = 3;
    run(&f, 20 * SL_S);
    struct sl_input leave = { .kind = SL_IN_LEAVE };
    sl_host_input(f.host, &leave);
    run(&f, 5 * SL_S);
    assert_true(sl_node_has_left(sl_host_node(f.host)));
    sl_host_stats_read(f.host, &stats);
    close_journal(&f);
    sl_assert_i64(replay(&f, said, sizeof said, &c), SL_EXIT_STOPPED);
    snprintf(wanted, sizeof wanted, "%llu inputs, identical", (unsigned long long)stats.step_count);
    if (!strstr(said, wanted))
        sl_assert_str(said, wanted);
    teardown(&f);
}

static off_t file_size(const char *path)
{
    struct stat st;
    sl_assert_i64(stat(path, &st), 0);
    return st.st_size;
}

/* The end of a process may cut its last record. */
static void a_journal_may_end_anywhere(void **state)
{
    (void)state;
    struct fixture f;
    struct sl_complaint c;
    char said[4096];
    setup(&f);
    run(&f, 2 * SL_S);
    close_journal(&f);
    off_t size = file_size(f.path);
    for (off_t len = size; len > size - 64; len--) {
        sl_assert_i64(truncate(f.path, len), 0);
        sl_assert_i64(replay(&f, said, sizeof said, &c), SL_EXIT_STOPPED);
    }
    sl_assert_i64(truncate(f.path, 5), 0);
    sl_assert_i64(replay(&f, said, sizeof said, &c), SL_EXIT_REPLAY);
    teardown(&f);
}

static void flip(const char *path, off_t at)
{
    uint8_t byte;
    int fd = open(path, O_RDWR);
    sl_assert_i64(pread(fd, &byte, 1, at), 1);
    byte ^= 0x20;
    sl_assert_i64(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

static void a_flipped_bit_is_found(void **state)
{
    (void)state;
    struct fixture f;
    struct sl_complaint c;
    char said[4096];
    setup(&f);
    run(&f, 2 * SL_S);
    close_journal(&f);
    off_t size = file_size(f.path);
    for (off_t at = 0; at < size - 300; at += 97) {
        flip(f.path, at);
        if (replay(&f, said, sizeof said, &c) == SL_EXIT_STOPPED)
            fail_msg("the bit at %lld was not missed", (long long)at);
        flip(f.path, at);
    }
    sl_assert_i64(replay(&f, said, sizeof said, &c), SL_EXIT_STOPPED);
    teardown(&f);
}

/* Another input than the one that was recorded: what came out then does not come out now. */
static void the_first_difference_is_named(void **state)
{
    (void)state;
    struct fixture f;
    struct sl_complaint c;
    char said[8192];
    setup(&f);
    run(&f, 2 * SL_S);
    sl_journal_done(f.journal, 1); /* a digest too many makes no sense */
    close_journal(&f);
    sl_assert_i64(replay(&f, said, sizeof said, &c), SL_EXIT_REPLAY);
    assert_non_null(strstr(c.text, "makes no sense"));
    teardown(&f);

    setup(&f);
    run(&f, 2 * SL_S);
    struct sl_buf b = { 0 };
    struct sl_input tick = { .kind = SL_IN_TICK };
    sl_input_encode(&b, &tick);
    sl_journal_step(f.journal, f.now, sl_buf_bytes(&b));
    sl_journal_done(f.journal, 12345);
    sl_buf_deinit(&b);
    close_journal(&f);
    sl_assert_i64(replay(&f, said, sizeof said, &c), SL_EXIT_REPLAY);
    assert_non_null(strstr(said, "(TICK, at"));
    assert_non_null(strstr(c.text, "differs"));
    teardown(&f);
}

static void journals_of_the_last_starts_are_kept_and_private(void **state)
{
    (void)state;
    struct fixture f;
    struct sl_complaint c = { 0 };
    struct sl_params p;
    struct stat st;
    char path[128];
    setup(&f);
    set_params(&p, 1);
    close_journal(&f);
    for (int i = 0; i < 5; i++) {
        struct sl_journal *j;
        assert_true(sl_journal_open(&j, f.path, 1 << 20, &p, &c));
        sl_journal_close(j);
    }
    for (int i = 0; i <= 4; i++) {
        snprintf(path, sizeof path, i == 0 ? "%s" : "%s.%d", f.path, i);
        sl_assert_i64(stat(path, &st), i <= 3 ? 0 : -1);
        if (i <= 3)
            sl_assert_u64(st.st_mode & 0777, 0600);
    }
    /* The host goes on without it. */
    teardown(&f);
}

static void a_full_journal_ends_and_says_so_once(void **state)
{
    (void)state;
    struct fixture f;
    struct sl_complaint c = { 0 };
    struct sl_params p;
    struct sl_journal *j;
    uint8_t bytes[100] = { 0 };
    setup(&f);
    set_params(&p, 1);
    close_journal(&f);
    assert_true(sl_journal_open(&j, f.path, 1000, &p, &c));
    assert_null(sl_journal_take_end(j));
    for (int i = 0; i < 20; i++)
        sl_journal_step(j, i, (struct sl_bytes){ bytes, sizeof bytes });
    const char *end = sl_journal_take_end(j);
    assert_non_null(end);
    assert_non_null(strstr(end, "--journal-max"));
    assert_null(sl_journal_take_end(j));
    sl_journal_close(j);
    assert_true(file_size(f.path) <= 1000);
    assert_false(sl_journal_open(&j, "/nonexistent/journal", 1000, &p, &c));
    sl_assert_i64(c.exit, SL_EXIT_FILES);
    teardown(&f);
}

/* ---- inputs as bytes ---- */

static void check_round_trip(const struct sl_input *in)
{
    struct sl_mem mem;
    struct sl_mem_opts mem_opts = sl_mem_opts_of(0);
    struct sl_arena arena;
    struct sl_input out;
    struct sl_buf first = { 0 }, second = { 0 };
    sl_mem_init(&mem, &mem_opts);
    sl_arena_init(&arena, &mem, 0, 1 << 20);
    sl_input_encode(&first, in);
    assert_false(first.failed);
    assert_true(sl_input_decode(&out, sl_buf_bytes(&first), &arena));
    sl_input_encode(&second, &out);
    sl_assert_u64(first.len, second.len);
    sl_assert_mem(first.ptr, second.ptr, first.len);
    for (size_t len = 0; len < first.len; len++)
        assert_false(sl_input_decode(&out, (struct sl_bytes){ first.ptr, len }, &arena));
    sl_buf_deinit(&first);
    sl_buf_deinit(&second);
    sl_arena_deinit(&arena);
    sl_mem_deinit(&mem);
}

static const uint8_t some_bytes[] = { 0, 1, 255 };

static void every_kind_of_input_comes_back_from_its_bytes(void **state)
{
    (void)state;
    const struct sl_bytes bytes = { some_bytes, sizeof some_bytes };
    struct sl_input in = { .kind = SL_IN_MESSAGE, .u.message = bytes };
    check_round_trip(&in);

    struct sl_node_id ids[2];
    assert_true(sl_node_id_set(&ids[0], SL_STR("a")) && sl_node_id_set(&ids[1], SL_STR("bcd")));
    in = (struct sl_input){ .kind = SL_IN_MEMBERS, .u.members = { ids, 2 } };
    check_round_trip(&in);

    in = (struct sl_input){ .kind = SL_IN_REPORT };
    in.u.report = (struct sl_report){ .kind = SL_REPORT_FAILED,
                                      .feed = 1,
                                      .dispatcher = UINT64_MAX,
                                      .checkpoint = 300,
                                      .resolved = 301,
                                      .follows = true,
                                      .readers = 2,
                                      .unflushed_rows = 5,
                                      .age_ns = -1,
                                      .code = SL_STR("X"),
                                      .text = SL_STR("y z") };
    check_round_trip(&in);

    const int64_t waiting[] = { 0, 7 };
    const struct sl_added_table added = { .table_id = 9, .schema_id = 2, .table_name = SL_STR("new") };
    const struct sl_block block = { .commit_ts = 77,
                                    .is_blocking = true,
                                    .influence = SL_INFLUENCE_DB,
                                    .schema_id = 2,
                                    .tables = waiting,
                                    .table_count = 2,
                                    .dropped = waiting,
                                    .dropped_count = 1,
                                    .added = &added,
                                    .added_count = 1,
                                    .drops_schema = true };
    in.u.report.kind = SL_REPORT_BLOCKED;
    in.u.report.block = &block;
    check_round_trip(&in);

    const struct sl_table tables[] = {
        { .table_id = -5, .schema_id = INT64_MAX, .schema_name = SL_STR("s"), .table_name = SL_STR("t") },
        { .table_id = INT64_MIN }
    };
    const int64_t dropped[] = { 7, -7 };
    struct sl_feed_id feed = { .high = 1, .low = 2, .name_len = 2, .keyspace_len = 1, .name = "cf", .keyspace = "k" };
    in = (struct sl_input){ .kind = SL_IN_SCHEMA, .u.schema = { feed, 3, SL_NOT_READY, tables, 2 } };
    check_round_trip(&in);
    in = (struct sl_input){ .kind = SL_IN_SCHEMA_CHANGE, .u.schema_change = { feed, 9, tables, 2, dropped, 2 } };
    check_round_trip(&in);
}

static void answers_of_the_store_and_requests_come_back_from_their_bytes(void **state)
{
    (void)state;
    const struct sl_bytes bytes = { some_bytes, sizeof some_bytes };
    struct sl_input in;
    const struct sl_store_pair pair = { SL_STR("k"), bytes, 4, 5, 6 };
    const struct sl_store_event events[] = { { .pair = pair }, { .deleted = true, .pair = { .key = SL_STR("z") } } };
    in = (struct sl_input){ .kind = SL_IN_STORE };
    in.u.store = (struct sl_store_result){ .id = 1,
                                           .verb = SL_STORE_RANGE,
                                           .outcome = SL_STORE_UNKNOWN,
                                           .revision = 2,
                                           .succeeded = true,
                                           .lease = 3,
                                           .ttl_ns = 4,
                                           .compacted_revision = 5,
                                           .pairs = &pair,
                                           .pair_count = 1 };
    check_round_trip(&in);
    in = (struct sl_input){ .kind = SL_IN_WATCH, .u.watch = { 1, 2, events, 2, true, SL_STORE_COMPACTED, 3 } };
    check_round_trip(&in);

    in = (struct sl_input){ .kind = SL_IN_REQUEST };
    in.u.request = (struct sl_request){ .verb = SL_REQUEST_DRAIN,
                                        .ticket = 1,
                                        .node = SL_STR("n"),
                                        .drain = SL_STR("d"),
                                        .feed = SL_STR("f"),
                                        .keyspace = SL_STR("k"),
                                        .reason = SL_STR("r"),
                                        .actor = SL_STR("a"),
                                        .config = sl_secret_of(bytes),
                                        .source = sl_secret_of(bytes),
                                        .deadline_ms = 1,
                                        .lag_budget_ms = 2,
                                        .dry_run = true,
                                        .stop_node = true,
                                        .cancel_at_deadline = true,
                                        .checkpoint = 3,
                                        .table_id = -1,
                                        .table_after = INT64_MIN,
                                        .table_max = 9,
                                        .cancel = true };
    check_round_trip(&in);

    const enum sl_in_kind bare[] = { SL_IN_TICK, SL_IN_LEASE_LOST, SL_IN_LEAVE };
    for (size_t i = 0; i < sizeof bare / sizeof bare[0]; i++) {
        in = (struct sl_input){ .kind = bare[i] };
        check_round_trip(&in);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_node_alone_becomes_the_coordinator_through_messages_to_itself),
        cmocka_unit_test(what_the_store_does_not_take_is_answered_as_refused),
        cmocka_unit_test(a_replay_gives_the_same_outputs),
        cmocka_unit_test(a_journal_may_end_anywhere),
        cmocka_unit_test(a_flipped_bit_is_found),
        cmocka_unit_test(the_first_difference_is_named),
        cmocka_unit_test(journals_of_the_last_starts_are_kept_and_private),
        cmocka_unit_test(a_full_journal_ends_and_says_so_once),
        cmocka_unit_test(every_kind_of_input_comes_back_from_its_bytes),
        cmocka_unit_test(answers_of_the_store_and_requests_come_back_from_their_bytes),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
