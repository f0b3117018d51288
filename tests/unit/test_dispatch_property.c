/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/dispatch_driver.h"

#include "base/prng.h"

#include <string.h>

/*
 * Random maintainers, a random data plane, lost messages and changing membership against a model of what the invariants
 * of orchestrator.h allow. The model keeps what was said, not how the orchestrator keeps it.
 */
enum { FEEDS = 3, IDS = 14, NODES = 5, STEPS = 4000, SEEDS = 48, TRIGGER_A = 12, TRIGGER_B = 13 };

enum model_state { ABSENT, OPENING, OPEN, HOLLOW, CLOSING };
enum span_state { SPAN_NONE, SPAN_OPENING, SPAN_WORKING, SPAN_CLOSING, SPAN_ENDED };

struct span {
    enum span_state state;
    sl_dispatcher_token token;
    sl_ts own;
    bool follows, was_reported, is_trigger;
    bool is_kept;        /* it ended unasked: reported until it is removed or the owner changes */
    uint64_t seq_before; /* the largest seq of a watermark without it */
};

struct feed {
    enum model_state state;
    sl_feed_token token;
    uint32_t owner; /* index of a node name */
    bool owner_is_here;
    uint64_t epoch, tombstone;
    sl_ts progress;
    uint64_t seq;
    sl_ts checkpoint; /* the last watermark's */
    struct span spans[IDS];
};

struct model {
    struct dispatch_driver d;
    struct sl_prng prng;
    struct feed feeds[FEEDS + 1];
    bool stopping;
    size_t room_bytes;
};

static const char *const node_names[NODES] = { "n1", "n2", "n3", "n4", "n5" };

static uint64_t below(struct model *m, uint64_t bound)
{
    return sl_prng_below(&m->prng, bound);
}

static sl_node_ref node_ref(const struct model *m, uint32_t node)
{
    return sl_members_find_str(m->d.members, sl_str_of(node_names[node]));
}

static sl_ts checkpoint_of(const struct feed *f, const struct span *s)
{
    return s->follows ? sl_ts_max(s->own, f->progress) : s->own;
}

static sl_ts minimum_of(const struct feed *f)
{
    sl_ts least = SL_TS_MAX;
    for (int i = 0; i < IDS; i++) {
        if (f->spans[i].state != SPAN_NONE)
            least = sl_ts_min(least, checkpoint_of(f, &f->spans[i]));
    }
    return least;
}

/* ---- what comes out ---- */

static void observe_status(struct feed *f, const Pb__TableSpanStatus *status, uint64_t seq)
{
    struct span *s = &f->spans[status->id->low];
    if (s->state == SPAN_NONE) { /* D4: what is not here is said to be not here */
        assert_true(status->state == PB__COMPONENT_STATE__REMOVED || status->state == PB__COMPONENT_STATE__STOPPED);
        sl_assert_u64(status->checkpoint_ts, 0u);
        return;
    }
    const Pb__ComponentState wire[] = { [SPAN_OPENING] = PB__COMPONENT_STATE__INITIALIZING,
                                        [SPAN_WORKING] = PB__COMPONENT_STATE__WORKING,
                                        [SPAN_CLOSING] = PB__COMPONENT_STATE__WORKING,
                                        [SPAN_ENDED] = PB__COMPONENT_STATE__STOPPED };
    sl_assert_i64(status->state, wire[s->state]);
    sl_assert_u64(status->checkpoint_ts, checkpoint_of(f, s));
    if (!s->was_reported)
        assert_true(seq > s->seq_before); /* D5 */
    s->was_reported = true;
    if (s->state == SPAN_ENDED && f->state == OPEN && !s->is_kept) /* in a closing feed all end together */
        *s = (struct span){ 0 };
}

static void observe_heartbeat(struct model *m, const Pb__HeartBeatRequest *heartbeat, sl_node_ref to)
{
    struct feed *f = &m->feeds[heartbeat->changefeed->low];
    const Pb__Watermark *mark = heartbeat->watermark;
    if (f->state != ABSENT) {
        sl_assert_u64(to, node_ref(m, f->owner));
        assert_true(f->owner_is_here);
        sl_assert_u64(heartbeat->maintainer_epoch, f->epoch);
    }
    sl_assert_u64(mark != NULL, f->state == OPEN); /* nobody else may speak of "all dispatchers here" */
    if (mark) {
        sl_assert_u64(mark->checkpoint_ts, minimum_of(f)); /* D6 */
        assert_true(mark->resolved_ts >= mark->checkpoint_ts);
        assert_true(mark->seq > f->seq || (mark->seq == f->seq && mark->checkpoint_ts >= f->checkpoint));
        f->seq = mark->seq;
        f->checkpoint = mark->checkpoint_ts;
    }
    for (size_t i = 0; i < heartbeat->n_statuses; i++)
        observe_status(f, heartbeat->statuses[i], mark ? mark->seq : UINT64_MAX);
}

