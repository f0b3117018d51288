/* SPDX-License-Identifier: Apache-2.0 */
#include "core/common/mem_tags.h"
#include "tests/support/membership_cluster.h"

#include <stdio.h>
#include <string.h>

static struct sl_mc *setup(struct sl_mc *c)
{
    sl_mc_init(c, SL_STORE_SIM_OPTS_DEFAULT);
    return c;
}

/* ---- joining ---- */

static void a_node_alone_joins_and_leads(void **state)
{
    (void)state;
    struct sl_mc c;
    struct sl_store_pair pair;
    struct sl_capture capture;
    struct sl_key key = sl_mc_capture_key("n0-1");
    sl_mc_start_hosts(setup(&c), 1);
    struct sl_membership_view view = sl_mc_view(&c, 0);
    assert_true(view.joined && view.leader);
    sl_assert_str(view.owner.text, "n0-1");
    sl_assert_u64(view.waiting_count, 0);
    sl_assert_u64(view.member_count, 1);
    assert_true(sl_mc_stored(&c, &key, &pair));
    sl_assert_i64(sl_capture_parse(&capture, pair.value), SL_OK);
    sl_assert_str(capture.name, "node0");
    assert_true(capture.is_sluice && capture.is_new_arch && !capture.stopped);
    sl_assert_u64(pair.lease, c.hosts[0].lease);
    assert_true(sl_key_node_name(&key, SL_STR("c1"), SL_STR("node0")));
    assert_true(sl_mc_stored(&c, &key, &pair));
    sl_assert_u64(pair.lease, c.hosts[0].lease);
    key = sl_mc_owner_key(&c, 0);
    assert_true(sl_mc_stored(&c, &key, &pair));
    sl_assert_u64(view.leader_version, (uint64_t)pair.mod_revision);
    assert_true(sl_bytes_eq(pair.value, (struct sl_bytes){ (const uint8_t *)"n0-1", 4 }));
    sl_mc_deinit(&c);
}

static void all_see_all_and_the_oldest_leads(void **state)
{
    (void)state;
    struct sl_mc c;
    sl_mc_start_hosts(setup(&c), 4);
    sl_mc_assert_converged(&c);
    sl_assert_u64(sl_mc_leader(&c), 0);
    sl_assert_u64(sl_mc_view(&c, 0).waiting_count, 3);
    sl_assert_u64(sl_mc_view(&c, 2).waiting_count, 2);
    sl_assert_u64(sl_mc_said(&c, 0, SL_EV_MEMBER_SEEN), 4);
    sl_mc_deinit(&c);
}

static void a_name_is_unique_and_the_second_waits_for_it(void **state)
{
    (void)state;
    struct sl_mc c;
    sl_mc_start_hosts(setup(&c), 1);
    struct sl_membership_opts opts = sl_mc_opts(&c, 1);
    snprintf(opts.self.name, sizeof opts.self.name, "node0");
    sl_mc_start_with(&c, 1, &opts);
    sl_mc_run(&c, 5 * SL_S);
    assert_false(sl_mc_view(&c, 1).joined);
    assert_false(sl_mc_sees(&c, 0, "n1-1"));
    sl_assert_u64(sl_mc_said(&c, 1, SL_EV_JOIN_REFUSED), 1);
    assert_non_null(strstr(sl_mc_last(&c, 1, SL_EV_JOIN_REFUSED), "by=n0-1"));
    assert_non_null(strstr(sl_mc_last(&c, 1, SL_EV_JOIN_REFUSED), "--name"));
    sl_mc_leave(&c, 0);
    sl_mc_run(&c, 2 * SL_S);
    assert_true(sl_mc_view(&c, 1).joined && sl_mc_view(&c, 1).leader);
    sl_mc_deinit(&c);
}

/* Both find the name free; only one of the two transactions does. */
static void of_two_that_want_a_name_at_once_one_gets_it(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct sl_mc c;
        struct sl_store_sim_opts sim = SL_STORE_SIM_OPTS_DEFAULT;
        sim.seed = seed;
        sl_mc_init(&c, sim);
        for (uint32_t i = 0; i < 2; i++) {
            struct sl_membership_opts opts = sl_mc_opts(&c, i);
            snprintf(opts.self.name, sizeof opts.self.name, "twin");
            sl_mc_start_with(&c, i, &opts);
        }
        sl_mc_run(&c, 3 * SL_S);
        sl_assert_u64((sl_mc_view(&c, 0).joined ? 1u : 0u) + (sl_mc_view(&c, 1).joined ? 1u : 0u), 1);
        sl_mc_deinit(&c);
    }
}

