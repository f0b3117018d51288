/* SPDX-License-Identifier: Apache-2.0 */
/* The node scope of the maintainer manager: coordinator fence, liveness, drain target, node heartbeat. */
#include "tests/support/manager_fixture.h"
#include "tests/support/sl_test.h"

#define TEST_CAPABILITIES \
    (SL_CAP_EXT_REPORTS | SL_CAP_CLOSE_OUTCOME | SL_CAP_TARGET_SET | SL_CAP_STOP_ORDER | SL_CAP_CLOSE_SCOPE)

#include <string.h>

#define ALIVE PB__NODE_LIVENESS__ALIVE
#define DRAINING PB__NODE_LIVENESS__DRAINING
#define STOPPING PB__NODE_LIVENESS__STOPPING

static const Pb__NodeHeartbeat *heartbeat(struct manager_fixture *f)
{
    sl_assert_u64(mf_sent_count(f, SL_MSG_NODE_HEARTBEAT_REQUEST), 1);
    return mf_sent(f, SL_MSG_NODE_HEARTBEAT_REQUEST, 0);
}

static const Pb__SetNodeLivenessResponse *response(struct manager_fixture *f)
{
    sl_assert_u64(mf_sent_count(f, SL_MSG_SET_NODE_LIVENESS_RESPONSE), 1);
    return mf_sent(f, SL_MSG_SET_NODE_LIVENESS_RESPONSE, 0);
}

/* The last request was answered by exactly one heartbeat, to c1, which shows this target. */
static void expect_acknowledged(struct manager_fixture *f, const char *node, uint64_t epoch)
{
    const Pb__NodeHeartbeat *h = heartbeat(f);
    sl_assert_u64(mf_output(f, SL_MSG_NODE_HEARTBEAT_REQUEST, 0)->u.send.to, mf_ref(f, "c1"));
    sl_assert_str(h->drain_target_node_id, node);
    sl_assert_u64(h->drain_target_epoch, epoch);
    sl_assert_u64(h->n_targets, node[0] != '\0');
    if (h->n_targets > 0) {
        sl_assert_str(h->targets[0]->node_id, node);
        sl_assert_u64(h->targets[0]->epoch, epoch);
    }
    sl_assert_str(sl_manager_target(f->manager)->node.text, node);
    sl_assert_u64(sl_manager_target(f->manager)->epoch, epoch);
}

/* ---- coordinator fence ---- */

static void nothing_is_sent_before_a_coordinator_bootstraps(void **state)
{
    (void)state;
    struct manager_fixture f;
    mf_init(&f);
    mf_start(&f);
    sl_assert_i64(sl_manager_deadline(f.manager), SL_NEVER);
    mf_tick(&f, 60 * SL_S);
    sl_assert_u64(f.out.count, 0);
    sl_assert_i64(mf_add(&f, "c1", 1, 1, 100), SL_REFUSE_NOT_BOOTSTRAPPED);
    sl_assert_i64(mf_target(&f, "c1", "n2", 1), SL_REFUSE_NOT_BOOTSTRAPPED);
    sl_assert_i64(mf_liveness(&f, "c1", DRAINING, MF_NODE_EPOCH), SL_REFUSE_NOT_BOOTSTRAPPED);
    sl_assert_u64(f.out.count, 0);
    mf_teardown(&f);
}

static void bootstrap_is_answered_by_a_response_and_then_a_heartbeat(void **state)
{
    (void)state;
    struct manager_fixture f;
    mf_init(&f);
    mf_start(&f);
    f.hosted = (struct sl_hosted){ .dispatchers = 4, .readers = 1, .unflushed_rows = 9 };
    sl_assert_i64(mf_bootstrap(&f, "c1", 5), SL_REFUSE_NONE);
    sl_assert_i64(f.out.items[0].kind, SL_OUT_EVENT);
    sl_assert_i64(f.out.items[1].u.send.type, SL_MSG_COORDINATOR_BOOTSTRAP_RESPONSE);
    sl_assert_i64(f.out.items[2].u.send.type, SL_MSG_NODE_HEARTBEAT_REQUEST);
    sl_assert_u64(f.out.count, 3);
    const Pb__CoordinatorBootstrapResponse *r = mf_sent(&f, SL_MSG_COORDINATOR_BOOTSTRAP_RESPONSE, 0);
    sl_assert_u64(r->n_statuses, 0);
    sl_assert_u64(r->drain_protocol_version, 1);
    sl_assert_u64(r->protocol_version, SL_PROTOCOL_VERSION);
    sl_assert_u64(r->capabilities, TEST_CAPABILITIES);
    sl_assert_u64(r->node_epoch, MF_NODE_EPOCH);
    sl_assert_i64(r->liveness, ALIVE);
    sl_assert_u64(r->self->dispatchers, 4);
    sl_assert_u64(r->self->source_readers, 1);
    sl_assert_u64(r->self->unflushed_rows, 9);
    sl_assert_u64(heartbeat(&f)->capabilities, TEST_CAPABILITIES);
    sl_assert_u64(heartbeat(&f)->self->report_seq, r->self->report_seq + 1);
    mf_teardown(&f);
}