static struct feed *feed_of_token(struct model *m, sl_feed_token token)
{
    for (int i = 1; i <= FEEDS; i++) {
        if (m->feeds[i].token == token)
            return &m->feeds[i];
    }
    fail_msg("%s", "a command for a feed that is not open");
    return NULL;
}

static void observe_command(struct model *m, const struct sl_command *c)
{
    if (c->verb == SL_COMMAND_OPEN_FEED) {
        struct feed *f = &m->feeds[c->feed_id->low];
        assert_true(!m->stopping && f->state == ABSENT); /* D7 */
        f->state = OPENING;
        f->token = c->feed;
        f->progress = 0;
        return;
    }
    struct feed *f = feed_of_token(m, c->feed);
    struct span *s = &f->spans[c->id.low];
    if (c->verb == SL_COMMAND_OPEN) {
        assert_true(!m->stopping && f->state == OPEN && s->state == SPAN_NONE); /* D2, D3, D7 */
        *s = (struct span){ .state = SPAN_OPENING,
                            .token = c->dispatcher,
                            .own = c->start_ts,
                            .seq_before = f->seq,
                            .is_trigger = c->is_table_trigger };
    } else if (c->verb == SL_COMMAND_CLOSE) {
        assert_true(f->state == OPEN && s->token == c->dispatcher);
        assert_true(s->state == SPAN_OPENING || s->state == SPAN_WORKING);
        s->own = checkpoint_of(f, s);
        s->follows = false;
        s->state = SPAN_CLOSING;
    } else {
        sl_assert_i64(c->verb, SL_COMMAND_CLOSE_FEED);
        f->state = m->stopping && f->state == OPENING ? HOLLOW : CLOSING;
    }
}

static void observe(struct model *m)
{
    uint32_t heartbeats = 0;
    for (uint32_t i = 0; i < m->d.out.count; i++) {
        const struct sl_output *item = &m->d.out.items[i];
        if (item->kind == SL_OUT_COMMAND)
            observe_command(m, &item->u.command);
        else if (item->kind == SL_OUT_SEND && item->u.send.type == SL_MSG_HEART_BEAT_REQUEST)
            observe_heartbeat(m, dispatch_sent(&m->d, SL_MSG_HEART_BEAT_REQUEST, heartbeats++), item->u.send.to);
    }
}

/* ---- maintainers ---- */

struct sender {
    uint32_t feed, node;
    uint64_t epoch;
};

static struct sender sender_any(struct model *m)
{
    struct sender s = { .feed = (uint32_t)below(m, FEEDS) + 1 };
    const struct feed *f = &m->feeds[s.feed];
    do
        s.node = (uint32_t)below(m, NODES);
    while (node_ref(m, s.node) == SL_NODE_NONE);
    uint64_t newest = f->epoch > f->tombstone ? f->epoch : f->tombstone;
    s.epoch = (newest > 2 ? newest : 2) - 1 + below(m, 3);
    bool is_owner = f->state != ABSENT && f->owner_is_here && below(m, 8) > 0;
    if (is_owner) {
        s.node = f->owner;
        s.epoch = f->epoch;
    }
    return s;
}

static bool may_use(const struct feed *f, struct sender s)
{
    return f->state != ABSENT && s.epoch == f->epoch && f->owner_is_here && s.node == f->owner;
}

static void take(struct feed *f, struct sender s)
{
    assert_true(s.epoch >= f->epoch || f->state == ABSENT); /* D1 */
    for (int i = 0; i < IDS && f->state == OPEN && (f->epoch != s.epoch || f->owner != s.node); i++) {
        if (f->spans[i].is_kept)
            f->spans[i] = (struct span){ 0 };
    }
    f->epoch = s.epoch;
    f->owner = s.node;
    f->owner_is_here = true;
}

/* D4: a request of the owner led to a command, or to a status of the id within the batching time. */
static void expect_answer(struct model *m, enum sl_command_verb verb, uint64_t id)
{
    const struct sl_command *command = dispatch_command(&m->d, verb, 0);
    bool answered = command || dispatch_status(&m->d, id);
    observe(m);
    if (answered)
        return;
    dispatch_tick(&m->d, 2 * SL_MS);
    assert_non_null(dispatch_status(&m->d, id));
    observe(m);
}

