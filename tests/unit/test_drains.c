/* SPDX-License-Identifier: Apache-2.0 */
#include "core/common/mem_tags.h"
#include "tests/support/coordinator_driver.h"
#include "tests/support/sl_test.h"

#include <stdio.h>
#include <string.h>

/* Intents in the store: every write can be refused, lost on its way or lost on its way back, or arrive late. */

static const enum cd_fault faults[] = { CD_FAULT_REFUSED, CD_FAULT_LOST_REQUEST, CD_FAULT_LOST_ANSWER, CD_FAULT_LATE };
enum { FAULTS_COUNT = sizeof faults / sizeof faults[0], WRITES_MAX = 7 };

/* The write number "at", from now on, meets the fault; and so do its next repetitions. */
static void fault_at(struct cd *c, uint32_t at, enum cd_fault fault, uint32_t times)
{
    for (uint32_t i = 0; i < at; i++)
        cd_fault(c, CD_FAULT_NONE);
    for (uint32_t i = 0; i < times; i++)
        cd_fault(c, fault);
}

static void run_and_deliver_late(struct cd *c, sl_ns ns)
{
    cd_run(c, ns / 2);
    cd_late(c);
    cd_run(c, ns - ns / 2);
}

static void drain_through_fault(uint32_t at, enum cd_fault fault, uint32_t times)
{
    struct cd *c = cd_setup(3, 1);
    c->evacuates = true;
    c->dispatchers[0][1] = 2;
    fault_at(c, at, fault, times);
    struct sl_request r = { .verb = SL_REQUEST_DRAIN, .node = SL_STR("n2") };
    uint64_t ticket = cd_ask(c, &r);
    run_and_deliver_late(c, 24 * SL_S);
    assert_non_null(cd_reply(c, ticket));
    sl_assert_str(sl_code_name(cd_reply(c, ticket)->code), "OK");
    sl_assert_u64(cd_drain_node(c, "n2"), 0);
    cd_leave(c, "n2");
    run_and_deliver_late(c, 10 * SL_S);
    sl_assert_str(cd_phase(c, "n2"), "done");
    sl_assert_u64(cd_drain_node(c, "n2"), 0);
    sl_assert_u64(cd_intent_count(c), 1);
    assert_true(cd_holds(c, "n1", "") && cd_holds(c, "n3", ""));
    cd_free(c);
}

static void a_drain_ends_whatever_happens_to_one_of_its_writes(void **state)
{
    (void)state;
    for (uint32_t at = 0; at < WRITES_MAX; at++) {
        for (uint32_t i = 0; i < FAULTS_COUNT; i++)
            drain_through_fault(at, faults[i], 1);
    }
}

static void a_drain_ends_whatever_happens_to_several_writes_in_a_row(void **state)
{
    (void)state;
    for (uint32_t at = 0; at < WRITES_MAX; at++) {
        for (uint32_t i = 0; i < FAULTS_COUNT; i++)
            drain_through_fault(at, faults[i], 4);
    }
}

static void undrain_through_fault(uint32_t at, enum cd_fault fault, uint32_t times)
{
    struct cd *c = cd_setup(3, 1);
    c->dispatchers[0][1] = 2;
    fault_at(c, at, fault, times);
    (void)cd_drain_node(c, "n2");
    cd_run(c, 500 * SL_MS);
    struct sl_request r = { .verb = SL_REQUEST_UNDRAIN, .node = SL_STR("n2") };
    uint64_t ticket = cd_ask(c, &r);
    run_and_deliver_late(c, 24 * SL_S);
    assert_non_null(cd_reply(c, ticket));
    sl_assert_str(sl_code_name(cd_reply(c, ticket)->code), "OK");
    sl_assert_str(cd_phase(c, "n2"), "cancelled");
    sl_assert_i64(cd_node(c, "n2")->liveness, SL_LIVENESS_ALIVE);
    sl_assert_u64(cd_intent_count(c), 1);
    assert_true(cd_holds(c, "n1", "") && cd_holds(c, "n2", "") && cd_holds(c, "n3", ""));
    cd_free(c);
}

