/* SPDX-License-Identifier: Apache-2.0 */
#include "core/common/mem_tags.h"
#include "core/membership/membership.h"
#include "tests/support/sl_test.h"

#include <stdio.h>
#include <string.h>

/* One node, whose store is the test: every answer comes when and as the test says. */
enum { OPS_MAX = 256, TEXT_MAX = 128, LEASE = 0x10 };

struct said_op {
    sl_op_id id;
    enum sl_store_verb verb;
    bool answered;
    char key[TEXT_MAX], first[TEXT_MAX]; /* of the operation; of its first action */
    enum sl_action_kind kind;
    sl_revision from_revision, compare_revision;
    sl_lease_id lease;
};

struct script {
    struct sl_mem mem;
    struct sl_outbox out;
    struct sl_membership *m;
    sl_ns now;
    struct said_op ops[OPS_MAX];
    uint32_t op_count;
};

static void copy_str(char to[TEXT_MAX], struct sl_str s)
{
    assert_true(s.len < TEXT_MAX);
    if (s.len > 0)
        memcpy(to, s.ptr, s.len);
    to[s.len] = '\0';
}

static void collect(struct script *s)
{
    for (uint32_t i = 0; i < s->out.count; i++) {
        const struct sl_store_op *from = &s->out.items[i].u.store;
        if (s->out.items[i].kind != SL_OUT_STORE)
            continue;
        assert_true(s->op_count < OPS_MAX);
        struct said_op *to = &s->ops[s->op_count++];
        *to = (struct said_op){
            .id = from->id, .verb = from->verb, .from_revision = from->from_revision, .lease = from->lease
        };
        copy_str(to->key, from->key);
        if (from->then_count > 0) {
            copy_str(to->first, from->then[0].key);
            to->kind = from->then[0].kind;
        }
        if (from->compare_count > 0)
            to->compare_revision = from->compares[0].revision;
    }
    sl_outbox_reset(&s->out);
}

/* The newest operation that was not answered, of this verb and about this key; null if there is none. */
static struct said_op *open_op(struct script *s, enum sl_store_verb verb, const char *key)
{
    for (uint32_t i = s->op_count; i-- > 0;) {
        struct said_op *op = &s->ops[i];
        const char *about = verb == SL_STORE_TXN ? op->first : op->key;
        if (!op->answered && op->verb == verb && strcmp(about, key) == 0)
            return op;
    }
    return NULL;
}

static void answer(struct script *s, struct said_op *op, struct sl_store_result r)
{
    assert_non_null(op);
    op->answered = true;
    r.id = op->id;
    r.verb = op->verb;
    assert_true(sl_membership_on_store(s->m, s->now, &r, &s->out));
    collect(s);
}

static struct sl_store_result ok_at(sl_revision revision)
{
    return (struct sl_store_result){ .outcome = SL_STORE_OK, .revision = revision, .succeeded = true };
}

static struct sl_store_result failed(enum sl_store_outcome outcome)
{
    return (struct sl_store_result){ .outcome = outcome };
}

static void wait_for(struct script *s, sl_ns time)
{
    s->now += time;
    sl_membership_on_tick(s->m, s->now, &s->out);
    collect(s);
}

#define META "/tidb/cdc/c1/__cdc_meta__/"
#define CAPTURE META "capture/n1"
#define OWNER META "owner/10"
#define NAME "/tidb/cdc_new/c1/sluice/name/one"

static struct sl_store_pair owner_pair(const char *key, const char *id, sl_revision at)
{
    return (struct sl_store_pair){ .key = sl_str_of(key),
                                   .value = { (const uint8_t *)id, strlen(id) },
                                   .create_revision = at,
                                   .mod_revision = at,
                                   .lease = LEASE };
}

static struct sl_store_pair capture_pair(sl_revision at)
{
    static const char value[] = "{\"id\":\"n1\",\"address\":\"h:1\",\"sluice\":{\"name\":\"one\",\"node-epoch\":5}}";
    return (struct sl_store_pair){ .key = SL_STR(CAPTURE),
                                   .value = { (const uint8_t *)value, sizeof value - 1 },
                                   .create_revision = at,
                                   .mod_revision = at,
                                   .lease = LEASE };
}

