/* SPDX-License-Identifier: Apache-2.0 */
/* The maintainer set of the manager: admission, registration, fan-out, statuses, cleanup. */
#include "core/manager/maintainer_set.h"
#include "tests/support/manager_fixture.h"
#include "tests/support/sl_test.h"

#include <stdio.h>
#include <string.h>

#define WORKING PB__COMPONENT_STATE__WORKING
#define STOPPED PB__COMPONENT_STATE__STOPPED

/* The last input was answered by "not here" with this reason, or with none. */
static void expect_absent(struct manager_fixture *f, uint32_t feed, uint64_t epoch, enum sl_refusal reason)
{
    const Pb__MaintainerStatus *s = mf_status(f, feed);
    assert_non_null(s);
    sl_assert_i64(s->state, STOPPED);
    sl_assert_u64(s->maintainer_epoch, epoch);
    sl_assert_str(s->changefeed->keyspace, "default");
    sl_assert_u64(s->n_errors, reason != SL_REFUSE_NONE);
    if (s->n_errors > 0) {
        sl_assert_str(s->errors[0]->code, "CDC:ErrSluiceRefused");
        sl_assert_str(s->errors[0]->message, sl_refusal_text(reason));
        sl_assert_str(s->errors[0]->node, "n1");
    }
    assert_null(mf_find(f, feed));
    sl_assert_u64(sl_manager_maintainer_count(f->manager), 0);
}

/* Its status leaves with the next round although it is not old: the answer to a request that changed nothing. */
static void expect_status_soon(struct manager_fixture *f, uint32_t feed, uint64_t epoch)
{
    assert_true(sl_maintainer_status_is_due(mf_find(f, feed), f->now, SL_NEVER));
    mf_tick(f, SL_MANAGER_TICK_NS);
    const Pb__MaintainerStatus *s = mf_status(f, feed);
    assert_non_null(s);
    sl_assert_u64(s->maintainer_epoch, epoch);
}

/* ---- refused adds ---- */

static void bad_config_is_refused_not_fatal(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "not json",
        "{}",
        "null",
        "[]",
        "{\"config\":null}",
        ("{\"id\":{\"id\":{\"low\":1,\"high\":7}},\"sink-uri\":\"mysql://u:" MF_PASSWORD "@h/\",\"config\":{}}"),
    };
    struct manager_fixture f;
    mf_setup(&f);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        sl_assert_i64(mf_add_config(&f, "c1", 1, 1, 100, bad[i]), SL_REFUSE_BAD_CONFIG);
        expect_absent(&f, 1, 1, SL_REFUSE_BAD_CONFIG);
        assert_false(mf_out_holds(&f.out, MF_PASSWORD));
    }
    sl_assert_i64(mf_add(&f, "c1", 1, 1, 100), SL_REFUSE_NONE);
    assert_non_null(mf_find(&f, 1));
    mf_teardown(&f);
}

static void a_config_of_another_feed_is_refused(void **state)
{
    (void)state;
    struct manager_fixture f;
    mf_setup(&f);
    sl_assert_i64(mf_add_config(&f, "c1", 1, 1, 100, mf_config(2)), SL_REFUSE_BAD_CONFIG);
    expect_absent(&f, 1, 1, SL_REFUSE_BAD_CONFIG);
    mf_teardown(&f);
}

static void zero_checkpoint_is_refused_not_fatal(void **state)
{
    (void)state;
    struct manager_fixture f;
    mf_setup(&f);
    sl_assert_i64(mf_add(&f, "c1", 1, 1, 0), SL_REFUSE_ZERO_CHECKPOINT);
    expect_absent(&f, 1, 1, SL_REFUSE_ZERO_CHECKPOINT);
    sl_assert_i64(mf_add(&f, "c1", 1, 1, 1), SL_REFUSE_NONE);
    sl_assert_i64(mf_add(&f, "c1", 1, 1, 0), SL_REFUSE_ZERO_CHECKPOINT);
    sl_assert_u64(sl_maintainer_checkpoint(mf_find(&f, 1)), 1);
    expect_status_soon(&f, 1, 1);
    mf_teardown(&f);
}

static void epoch_zero_is_refused_without_interop(void **state)
{
    (void)state;
    struct manager_fixture f;
    mf_setup(&f);
    sl_assert_i64(mf_add(&f, "c1", 1, 0, 100), SL_REFUSE_ZERO_EPOCH);
    expect_absent(&f, 1, 0, SL_REFUSE_ZERO_EPOCH);
    mf_teardown(&f);
}