static void an_undrain_ends_whatever_happens_to_a_write(void **state)
{
    (void)state;
    for (uint32_t at = 0; at < 5; at++) {
        for (uint32_t i = 0; i < FAULTS_COUNT; i++) {
            undrain_through_fault(at, faults[i], 1);
            undrain_through_fault(at, faults[i], 4);
        }
    }
}

/* The late write is of EVACUATING; meanwhile the operator cancels. What arrives is our own old word, not another's. */
static void a_write_that_arrives_after_the_next_decision_does_not_undo_it(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 1);
    c->dispatchers[0][1] = 2;
    fault_at(c, 1, CD_FAULT_LATE, 3);
    (void)cd_drain_node(c, "n2");
    cd_run(c, 100 * SL_MS);
    sl_assert_str(cd_phase(c, "n2"), "pending");
    struct sl_request r = { .verb = SL_REQUEST_UNDRAIN, .node = SL_STR("n2") };
    uint64_t ticket = cd_ask(c, &r);
    cd_late(c);
    cd_run(c, 10 * SL_S);
    sl_assert_str(sl_code_name(cd_reply(c, ticket)->code), "OK");
    sl_assert_str(cd_phase(c, "n2"), "cancelled");
    cd_free(c);
}

/* A refused one after 200 ms, one in doubt as soon as it was read back. */
static void a_drain_without_faults_costs_one_write_per_phase_and_no_read(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 0);
    uint32_t before = c->store_ops;
    (void)cd_drain_node(c, "n2");
    cd_run(c, 60 * SL_S);
    sl_assert_u64(cd_drain_node(c, "n2"), 0);
    sl_assert_u64(c->store_ops - before, 4); /* pending, evacuating, stopping, safe */
    cd_leave(c, "n2");
    cd_run(c, 60 * SL_S);
    sl_assert_u64(c->store_ops - before, 6); /* clearing, done */
    cd_free(c);
}

static void a_write_that_failed_is_repeated_soon(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < FAULTS_COUNT; i++) {
        struct cd *c = cd_setup(3, 1);
        cd_fault(c, faults[i]);
        (void)cd_drain_node(c, "n2");
        cd_run(c, 100 * SL_MS);
        sl_assert_str(cd_phase(c, "n2"), faults[i] == CD_FAULT_LOST_ANSWER ? "safe" : "-");
        cd_run(c, 200 * SL_MS);
        assert_true(cd_intent_count(c) == 1);
        cd_free(c);
    }
}

/* ---- somebody else's word ---- */

static void put_raw(struct cd *c, const char *id, struct sl_bytes value)
{
    struct sl_key key;
    assert_true(sl_key_drain(&key, SL_STR(CD_CLUSTER), sl_str_of(id)));
    struct sl_store_action put = { .kind = value.len > 0 ? SL_ACTION_PUT : SL_ACTION_DELETE,
                                   .key = sl_key_str(&key),
                                   .value = value };
    struct sl_store_op op = { .id = 1, .verb = SL_STORE_TXN, .then = &put, .then_count = 1 };
    struct sl_store_result result;
    sl_store_model_perform(c->store, c->now, &op, &result);
    sl_assert_i64(result.outcome, SL_STORE_OK);
}

static void put_intent(struct cd *c, const struct sl_intent *intent)
{
    struct sl_bytes value;
    sl_assert_i64(sl_intent_format(&value, intent, (struct sl_bytes){ 0 }, &c->decoded), SL_OK);
    put_raw(c, intent->id, value);
}

