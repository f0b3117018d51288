/* SPDX-License-Identifier: Apache-2.0 */
#include "base/prng.h"
#include "tests/support/feeds_driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Random histories against models of maintainer managers, a network and a store: messages get lost, come twice and
 * late; the store refuses, loses answers, and performs what it said nothing about later; nodes leave and join; the
 * coordinator is replaced and finds only what is durable. Checked all the time, by what is sent and what is stored:
 *
 *   F3  an Add carries an epoch that the store held, and no two Adds to different nodes, or of different coordinators,
 *       carry the same one
 *   F4  nobody is told to start a maintainer while another one runs, or has not closed
 *   F5  a stored checkpoint never goes back, and never passes what an owner said
 *   and that stored epochs only grow. (F1, F2 and F6 are checked by sl__feeds_check and by the Add itself.)
 *
 * In the end everything heals, and every feed that should run runs exactly once, with its durable epoch.
 */
enum { SEEDS = 30, STEPS = 2500, NODES = 6, FEEDS = 6, NET_MAX = 2000, HEAL_ROUNDS = 600 };

enum life { GONE, BOOTING, RUNNING, CLOSING, CLOSED };

struct maintainer {
    enum life life;
    bool ran; /* got as far as RUNNING */
    uint64_t epoch;
    sl_ts checkpoint;
};

struct message { /* to_node: of the coordinator; else a status */
    bool to_node;
    uint32_t node, life; /* number, and which life of it */
    struct fd_sent order;
    uint32_t feed;
    uint64_t epoch;
    sl_ts checkpoint;
    bool stopped, bootstrapped, failed, refused;
};

struct feed_model {
    uint64_t dispatcher_epoch; /* the dispatchers obey this epoch and no lower one */
    sl_ts said;                /* highest checkpoint an owner has said */
    uint64_t stored_epoch;
    sl_ts stored_checkpoint;
    uint64_t add_epoch; /* of the last Add */
    sl_node_ref add_to;
    uint32_t add_by; /* coordinator */
    bool exists;
};

struct world {
    struct feeds_driver d;
    struct sl_prng prng;
    struct maintainer at[NODES + 1][FEEDS + 1];
    uint32_t lives[NODES + 1];
    struct feed_model feeds[FEEDS + 1];
    struct message net[NET_MAX];
    uint32_t net_count, coordinators;
    bool heals;
};

static uint64_t below(struct world *w, uint64_t bound)
{
    return sl_prng_below(&w->prng, bound);
}

static bool chance(struct world *w, uint32_t percent)
{
    return !w->heals && below(w, 100) < percent;
}

/* ---- the network ------------------------------------------------------------------------------------------------- */

static void post(struct world *w, const struct message *m)
{
    if (w->net_count < NET_MAX && !chance(w, 10))
        w->net[w->net_count++] = *m;
}

static uint32_t number_of(const struct world *w, sl_node_ref ref)
{
    for (uint32_t number = 1; number <= NODES; number++) {
        if (w->d.alive[number] && fd_ref(&w->d, number) == ref)
            return number;
    }
    return 0;
}

/* F3, F4. */
static void check_add(struct world *w, const struct fd_sent *s)
{
    struct feed_model *f = &w->feeds[s->feed];
    struct sl_feed_record r = fd_record(&w->d, s->feed);
    sl_assert_u64(s->epoch, s->config_epoch);
    assert_true(s->epoch <= r.epoch);
    bool again = s->epoch == f->add_epoch && s->to == f->add_to && w->coordinators == f->add_by;
    assert_true(again || s->epoch > f->add_epoch);
    f->add_epoch = s->epoch;
    f->add_to = s->to;
    f->add_by = w->coordinators;
    for (uint32_t node = 1; node <= NODES && !again; node++) {
        const struct maintainer *m = &w->at[node][s->feed];
        bool alive = w->d.alive[node] && m->ran && (m->life == RUNNING || m->life == CLOSING);
        if (alive && m->epoch < s->epoch)
            print_error("feed %u: Add(%llu) to %u while %llu runs on n%u\n", s->feed, (unsigned long long)s->epoch,
                        s->to, (unsigned long long)m->epoch, node);
        assert_false(alive && m->epoch < s->epoch);
    }
}

