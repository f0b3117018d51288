/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/coordinator_nodes.h"

#include "core/common/mem_tags.h"
#include "tests/support/sl_test.h"

#include <stdio.h>
#include <string.h>

/* ---- small things ---- */

struct sl_node_id cd_id(const char *name)
{
    struct sl_node_id id;
    assert_true(sl_node_id_set(&id, sl_str_of(name)));
    return id;
}

uint32_t cd_index(const struct cd *c, const char *name)
{
    for (uint32_t i = 0; i < c->node_count; i++) {
        if (strcmp(c->nodes[i].name, name) == 0)
            return i;
    }
    fail_msg("no node %s", name);
    return 0;
}

struct cd_node *cd_node(struct cd *c, const char *name)
{
    return &c->nodes[cd_index(c, name)];
}

static void cd_feed_id(uint32_t feed, struct sl_feed_id *id)
{
    char name[8];
    (void)snprintf(name, sizeof name, "f%u", (unsigned)feed);
    Pb__ChangefeedID pb = PB__CHANGEFEED_ID__INIT;
    char keyspace[] = "default";
    pb.high = 7;
    pb.low = feed + 1;
    pb.name = name;
    pb.keyspace = keyspace;
    assert_true(sl_feed_id_set(id, &pb));
}

/* ---- what must hold ---- */

void cd_range(struct cd *c, struct sl_store_result *r)
{
    struct sl_key prefix;
    assert_true(sl_key_drains(&prefix, SL_STR(CD_CLUSTER)));
    struct sl_store_op op = { .id = 1, .verb = SL_STORE_RANGE, .key = sl_key_str(&prefix) };
    sl_store_model_perform(c->store, c->now, &op, r);
    sl_assert_i64(r->outcome, SL_STORE_OK);
}

bool cd_intent(struct cd *c, const char *node, struct sl_intent *intent)
{
    struct sl_store_result r;
    sl_revision newest = 0;
    cd_range(c, &r);
    for (uint32_t i = 0; i < r.pair_count; i++) {
        struct sl_intent read;
        bool is_readable = sl_intent_parse(&read, r.pairs[i].value) == SL_OK;
        if (!is_readable || strcmp(read.target.text, node) != 0 || r.pairs[i].create_revision < newest)
            continue;
        newest = r.pairs[i].create_revision;
        *intent = read;
    }
    return newest > 0;
}

static uint32_t cd_work(const struct cd *c, uint32_t node)
{
    uint32_t work = 0;
    for (uint32_t feed = 0; feed < c->feed_count; feed++)
        work += c->dispatchers[feed][node] + c->nodes[node].feeds[feed].is_here;
    return work;
}

static void cd_check_target(struct cd *c, const char *node, uint64_t epoch)
{
    struct sl_intent intent;
    assert_true(cd_intent(c, node, &intent));
    assert_true(epoch > 0 && intent.epoch >= epoch);
}

static void cd_check_liveness(struct cd *c, uint32_t node, const Pb__SetNodeLivenessRequest *req)
{
    const struct cd_node *n = &c->nodes[node];
    struct sl_intent intent;
    assert_true(cd_intent(c, n->name, &intent));
    if (req->undrain)
        assert_true(intent.cancelled);
    if (req->target != PB__NODE_LIVENESS__STOPPING || req->node_epoch != n->node_epoch)
        return;
    assert_true(intent.phase >= SL_DRAIN_STOPPING && !intent.cancelled);
    assert_true(!req->stop || (intent.phase == SL_DRAIN_SAFE && intent.stop_node));
    sl_assert_u64(cd_work(c, node), 0);
}

/* Whether the store says that this process of the node (0: any) is safe to stop. */
bool cd_is_safe(struct cd *c, uint32_t node, uint64_t node_epoch)
{
    struct sl_intent intent;
    const struct cd_node *n = &c->nodes[node];
    bool is_safe =
        cd_intent(c, n->name, &intent) &&
        (intent.phase == SL_DRAIN_SAFE || (intent.phase > SL_DRAIN_SAFE && intent.ended_from == SL_DRAIN_SAFE));
    return is_safe && (!n->is_member || node_epoch == 0 || intent.target_node_epoch == node_epoch);
}

static void cd_check_safe(struct cd *c)
{
    for (uint32_t i = 0; i < c->node_count; i++) {
        if (c->nodes[i].is_member && cd_is_safe(c, i, c->nodes[i].node_epoch))
            sl_assert_u64(cd_work(c, i), 0);
    }
}

/* ---- what nodes say ---- */