static struct sl_intent intent_of(const char *id, const char *node, enum sl_drain_phase phase, uint64_t created)
{
    struct sl_intent intent = { .phase = phase, .epoch = 5, .target_node_epoch = 2000, .created_wall_ms = created };
    (void)snprintf(intent.id, sizeof intent.id, "%s", id);
    assert_true(sl_node_id_set(&intent.target, sl_str_of(node)));
    if (phase > SL_DRAIN_CLEARING)
        intent.ended_from = SL_DRAIN_SAFE;
    return intent;
}

/* A deposed coordinator may have gone one step further before it noticed: its successor goes on from there. */
static void the_word_of_another_coordinator_is_taken_over(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 1);
    c->dispatchers[0][1] = 1;
    (void)cd_drain_node(c, "n2");
    cd_run(c, SL_S);
    struct sl_intent intent;
    assert_true(cd_intent(c, "n2", &intent));
    uint64_t epoch = intent.epoch;
    intent.phase = SL_DRAIN_STOPPING;
    put_intent(c, &intent);
    struct sl_request r = { .verb = SL_REQUEST_UNDRAIN, .node = SL_STR("n2") };
    uint64_t ticket = cd_ask(c, &r);
    cd_run(c, SL_S);
    sl_assert_str(sl_code_name(cd_reply(c, ticket)->code), "BUSY"); /* N6: it is too late */
    sl_assert_str(cd_phase(c, "n2"), "stopping");
    assert_true(cd_epoch(c, "n2") > epoch);
    sl_assert_str(sl_code_name(cd_undrain(c, "n2")), "REFUSED");
    c->dispatchers[0][1] = 0;
    cd_run(c, 12 * SL_S);
    sl_assert_u64(cd_drain_node(c, "n2"), 0);
    cd_free(c);
}

static void an_open_intent_that_was_deleted_by_hand_comes_back(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 1);
    c->dispatchers[0][1] = 1;
    (void)cd_drain_node(c, "n2");
    cd_run(c, SL_S);
    struct sl_intent intent;
    assert_true(cd_intent(c, "n2", &intent));
    put_raw(c, intent.id, (struct sl_bytes){ 0 });
    c->dispatchers[0][1] = 0;
    cd_run(c, 20 * SL_S);
    sl_assert_u64(cd_drain_node(c, "n2"), 0);
    sl_assert_str(cd_phase(c, "n2"), "safe");
    cd_free(c);
}

static void a_value_that_cannot_be_read_is_left_alone_and_read_again(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 1);
    c->dispatchers[0][1] = 1;
    (void)cd_drain_node(c, "n2");
    cd_run(c, SL_S);
    struct sl_intent intent;
    assert_true(cd_intent(c, "n2", &intent));
    static const uint8_t junk[] = "{]";
    put_raw(c, intent.id, (struct sl_bytes){ junk, 2 });
    c->dispatchers[0][1] = 0;
    for (int i = 0; i < 20; i++) {
        c->now += SL_S;
        c->ticked_at = c->now;
        cd_heartbeat(c, "n2");
        cd_statuses(c, "n1");
        cd_settle(c);
    }
    assert_true(c->events[SL_EV_STORE_VALUE_REFUSED] >= 2 && c->events[SL_EV_STORE_VALUE_REFUSED] <= 6);
    put_intent(c, &intent);
    cd_run(c, 20 * SL_S);
    sl_assert_u64(cd_drain_node(c, "n2"), 0);
    cd_free(c);
}

/* ---- loading ---- */

