/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/membership_cluster.h"

#include "core/common/mem_tags.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OUTBOX_COUNT = 512, OUTBOX_BYTES = 1 << 20 };

void sl_mc_init(struct sl_mc *c, struct sl_store_sim_opts opts)
{
    struct sl_mem_opts mem = sl_mem_opts_of(0);
    *c = (struct sl_mc){ .now = 100 * SL_S };
    sl_mem_init(&c->mem, &mem);
    opts.mem = &c->mem;
    opts.host_count_max = SL_MC_HOSTS_MAX;
    c->sim = sl_store_sim_new(&opts);
}

static void mc_drop_held(struct sl_mc_host *h)
{
    for (uint32_t i = 0; i < h->held_count; i++)
        free(h->held[i].memory);
    h->held_count = 0;
}

void sl_mc_crash(struct sl_mc *c, uint32_t i)
{
    struct sl_mc_host *h = &c->hosts[i];
    if (!h->m)
        return;
    sl_store_sim_drop(c->sim, i, h->life);
    mc_drop_held(h);
    sl_membership_free(h->m);
    sl_outbox_deinit(&h->out);
    sl_mem_deinit(&h->mem);
    h->m = NULL;
    h->paused = h->leaving = false;
    h->lease = 0;
    h->version = h->generation = 0;
}

void sl_mc_deinit(struct sl_mc *c)
{
    for (uint32_t i = 0; i < SL_MC_HOSTS_MAX; i++) {
        sl_mc_crash(c, i);
        free(c->hosts[i].held);
    }
    sl_store_model_check(sl_store_sim_model(c->sim));
    sl_store_sim_free(c->sim);
    sl_mem_deinit(&c->mem);
}

struct sl_membership_view sl_mc_view(const struct sl_mc *c, uint32_t i)
{
    struct sl_membership_view view = { 0 };
    if (c->hosts[i].m)
        sl_membership_view(c->hosts[i].m, &view);
    return view;
}

/* ---- oracles ---- */

static bool mc_believes_in_lease(const struct sl_mc *c, uint32_t i)
{
    const struct sl_mc_host *h = &c->hosts[i];
    return h->m && !h->leaving && c->now < sl_membership_lease_until(h->m);
}

static void mc_check_key(const struct sl_mc *c, uint32_t i, const struct sl_membership_view *view)
{
    struct sl_key owners;
    struct sl_store_result r;
    struct sl_node_id id = c->hosts[i].opts.self.id;
    assert_true(sl_key_owners(&owners, SL_STR("c1")));
    struct sl_store_op op = { .id = 1, .verb = SL_STORE_RANGE, .key = sl_key_str(&owners) };
    sl_store_sim_perform(c->sim, c->now, &op, &r);
    const struct sl_store_pair *oldest = NULL;
    for (uint32_t k = 0; k < r.pair_count; k++) {
        if (!oldest || r.pairs[k].create_revision < oldest->create_revision)
            oldest = &r.pairs[k];
    }
    assert_non_null(oldest);
    assert_true(sl_str_eq(sl_node_id_str(&id), (struct sl_str){ (const char *)oldest->value.ptr, oldest->value.len }));
    sl_assert_u64((uint64_t)oldest->mod_revision, view->leader_version);
}

static void mc_check(struct sl_mc *c)
{
    uint32_t leaders = 0;
    for (uint32_t i = 0; i < SL_MC_HOSTS_MAX; i++) {
        struct sl_mc_host *h = &c->hosts[i];
        if (!h->m || !mc_believes_in_lease(c, i))
            continue;
        struct sl_membership_view view = sl_mc_view(c, i);
        if (!sl_store_model_has_lease(sl_store_sim_model(c->sim), h->lease))
            fail_msg("n%u believes in a lease that is gone, until %lld", i, (long long)sl_membership_lease_until(h->m));
        if (!view.leader)
            continue;
        if (++leaders > 1)
            fail_msg("two leaders, n%u the second", i);
        if (!c->writes_by_hand)
            mc_check_key(c, i, &view);
    }
}

