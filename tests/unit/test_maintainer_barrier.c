/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/maintainer_driver.h"

#include "core/maintainer/barrier.h"

/* Three nodes, six tables; every node has two. */
enum { NODES = 3, TABLES = 6, TS = 5000 };

struct words { /* what was said to dispatchers since the last look, by word */
    uint32_t acks, writes, passes, asks;
    uint32_t passed_tables; /* bit per table */
};

static struct driver d;

static int setup(void **state)
{
    (void)state;
    driver_init(&d, NODES);
    driver_set_tables(&d, TABLES);
    driver_new(&d);
    driver_bootstrap(&d);
    driver_run(&d, SL_S);
    driver_forget(&d);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    driver_deinit(&d);
    return 0;
}

static struct driver_dispatcher *dispatcher_of(int64_t table_id, uint32_t *node)
{
    for (*node = 0; *node < NODES; (*node)++) {
        for (uint32_t i = 0; i < d.nodes[*node].dispatcher_count; i++) {
            if (d.nodes[*node].dispatchers[i].table_id == table_id)
                return &d.nodes[*node].dispatchers[i];
        }
    }
    return NULL;
}

static struct sl_dispatcher_id id_of(int64_t table_id, uint32_t *node)
{
    *node = 0;
    return table_id == 0 ? d.nodes[0].trigger : dispatcher_of(table_id, node)->id;
}

struct change {
    Pb__BlockStage stage;
    Pb__InfluenceType influence;
    int64_t tables[4], dropped[2], added; /* 0 ends dropped; added 0: none */
    uint32_t table_count;
    int64_t schema_id;
    bool is_blocked, is_done, drops_schema;
    sl_ts later; /* than TS */
};

/* A dispatcher says where it stands; the answers stay in the queue. */
static void say(int64_t table_id, const struct change *c)
{
    uint32_t node;
    struct sl_dispatcher_id dispatcher = id_of(table_id, &node);
    Pb__ChangefeedID feed = sl_feed_id_pb(&d.feed);
    Pb__DispatcherID id = sl_dispatcher_id_pb(dispatcher);
    Pb__InfluencedTables blocked = PB__INFLUENCED_TABLES__INIT, dropped = PB__INFLUENCED_TABLES__INIT;
    Pb__Table added = PB__TABLE__INIT, *added_list = &added;
    Pb__State state = PB__STATE__INIT;
    Pb__TableSpanBlockStatus status = PB__TABLE_SPAN_BLOCK_STATUS__INIT, *list = &status;
    Pb__BlockStatusRequest request = PB__BLOCK_STATUS_REQUEST__INIT;
    blocked.influence_type = c->influence;
    blocked.schema_id = c->schema_id;
    blocked.table_ids = (int64_t *)(uintptr_t)c->tables;
    blocked.n_table_ids = c->table_count;
    dropped.influence_type = c->drops_schema ? PB__INFLUENCE_TYPE__DB : PB__INFLUENCE_TYPE__NORMAL;
    dropped.schema_id = c->schema_id;
    dropped.table_ids = (int64_t *)(uintptr_t)c->dropped;
    dropped.n_table_ids = c->dropped[0] != 0;
    added.table_id = c->added;
    state.is_blocked = c->is_blocked;
    state.is_done = c->is_done;
    state.block_ts = TS + c->later;
    state.block_tables = &blocked;
    state.dropped_tables = &dropped;
    state.added_tables = &added_list;
    state.n_added_tables = c->added != 0;
    state.stage = c->stage;
    status.id = &id;
    status.state = &state;
    request.changefeed = &feed;
    request.statuses = &list;
    request.n_statuses = 1;
    request.maintainer_epoch = DRIVER_EPOCH;
    enum sl_refusal refusal =
        sl_maintainer_on_message(d.m, d.now, d.nodes[node].ref, SL_MSG_BLOCK_STATUS_REQUEST, &request.base, &d.out);
    assert_int_equal(refusal, SL_REFUSE_NONE);
    driver_collect(&d);
}