static void what_cannot_come_from_a_session_is_refused_and_stops_nobody(void **state)
{
    (void)state;
    struct cd *c = cd_new(3, 0);
    struct sl_intent bad[8];
    for (uint32_t i = 0; i < 8; i++) {
        char id[8];
        (void)snprintf(id, sizeof id, "bad%u", (unsigned)i);
        bad[i] = intent_of(id, "n2", SL_DRAIN_EVACUATING, i);
    }
    bad[0].epoch = 0;
    bad[1].cancelled = true;
    bad[2].ended_from = SL_DRAIN_STOPPING;
    bad[3].phase = SL_DRAIN_DONE;
    bad[3].ended_from = SL_DRAIN_STOPPING;
    bad[4].phase = SL_DRAIN_CANCELLED;
    bad[5].phase = SL_DRAIN_CLEARING;
    bad[5].ended_from = SL_DRAIN_DONE;
    bad[6].phase = SL_DRAIN_CLEARING;
    bad[6].ended_from = SL_DRAIN_STOPPING;
    bad[6].cancelled = true;
    bad[7].phase = SL_DRAIN_FAILED;
    bad[7].ended_from = SL_DRAIN_SAFE;
    for (uint32_t i = 0; i < 8; i++)
        put_intent(c, &bad[i]);
    static const uint8_t junk[] = "junk";
    put_raw(c, "junk", (struct sl_bytes){ junk, 4 });
    struct sl_intent other = intent_of("other", "n2", SL_DRAIN_PENDING, 9);
    struct sl_bytes value;
    sl_assert_i64(sl_intent_format(&value, &other, (struct sl_bytes){ 0 }, &c->decoded), SL_OK);
    put_raw(c, "another", value); /* under a key that is not its own */
    cd_start(c);
    cd_run(c, SL_S);
    assert_true(sl_coordinator_is_running(c->coordinator));
    sl_assert_u64(c->events[SL_EV_STORE_VALUE_REFUSED], 10);
    sl_assert_u64(cd_request(c, SL_REQUEST_DRAIN_LIST, "")->drain_count, 0);
    sl_assert_u64(cd_node(c, "n2")->draining_requests, 0);
    cd_free(c);
}

static void open_drains_are_loaded_however_long_the_history_is(void **state)
{
    (void)state;
    struct cd *c = cd_new(3, 0);
    c->opts.history_count_max = 4;
    for (uint32_t i = 0; i < 60; i++) {
        char id[8];
        (void)snprintf(id, sizeof id, "a%02u", (unsigned)i);
        struct sl_intent old = intent_of(id, "n7", SL_DRAIN_DONE, i);
        put_intent(c, &old);
    }
    struct sl_intent open = intent_of("z", "n2", SL_DRAIN_PENDING, 1000);
    open.epoch = 0;
    put_intent(c, &open);
    cd_start(c);
    cd_run(c, 12 * SL_S);
    sl_assert_str(cd_phase(c, "n2"), "safe");
    cd_free(c);
}

/* The node took a new epoch for the sake of "old", which waits for n3 to forget it. */
static struct cd *drained_again(enum sl_liveness liveness)
{
    struct cd *c = cd_new(3, 0);
    struct sl_intent old = intent_of("old", "n2", SL_DRAIN_CLEARING, 0);
    old.cancelled = true;
    old.ended_from = SL_DRAIN_EVACUATING;
    old.target_node_epoch = cd_node(c, "n2")->node_epoch++;
    cd_node(c, "n2")->liveness = liveness;
    put_intent(c, &old);
    return c;
}

/* Who brought it there is not known: that key cannot be read any more. */
static void a_cancelled_drain_ends_when_its_node_is_stopping(void **state)
{
    (void)state;
    struct cd *c = drained_again(SL_LIVENESS_STOPPING);
    cd_start(c);
    cd_run(c, SL_S);
    sl_assert_str(cd_phase(c, "n2"), "cancelled");
    sl_assert_u64(cd_node(c, "n2")->undrain_requests, 0);
    (void)cd_drain_node(c, "n2");
    cd_run(c, 14 * SL_S);
    sl_assert_u64(cd_drain_node(c, "n2"), 0);
    cd_free(c);
}