static void mc_check_host(struct sl_mc *c, uint32_t i)
{
    struct sl_mc_host *h = &c->hosts[i];
    struct sl_membership_view view = sl_mc_view(c, i);
    assert_true(view.generation >= h->generation);
    h->generation = view.generation;
    if (view.leader && view.leader_version != h->version) {
        assert_true(view.leader_version > c->version_max);
        c->version_max = view.leader_version;
        c->elections++;
    }
    h->version = view.leader_version;
    assert_true(view.leader == (view.leader_version != 0));
    assert_true(!view.leader || (view.joined && !view.fenced));
}

/* ---- doing what a node says ---- */

static void mc_note(struct sl_mc_host *h, const struct sl_event *event)
{
    struct sl_mc_event *e = &h->events[h->event_count++ % SL_MC_EVENTS_MAX];
    struct sl_text text;
    e->id = event->id;
    sl_text_init(&text, e->text, sizeof e->text);
    sl_event_format(&text, event);
}

static void mc_perform(struct sl_mc *c, uint32_t i)
{
    struct sl_mc_host *h = &c->hosts[i];
    for (uint32_t k = 0; k < h->out.count; k++) {
        const struct sl_output *o = &h->out.items[k];
        if (o->kind == SL_OUT_STORE) {
            h->critical_ops += o->u.store.critical ? 1 : 0;
            h->ops++;
            sl_store_sim_submit(c->sim, c->now, i, h->life, &o->u.store);
        } else if (o->kind == SL_OUT_EVENT) {
            mc_note(h, &o->u.event);
        } else {
            fail_msg("a membership has no business with outputs of kind %d", (int)o->kind);
        }
    }
    sl_assert_u64(h->out.dropped_count, 0);
    sl_outbox_reset(&h->out);
    mc_check_host(c, i);
    mc_check(c);
}

static void mc_tick(struct sl_mc *c, uint32_t i)
{
    sl_membership_on_tick(c->hosts[i].m, c->now, &c->hosts[i].out);
    mc_perform(c, i);
    assert_true(sl_membership_deadline(c->hosts[i].m) > c->now);
}

static void mc_deliver(struct sl_mc *c, const struct sl_store_sim_due *due)
{
    struct sl_mc_host *h = &c->hosts[due->host];
    if (due->is_batch) {
        assert_true(sl_membership_on_watch(h->m, c->now, &due->batch, &h->out));
    } else {
        if (due->result.verb == SL_STORE_GRANT && due->result.outcome == SL_STORE_OK)
            h->lease = due->result.lease;
        assert_true(sl_membership_on_store(h->m, c->now, &due->result, &h->out));
    }
    mc_perform(c, due->host);
}

static void mc_hold(struct sl_mc_host *h, const struct sl_store_sim_due *due)
{
    if (h->held_count == h->held_cap) {
        h->held_cap = h->held_cap * 2 + 8;
        struct sl_mc_held *larger = realloc(h->held, h->held_cap * sizeof *larger);
        assert_non_null(larger);
        h->held = larger;
    }
    struct sl_mc_held *held = &h->held[h->held_count++];
    *held = (struct sl_mc_held){ .due = *due };
    size_t size = due->is_batch ? sl_store_batch_bytes(&due->batch) : sl_store_result_bytes(&due->result);
    held->memory = malloc(size + 1);
    assert_non_null(held->memory);
    if (due->is_batch)
        sl_store_batch_copy(&held->due.batch, &due->batch, held->memory);
    else
        sl_store_result_copy(&held->due.result, &due->result, held->memory);
}

/* ---- hosts ---- */

struct sl_membership_opts sl_mc_opts(const struct sl_mc *c, uint32_t i)
{
    struct sl_membership_opts opts = SL_MEMBERSHIP_OPTS_DEFAULT;
    char id[32];
    snprintf(id, sizeof id, "n%u-%u", i, c->hosts[i].life + 1);
    opts.cluster = SL_STR("c1");
    opts.node_count_max = SL_MC_HOSTS_MAX * 8;
    opts.op_base = 1000;
    assert_true(sl_node_id_set(&opts.self.id, sl_str_of(id)));
    snprintf(opts.self.name, sizeof opts.self.name, "node%u", i);
    snprintf(opts.self.address, sizeof opts.self.address, "h%u:1", i);
    snprintf(opts.self.version, sizeof opts.self.version, "v8.5.4-sluice.0.1.0");
    opts.self.node_epoch = (uint64_t)c->now;
    opts.self.is_new_arch = opts.self.is_sluice = true;
    return opts;
}

