/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/control_model.h"

#include <string.h>

static uint32_t model_below(struct control_model *m, uint32_t bound)
{
    return (uint32_t)sl_prng_below(&m->prng, bound);
}

static bool model_chance(struct control_model *m, uint32_t percent)
{
    return sl_prng_chance(&m->prng, percent, 100);
}

static uint32_t model_number_of(const struct control_model *m, sl_node_ref node)
{
    for (uint32_t number = 1; number <= CTL_NODES_MAX; number++) {
        if (m->d.alive[number] && ctl_ref(&m->d, number) == node)
            return number;
    }
    return 0;
}

/* A member by chance. */
static uint32_t model_any_node(struct control_model *m)
{
    uint32_t number;
    do
        number = 1 + model_below(m, CTL_NODES_MAX);
    while (!m->d.alive[number]);
    return number;
}

static struct model_span *model_span_of(struct control_model *m, struct sl_dispatcher_id id)
{
    for (uint32_t i = 0; i < m->span_count; i++) {
        if (sl_dispatcher_id_eq(m->spans[i].id, id))
            return &m->spans[i];
    }
    if (m->span_count == m->span_cap) {
        uint32_t cap = m->span_cap > 0 ? 2 * m->span_cap : 64;
        m->spans = sl_mem_resize(&m->d.order_mem, SL_TAG_SIM, m->spans, m->span_cap * sizeof *m->spans,
                                 cap * sizeof *m->spans);
        m->span_cap = cap;
    }
    m->spans[m->span_count] = (struct model_span){ .id = id };
    return &m->spans[m->span_count++];
}

static struct model_dispatcher *model_find(struct control_model *m, uint32_t node, struct sl_dispatcher_id id)
{
    for (uint32_t i = 0; i < MODEL_DISPATCHERS; i++) {
        struct model_dispatcher *d = &m->dispatchers[i];
        if (d->phase != MODEL_NONE && d->node == node && sl_dispatcher_id_eq(d->id, id))
            return d;
    }
    return NULL;
}

/* ---- dispatch managers ---- */

static void model_queue_status(struct control_model *m, uint32_t number, const struct model_status *status)
{
    struct model_node *n = &m->nodes[number];
    uint32_t copies = 1;
    if (m->faulty)
        copies = model_chance(m, 10) ? 0 : 1 + model_chance(m, 10);
    for (; copies > 0 && n->status_count < MODEL_QUEUE; copies--)
        n->statuses[(n->status_head + n->status_count++) % MODEL_QUEUE] = *status;
}

static void model_say(struct control_model *m, const struct model_dispatcher *d)
{
    static const Pb__ComponentState states[] = {
        [MODEL_STARTING] = PB__COMPONENT_STATE__INITIALIZING,
        [MODEL_RUNNING] = PB__COMPONENT_STATE__WORKING,
        [MODEL_CLOSING] = PB__COMPONENT_STATE__WORKING, /* only Stopped means that the span is free */
    };
    const struct model_status status = {
        .id = d->id, .state = states[d->phase], .checkpoint = d->checkpoint, .seq = d->seq
    };
    model_queue_status(m, d->node, &status);
}

static void model_end_dispatcher(struct control_model *m, struct model_dispatcher *d)
{
    const struct model_status status = {
        .id = d->id, .state = PB__COMPONENT_STATE__STOPPED, .checkpoint = d->checkpoint, .seq = d->seq
    };
    d->phase = MODEL_NONE;
    model_queue_status(m, d->node, &status);
}

static void model_create(struct control_model *m, uint32_t number, const struct ctl_order *o)
{
    struct model_dispatcher *free_one = NULL;
    for (uint32_t i = 0; i < MODEL_DISPATCHERS; i++) {
        struct model_dispatcher *d = &m->dispatchers[i];
        if (d->phase == MODEL_NONE)
            free_one = d;
        else if (sl_dispatcher_id_eq(d->id, o->id))
            assert_true(!m->strict && d->seq != o->seq); /* one writer per span */
    }
    assert_non_null(free_one);
    struct model_span *span = model_span_of(m, o->id);
    assert_true(o->seq >= span->seq || !m->strict);
    assert_true(o->start_ts > 0 && (span->seq == 0 || o->start_ts <= span->durable));
    span->seq = o->seq > span->seq ? o->seq : span->seq;
    if (span->durable < o->start_ts)
        span->durable = o->start_ts;
    *free_one = (struct model_dispatcher){
        .phase = MODEL_STARTING, .node = number, .id = o->id, .seq = o->seq, .checkpoint = o->start_ts
    };
}