static void a_restarted_node_gets_its_name_when_the_old_lease_ends(void **state)
{
    (void)state;
    struct sl_mc c;
    sl_mc_start_hosts(setup(&c), 1);
    sl_mc_crash(&c, 0);
    sl_mc_start(&c, 0);
    sl_mc_run(&c, 5 * SL_S);
    assert_false(sl_mc_view(&c, 0).joined);
    sl_mc_run(&c, 7 * SL_S);
    assert_true(sl_mc_view(&c, 0).joined && sl_mc_view(&c, 0).leader);
    sl_mc_deinit(&c);
}

static const char *const foreign_capture =
    "{\"id\":\"f1\",\"address\":\"f:1\",\"version\":\"v8.5.4\",\"is-new-arch\":true}";

static void a_cluster_with_foreign_captures_is_joined_only_with_interop(void **state)
{
    (void)state;
    struct sl_mc c;
    struct sl_key key = sl_mc_capture_key("f1");
    setup(&c);
    sl_mc_put(&c, sl_key_str(&key), foreign_capture, sl_mc_foreign_lease(&c, 30 * SL_S));
    sl_mc_start(&c, 0);
    struct sl_membership_opts opts = sl_mc_opts(&c, 1);
    opts.interop = true;
    sl_mc_start_with(&c, 1, &opts);
    sl_mc_run(&c, 5 * SL_S);
    assert_false(sl_mc_view(&c, 0).joined);
    sl_assert_u64(sl_mc_said(&c, 0, SL_EV_JOIN_REFUSED), 1);
    assert_non_null(strstr(sl_mc_last(&c, 0, SL_EV_JOIN_REFUSED), "--interop"));
    assert_true(sl_mc_view(&c, 1).joined && sl_mc_sees(&c, 1, "f1"));
    sl_mc_run(&c, 40 * SL_S);
    assert_true(sl_mc_view(&c, 0).joined);
    assert_false(sl_mc_sees(&c, 1, "f1"));
    sl_mc_deinit(&c);
}

static void captures_of_the_old_architecture_are_waited_out_even_with_interop(void **state)
{
    (void)state;
    struct sl_mc c;
    struct sl_key key = sl_mc_capture_key("f1");
    setup(&c);
    sl_mc_put(&c, sl_key_str(&key), "{\"id\":\"f1\",\"address\":\"f:1\"}", sl_mc_foreign_lease(&c, 20 * SL_S));
    struct sl_membership_opts opts = sl_mc_opts(&c, 0);
    opts.interop = true;
    sl_mc_start_with(&c, 0, &opts);
    sl_mc_run(&c, 15 * SL_S);
    assert_false(sl_mc_view(&c, 0).joined);
    assert_non_null(strstr(sl_mc_last(&c, 0, SL_EV_JOIN_REFUSED), "old architecture"));
    sl_mc_run(&c, 20 * SL_S);
    assert_true(sl_mc_view(&c, 0).joined);
    sl_mc_deinit(&c);
}

static void a_foreign_capture_that_comes_later_is_ignored_and_said(void **state)
{
    (void)state;
    struct sl_mc c;
    struct sl_key key = sl_mc_capture_key("f1");
    sl_mc_start_hosts(setup(&c), 1);
    sl_mc_put(&c, sl_key_str(&key), foreign_capture, 0);
    sl_mc_run(&c, SL_S);
    assert_false(sl_mc_sees(&c, 0, "f1"));
    sl_assert_u64(sl_mc_said(&c, 0, SL_EV_MEMBER_FOREIGN), 1);
    assert_true(sl_mc_view(&c, 0).leader);
    sl_mc_deinit(&c);
}

static void equal_addresses_are_said_by_both_nodes_once(void **state)
{
    (void)state;
    struct sl_mc c;
    sl_mc_start_hosts(setup(&c), 1);
    struct sl_membership_opts opts = sl_mc_opts(&c, 1);
    snprintf(opts.self.address, sizeof opts.self.address, "h0:1");
    sl_mc_start_with(&c, 1, &opts);
    sl_mc_start(&c, 2);
    sl_mc_run(&c, 5 * SL_S);
    sl_assert_u64(sl_mc_said(&c, 0, SL_EV_ADDRESS_TAKEN), 1);
    sl_assert_u64(sl_mc_said(&c, 1, SL_EV_ADDRESS_TAKEN), 1);
    sl_assert_u64(sl_mc_said(&c, 2, SL_EV_ADDRESS_TAKEN), 0);
    assert_non_null(strstr(sl_mc_last(&c, 1, SL_EV_ADDRESS_TAKEN), "other=n0-1"));
    sl_mc_assert_converged(&c);
    sl_mc_deinit(&c);
}