static void a_cancelled_drain_does_not_undo_the_next_one(void **state)
{
    (void)state;
    struct cd *c = drained_again(SL_LIVENESS_DRAINING);
    struct sl_intent next = intent_of("next", "n2", SL_DRAIN_EVACUATING, 1);
    next.target_node_epoch = cd_node(c, "n2")->node_epoch;
    put_intent(c, &next);
    cd_start(c);
    cd_run(c, 14 * SL_S);
    sl_assert_u64(cd_node(c, "n2")->undrain_requests, 0);
    sl_assert_u64(cd_drain_node(c, "n2"), 0);
    cd_free(c);
}

static void a_drain_that_is_cleared_does_not_hide_the_next_one(void **state)
{
    (void)state;
    struct cd *c = drained_again(SL_LIVENESS_STOPPING);
    struct sl_intent next = intent_of("next", "n2", SL_DRAIN_SAFE, 1);
    next.target_node_epoch = cd_node(c, "n2")->node_epoch;
    put_intent(c, &next);
    cd_node(c, "n3")->is_deaf = true;
    cd_start(c);
    cd_run(c, SL_S);
    sl_assert_u64(cd_drain_node(c, "n2"), 0);
    cd_free(c);
}

/* The clock of an earlier coordinator was ahead. */
static void the_last_drain_of_a_node_is_the_one_with_the_highest_epoch(void **state)
{
    (void)state;
    struct cd *c = cd_new(3, 0);
    struct sl_intent first = intent_of("first", "n7", SL_DRAIN_CANCELLED, 2000);
    first.ended_from = SL_DRAIN_EVACUATING;
    first.cancelled = true;
    struct sl_intent last = intent_of("last", "n7", SL_DRAIN_DONE, 1000);
    last.epoch = first.epoch + 1;
    put_intent(c, &first);
    put_intent(c, &last);
    cd_start(c);
    cd_run(c, SL_S);
    sl_assert_u64(cd_drain_node(c, "n7"), 0);
    cd_free(c);
}

static void history_is_limited_and_the_oldest_go_first(void **state)
{
    (void)state;
    struct cd *c = cd_new(3, 0);
    c->opts.history_count_max = 3;
    cd_start(c);
    for (uint32_t i = 0; i < 6; i++) {
        (void)cd_drain_node(c, "n2");
        cd_run(c, SL_S);
        (void)cd_undrain(c, "n2");
        if (i == 2)
            fault_at(c, 1, CD_FAULT_LOST_REQUEST, 2);
        cd_run(c, 7 * SL_S);
        cd_leave(c, "n2");
        cd_run(c, SL_S);
        cd_join(c, "n2", 100000 * (i + 1));
        cd_run(c, SL_S);
    }
    assert_true(cd_intent_count(c) <= 3);
    assert_true(cd_request(c, SL_REQUEST_DRAIN_LIST, "")->drain_count <= 3);
    cd_free(c);
}

static void history_is_limited_also_when_drains_end_well(void **state)
{
    (void)state;
    struct cd *c = cd_new(2, 0);
    c->opts.history_count_max = 2;
    cd_start(c);
    static const char *const nodes[] = { "n3", "n4", "n5", "n6", "n7" };
    for (uint32_t i = 0; i < 5; i++) {
        cd_join(c, nodes[i], 7000);
        cd_run(c, SL_S);
        (void)cd_drain_node(c, nodes[i]);
        cd_run(c, 12 * SL_S);
        sl_assert_u64(cd_drain_node(c, nodes[i]), 0);
        cd_leave(c, nodes[i]);
        cd_run(c, SL_S);
    }
    sl_assert_u64(cd_intent_count(c), 2);
    sl_assert_u64(cd_drain_node(c, "n7"), 0);
    sl_assert_u64(cd_drain_node(c, "n6"), 0);
    sl_assert_str(sl_code_name(cd_request(c, SL_REQUEST_DRAIN_NODE, "n5")->code), "NOT_FOUND");
    cd_free(c);
}