static void a_stopping_node_takes_no_maintainer_but_a_draining_one_does(void **state)
{
    (void)state;
    struct manager_fixture f;
    mf_setup(&f);
    mf_liveness(&f, "c1", PB__NODE_LIVENESS__DRAINING, MF_NODE_EPOCH);
    sl_assert_i64(mf_add(&f, "c1", 1, 1, 100), SL_REFUSE_NONE);
    mf_close(&f, 1, 1);
    mf_tick(&f, SL_MANAGER_TICK_NS);
    mf_liveness(&f, "c1", PB__NODE_LIVENESS__STOPPING, MF_NODE_EPOCH);
    sl_assert_i64(mf_add(&f, "c1", 1, 2, 100), SL_REFUSE_STOPPING);
    expect_absent(&f, 1, 2, SL_REFUSE_STOPPING);
    sl_assert_i64(mf_remove(&f, "c1", 1, 2, true, true), SL_REFUSE_STOPPING);
    sl_assert_u64(mf_sent_count(&f, SL_MSG_NODE_HEARTBEAT_REQUEST), 1);
    sl_assert_u64(mf_sent_count(&f, SL_MSG_MAINTAINER_HEARTBEAT_REQUEST), 0);
    sl_assert_u64(sl_manager_maintainer_count(f.manager), 0);
    mf_teardown(&f);
}

static void more_feeds_than_the_limit_are_refused_until_one_is_forgotten(void **state)
{
    (void)state;
    struct manager_fixture f;
    mf_init(&f);
    f.opts.feed_count_max = 2;
    mf_start(&f);
    mf_bootstrap(&f, "c1", 1);
    sl_assert_i64(mf_add(&f, "c1", 1, 1, 100), SL_REFUSE_NONE);
    sl_assert_i64(mf_add(&f, "c1", 2, 1, 100), SL_REFUSE_NONE);
    sl_assert_i64(mf_add(&f, "c1", 3, 1, 100), SL_REFUSE_LIMIT);
    sl_assert_i64(mf_status(&f, 3)->state, STOPPED);
    sl_assert_i64(mf_remove(&f, "c1", 4, 1, true, true), SL_REFUSE_LIMIT);
    mf_close(&f, 1, 1);
    mf_tick(&f, SL_MANAGER_TICK_NS);
    sl_assert_i64(mf_add(&f, "c1", 3, 1, 100), SL_REFUSE_NONE);
    mf_teardown(&f);
}

/* ---- admission by epoch ---- */

static void a_live_maintainer_is_not_replaced_by_a_newer_epoch(void **state)
{
    (void)state;
    struct manager_fixture f;
    mf_setup(&f);
    mf_add(&f, "c1", 1, 1, 100);
    struct sl_maintainer *first = mf_find(&f, 1);
    mf_tick(&f, SL_MANAGER_TICK_NS);
    sl_assert_i64(mf_add(&f, "c1", 1, 2, 100), SL_REFUSE_FEED_BUSY);
    assert_ptr_equal(mf_find(&f, 1), first);
    sl_assert_u64(sl_maintainer_epoch(first), 1);
    sl_assert_u64(sl_manager_maintainer_count(f.manager), 1);
    expect_status_soon(&f, 1, 1);
    mf_teardown(&f);
}

static void a_stopped_maintainer_gives_way_to_a_newer_epoch(void **state)
{
    (void)state;
    struct manager_fixture f;
    mf_setup(&f);
    mf_add(&f, "c1", 1, 1, 100);
    mf_close(&f, 1, 1);
    sl_assert_u64(sl_manager_maintainer_count(f.manager), 0);
    sl_assert_i64(mf_add(&f, "c1", 1, 1, 100), SL_REFUSE_STALE_VERSION);
    sl_assert_i64(mf_add(&f, "c1", 1, 2, 200), SL_REFUSE_NONE);
    sl_assert_u64(mf_event_count(&f, SL_EV_MAINTAINER_REPLACED), 1);
    sl_assert_u64(sl_maintainer_epoch(mf_find(&f, 1)), 2);
    sl_assert_u64(sl_maintainer_checkpoint(mf_find(&f, 1)), 200);
    sl_assert_u64(sl_manager_maintainer_count(f.manager), 1);
    mf_teardown(&f);
}

/* Its second copy comes from a stream that broke: it could not bootstrap, and would stand in its successor's way. */
static void a_late_add_brings_no_forgotten_maintainer_back(void **state)
{
    (void)state;
    struct manager_fixture f;
    mf_setup(&f);
    mf_add(&f, "c1", 1, 3, 100);
    mf_close(&f, 1, 3);
    mf_tick(&f, SL_MANAGER_TICK_NS);
    assert_null(mf_find(&f, 1));
    sl_assert_i64(mf_add(&f, "c1", 1, 3, 100), SL_REFUSE_STALE_VERSION);
    expect_absent(&f, 1, 3, SL_REFUSE_STALE_VERSION);
    sl_assert_i64(mf_add(&f, "c1", 1, 2, 100), SL_REFUSE_STALE_VERSION);
    sl_assert_i64(mf_add(&f, "c1", 1, 4, 100), SL_REFUSE_NONE);
    mf_teardown(&f);
}