/* ---- leaving and being lost ---- */

static void a_clean_stop_is_seen_at_once(void **state)
{
    (void)state;
    struct sl_mc c;
    sl_mc_start_hosts(setup(&c), 3);
    sl_mc_leave(&c, 0);
    assert_false(sl_mc_view(&c, 0).leader);
    sl_mc_run(&c, 100 * SL_MS);
    assert_true(sl_mc_view(&c, 0).left);
    assert_false(sl_mc_sees(&c, 1, "n0-1"));
    assert_false(sl_mc_sees(&c, 2, "n0-1"));
    sl_assert_u64(sl_mc_leader(&c), 1);
    assert_non_null(strstr(sl_mc_last(&c, 1, SL_EV_MEMBER_GONE), "cause=stopped"));
    uint64_t ops = c.hosts[0].ops;
    sl_mc_run(&c, 30 * SL_S);
    sl_assert_u64(c.hosts[0].ops, ops);
    sl_mc_deinit(&c);
}

static void a_clean_stop_without_the_store_ends_with_the_lease(void **state)
{
    (void)state;
    struct sl_mc c;
    sl_mc_start_hosts(setup(&c), 1);
    sl_store_sim_outage(c.sim, 0, c.now + 60 * SL_S);
    sl_mc_leave(&c, 0);
    sl_mc_run(&c, 5 * SL_S);
    assert_false(sl_mc_view(&c, 0).left);
    sl_mc_run(&c, 6 * SL_S);
    assert_true(sl_mc_view(&c, 0).left);
    sl_mc_deinit(&c);
}

static void a_crashed_node_is_counted_out_after_lease_and_tombstone(void **state)
{
    (void)state;
    struct sl_mc c;
    sl_mc_start_hosts(setup(&c), 2);
    sl_mc_crash(&c, 0);
    sl_mc_run(&c, 11 * SL_S);
    sl_assert_u64(sl_mc_leader(&c), 1); /* the election does not wait for the tombstone */
    assert_true(sl_mc_sees(&c, 1, "n0-1"));
    sl_mc_run(&c, 4500 * SL_MS);
    assert_false(sl_mc_sees(&c, 1, "n0-1"));
    assert_non_null(strstr(sl_mc_last(&c, 1, SL_EV_MEMBER_GONE), "cause=lost"));
    sl_mc_deinit(&c);
}

static void a_node_that_registers_again_in_time_is_kept(void **state)
{
    (void)state;
    struct sl_mc c;
    sl_mc_start_hosts(setup(&c), 2);
    struct sl_membership_opts again = c.hosts[1].opts;
    sl_mc_crash(&c, 1);
    sl_mc_run(&c, 11 * SL_S); /* the key is gone, the tombstone stands */
    struct sl_key key = sl_mc_capture_key("n1-1");
    struct sl_store_pair pair;
    assert_false(sl_mc_stored(&c, &key, &pair));
    again.self.node_epoch++;
    sl_mc_start_with(&c, 1, &again);
    for (int i = 0; i < 100; i++) {
        sl_mc_run(&c, 100 * SL_MS);
        assert_true(sl_mc_sees(&c, 0, "n1-1"));
    }
    sl_assert_u64(sl_mc_said(&c, 0, SL_EV_MEMBER_GONE), 0);
    sl_mc_assert_converged(&c);
    sl_mc_deinit(&c);
}

static void a_newer_process_with_the_same_id_fences_the_older(void **state)
{
    (void)state;
    struct sl_mc c;
    sl_mc_start_hosts(setup(&c), 2);
    struct sl_membership_opts again = c.hosts[1].opts;
    again.self.node_epoch++;
    sl_mc_start_with(&c, 2, &again);
    sl_mc_run(&c, 2 * SL_S);
    assert_true(sl_mc_view(&c, 1).fenced);
    assert_non_null(strstr(sl_mc_last(&c, 1, SL_EV_SESSION_FENCED), "node id"));
    assert_true(sl_mc_view(&c, 2).joined);
    assert_true(sl_mc_sees(&c, 0, "n1-1"));
    sl_mc_deinit(&c);
}