static void a_lower_version_is_refused_whoever_sends_it(void **state)
{
    (void)state;
    struct manager_fixture f;
    mf_setup(&f);
    sl_assert_i64(mf_bootstrap(&f, "c1", 7), SL_REFUSE_NONE);
    sl_assert_i64(mf_bootstrap(&f, "c1", 6), SL_REFUSE_STALE_VERSION);
    sl_assert_u64(f.out.count, 0);
    sl_assert_i64(mf_bootstrap(&f, "c2", 6), SL_REFUSE_STALE_VERSION);
    sl_assert_i64(mf_bootstrap(&f, "c2", 0), SL_REFUSE_STALE_VERSION);
    sl_assert_i64(mf_bootstrap(&f, "c2", INT64_MIN), SL_REFUSE_STALE_VERSION);
    sl_assert_u64(f.out.count, 0);
    sl_assert_i64(mf_target(&f, "c1", "n2", 1), SL_REFUSE_NONE);
    mf_teardown(&f);
}

static void an_equal_version_is_accepted_only_from_its_holder(void **state)
{
    (void)state;
    struct manager_fixture f;
    mf_setup(&f);
    sl_assert_i64(mf_bootstrap(&f, "c2", 1), SL_REFUSE_WRONG_SENDER);
    sl_assert_u64(f.out.count, 0);
    sl_assert_i64(mf_target(&f, "c2", "n2", 1), SL_REFUSE_WRONG_SENDER);
    sl_assert_i64(mf_bootstrap(&f, "c1", 1), SL_REFUSE_NONE);
    sl_assert_u64(mf_sent_count(&f, SL_MSG_COORDINATOR_BOOTSTRAP_RESPONSE), 1);
    sl_assert_u64(mf_event_count(&f, SL_EV_COORDINATOR_ACCEPTED), 0);
    mf_teardown(&f);
}

static void version_zero_is_nobody(void **state)
{
    (void)state;
    struct manager_fixture f;
    mf_init(&f);
    mf_start(&f);
    sl_assert_i64(mf_bootstrap(&f, "c1", 0), SL_REFUSE_STALE_VERSION);
    sl_assert_i64(mf_target(&f, "c1", "n2", 1), SL_REFUSE_NOT_BOOTSTRAPPED);
    mf_teardown(&f);
}

static void requests_from_any_other_sender_change_and_answer_nothing(void **state)
{
    (void)state;
    struct manager_fixture f;
    mf_setup(&f);
    sl_assert_i64(mf_target(&f, "c2", "n2", 9), SL_REFUSE_WRONG_SENDER);
    sl_assert_u64(f.out.count, 0);
    sl_assert_i64(mf_liveness(&f, "c2", DRAINING, MF_NODE_EPOCH), SL_REFUSE_WRONG_SENDER);
    sl_assert_u64(f.out.count, 0);
    sl_assert_i64(mf_add(&f, "c2", 1, 1, 100), SL_REFUSE_WRONG_SENDER);
    sl_assert_i64(mf_remove(&f, "c2", 1, 1, true, true), SL_REFUSE_WRONG_SENDER);
    sl_assert_u64(f.out.count, 0);
    sl_assert_i64(sl_manager_liveness(f.manager), SL_LIVENESS_ALIVE);
    sl_assert_u64(sl_manager_target(f.manager)->epoch, 0);
    sl_assert_u64(sl_manager_maintainer_count(f.manager), 0);
    mf_teardown(&f);
}

static void a_newer_coordinator_takes_over_and_the_old_one_is_not_heard(void **state)
{
    (void)state;
    struct manager_fixture f;
    mf_setup(&f);
    sl_assert_i64(mf_bootstrap(&f, "c2", 2), SL_REFUSE_NONE);
    sl_assert_u64(mf_event_count(&f, SL_EV_COORDINATOR_ACCEPTED), 1);
    sl_assert_i64(mf_target(&f, "c1", "n2", 1), SL_REFUSE_WRONG_SENDER);
    sl_assert_i64(mf_target(&f, "c2", "n2", 1), SL_REFUSE_NONE);
    sl_assert_u64(mf_output(&f, SL_MSG_NODE_HEARTBEAT_REQUEST, 0)->u.send.to, mf_ref(&f, "c2"));
    mf_teardown(&f);
}

static void a_coordinator_that_left_is_sent_nothing_until_it_is_back(void **state)
{
    (void)state;
    struct manager_fixture f;
    mf_setup(&f);
    mf_members(&f, (const char *const[]){ "n1", "n2" }, 2);
    mf_tick(&f, SL_MANAGER_HEARTBEAT_NS);
    sl_assert_u64(f.out.count, 0);
    mf_members(&f, (const char *const[]){ "n1", "n2", "n9", "c1" }, 4);
    mf_tick(&f, SL_MANAGER_HEARTBEAT_NS);
    (void)heartbeat(&f);
    sl_assert_u64(mf_output(&f, SL_MSG_NODE_HEARTBEAT_REQUEST, 0)->u.send.to, mf_ref(&f, "c1"));
    mf_teardown(&f);
}

/* ---- heartbeat ---- */

static void a_heartbeat_leaves_every_period_and_a_forced_one_restarts_it(void **state)
{
    (void)state;
    struct manager_fixture f;
    mf_setup(&f);
    sl_assert_i64(sl_manager_deadline(f.manager), f.now + SL_MANAGER_HEARTBEAT_NS);
    mf_tick(&f, SL_MANAGER_HEARTBEAT_NS - 1);
    sl_assert_u64(f.out.count, 0);
    mf_tick(&f, 1);
    (void)heartbeat(&f);
    f.now += 3 * SL_S;
    mf_target(&f, "c1", "n2", 1);
    mf_tick(&f, SL_MANAGER_HEARTBEAT_NS - 1);
    sl_assert_u64(f.out.count, 0);
    mf_tick(&f, 1);
    sl_assert_str(heartbeat(&f)->drain_target_node_id, "n2");
    mf_teardown(&f);
}