void sl_mc_start_with(struct sl_mc *c, uint32_t i, const struct sl_membership_opts *opts)
{
    struct sl_mc_host *h = &c->hosts[i];
    struct sl_mem_opts mem = sl_mem_opts_of(0);
    assert_null(h->m);
    sl_mem_init(&h->mem, &mem);
    sl_assert_i64(sl_outbox_init(&h->out, &h->mem, SL_TAG_OUTBOX, OUTBOX_COUNT, OUTBOX_BYTES), SL_OK);
    h->life++;
    h->event_count = h->ops = h->critical_ops = 0;
    h->opts = *opts;
    h->opts.mem = &h->mem;
    sl_assert_i64(sl_membership_new(&h->m, &h->opts, c->now), SL_OK);
    sl_membership_start(h->m, c->now, &h->out);
    mc_perform(c, i);
}

void sl_mc_start(struct sl_mc *c, uint32_t i)
{
    struct sl_membership_opts opts = sl_mc_opts(c, i);
    sl_mc_start_with(c, i, &opts);
}

void sl_mc_pause(struct sl_mc *c, uint32_t i)
{
    c->hosts[i].paused = c->hosts[i].m != NULL;
}

void sl_mc_resume(struct sl_mc *c, uint32_t i)
{
    struct sl_mc_host *h = &c->hosts[i];
    if (!h->m || !h->paused)
        return;
    h->paused = false;
    for (uint32_t k = 0; k < h->held_count; k++)
        mc_deliver(c, &h->held[k].due);
    mc_drop_held(h);
    mc_tick(c, i);
}

void sl_mc_leave(struct sl_mc *c, uint32_t i)
{
    struct sl_mc_host *h = &c->hosts[i];
    h->leaving = true;
    sl_membership_leave(h->m, c->now, &h->out);
    mc_perform(c, i);
}

void sl_mc_resign(struct sl_mc *c, uint32_t i)
{
    sl_membership_resign(c->hosts[i].m, c->now, &c->hosts[i].out);
    mc_perform(c, i);
}

void sl_mc_set_alive(struct sl_mc *c, uint32_t i, bool alive)
{
    sl_membership_set_alive(c->hosts[i].m, c->now, alive, &c->hosts[i].out);
    mc_perform(c, i);
}

/* ---- time ---- */

static sl_ns mc_next(const struct sl_mc *c)
{
    sl_ns next = sl_store_sim_next_due(c->sim);
    for (uint32_t i = 0; i < SL_MC_HOSTS_MAX; i++) {
        if (sl_mc_is_up(c, i))
            next = sl_ns_min(next, sl_membership_deadline(c->hosts[i].m));
    }
    return next;
}

void sl_mc_run(struct sl_mc *c, sl_ns time)
{
    sl_ns until = c->now + time;
    struct sl_store_sim_due due;
    for (sl_ns next = mc_next(c); next <= until; next = mc_next(c)) {
        c->now = next > c->now ? next : c->now;
        while (sl_store_sim_take_due(c->sim, c->now, &due)) {
            if (c->hosts[due.host].paused)
                mc_hold(&c->hosts[due.host], &due);
            else
                mc_deliver(c, &due);
        }
        for (uint32_t i = 0; i < SL_MC_HOSTS_MAX; i++) {
            if (sl_mc_is_up(c, i) && sl_membership_deadline(c->hosts[i].m) <= c->now)
                mc_tick(c, i);
        }
        mc_check(c);
    }
    c->now = until;
    mc_check(c);
}

/* ---- what tests ask ---- */

uint32_t sl_mc_leader(const struct sl_mc *c)
{
    uint32_t leader = SL_MC_HOSTS_MAX;
    for (uint32_t i = 0; i < SL_MC_HOSTS_MAX; i++) {
        if (sl_mc_is_up(c, i) && sl_mc_view(c, i).leader)
            leader = i;
    }
    return leader;
}

bool sl_mc_sees(const struct sl_mc *c, uint32_t i, const char *id)
{
    struct sl_membership_view view = sl_mc_view(c, i);
    for (uint32_t k = 0; k < view.member_count; k++) {
        if (strcmp(view.members[k].id.text, id) == 0)
            return true;
    }
    return false;
}