static void cd_say(struct cd *c, uint32_t from, enum sl_msg_type type, const ProtobufCMessage *message)
{
    const struct cd_node *n = &c->nodes[from];
    if (n->is_mute || !n->is_member || !c->coordinator || strcmp(n->coordinator, c->nodes[c->owner].name) != 0)
        return;
    struct cd_message m = {
        .from = from, .type = type, .len = sl_payload_size(type, message), .node_epoch = n->node_epoch
    };
    if (m.len > 0) {
        m.bytes = sl_mem_alloc(&c->out_mem, SL_TAG_NODE, m.len);
        assert_non_null(m.bytes);
        (void)sl_payload_encode(type, message, m.bytes);
    }
    assert_true(c->inbox_count < CD_QUEUE_MAX);
    c->inbox[(c->inbox_head + c->inbox_count++) % CD_QUEUE_MAX] = m;
}

struct cd_words { /* what a message points to */
    Pb__SelfReport self;
    Pb__DrainTarget targets[SL_TARGETS_MAX], *target_refs[SL_TARGETS_MAX];
    struct sl_drain_target oldest;
    Pb__ChangefeedID ids[CD_FEEDS_MAX];
    struct sl_feed_id feed_ids[CD_FEEDS_MAX];
    Pb__DrainProgress progress[CD_FEEDS_MAX][SL_TARGETS_MAX + 1], *progress_refs[CD_FEEDS_MAX][SL_TARGETS_MAX];
    Pb__MaintainerStatus statuses[CD_FEEDS_MAX], *status_refs[CD_FEEDS_MAX];
    size_t status_count;
};

static void cd_word_self(struct cd *c, uint32_t node, struct cd_words *w)
{
    struct cd_node *n = &c->nodes[node];
    pb__self_report__init(&w->self);
    for (uint32_t feed = 0; feed < c->feed_count; feed++) {
        w->self.maintainers += n->feeds[feed].is_here;
        w->self.dispatchers += c->dispatchers[feed][node];
    }
    w->self.source_readers = n->readers + (w->self.dispatchers > 0);
    w->self.unflushed_rows = n->unflushed_rows;
    w->self.report_seq = ++n->report_seq;
}

static size_t cd_word_targets(const struct cd_node *n, struct cd_words *w)
{
    for (uint32_t i = 0; i < n->set.count; i++) {
        pb__drain_target__init(&w->targets[i]);
        w->targets[i].node_id = (char *)n->set.targets[i].node.text;
        w->targets[i].epoch = n->set.targets[i].epoch;
        w->target_refs[i] = &w->targets[i];
    }
    w->oldest = sl_target_set_oldest(&n->set);
    return n->set.count;
}

static void cd_word_progress(struct cd *c, const struct cd_node *n, uint32_t feed, Pb__DrainProgress *p,
                             const struct sl_drain_target *target)
{
    uint32_t node = cd_index(c, target->node.text);
    pb__drain_progress__init(p);
    p->target_node_id = (char *)target->node.text;
    p->target_epoch = target->epoch;
    p->target_dispatcher_count = c->dispatchers[feed][node];
    p->target_inflight_drain_move_count = c->moves[feed][node];
    p->stuck = c->stuck[feed][node];
    p->bootstrapped = !n->is_unbootstrapped;
}

static void cd_word_status(struct cd *c, struct cd_node *n, uint32_t feed, Pb__ComponentState state, uint64_t epoch,
                           struct cd_words *w)
{
    size_t at = w->status_count++;
    Pb__MaintainerStatus *s = &w->statuses[at];
    pb__maintainer_status__init(s);
    cd_feed_id(feed, &w->feed_ids[at]);
    w->ids[at] = sl_feed_id_pb(&w->feed_ids[at]);
    s->changefeed = &w->ids[at];
    s->state = state;
    s->checkpoint_ts = 100;
    s->bootstrap_done = !n->is_unbootstrapped;
    s->maintainer_epoch = epoch;
    w->status_refs[at] = s;
    if (n->set.count == 0 || n->kind == CD_LEGACY || c->is_silent_feed[feed])
        return;
    cd_word_progress(c, n, feed, &w->progress[at][SL_TARGETS_MAX], &w->oldest);
    s->drain_progress = &w->progress[at][SL_TARGETS_MAX];
    for (uint32_t i = 0; i < n->set.count && n->kind == CD_SLUICE; i++) {
        cd_word_progress(c, n, feed, &w->progress[at][i], &n->set.targets[i]);
        w->progress_refs[at][s->n_drains++] = &w->progress[at][i];
    }
    s->drains = w->progress_refs[at];
}