static void a_heartbeat_that_found_no_room_counts_as_sent(void **state)
{
    (void)state;
    struct manager_fixture f;
    mf_setup(&f);
    f.now += SL_MANAGER_HEARTBEAT_NS;
    sl_outbox_reset(&f.out);
    while (sl_outbox_room(&f.out) > 0) {
        Pb__NodeHeartbeat filler = PB__NODE_HEARTBEAT__INIT;
        (void)sl_out_send(&f.out, 1, SL_MSG_NODE_HEARTBEAT_REQUEST, &filler.base);
    }
    sl_manager_on_tick(f.manager, f.now, &f.hosted, &f.out);
    sl_assert_u64(f.out.dropped_count, 1);
    sl_assert_i64(sl_manager_deadline(f.manager), f.now + SL_MANAGER_HEARTBEAT_NS);
    mf_teardown(&f);
}

static void the_self_report_counts_what_is_hosted_and_its_number_grows(void **state)
{
    (void)state;
    struct manager_fixture f;
    mf_setup(&f);
    uint64_t seq = 0;
    sl_assert_i64(mf_add(&f, "c1", 1, 1, 100), SL_REFUSE_NONE);
    f.hosted = (struct sl_hosted){ .dispatchers = 3, .readers = 2, .unflushed_rows = 1 };
    for (int i = 0; i < 3; i++) {
        mf_target(&f, "c1", "n2", 1);
        const Pb__SelfReport *self = heartbeat(&f)->self;
        sl_assert_u64(self->maintainers, 1);
        sl_assert_u64(self->dispatchers, 3);
        sl_assert_u64(self->source_readers, 2);
        sl_assert_u64(self->unflushed_rows, 1);
        assert_true(seq == 0 || self->report_seq == seq + 1);
        seq = self->report_seq;
    }
    mf_teardown(&f);
}

/* ---- drain target ---- */

static void a_target_is_applied_and_cleared_by_its_epoch(void **state)
{
    (void)state;
    struct manager_fixture f;
    mf_setup(&f);
    sl_assert_i64(mf_target(&f, "c1", "n2", 1), SL_REFUSE_NONE);
    sl_assert_u64(mf_event_count(&f, SL_EV_TARGET_APPLIED), 1);
    expect_acknowledged(&f, "n2", 1);
    sl_assert_i64(mf_target(&f, "c1", "", 1), SL_REFUSE_NONE);
    sl_assert_u64(mf_event_count(&f, SL_EV_TARGET_CLEARED), 1);
    expect_acknowledged(&f, "", 1);
    mf_teardown(&f);
}

static void after_a_clear_only_a_higher_epoch_sets_a_target(void **state)
{
    (void)state;
    struct manager_fixture f;
    mf_setup(&f);
    mf_target(&f, "c1", "n2", 1);
    mf_target(&f, "c1", "", 1);
    mf_target(&f, "c1", "n2", 1);
    expect_acknowledged(&f, "", 1);
    mf_target(&f, "c1", "n3", 0);
    expect_acknowledged(&f, "", 1);
    mf_target(&f, "c1", "n4", 2);
    expect_acknowledged(&f, "n4", 2);
    mf_teardown(&f);
}

static void duplicate_or_stale_target_is_still_acknowledged(void **state)
{
    (void)state;
    struct manager_fixture f;
    mf_setup(&f);
    sl_assert_u64(sl_manager_maintainer_count(f.manager), 0);
    mf_target(&f, "c1", "n2", 5);
    sl_assert_i64(mf_target(&f, "c1", "n2", 5), SL_REFUSE_NONE);
    expect_acknowledged(&f, "n2", 5);
    sl_assert_u64(mf_event_count(&f, SL_EV_TARGET_REFUSED), 0);
    sl_assert_i64(mf_target(&f, "c1", "n2", 4), SL_REFUSE_NONE);
    expect_acknowledged(&f, "n2", 5);
    sl_assert_u64(mf_event_count(&f, SL_EV_TARGET_REFUSED), 1);
    sl_assert_i64(mf_target(&f, "c1", "n3", 5), SL_REFUSE_NONE);
    expect_acknowledged(&f, "n2", 5);
    mf_target(&f, "c1", "", 5);
    sl_assert_i64(mf_target(&f, "c1", "n2", 5), SL_REFUSE_NONE);
    expect_acknowledged(&f, "", 5);
    mf_teardown(&f);
}

static void a_target_that_is_no_node_id_is_refused_and_answered(void **state)
{
    (void)state;
    struct manager_fixture f;
    mf_setup(&f);
    mf_target(&f, "c1", "n2", 5);
    char text[SL_NODE_ID_MAX + 2];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    Pb__SetDispatcherDrainTargetRequest req = PB__SET_DISPATCHER_DRAIN_TARGET_REQUEST__INIT;
    req.target_node_id = text;
    req.target_epoch = 9;
    sl_assert_i64(mf_message(&f, "c1", SL_MSG_SET_DISPATCHER_DRAIN_TARGET_REQUEST, &req.base), SL_REFUSE_BAD_ID);
    expect_acknowledged(&f, "n2", 5);
    mf_teardown(&f);
}

