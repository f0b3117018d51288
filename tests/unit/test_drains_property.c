/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/coordinator_driver.h"
#include "tests/support/sl_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Random histories: drains and undrains of any node while messages are lost, the store refuses, forgets to answer or
 * performs late, nodes leave, come and are replaced, and coordinators end. The driver checks each request and each
 * answer against what the store holds; here is what must hold in the end, when nothing fails any more.
 */
enum { SEEDS = 40, STEPS = 120, MEMBERS = 5 };

struct history {
    struct cd *c;
    struct sl_prng prng, places;
    uint64_t node_epochs;
    enum cd_kind kinds[CD_NODES_MAX];
};

static uint32_t draw(struct history *h, uint32_t bound)
{
    return (uint32_t)sl_prng_below(&h->prng, bound);
}

static const char *any_node(struct history *h)
{
    return h->c->nodes[draw(h, MEMBERS)].name;
}

static uint32_t member_count(const struct cd *c)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < c->node_count; i++)
        count += c->nodes[i].is_member;
    return count;
}

static void elect_any(struct history *h)
{
    struct cd *c = h->c;
    if (c->coordinator)
        cd_kill(c);
    const char *name = any_node(h);
    while (!cd_node(c, name)->is_member)
        name = any_node(h);
    cd_elect(c, name);
}

static void step_members(struct history *h)
{
    struct cd *c = h->c;
    struct cd_node *n = cd_node(c, any_node(h));
    bool is_owner = n == &c->nodes[c->owner];
    if (!n->is_member)
        cd_join(c, n->name, h->node_epochs += 1000000);
    else if (draw(h, 3) == 0 && !is_owner)
        cd_restart(c, n->name);
    else if (member_count(c) > 2 && !is_owner)
        cd_leave(c, n->name);
}

static void step_faults(struct history *h)
{
    struct cd *c = h->c;
    struct cd_node *n = cd_node(c, any_node(h));
    switch (draw(h, 6)) {
    case 0:
        n->is_mute = !n->is_mute;
        return;
    case 1:
        n->is_deaf = !n->is_deaf;
        return;
    case 2:
        n->ignores_targets = !n->ignores_targets;
        return;
    case 3:
        c->holds_store = !c->holds_store;
        return;
    case 4:
        cd_late(c);
        return;
    default:
        if (c->fault_count + c->late_count < CD_FAULTS_MAX / 2)
            cd_fault(c, (enum cd_fault)draw(h, CD_FAULT_LATE + 1));
    }
}

static void step_requests(struct history *h)
{
    struct cd *c = h->c;
    struct sl_request r = { .verb = SL_REQUEST_DRAIN_NODE };
    r.node = sl_str_of(any_node(h));
    uint32_t kind = draw(h, 8);
    if (kind == 0)
        r.verb = SL_REQUEST_UNDRAIN;
    else if (kind == 1)
        r.verb = SL_REQUEST_DRAIN;
    if (c->reply_count + 2 > CD_REPLIES_MAX)
        c->reply_count = 0;
    (void)cd_ask(c, &r);
}

static void step(struct history *h)
{
    uint32_t kind = draw(h, 20);
    if (kind < 2)
        step_members(h);
    else if (kind < 8)
        step_faults(h);
    else if (kind < 14)
        step_requests(h);
    else if (kind == 14)
        elect_any(h);
    cd_run(h->c, (sl_ns)draw(h, 3000) * SL_MS);
}

/* Nothing fails any more, nobody places anything on purpose, and the owner is somebody who is not drained. */
static void heal(struct history *h)
{
    struct cd *c = h->c;
    cd_late(c);
    c->fault_count = 0;
    c->places = NULL;
    c->evacuates = true;
    for (uint32_t i = 0; i < c->node_count; i++)
        c->nodes[i].is_mute = c->nodes[i].is_deaf = c->nodes[i].ignores_targets = false;
    cd_join(c, "n8", h->node_epochs += 1000000);
    cd_release_store(c);
    cd_run(c, 20 * SL_S);
    cd_kill(c);
    cd_elect(c, "n8");
    cd_run(c, 90 * SL_S);
}