static void do_schedule(struct model *m)
{
    struct sender s = sender_any(m);
    const struct feed *f = &m->feeds[s.feed];
    bool is_create = below(m, 2) == 0, expected = may_use(f, s);
    uint64_t id = below(m, IDS - 1) + 1;
    if (is_create)
        dispatch_create(&m->d, node_ref(m, s.node), s.feed, s.epoch, id, 100 + below(m, 50));
    else
        m->feeds[s.feed].spans[id].is_kept &= !(expected && f->state == OPEN);
    if (!is_create)
        dispatch_remove(&m->d, node_ref(m, s.node), s.feed, s.epoch, id);
    sl_assert_i64(m->d.refusal == SL_REFUSE_NONE, expected);
    if (expected)
        expect_answer(m, is_create ? SL_COMMAND_OPEN : SL_COMMAND_CLOSE, id);
    else if (f->state != ABSENT)
        sl_assert_u64(dispatch_output_count(&m->d), 0u);
}

static void do_bootstrap(struct model *m)
{
    struct sender s = sender_any(m);
    struct feed *f = &m->feeds[s.feed];
    const uint64_t triggers[] = { 0, 0, TRIGGER_A, TRIGGER_B };
    bool expected = s.epoch > f->epoch || (s.epoch == f->epoch && s.node == f->owner);
    if (f->state == ABSENT)
        expected = s.epoch > f->tombstone;
    dispatch_bootstrap(&m->d, node_ref(m, s.node), s.feed, s.epoch, triggers[below(m, 4)], 100);
    sl_assert_i64(m->d.refusal == SL_REFUSE_NONE, expected);
    const Pb__MaintainerBootstrapResponse *response = dispatch_sent(&m->d, SL_MSG_MAINTAINER_BOOTSTRAP_RESPONSE, 0);
    bool opens = f->state == OPENING || (f->state == ABSENT && !m->stopping);
    if (expected && (opens || (response && !response->err)))
        take(f, s);
    sl_assert_i64(response != NULL, expected && !opens); /* D4 */
    if (expected && f->state == ABSENT && m->stopping) {
        f->state = HOLLOW;
        f->tombstone = 0;
    }
    observe(m);
}

static void forget(struct feed *f)
{
    f->tombstone = f->epoch > f->tombstone ? f->epoch : f->tombstone;
    memset(f->spans, 0, sizeof f->spans);
    f->state = ABSENT;
    f->token = 0;
}

static void do_close(struct model *m)
{
    struct sender s = sender_any(m);
    struct feed *f = &m->feeds[s.feed];
    if (f->state == OPEN && below(m, 30) > 0) /* or nothing would live long */
        return;
    bool absent = f->state == ABSENT, hollow = f->state == HOLLOW;
    bool expected = absent || may_use(f, s) || s.epoch > f->epoch;
    dispatch_close(&m->d, node_ref(m, s.node), s.feed, s.epoch, below(m, 4) == 0);
    sl_assert_i64(m->d.refusal == SL_REFUSE_NONE, expected);
    const Pb__MaintainerCloseResponse *response = dispatch_sent(&m->d, SL_MSG_MAINTAINER_CLOSE_RESPONSE, 0);
    assert_non_null(response); /* D4, the stale ones too */
    sl_assert_i64(response->success, absent || (expected && hollow));
    sl_assert_i64(response->outcome == PB__CLOSE_OUTCOME__STALE, !expected);
    if (absent)
        f->tombstone = s.epoch > f->tombstone ? s.epoch : f->tombstone;
    else if (expected)
        take(f, s);
    observe(m);
    if (expected && hollow)
        forget(f);
    else if (expected && !absent)
        f->state = CLOSING;
}

/* ---- the data plane ---- */

static void report_span(struct model *m, struct feed *f, struct span *s)
{
    sl_ts checkpoint = checkpoint_of(f, s) + below(m, 5);
    bool follows = s->state != SPAN_CLOSING && below(m, 2) == 0;
    if (follows) /* it may follow only from where the feed is */
        checkpoint = sl_ts_max(checkpoint, f->progress);
    enum sl_report_kind kind = s->state == SPAN_OPENING ? SL_REPORT_READY : SL_REPORT_PROGRESS;
    if (s->state == SPAN_CLOSING && below(m, 2) == 0)
        kind = SL_REPORT_CLOSED;
    if (below(m, 40) == 0)
        kind = SL_REPORT_FAILED;
    bool ends = kind == SL_REPORT_CLOSED || kind == SL_REPORT_FAILED;
    if (f->state == OPEN) { /* else it crosses a close of the feed, and counts for nothing */
        s->own = checkpoint;
        s->follows = follows && !ends;
        if (kind == SL_REPORT_READY)
            s->state = SPAN_WORKING;
        if (ends) {
            s->is_kept = s->state != SPAN_CLOSING && !s->is_trigger;
            s->state = SPAN_ENDED;
        }
    }
    dispatch_report(&m->d, kind, s->token, checkpoint, follows);
    observe(m);
}

static void do_span(struct model *m)
{
    struct feed *f = &m->feeds[below(m, FEEDS) + 1];
    struct span *s = &f->spans[below(m, IDS)];
    if (s->state != SPAN_NONE && s->state != SPAN_ENDED)
        report_span(m, f, s);
}