static void an_older_process_does_not_take_the_id_of_a_newer(void **state)
{
    (void)state;
    struct sl_mc c;
    sl_mc_start_hosts(setup(&c), 2);
    struct sl_membership_opts again = c.hosts[1].opts;
    again.self.node_epoch--;
    sl_mc_start_with(&c, 2, &again);
    sl_mc_run(&c, 5 * SL_S);
    assert_false(sl_mc_view(&c, 2).joined);
    assert_non_null(strstr(sl_mc_last(&c, 2, SL_EV_JOIN_REFUSED), "node id"));
    assert_true(sl_mc_view(&c, 1).joined);
    sl_mc_deinit(&c);
}

/* ---- the lease ---- */

static void a_node_without_the_store_fences_itself_before_its_lease_ends(void **state)
{
    (void)state;
    struct sl_mc c;
    sl_mc_start_hosts(setup(&c), 2);
    sl_store_sim_outage(c.sim, 0, c.now + 60 * SL_S);
    sl_ns until = sl_membership_lease_until(c.hosts[0].m);
    sl_mc_run(&c, until - SL_S - 1 - c.now);
    assert_true(sl_mc_view(&c, 0).leader);
    sl_mc_run(&c, 1);
    assert_true(sl_mc_view(&c, 0).fenced);
    assert_false(sl_mc_view(&c, 0).leader);
    assert_true(sl_store_model_has_lease(sl_store_sim_model(c.sim), c.hosts[0].lease));
    sl_assert_u64(sl_mc_said(&c, 0, SL_EV_SESSION_FENCED), 1);
    uint64_t ops = c.hosts[0].ops;
    sl_mc_run(&c, 90 * SL_S);
    sl_assert_u64(c.hosts[0].ops, ops); /* final: it does not come back */
    sl_assert_u64(sl_mc_said(&c, 0, SL_EV_SESSION_FENCED), 1);
    sl_assert_u64(sl_mc_leader(&c), 1);
    sl_mc_deinit(&c);
}

static void a_short_outage_is_survived(void **state)
{
    (void)state;
    struct sl_mc c;
    sl_mc_start_hosts(setup(&c), 2);
    for (int i = 0; i < 10; i++) {
        sl_store_sim_outage(c.sim, 0, c.now + 4 * SL_S);
        sl_mc_run(&c, 9 * SL_S);
    }
    assert_true(sl_mc_view(&c, 0).leader);
    sl_assert_u64(c.elections, 1);
    sl_mc_deinit(&c);
}

static void a_process_that_slept_too_long_fences_itself_before_anything_else(void **state)
{
    (void)state;
    struct sl_mc c;
    sl_mc_start_hosts(setup(&c), 2);
    sl_mc_pause(&c, 0);
    sl_mc_run(&c, 12 * SL_S);
    sl_assert_u64(sl_mc_leader(&c), 1);
    assert_true(sl_mc_view(&c, 0).leader); /* it does not know, but its belief in the lease is over */
    uint64_t ops = c.hosts[0].ops;
    sl_mc_resume(&c, 0);
    assert_true(sl_mc_view(&c, 0).fenced);
    sl_assert_u64(c.hosts[0].ops, ops);
    sl_mc_deinit(&c);
}

static void a_short_sleep_is_survived(void **state)
{
    (void)state;
    struct sl_mc c;
    sl_mc_start_hosts(setup(&c), 2);
    for (int i = 0; i < 10; i++) {
        sl_mc_pause(&c, 0);
        sl_mc_run(&c, 5 * SL_S);
        sl_mc_resume(&c, 0);
        sl_mc_run(&c, 4 * SL_S);
    }
    assert_true(sl_mc_view(&c, 0).leader);
    sl_mc_deinit(&c);
}

/* The store counts from when it performed a keepalive, the node from when it sent it. */
static void the_belief_counts_from_the_sending(void **state)
{
    (void)state;
    struct sl_mc c;
    struct sl_store_sim_opts opts = SL_STORE_SIM_OPTS_DEFAULT;
    opts.delay_ns = SL_S;
    opts.jitter_ns = 0;
    sl_mc_init(&c, opts);
    sl_mc_start(&c, 0);
    sl_mc_run(&c, 10 * SL_S);
    assert_true(sl_mc_view(&c, 0).joined);
    for (int i = 0; i < 100; i++) {
        sl_mc_run(&c, 100 * SL_MS);
        assert_true(sl_membership_lease_until(c.hosts[0].m) + SL_S <=
                    sl_store_model_deadline(sl_store_sim_model(c.sim)));
    }
    sl_mc_deinit(&c);
}