static void batch(struct script *s, sl_op_id watch, sl_revision revision, const struct sl_store_event *events,
                  uint32_t count)
{
    struct sl_store_watch_batch b = { .watch = watch, .revision = revision, .events = events, .event_count = count };
    assert_true(sl_membership_on_watch(s->m, s->now, &b, &s->out));
    collect(s);
}

static void setup(struct script *s)
{
    struct sl_mem_opts mem = sl_mem_opts_of(0);
    struct sl_membership_opts opts = SL_MEMBERSHIP_OPTS_DEFAULT;
    *s = (struct script){ .now = 100 * SL_S };
    sl_mem_init(&s->mem, &mem);
    sl_assert_i64(sl_outbox_init(&s->out, &s->mem, SL_TAG_OUTBOX, 512, 1 << 20), SL_OK);
    opts.mem = &s->mem;
    opts.cluster = SL_STR("c1");
    opts.self = (struct sl_capture){ .address = "h:1", .name = "one", .node_epoch = 5, .is_sluice = true };
    assert_true(sl_node_id_set(&opts.self.id, SL_STR("n1")));
    sl_assert_i64(sl_membership_new(&s->m, &opts, s->now), SL_OK);
    sl_membership_start(s->m, s->now, &s->out);
    collect(s);
}

static void teardown(struct script *s)
{
    sl_membership_free(s->m);
    sl_outbox_deinit(&s->out);
    sl_mem_deinit(&s->mem);
}

static struct sl_membership_view view_of(const struct script *s)
{
    struct sl_membership_view view;
    sl_membership_view(s->m, &view);
    return view;
}

static void get_lease(struct script *s)
{
    struct sl_store_result r = ok_at(1);
    r.lease = LEASE;
    r.ttl_ns = 10 * SL_S;
    answer(s, open_op(s, SL_STORE_GRANT, ""), r);
}

/* Leased, registry read at revision 5, watch open, the name is free: the join is in flight. */
static sl_op_id come_to_join(struct script *s)
{
    setup(s);
    get_lease(s);
    answer(s, open_op(s, SL_STORE_RANGE, META), ok_at(5));
    struct said_op *watch = open_op(s, SL_STORE_WATCH, META);
    sl_assert_i64(watch->from_revision, 6);
    answer(s, watch, ok_at(5));
    answer(s, open_op(s, SL_STORE_RANGE, NAME), ok_at(5));
    assert_non_null(open_op(s, SL_STORE_TXN, CAPTURE));
    return watch->id;
}

/* Joined at revision 6; the campaign is in flight. */
static sl_op_id come_to_campaign(struct script *s)
{
    sl_op_id watch = come_to_join(s);
    answer(s, open_op(s, SL_STORE_TXN, CAPTURE), ok_at(6));
    assert_true(view_of(s).joined);
    assert_non_null(open_op(s, SL_STORE_TXN, OWNER));
    return watch;
}

/* Leader with the key of revision 7. */
static sl_op_id come_to_lead(struct script *s)
{
    sl_op_id watch = come_to_campaign(s);
    answer(s, open_op(s, SL_STORE_TXN, OWNER), ok_at(7));
    assert_false(view_of(s).leader); /* it has not read whether somebody is older */
    const struct sl_store_event events[] = { { .pair = capture_pair(6) }, { .pair = owner_pair(OWNER, "n1", 7) } };
    batch(s, watch, 7, events, 2);
    assert_true(view_of(s).leader);
    sl_assert_u64(view_of(s).leader_version, 7);
    return watch;
}

static void the_way_to_leadership(void **state)
{
    (void)state;
    struct script s;
    come_to_lead(&s);
    sl_assert_str(view_of(&s).owner.text, "n1");
    sl_assert_u64(s.op_count, 6); /* grant, range, watch, name, join, campaign */
    teardown(&s);
}