static void cd_word_statuses(struct cd *c, struct cd_node *n, struct cd_words *w)
{
    for (uint32_t feed = 0; feed < c->feed_count; feed++) {
        if (n->feeds[feed].is_here)
            cd_word_status(c, n, feed, PB__COMPONENT_STATE__WORKING, n->feeds[feed].epoch, w);
    }
}

static uint64_t cd_capabilities(const struct cd_node *n)
{
    return n->kind == CD_SLUICE ? SL_CAP_EXT_REPORTS | SL_CAP_CLOSE_OUTCOME | SL_CAP_TARGET_SET | SL_CAP_STOP_ORDER : 0;
}

void cd_heartbeat(struct cd *c, const char *name)
{
    struct cd_words w = { .status_count = 0 };
    struct cd_node *n = cd_node(c, name);
    Pb__NodeHeartbeat hb = PB__NODE_HEARTBEAT__INIT;
    if (n->version == 0 || n->kind == CD_LEGACY)
        return;
    size_t targets = cd_word_targets(n, &w);
    hb.liveness = sl_liveness_pb(n->liveness);
    hb.node_epoch = n->node_epoch;
    hb.drain_target_node_id = w.oldest.node.text;
    hb.drain_target_epoch = n->set.version;
    if (n->kind == CD_SLUICE) {
        cd_word_self(c, cd_index(c, name), &w);
        hb.capabilities = cd_capabilities(n);
        hb.self = &w.self;
        hb.n_targets = targets;
        hb.targets = w.target_refs;
    }
    cd_say(c, cd_index(c, name), SL_MSG_NODE_HEARTBEAT_REQUEST, &hb.base);
}

void cd_statuses(struct cd *c, const char *name)
{
    struct cd_words w = { .status_count = 0 };
    struct cd_node *n = cd_node(c, name);
    Pb__MaintainerHeartbeat hb = PB__MAINTAINER_HEARTBEAT__INIT;
    (void)cd_word_targets(n, &w);
    cd_word_statuses(c, n, &w);
    hb.n_statuses = w.status_count;
    hb.statuses = w.status_refs;
    if (n->version > 0 && w.status_count > 0)
        cd_say(c, cd_index(c, name), SL_MSG_MAINTAINER_HEARTBEAT_REQUEST, &hb.base);
}

static void cd_say_status(struct cd *c, uint32_t node, uint32_t feed, Pb__ComponentState state, uint64_t epoch)
{
    struct cd_words w = { .status_count = 0 };
    Pb__MaintainerHeartbeat hb = PB__MAINTAINER_HEARTBEAT__INIT;
    (void)cd_word_targets(&c->nodes[node], &w);
    cd_word_status(c, &c->nodes[node], feed, state, epoch, &w);
    hb.n_statuses = 1;
    hb.statuses = w.status_refs;
    cd_say(c, node, SL_MSG_MAINTAINER_HEARTBEAT_REQUEST, &hb.base);
}

static void cd_say_bootstrap(struct cd *c, uint32_t node)
{
    struct cd_words w = { .status_count = 0 };
    struct cd_node *n = &c->nodes[node];
    Pb__CoordinatorBootstrapResponse r = PB__COORDINATOR_BOOTSTRAP_RESPONSE__INIT;
    size_t targets = cd_word_targets(n, &w);
    cd_word_statuses(c, n, &w);
    r.n_statuses = w.status_count;
    r.statuses = w.status_refs;
    if (n->kind != CD_LEGACY) {
        r.drain_protocol_version = SL_DRAIN_PROTOCOL_VERSION;
        r.drain_target_node_id = w.oldest.node.text;
        r.drain_target_epoch = n->set.version;
    }
    if (n->kind == CD_SLUICE) {
        cd_word_self(c, node, &w);
        r.liveness = sl_liveness_pb(n->liveness);
        r.node_epoch = n->node_epoch;
        r.capabilities = cd_capabilities(n);
        r.protocol_version = SL_PROTOCOL_VERSION;
        r.n_targets = targets;
        r.targets = w.target_refs;
        r.self = &w.self;
    }
    cd_say(c, node, SL_MSG_COORDINATOR_BOOTSTRAP_RESPONSE, &r.base);
}

/* ---- what nodes do ---- */