static void model_perform(struct control_model *m, uint32_t number, const struct ctl_order *o)
{
    struct model_dispatcher *d = model_find(m, number, o->id);
    struct model_status absent = { .id = o->id, .seq = o->seq };
    if (d && !o->is_create && d->phase != MODEL_CLOSING) {
        d->phase = MODEL_CLOSING;
    } else if (d) {
        model_say(m, d);
    } else if (!o->is_create) {
        absent.state = PB__COMPONENT_STATE__STOPPED;
        model_queue_status(m, number, &absent);
    } else if (m->nodes[number].liveness == SL_LIVENESS_STOPPING) {
        absent.state = PB__COMPONENT_STATE__REMOVED;
        model_queue_status(m, number, &absent);
    } else {
        model_create(m, number, o);
    }
}

static void model_progress(struct control_model *m, struct model_dispatcher *d)
{
    struct model_span *span = model_span_of(m, d->id);
    uint32_t most = d->seq >= span->seq ? 20 : 0; /* a smaller placement is refused by the sink */
    switch (d->phase) {
    case MODEL_NONE:
        return;
    case MODEL_STARTING:
        d->phase = MODEL_RUNNING;
        model_say(m, d);
        return;
    case MODEL_RUNNING:
        d->checkpoint += model_below(m, 1 + most);
        break;
    case MODEL_CLOSING:
        d->checkpoint += model_below(m, 1 + most / 4);
        break;
    }
    span->durable = d->checkpoint > span->durable ? d->checkpoint : span->durable;
    if (d->phase == MODEL_CLOSING)
        model_end_dispatcher(m, d);
}

static void model_list(struct control_model *m, uint32_t number, bool as_answer)
{
    struct model_status list = { .is_list = true };
    for (uint32_t i = 0; i < MODEL_DISPATCHERS; i++) {
        struct model_dispatcher *d = &m->dispatchers[i];
        if (d->phase == MODEL_NONE || d->node != number)
            continue;
        if (!as_answer)
            model_say(m, d);
        else if (list.listed_count < MODEL_TABLES)
            list.listed[list.listed_count++] = d->id;
    }
    if (as_answer)
        model_queue_status(m, number, &list);
}

/* ---- what control does and is told ---- */

static void model_take_order(struct control_model *m, const struct ctl_order *o)
{
    uint32_t number = model_number_of(m, o->to);
    struct model_node *n = &m->nodes[number];
    assert_true(number != 0);
    if (o->is_create)
        assert_true(n->ready && n->liveness == SL_LIVENESS_ALIVE && m->target != number);
    uint32_t copies = 1;
    if (m->faulty)
        copies = model_chance(m, 10) ? 0 : 1 + model_chance(m, 10);
    for (; copies > 0 && n->order_count < MODEL_QUEUE; copies--)
        n->orders[(n->order_head + n->order_count++) % MODEL_QUEUE] = *o;
}

/* After each step: its orders travel, and what it lets be committed is durable. */
static void model_settle(struct control_model *m)
{
    for (uint32_t i = 0; i < m->d.order_count; i++)
        model_take_order(m, &m->d.orders[i]);
    ctl_forget(&m->d);
    sl_ts committed = sl_control_checkpoint_limit(m->d.control);
    for (int64_t table = 1; table <= (int64_t)MODEL_TABLES; table++) {
        struct sl_dispatcher_id id;
        if (sl_control_table_spans(m->d.control, table, &id, 1) == 0)
            continue;
        if (ctl_view(&m->d, id).state == SL_SPAN_REPLICATING)
            committed = sl_ts_min(committed, model_span_of(m, id)->durable);
    }
    if (committed != SL_TS_MAX)
        sl_control_set_committed(m->d.control, committed);
}

static void model_deliver_list(struct control_model *m, sl_node_ref from, const struct model_status *list)
{
    sl_control_audit_begin(m->d.control, from);
    for (uint32_t i = 0; i < list->listed_count; i++)
        sl_control_audit_seen(m->d.control, from, list->listed[i]);
    sl_outbox_reset(&m->d.out);
    sl_control_audit_end(m->d.control, m->d.now, from, &m->d.out);
    ctl_tick(&m->d, 0); /* what audit_end sent is lost: as good as any other loss */
}

