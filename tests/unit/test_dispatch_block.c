/* SPDX-License-Identifier: Apache-2.0 */
#include "core/dispatch/block.h"
#include "tests/support/dispatch_driver.h"

/* Dispatchers in front of a schema change. One feed of n2, epoch 5; dispatcher 11. */

enum { TS = 500 };

struct stand {
    struct dispatch_driver d;
    sl_dispatcher_token token;
};

static void stand_start(struct stand *s)
{
    dispatch_start(&s->d, NULL);
    dispatch_open_feed(&s->d, DISPATCH_N2, 1, 5);
    s->token = dispatch_open(&s->d, DISPATCH_N2, 1, 5, 11, 100, false);
}

static void report_blocked(struct stand *s, const struct sl_block *block)
{
    struct sl_report report = { .kind = SL_REPORT_BLOCKED, .dispatcher = s->token, .block = block };
    sl_outbox_reset(&s->d.out);
    sl_orchestrator_on_report(s->d.o, s->d.now, &report, &s->d.out);
}

static void stand_block(struct stand *s)
{
    const int64_t tables[] = { 0, 7 }, dropped[] = { 7 };
    const struct sl_added_table added[] = { { 8, 2, SL_STR("shop"), SL_STR("orders") } };
    const struct sl_block block = { .commit_ts = TS,
                                    .is_blocking = true,
                                    .tables = tables,
                                    .table_count = 2,
                                    .dropped = dropped,
                                    .dropped_count = 1,
                                    .added = added,
                                    .added_count = 1 };
    report_blocked(s, &block);
}

enum word { ACK, WRITE, PASS, ASK };

static void say(struct stand *s, enum word word, sl_ts commit_ts)
{
    Pb__ChangefeedID feed = dispatch_feed_pb(&s->d, 1);
    Pb__DispatcherID id = PB__DISPATCHER_ID__INIT, *ids = &id;
    Pb__InfluencedDispatchers who = PB__INFLUENCED_DISPATCHERS__INIT;
    Pb__DispatcherAction action = PB__DISPATCHER_ACTION__INIT;
    Pb__ACK ack = PB__ACK__INIT;
    Pb__IgnoredBlockStatus ignored = PB__IGNORED_BLOCK_STATUS__INIT;
    Pb__DispatcherStatus status = PB__DISPATCHER_STATUS__INIT, *list = &status;
    Pb__HeartBeatResponse response = PB__HEART_BEAT_RESPONSE__INIT;
    const struct sl_dispatcher *d = sl__dispatcher_at(s->d.o, sl__dispatcher_of_token(s->d.o, s->token));
    id = sl_dispatcher_id_pb(d->id);
    who.influence_type = PB__INFLUENCE_TYPE__NORMAL;
    who.dispatcher_ids = &ids;
    who.n_dispatcher_ids = 1;
    action.action = word == PASS ? PB__ACTION__PASS : PB__ACTION__WRITE;
    action.commit_ts = ack.commit_ts = ignored.commit_ts = commit_ts;
    status.influenced = &who;
    status.ack = word == ACK ? &ack : NULL;
    status.ignored = word == ASK ? &ignored : NULL;
    status.action = word == WRITE || word == PASS ? &action : NULL;
    response.changefeed = &feed;
    response.statuses = &list;
    response.n_statuses = 1;
    response.maintainer_epoch = 5;
    dispatch_message(&s->d, DISPATCH_N2, SL_MSG_HEART_BEAT_RESPONSE, &response.base);
    assert_int_equal(s->d.refusal, SL_REFUSE_NONE);
}

/* The one status that the last step said. */
static const Pb__State *said(struct stand *s)
{
    const Pb__BlockStatusRequest *r = dispatch_sent(&s->d, SL_MSG_BLOCK_STATUS_REQUEST, 0);
    assert_non_null(r);
    assert_int_equal(r->n_statuses, 1);
    sl_assert_u64(r->maintainer_epoch, 5u);
    return r->statuses[0]->state;
}

static uint32_t said_count(struct stand *s)
{
    return dispatch_sent_count(&s->d, SL_MSG_BLOCK_STATUS_REQUEST);
}

static sl_ts checkpoint(struct stand *s)
{
    return sl__dispatcher_at(s->d.o, sl__dispatcher_of_token(s->d.o, s->token))->checkpoint;
}