static void take_sent(struct world *w)
{
    for (uint32_t i = 0; i < w->d.sent_count; i++) {
        const struct fd_sent *s = &w->d.sent[i];
        uint32_t node = number_of(w, s->to);
        if (s->type == SL_MSG_ADD_MAINTAINER_REQUEST)
            check_add(w, s);
        if (node != 0 && s->type != SL_MSG_CHECKPOINT_TS_MESSAGE)
            post(w, &(struct message){ .to_node = true, .node = node, .life = w->lives[node], .order = *s });
    }
    fd_forget(&w->d);
    w->d.reply_count = 0;
}

/* F5, and that epochs grow. A feed that is made anew begins anew. */
static void check_store(struct world *w)
{
    for (uint32_t feed = 1; feed <= FEEDS; feed++) {
        struct feed_model *f = &w->feeds[feed];
        if (!fd_is_stored(&w->d, feed)) {
            *f = (struct feed_model){ .dispatcher_epoch = f->dispatcher_epoch, .add_epoch = f->add_epoch };
            continue;
        }
        uint64_t epoch = fd_record(&w->d, feed).epoch;
        sl_ts checkpoint = fd_status_value(&w->d, feed).checkpoint;
        assert_true(epoch >= f->stored_epoch);
        assert_true(checkpoint >= f->stored_checkpoint);
        assert_true(checkpoint <= sl_ts_max(f->said, 100));
        f->stored_epoch = epoch;
        f->stored_checkpoint = checkpoint;
        f->exists = true;
    }
}

static void after(struct world *w)
{
    take_sent(w);
    check_store(w);
}

/* ---- maintainer managers ----------------------------------------------------------------------------------------- */

static void report(struct world *w, uint32_t node, uint32_t feed)
{
    struct maintainer *m = &w->at[node][feed];
    if (m->life == GONE)
        return;
    post(w, &(struct message){ .node = node,
                               .life = w->lives[node],
                               .feed = feed,
                               .epoch = m->epoch,
                               .checkpoint = m->checkpoint,
                               .stopped = m->life == CLOSED,
                               .bootstrapped = m->ran,
                               .failed = m->life == RUNNING && chance(w, 3) });
    if (m->life == CLOSED)
        m->life = GONE;
}

static void report_absent(struct world *w, uint32_t node, uint32_t feed, uint64_t epoch, bool refused)
{
    post(w,
         &(struct message){
             .node = node, .life = w->lives[node], .feed = feed, .epoch = epoch, .stopped = true, .refused = refused });
}

static void on_add(struct world *w, uint32_t node, const struct fd_sent *s)
{
    struct maintainer *m = &w->at[node][s->feed];
    bool stopping = sl_nodes_at(w->d.nodes, fd_ref(&w->d, node))->liveness == SL_LIVENESS_STOPPING;
    bool gives_way = m->life == GONE || (m->life == CLOSED && s->epoch > m->epoch);
    if (gives_way && (stopping || chance(w, 5))) {
        report_absent(w, node, s->feed, s->epoch, true);
        return;
    }
    if (gives_way)
        *m = (struct maintainer){ .life = BOOTING, .epoch = s->epoch, .checkpoint = s->checkpoint };
    report(w, node, s->feed);
}

static void on_remove(struct world *w, uint32_t node, const struct fd_sent *s)
{
    struct maintainer *m = &w->at[node][s->feed];
    if (m->life == GONE && !s->cascade) {
        report_absent(w, node, s->feed, s->epoch, false);
        return;
    }
    if (m->life == GONE)
        *m = (struct maintainer){ .life = CLOSING, .epoch = s->epoch, .checkpoint = 1 };
    bool refused = m->epoch != s->epoch || (m->life == BOOTING && !s->cascade);
    if (!refused && m->life != CLOSED)
        m->life = CLOSING;
    report(w, node, s->feed);
}

/* Time passes on a node: what may go on goes on. */
static void live(struct world *w, uint32_t node, uint32_t feed)
{
    struct maintainer *m = &w->at[node][feed];
    struct feed_model *f = &w->feeds[feed];
    if (m->life == BOOTING && m->epoch >= f->dispatcher_epoch && below(w, 3) == 0) {
        m->life = RUNNING;
        m->ran = true;
        f->dispatcher_epoch = m->epoch;
    } else if (m->life == RUNNING && m->epoch == f->dispatcher_epoch) {
        m->checkpoint += below(w, 5);
        f->said = sl_ts_max(f->said, m->checkpoint);
    } else if (m->life == CLOSING && below(w, 3) == 0) {
        m->life = CLOSED;
    }
}

static void do_nodes(struct world *w)
{
    for (uint32_t node = 1; node <= NODES; node++) {
        for (uint32_t feed = 1; feed <= FEEDS && w->d.alive[node]; feed++) {
            live(w, node, feed);
            if (below(w, 2) == 0 || w->heals)
                report(w, node, feed);
        }
    }
}