static void an_add_that_its_remove_overtook_comes_too_late(void **state)
{
    (void)state;
    struct manager_fixture f;
    mf_setup(&f);
    sl_assert_i64(mf_remove(&f, "c1", 1, 7, false, false), SL_REFUSE_NONE);
    sl_assert_i64(mf_add(&f, "c1", 1, 7, 100), SL_REFUSE_STALE_VERSION);
    expect_absent(&f, 1, 7, SL_REFUSE_STALE_VERSION);
    sl_assert_i64(mf_add(&f, "c1", 1, 8, 100), SL_REFUSE_NONE);
    mf_teardown(&f);
}

static void the_late_end_of_a_replaced_maintainer_leaves_its_successor_alone(void **state)
{
    (void)state;
    struct manager_fixture f;
    mf_setup(&f);
    mf_add(&f, "c1", 1, 1, 100);
    mf_close(&f, 1, 1);
    mf_add(&f, "c1", 1, 2, 200);
    struct sl_maintainer *second = mf_find(&f, 1);
    assert_true(mf_close_response(&f, "n2", 1, 1) != SL_REFUSE_NONE);
    sl_assert_i64(mf_remove(&f, "c1", 1, 1, true, true), SL_REFUSE_STALE_VERSION);
    for (int i = 0; i < 20; i++) {
        mf_tick(&f, SL_MANAGER_TICK_NS);
        sl_assert_u64(mf_event_count(&f, SL_EV_MAINTAINER_CLOSED), 0);
        assert_ptr_equal(mf_find(&f, 1), second);
    }
    mf_close(&f, 1, 2);
    mf_tick(&f, SL_MANAGER_TICK_NS);
    sl_assert_u64(mf_event_count(&f, SL_EV_MAINTAINER_CLOSED), 1);
    assert_null(mf_find(&f, 1));
    mf_teardown(&f);
}

static void with_interop_the_request_epoch_counts_and_zero_keeps_the_instance(void **state)
{
    (void)state;
    struct manager_fixture f;
    mf_init(&f);
    f.opts.interop = true;
    mf_start(&f);
    mf_bootstrap(&f, "c1", 1);
    assert_non_null(strstr(mf_config(1), "\"epoch\":3"));
    sl_assert_i64(mf_add(&f, "c1", 1, 0, 100), SL_REFUSE_NONE);
    struct sl_maintainer *first = mf_find(&f, 1);
    sl_assert_u64(sl_maintainer_epoch(first), 0);
    sl_assert_i64(mf_add(&f, "c1", 1, 0, 100), SL_REFUSE_NONE);
    assert_ptr_equal(mf_find(&f, 1), first);
    sl_assert_i64(mf_add(&f, "c1", 1, 5, 100), SL_REFUSE_FEED_BUSY);
    assert_ptr_equal(mf_find(&f, 1), first);
    mf_close(&f, 1, 0);
    sl_assert_i64(mf_add(&f, "c1", 1, 0, 100), SL_REFUSE_STALE_VERSION);
    sl_assert_i64(mf_add(&f, "c1", 1, 5, 100), SL_REFUSE_NONE);
    sl_assert_u64(sl_maintainer_epoch(mf_find(&f, 1)), 5);
    mf_teardown(&f);
}

static void older_epochs_keep_the_instance(void **state)
{
    (void)state;
    struct manager_fixture f;
    mf_init(&f);
    f.opts.interop = true;
    mf_start(&f);
    mf_bootstrap(&f, "c1", 1);
    mf_add(&f, "c1", 1, 2, 100);
    struct sl_maintainer *first = mf_find(&f, 1);
    sl_assert_i64(mf_add(&f, "c1", 1, 1, 100), SL_REFUSE_STALE_VERSION);
    sl_assert_i64(mf_add(&f, "c1", 1, 0, 100), SL_REFUSE_STALE_VERSION);
    assert_ptr_equal(mf_find(&f, 1), first);
    sl_assert_u64(sl_maintainer_epoch(first), 2);
    mf_teardown(&f);
}

/* The manager's memory counts every construction. */
static void refused_adds_construct_nothing(void **state)
{
    (void)state;
    struct manager_fixture f;
    mf_init(&f);
    f.opts.interop = true;
    mf_start(&f);
    mf_bootstrap(&f, "c1", 1);
    mf_add(&f, "c1", 1, 2, 100);
    uint64_t calls = f.mem.calls;
    for (uint64_t epoch = 4; epoch-- > 0;) {
        enum sl_refusal refusal = mf_add(&f, "c1", 1, epoch, 100);
        sl_assert_i64(refusal, epoch == 3   ? SL_REFUSE_FEED_BUSY
                               : epoch == 2 ? SL_REFUSE_NONE
                                            : SL_REFUSE_STALE_VERSION);
    }
    mf_add(&f, "c1", 2, 1, 0);
    mf_add_config(&f, "c1", 2, 1, 100, "{}");
    mf_add(&f, "c2", 2, 1, 100);
    sl_assert_u64(f.mem.calls, calls);
    mf_teardown(&f);
}

