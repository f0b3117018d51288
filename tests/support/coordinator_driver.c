/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/coordinator_driver.h"

#include "core/common/mem_tags.h"
#include "tests/support/sl_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OUT_COUNT = 8192, OUT_BYTES = 8 << 20, DECODED_BYTES = 16 << 20, STEPS_MAX = 200000, FEED_EPOCH = 100 };
#define CD_START_NS (1000 * SL_S)
#define CD_LATE_NS (20 * SL_S)

/* ---- small things ---- */

static struct sl_node_id cd_id(const char *name)
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

sl_node_ref cd_ref(const struct cd *c, const char *name)
{
    sl_node_ref ref = sl_members_find_str(c->members, sl_str_of(name));
    assert_true(ref != SL_NODE_NONE);
    return ref;
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

/* ---- making ---- */

static void cd_put(struct cd *c, const struct sl_key *key, struct sl_bytes value)
{
    struct sl_store_action put = { .kind = SL_ACTION_PUT, .key = sl_key_str(key), .value = value };
    struct sl_store_op op = { .id = 1, .verb = SL_STORE_TXN, .then = &put, .then_count = 1 };
    struct sl_store_result r;
    sl_store_model_perform(c->store, c->now, &op, &r);
    sl_assert_i64(r.outcome, SL_STORE_OK);
}

static void cd_put_feed(struct cd *c, uint32_t feed)
{
    struct sl_key key;
    char name[8], text[1024];
    (void)snprintf(name, sizeof name, "f%u", (unsigned)feed);
    (void)snprintf(text, sizeof text,
                   "{\"id\":{\"id\":{\"low\":%u,\"high\":7},\"display\":{\"name\":\"%s\",\"keyspace\":\"default\"}},"
                   "\"sink-uri\":\"blackhole://\",\"start-ts\":100,\"target-ts\":0,"
                   "\"config\":{\"filter\":{\"rules\":[\"*.*\"]},\"sink\":{},\"consistent\":{\"level\":\"none\"},"
                   "\"scheduler\":{\"enable-table-across-nodes\":false}},\"state\":\"normal\",\"epoch\":%u}",
                   (unsigned)feed + 1, name, (unsigned)FEED_EPOCH);
    assert_true(sl_key_feed_info(&key, SL_STR(CD_CLUSTER), SL_STR("default"), sl_str_of(name)));
    cd_put(c, &key, (struct sl_bytes){ (const uint8_t *)text, strlen(text) });
    static const char status[] =
        "{\"checkpoint-ts\":100,\"progress\":1,\"min-table-barrier-ts\":100,\"admin-job-type\":0}";
    assert_true(sl_key_feed_status(&key, SL_STR(CD_CLUSTER), SL_STR("default"), sl_str_of(name)));
    cd_put(c, &key, (struct sl_bytes){ (const uint8_t *)status, sizeof status - 1 });
}

struct cd *cd_new(uint32_t node_count, uint32_t feed_count)
{
    const struct sl_mem_opts mem_opts = sl_mem_opts_of(0);
    struct cd *c = calloc(1, sizeof *c);
    assert_non_null(c);
    sl_mem_init(&c->mem, &mem_opts);
    sl_mem_init(&c->out_mem, &mem_opts);
    sl_mem_init(&c->store_mem, &mem_opts);
    sl_assert_i64(sl_outbox_init(&c->out, &c->out_mem, SL_TAG_OUTBOX, OUT_COUNT, OUT_BYTES), SL_OK);
    sl_arena_init(&c->decoded, &c->out_mem, SL_TAG_DECODE, DECODED_BYTES);
    struct sl_store_model_opts store_opts = SL_STORE_MODEL_OPTS_DEFAULT;
    store_opts.mem = &c->store_mem;
    sl_assert_i64(sl_store_model_new(&c->store, &store_opts), SL_OK);
    c->now = c->ticked_at = CD_START_NS;
    c->node_count = CD_NODES_MAX;
    c->feed_count = feed_count;
    for (uint32_t i = 0; i < CD_NODES_MAX; i++) {
        struct cd_node *n = &c->nodes[i];
        (void)snprintf(n->name, sizeof n->name, "n%u", (unsigned)i + 1);
        n->is_member = i < node_count;
        n->node_epoch = 1000 * (i + 1);
    }
    for (uint32_t feed = 0; feed < feed_count; feed++)
        cd_put_feed(c, feed);
    c->opts = SL_COORDINATOR_OPTS_DEFAULT;
    c->opts.mem = &c->mem;
    c->opts.cluster = SL_STR(CD_CLUSTER);
    c->opts.version = 10;
    c->opts.seed = 42;
    c->opts.balance_ns = 3600 * SL_S; /* not the subject */
    c->opts.wall_offset_ns = UINT64_C(1700000000) * (uint64_t)SL_S;
    return c;
}

static void cd_apply_members(struct cd *c, const struct sl_members_change **change)
{
    struct sl_node_id ids[CD_NODES_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < c->node_count; i++) {
        if (c->nodes[i].is_member)
            ids[count++] = cd_id(c->nodes[i].name);
    }
    sl_assert_u64(sl_members_apply(c->members, ids, count, change), 0);
}

void cd_start(struct cd *c)
{
    const struct sl_members_change *change;
    struct sl_node_id self = cd_id(c->nodes[c->owner].name);
    sl_assert_i64(sl_members_new(&c->members, &c->out_mem, &self, CD_NODES_MAX, 1), SL_OK);
    cd_apply_members(c, &change);
    c->opts.members = c->members;
    sl_assert_i64(sl_coordinator_new(&c->coordinator, &c->opts, c->now), SL_OK);
    sl_outbox_reset(&c->out);
    sl_coordinator_start(c->coordinator, c->now, &c->out);
    cd_settle(c);
}

struct cd *cd_setup(uint32_t node_count, uint32_t feed_count)
{
    struct cd *c = cd_new(node_count, feed_count);
    for (uint32_t feed = 0; feed < feed_count; feed++)
        cd_host(c, feed, "n1");
    cd_start(c);
    assert_true(sl_coordinator_is_running(c->coordinator));
    cd_run(c, 1100 * SL_MS);
    cd_forget(c);
    return c;
}

static void cd_free_message(struct cd *c, struct cd_message *m)
{
    sl_mem_free(&c->out_mem, SL_TAG_NODE, m->bytes, m->len);
}

static void cd_free_op(struct cd *c, struct cd_op *op)
{
    sl_mem_free(&c->out_mem, SL_TAG_STORE, op->memory, op->bytes);
}

/* What was on its way to or from the coordinator's process is gone with it. */
void cd_kill(struct cd *c)
{
    for (; c->inbox_count > 0; c->inbox_count--, c->inbox_head = (c->inbox_head + 1) % CD_QUEUE_MAX)
        cd_free_message(c, &c->inbox[c->inbox_head]);
    for (; c->op_count > 0; c->op_count--, c->op_head = (c->op_head + 1) % CD_QUEUE_MAX)
        cd_free_op(c, &c->ops[c->op_head]);
    for (; c->waiting_count > 0; c->waiting_count--)
        cd_free_message(c, &c->waiting[c->waiting_count - 1]);
    sl_coordinator_free(c->coordinator);
    sl_members_free(c->members);
    c->coordinator = NULL;
    c->members = NULL;
    for (uint32_t i = 0; i < c->node_count; i++)
        c->nodes[i].heard_epoch = 0;
    c->holds_store = false;
    c->fault_count = 0;
}

void cd_elect(struct cd *c, const char *name)
{
    c->owner = cd_index(c, name);
    c->opts.version++;
    c->opts.seed++;
    cd_start(c);
}

void cd_free(struct cd *c)
{
    if (c->coordinator)
        cd_kill(c);
    for (uint32_t i = 0; i < c->late_count; i++)
        cd_free_op(c, &c->late[i]);
    sl_store_model_free(c->store);
    sl_arena_deinit(&c->decoded);
    sl_outbox_deinit(&c->out);
    sl_mem_deinit(&c->store_mem);
    sl_mem_deinit(&c->out_mem);
    sl_mem_deinit(&c->mem);
    free(c);
}

void cd_host(struct cd *c, uint32_t feed, const char *name)
{
    cd_node(c, name)->feeds[feed] = (struct cd_hosted){ .is_here = true, .is_bootstrapped = true, .epoch = FEED_EPOCH };
}

/* ---- what must hold ---- */

static void cd_range(struct cd *c, struct sl_store_result *r)
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
    sl_assert_u64(cd_work(c, node), 0);
}

