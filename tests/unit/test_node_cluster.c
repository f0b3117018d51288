/* SPDX-License-Identifier: Apache-2.0 */
#include "core/common/mem_tags.h"
#include "core/node/node.h"
#include "port/store_model.h"
#include "tests/support/sl_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Whole nodes over the model of the metadata store, without feeds: who becomes the coordinator, who answers a request, and
 * what a drain does to the seat. A message or an answer of the store takes a millisecond.
 */
enum { NODES = 3, MESSAGES_MAX = 4096, REPLIES_MAX = 64, OUT_COUNT = 4096, OUT_BYTES = 4 << 20 };

struct answer { /* what is kept of a reply */
    uint64_t ticket;
    enum sl_code code;
    uint32_t remaining, node_count;
    char detail[200];
    struct sl_drain_view drain;       /* the first */
    struct sl_node_view nodes[NODES]; /* as many as fit */
};

struct message {
    uint32_t to;
    uint8_t *bytes;
    size_t len;
};

struct whole {
    struct sl_mem mem;
    struct sl_store_model *model;
    struct host {
        struct whole *w;
        struct sl_mem mem, out_mem;
        struct sl_outbox out;
        struct sl_node *node; /* null: down */
        struct sl_store_model_client *client;
        bool is_cut_off; /* from the store */
        char id[16];
        uint64_t events[SL_EVENT_COUNT];
    } hosts[NODES];
    sl_ns now;
    struct message messages[MESSAGES_MAX];
    uint32_t message_count;
    struct answer replies[REPLIES_MAX];
    uint32_t reply_count;
    uint64_t ticket;
};

static void perform(struct host *h);

static void step(struct host *h, const struct sl_input *in)
{
    sl_outbox_reset(&h->out);
    sl_node_step(h->node, h->w->now, in, &h->out);
    perform(h);
}

static void on_result(void *ctx, const struct sl_store_result *result)
{
    struct host *h = ctx;
    struct sl_input in = { .kind = SL_IN_STORE, .u.store = *result };
    step(h, &in);
}

static void on_watch(void *ctx, const struct sl_store_watch_batch *batch)
{
    struct host *h = ctx;
    struct sl_input in = { .kind = SL_IN_WATCH, .u.watch = *batch };
    step(h, &in);
}

static void post(struct host *h, const struct sl_out_send *send)
{
    struct whole *w = h->w;
    const char *to = sl_members_id(sl_node_members(h->node), send->to)->text;
    struct sl_envelope e = { .type = send->type,
                             .from = sl_str_of(h->id),
                             .to = sl_str_of(to),
                             .topic = sl_str_of(sl_topic_text(send->topic)),
                             .payload_count = 1,
                             .payload = { send->payload } };
    assert_true(w->message_count < MESSAGES_MAX);
    struct message *m = &w->messages[w->message_count++];
    m->to = NODES;
    for (uint32_t i = 0; i < NODES; i++)
        m->to = strcmp(w->hosts[i].id, to) == 0 ? i : m->to;
    m->len = sl_envelope_size(&e);
    m->bytes = malloc(m->len);
    assert_non_null(m->bytes);
    (void)sl_envelope_encode(&e, m->bytes);
}

static void keep(struct whole *w, const struct sl_reply *r)
{
    struct answer *a = &w->replies[w->reply_count++ % REPLIES_MAX];
    *a =
        (struct answer){ .ticket = r->ticket, .code = r->code, .remaining = r->remaining, .node_count = r->node_count };
    memcpy(a->detail, r->detail, sizeof a->detail);
    if (r->drain_count > 0)
        a->drain = r->drains[0];
    for (uint32_t i = 0; i < r->node_count && i < NODES; i++)
        a->nodes[i] = r->nodes[i];
}

static void perform(struct host *h)
{
    struct whole *w = h->w;
    for (uint32_t i = 0; i < h->out.count; i++) {
        const struct sl_output *o = &h->out.items[i];
        assert_true(o->after == 0); /* only Adds wait, and there are no feeds */
        if (o->kind == SL_OUT_SEND)
            post(h, &o->u.send);
        else if (o->kind == SL_OUT_STORE)
            assert_true(sl_store_submit(sl_store_model_client_store(h->client), &o->u.store));
        else if (o->kind == SL_OUT_EVENT)
            h->events[o->u.event.id]++;
        else if (o->kind == SL_OUT_REPLY)
            keep(w, &o->u.reply);
    }
}