static void count_status(struct words *w, const Pb__DispatcherStatus *s)
{
    uint32_t node;
    w->acks += s->ack != NULL;
    w->asks += s->ignored ? (uint32_t)s->influenced->n_dispatcher_ids : 0;
    if (!s->action)
        return;
    if (s->action->action == PB__ACTION__WRITE) {
        w->writes++;
        return;
    }
    for (int64_t table = 0; table <= TABLES; table++) {
        if (table > 0 && !dispatcher_of(table, &node))
            continue;
        struct sl_dispatcher_id id = id_of(table, &node);
        for (size_t i = 0; i < s->influenced->n_dispatcher_ids; i++) {
            if (sl_dispatcher_id_eq(id, sl_dispatcher_id_of(s->influenced->dispatcher_ids[i]))) {
                w->passes++;
                w->passed_tables |= 1u << table;
            }
        }
    }
}

/* Takes everything that is in the queue. */
static struct words heard(void)
{
    struct words w = { 0 };
    for (uint32_t i = 0; i < d.queue_count; i++) {
        const struct driver_sent *s = &d.queue[(d.queue_head + i) % DRIVER_QUEUE_MAX];
        if (s->type != SL_MSG_HEART_BEAT_RESPONSE)
            continue;
        Pb__HeartBeatResponse *r = pb__heart_beat_response__unpack(NULL, s->len, s->bytes);
        assert_non_null(r);
        for (size_t k = 0; k < r->n_statuses; k++)
            count_status(&w, r->statuses[k]);
        pb__heart_beat_response__free_unpacked(r, NULL);
    }
    driver_lose(&d);
    return w;
}

static const struct change two_tables = { .stage = PB__BLOCK_STAGE__WAITING,
                                          .influence = PB__INFLUENCE_TYPE__NORMAL,
                                          .tables = { 0, 1, 2 },
                                          .table_count = 3,
                                          .is_blocked = true };

static struct change done(void)
{
    struct change c = two_tables;
    c.stage = PB__BLOCK_STAGE__DONE;
    return c;
}

/* ---- facts ---- */

static void nobody_writes_before_all_stand_in_front_of_it(void **state)
{
    (void)state;
    say(1, &two_tables);
    assert_int_equal(heard().writes, 0);
    say(0, &two_tables);
    struct words w = heard();
    assert_int_equal(w.writes, 0);
    assert_int_equal(w.acks, 1); /* an acknowledgement is no permission */
    say(2, &two_tables);
    assert_int_equal(heard().writes, 1);
}

/* Its successor may bring rows that are older than the change. */
static void what_a_dispatcher_said_before_it_moved_does_not_count(void **state)
{
    (void)state;
    uint32_t node, now;
    int64_t mover = 1, other = 2;
    (void)dispatcher_of(mover, &node);
    if (node == 0) { /* the trigger's: it has to stay */
        mover = 2, other = 1;
        (void)dispatcher_of(mover, &node);
    }
    assert_true(node != 0);
    say(mover, &two_tables);
    (void)heard();
    driver_members(&d, ((1u << NODES) - 1) & ~(1u << node));
    driver_run(&d, 5 * SL_S);
    assert_non_null(dispatcher_of(mover, &now));
    assert_true(now != node);
    say(0, &two_tables);
    say(other, &two_tables);
    assert_int_equal(heard().writes, 0);
    say(mover, &two_tables);
    assert_int_equal(heard().writes, 1);
}

static void the_rest_passes_when_the_writer_is_done(void **state)
{
    (void)state;
    const struct change is_done = done();
    say(0, &two_tables);
    say(1, &two_tables);
    say(2, &two_tables);
    (void)heard();
    say(0, &is_done);
    struct words w = heard();
    assert_int_equal(w.passed_tables, 1u << 1 | 1u << 2);
    assert_int_equal(w.acks, 1);
    say(1, &is_done);
    say(2, &is_done);
    (void)heard();
    assert_int_equal(driver_stats(&d).barriers, 0);
}

/* Messages to dispatchers of a node, since driver_forget. */
static uint32_t said_to(uint32_t node)
{
    return d.sent[SL_MSG_HEART_BEAT_RESPONSE][node];
}

static void a_write_that_is_lost_is_said_again(void **state)
{
    (void)state;
    say(0, &two_tables);
    say(1, &two_tables);
    say(2, &two_tables);
    (void)heard();
    driver_forget(&d);
    driver_run_alone(&d, SL__BARRIER_RESEND_NS);
    assert_true(said_to(0) > 0);
}