/* Whether the store says that this process of the node (0: any) is safe to stop. */
static bool cd_is_safe(struct cd *c, uint32_t node, uint64_t node_epoch)
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
    return n->kind == CD_SLUICE ? SL_CAP_EXT_REPORTS | SL_CAP_CLOSE_OUTCOME | SL_CAP_TARGET_SET : 0;
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

static void cd_obey(struct cd *c, uint32_t node, enum sl_msg_type type, struct sl_bytes payload)
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

/* What is that old arrives. */
static void cd_perform_late(struct cd *c, sl_ns age)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < c->late_count; i++) {
        struct sl_store_result r;
        if (c->now - c->late_since[i] < age) {
            c->late_since[kept] = c->late_since[i];
            c->late[kept++] = c->late[i];
            continue;
        }
        sl_store_model_perform(c->store, c->now, &c->late[i].op, &r);
        cd_free_op(c, &c->late[i]);
    }
    c->late_count = kept;
}

static void cd_second(struct cd *c)
{
    cd_perform_late(c, CD_LATE_NS);
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

/* ---- the shell ---- */

static uint32_t cd_index_of_ref(const struct cd *c, sl_node_ref ref)
{
    return cd_index(c, sl_members_id(c->members, ref)->text);
}

static void cd_keep_send(struct cd *c, const struct sl_output *o)
{
    struct sl_bytes payload = o->u.send.payload;
    struct cd_message m = { .from = cd_index_of_ref(c, o->u.send.to), .type = o->u.send.type, .len = payload.len };
    m.bytes = sl_mem_alloc(&c->out_mem, SL_TAG_NODE, m.len);
    assert_non_null(m.bytes);
    memcpy(m.bytes, payload.ptr, payload.len);
    assert_true(c->waiting_count < CD_QUEUE_MAX);
    c->waits_for[c->waiting_count] = o->after;
    c->waiting[c->waiting_count++] = m;
}

static void cd_keep_reply(struct cd *c, const struct sl_reply *r)
{
    if (r->ticket == c->drain_node_ticket && r->code == SL_OK && r->remaining == 0)
        assert_true(cd_is_safe(c, c->drain_node, c->nodes[c->drain_node].heard_epoch));
    assert_true(c->reply_count < CD_REPLIES_MAX);
    assert_null(cd_reply(c, r->ticket));
    struct cd_reply *to = &c->replies[c->reply_count++];
    *to = (struct cd_reply){ .ticket = r->ticket,
                             .code = r->code,
                             .remaining = r->remaining,
                             .drain_count = r->drain_count,
                             .plan_count = r->plan_count,
                             .node_count = r->node_count };
    memcpy(to->detail, r->detail, sizeof to->detail);
    if (r->drain_count > 0)
        to->drain = r->drains[0];
    for (uint32_t i = 0; i < r->node_count && i < CD_NODES_MAX; i++)
        to->nodes[i] = r->nodes[i];
    for (uint32_t i = 0; i < r->plan_count && i < CD_NODES_MAX; i++)
        to->plan[i] = r->plan[i];
}

static struct cd_op cd_copy_op(struct cd *c, const struct sl_store_op *op)
{
    struct cd_op copy = { .bytes = sl_store_op_bytes(op) };
    copy.memory = copy.bytes > 0 ? sl_mem_alloc(&c->out_mem, SL_TAG_STORE, copy.bytes) : NULL;
    sl_store_op_copy(&copy.op, op, copy.memory);
    return copy;
}

static void cd_perform_outputs(struct cd *c)
{
    for (uint32_t i = 0; i < c->out.count; i++) {
        const struct sl_output *o = &c->out.items[i];
        switch (o->kind) {
        case SL_OUT_SEND:
            if (o->after != 0)
                cd_keep_send(c, o);
            else
                cd_obey(c, cd_index_of_ref(c, o->u.send.to), o->u.send.type, o->u.send.payload);
            break;
        case SL_OUT_STORE:
            assert_true(c->op_count < CD_QUEUE_MAX);
            c->ops[(c->op_head + c->op_count++) % CD_QUEUE_MAX] = cd_copy_op(c, &o->u.store);
            break;
        case SL_OUT_REPLY:
            cd_keep_reply(c, &o->u.reply);
            break;
        case SL_OUT_EVENT:
            c->events[o->u.event.id]++;
            break;
        case SL_OUT_COMMAND:
        case SL_OUT_SCHEMA_LOAD:
            fail_msg("a coordinator has no data plane");
        }
    }
    sl_outbox_reset(&c->out);
    sl_arena_reset(&c->decoded);
}

static bool cd_is_intent_write(const struct sl_store_op *op)
{
    struct sl_key prefix;
    assert_true(sl_key_drains(&prefix, SL_STR(CD_CLUSTER)));
    return op->verb == SL_STORE_TXN && op->then_count > 0 && sl_key_tail(op->then[0].key, sl_key_str(&prefix)).len > 0;
}

static enum cd_fault cd_take_fault(struct cd *c, const struct sl_store_op *op)
{
    if (c->fault_count == 0 || !cd_is_intent_write(op))
        return CD_FAULT_NONE;
    enum cd_fault fault = c->faults[0];
    memmove(c->faults, c->faults + 1, --c->fault_count * sizeof c->faults[0]);
    return fault;
}

/* Outputs that waited for the operation are performed, or dropped, before the coordinator learns of it. */
static void cd_release_waiting(struct cd *c, const struct sl_store_result *r)
{
    uint32_t kept = 0;
    bool is_done = r->outcome == SL_STORE_OK && (r->verb != SL_STORE_TXN || r->succeeded);
    for (uint32_t i = 0; i < c->waiting_count; i++) {
        struct cd_message m = c->waiting[i];
        if (c->waits_for[i] != r->id) {
            c->waits_for[kept] = c->waits_for[i];
            c->waiting[kept++] = m;
            continue;
        }
        if (is_done)
            cd_obey(c, m.from, m.type, (struct sl_bytes){ m.bytes, m.len });
        cd_free_message(c, &m);
    }
    c->waiting_count = kept;
}

static void cd_perform_op(struct cd *c)
{
    struct cd_op op = c->ops[c->op_head];
    c->op_head = (c->op_head + 1) % CD_QUEUE_MAX;
    c->op_count--;
    enum cd_fault fault = cd_take_fault(c, &op.op);
    struct sl_store_result r = { .id = op.op.id, .verb = op.op.verb };
    if (fault == CD_FAULT_NONE || fault == CD_FAULT_LOST_ANSWER)
        sl_store_model_perform(c->store, c->now, &op.op, &r);
    c->intent_writes += r.outcome == SL_STORE_OK && r.succeeded && cd_is_intent_write(&op.op);
    c->holds_store |= c->hold_at_write > 0 && c->intent_writes == c->hold_at_write;
    if (fault == CD_FAULT_REFUSED)
        r.outcome = SL_STORE_REFUSED;
    else if (fault != CD_FAULT_NONE)
        r = (struct sl_store_result){ .id = op.op.id, .verb = op.op.verb, .outcome = SL_STORE_UNKNOWN };
    cd_release_waiting(c, &r);
    assert_true(sl_coordinator_on_store(c->coordinator, c->now, &r, &c->out));
    if (fault != CD_FAULT_LATE) {
        cd_free_op(c, &op);
        return;
    }
    c->late_since[c->late_count] = c->now;
    c->late[c->late_count++] = op;
}

static void cd_deliver(struct cd *c)
{
    struct cd_message m = c->inbox[c->inbox_head];
    c->inbox_head = (c->inbox_head + 1) % CD_QUEUE_MAX;
    c->inbox_count--;
    sl_node_ref from = sl_members_find_str(c->members, sl_str_of(c->nodes[m.from].name));
    const ProtobufCMessage *message = NULL;
    if (from != SL_NODE_NONE) {
        sl_assert_i64(sl_payload_decode(m.type, (struct sl_bytes){ m.bytes, m.len }, &SL_WIRE_LIMITS_DEFAULT,
                                        &c->decoded, &message),
                      SL_REFUSE_NONE);
        c->refusals[sl_coordinator_on_message(c->coordinator, c->now, from, m.type, message, &c->out)]++;
        if (m.type != SL_MSG_MAINTAINER_HEARTBEAT_REQUEST && m.node_epoch > c->nodes[m.from].heard_epoch)
            c->nodes[m.from].heard_epoch = m.node_epoch;
    }
    cd_free_message(c, &m);
}

void cd_settle(struct cd *c)
{
    for (uint32_t steps = 0; c->coordinator; steps++) {
        assert_true(steps < STEPS_MAX);
        cd_perform_outputs(c);
        if (c->inbox_count > 0)
            cd_deliver(c);
        else if (c->op_count > 0 && !c->holds_store)
            cd_perform_op(c);
        else if (sl_coordinator_deadline(c->coordinator) <= c->now)
            sl_coordinator_on_tick(c->coordinator, c->now, &c->out);
        else
            return;
    }
}

void cd_run(struct cd *c, sl_ns ns)
{
    sl_ns until = c->now + ns;
    cd_settle(c);
    while (c->now < until) {
        sl_ns at = c->coordinator ? sl_coordinator_deadline(c->coordinator) : SL_NEVER;
        sl_ns second = c->ticked_at + SL_S;
        at = sl_ns_min(sl_ns_min(at, second), until);
        c->now = at > c->now ? at : c->now;
        if (c->now >= second) {
            c->ticked_at = second;
            cd_second(c);
        }
        cd_settle(c);
    }
}

/* ---- what happens ---- */

static void cd_members_changed(struct cd *c)
{
    const struct sl_members_change *change;
    if (!c->coordinator)
        return;
    cd_apply_members(c, &change);
    sl_coordinator_on_members(c->coordinator, c->now, change, &c->out);
    cd_settle(c);
}

void cd_leave(struct cd *c, const char *name)
{
    uint32_t node = cd_index(c, name);
    c->nodes[node].is_member = false;
    memset(c->nodes[node].feeds, 0, sizeof c->nodes[node].feeds);
    for (uint32_t feed = 0; feed < c->feed_count; feed++)
        c->dispatchers[feed][node] = c->moves[feed][node] = 0;
    cd_members_changed(c);
}

static void cd_new_process(struct cd_node *n, uint64_t node_epoch)
{
    struct cd_node fresh = {
        .kind = n->kind, .is_member = true, .node_epoch = node_epoch, .is_mute = n->is_mute, .is_deaf = n->is_deaf
    };
    memcpy(fresh.name, n->name, sizeof fresh.name);
    *n = fresh;
}

void cd_join(struct cd *c, const char *name, uint64_t node_epoch)
{
    cd_new_process(cd_node(c, name), node_epoch);
    cd_members_changed(c);
}

void cd_restart(struct cd *c, const char *name)
{
    struct cd_node *n = cd_node(c, name);
    int64_t version = n->version;
    char coordinator[sizeof n->coordinator];
    memcpy(coordinator, n->coordinator, sizeof coordinator);
    cd_new_process(n, n->node_epoch + 1000000);
    /* A process without a coordinator says nothing; this one was found by its predecessor's. */
    n->version = version;
    memcpy(n->coordinator, coordinator, sizeof coordinator);
    cd_heartbeat(c, name);
    cd_settle(c);
}

void cd_release_store(struct cd *c)
{
    c->hold_at_write = 0;
    c->holds_store = false;
    cd_settle(c);
}

void cd_fault(struct cd *c, enum cd_fault fault)
{
    assert_true(c->fault_count < CD_FAULTS_MAX && c->late_count < CD_FAULTS_MAX);
    c->faults[c->fault_count++] = fault;
}

void cd_late(struct cd *c)
{
    cd_perform_late(c, 0);
}

void cd_forget(struct cd *c)
{
    for (uint32_t i = 0; i < c->node_count; i++) {
        struct cd_node *n = &c->nodes[i];
        n->bootstrap_requests = n->target_requests = n->draining_requests = n->stopping_requests = 0;
        n->undrain_requests = n->adds = n->removes = 0;
    }
    memset(c->events, 0, sizeof c->events);
    memset(c->refusals, 0, sizeof c->refusals);
    c->reply_count = 0;
}

/* ---- requests ---- */

uint64_t cd_ask(struct cd *c, struct sl_request *r)
{
    r->ticket = ++c->ticket;
    if (r->verb == SL_REQUEST_DRAIN_NODE) {
        c->drain_node_ticket = r->ticket;
        c->drain_node = cd_index(c, r->node.ptr);
    }
    sl_coordinator_on_request(c->coordinator, c->now, r, &c->out);
    cd_settle(c);
    return r->ticket;
}

const struct cd_reply *cd_reply(const struct cd *c, uint64_t ticket)
{
    for (uint32_t i = 0; i < c->reply_count; i++) {
        if (c->replies[i].ticket == ticket)
            return &c->replies[i];
    }
    return NULL;
}

const struct cd_reply *cd_request(struct cd *c, enum sl_request_verb verb, const char *node)
{
    struct sl_request r = { .verb = verb, .node = sl_str_of(node) };
    if (c->reply_count == CD_REPLIES_MAX)
        c->reply_count = 0;
    const struct cd_reply *reply = cd_reply(c, cd_ask(c, &r));
    assert_non_null(reply);
    return reply;
}

uint32_t cd_drain_node(struct cd *c, const char *node)
{
    const struct cd_reply *r = cd_request(c, SL_REQUEST_DRAIN_NODE, node);
    sl_assert_str(sl_code_name(r->code), "OK");
    return r->remaining;
}

enum sl_code cd_drain(struct cd *c, const char *node)
{
    return cd_request(c, SL_REQUEST_DRAIN, node)->code;
}

enum sl_code cd_undrain(struct cd *c, const char *node)
{
    return cd_request(c, SL_REQUEST_UNDRAIN, node)->code;
}

/* ---- what holds ---- */

uint32_t cd_intent_count(struct cd *c)
{
    struct sl_store_result r;
    cd_range(c, &r);
    return r.pair_count;
}

const char *cd_phase(struct cd *c, const char *node)
{
    struct sl_intent intent;
    return cd_intent(c, node, &intent) ? sl_drain_phase_name(intent.phase) : "-";
}

uint64_t cd_epoch(struct cd *c, const char *node)
{
    struct sl_intent intent;
    return cd_intent(c, node, &intent) ? intent.epoch : 0;
}

const char *cd_blocker(struct cd *c, const char *node)
{
    return sl_blocker_name(cd_request(c, SL_REQUEST_DRAIN_SHOW, node)->drain.blocker);
}

bool cd_holds(struct cd *c, const char *node, const char *target)
{
    const struct sl_target_set *set = &cd_node(c, node)->set;
    if (target[0] == '\0')
        return set->count == 0;
    return set->count == 1 && strcmp(set->targets[0].node.text, target) == 0;
}