static void a_lease_that_the_store_ended_is_believed_gone(void **state)
{
    (void)state;
    struct sl_mc c;
    struct sl_store_result r;
    sl_mc_start_hosts(setup(&c), 2);
    c.hosts[0].leaving = true; /* the oracle is not asked: somebody else revokes the lease */
    c.writes_by_hand = true;
    struct sl_store_op op = { .id = 1, .verb = SL_STORE_REVOKE, .lease = c.hosts[0].lease };
    sl_store_sim_perform(c.sim, c.now, &op, &r);
    sl_mc_run(&c, 4 * SL_S);
    assert_true(sl_mc_view(&c, 0).fenced);
    assert_non_null(strstr(sl_mc_last(&c, 0, SL_EV_SESSION_FENCED), "store ended"));
    sl_assert_u64(sl_mc_leader(&c), 1);
    sl_mc_deinit(&c);
}

static void a_node_that_has_not_joined_begins_again_when_its_lease_ends(void **state)
{
    (void)state;
    struct sl_mc c;
    struct sl_key key;
    setup(&c);
    assert_true(sl_key_node_name(&key, SL_STR("c1"), SL_STR("node0")));
    sl_mc_put(&c, sl_key_str(&key), "somebody", 0);
    sl_mc_start(&c, 0);
    sl_mc_run(&c, 2 * SL_S);
    sl_lease_id first = c.hosts[0].lease;
    sl_store_sim_outage(c.sim, 0, c.now + 20 * SL_S);
    sl_mc_run(&c, 25 * SL_S);
    assert_true(c.hosts[0].lease != first);
    assert_false(sl_mc_view(&c, 0).fenced);
    sl_mc_delete(&c, sl_key_str(&key));
    sl_mc_run(&c, 2 * SL_S);
    assert_true(sl_mc_view(&c, 0).joined && sl_mc_view(&c, 0).leader);
    sl_mc_deinit(&c);
}

/* ---- the object itself ---- */

static void what_cannot_be_a_key_or_keep_a_lease_is_refused(void **state)
{
    (void)state;
    struct sl_mc c;
    struct sl_mem mem;
    struct sl_mem_opts mem_opts = sl_mem_opts_of(0);
    struct sl_membership *m = NULL;
    setup(&c);
    sl_mem_init(&mem, &mem_opts);
    for (int i = 0; i < 8; i++) {
        struct sl_membership_opts o = sl_mc_opts(&c, 0);
        o.mem = &mem;
        o.cluster = i == 0 ? SL_STR("a/b") : o.cluster;
        o.cluster.len = i == 1 ? 0 : o.cluster.len;
        o.self.id.len = i == 2 ? 0 : o.self.id.len;
        o.self.id.text[0] = i == 2 ? '\0' : o.self.id.text[0];
        o.self.address[0] = i == 3 ? '\0' : o.self.address[0];
        o.self.name[0] = i == 4 ? '/' : o.self.name[0];
        o.keepalive_ns = i == 5 ? o.ttl_ns / 2 : o.keepalive_ns;
        o.retry_ns = i == 6 ? 0 : o.retry_ns;
        sl_assert_i64(sl_membership_new(&m, &o, 0), i == 7 ? SL_OK : SL_BAD_CONFIG);
        assert_true((m != NULL) == (i == 7));
        sl_membership_free(m);
    }
    sl_mem_deinit(&mem);
    sl_mc_deinit(&c);
}

static void a_failed_allocation_at_any_call_refuses_and_leaks_nothing(void **state)
{
    (void)state;
    struct sl_mc c;
    struct sl_membership *m = NULL;
    enum sl_code code = SL_NOMEM;
    uint64_t n = 1;
    setup(&c);
    for (; code != SL_OK; n++) {
        struct sl_mem mem;
        struct sl_mem_opts mem_opts = sl_mem_opts_of(0);
        struct sl_membership_opts o = sl_mc_opts(&c, 0);
        sl_mem_init(&mem, &mem_opts);
        mem.fail_at = n;
        o.mem = &mem;
        code = sl_membership_new(&m, &o, 0);
        assert_true(code == SL_OK || (m == NULL && mem.live_bytes == 0));
        sl_membership_free(m);
        sl_mem_deinit(&mem);
    }
    assert_in_range(n, 6, 12);
    sl_mc_deinit(&c);
}