static void who_has_not_said_anything_is_asked(void **state)
{
    (void)state;
    uint32_t node;
    say(0, &two_tables);
    (void)heard();
    driver_forget(&d);
    driver_run_alone(&d, SL__BARRIER_RESEND_NS);
    (void)dispatcher_of(1, &node);
    assert_true(said_to(node) > 0);
    (void)dispatcher_of(2, &node);
    assert_true(said_to(node) > 0);
}

static void one_that_is_behind_it_shows_that_it_was_performed(void **state)
{
    (void)state;
    const struct change is_done = done();
    say(0, &two_tables);
    say(1, &two_tables);
    (void)heard();
    say(2, &is_done);
    struct words w = heard();
    assert_int_equal(w.writes, 0);
    assert_int_equal(w.passed_tables, 1u | 1u << 1);
}

/* After a failover one member may be behind it while the trigger is still on its way: it is told to pass before its own
 * first word came. */
static void what_the_trigger_says_first_when_it_is_behind_it_still_counts(void **state)
{
    (void)state;
    struct change rename = two_tables;
    rename.dropped[0] = 1;
    rename.added = 77;
    const struct change is_done = done();
    say(1, &rename);
    say(2, &is_done);
    rename.stage = PB__BLOCK_STAGE__DONE;
    say(0, &rename);
    assert_int_equal(driver_stats(&d).spans, TABLES); /* one has gone, one has come */
    driver_run(&d, SL_S);
    assert_int_equal(driver_table_count(&d, 1), 0);
    assert_int_equal(driver_table_count(&d, 77), 1);
    assert_int_equal(driver_stats(&d).barriers, 0);
}

static void what_the_sink_knows_to_be_done_only_passes(void **state)
{
    (void)state;
    struct change c = two_tables;
    c.is_done = true;
    say(0, &c);
    struct words w = heard();
    assert_int_equal(w.writes, 0);
    assert_true(w.passed_tables & 1u);
}

static void a_table_that_was_made_is_known_before_the_trigger_passes(void **state)
{
    (void)state;
    const struct change made = {
        .stage = PB__BLOCK_STAGE__NONE, .influence = PB__INFLUENCE_TYPE__NORMAL, .table_count = 1, .added = 77
    };
    say(0, &made);
    assert_int_equal(heard().passed_tables, 1u);
    assert_int_equal(driver_stats(&d).spans, TABLES + 1);
    say(0, &made); /* once more */
    assert_int_equal(driver_stats(&d).spans, TABLES + 1);
}

static void a_dropped_table_goes_when_it_was_performed_and_not_before(void **state)
{
    (void)state;
    struct change drop = two_tables;
    drop.tables[1] = 3;
    drop.table_count = 2;
    drop.dropped[0] = 3;
    say(3, &drop);
    say(0, &drop);
    assert_int_equal(heard().writes, 1);
    assert_int_equal(driver_sent(&d, SL_MSG_SCHEDULE_DISPATCHER_REQUEST), 0);
    drop.stage = PB__BLOCK_STAGE__DONE;
    say(0, &drop);
    driver_run(&d, SL_S);
    assert_int_equal(driver_table_count(&d, 3), 0);
    assert_int_equal(driver_stats(&d).barriers, 0);
}

static void a_dropped_schema_takes_all_its_tables_along(void **state)
{
    (void)state;
    const struct change drop = { .stage = PB__BLOCK_STAGE__WAITING,
                                 .influence = PB__INFLUENCE_TYPE__DB,
                                 .schema_id = d.tables[0].schema_id,
                                 .is_blocked = true,
                                 .drops_schema = true };
    struct change is_done = drop;
    is_done.stage = PB__BLOCK_STAGE__DONE;
    say(1, &drop); /* the members are known only with the trigger */
    for (int64_t table = 2; table <= TABLES; table++)
        say(table, &drop);
    assert_int_equal(heard().writes, 0);
    say(0, &drop);
    assert_int_equal(heard().writes, 1);
    say(0, &is_done);
    driver_run(&d, SL_S);
    assert_int_equal(driver_stats(&d).spans, 0);
}