static void model_deliver_status(struct control_model *m, uint32_t number)
{
    struct model_node *n = &m->nodes[number];
    if (n->status_count == 0)
        return;
    const struct model_status s = n->statuses[n->status_head];
    n->status_head = (n->status_head + 1) % MODEL_QUEUE;
    n->status_count--;
    sl_node_ref from = ctl_ref(&m->d, number);
    if (s.is_list) {
        model_deliver_list(m, from, &s);
    } else if (ctl_status(&m->d, from, s.id, s.state, s.checkpoint, s.seq) == SL_STATUS_UNKNOWN &&
               s.state == PB__COMPONENT_STATE__WORKING) {
        enum sl_code code = ctl_remove(&m->d, from, s.id, false);
        assert_true(code == SL_OK || code == SL_NOMEM);
    }
    model_settle(m);
}

static void model_deliver_order(struct control_model *m, uint32_t number)
{
    struct model_node *n = &m->nodes[number];
    if (n->order_count == 0)
        return;
    const struct ctl_order o = n->orders[n->order_head];
    n->order_head = (n->order_head + 1) % MODEL_QUEUE;
    n->order_count--;
    model_perform(m, number, &o);
}

static void model_lose_node(struct control_model *m, uint32_t number)
{
    for (uint32_t i = 0; i < MODEL_DISPATCHERS; i++) {
        if (m->dispatchers[i].node == number)
            m->dispatchers[i].phase = MODEL_NONE;
    }
    memset(&m->nodes[number], 0, sizeof m->nodes[number]);
    if (m->target == number)
        m->target = 0;
    ctl_lost(&m->d, number);
    model_settle(m);
}

static uint32_t model_alive_count(const struct control_model *m)
{
    return sl_members_alive_count(m->d.members);
}

static void model_change_membership(struct control_model *m)
{
    uint32_t number = 2 + model_below(m, CTL_NODES_MAX - 1);
    if (!m->d.alive[number] && model_alive_count(m) < 8) {
        m->nodes[number].ready = true;
        ctl_join(&m->d, number);
        model_settle(m);
    } else if (m->d.alive[number] && model_alive_count(m) > 3) {
        model_lose_node(m, number);
    }
}

static void model_set_target(struct control_model *m, uint32_t number)
{
    m->target = number;
    ctl_target(&m->d, number != 0 ? ctl_ref(&m->d, number) : SL_NODE_NONE, ++m->target_epoch);
    model_settle(m);
}

/* STOPPING is for good: it answers with Removed, which is a promise. */
static void model_set_liveness(struct control_model *m, uint32_t number, enum sl_liveness liveness)
{
    if (!m->d.alive[number] || m->nodes[number].liveness == SL_LIVENESS_STOPPING)
        return;
    m->nodes[number].liveness = liveness;
    sl_control_node_liveness(m->d.control, ctl_ref(&m->d, number), liveness);
}

static void model_change_tables(struct control_model *m)
{
    int64_t table = 1 + (int64_t)model_below(m, MODEL_TABLES);
    if (sl_control_table_spans(m->d.control, table, NULL, 0) > 0) {
        if (model_chance(m, 30))
            assert_true(ctl_drop(&m->d, table));
        model_settle(m);
        return;
    }
    enum sl_code code =
        sl_control_add_table(m->d.control, (struct sl_table){ .table_id = table, .schema_id = 1 }, 100, 0);
    assert_true(code == SL_OK || code == SL_NOMEM);
}

static void model_move_table(struct control_model *m)
{
    enum sl_code code = ctl_move(&m->d, 1 + (int64_t)model_below(m, MODEL_TABLES), ctl_ref(&m->d, model_any_node(m)));
    assert_true(code == SL_OK || code == SL_NOT_FOUND || code == SL_BUSY || code == SL_NOT_READY || code == SL_NOMEM);
    model_settle(m);
}

static void model_pass_time(struct control_model *m, sl_ns most)
{
    ctl_run(&m->d, (sl_ns)sl_prng_below(&m->prng, (uint64_t)most));
    model_settle(m);
}

static void model_fail_something(struct control_model *m)
{
    struct model_dispatcher *d = &m->dispatchers[model_below(m, MODEL_DISPATCHERS)];
    if (!m->strict && d->phase != MODEL_NONE && model_chance(m, 20))
        model_end_dispatcher(m, d);
    if (model_chance(m, 10))
        m->d.mem.fail_at = 1 + model_below(m, 8);
}