static void keepalives_go_out_at_a_third_of_the_lease_and_again_soon_when_lost(void **state)
{
    (void)state;
    struct script s;
    come_to_lead(&s);
    sl_ns sent = s.now + 10 * SL_S / 3;
    wait_for(&s, 10 * SL_S / 3 - 1);
    assert_null(open_op(&s, SL_STORE_KEEPALIVE, ""));
    wait_for(&s, 1);
    struct said_op *first = open_op(&s, SL_STORE_KEEPALIVE, "");
    assert_non_null(first);
    sl_assert_u64(first->lease, LEASE);
    wait_for(&s, SL_S);
    answer(&s, first, failed(SL_STORE_UNKNOWN));
    assert_null(open_op(&s, SL_STORE_KEEPALIVE, ""));
    wait_for(&s, 200 * SL_MS);
    struct said_op *second = open_op(&s, SL_STORE_KEEPALIVE, "");
    wait_for(&s, 2 * SL_S);
    struct sl_store_result r = ok_at(9);
    r.ttl_ns = 10 * SL_S;
    answer(&s, second, r);
    sl_assert_i64(sl_membership_lease_until(s.m), sent + 1200 * SL_MS + 10 * SL_S);
    teardown(&s);
}

static void an_answer_out_of_order_does_not_shorten_the_belief(void **state)
{
    (void)state;
    struct script s;
    come_to_lead(&s);
    wait_for(&s, 10 * SL_S / 3);
    struct said_op *first = open_op(&s, SL_STORE_KEEPALIVE, "");
    wait_for(&s, 10 * SL_S / 3);
    struct said_op *second = open_op(&s, SL_STORE_KEEPALIVE, "");
    assert_true(first != second);
    struct sl_store_result r = ok_at(9);
    r.ttl_ns = 10 * SL_S;
    answer(&s, second, r);
    sl_ns until = sl_membership_lease_until(s.m);
    sl_assert_i64(until, s.now + 10 * SL_S);
    answer(&s, first, r);
    sl_assert_i64(sl_membership_lease_until(s.m), until);
    teardown(&s);
}

static void a_late_batch_does_not_undo_a_newer_read(void **state)
{
    (void)state;
    struct script s;
    sl_op_id watch = come_to_lead(&s);
    sl_membership_resign(s.m, s.now, &s.out);
    collect(&s);
    answer(&s, open_op(&s, SL_STORE_TXN, OWNER), failed(SL_STORE_UNKNOWN)); /* the delete; it was done, at 8 */
    const struct sl_store_pair now[] = { capture_pair(6), owner_pair(OWNER, "n1", 9) }; /* and an old campaign came */
    struct sl_store_result r = ok_at(9);
    r.pairs = now;
    r.pair_count = 2;
    wait_for(&s, 2 * SL_S); /* the pause is over */
    answer(&s, open_op(&s, SL_STORE_RANGE, META), r);
    assert_false(view_of(&s).leader); /* the key of a campaign that was given up is given back first */
    struct said_op *again = open_op(&s, SL_STORE_TXN, OWNER);
    sl_assert_i64(again->kind, SL_ACTION_DELETE);
    sl_assert_i64(again->compare_revision, 9);
    const struct sl_store_event late[] = { { .deleted = true, .pair = { .key = SL_STR(OWNER), .mod_revision = 8 } } };
    batch(&s, watch, 8, late, 1);
    answer(&s, again, failed(SL_STORE_REFUSED));
    wait_for(&s, 200 * SL_MS);
    again = open_op(&s, SL_STORE_TXN, OWNER); /* the key is still known to be there */
    sl_assert_i64(again->kind, SL_ACTION_DELETE);
    teardown(&s);
}

static void a_slow_read_does_not_undo_a_faster_watch(void **state)
{
    (void)state;
    struct script s;
    sl_op_id watch = come_to_lead(&s);
    sl_membership_resign(s.m, s.now, &s.out);
    collect(&s);
    answer(&s, open_op(&s, SL_STORE_TXN, OWNER), failed(SL_STORE_UNKNOWN));
    wait_for(&s, 200 * SL_MS);
    struct said_op *read = open_op(&s, SL_STORE_RANGE, META);
    const struct sl_store_event gone[] = { { .deleted = true, .pair = { .key = SL_STR(OWNER), .mod_revision = 8 } } };
    batch(&s, watch, 8, gone, 1);
    const struct sl_store_pair before[] = { capture_pair(6), owner_pair(OWNER, "n1", 7) };
    struct sl_store_result r = ok_at(7); /* it was read before the delete */
    r.pairs = before;
    r.pair_count = 2;
    answer(&s, read, r);
    wait_for(&s, 2 * SL_S);
    struct said_op *next = open_op(&s, SL_STORE_TXN, OWNER);
    sl_assert_i64(next->kind, SL_ACTION_PUT); /* a new campaign, not another delete */
    teardown(&s);
}