uint32_t sl_mc_said(const struct sl_mc *c, uint32_t i, enum sl_event_id id)
{
    const struct sl_mc_host *h = &c->hosts[i];
    uint32_t count = 0;
    uint64_t kept = h->event_count < SL_MC_EVENTS_MAX ? h->event_count : SL_MC_EVENTS_MAX;
    for (uint64_t k = 0; k < kept; k++)
        count += h->events[k].id == id ? 1 : 0;
    return count;
}

const char *sl_mc_last(const struct sl_mc *c, uint32_t i, enum sl_event_id id)
{
    const struct sl_mc_host *h = &c->hosts[i];
    for (uint64_t k = h->event_count; k > 0 && h->event_count - k < SL_MC_EVENTS_MAX; k--) {
        const struct sl_mc_event *e = &h->events[(k - 1) % SL_MC_EVENTS_MAX];
        if (e->id == id)
            return e->text;
    }
    return "";
}

void sl_mc_assert_converged(const struct sl_mc *c)
{
    uint32_t up = 0;
    uint32_t leader = sl_mc_leader(c);
    for (uint32_t i = 0; i < SL_MC_HOSTS_MAX; i++)
        up += sl_mc_is_up(c, i) ? 1 : 0;
    if (leader == SL_MC_HOSTS_MAX)
        fail_msg("nobody leads");
    for (uint32_t i = 0; i < SL_MC_HOSTS_MAX; i++) {
        if (!sl_mc_is_up(c, i))
            continue;
        struct sl_membership_view view = sl_mc_view(c, i);
        if (!view.joined)
            fail_msg("n%u has not joined: %s / %s", i, sl_mc_last(c, i, SL_EV_SESSION_STATE),
                     sl_mc_last(c, i, SL_EV_JOIN_REFUSED));
        sl_assert_u64(view.member_count, up);
        sl_assert_str(view.owner.text, c->hosts[leader].opts.self.id.text);
        sl_assert_u64(view.waiting_count, i == leader ? up - 1 : up - 2);
        for (uint32_t k = 0; k < SL_MC_HOSTS_MAX; k++) {
            if (sl_mc_is_up(c, k))
                assert_true(sl_mc_sees(c, i, c->hosts[k].opts.self.id.text));
        }
    }
}

void sl_mc_start_hosts(struct sl_mc *c, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        sl_mc_start(c, i);
        sl_mc_run(c, SL_S);
    }
}

struct sl_key sl_mc_capture_key(const char *id)
{
    struct sl_key key;
    struct sl_node_id node;
    assert_true(sl_node_id_set(&node, sl_str_of(id)));
    assert_true(sl_key_capture(&key, SL_STR("c1"), &node));
    return key;
}

struct sl_key sl_mc_owner_key(const struct sl_mc *c, uint32_t i)
{
    struct sl_key key;
    assert_true(sl_key_owner(&key, SL_STR("c1"), c->hosts[i].lease));
    return key;
}

bool sl_mc_stored(const struct sl_mc *c, const struct sl_key *key, struct sl_store_pair *pair)
{
    return sl_store_model_get(sl_store_sim_model(c->sim), sl_key_str(key), pair);
}

sl_lease_id sl_mc_foreign_lease(struct sl_mc *c, sl_ns ttl)
{
    struct sl_store_result r;
    struct sl_store_op op = { .id = 1, .verb = SL_STORE_GRANT, .ttl_ns = ttl };
    sl_store_sim_perform(c->sim, c->now, &op, &r);
    return r.lease;
}

static void mc_write(struct sl_mc *c, struct sl_store_action action)
{
    struct sl_store_result r;
    struct sl_store_op op = { .id = 1, .verb = SL_STORE_TXN, .then = &action, .then_count = 1 };
    sl_store_sim_perform(c->sim, c->now, &op, &r);
    sl_assert_i64(r.outcome, SL_STORE_OK);
}

void sl_mc_put(struct sl_mc *c, struct sl_str key, const char *value, sl_lease_id lease)
{
    mc_write(c, (struct sl_store_action){ SL_ACTION_PUT, key, { (const uint8_t *)value, strlen(value) }, lease });
}

void sl_mc_delete(struct sl_mc *c, struct sl_str key)
{
    mc_write(c, (struct sl_store_action){ .kind = SL_ACTION_DELETE, .key = key });
}