static void bootstrap_response_carries_the_target_of_an_earlier_coordinator(void **state)
{
    (void)state;
    struct manager_fixture f;
    mf_setup(&f);
    mf_target(&f, "c1", "n2", 7);
    sl_assert_i64(mf_bootstrap(&f, "c2", 2), SL_REFUSE_NONE);
    const Pb__CoordinatorBootstrapResponse *r = mf_sent(&f, SL_MSG_COORDINATOR_BOOTSTRAP_RESPONSE, 0);
    sl_assert_str(r->drain_target_node_id, "n2");
    sl_assert_u64(r->drain_target_epoch, 7);
    sl_assert_u64(r->n_targets, 1);
    sl_assert_str(r->targets[0]->node_id, "n2");
    sl_assert_str(heartbeat(&f)->drain_target_node_id, "n2");
    mf_teardown(&f);
}

/* ---- liveness ---- */

static void liveness_request_for_another_node_epoch_is_answered_unchanged(void **state)
{
    (void)state;
    struct manager_fixture f;
    mf_setup(&f);
    const uint64_t others[] = { 0, MF_NODE_EPOCH - 1, MF_NODE_EPOCH + 1 };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        sl_assert_i64(mf_liveness(&f, "c1", DRAINING, others[i]), SL_REFUSE_NONE);
        sl_assert_i64(response(&f)->applied, ALIVE);
        sl_assert_u64(response(&f)->node_epoch, MF_NODE_EPOCH);
        sl_assert_u64(mf_sent_count(&f, SL_MSG_NODE_HEARTBEAT_REQUEST), 0);
        sl_assert_u64(mf_event_count(&f, SL_EV_LIVENESS_REFUSED), 1);
        sl_assert_i64(sl_manager_liveness(f.manager), SL_LIVENESS_ALIVE);
    }
    mf_teardown(&f);
}

static void liveness_change_sends_a_heartbeat_and_then_the_response(void **state)
{
    (void)state;
    struct manager_fixture f;
    mf_setup(&f);
    sl_assert_i64(mf_liveness(&f, "c1", DRAINING, MF_NODE_EPOCH), SL_REFUSE_NONE);
    sl_assert_i64(sl_manager_liveness(f.manager), SL_LIVENESS_DRAINING);
    sl_assert_u64(f.out.count, 3);
    sl_assert_i64(f.out.items[0].u.event.id, SL_EV_LIVENESS_CHANGED);
    sl_assert_i64(f.out.items[1].u.send.type, SL_MSG_NODE_HEARTBEAT_REQUEST);
    sl_assert_i64(f.out.items[2].u.send.type, SL_MSG_SET_NODE_LIVENESS_RESPONSE);
    sl_assert_i64(heartbeat(&f)->liveness, DRAINING);
    sl_assert_i64(response(&f)->applied, DRAINING);
    assert_null(response(&f)->blocked_by);
    mf_teardown(&f);
}

static void a_step_that_is_not_the_next_one_is_answered_without_a_heartbeat(void **state)
{
    (void)state;
    struct manager_fixture f;
    mf_setup(&f);
    mf_liveness(&f, "c1", STOPPING, MF_NODE_EPOCH);
    sl_assert_i64(response(&f)->applied, ALIVE);
    sl_assert_u64(mf_sent_count(&f, SL_MSG_NODE_HEARTBEAT_REQUEST), 0);
    mf_liveness(&f, "c1", DRAINING, MF_NODE_EPOCH);
    mf_liveness(&f, "c1", DRAINING, MF_NODE_EPOCH);
    sl_assert_i64(response(&f)->applied, DRAINING);
    sl_assert_u64(f.out.count, 1);
    mf_liveness(&f, "c1", STOPPING, MF_NODE_EPOCH);
    sl_assert_i64(response(&f)->applied, STOPPING);
    mf_liveness(&f, "c1", ALIVE, MF_NODE_EPOCH);
    sl_assert_i64(response(&f)->applied, STOPPING);
    sl_assert_i64(sl_manager_liveness(f.manager), SL_LIVENESS_STOPPING);
    mf_teardown(&f);
}

static void stopping_is_refused_while_anything_is_hosted(void **state)
{
    (void)state;
    const struct sl_hosted works[] = { { .dispatchers = 1 }, { .readers = 1 }, { .unflushed_rows = 1 } };
    struct manager_fixture f;
    mf_setup(&f);
    mf_liveness(&f, "c1", DRAINING, MF_NODE_EPOCH);
    for (size_t i = 0; i < sizeof works / sizeof works[0]; i++) {
        f.hosted = works[i];
        sl_assert_i64(mf_liveness(&f, "c1", STOPPING, MF_NODE_EPOCH), SL_REFUSE_NONE);
        sl_assert_i64(response(&f)->applied, DRAINING);
        sl_assert_u64(response(&f)->blocked_by->dispatchers, works[i].dispatchers);
        sl_assert_u64(response(&f)->blocked_by->source_readers, works[i].readers);
        sl_assert_u64(response(&f)->blocked_by->unflushed_rows, works[i].unflushed_rows);
        sl_assert_u64(mf_event_count(&f, SL_EV_STOPPING_REFUSED), 1);
        sl_assert_u64(mf_sent_count(&f, SL_MSG_NODE_HEARTBEAT_REQUEST), 0);
    }
    f.hosted = (struct sl_hosted){ 0 };
    mf_liveness(&f, "c1", STOPPING, MF_NODE_EPOCH);
    sl_assert_i64(response(&f)->applied, STOPPING);
    sl_assert_i64(heartbeat(&f)->liveness, STOPPING);
    mf_teardown(&f);
}