/* ---- what happens ------------------------------------------------------------------------------------------------ */

static void deliver_status(struct world *w, const struct message *m)
{
    if (m->refused)
        fd_refused(&w->d, m->node, m->feed, m->epoch);
    else if (m->stopped)
        fd_stopped(&w->d, m->node, m->feed, m->epoch, m->checkpoint);
    else if (m->failed)
        fd_error(&w->d, m->node, m->feed, m->epoch, m->checkpoint, "CDC:ErrX");
    else if (m->bootstrapped)
        fd_working(&w->d, m->node, m->feed, m->epoch, m->checkpoint);
    else
        fd_booting(&w->d, m->node, m->feed, m->epoch, m->checkpoint);
}

static void do_deliver(struct world *w)
{
    if (w->net_count == 0)
        return;
    struct message m = w->net[0];
    memmove(w->net, w->net + 1, --w->net_count * sizeof *w->net);
    if (!m.to_node && chance(w, 10))
        post(w, &m); /* once more, after everything that is on the way now */
    if (!w->d.alive[m.node] || m.life != w->lives[m.node])
        return;
    if (!m.to_node)
        deliver_status(w, &m);
    else if (m.order.type == SL_MSG_ADD_MAINTAINER_REQUEST)
        on_add(w, m.node, &m.order);
    else
        on_remove(w, m.node, &m.order);
}

static void do_store(struct world *w)
{
    const enum fd_fate fates[] = { FD_REFUSED, FD_UNKNOWN_DONE, FD_UNKNOWN_NOT_DONE, FD_UNKNOWN_LATE };
    if (w->d.op_count > 1) { /* in any order */
        uint32_t other = (uint32_t)below(w, w->d.op_count);
        struct fd_op op = w->d.ops[0];
        w->d.ops[0] = w->d.ops[other];
        w->d.ops[other] = op;
    }
    fd_fail_store(&w->d, FD_DONE, 0);
    if (chance(w, 20))
        fd_fail_store(&w->d, fates[below(w, 4)], 1);
    fd_store_step(&w->d);
    if (below(w, 10) == 0)
        fd_late_step(&w->d);
}

static void do_members(struct world *w)
{
    uint32_t node = 2 + (uint32_t)below(w, NODES - 1); /* n1 is the coordinator's own */
    if (w->d.alive[node] && chance(w, 50)) {
        memset(w->at[node], 0, sizeof w->at[node]);
        w->lives[node]++;
        fd_lost(&w->d, node);
    } else if (!w->d.alive[node]) {
        fd_join(&w->d, node);
    }
}

static void do_draining(struct world *w)
{
    uint32_t node = 1 + (uint32_t)below(w, NODES);
    if (w->d.alive[node])
        fd_draining(&w->d, node, below(w, 3) == 0);
}

static void do_request(struct world *w)
{
    const enum sl_request_verb verbs[] = { SL_REQUEST_FEED_CREATE, SL_REQUEST_FEED_PAUSE,  SL_REQUEST_FEED_RESUME,
                                           SL_REQUEST_FEED_RESUME, SL_REQUEST_FEED_REMOVE, SL_REQUEST_FEED_UPDATE,
                                           SL_REQUEST_FEED_MOVE,   SL_REQUEST_FEED_LIST };
    uint32_t feed = 1 + (uint32_t)below(w, FEEDS);
    char node[8];
    const char *info = fd_info(feed, "normal", 0, 0);
    struct sl_feed_id id = fd_feed_id(feed);
    (void)snprintf(node, sizeof node, "n%u", 1 + (unsigned)below(w, NODES));
    struct sl_request r = { .verb = verbs[below(w, 8)], .feed = sl_feed_id_name(&id), .node = sl_str_of(node) };
    r.config = sl_secret_of((struct sl_bytes){ (const uint8_t *)info, strlen(info) });
    fd_request_of(&w->d, &r);
}

/* A successor: nobody obeys the predecessor any more, and all say what they run. */
static void do_failover(struct world *w)
{
    w->net_count = 0;
    w->coordinators++;
    if (chance(w, 50)) {
        fd_end(&w->d);
        w->d.reply_count = 0;
    }
    while (below(w, 2) == 0 && w->d.op_count > 0)
        free(w->d.ops[--w->d.op_count].memory); /* lost; the others may still be performed */
    fd_failover(&w->d);
    for (uint32_t node = 1; node <= NODES; node++) {
        for (uint32_t feed = 1; feed <= FEEDS && w->d.alive[node]; feed++) {
            const struct maintainer *m = &w->at[node][feed];
            if (m->life != GONE && m->life != CLOSED)
                fd_report(&w->d, node, feed, m->epoch, m->checkpoint);
        }
    }
    fd_fail_store(&w->d, FD_DONE, 0);
    w->d.holds_store = false;
    fd_load(&w->d);
    w->d.holds_store = true;
    fd_settle(&w->d);
}