static void after_an_unknown_outcome_comes_a_read_before_the_next_write(void **state)
{
    (void)state;
    struct script s;
    come_to_campaign(&s);
    answer(&s, open_op(&s, SL_STORE_TXN, OWNER), failed(SL_STORE_UNKNOWN));
    wait_for(&s, 200 * SL_MS);
    struct said_op *read = open_op(&s, SL_STORE_RANGE, META);
    assert_non_null(read);
    wait_for(&s, 3 * SL_S);
    assert_null(open_op(&s, SL_STORE_TXN, OWNER));
    const struct sl_store_pair pairs[] = { capture_pair(6), owner_pair(OWNER, "n1", 7) };
    struct sl_store_result r = ok_at(7);
    r.pairs = pairs;
    r.pair_count = 2;
    answer(&s, read, r);
    assert_null(open_op(&s, SL_STORE_TXN, OWNER)); /* it had been done */
    assert_true(view_of(&s).leader);
    sl_assert_u64(view_of(&s).leader_version, 7);
    teardown(&s);
}

static void an_unknown_join_that_was_done_is_found_by_reading(void **state)
{
    (void)state;
    struct script s;
    come_to_join(&s);
    answer(&s, open_op(&s, SL_STORE_TXN, CAPTURE), failed(SL_STORE_UNKNOWN));
    assert_false(view_of(&s).joined);
    wait_for(&s, SL_S);
    assert_null(open_op(&s, SL_STORE_TXN, CAPTURE));
    const struct sl_store_pair pairs[] = { capture_pair(6) };
    struct sl_store_result r = ok_at(6);
    r.pairs = pairs;
    r.pair_count = 1;
    answer(&s, open_op(&s, SL_STORE_RANGE, META), r);
    assert_true(view_of(&s).joined);
    assert_null(open_op(&s, SL_STORE_TXN, CAPTURE));
    teardown(&s);
}

/* A read that began before the outcome became unknown may have looked before it was done. */
static void a_read_that_was_already_under_way_is_not_enough(void **state)
{
    (void)state;
    struct script s;
    sl_op_id watch = come_to_campaign(&s);
    struct sl_store_watch_batch ended = { .watch = watch, .ended = true, .why = SL_STORE_COMPACTED };
    assert_true(sl_membership_on_watch(s.m, s.now, &ended, &s.out));
    collect(&s);
    wait_for(&s, 200 * SL_MS);
    struct said_op *early = open_op(&s, SL_STORE_RANGE, META);
    assert_non_null(early);
    answer(&s, open_op(&s, SL_STORE_TXN, OWNER), failed(SL_STORE_UNKNOWN));
    wait_for(&s, SL_S);
    struct said_op *late = open_op(&s, SL_STORE_RANGE, META);
    assert_true(late != early);
    const struct sl_store_pair pairs[] = { capture_pair(6) };
    struct sl_store_result r = ok_at(6);
    r.pairs = pairs;
    r.pair_count = 1;
    answer(&s, early, r);
    assert_null(open_op(&s, SL_STORE_TXN, OWNER));
    answer(&s, late, r);
    assert_non_null(open_op(&s, SL_STORE_TXN, OWNER));
    teardown(&s);
}

static void a_join_answered_for_an_older_lease_counts_for_nothing(void **state)
{
    (void)state;
    struct script s;
    come_to_join(&s);
    struct said_op *join = open_op(&s, SL_STORE_TXN, CAPTURE);
    wait_for(&s, 9 * SL_S); /* no keepalive was answered */
    struct said_op *grant = open_op(&s, SL_STORE_GRANT, "");
    assert_non_null(grant);
    answer(&s, join, ok_at(6));
    struct sl_store_result r = ok_at(6);
    r.lease = LEASE + 1;
    r.ttl_ns = 10 * SL_S;
    answer(&s, grant, r);
    assert_false(view_of(&s).joined);
    assert_non_null(open_op(&s, SL_STORE_RANGE, NAME)); /* it joins anew */
    teardown(&s);
}