static void stopping_is_refused_while_a_maintainer_lives_here(void **state)
{
    (void)state;
    struct manager_fixture f;
    mf_setup(&f);
    mf_add(&f, "c1", 1, 1, 100);
    mf_liveness(&f, "c1", DRAINING, MF_NODE_EPOCH);
    mf_liveness(&f, "c1", STOPPING, MF_NODE_EPOCH);
    sl_assert_i64(response(&f)->applied, DRAINING);
    sl_assert_u64(response(&f)->blocked_by->maintainers, 1);
    mf_close(&f, 1, 1);
    mf_liveness(&f, "c1", STOPPING, MF_NODE_EPOCH);
    sl_assert_i64(response(&f)->applied, STOPPING);
    mf_teardown(&f);
}

static uint32_t heartbeats_when_hosted(struct manager_fixture *f, struct sl_hosted hosted)
{
    f->hosted = hosted;
    sl_outbox_reset(&f->out);
    sl_manager_on_hosted(f->manager, f->now, &f->hosted, &f->out);
    return mf_sent_count(f, SL_MSG_NODE_HEARTBEAT_REQUEST);
}

static void a_draining_node_that_becomes_empty_says_so_at_once_and_once(void **state)
{
    (void)state;
    const struct sl_hosted none = { 0 }, some = { .dispatchers = 2 }, rows = { .unflushed_rows = 1 };
    struct manager_fixture f;
    mf_setup(&f);
    f.hosted = some;
    mf_target(&f, "c1", "n1", 5);
    sl_assert_u64(heartbeats_when_hosted(&f, none), 0); /* ALIVE: nobody waits for it */
    f.hosted = some;
    mf_liveness(&f, "c1", DRAINING, MF_NODE_EPOCH);
    sl_assert_u64(heartbeat(&f)->self->dispatchers, 2);
    sl_assert_u64(heartbeats_when_hosted(&f, rows), 0);
    sl_assert_u64(heartbeats_when_hosted(&f, none), 1);
    sl_assert_u64(heartbeat(&f)->self->dispatchers, 0);
    sl_assert_u64(heartbeats_when_hosted(&f, none), 0);
    /* A STOPPING that was refused told of work too. */
    f.hosted = some;
    mf_liveness(&f, "c1", STOPPING, MF_NODE_EPOCH);
    sl_assert_u64(heartbeats_when_hosted(&f, none), 1);
    mf_teardown(&f);
}

static void without_the_self_guard_the_rule_is_the_references(void **state)
{
    (void)state;
    struct manager_fixture f;
    mf_init(&f);
    f.opts.enforce_self_guard = false;
    mf_start(&f);
    mf_bootstrap(&f, "c1", 1);
    f.hosted.dispatchers = 5;
    mf_liveness(&f, "c1", DRAINING, MF_NODE_EPOCH);
    mf_liveness(&f, "c1", STOPPING, MF_NODE_EPOCH);
    sl_assert_i64(response(&f)->applied, STOPPING);
    mf_teardown(&f);
}

static void a_fenced_node_is_stopping_at_once(void **state)
{
    (void)state;
    struct manager_fixture f;
    mf_setup(&f);
    f.hosted.dispatchers = 5;
    sl_manager_fence(f.manager);
    sl_assert_i64(sl_manager_liveness(f.manager), SL_LIVENESS_STOPPING);
    sl_manager_fence(f.manager);
    sl_assert_i64(mf_add(&f, "c1", 1, 1, 100), SL_REFUSE_STOPPING);
    mf_teardown(&f);
}

/* ---- several targets ---- */

/* The last request was answered by one heartbeat that lists these targets, and shows node and version as the one. */
static void expect_set(struct manager_fixture *f, uint64_t version, const char *node,
                       const struct sl_drain_target *targets, uint32_t count)
{
    const Pb__NodeHeartbeat *h = heartbeat(f);
    sl_assert_str(h->drain_target_node_id, node);
    sl_assert_u64(h->drain_target_epoch, version);
    sl_assert_u64(h->n_targets, count);
    for (uint32_t i = 0; i < count; i++) {
        sl_assert_str(h->targets[i]->node_id, targets[i].node.text);
        sl_assert_u64(h->targets[i]->epoch, targets[i].epoch);
    }
    sl_assert_u64(sl_manager_targets(f->manager)->version, version);
    sl_assert_u64(sl_manager_targets(f->manager)->count, count);
}

static void a_set_is_applied_whole_and_acknowledged_by_all_its_targets(void **state)
{
    (void)state;
    const struct sl_drain_target set[] = { mf_target_of("n9", 7), mf_target_of("n2", 5) };
    struct manager_fixture f;
    mf_setup(&f);
    sl_assert_i64(mf_targets(&f, "c1", 7, set, 2), SL_REFUSE_NONE);
    sl_assert_u64(mf_event_count(&f, SL_EV_TARGET_APPLIED), 2);
    expect_set(&f, 7, "n2", set, 2); /* the oldest; the version, so that it is seen what was cleared */
    sl_assert_i64(mf_targets(&f, "c1", 7, set, 2), SL_REFUSE_NONE);
    sl_assert_u64(mf_event_count(&f, SL_EV_TARGET_APPLIED) + mf_event_count(&f, SL_EV_TARGET_REFUSED), 0);
    expect_set(&f, 7, "n2", set, 2);
    sl_assert_i64(mf_targets(&f, "c1", 7, &set[1], 1), SL_REFUSE_NONE);
    sl_assert_u64(mf_event_count(&f, SL_EV_TARGET_CLEARED), 1);
    expect_set(&f, 7, "n2", &set[1], 1);
    sl_assert_i64(mf_targets(&f, "c1", 7, set, 2), SL_REFUSE_NONE);
    sl_assert_u64(mf_event_count(&f, SL_EV_TARGET_REFUSED), 1);
    expect_set(&f, 7, "n2", &set[1], 1);
    sl_assert_i64(mf_targets(&f, "c1", 8, NULL, 0), SL_REFUSE_NONE);
    expect_set(&f, 8, "", NULL, 0);
    mf_teardown(&f);
}