static void a_repeated_add_is_answered_by_the_status_and_is_no_refusal(void **state)
{
    (void)state;
    struct manager_fixture f;
    mf_setup(&f);
    mf_add(&f, "c1", 1, 1, 100);
    mf_tick(&f, SL_MANAGER_TICK_NS);
    assert_non_null(mf_status(&f, 1));
    sl_assert_i64(mf_add(&f, "c1", 1, 1, 100), SL_REFUSE_NONE);
    sl_assert_i64(mf_add_config(&f, "c1", 1, 1, 100, "not even parsed"), SL_REFUSE_NONE);
    expect_status_soon(&f, 1, 1);
    mf_teardown(&f);
}

/* ---- drain target and registration ---- */

static void target_between_registration_and_seed_is_not_lost(void **state)
{
    (void)state;
    struct manager_fixture f;
    mf_setup(&f);
    struct sl_feed_id id = mf_feed(1);
    const char *config = mf_config(1);
    struct sl_maintainer_opts opts = { .mem = &f.mem,
                                       .members = f.members,
                                       .id = &id,
                                       .config_bytes_max = 1 << 16,
                                       .checkpoint = 100,
                                       .epoch = 1,
                                       .limits = SL_MAINTAINER_LIMITS_DEFAULT };
    struct sl_pacer pacer;
    struct sl_maintainer *maintainer;
    sl_pacer_init(&pacer, &SL_PACER_OPTS_DEFAULT);
    opts.pacer = &pacer;
    opts.config = sl_secret_of((struct sl_bytes){ (const uint8_t *)config, strlen(config) });
    sl_assert_i64(sl_maintainer_new(&maintainer, &opts, f.now), SL_OK);

    uint32_t handle = sl__set_register(f.manager, maintainer);
    assert_true(handle != 0);
    sl_assert_i64(mf_target(&f, "c1", "n2", 7), SL_REFUSE_NONE);
    sl_assert_str(sl_maintainer_target(maintainer)->node.text, "n2");
    sl__set_seed(f.manager, handle, &f.out);
    sl__set_start(f.manager, handle, &f.out);
    sl_assert_str(sl_maintainer_target(maintainer)->node.text, "n2");
    sl_assert_u64(sl_maintainer_target(maintainer)->epoch, 7);
    mf_teardown(&f);
}

static void a_new_maintainer_is_seeded_with_the_target_that_holds(void **state)
{
    (void)state;
    struct manager_fixture f;
    mf_setup(&f);
    mf_target(&f, "c1", "n2", 7);
    mf_add(&f, "c1", 1, 1, 100);
    sl_assert_str(sl_maintainer_target(mf_find(&f, 1))->node.text, "n2");
    sl_assert_u64(sl_maintainer_target(mf_find(&f, 1))->epoch, 7);
    mf_tick(&f, SL_MANAGER_TICK_NS);
    sl_assert_str(mf_status(&f, 1)->drain_progress->target_node_id, "n2");
    mf_teardown(&f);
}

static void every_maintainer_follows_the_target_by_the_same_rule(void **state)
{
    (void)state;
    static const struct {
        const char *node;
        uint64_t epoch;
    } requests[] = { { "n2", 1 }, { "", 1 }, { "n2", 1 }, { "c2", 0 }, { "c2", 2 }, { "n2", 2 }, { "", 3 } };
    struct manager_fixture f;
    mf_setup(&f);
    for (uint32_t feed = 1; feed <= 3; feed++)
        mf_add(&f, "c1", feed, 1, 100);
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        mf_target(&f, "c1", requests[i].node, requests[i].epoch);
        const struct sl_drain_target *held = sl_manager_target(f.manager);
        for (uint32_t feed = 1; feed <= 3; feed++) {
            sl_assert_str(sl_maintainer_target(mf_find(&f, feed))->node.text, held->node.text);
            sl_assert_u64(sl_maintainer_target(mf_find(&f, feed))->epoch, held->epoch);
        }
    }
    mf_teardown(&f);
}

static void every_maintainer_holds_the_whole_set_whenever_it_was_made(void **state)
{
    (void)state;
    const struct sl_drain_target set[] = { mf_target_of("n2", 5), mf_target_of("c2", 7) };
    struct manager_fixture f;
    mf_setup(&f);
    mf_add(&f, "c1", 1, 1, 100);
    mf_targets(&f, "c1", 7, set, 2);
    mf_add(&f, "c1", 2, 1, 100);
    for (uint32_t feed = 1; feed <= 2; feed++)
        assert_true(sl_target_set_is_same(sl_maintainer_targets(mf_find(&f, feed)), sl_manager_targets(f.manager)));
    mf_targets(&f, "c1", 7, &set[1], 1);
    for (uint32_t feed = 1; feed <= 2; feed++) {
        sl_assert_u64(sl_maintainer_targets(mf_find(&f, feed))->count, 1);
        sl_assert_str(sl_maintainer_target(mf_find(&f, feed))->node.text, "c2");
    }
    mf_teardown(&f);
}