static void the_owner_hears_of_it_at_once_and_again_until_it_acknowledges(void **state)
{
    (void)state;
    struct stand s;
    stand_start(&s);
    stand_block(&s);
    const Pb__State *first = said(&s);
    assert_int_equal(first->stage, PB__BLOCK_STAGE__WAITING);
    sl_assert_u64(first->block_ts, (uint64_t)TS);
    assert_int_equal(first->block_tables->n_table_ids, 2);
    assert_int_equal(first->dropped_tables->table_ids[0], 7);
    assert_string_equal(first->added_tables[0]->table_name, "orders");
    dispatch_tick(&s.d, SL_BLOCK_RESEND_NS);
    assert_int_equal(said(&s)->stage, PB__BLOCK_STAGE__WAITING);
    say(&s, ACK, TS);
    dispatch_tick(&s.d, 10 * SL_BLOCK_RESEND_NS);
    sl_assert_u64(said_count(&s), 0u);
    sl_assert_u64(checkpoint(&s), (uint64_t)TS - 1);
    dispatch_stop(&s.d);
}

static void it_acts_once_and_only_on_this_change(void **state)
{
    (void)state;
    struct stand s;
    stand_start(&s);
    stand_block(&s);
    say(&s, WRITE, TS + 1); /* newer: not its turn */
    sl_assert_u64(dispatch_command_count(&s.d, SL_COMMAND_WRITE), 0u);
    say(&s, WRITE, TS);
    sl_assert_u64(dispatch_command_count(&s.d, SL_COMMAND_WRITE), 1u);
    sl_assert_u64(dispatch_command(&s.d, SL_COMMAND_WRITE, 0)->start_ts, (uint64_t)TS);
    say(&s, WRITE, TS);
    sl_assert_u64(dispatch_command_count(&s.d, SL_COMMAND_WRITE), 0u);
    say(&s, PASS, TS);
    sl_assert_u64(dispatch_command_count(&s.d, SL_COMMAND_PASS), 0u);
    dispatch_stop(&s.d);
}

static void the_checkpoint_stays_below_it_until_done_is_acknowledged(void **state)
{
    (void)state;
    struct stand s;
    stand_start(&s);
    stand_block(&s);
    say(&s, PASS, TS);
    dispatch_report(&s.d, SL_REPORT_UNBLOCKED, s.token, TS, false);
    assert_int_equal(said(&s)->stage, PB__BLOCK_STAGE__DONE);
    dispatch_report(&s.d, SL_REPORT_PROGRESS, s.token, TS + 300, true);
    sl_assert_u64(checkpoint(&s), (uint64_t)TS - 1);
    dispatch_tick(&s.d, SL_BLOCK_RESEND_NS);
    assert_int_equal(said(&s)->stage, PB__BLOCK_STAGE__DONE);
    say(&s, ACK, TS);
    sl_assert_u64(checkpoint(&s), (uint64_t)TS + 300);
    dispatch_tick(&s.d, SL_BLOCK_RESEND_NS);
    sl_assert_u64(said_count(&s), 0u);
    dispatch_stop(&s.d);
}

static void who_followed_before_the_acknowledgement_follows_after_it(void **state)
{
    (void)state;
    struct stand s;
    stand_start(&s);
    stand_block(&s);
    say(&s, PASS, TS);
    dispatch_report(&s.d, SL_REPORT_UNBLOCKED, s.token, TS, false);
    dispatch_report(&s.d, SL_REPORT_PROGRESS, s.token, TS + 1, true);
    assert_false(sl__dispatcher_at(s.d.o, sl__dispatcher_of_token(s.d.o, s.token))->follows);
    say(&s, ACK, TS);
    assert_true(sl__dispatcher_at(s.d.o, sl__dispatcher_of_token(s.d.o, s.token))->follows);
    dispatch_stop(&s.d);
}

static void the_next_change_does_not_hide_one_that_is_done_and_not_acknowledged(void **state)
{
    (void)state;
    struct stand s;
    stand_start(&s);
    stand_block(&s);
    say(&s, PASS, TS);
    dispatch_report(&s.d, SL_REPORT_UNBLOCKED, s.token, TS, false);
    report_blocked(&s, &(struct sl_block){ .commit_ts = TS + 100, .is_blocking = true });
    sl_assert_u64(checkpoint(&s), (uint64_t)TS - 1);
    dispatch_tick(&s.d, SL_BLOCK_RESEND_NS);
    const Pb__BlockStatusRequest *r = dispatch_sent(&s.d, SL_MSG_BLOCK_STATUS_REQUEST, 0);
    assert_non_null(r);
    assert_int_equal(r->n_statuses, 2);
    say(&s, ACK, TS);
    sl_assert_u64(checkpoint(&s), (uint64_t)TS + 99);
    say(&s, PASS, TS + 100);
    sl_assert_u64(dispatch_command_count(&s.d, SL_COMMAND_PASS), 1u);
    dispatch_stop(&s.d);
}