static void do_tick(struct world *w)
{
    sl_ns due = sl_feeds_deadline(w->d.feeds);
    sl_ns delay = (sl_ns)below(w, 400) * SL_MS;
    if (due != SL_NEVER && due > w->d.now && below(w, 2) == 0)
        delay = due - w->d.now;
    fd_tick(&w->d, sl_ns_min(delay, 5 * SL_S));
}

static void one_step(struct world *w)
{
    uint64_t choice = below(w, 100);
    if (choice < 40)
        do_deliver(w);
    else if (choice < 60)
        do_store(w);
    else if (choice < 75)
        do_tick(w);
    else if (choice < 88)
        do_nodes(w);
    else if (choice < 92)
        do_draining(w);
    else if (choice < 96)
        do_request(w);
    else if (choice < 99)
        do_members(w);
    else if (below(w, 4) == 0)
        do_failover(w);
    after(w);
}

/* ---- the end ----------------------------------------------------------------------------------------------------- */

static uint32_t running_count(const struct world *w, uint32_t feed)
{
    uint32_t count = 0;
    for (uint32_t node = 1; node <= NODES; node++)
        count += w->d.alive[node] && w->at[node][feed].life != GONE;
    return count;
}

static bool is_healed(const struct world *w)
{
    bool healed = w->d.feeds->ops.count == 0;
    for (uint32_t feed = 1; feed <= FEEDS; feed++) {
        const struct sl__feed *f = fd_feed(&w->d, feed);
        bool runs = f && sl__feed_is_runnable(f);
        healed = healed && running_count(w, feed) == (runs ? 1u : 0u);
        healed = healed && (!runs || f->place == SL__PLACE_REPLICATING);
    }
    return healed;
}

static void heal(struct world *w)
{
    w->heals = true;
    while (fd_late_step(&w->d))
        continue;
    for (uint32_t node = 1; node <= NODES; node++) {
        if (!w->d.alive[node])
            fd_join(&w->d, node);
        fd_draining(&w->d, node, false);
    }
    for (int round = 0; round < HEAL_ROUNDS && (round < 20 || !is_healed(w)); round++) {
        while (w->d.op_count > 0)
            do_store(w);
        for (uint32_t left = w->net_count; left > 0; left--) {
            do_deliver(w);
            after(w);
        }
        do_nodes(w);
        fd_tick(&w->d, 2 * SL_S);
        after(w);
    }
}

static void check_healed(struct world *w)
{
    for (uint32_t feed = 1; feed <= FEEDS; feed++) {
        const struct sl__feed *f = fd_feed(&w->d, feed);
        if (!f || !sl__feed_is_runnable(f)) {
            sl_assert_u64(running_count(w, feed), 0);
            continue;
        }
        fd_assert_place(&w->d, feed, SL__PLACE_REPLICATING);
        sl_assert_u64(running_count(w, feed), 1);
        const struct maintainer *m = &w->at[number_of(w, f->node)][feed];
        sl_assert_i64(m->life, RUNNING);
        sl_assert_u64(m->epoch, f->epoch);
        assert_true(f->epoch <= fd_record(&w->d, feed).epoch);
    }
    sl_assert_u64(w->d.feeds->ops.count, 0);
}

static void run(uint64_t seed)
{
    static struct world w;
    memset(&w, 0, sizeof w);
    sl_prng_init(&w.prng, seed);
    fd_open(&w.d, NODES, NULL);
    for (uint32_t feed = 1; feed <= FEEDS - 1; feed++) {
        fd_put(&w.d, feed, "normal", 5, 100, SL_PROGRESS_NONE);
        w.feeds[feed].said = 100;
    }
    fd_load(&w.d);
    w.d.holds_store = true;
    fd_settle(&w.d);
    after(&w);
    for (int step = 0; step < STEPS; step++)
        one_step(&w);
    heal(&w);
    check_healed(&w);
    fd_stop(&w.d);
}

static void feeds_run_exactly_once_whatever_happened(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        run(seed);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(feeds_run_exactly_once_whatever_happened) };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