/* The very first write of the drain arrives after its key was deleted: nothing forbids it to create the key again. */
static void a_late_creation_does_not_bring_a_deleted_intent_back(void **state)
{
    (void)state;
    struct cd *c = cd_new(3, 1);
    c->opts.history_count_max = 0;
    cd_start(c);
    c->dispatchers[0][1] = 1;
    cd_fault(c, CD_FAULT_LATE);
    (void)cd_drain_node(c, "n2");
    cd_run(c, 2 * SL_S);
    (void)cd_undrain(c, "n2");
    cd_run(c, 8 * SL_S);
    sl_assert_str(cd_phase(c, "n2"), "cancelled");
    cd_late(c);
    cd_run(c, 80 * SL_S);
    sl_assert_u64(cd_intent_count(c), 0);
    cd_free(c);
}

static void who_asks_while_a_drain_is_being_forgotten_is_answered(void **state)
{
    (void)state;
    struct cd *c = cd_new(3, 1);
    c->opts.history_count_max = 0;
    cd_start(c);
    c->dispatchers[0][1] = 1;
    c->hold_at_write = 4; /* pending, evacuating, clearing, cancelled */
    (void)cd_drain_node(c, "n2");
    cd_run(c, SL_S);
    (void)cd_undrain(c, "n2");
    cd_run(c, 2 * SL_S);
    sl_assert_str(cd_phase(c, "n2"), "cancelled");
    assert_true(c->holds_store && c->op_count > 0);
    struct sl_request r = { .verb = SL_REQUEST_UNDRAIN, .node = SL_STR("n2") };
    uint64_t ticket = cd_ask(c, &r);
    assert_null(cd_reply(c, ticket));
    cd_release_store(c);
    assert_non_null(cd_reply(c, ticket));
    sl_assert_str(sl_code_name(cd_reply(c, ticket)->code), "OK");
    sl_assert_u64(cd_intent_count(c), 0);
    cd_free(c);
}

static void a_load_that_fails_is_tried_again(void **state)
{
    (void)state;
    struct cd *c = cd_new(2, 0);
    c->holds_store = true;
    cd_start(c);
    /* The store breaks down before it answered. */
    while (c->op_count > 0) {
        struct cd_op op = c->ops[c->op_head];
        struct sl_store_result r = { .id = op.op.id, .verb = op.op.verb, .outcome = SL_STORE_REFUSED };
        c->op_head = (c->op_head + 1) % CD_QUEUE_MAX;
        c->op_count--;
        assert_true(sl_coordinator_on_store(c->coordinator, c->now, &r, &c->out));
        sl_mem_free(&c->out_mem, SL_TAG_STORE, op.memory, op.bytes);
    }
    cd_settle(c);
    assert_false(sl_coordinator_is_running(c->coordinator));
    c->holds_store = false;
    cd_run(c, 2 * SL_S);
    assert_true(sl_coordinator_is_running(c->coordinator));
    cd_free(c);
}

/* ---- memory ---- */

static void every_allocation_may_fail(void **state)
{
    (void)state;
    for (uint64_t at = 1;; at++) {
        struct cd *c = cd_new(3, 1);
        struct sl_coordinator *made = NULL;
        const struct sl_members_change *change;
        struct sl_node_id self;
        assert_true(sl_node_id_set(&self, SL_STR("n1")));
        sl_assert_i64(sl_members_new(&c->members, &c->out_mem, &self, CD_NODES_MAX, 1), SL_OK);
        sl_assert_u64(sl_members_apply(c->members, &self, 1, &change), 0);
        c->opts.members = c->members;
        c->mem.fail_at = at;
        enum sl_code code = sl_coordinator_new(&made, &c->opts, c->now);
        bool has_failed = c->mem.fail_at == 0;
        assert_true(has_failed == (made == NULL) && has_failed == (code == SL_NOMEM));
        c->mem.fail_at = 0;
        sl_coordinator_free(made);
        sl_members_free(c->members);
        cd_free(c);
        if (!has_failed)
            return;
    }
}