static void who_is_behind_it_says_done_and_who_is_before_it_nothing(void **state)
{
    (void)state;
    struct stand s;
    stand_start(&s);
    say(&s, PASS, TS);
    sl_assert_u64(said_count(&s), 0u);
    say(&s, ASK, TS);
    sl_assert_u64(said_count(&s), 0u);
    dispatch_report(&s.d, SL_REPORT_PROGRESS, s.token, TS + 1, false);
    say(&s, ASK, TS);
    assert_int_equal(said(&s)->stage, PB__BLOCK_STAGE__DONE);
    say(&s, PASS, TS);
    assert_int_equal(said(&s)->stage, PB__BLOCK_STAGE__DONE);
    dispatch_stop(&s.d);
}

static void who_is_asked_says_it_again_soon(void **state)
{
    (void)state;
    struct stand s;
    stand_start(&s);
    stand_block(&s);
    say(&s, ASK, TS);
    dispatch_tick(&s.d, 20 * SL_MS);
    assert_int_equal(said(&s)->stage, PB__BLOCK_STAGE__WAITING);
    dispatch_stop(&s.d);
}

static void a_new_owner_hears_of_it_with_the_stage_it_is_in(void **state)
{
    (void)state;
    struct stand s;
    stand_start(&s);
    stand_block(&s);
    say(&s, WRITE, TS);
    dispatch_bootstrap(&s.d, DISPATCH_N3, 1, 6, 0, 100);
    dispatch_tick(&s.d, 0);
    const Pb__BlockStatusRequest *r = dispatch_sent(&s.d, SL_MSG_BLOCK_STATUS_REQUEST, 0);
    assert_non_null(r);
    assert_int_equal(dispatch_sent_to(&s.d, SL_MSG_BLOCK_STATUS_REQUEST, 0), DISPATCH_N3);
    assert_int_equal(r->statuses[0]->state->stage, PB__BLOCK_STAGE__WRITING);
    dispatch_stop(&s.d);
}

static void one_that_closes_is_forgotten(void **state)
{
    (void)state;
    struct stand s;
    stand_start(&s);
    stand_block(&s);
    dispatch_remove(&s.d, DISPATCH_N2, 1, 5, 11);
    dispatch_report(&s.d, SL_REPORT_CLOSED, s.token, TS - 1, false);
    dispatch_tick(&s.d, SL_BLOCK_RESEND_NS);
    sl_assert_u64(said_count(&s), 0u);
    dispatch_stop(&s.d);
}

static void without_memory_the_feed_has_an_error(void **state)
{
    (void)state;
    struct stand s;
    stand_start(&s);
    s.d.mem.opts.budget_bytes = s.d.mem.live_bytes;
    stand_block(&s);
    s.d.mem.opts.budget_bytes = 0;
    sl_assert_u64(said_count(&s), 0u);
    dispatch_tick(&s.d, 200 * SL_MS);
    const Pb__HeartBeatRequest *beat = dispatch_sent(&s.d, SL_MSG_HEART_BEAT_REQUEST, 0);
    assert_non_null(beat);
    assert_non_null(beat->err);
    dispatch_stop(&s.d);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_owner_hears_of_it_at_once_and_again_until_it_acknowledges),
        cmocka_unit_test(it_acts_once_and_only_on_this_change),
        cmocka_unit_test(the_checkpoint_stays_below_it_until_done_is_acknowledged),
        cmocka_unit_test(who_followed_before_the_acknowledgement_follows_after_it),
        cmocka_unit_test(the_next_change_does_not_hide_one_that_is_done_and_not_acknowledged),
        cmocka_unit_test(who_is_behind_it_says_done_and_who_is_before_it_nothing),
        cmocka_unit_test(who_is_asked_says_it_again_soon),
        cmocka_unit_test(a_new_owner_hears_of_it_with_the_stage_it_is_in),
        cmocka_unit_test(one_that_closes_is_forgotten),
        cmocka_unit_test(without_memory_the_feed_has_an_error),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