static void a_table_made_anew_waits_until_the_old_one_is_gone(void **state)
{
    (void)state;
    struct change drop = two_tables;
    drop.tables[1] = 3;
    drop.table_count = 2;
    drop.dropped[0] = 3;
    drop.is_done = true;
    const struct change made = { .stage = PB__BLOCK_STAGE__NONE,
                                 .influence = PB__INFLUENCE_TYPE__NORMAL,
                                 .table_count = 1,
                                 .added = 3,
                                 .later = 10 };
    uint32_t node;
    (void)dispatcher_of(3, &node);
    d.nodes[node].ignores_schedules = true;
    say(0, &drop);
    say(0, &made);
    driver_run(&d, SL_S);
    assert_int_equal(driver_stats(&d).barriers, 2);
    struct sl_maintainer_stats stats = driver_stats(&d);
    assert_int_equal(stats.absent + stats.scheduling + stats.replicating, TABLES - 1);
    d.nodes[node].ignores_schedules = false;
    driver_run(&d, 5 * SL_S);
    assert_int_equal(driver_table_count(&d, 3), 1);
}

/* The trigger was through both already, which a new maintainer learns in any order. */
static void a_change_acts_after_those_before_it(void **state)
{
    (void)state;
    struct change drop = two_tables;
    drop.tables[1] = 3;
    drop.table_count = 2;
    drop.dropped[0] = 3;
    const struct change made = { .stage = PB__BLOCK_STAGE__NONE,
                                 .influence = PB__INFLUENCE_TYPE__NORMAL,
                                 .table_count = 1,
                                 .added = 3,
                                 .later = 10 };
    say(3, &drop);
    say(0, &made);
    drop.stage = PB__BLOCK_STAGE__DONE;
    say(0, &drop);
    driver_run(&d, 5 * SL_S);
    assert_int_equal(driver_table_count(&d, 3), 1);
    assert_int_equal(driver_stats(&d).spans, TABLES);
}

static void words_in_the_name_of_another_epoch_are_refused(void **state)
{
    (void)state;
    Pb__ChangefeedID feed = sl_feed_id_pb(&d.feed);
    Pb__BlockStatusRequest request = PB__BLOCK_STATUS_REQUEST__INIT;
    request.changefeed = &feed;
    request.maintainer_epoch = DRIVER_EPOCH + 1;
    enum sl_refusal refusal =
        sl_maintainer_on_message(d.m, d.now, d.nodes[1].ref, SL_MSG_BLOCK_STATUS_REQUEST, &request.base, &d.out);
    assert_int_equal(refusal, SL_REFUSE_STALE_VERSION);
    driver_collect(&d);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nobody_writes_before_all_stand_in_front_of_it, setup, teardown),
        cmocka_unit_test_setup_teardown(what_a_dispatcher_said_before_it_moved_does_not_count, setup, teardown),
        cmocka_unit_test_setup_teardown(the_rest_passes_when_the_writer_is_done, setup, teardown),
        cmocka_unit_test_setup_teardown(a_write_that_is_lost_is_said_again, setup, teardown),
        cmocka_unit_test_setup_teardown(who_has_not_said_anything_is_asked, setup, teardown),
        cmocka_unit_test_setup_teardown(one_that_is_behind_it_shows_that_it_was_performed, setup, teardown),
        cmocka_unit_test_setup_teardown(what_the_trigger_says_first_when_it_is_behind_it_still_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(what_the_sink_knows_to_be_done_only_passes, setup, teardown),
        cmocka_unit_test_setup_teardown(a_table_that_was_made_is_known_before_the_trigger_passes, setup, teardown),
        cmocka_unit_test_setup_teardown(a_dropped_table_goes_when_it_was_performed_and_not_before, setup, teardown),
        cmocka_unit_test_setup_teardown(a_dropped_schema_takes_all_its_tables_along, setup, teardown),
        cmocka_unit_test_setup_teardown(a_table_made_anew_waits_until_the_old_one_is_gone, setup, teardown),
        cmocka_unit_test_setup_teardown(a_change_acts_after_those_before_it, setup, teardown),
        cmocka_unit_test_setup_teardown(words_in_the_name_of_another_epoch_are_refused, setup, teardown),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