static void only_the_target_that_is_new_is_told_as_applied(void **state)
{
    (void)state;
    const struct sl_drain_target set[] = { mf_target_of("n2", 5), mf_target_of("n9", 7) };
    struct manager_fixture f;
    mf_setup(&f);
    mf_targets(&f, "c1", 5, set, 1);
    sl_assert_u64(mf_event_count(&f, SL_EV_TARGET_APPLIED), 1);
    mf_targets(&f, "c1", 7, set, 2);
    sl_assert_u64(mf_event_count(&f, SL_EV_TARGET_APPLIED), 1);
    expect_set(&f, 7, "n2", set, 2);
    mf_teardown(&f);
}

static void a_single_target_after_a_set_follows_the_rule_for_one(void **state)
{
    (void)state;
    const struct sl_drain_target set[] = { mf_target_of("n2", 5), mf_target_of("n9", 7) };
    struct manager_fixture f;
    mf_setup(&f);
    mf_targets(&f, "c1", 7, set, 2);
    sl_assert_i64(mf_target(&f, "c1", "n2", 5), SL_REFUSE_NONE);
    expect_set(&f, 7, "n2", set, 2);
    mf_target(&f, "c1", "", 7);
    expect_set(&f, 7, "", NULL, 0);
    mf_target(&f, "c1", "n9", 7);
    expect_set(&f, 7, "", NULL, 0);
    mf_target(&f, "c1", "n9", 8);
    expect_acknowledged(&f, "n9", 8);
    mf_teardown(&f);
}

static void a_set_that_is_not_valid_is_refused_changes_nothing_and_is_answered(void **state)
{
    (void)state;
    const struct sl_drain_target held = mf_target_of("n2", 5);
    const struct sl_drain_target twice[] = { mf_target_of("n9", 8), mf_target_of("n9", 9) };
    const struct sl_drain_target beyond = mf_target_of("n9", 10), zero = mf_target_of("n9", 0);
    const struct sl_drain_target none = mf_target_of("", 9);
    struct sl_drain_target many[SL_TARGETS_MAX + 1];
    for (uint32_t i = 0; i <= SL_TARGETS_MAX; i++)
        many[i] = mf_target_of((char[]){ 'm', (char)('a' + i), '\0' }, 9);
    const struct {
        const struct sl_drain_target *targets;
        uint32_t count;
    } bad[] = { { twice, 2 }, { &beyond, 1 }, { &zero, 1 }, { &none, 1 }, { many, SL_TARGETS_MAX + 1 } };
    struct manager_fixture f;
    mf_setup(&f);
    mf_target(&f, "c1", "n2", 5);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        sl_assert_i64(mf_targets(&f, "c1", 9, bad[i].targets, bad[i].count), SL_REFUSE_BAD_TARGETS);
        expect_set(&f, 5, "n2", &held, 1);
    }
    sl_assert_i64(mf_targets(&f, "c1", 9, many, SL_TARGETS_MAX), SL_REFUSE_NONE);
    expect_set(&f, 9, "ma", many, SL_TARGETS_MAX);
    mf_teardown(&f);
}

static void bootstrap_response_lists_every_target(void **state)
{
    (void)state;
    const struct sl_drain_target set[] = { mf_target_of("n2", 5), mf_target_of("n9", 7) };
    struct manager_fixture f;
    mf_setup(&f);
    mf_targets(&f, "c1", 8, set, 2);
    sl_assert_i64(mf_bootstrap(&f, "c2", 2), SL_REFUSE_NONE);
    const Pb__CoordinatorBootstrapResponse *r = mf_sent(&f, SL_MSG_COORDINATOR_BOOTSTRAP_RESPONSE, 0);
    sl_assert_str(r->drain_target_node_id, "n2");
    sl_assert_u64(r->drain_target_epoch, 8);
    sl_assert_u64(r->n_targets, 2);
    sl_assert_str(r->targets[1]->node_id, "n9");
    sl_assert_u64(r->targets[1]->epoch, 7);
    mf_teardown(&f);
}

/* ---- undrain ---- */

/* Undrains in the node epoch before, which is answered in this one. */
static void expect_undrained(struct manager_fixture *f, uint64_t node_epoch)
{
    sl_assert_i64(mf_undrain(f, "c1", ALIVE, node_epoch - 1), SL_REFUSE_NONE);
    sl_assert_u64(f->out.count, 4);
    sl_assert_i64(f->out.items[0].u.event.id, SL_EV_NODE_UNDRAINED);
    sl_assert_i64(f->out.items[1].u.send.type, SL_MSG_NODE_HEARTBEAT_REQUEST);
    sl_assert_i64(f->out.items[2].u.send.type, SL_MSG_SET_NODE_LIVENESS_RESPONSE);
    sl_assert_i64(f->out.items[3].u.send.type, SL_MSG_COORDINATOR_BOOTSTRAP_RESPONSE);
    const Pb__CoordinatorBootstrapResponse *r = mf_sent(f, SL_MSG_COORDINATOR_BOOTSTRAP_RESPONSE, 0);
    sl_assert_u64(heartbeat(f)->node_epoch, node_epoch);
    sl_assert_i64(heartbeat(f)->liveness, ALIVE);
    sl_assert_u64(response(f)->node_epoch, node_epoch);
    sl_assert_i64(response(f)->applied, ALIVE);
    sl_assert_u64(r->node_epoch, node_epoch);
    sl_assert_i64(r->liveness, ALIVE);
    sl_assert_u64(sl_manager_node_epoch(f->manager), node_epoch);
    sl_assert_i64(sl_manager_liveness(f->manager), SL_LIVENESS_ALIVE);
}