static void a_drain_ends_whichever_allocation_fails_once(void **state)
{
    (void)state;
    for (uint64_t at = 1; at < 60; at++) {
        struct cd *c = cd_setup(3, 1);
        c->evacuates = true;
        c->dispatchers[0][1] = 1;
        c->mem.fail_at = at;
        (void)cd_drain_node(c, "n2");
        cd_run(c, 20 * SL_S);
        c->mem.fail_at = 0;
        cd_run(c, 10 * SL_S);
        sl_assert_u64(cd_drain_node(c, "n2"), 0);
        cd_free(c);
    }
}

/* It may be drained again as soon as the first drain is about to end: the store learns of that end later. */
static void a_drain_that_ends_leaves_the_next_one_of_the_same_node_draining(void **state)
{
    (void)state;
    struct cd *c = cd_setup(4, 1);
    c->dispatchers[0][1] = 1000; /* none of the drains gets far */
    (void)cd_drain_node(c, "n2");
    cd_run(c, SL_S);
    cd_node(c, "n4")->is_deaf = true;
    (void)cd_undrain(c, "n2");
    cd_run(c, 2 * SL_S);
    sl_assert_i64(cd_node(c, "n2")->liveness, SL_LIVENESS_ALIVE);
    sl_assert_str(cd_phase(c, "n2"), "clearing");
    cd_node(c, "n4")->is_deaf = false;
    cd_fault(c, CD_FAULT_REFUSED);
    for (uint32_t i = 0; i < 20000 && cd_drain(c, "n2") == SL_BUSY; i++)
        cd_run(c, SL_MS);
    sl_assert_u64(cd_intent_count(c), 2);
    cd_run(c, 2 * SL_S);
    const struct cd_reply *nodes = cd_request(c, SL_REQUEST_NODE_LIST, "");
    assert_true(nodes->nodes[1].is_draining);
    assert_false(nodes->nodes[0].is_draining);
    cd_free(c);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_drain_ends_whatever_happens_to_one_of_its_writes),
        cmocka_unit_test(a_drain_ends_whatever_happens_to_several_writes_in_a_row),
        cmocka_unit_test(an_undrain_ends_whatever_happens_to_a_write),
        cmocka_unit_test(a_write_that_arrives_after_the_next_decision_does_not_undo_it),
        cmocka_unit_test(a_drain_without_faults_costs_one_write_per_phase_and_no_read),
        cmocka_unit_test(a_write_that_failed_is_repeated_soon),
        cmocka_unit_test(the_word_of_another_coordinator_is_taken_over),
        cmocka_unit_test(an_open_intent_that_was_deleted_by_hand_comes_back),
        cmocka_unit_test(a_value_that_cannot_be_read_is_left_alone_and_read_again),
        cmocka_unit_test(what_cannot_come_from_a_session_is_refused_and_stops_nobody),
        cmocka_unit_test(open_drains_are_loaded_however_long_the_history_is),
        cmocka_unit_test(a_cancelled_drain_ends_when_its_node_is_stopping),
        cmocka_unit_test(a_cancelled_drain_does_not_undo_the_next_one),
        cmocka_unit_test(a_drain_that_is_cleared_does_not_hide_the_next_one),
        cmocka_unit_test(the_last_drain_of_a_node_is_the_one_with_the_highest_epoch),
        cmocka_unit_test(history_is_limited_and_the_oldest_go_first),
        cmocka_unit_test(history_is_limited_also_when_drains_end_well),
        cmocka_unit_test(a_late_creation_does_not_bring_a_deleted_intent_back),
        cmocka_unit_test(who_asks_while_a_drain_is_being_forgotten_is_answered),
        cmocka_unit_test(a_load_that_fails_is_tried_again),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(a_drain_ends_whichever_allocation_fails_once),
        cmocka_unit_test(a_drain_that_ends_leaves_the_next_one_of_the_same_node_draining),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