static void start(struct whole *w, uint32_t i)
{
    struct host *h = &w->hosts[i];
    struct sl_node_opts opts;
    sl_node_opts_default(&opts);
    h->w = w;
    (void)snprintf(h->id, sizeof h->id, "id-%u", (unsigned)i + 1);
    opts.mem = &h->mem;
    opts.node_epoch = 1000 * (i + 1);
    opts.seed = i + 1;
    opts.node_count_max = 8;
    opts.membership.cluster = SL_STR("test");
    opts.membership.self.is_new_arch = opts.membership.self.is_sluice = true;
    (void)snprintf(opts.membership.self.name, sizeof opts.membership.self.name, "node%u", (unsigned)i + 1);
    (void)snprintf(opts.membership.self.address, sizeof opts.membership.self.address, "h%u:1", (unsigned)i + 1);
    opts.coordinator.wall_offset_ns = UINT64_C(1700000000) * (uint64_t)SL_S;
    assert_true(sl_node_id_set(&opts.id, sl_str_of(h->id)));
    const struct sl_store_client client = { .ctx = h, .on_result = on_result, .on_watch = on_watch };
    sl_assert_i64(sl_store_model_client_new(&h->client, w->model, &h->out_mem, &client), SL_OK);
    sl_assert_i64(sl_node_new(&h->node, &opts, w->now), SL_OK);
    struct sl_input tick = { .kind = SL_IN_TICK };
    step(h, &tick);
}

static void stop(struct host *h)
{
    sl_store_model_client_free(h->client);
    sl_node_free(h->node);
    h->client = NULL;
    h->node = NULL;
}

static struct whole *setup(uint32_t count)
{
    const struct sl_mem_opts mem_opts = sl_mem_opts_of(0);
    struct whole *w = calloc(1, sizeof *w);
    assert_non_null(w);
    sl_mem_init(&w->mem, &mem_opts);
    struct sl_store_model_opts store_opts = SL_STORE_MODEL_OPTS_DEFAULT;
    store_opts.mem = &w->mem;
    sl_assert_i64(sl_store_model_new(&w->model, &store_opts), SL_OK);
    w->now = 1000 * SL_S;
    for (uint32_t i = 0; i < NODES; i++) {
        struct host *h = &w->hosts[i];
        sl_mem_init(&h->mem, &mem_opts);
        sl_mem_init(&h->out_mem, &mem_opts);
        sl_assert_i64(sl_outbox_init(&h->out, &h->out_mem, SL_TAG_OUTBOX, OUT_COUNT, OUT_BYTES), SL_OK);
        if (i < count)
            start(w, i);
    }
    return w;
}

static void teardown(struct whole *w)
{
    for (uint32_t i = 0; i < w->message_count; i++)
        free(w->messages[i].bytes);
    for (uint32_t i = 0; i < NODES; i++) {
        struct host *h = &w->hosts[i];
        stop(h);
        sl_outbox_deinit(&h->out);
        sl_mem_deinit(&h->out_mem);
        sl_mem_deinit(&h->mem);
    }
    sl_store_model_free(w->model);
    sl_mem_deinit(&w->mem);
    free(w);
}

static void deliver(struct whole *w)
{
    uint32_t count = w->message_count;
    struct message *messages = malloc((count + 1) * sizeof *messages);
    assert_non_null(messages);
    memcpy(messages, w->messages, count * sizeof *messages);
    w->message_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct sl_input in = { .kind = SL_IN_MESSAGE, .u.message = { messages[i].bytes, messages[i].len } };
        if (messages[i].to < NODES && w->hosts[messages[i].to].node)
            step(&w->hosts[messages[i].to], &in);
        free(messages[i].bytes);
    }
    free(messages);
}

static void run(struct whole *w, sl_ns ns)
{
    for (sl_ns until = w->now + ns; w->now < until; w->now += SL_MS) {
        deliver(w);
        for (uint32_t i = 0; i < NODES; i++) {
            struct host *h = &w->hosts[i];
            const struct sl_input tick = { .kind = SL_IN_TICK };
            if (h->node && !h->is_cut_off)
                sl_store_model_client_run(h->client, w->now);
            if (h->node && sl_node_deadline(h->node) <= w->now)
                step(h, &tick);
        }
    }
}