static void undrain_begins_a_new_node_epoch_alive_and_reports_all_unasked(void **state)
{
    (void)state;
    struct manager_fixture f;
    mf_setup(&f);
    mf_add(&f, "c1", 1, 1, 100);
    mf_target(&f, "c1", "n1", 5);
    mf_liveness(&f, "c1", DRAINING, MF_NODE_EPOCH);
    expect_undrained(&f, MF_NODE_EPOCH + 1);
    const Pb__CoordinatorBootstrapResponse *r = mf_sent(&f, SL_MSG_COORDINATOR_BOOTSTRAP_RESPONSE, 0);
    sl_assert_u64(r->n_statuses, 1);
    sl_assert_str(r->drain_target_node_id, "n1"); /* targets have a life of their own */
    sl_assert_u64(r->drain_target_epoch, 5);
    mf_teardown(&f);
}

static void undrain_of_an_alive_node_makes_what_was_asked_before_come_too_late(void **state)
{
    (void)state;
    struct manager_fixture f;
    mf_setup(&f);
    expect_undrained(&f, MF_NODE_EPOCH + 1);
    mf_liveness(&f, "c1", DRAINING, MF_NODE_EPOCH);
    sl_assert_i64(response(&f)->applied, ALIVE);
    sl_assert_u64(response(&f)->node_epoch, MF_NODE_EPOCH + 1);
    mf_liveness(&f, "c1", DRAINING, MF_NODE_EPOCH + 1);
    sl_assert_i64(response(&f)->applied, DRAINING);
    mf_teardown(&f);
}

static void undrain_of_another_epoch_or_state_or_while_stopping_is_answered_unchanged(void **state)
{
    (void)state;
    struct manager_fixture f;
    mf_setup(&f);
    mf_liveness(&f, "c1", DRAINING, MF_NODE_EPOCH);
    const struct {
        Pb__NodeLiveness target;
        uint64_t node_epoch;
    } wrong[] = {
        { ALIVE, MF_NODE_EPOCH - 1 }, { ALIVE, MF_NODE_EPOCH + 1 }, { ALIVE, 0 }, { STOPPING, MF_NODE_EPOCH }
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        sl_assert_i64(mf_undrain(&f, "c1", wrong[i].target, wrong[i].node_epoch), SL_REFUSE_NONE);
        sl_assert_i64(response(&f)->applied, DRAINING);
        sl_assert_u64(response(&f)->node_epoch, MF_NODE_EPOCH);
        sl_assert_u64(mf_event_count(&f, SL_EV_LIVENESS_REFUSED), 1);
        sl_assert_u64(f.out.count, 2);
    }
    mf_liveness(&f, "c1", STOPPING, MF_NODE_EPOCH);
    mf_undrain(&f, "c1", ALIVE, MF_NODE_EPOCH);
    sl_assert_i64(response(&f)->applied, STOPPING);
    sl_assert_u64(sl_manager_node_epoch(f.manager), MF_NODE_EPOCH);
    mf_teardown(&f);
}

static void a_repeated_undrain_begins_one_life_only(void **state)
{
    (void)state;
    struct manager_fixture f;
    mf_setup(&f);
    mf_liveness(&f, "c1", DRAINING, MF_NODE_EPOCH);
    expect_undrained(&f, MF_NODE_EPOCH + 1);
    mf_undrain(&f, "c1", ALIVE, MF_NODE_EPOCH);
    sl_assert_u64(response(&f)->node_epoch, MF_NODE_EPOCH + 1);
    sl_assert_u64(mf_sent_count(&f, SL_MSG_COORDINATOR_BOOTSTRAP_RESPONSE), 0);
    mf_liveness(&f, "c1", DRAINING, MF_NODE_EPOCH + 1);
    expect_undrained(&f, MF_NODE_EPOCH + 2);
    mf_teardown(&f);
}

/* ---- order ---- */

static void types_that_are_not_for_a_manager_are_not_handled(void **state)
{
    (void)state;
    struct manager_fixture f;
    mf_setup(&f);
    Pb__NodeHeartbeat h = PB__NODE_HEARTBEAT__INIT;
    sl_assert_i64(mf_message(&f, "c1", SL_MSG_NODE_HEARTBEAT_REQUEST, &h.base), SL_REFUSE_NOT_HANDLED);
    sl_assert_u64(f.out.count, 0);
    mf_teardown(&f);
}

/* ---- the order to end ---- */