static void cd_on_bootstrap(struct cd *c, uint32_t node, const Pb__CoordinatorBootstrapRequest *req)
{
    struct cd_node *n = &c->nodes[node];
    n->bootstrap_requests++;
    if (req->version < n->version)
        return;
    n->version = req->version;
    memcpy(n->coordinator, c->nodes[c->owner].name, sizeof n->coordinator);
    cd_say_bootstrap(c, node);
    cd_heartbeat(c, n->name);
}

static void cd_on_target(struct cd *c, uint32_t node, const Pb__SetDispatcherDrainTargetRequest *req)
{
    struct cd_node *n = &c->nodes[node];
    struct sl_drain_target single = { .epoch = req->target_epoch };
    n->target_requests++;
    if (n->ignores_targets)
        return;
    assert_true(sl_node_id_set(&single.node, sl_str_of(req->target_node_id)));
    assert_true(n->kind != CD_LEGACY);
    assert_true(req->has_target_set == (n->kind == CD_SLUICE));
    struct sl_target_set wanted = sl_target_set_of(&single);
    if (req->has_target_set) {
        wanted.count = 0;
        for (size_t i = 0; i < req->n_targets; i++) {
            struct sl_drain_target *t = &wanted.targets[wanted.count++];
            t->epoch = req->targets[i]->epoch;
            assert_true(sl_node_id_set(&t->node, sl_str_of(req->targets[i]->node_id)));
            n->lag_budget_ms[i] = req->targets[i]->lag_budget_ms;
        }
    }
    assert_true(sl_target_set_is_valid(&wanted));
    for (uint32_t i = 0; i < wanted.count; i++)
        cd_check_target(c, wanted.targets[i].node.text, wanted.targets[i].epoch);
    (void)sl_target_set_apply(&n->set, &wanted);
    cd_heartbeat(c, n->name);
    cd_statuses(c, n->name);
}

static bool cd_hosts_work(struct cd *c, uint32_t node)
{
    struct cd_words w = { .status_count = 0 };
    cd_word_self(c, node, &w);
    return w.self.maintainers > 0 || w.self.dispatchers > 0 || w.self.source_readers > 0 || w.self.unflushed_rows > 0;
}

static void cd_say_liveness(struct cd *c, uint32_t node)
{
    Pb__SetNodeLivenessResponse r = PB__SET_NODE_LIVENESS_RESPONSE__INIT;
    r.applied = sl_liveness_pb(c->nodes[node].liveness);
    r.node_epoch = c->nodes[node].node_epoch;
    cd_say(c, node, SL_MSG_SET_NODE_LIVENESS_RESPONSE, &r.base);
}

static void cd_undo_drain(struct cd *c, uint32_t node)
{
    struct cd_node *n = &c->nodes[node];
    n->node_epoch++;
    n->report_seq = 0;
    n->liveness = SL_LIVENESS_ALIVE;
    cd_heartbeat(c, n->name);
    cd_say_bootstrap(c, node);
}

static void cd_on_liveness(struct cd *c, uint32_t node, const Pb__SetNodeLivenessRequest *req)
{
    struct cd_node *n = &c->nodes[node];
    bool is_right = req->node_epoch == n->node_epoch;
    cd_check_liveness(c, node, req);
    n->draining_requests += req->target == PB__NODE_LIVENESS__DRAINING;
    n->stopping_requests += req->target == PB__NODE_LIVENESS__STOPPING;
    n->undrain_requests += req->undrain != 0;
    n->stop_orders += req->stop != 0;
    bool guards = n->kind == CD_SLUICE && req->target == PB__NODE_LIVENESS__STOPPING && cd_hosts_work(c, node);
    if (is_right && req->undrain && n->liveness != SL_LIVENESS_STOPPING && n->kind == CD_SLUICE)
        cd_undo_drain(c, node);
    else if (is_right && !guards && sl_liveness_step(&n->liveness, (int)req->target))
        cd_heartbeat(c, n->name);
    cd_say_liveness(c, node);
}

static uint32_t cd_feed_of(const struct cd *c, const Pb__ChangefeedID *id)
{
    assert_true(id->low >= 1 && id->low <= c->feed_count);
    return (uint32_t)id->low - 1;
}

static void cd_on_add(struct cd *c, uint32_t node, const Pb__AddMaintainerRequest *req)
{
    struct cd_node *n = &c->nodes[node];
    uint32_t feed = cd_feed_of(c, req->changefeed);
    struct cd_hosted *h = &n->feeds[feed];
    n->adds++;
    if (n->refuses_work || n->liveness == SL_LIVENESS_STOPPING)
        return;
    if (!h->is_here || h->epoch < req->maintainer_epoch)
        *h = (struct cd_hosted){ .is_here = true, .is_bootstrapped = true, .epoch = req->maintainer_epoch };
    cd_say_status(c, node, feed, PB__COMPONENT_STATE__WORKING, h->epoch);
}