static void a_lease_whose_grant_took_too_long_is_not_used(void **state)
{
    (void)state;
    struct script s;
    setup(&s);
    struct said_op *slow = open_op(&s, SL_STORE_GRANT, "");
    wait_for(&s, 9 * SL_S);
    struct sl_store_result r = ok_at(1);
    r.lease = LEASE;
    r.ttl_ns = 10 * SL_S;
    answer(&s, slow, r);
    sl_assert_i64(sl_membership_lease_until(s.m), INT64_MIN);
    wait_for(&s, 200 * SL_MS);
    assert_non_null(open_op(&s, SL_STORE_GRANT, ""));
    teardown(&s);
}

static void a_broken_watch_goes_on_where_it_stopped(void **state)
{
    (void)state;
    struct script s;
    sl_op_id watch = come_to_lead(&s);
    struct sl_store_watch_batch ended = { .watch = watch, .ended = true, .why = SL_STORE_REFUSED };
    assert_true(sl_membership_on_watch(s.m, s.now, &ended, &s.out));
    collect(&s);
    wait_for(&s, 200 * SL_MS);
    struct said_op *next = open_op(&s, SL_STORE_WATCH, META);
    sl_assert_i64(next->from_revision, 8);
    assert_null(open_op(&s, SL_STORE_RANGE, META));
    struct sl_store_result r = failed(SL_STORE_COMPACTED);
    r.compacted_revision = 20;
    answer(&s, next, r);
    wait_for(&s, 200 * SL_MS);
    assert_non_null(open_op(&s, SL_STORE_RANGE, META));
    assert_true(view_of(&s).leader); /* its key cannot have become younger meanwhile */
    teardown(&s);
}

static void a_store_that_went_back_in_time_gives_no_version_twice(void **state)
{
    (void)state;
    struct script s;
    sl_op_id watch = come_to_lead(&s);
    const struct sl_store_event gone[] = { { .deleted = true, .pair = { .key = SL_STR(OWNER), .mod_revision = 8 } } };
    batch(&s, watch, 8, gone, 1);
    assert_false(view_of(&s).leader);
    wait_for(&s, SL_S);
    struct sl_store_pair young = owner_pair(OWNER, "n1", 9);
    young.mod_revision = 7;
    answer(&s, open_op(&s, SL_STORE_TXN, OWNER), failed(SL_STORE_UNKNOWN));
    const struct sl_store_pair pairs[] = { capture_pair(6), young };
    struct sl_store_result r = ok_at(9);
    r.pairs = pairs;
    r.pair_count = 2;
    answer(&s, open_op(&s, SL_STORE_RANGE, META), r);
    assert_false(view_of(&s).leader);
    sl_assert_i64(open_op(&s, SL_STORE_TXN, OWNER)->kind, SL_ACTION_DELETE);
    teardown(&s);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_way_to_leadership),
        cmocka_unit_test(keepalives_go_out_at_a_third_of_the_lease_and_again_soon_when_lost),
        cmocka_unit_test(an_answer_out_of_order_does_not_shorten_the_belief),
        cmocka_unit_test(a_late_batch_does_not_undo_a_newer_read),
        cmocka_unit_test(a_slow_read_does_not_undo_a_faster_watch),
        cmocka_unit_test(after_an_unknown_outcome_comes_a_read_before_the_next_write),
        cmocka_unit_test(an_unknown_join_that_was_done_is_found_by_reading),
        cmocka_unit_test(a_read_that_was_already_under_way_is_not_enough),
        cmocka_unit_test(a_join_answered_for_an_older_lease_counts_for_nothing),
        cmocka_unit_test(a_lease_whose_grant_took_too_long_is_not_used),
        cmocka_unit_test(a_broken_watch_goes_on_where_it_stopped),
        cmocka_unit_test(a_store_that_went_back_in_time_gives_no_version_twice),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