static uint32_t owner_of(const struct whole *w)
{
    uint32_t owner = NODES;
    for (uint32_t i = 0; i < NODES; i++) {
        if (!w->hosts[i].node || !sl_node_coordinator(w->hosts[i].node))
            continue;
        sl_assert_u64(owner, NODES);
        owner = i;
    }
    return owner;
}

static void request(struct whole *w, uint32_t host, enum sl_request_verb verb, const char *node)
{
    struct sl_input in = { .kind = SL_IN_REQUEST,
                           .u.request = { .verb = verb, .ticket = ++w->ticket, .node = sl_str_of(node) } };
    step(&w->hosts[host], &in);
}

static const struct answer *ask(struct whole *w, uint32_t host, enum sl_request_verb verb, const char *node)
{
    request(w, host, verb, node);
    run(w, 20 * SL_MS);
    for (uint32_t i = 0; i < w->reply_count && i < REPLIES_MAX; i++) {
        if (w->replies[i].ticket == w->ticket)
            return &w->replies[i];
    }
    fail_msg("no answer");
    return NULL;
}

static enum sl_liveness liveness_of(struct whole *w, uint32_t host)
{
    return sl_manager_liveness(sl_node_manager(w->hosts[host].node));
}

/* ---- facts ---- */

static void one_node_is_elected_and_its_coordinator_runs(void **state)
{
    (void)state;
    struct whole *w = setup(3);
    run(w, 5 * SL_S);
    uint32_t owner = owner_of(w);
    assert_true(owner < NODES);
    assert_true(sl_coordinator_is_running(sl_node_coordinator(w->hosts[owner].node)));
    const struct answer *list = ask(w, owner, SL_REQUEST_NODE_LIST, "");
    sl_assert_u64(list->node_count, 3);
    for (uint32_t i = 0; i < NODES; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "node%c", list->nodes[i].capture.id.text[3]);
        sl_assert_str(list->nodes[i].capture.name, name);
        assert_true(list->nodes[i].capture.is_sluice && list->nodes[i].observed && !list->nodes[i].unknown);
    }
    teardown(w);
}

static void who_is_not_the_owner_names_the_owner(void **state)
{
    (void)state;
    struct whole *w = setup(3);
    run(w, 5 * SL_S);
    uint32_t owner = owner_of(w), other = (owner + 1) % NODES;
    const struct answer *r = ask(w, other, SL_REQUEST_NODE_LIST, "");
    sl_assert_str(sl_code_name(r->code), "NOT_OWNER");
    sl_assert_str(r->detail, w->hosts[owner].id);
    sl_assert_str(sl_code_name(ask(w, other, SL_REQUEST_DRAIN_NODE, "id-1")->code), "NOT_OWNER");
    teardown(w);
}

static void while_there_is_no_owner_a_drain_is_1_and_never_an_error(void **state)
{
    (void)state;
    struct whole *w = setup(1);
    const struct answer *r = ask(w, 0, SL_REQUEST_DRAIN_NODE, "id-1");
    sl_assert_str(sl_code_name(r->code), "OK");
    sl_assert_u64(r->remaining, 1);
    teardown(w);
}

static void a_node_is_found_by_its_name(void **state)
{
    (void)state;
    struct whole *w = setup(3);
    run(w, 5 * SL_S);
    uint32_t owner = owner_of(w), other = (owner + 1) % NODES;
    char name[16];
    (void)snprintf(name, sizeof name, "node%u", (unsigned)other + 1);
    sl_assert_str(sl_code_name(ask(w, owner, SL_REQUEST_DRAIN, name)->code), "OK");
    sl_assert_str(sl_code_name(ask(w, owner, SL_REQUEST_DRAIN, "node9")->code), "NOT_FOUND");
    run(w, 3 * SL_S);
    const struct answer *r = ask(w, owner, SL_REQUEST_DRAIN_SHOW, name);
    sl_assert_str(r->drain.intent.target.text, w->hosts[other].id);
    sl_assert_str(r->drain.target_name, name);
    teardown(w);
}