static void cd_on_remove(struct cd *c, uint32_t node, const Pb__RemoveMaintainerRequest *req)
{
    uint32_t feed = cd_feed_of(c, req->changefeed);
    struct cd_hosted *h = &c->nodes[node].feeds[feed];
    c->nodes[node].removes++;
    if (h->epoch == req->maintainer_epoch)
        h->is_here = false;
    cd_say_status(c, node, feed, PB__COMPONENT_STATE__STOPPED, req->maintainer_epoch);
}

void cd_obey(struct cd *c, uint32_t node, enum sl_msg_type type, struct sl_bytes payload)
{
    struct cd_node *n = &c->nodes[node];
    const ProtobufCMessage *m = NULL;
    if (n->is_deaf || !n->is_member)
        return;
    sl_assert_i64(sl_payload_decode(type, payload, &SL_WIRE_LIMITS_DEFAULT, &c->decoded, &m), SL_REFUSE_NONE);
    if (type == SL_MSG_COORDINATOR_BOOTSTRAP_REQUEST) {
        cd_on_bootstrap(c, node, (const Pb__CoordinatorBootstrapRequest *)(const void *)m);
        return;
    }
    if (n->version == 0 || strcmp(n->coordinator, c->nodes[c->owner].name) != 0)
        return;
    if (type == SL_MSG_SET_DISPATCHER_DRAIN_TARGET_REQUEST)
        cd_on_target(c, node, (const Pb__SetDispatcherDrainTargetRequest *)(const void *)m);
    else if (type == SL_MSG_SET_NODE_LIVENESS_REQUEST)
        cd_on_liveness(c, node, (const Pb__SetNodeLivenessRequest *)(const void *)m);
    else if (type == SL_MSG_ADD_MAINTAINER_REQUEST)
        cd_on_add(c, node, (const Pb__AddMaintainerRequest *)(const void *)m);
    else if (type == SL_MSG_REMOVE_MAINTAINER_REQUEST)
        cd_on_remove(c, node, (const Pb__RemoveMaintainerRequest *)(const void *)m);
    else
        fail_msg("the coordinator sent type %d", (int)type);
}

/* Maintainers with a target take one dispatcher per second off it. */
static void cd_evacuate(struct cd *c)
{
    for (uint32_t node = 0; node < c->node_count && c->evacuates; node++) {
        const struct cd_node *n = &c->nodes[node];
        for (uint32_t feed = 0; feed < c->feed_count; feed++) {
            for (uint32_t i = 0; i < n->set.count && n->feeds[feed].is_here && n->is_member; i++) {
                uint32_t target = cd_index(c, n->set.targets[i].node.text), to = 0;
                while (to < c->node_count &&
                       (!c->nodes[to].is_member || c->nodes[to].liveness != SL_LIVENESS_ALIVE || to == target))
                    to++;
                if (c->dispatchers[feed][target] == 0 || to == c->node_count)
                    continue;
                c->dispatchers[feed][target]--;
                c->dispatchers[feed][to]++;
            }
        }
    }
}

/* A maintainer does not know more than its targets; a node that stops takes nothing. */
static void cd_place(struct cd *c)
{
    for (uint32_t node = 0; node < c->node_count && c->places; node++) {
        const struct cd_node *n = &c->nodes[node];
        for (uint32_t feed = 0; feed < c->feed_count; feed++) {
            uint32_t to = (uint32_t)sl_prng_below(c->places, c->node_count);
            struct sl_node_id id = cd_id(c->nodes[to].name);
            bool may = n->is_member && n->feeds[feed].is_here && c->nodes[to].is_member &&
                       c->nodes[to].liveness != SL_LIVENESS_STOPPING && !sl_target_set_find(&n->set, &id);
            if (may && c->dispatchers[feed][to] < 3 && sl_prng_chance(c->places, 1, 3))
                c->dispatchers[feed][to]++;
        }
    }
}

void cd_second(struct cd *c)
{
    cd_evacuate(c);
    cd_place(c);
    cd_check_safe(c);
    for (uint32_t i = 0; i < c->node_count; i++) {
        if (!c->nodes[i].is_member)
            continue;
        cd_statuses(c, c->nodes[i].name);
        if ((c->ticked_at / SL_S) % 5 == 0)
            cd_heartbeat(c, c->nodes[i].name);
    }
}