static uint32_t open_count(struct cd *c)
{
    uint32_t open = 0;
    for (uint32_t i = 0; i < c->node_count; i++) {
        struct sl_intent intent;
        open += cd_intent(c, c->nodes[i].name, &intent) && intent.phase <= SL_DRAIN_SAFE;
    }
    return open;
}

static void check_end(struct history *h, uint64_t seed)
{
    struct cd *c = h->c;
    bool has_legacy = false, has_foreign = false;
    uint32_t open = open_count(c);
    for (uint32_t i = 0; i < c->node_count; i++) {
        has_legacy |= c->nodes[i].is_member && c->nodes[i].kind == CD_LEGACY;
        has_foreign |= c->nodes[i].is_member && c->nodes[i].kind == CD_FOREIGN;
    }
    for (uint32_t i = 0; i < c->node_count; i++) {
        const struct cd_node *n = &c->nodes[i];
        struct sl_intent intent;
        if (!cd_intent(c, n->name, &intent))
            continue;
        bool waits_for_another = has_foreign && open > 1 && intent.phase <= SL_DRAIN_EVACUATING;
        bool waits = waits_for_another || (has_legacy && intent.phase == SL_DRAIN_PENDING);
        bool has_ended = intent.phase == SL_DRAIN_SAFE || intent.phase >= SL_DRAIN_DONE;
        if (!has_ended && !waits)
            fail_msg("seed %llu: the drain of %s is %s: %s, %s", (unsigned long long)seed, n->name,
                     sl_drain_phase_name(intent.phase), cd_blocker(c, n->name),
                     cd_request(c, SL_REQUEST_DRAIN_SHOW, n->name)->drain.blocker_detail);
        if (n->is_member && n->kind == CD_SLUICE && intent.phase == SL_DRAIN_CANCELLED)
            sl_assert_i64(n->liveness, SL_LIVENESS_ALIVE);
    }
    for (uint32_t i = 0; i < c->node_count; i++) {
        const struct cd_node *n = &c->nodes[i];
        struct sl_drain_target held = sl_target_set_oldest(&n->set);
        struct sl_intent intent;
        if (n->is_member && sl_drain_target_is_set(&held))
            assert_true(cd_intent(c, held.node.text, &intent) && intent.phase <= SL_DRAIN_SAFE);
    }
}

static void run(uint64_t seed, bool has_others)
{
    struct history h = { .node_epochs = 10000000 };
    sl_prng_init(&h.prng, seed);
    sl_prng_init(&h.places, ~seed);
    struct cd *c = h.c = cd_new(MEMBERS, 3);
    c->opts.history_count_max = 6;
    if (has_others) {
        c->nodes[3].kind = CD_FOREIGN;
        c->nodes[4].kind = draw(&h, 4) == 0 ? CD_LEGACY : CD_SLUICE;
    }
    for (uint32_t feed = 0; feed < 3; feed++)
        cd_host(c, feed, any_node(&h));
    c->places = &h.places;
    cd_start(c);
    for (uint32_t i = 0; i < STEPS; i++) {
        c->evacuates = draw(&h, 4) > 0;
        step(&h);
    }
    heal(&h);
    check_end(&h, seed);
    cd_free(c);
}

/* SL_SEEDS=from-to runs others. */
static void run_seeds(bool has_others)
{
    const char *text = getenv("SL_SEEDS");
    char *end = NULL;
    uint64_t from = text ? strtoull(text, &end, 10) : 1;
    uint64_t to = end && *end == '-' ? strtoull(end + 1, NULL, 10) : from + SEEDS - 1;
    for (uint64_t seed = from; seed <= to; seed++)
        run(seed, has_others);
}

static void whatever_happens_drains_end_and_nothing_is_said_too_early(void **state)
{
    (void)state;
    run_seeds(false);
}

static void also_with_foreign_and_legacy_nodes(void **state)
{
    (void)state;
    run_seeds(true);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_happens_drains_end_and_nothing_is_said_too_early),
        cmocka_unit_test(also_with_foreign_and_legacy_nodes),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