static void a_drained_node_ends_stopping_and_zero_is_said(void **state)
{
    (void)state;
    struct whole *w = setup(3);
    run(w, 5 * SL_S);
    uint32_t owner = owner_of(w), other = (owner + 1) % NODES;
    sl_assert_u64(ask(w, owner, SL_REQUEST_DRAIN_NODE, w->hosts[other].id)->remaining, 1);
    run(w, 10 * SL_S);
    sl_assert_u64(ask(w, owner, SL_REQUEST_DRAIN_NODE, w->hosts[other].id)->remaining, 0);
    sl_assert_i64(liveness_of(w, other), SL_LIVENESS_STOPPING);
    teardown(w);
}

static void a_drained_owner_hands_over_first_and_is_drained_by_the_next(void **state)
{
    (void)state;
    struct whole *w = setup(3);
    run(w, 5 * SL_S);
    uint32_t owner = owner_of(w);
    sl_assert_u64(ask(w, owner, SL_REQUEST_DRAIN_NODE, w->hosts[owner].id)->remaining, 1);
    run(w, 15 * SL_S);
    uint32_t next = owner_of(w);
    assert_true(next < NODES && next != owner);
    sl_assert_u64(ask(w, next, SL_REQUEST_DRAIN_NODE, w->hosts[owner].id)->remaining, 0);
    sl_assert_i64(liveness_of(w, owner), SL_LIVENESS_STOPPING);
    teardown(w);
}

static void the_only_node_keeps_its_seat(void **state)
{
    (void)state;
    struct whole *w = setup(1);
    run(w, 5 * SL_S);
    sl_assert_str(sl_code_name(ask(w, 0, SL_REQUEST_RESIGN, "")->code), "REFUSED");
    sl_assert_u64(ask(w, 0, SL_REQUEST_DRAIN_NODE, "id-1")->remaining, 1);
    run(w, 10 * SL_S);
    sl_assert_u64(owner_of(w), 0);
    sl_assert_i64(liveness_of(w, 0), SL_LIVENESS_ALIVE);
    teardown(w);
}

static void an_owner_that_resigns_answers_who_waits_and_another_takes_over(void **state)
{
    (void)state;
    struct whole *w = setup(3);
    run(w, 5 * SL_S);
    uint32_t owner = owner_of(w);
    sl_assert_str(sl_code_name(ask(w, owner, SL_REQUEST_RESIGN, "")->code), "OK");
    run(w, 500 * SL_MS);
    uint32_t next = owner_of(w);
    assert_true(next < NODES && next != owner);
    teardown(w);
}

static void what_is_meant_for_a_coordinator_is_no_news_to_a_node_that_is_none(void **state)
{
    (void)state;
    struct whole *w = setup(3);
    run(w, 5 * SL_S);
    uint32_t owner = owner_of(w);
    (void)ask(w, owner, SL_REQUEST_RESIGN, "");
    for (uint32_t i = 0; i < NODES; i++)
        w->hosts[i].events[SL_EV_MESSAGE_REFUSED] = 0;
    Pb__NodeHeartbeat hb = PB__NODE_HEARTBEAT__INIT;
    hb.node_epoch = 1;
    uint8_t payload[64], bytes[256];
    size_t len = sl_payload_encode(SL_MSG_NODE_HEARTBEAT_REQUEST, &hb.base, payload);
    struct sl_envelope e = { .type = SL_MSG_NODE_HEARTBEAT_REQUEST,
                             .from = sl_str_of(w->hosts[(owner + 1) % NODES].id),
                             .to = sl_str_of(w->hosts[owner].id),
                             .topic = SL_STR("coordinator"),
                             .payload_count = 1,
                             .payload = { { payload, len } } };
    struct sl_input in = { .kind = SL_IN_MESSAGE, .u.message = { bytes, sl_envelope_encode(&e, bytes) } };
    uint64_t before = sl_node_refusal_count(w->hosts[owner].node, SL_REFUSE_NOT_HANDLED);
    step(&w->hosts[owner], &in);
    sl_assert_u64(sl_node_refusal_count(w->hosts[owner].node, SL_REFUSE_NOT_HANDLED), before + 1);
    sl_assert_u64(w->hosts[owner].events[SL_EV_MESSAGE_REFUSED], 0);
    teardown(w);
}