static void an_operation_without_room_is_issued_later(void **state)
{
    (void)state;
    struct sl_mc c;
    struct sl_mem mem;
    struct sl_mem_opts mem_opts = sl_mem_opts_of(0);
    struct sl_outbox out;
    struct sl_membership *m = NULL;
    const struct sl_store_op filler = { .id = 1, .verb = SL_STORE_RANGE };
    setup(&c);
    sl_mem_init(&mem, &mem_opts);
    struct sl_membership_opts o = sl_mc_opts(&c, 0);
    o.mem = &mem;
    sl_assert_i64(sl_outbox_init(&out, &mem, SL_TAG_OUTBOX, 130, 1 << 20), SL_OK);
    sl_assert_i64(sl_membership_new(&m, &o, 0), SL_OK);
    while (sl_out_store(&out, &filler))
        continue;
    uint32_t full = out.count;
    sl_membership_start(m, 0, &out);
    sl_assert_u64(out.count, full);
    sl_assert_i64(sl_membership_deadline(m), o.retry_ns);
    sl_outbox_reset(&out);
    sl_membership_on_tick(m, o.retry_ns, &out);
    sl_assert_u64(out.count, 1);
    sl_assert_i64(out.items[0].u.store.verb, SL_STORE_GRANT);
    sl_membership_free(m);
    sl_outbox_deinit(&out);
    sl_mem_deinit(&mem);
    sl_mc_deinit(&c);
}

static void answers_to_others_are_not_taken(void **state)
{
    (void)state;
    struct sl_mc c;
    sl_mc_start_hosts(setup(&c), 1);
    struct sl_mc_host *h = &c.hosts[0];
    const sl_op_id ids[] = { 1, h->opts.op_base, h->opts.op_base + 1000 };
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        struct sl_store_result r = { .id = ids[i], .outcome = SL_STORE_LEASE_GONE };
        struct sl_store_watch_batch b = { .watch = ids[i], .ended = true };
        assert_false(sl_membership_on_store(h->m, c.now, &r, &h->out));
        assert_false(sl_membership_on_watch(h->m, c.now, &b, &h->out));
    }
    sl_assert_u64(h->out.count, 0);
    sl_mc_deinit(&c);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_node_alone_joins_and_leads),
        cmocka_unit_test(all_see_all_and_the_oldest_leads),
        cmocka_unit_test(a_name_is_unique_and_the_second_waits_for_it),
        cmocka_unit_test(of_two_that_want_a_name_at_once_one_gets_it),
        cmocka_unit_test(a_restarted_node_gets_its_name_when_the_old_lease_ends),
        cmocka_unit_test(a_cluster_with_foreign_captures_is_joined_only_with_interop),
        cmocka_unit_test(captures_of_the_old_architecture_are_waited_out_even_with_interop),
        cmocka_unit_test(a_foreign_capture_that_comes_later_is_ignored_and_said),
        cmocka_unit_test(equal_addresses_are_said_by_both_nodes_once),
        cmocka_unit_test(a_clean_stop_is_seen_at_once),
        cmocka_unit_test(a_clean_stop_without_the_store_ends_with_the_lease),
        cmocka_unit_test(a_crashed_node_is_counted_out_after_lease_and_tombstone),
        cmocka_unit_test(a_node_that_registers_again_in_time_is_kept),
        cmocka_unit_test(a_newer_process_with_the_same_id_fences_the_older),
        cmocka_unit_test(an_older_process_does_not_take_the_id_of_a_newer),
        cmocka_unit_test(a_node_without_the_store_fences_itself_before_its_lease_ends),
        cmocka_unit_test(a_short_outage_is_survived),
        cmocka_unit_test(a_process_that_slept_too_long_fences_itself_before_anything_else),
        cmocka_unit_test(a_short_sleep_is_survived),
        cmocka_unit_test(the_belief_counts_from_the_sending),
        cmocka_unit_test(a_lease_that_the_store_ended_is_believed_gone),
        cmocka_unit_test(a_node_that_has_not_joined_begins_again_when_its_lease_ends),
        cmocka_unit_test(what_cannot_be_a_key_or_keep_a_lease_is_refused),
        cmocka_unit_test(a_failed_allocation_at_any_call_refuses_and_leaks_nothing),
        cmocka_unit_test(an_operation_without_room_is_issued_later),
        cmocka_unit_test(answers_to_others_are_not_taken),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