static void a_target_makes_every_status_due_at_once(void **state)
{
    (void)state;
    struct manager_fixture f;
    mf_setup(&f);
    mf_add(&f, "c1", 1, 1, 100);
    mf_tick(&f, SL_MANAGER_TICK_NS);
    mf_tick(&f, SL_MANAGER_TICK_NS);
    assert_null(mf_status(&f, 1));
    mf_target(&f, "c1", "n2", 1);
    mf_tick(&f, SL_MANAGER_TICK_NS);
    sl_assert_u64(mf_status(&f, 1)->drain_progress->target_epoch, 1);
    mf_teardown(&f);
}

/* ---- remove ---- */

static void remove_of_an_unknown_feed_is_answered_stopped_with_its_epoch(void **state)
{
    (void)state;
    struct manager_fixture f;
    mf_setup(&f);
    sl_assert_i64(mf_remove(&f, "c1", 1, 7, false, false), SL_REFUSE_NONE);
    expect_absent(&f, 1, 7, SL_REFUSE_NONE);
    mf_teardown(&f);
}

static void cascade_remove_of_an_unknown_feed_closes_all_nodes_and_is_forgotten(void **state)
{
    (void)state;
    struct manager_fixture f;
    mf_setup(&f);
    sl_assert_i64(mf_remove(&f, "c1", 1, 7, true, true), SL_REFUSE_NONE);
    assert_non_null(mf_find(&f, 1));
    sl_assert_u64(sl_maintainer_epoch(mf_find(&f, 1)), 7);
    sl_assert_u64(mf_sent_count(&f, SL_MSG_MAINTAINER_CLOSE_REQUEST), 4);
    sl_assert_u64(mf_sent_count(&f, SL_MSG_MAINTAINER_BOOTSTRAP_REQUEST), 0);
    const char *const nodes[] = { "n1", "n2", "c1", "c2" };
    for (int i = 0; i < 4; i++) {
        assert_false(sl_maintainer_is_closed(mf_find(&f, 1)));
        sl_assert_i64(mf_close_response(&f, nodes[i], 1, 7), SL_REFUSE_NONE);
    }
    assert_true(sl_maintainer_is_closed(mf_find(&f, 1)));
    mf_tick(&f, SL_MANAGER_TICK_NS);
    sl_assert_i64(mf_status(&f, 1)->state, STOPPED);
    sl_assert_u64(mf_status(&f, 1)->maintainer_epoch, 7);
    assert_null(mf_find(&f, 1));
    mf_teardown(&f);
}

static void a_remover_of_epoch_zero_needs_interop(void **state)
{
    (void)state;
    struct manager_fixture f;
    mf_setup(&f);
    sl_assert_i64(mf_remove(&f, "c1", 1, 0, true, true), SL_REFUSE_ZERO_EPOCH);
    assert_null(mf_find(&f, 1));
    sl_assert_u64(mf_sent_count(&f, SL_MSG_NODE_HEARTBEAT_REQUEST), 1);
    mf_teardown(&f);
}

static void a_refused_remove_is_answered_by_the_status(void **state)
{
    (void)state;
    struct manager_fixture f;
    mf_setup(&f);
    mf_add(&f, "c1", 1, 2, 100);
    mf_tick(&f, SL_MANAGER_TICK_NS);
    sl_assert_i64(mf_remove(&f, "c1", 1, 1, true, true), SL_REFUSE_STALE_VERSION);
    expect_status_soon(&f, 1, 2);
    mf_teardown(&f);
}

/* ---- statuses ---- */

static void a_status_leaves_when_it_changed_or_is_a_second_old(void **state)
{
    (void)state;
    struct manager_fixture f;
    mf_setup(&f);
    mf_add(&f, "c1", 1, 1, 100);
    mf_tick(&f, SL_MANAGER_TICK_NS);
    sl_assert_i64(mf_status(&f, 1)->state, WORKING);
    sl_assert_u64(mf_output(&f, SL_MSG_MAINTAINER_HEARTBEAT_REQUEST, 0)->u.send.to, mf_ref(&f, "c1"));
    for (int i = 0; i < 4; i++) {
        mf_tick(&f, SL_MANAGER_TICK_NS);
        sl_assert_u64(mf_sent_count(&f, SL_MSG_MAINTAINER_HEARTBEAT_REQUEST), 0);
    }
    mf_tick(&f, SL_MANAGER_TICK_NS);
    assert_non_null(mf_status(&f, 1));
    mf_teardown(&f);
}