static void only_a_stopping_node_takes_the_order_to_end(void **state)
{
    (void)state;
    struct manager_fixture f;
    mf_setup(&f);
    mf_liveness(&f, "c1", DRAINING, MF_NODE_EPOCH);
    sl_assert_i64(mf_stop(&f, "c1", STOPPING, MF_NODE_EPOCH), SL_REFUSE_NONE);
    sl_assert_i64(response(&f)->applied, DRAINING);
    assert_false(sl_manager_wants_stop(f.manager));
    mf_liveness(&f, "c1", STOPPING, MF_NODE_EPOCH);
    sl_assert_i64(mf_stop(&f, "c2", STOPPING, MF_NODE_EPOCH), SL_REFUSE_WRONG_SENDER);
    mf_stop(&f, "c1", STOPPING, MF_NODE_EPOCH - 1);
    mf_stop(&f, "c1", STOPPING, MF_NODE_EPOCH + 1);
    mf_stop(&f, "c1", STOPPING, 0);
    mf_stop(&f, "c1", DRAINING, MF_NODE_EPOCH);
    assert_false(sl_manager_wants_stop(f.manager));
    mf_stop(&f, "c1", STOPPING, MF_NODE_EPOCH);
    assert_true(sl_manager_wants_stop(f.manager));
    sl_assert_i64(f.out.items[0].u.event.id, SL_EV_STOP_ORDERED);
    mf_stop(&f, "c1", STOPPING, MF_NODE_EPOCH); /* again: no news, but answered */
    sl_assert_u64(f.out.count, 1);
    sl_assert_i64(response(&f)->applied, STOPPING);
    mf_teardown(&f);
}

/* ---- counts ---- */

static void other_counts_are_told_soon_and_not_too_often(void **state)
{
    (void)state;
    struct manager_fixture f;
    mf_setup(&f);
    mf_tick(&f, SL_MANAGER_HEARTBEAT_NS); /* a round of its own */
    mf_tick(&f, 100 * SL_MS);
    f.hosted.dispatchers = 7;
    sl_outbox_reset(&f.out);
    sl_manager_on_hosted(f.manager, f.now, &f.hosted, &f.out);
    sl_assert_u64(f.out.count, 0);
    sl_assert_i64(sl_manager_deadline(f.manager), f.now + SL_MANAGER_HEARTBEAT_MIN_NS - 100 * SL_MS);
    mf_tick(&f, SL_MANAGER_HEARTBEAT_MIN_NS - 100 * SL_MS);
    sl_assert_u64(heartbeat(&f)->self->dispatchers, 7);
    sl_assert_i64(sl_manager_deadline(f.manager), f.now + SL_MANAGER_HEARTBEAT_NS);
    f.hosted.unflushed_rows = 3; /* comes and goes with every write */
    sl_outbox_reset(&f.out);
    sl_manager_on_hosted(f.manager, f.now, &f.hosted, &f.out);
    sl_assert_i64(sl_manager_deadline(f.manager), f.now + SL_MANAGER_HEARTBEAT_NS);
    mf_teardown(&f);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_sent_before_a_coordinator_bootstraps),
        cmocka_unit_test(only_a_stopping_node_takes_the_order_to_end),
        cmocka_unit_test(other_counts_are_told_soon_and_not_too_often),
        cmocka_unit_test(bootstrap_is_answered_by_a_response_and_then_a_heartbeat),
        cmocka_unit_test(a_lower_version_is_refused_whoever_sends_it),
        cmocka_unit_test(an_equal_version_is_accepted_only_from_its_holder),
        cmocka_unit_test(version_zero_is_nobody),
        cmocka_unit_test(requests_from_any_other_sender_change_and_answer_nothing),
        cmocka_unit_test(a_newer_coordinator_takes_over_and_the_old_one_is_not_heard),
        cmocka_unit_test(a_coordinator_that_left_is_sent_nothing_until_it_is_back),
        cmocka_unit_test(a_heartbeat_leaves_every_period_and_a_forced_one_restarts_it),
        cmocka_unit_test(a_heartbeat_that_found_no_room_counts_as_sent),
        cmocka_unit_test(the_self_report_counts_what_is_hosted_and_its_number_grows),
        cmocka_unit_test(a_target_is_applied_and_cleared_by_its_epoch),
        cmocka_unit_test(after_a_clear_only_a_higher_epoch_sets_a_target),
        cmocka_unit_test(duplicate_or_stale_target_is_still_acknowledged),
        cmocka_unit_test(a_target_that_is_no_node_id_is_refused_and_answered),
        cmocka_unit_test(bootstrap_response_carries_the_target_of_an_earlier_coordinator),
        cmocka_unit_test(liveness_request_for_another_node_epoch_is_answered_unchanged),
        cmocka_unit_test(liveness_change_sends_a_heartbeat_and_then_the_response),
        cmocka_unit_test(a_step_that_is_not_the_next_one_is_answered_without_a_heartbeat),
        cmocka_unit_test(stopping_is_refused_while_anything_is_hosted),
        cmocka_unit_test(a_draining_node_that_becomes_empty_says_so_at_once_and_once),
        cmocka_unit_test(stopping_is_refused_while_a_maintainer_lives_here),
        cmocka_unit_test(without_the_self_guard_the_rule_is_the_references),
        cmocka_unit_test(a_fenced_node_is_stopping_at_once),
        cmocka_unit_test(types_that_are_not_for_a_manager_are_not_handled),
        cmocka_unit_test(a_set_is_applied_whole_and_acknowledged_by_all_its_targets),
        cmocka_unit_test(only_the_target_that_is_new_is_told_as_applied),
        cmocka_unit_test(a_single_target_after_a_set_follows_the_rule_for_one),
        cmocka_unit_test(a_set_that_is_not_valid_is_refused_changes_nothing_and_is_answered),
        cmocka_unit_test(bootstrap_response_lists_every_target),
        cmocka_unit_test(undrain_begins_a_new_node_epoch_alive_and_reports_all_unasked),
        cmocka_unit_test(undrain_of_an_alive_node_makes_what_was_asked_before_come_too_late),
        cmocka_unit_test(undrain_of_another_epoch_or_state_or_while_stopping_is_answered_unchanged),
        cmocka_unit_test(a_repeated_undrain_begins_one_life_only),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