static void a_node_without_its_store_fences_itself_and_loses_the_seat(void **state)
{
    (void)state;
    struct whole *w = setup(3);
    run(w, 5 * SL_S);
    uint32_t owner = owner_of(w);
    w->hosts[owner].is_cut_off = true;
    run(w, 12 * SL_S);
    assert_null(sl_node_coordinator(w->hosts[owner].node));
    sl_assert_i64(liveness_of(w, owner), SL_LIVENESS_STOPPING);
    run(w, 10 * SL_S);
    uint32_t next = owner_of(w);
    assert_true(next < NODES && next != owner);
    sl_assert_u64(ask(w, next, SL_REQUEST_NODE_LIST, "")->node_count, 2);
    teardown(w);
}

static void an_undrained_node_is_alive_in_a_new_epoch_and_can_be_drained_again(void **state)
{
    (void)state;
    struct whole *w = setup(3);
    run(w, 5 * SL_S);
    uint32_t owner = owner_of(w), target = (owner + 1) % NODES, silent = (owner + 2) % NODES;
    struct sl_manager *manager = sl_node_manager(w->hosts[target].node);
    uint64_t node_epoch = sl_manager_node_epoch(manager);
    stop(&w->hosts[silent]); /* a peer that cannot acknowledge holds the drain up */
    (void)ask(w, owner, SL_REQUEST_DRAIN, w->hosts[target].id);
    run(w, SL_S);
    sl_assert_i64(liveness_of(w, target), SL_LIVENESS_DRAINING);
    sl_assert_u64(sl_manager_targets(manager)->count, 1);
    sl_assert_str(sl_code_name(ask(w, owner, SL_REQUEST_UNDRAIN, w->hosts[target].id)->code), "OK");
    run(w, SL_S);
    sl_assert_i64(liveness_of(w, target), SL_LIVENESS_ALIVE);
    sl_assert_u64(sl_manager_node_epoch(manager), node_epoch + 1);
    sl_assert_u64(sl_manager_targets(manager)->count, 0);
    run(w, 30 * SL_S); /* the silent one is gone */
    const struct answer *r = ask(w, owner, SL_REQUEST_DRAIN_SHOW, w->hosts[target].id);
    sl_assert_str(sl_drain_phase_name(r->drain.intent.phase), "cancelled");
    (void)ask(w, owner, SL_REQUEST_DRAIN_NODE, w->hosts[target].id);
    run(w, 10 * SL_S);
    sl_assert_u64(ask(w, owner, SL_REQUEST_DRAIN_NODE, w->hosts[target].id)->remaining, 0);
    sl_assert_i64(liveness_of(w, target), SL_LIVENESS_STOPPING);
    teardown(w);
}

static void a_drain_outlives_the_node_that_led_it(void **state)
{
    (void)state;
    struct whole *w = setup(3);
    run(w, 5 * SL_S);
    uint32_t owner = owner_of(w), target = (owner + 1) % NODES;
    request(w, owner, SL_REQUEST_DRAIN_NODE, w->hosts[target].id);
    run(w, 2 * SL_MS);
    assert_true(liveness_of(w, target) != SL_LIVENESS_STOPPING);
    stop(&w->hosts[owner]);
    run(w, 30 * SL_S);
    uint32_t next = owner_of(w);
    assert_true(next < NODES && next != target);
    sl_assert_u64(ask(w, next, SL_REQUEST_DRAIN_NODE, w->hosts[target].id)->remaining, 0);
    teardown(w);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_node_is_elected_and_its_coordinator_runs),
        cmocka_unit_test(who_is_not_the_owner_names_the_owner),
        cmocka_unit_test(while_there_is_no_owner_a_drain_is_1_and_never_an_error),
        cmocka_unit_test(a_node_is_found_by_its_name),
        cmocka_unit_test(a_drained_node_ends_stopping_and_zero_is_said),
        cmocka_unit_test(a_drained_owner_hands_over_first_and_is_drained_by_the_next),
        cmocka_unit_test(the_only_node_keeps_its_seat),
        cmocka_unit_test(an_owner_that_resigns_answers_who_waits_and_another_takes_over),
        cmocka_unit_test(what_is_meant_for_a_coordinator_is_no_news_to_a_node_that_is_none),
        cmocka_unit_test(a_node_without_its_store_fences_itself_and_loses_the_seat),
        cmocka_unit_test(an_undrained_node_is_alive_in_a_new_epoch_and_can_be_drained_again),
        cmocka_unit_test(a_drain_outlives_the_node_that_led_it),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