static void report_opening(struct model *m, struct feed *f)
{
    bool works = below(m, 4) > 0;
    enum model_state next = works ? OPEN : ABSENT;
    if (!m->stopping || !works) /* else the CLOSE_FEED shows it */
        f->state = m->stopping ? HOLLOW : next;
    if (works || m->stopping)
        f->tombstone = 0;
    dispatch_report_feed(&m->d, works ? SL_REPORT_FEED_OPENED : SL_REPORT_FEED_FAILED, f->token, 0);
    observe(m);
    uint32_t answers = dispatch_sent_count(&m->d, SL_MSG_MAINTAINER_BOOTSTRAP_RESPONSE);
    if (m->d.out.arena.bytes_max == m->room_bytes)
        sl_assert_u64(answers, f->owner_is_here); /* D4: the one answer, to the owner of now */
    if (f->state == ABSENT || f->state == HOLLOW)
        f->token = 0;
}

static void do_feed(struct model *m)
{
    struct feed *f = &m->feeds[below(m, FEEDS) + 1];
    if (f->state == OPENING) {
        report_opening(m, f);
    } else if (f->state == OPEN) {
        sl_ts said = f->progress + below(m, 8);
        for (int i = 0; i < IDS; i++) /* ahead of no follower that is ahead of it */
            said = f->spans[i].follows && below(m, 2) == 0 ? sl_ts_min(said, checkpoint_of(f, &f->spans[i])) : said;
        f->progress = sl_ts_max(f->progress, sl_ts_max(said, 100));
        dispatch_report_feed(&m->d, SL_REPORT_FEED_PROGRESS, f->token, f->progress);
        observe(m);
    } else if (f->state == CLOSING && below(m, 4) == 0) {
        dispatch_report_feed(&m->d, SL_REPORT_FEED_CLOSED, f->token, 0);
        observe(m);
        forget(f);
    }
}

/* ---- the world ---- */

static void do_members(struct model *m)
{
    const char *names[NODES];
    uint32_t count = 0;
    if (below(m, 30) > 0)
        return;
    for (uint32_t i = 1; i < NODES; i++) {
        if (below(m, 4) > 0)
            names[count++] = node_names[i];
    }
    dispatch_members(&m->d, names, count);
    for (int i = 1; i <= FEEDS; i++) {
        struct feed *f = &m->feeds[i];
        f->owner_is_here = f->owner_is_here && node_ref(m, f->owner) != SL_NODE_NONE;
    }
    observe(m);
}

static void do_tick(struct model *m)
{
    sl_ns at = sl_orchestrator_deadline(m->d.o);
    if (at != SL_NEVER && below(m, 2) == 0)
        dispatch_tick(&m->d, at > m->d.now ? at - m->d.now : 0);
    else
        dispatch_tick(&m->d, (sl_ns)below(m, 5) * SL_MS);
    observe(m);
}

static void do_liveness(struct model *m, int step)
{
    if (step == STEPS / 2)
        dispatch_liveness(&m->d, SL_LIVENESS_DRAINING);
    if (step == STEPS * 3 / 4) {
        m->stopping = true;
        dispatch_liveness(&m->d, SL_LIVENESS_STOPPING);
    }
}

static void one_step(struct model *m)
{
    /* Sometimes there is no room for messages; what must not get lost then is seen in the steps after it. */
    bool lossy = below(m, 10) == 0;
    uint64_t choice = below(m, lossy ? 6 : 10);
    m->d.out.arena.bytes_max = lossy ? 16 : m->room_bytes;
    if (choice < 3)
        do_span(m);
    else if (choice < 4)
        do_feed(m);
    else if (choice < 5)
        do_tick(m);
    else if (choice < 6)
        do_members(m);
    else if (choice < 8)
        do_schedule(m);
    else if (choice < 9)
        do_bootstrap(m);
    else
        do_close(m);
    m->d.out.arena.bytes_max = m->room_bytes;
}

static void run(uint64_t seed)
{
    struct model m = { 0 };
    struct sl_orchestrator_opts opts = dispatch_opts();
    opts.statuses_per_message = 3;
    opts.full_status_ns = 50 * SL_MS;
    opts.heartbeat_ns = 20 * SL_MS;
    sl_prng_init(&m.prng, seed);
    dispatch_start(&m.d, &opts);
    m.room_bytes = m.d.out.arena.bytes_max;
    bool stops = below(&m, 3) == 0;
    for (int step = 0; step < STEPS; step++) {
        if (stops)
            do_liveness(&m, step);
        one_step(&m);
    }
    dispatch_stop(&m.d);
}

static void invariants_hold_for_random_inputs(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        run(seed);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(invariants_hold_for_random_inputs) };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