static void model_rare_step(struct control_model *m)
{
    switch (model_below(m, 8)) {
    case 0:
        if (model_chance(m, 20))
            model_change_membership(m);
        return;
    case 1:
        if (model_chance(m, 30))
            model_set_target(m, model_chance(m, 30) ? 0 : model_any_node(m));
        return;
    case 2:
        model_set_liveness(m, model_any_node(m), model_chance(m, 70) ? SL_LIVENESS_ALIVE : SL_LIVENESS_DRAINING);
        return;
    case 3:
        if (model_chance(m, 3))
            model_set_liveness(m, 2 + model_below(m, 2), SL_LIVENESS_STOPPING);
        return;
    case 4:
        model_move_table(m);
        return;
    case 5:
        model_fail_something(m);
        return;
    case 6:
        model_list(m, model_any_node(m), model_chance(m, 50));
        return;
    case 7:
        model_pass_time(m, model_chance(m, 5) ? 40 * SL_S : 2 * SL_S);
        return;
    }
}

void model_random_step(struct control_model *m)
{
    switch (model_below(m, 8)) {
    case 0:
        model_change_tables(m);
        return;
    case 1:
        model_rare_step(m);
        return;
    case 2:
    case 3:
        model_deliver_order(m, model_any_node(m));
        return;
    case 4:
    case 5:
        model_deliver_status(m, model_any_node(m));
        return;
    case 6:
        model_progress(m, &m->dispatchers[model_below(m, MODEL_DISPATCHERS)]);
        return;
    case 7:
        model_pass_time(m, 20 * SL_MS);
        return;
    }
}

/* ---- beginning and end ---- */

void model_start(struct control_model *m, uint64_t seed, uint32_t node_count, bool strict)
{
    memset(m, 0, sizeof *m);
    m->strict = strict;
    sl_prng_init(&m->prng, seed);
    m->faulty = true;
    ctl_start(&m->d, node_count, NULL);
    for (uint32_t number = 1; number <= node_count; number++)
        m->nodes[number].ready = true;
    sl_control_set_committed(m->d.control, 100);
}

void model_stop(struct control_model *m)
{
    sl_mem_free(&m->d.order_mem, SL_TAG_SIM, m->spans, m->span_cap * sizeof *m->spans);
    ctl_stop(&m->d);
}

static void model_exchange(struct control_model *m)
{
    for (uint32_t number = 1; number <= CTL_NODES_MAX; number++) {
        struct model_node *n = &m->nodes[number];
        while (n->order_count > 0)
            model_deliver_order(m, number);
    }
    for (uint32_t i = 0; i < MODEL_DISPATCHERS; i++) {
        if (m->dispatchers[i].phase != MODEL_NONE)
            model_progress(m, &m->dispatchers[i]);
    }
    for (uint32_t number = 1; number <= CTL_NODES_MAX; number++) {
        struct model_node *n = &m->nodes[number];
        while (n->status_count > 0)
            model_deliver_status(m, number);
    }
}

static void model_assert_rest(struct control_model *m)
{
    uint32_t spans = sl_control_span_count(m->d.control), running = 0;
    sl_assert_u64(ctl_stats(&m->d).replicating, spans);
    sl_assert_u64(sl_control_operator_count(m->d.control), 0);
    sl_assert_u64(m->d.pacer.in_flight, 0);
    for (uint32_t i = 0; i < MODEL_DISPATCHERS; i++) {
        const struct model_dispatcher *d = &m->dispatchers[i];
        if (d->phase == MODEL_NONE)
            continue;
        running++;
        ctl_assert_replicating(&m->d, d->id, ctl_ref(&m->d, d->node));
        assert_true(d->node != m->target);
    }
    sl_assert_u64(running, spans);
}

void model_converge(struct control_model *m)
{
    m->faulty = false;
    m->d.mem.fail_at = 0;
    for (uint32_t number = 2; number <= CTL_NODES_MAX; number++) {
        if (m->d.alive[number] && m->nodes[number].liveness == SL_LIVENESS_STOPPING)
            model_lose_node(m, number);
    }
    for (uint32_t number = 1; number <= CTL_NODES_MAX; number++) {
        if (m->d.alive[number])
            model_set_liveness(m, number, SL_LIVENESS_ALIVE);
    }
    if (m->target != 0 && model_alive_count(m) == 1)
        model_set_target(m, 0);
    for (uint32_t round = 0; round < 200; round++) {
        model_exchange(m);
        model_pass_time(m, SL_S);
        for (uint32_t number = 1; round % 20 == 10 && number <= CTL_NODES_MAX; number++) {
            if (!m->d.alive[number])
                continue;
            model_list(m, number, false);
            model_list(m, number, true);
        }
    }
    for (uint32_t i = 0; i < 5; i++) /* a round of balancing may just have begun */
        model_exchange(m);
    model_assert_rest(m);
}