static void a_status_that_found_no_room_is_sent_with_the_next_round(void **state)
{
    (void)state;
    struct manager_fixture f;
    mf_setup(&f);
    mf_add(&f, "c1", 1, 1, 100);
    mf_close(&f, 1, 1);
    f.now += SL_MANAGER_TICK_NS;
    sl_outbox_reset(&f.out);
    while (sl_outbox_room(&f.out) > 0) {
        Pb__NodeHeartbeat filler = PB__NODE_HEARTBEAT__INIT;
        (void)sl_out_send(&f.out, 1, SL_MSG_NODE_HEARTBEAT_REQUEST, &filler.base);
    }
    sl_manager_on_tick(f.manager, f.now, &f.hosted, &f.out);
    assert_non_null(mf_find(&f, 1));
    mf_tick(&f, SL_MANAGER_TICK_NS);
    sl_assert_i64(mf_status(&f, 1)->state, STOPPED);
    assert_null(mf_find(&f, 1));
    mf_teardown(&f);
}

static void many_statuses_are_split_over_messages(void **state)
{
    (void)state;
    enum { FEEDS = 1100 };
    struct manager_fixture f;
    mf_init(&f);
    f.opts.feed_count_max = FEEDS;
    mf_start(&f);
    mf_bootstrap(&f, "c1", 1);
    for (uint32_t feed = 1; feed <= FEEDS; feed++)
        sl_assert_i64(mf_add(&f, "c1", feed, 1, 100), SL_REFUSE_NONE);
    mf_tick(&f, SL_MANAGER_TICK_NS);
    uint32_t messages = mf_sent_count(&f, SL_MSG_MAINTAINER_HEARTBEAT_REQUEST), statuses = 0;
    assert_true(messages >= 3);
    for (uint32_t i = 0; i < messages; i++) {
        const Pb__MaintainerHeartbeat *m = mf_sent(&f, SL_MSG_MAINTAINER_HEARTBEAT_REQUEST, i);
        for (size_t k = 0; k < m->n_statuses; k++)
            sl_assert_u64(m->statuses[k]->changefeed->low, ++statuses);
    }
    sl_assert_u64(statuses, FEEDS);
    sl_assert_i64(mf_bootstrap(&f, "c1", 2), SL_REFUSE_NONE);
    const Pb__CoordinatorBootstrapResponse *r = mf_sent(&f, SL_MSG_COORDINATOR_BOOTSTRAP_RESPONSE, 0);
    sl_assert_u64(r->n_statuses, FEEDS);
    mf_teardown(&f);
}

static void bootstrap_response_holds_every_status_and_a_change_stays_due(void **state)
{
    (void)state;
    struct manager_fixture f;
    mf_setup(&f);
    mf_add(&f, "c1", 1, 1, 100);
    mf_add(&f, "c1", 2, 4, 300);
    mf_close(&f, 2, 4);
    sl_assert_i64(mf_bootstrap(&f, "c2", 2), SL_REFUSE_NONE);
    const Pb__CoordinatorBootstrapResponse *r = mf_sent(&f, SL_MSG_COORDINATOR_BOOTSTRAP_RESPONSE, 0);
    sl_assert_u64(r->n_statuses, 2);
    sl_assert_i64(r->statuses[0]->state, WORKING);
    sl_assert_i64(r->statuses[1]->state, STOPPED);
    sl_assert_u64(r->statuses[1]->maintainer_epoch, 4);
    assert_false(sl_maintainer_status_is_due(mf_find(&f, 1), f.now, SL_NEVER));
    mf_target(&f, "c2", "n2", 1);
    assert_true(sl_maintainer_status_is_due(mf_find(&f, 1), f.now, SL_NEVER));
    mf_teardown(&f);
}

static void a_closed_maintainer_is_forgotten_only_after_it_was_reported(void **state)
{
    (void)state;
    struct manager_fixture f;
    mf_setup(&f);
    mf_add(&f, "c1", 1, 1, 100);
    mf_close(&f, 1, 1);
    mf_members(&f, (const char *const[]){ "n1", "n2" }, 2);
    for (int i = 0; i < 10; i++)
        mf_tick(&f, SL_MANAGER_TICK_NS);
    assert_non_null(mf_find(&f, 1));
    mf_members(&f, (const char *const[]){ "n1", "n2", "c1" }, 3);
    mf_tick(&f, SL_MANAGER_TICK_NS);
    sl_assert_i64(mf_status(&f, 1)->state, STOPPED);
    assert_null(mf_find(&f, 1));
    mf_teardown(&f);
}

/* ---- messages of dispatch managers, deadlines ---- */

static void messages_for_a_feed_that_is_not_here_are_refused(void **state)
{
    (void)state;
    struct manager_fixture f;
    mf_setup(&f);
    sl_assert_i64(mf_close_response(&f, "n2", 1, 1), SL_REFUSE_UNKNOWN_FEED);
    struct sl_feed_id id = mf_feed(1);
    Pb__ChangefeedID changefeed = sl_feed_id_pb(&id);
    Pb__HeartBeatRequest h = PB__HEART_BEAT_REQUEST__INIT;
    h.changefeed = &changefeed;
    sl_assert_i64(mf_message(&f, "n2", SL_MSG_HEART_BEAT_REQUEST, &h.base), SL_REFUSE_UNKNOWN_FEED);
    sl_assert_u64(f.out.count, 0);
    mf_teardown(&f);
}

static void a_new_maintainer_asks_all_nodes_and_asks_silent_ones_again(void **state)
{
    (void)state;
    struct manager_fixture f;
    mf_setup(&f);
    mf_add(&f, "c1", 1, 1, 100);
    uint32_t asked = mf_sent_count(&f, SL_MSG_MAINTAINER_BOOTSTRAP_REQUEST);
    sl_ns until = f.now + 1 * SL_S;
    while (asked < 8 && f.now < until) {
        sl_ns deadline = sl_manager_deadline(f.manager);
        assert_true(deadline > f.now && deadline != SL_NEVER);
        mf_tick(&f, deadline - f.now);
        asked += mf_sent_count(&f, SL_MSG_MAINTAINER_BOOTSTRAP_REQUEST);
    }
    sl_assert_u64(asked, 8);
    mf_teardown(&f);
}

static void the_deadline_never_stays_behind_a_tick(void **state)
{
    (void)state;
    struct manager_fixture f;
    mf_setup(&f);
    for (uint32_t feed = 1; feed <= 20; feed++)
        mf_add(&f, "c1", feed, 1, 100);
    for (int i = 0; i < 200; i++) {
        sl_ns deadline = sl_manager_deadline(f.manager);
        mf_tick(&f, deadline > f.now ? deadline - f.now : 0);
        assert_true(sl_manager_deadline(f.manager) > f.now);
    }
    mf_teardown(&f);
}

static void a_node_that_leaves_counts_as_closed(void **state)
{
    (void)state;
    struct manager_fixture f;
    mf_setup(&f);
    mf_remove(&f, "c1", 1, 7, true, true);
    const char *const nodes[] = { "n1", "c1", "c2" };
    for (int i = 0; i < 3; i++)
        mf_close_response(&f, nodes[i], 1, 7);
    assert_false(sl_maintainer_is_closed(mf_find(&f, 1)));
    mf_members(&f, nodes, 3);
    mf_tick(&f, SL_MANAGER_TICK_NS);
    assert_null(mf_find(&f, 1));
    mf_teardown(&f);
}

/* ---- torture ---- */

/* Every allocation of an Add fails once: refused, answered, nothing kept, and the next one works. */
static void an_add_without_memory_is_refused_and_works_later(void **state)
{
    (void)state;
    uint64_t n = 0;
    enum sl_refusal refusal;
    do {
        struct manager_fixture f;
        mf_setup(&f);
        f.mem.fail_at = ++n;
        refusal = mf_add(&f, "c1", 1, 1, 100);
        f.mem.fail_at = 0;
        if (refusal != SL_REFUSE_NONE) {
            sl_assert_i64(refusal, SL_REFUSE_OUT_OF_MEMORY);
            expect_absent(&f, 1, 1, SL_REFUSE_OUT_OF_MEMORY);
            sl_assert_i64(mf_add(&f, "c1", 1, 1, 100), SL_REFUSE_NONE);
        }
        assert_non_null(mf_find(&f, 1));
        mf_tick(&f, SL_MANAGER_TICK_NS);
        sl_assert_i64(mf_status(&f, 1)->state, WORKING);
        mf_teardown(&f);
    } while (refusal != SL_REFUSE_NONE);
    assert_true(n > 3);
}

static void a_replacement_without_memory_keeps_the_stopped_one(void **state)
{
    (void)state;
    uint64_t n = 0;
    enum sl_refusal refusal;
    do {
        struct manager_fixture f;
        mf_setup(&f);
        mf_add(&f, "c1", 1, 1, 100);
        mf_close(&f, 1, 1);
        f.mem.fail_at = ++n;
        refusal = mf_add(&f, "c1", 1, 2, 100);
        f.mem.fail_at = 0;
        sl_assert_u64(sl_maintainer_epoch(mf_find(&f, 1)), refusal == SL_REFUSE_NONE ? 2 : 1);
        if (refusal != SL_REFUSE_NONE)
            sl_assert_i64(mf_add(&f, "c1", 1, 2, 100), SL_REFUSE_NONE);
        mf_teardown(&f);
    } while (refusal != SL_REFUSE_NONE);
    assert_true(n > 1);
}

static uint32_t reported_of_three(struct manager_fixture *f)
{
    uint32_t count = 0;
    for (uint32_t feed = 1; feed <= 3; feed++)
        count += mf_status(f, feed) != NULL;
    return count;
}

static void statuses_without_memory_stay_due(void **state)
{
    (void)state;
    for (uint64_t n = 1; n < 12; n++) {
        struct manager_fixture f;
        mf_setup(&f);
        for (uint32_t feed = 1; feed <= 3; feed++)
            mf_add(&f, "c1", feed, 1, 100);
        f.mem.fail_at = n;
        mf_bootstrap(&f, "c2", 2);
        f.mem.fail_at = 0;
        if (mf_sent_count(&f, SL_MSG_COORDINATOR_BOOTSTRAP_RESPONSE) == 0) {
            sl_assert_i64(mf_bootstrap(&f, "c2", 2), SL_REFUSE_NONE);
            const Pb__CoordinatorBootstrapResponse *r = mf_sent(&f, SL_MSG_COORDINATOR_BOOTSTRAP_RESPONSE, 0);
            sl_assert_u64(r->n_statuses, 3);
        }
        mf_target(&f, "c2", "n2", 1);
        f.mem.fail_at = n;
        mf_tick(&f, SL_MANAGER_TICK_NS);
        f.mem.fail_at = 0;
        uint32_t reported = reported_of_three(&f);
        mf_tick(&f, SL_MANAGER_TICK_NS);
        reported += reported_of_three(&f);
        sl_assert_u64(reported, 3);
        mf_teardown(&f);
    }
}

/* The same for the memory of the outbox: whatever is lost, the state is the same and nothing crashes. */
static void an_outbox_without_memory_loses_messages_and_nothing_else(void **state)
{
    (void)state;
    for (uint64_t n = 1; n < 8; n++) {
        struct manager_fixture f;
        mf_setup(&f);
        f.out_mem.fail_at = n;
        sl_assert_i64(mf_add(&f, "c1", 1, 1, 100), SL_REFUSE_NONE);
        sl_assert_i64(mf_target(&f, "c1", "n2", 1), SL_REFUSE_NONE);
        mf_tick(&f, SL_MANAGER_TICK_NS);
        f.out_mem.fail_at = 0;
        assert_non_null(mf_find(&f, 1));
        sl_assert_u64(sl_maintainer_target(mf_find(&f, 1))->epoch, 1);
        mf_teardown(&f);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_config_is_refused_not_fatal),
        cmocka_unit_test(a_config_of_another_feed_is_refused),
        cmocka_unit_test(zero_checkpoint_is_refused_not_fatal),
        cmocka_unit_test(epoch_zero_is_refused_without_interop),
        cmocka_unit_test(a_stopping_node_takes_no_maintainer_but_a_draining_one_does),
        cmocka_unit_test(more_feeds_than_the_limit_are_refused_until_one_is_forgotten),
        cmocka_unit_test(a_live_maintainer_is_not_replaced_by_a_newer_epoch),
        cmocka_unit_test(a_stopped_maintainer_gives_way_to_a_newer_epoch),
        cmocka_unit_test(a_late_add_brings_no_forgotten_maintainer_back),
        cmocka_unit_test(an_add_that_its_remove_overtook_comes_too_late),
        cmocka_unit_test(the_late_end_of_a_replaced_maintainer_leaves_its_successor_alone),
        cmocka_unit_test(with_interop_the_request_epoch_counts_and_zero_keeps_the_instance),
        cmocka_unit_test(older_epochs_keep_the_instance),
        cmocka_unit_test(refused_adds_construct_nothing),
        cmocka_unit_test(a_repeated_add_is_answered_by_the_status_and_is_no_refusal),
        cmocka_unit_test(target_between_registration_and_seed_is_not_lost),
        cmocka_unit_test(a_new_maintainer_is_seeded_with_the_target_that_holds),
        cmocka_unit_test(every_maintainer_follows_the_target_by_the_same_rule),
        cmocka_unit_test(a_target_makes_every_status_due_at_once),
        cmocka_unit_test(remove_of_an_unknown_feed_is_answered_stopped_with_its_epoch),
        cmocka_unit_test(cascade_remove_of_an_unknown_feed_closes_all_nodes_and_is_forgotten),
        cmocka_unit_test(a_remover_of_epoch_zero_needs_interop),
        cmocka_unit_test(a_refused_remove_is_answered_by_the_status),
        cmocka_unit_test(a_status_leaves_when_it_changed_or_is_a_second_old),
        cmocka_unit_test(a_status_that_found_no_room_is_sent_with_the_next_round),
        cmocka_unit_test(many_statuses_are_split_over_messages),
        cmocka_unit_test(bootstrap_response_holds_every_status_and_a_change_stays_due),
        cmocka_unit_test(a_closed_maintainer_is_forgotten_only_after_it_was_reported),
        cmocka_unit_test(messages_for_a_feed_that_is_not_here_are_refused),
        cmocka_unit_test(a_new_maintainer_asks_all_nodes_and_asks_silent_ones_again),
        cmocka_unit_test(the_deadline_never_stays_behind_a_tick),
        cmocka_unit_test(a_node_that_leaves_counts_as_closed),
        cmocka_unit_test(an_add_without_memory_is_refused_and_works_later),
        cmocka_unit_test(a_replacement_without_memory_keeps_the_stopped_one),
        cmocka_unit_test(statuses_without_memory_stay_due),
        cmocka_unit_test(an_outbox_without_memory_loses_messages_and_nothing_else),
        cmocka_unit_test(every_maintainer_holds_the_whole_set_whenever_it_was_made),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
