/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/control_driver.h"

#include <stdio.h>
#include <string.h>

#define DRIVER_ADOPTED_HIGH 9u
#define DRIVER_FINAL_TS 1000u

struct sl_maintainer_limits ctl_limits(void)
{
    struct sl_maintainer_limits limits = SL_MAINTAINER_LIMITS_DEFAULT;
    limits.span_count_max = 20000;
    return limits;
}

static struct sl_node_id driver_node_id(uint32_t number)
{
    char text[16];
    struct sl_node_id id;
    int length = snprintf(text, sizeof text, "n%u", number);
    SL_REQUIRE(length > 0 && sl_node_id_set(&id, (struct sl_str){ text, (size_t)length }));
    return id;
}

static const struct sl_members_change *driver_apply_members(struct control_driver *d)
{
    struct sl_node_id ids[CTL_NODES_MAX];
    uint32_t count = 0;
    for (uint32_t number = 1; number <= CTL_NODES_MAX; number++) {
        if (d->alive[number])
            ids[count++] = driver_node_id(number);
    }
    const struct sl_members_change *change;
    sl_assert_u64(sl_members_apply(d->members, ids, count, &change), 0);
    return change;
}

sl_node_ref ctl_ref(const struct control_driver *d, uint32_t number)
{
    struct sl_node_id id = driver_node_id(number);
    return sl_members_find(d->members, &id);
}

void ctl_open(struct control_driver *d, uint32_t node_count, const struct sl_maintainer_limits *limits)
{
    *d = (struct control_driver){ .now = SL_S };
    const struct sl_mem_opts mem_opts = sl_mem_opts_of(0);
    sl_mem_init(&d->mem, &mem_opts);
    sl_mem_init(&d->order_mem, &mem_opts);
    const struct sl_node_id self = driver_node_id(1);
    assert_int_equal(sl_members_new(&d->members, &d->order_mem, &self, CTL_NODES_MAX, 1), SL_OK);
    for (uint32_t number = 1; number <= node_count; number++)
        d->alive[number] = true;
    driver_apply_members(d);
    const struct sl_pacer_opts pacer_opts = SL_PACER_OPTS_DEFAULT;
    sl_pacer_init(&d->pacer, &pacer_opts);
    d->feed = (struct sl_feed_id){ .high = 1, .low = 2, .name_len = 1, .name = "f" };
    assert_int_equal(sl_outbox_init(&d->out, &d->order_mem, SL_TAG_OUTBOX, 65536, 64u << 20), SL_OK);
    const struct sl_control_opts opts = {
        .mem = &d->mem,
        .members = d->members,
        .pacer = &d->pacer,
        .feed = &d->feed,
        .epoch = CTL_EPOCH,
        .seed = 7,
        .limits = limits ? *limits : ctl_limits(),
    };
    assert_int_equal(sl_control_new(&d->control, &opts, d->now), SL_OK);
    sl_control_set_committed(d->control, 1);
}

/* ---- steps ---- */

static uint8_t driver_first_byte(const ProtobufCBinaryData *key)
{
    return key->len > 0 ? key->data[0] : 0;
}

static void driver_note_order(struct control_driver *d, const struct sl_out_send *send)
{
    assert_int_equal(send->type, SL_MSG_SCHEDULE_DISPATCHER_REQUEST);
    assert_true(sl_members_is_alive(d->members, send->to));
    Pb__ScheduleDispatcherRequest *r =
        pb__schedule_dispatcher_request__unpack(NULL, send->payload.len, send->payload.ptr);
    assert_non_null(r);
    sl_assert_u64(r->changefeed->low, d->feed.low);
    if (d->order_count == d->order_cap) {
        uint32_t cap = d->order_cap > 0 ? 2 * d->order_cap : 64;
        d->orders = sl_mem_resize(&d->order_mem, SL_TAG_SIM, d->orders, d->order_cap * sizeof *d->orders,
                                  cap * sizeof *d->orders);
        d->order_cap = cap;
    }
    d->orders[d->order_count++] = (struct ctl_order){
        .to = send->to,
        .is_create = r->action == PB__SCHEDULE_ACTION__CREATE,
        .type = r->operator_type,
        .id = sl_dispatcher_id_of(r->config->dispatcher_id),
        .table_id = r->config->span ? r->config->span->table_id : 0,
        .schema_id = r->config->schema_id,
        .keyspace_id = r->config->span ? r->config->span->keyspace_id : 0,
        .start_key = r->config->span ? driver_first_byte(&r->config->span->start_key) : 0,
        .end_key = r->config->span ? driver_first_byte(&r->config->span->end_key) : 0,
        .epoch = r->maintainer_epoch,
        .seq = r->placement_seq,
        .start_ts = r->config->start_ts,
    };
    pb__schedule_dispatcher_request__free_unpacked(r, NULL);
}

static void driver_begin(struct control_driver *d)
{
    sl_outbox_reset(&d->out);
}

static void driver_end(struct control_driver *d)
{
    for (uint32_t i = 0; i < d->out.count; i++) {
        const struct sl_output *item = &d->out.items[i];
        if (item->kind == SL_OUT_EVENT)
            d->event_count[item->u.event.id]++;
        else if (item->kind == SL_OUT_SEND)
            driver_note_order(d, &item->u.send);
    }
    if (!d->skips_check)
        sl__control_check(d->control);
}

void ctl_ready(struct control_driver *d, uint32_t number)
{
    sl_control_node_ready(d->control, ctl_ref(d, number));
}

void ctl_start(struct control_driver *d, uint32_t node_count, const struct sl_maintainer_limits *limits)
{
    ctl_open(d, node_count, limits);
    for (uint32_t number = 1; number <= node_count; number++)
        ctl_ready(d, number);
    driver_begin(d);
    sl_control_start(d->control, d->now, &d->out);
    driver_end(d);
}

void ctl_stop(struct control_driver *d)
{
    sl_control_free(d->control);
    sl_assert_u64(d->pacer.in_flight, 0);
    sl_assert_u64(d->pacer.feeds, 0);
    sl_mem_free(&d->order_mem, SL_TAG_SIM, d->orders, d->order_cap * sizeof *d->orders);
    sl_outbox_deinit(&d->out);
    sl_members_free(d->members);
    sl_mem_deinit(&d->order_mem);
    sl_mem_deinit(&d->mem);
}

void ctl_join(struct control_driver *d, uint32_t number)
{
    d->alive[number] = true;
    driver_apply_members(d);
    ctl_ready(d, number);
    ctl_tick(d, 0);
}

static void driver_lose(struct control_driver *d)
{
    const struct sl_members_change *change = driver_apply_members(d);
    driver_begin(d);
    for (uint32_t i = 0; i < change->removed_count; i++)
        sl_control_node_lost(d->control, d->now, change->removed[i], &d->out);
    driver_end(d);
}

void ctl_lost(struct control_driver *d, uint32_t number)
{
    d->alive[number] = false;
    driver_lose(d);
}

void ctl_lost_both(struct control_driver *d, uint32_t one, uint32_t other)
{
    d->alive[one] = d->alive[other] = false;
    driver_lose(d);
}

void ctl_target(struct control_driver *d, sl_node_ref node, uint64_t epoch)
{
    driver_begin(d);
    struct sl_control_target target = { node, epoch };
    sl_control_set_targets(d->control, d->now, &target, node != SL_NODE_NONE, &d->out);
    driver_end(d);
}

void ctl_targets(struct control_driver *d, const struct sl_control_target *targets, uint32_t count)
{
    driver_begin(d);
    sl_control_set_targets(d->control, d->now, targets, count, &d->out);
    driver_end(d);
}

void ctl_tick(struct control_driver *d, sl_ns delay)
{
    d->now += delay;
    driver_begin(d);
    sl_control_on_tick(d->control, d->now, &d->out);
    driver_end(d);
}

void ctl_run(struct control_driver *d, sl_ns duration)
{
    sl_ns end = d->now + duration, due;
    uint32_t ticks_left = 1000000; /* one that asks for ever is a bug */
    while ((due = sl_control_deadline(d->control)) <= end) {
        assert_true(ticks_left-- > 0);
        ctl_tick(d, due > d->now ? due - d->now : 0);
    }
    d->now = end;
}

struct sl_dispatcher_id ctl_add(struct control_driver *d, int64_t table_id, sl_ts start)
{
    struct sl_dispatcher_id id;
    const struct sl_table table = { .table_id = table_id, .schema_id = 3 };
    assert_int_equal(sl_control_add_table(d->control, table, start, CTL_KEYSPACE), SL_OK);
    ctl_tick(d, 0);
    sl_assert_u64(sl_control_table_spans(d->control, table_id, &id, 1), 1);
    return id;
}

struct sl_dispatcher_id ctl_adopt(struct control_driver *d, int64_t table_id, sl_node_ref node, sl_ts checkpoint)
{
    const struct sl_span_report report = {
        .id = { DRIVER_ADOPTED_HIGH, (uint64_t)table_id },
        .span = { .table_id = table_id },
        .schema_id = 3,
        .state = PB__COMPONENT_STATE__WORKING,
        .checkpoint = checkpoint,
    };
    assert_int_equal(sl_control_adopt(d->control, node, &report), SL_OK);
    return report.id;
}

void ctl_adopt_many(struct control_driver *d, int64_t first_table, uint32_t count, sl_node_ref node)
{
    for (uint32_t i = 0; i < count; i++)
        ctl_adopt(d, first_table + i, node, 10);
}

struct sl_dispatcher_id ctl_moving(struct control_driver *d, int64_t table_id, sl_node_ref origin, sl_node_ref dest)
{
    struct sl_dispatcher_id id = ctl_adopt(d, table_id, origin, 10);
    assert_int_equal(ctl_move(d, table_id, dest), SL_OK);
    return id;
}

enum sl_code ctl_move(struct control_driver *d, int64_t table_id, sl_node_ref dest)
{
    driver_begin(d);
    enum sl_code code = sl_control_move_table(d->control, d->now, table_id, dest, &d->out);
    driver_end(d);
    return code;
}

enum sl_code ctl_remove(struct control_driver *d, sl_node_ref node, struct sl_dispatcher_id id, bool keep_span)
{
    driver_begin(d);
    const struct sl_span_report report = { .id = id };
    enum sl_code code = sl_control_remove_dispatcher(d->control, d->now, node, &report, keep_span, &d->out);
    driver_end(d);
    return code;
}

bool ctl_drop(struct control_driver *d, int64_t table_id)
{
    driver_begin(d);
    bool known = sl_control_drop_table(d->control, d->now, table_id, &d->out);
    driver_end(d);
    return known;
}

enum sl_status_effect ctl_status(struct control_driver *d, sl_node_ref from, struct sl_dispatcher_id id,
                                 Pb__ComponentState state, sl_ts checkpoint, uint64_t seq)
{
    const struct sl_span_report report = { .id = id, .state = state, .checkpoint = checkpoint, .placement_seq = seq };
    driver_begin(d);
    enum sl_status_effect effect = sl_control_on_status(d->control, d->now, from, &report, &d->out);
    driver_end(d);
    return effect;
}

enum sl_status_effect ctl_working(struct control_driver *d, sl_node_ref from, struct sl_dispatcher_id id, sl_ts ts)
{
    return ctl_status(d, from, id, PB__COMPONENT_STATE__WORKING, ts, 0);
}

enum sl_status_effect ctl_stopped(struct control_driver *d, sl_node_ref from, struct sl_dispatcher_id id, sl_ts ts)
{
    return ctl_status(d, from, id, PB__COMPONENT_STATE__STOPPED, ts, 0);
}

void ctl_answer_one(struct control_driver *d, struct ctl_order *order)
{
    const struct ctl_order o = *order; /* the answer may move the array */
    order->answered = true;
    Pb__ComponentState state = o.is_create ? PB__COMPONENT_STATE__WORKING : PB__COMPONENT_STATE__STOPPED;
    ctl_status(d, o.to, o.id, state, o.is_create ? o.start_ts : DRIVER_FINAL_TS, o.seq);
}

void ctl_answer(struct control_driver *d)
{
    for (uint32_t i = 0; i < d->order_count; i++) {
        if (!d->orders[i].answered && sl_members_is_alive(d->members, d->orders[i].to))
            ctl_answer_one(d, &d->orders[i]);
    }
}

/* ---- what there is ---- */

struct sl_span_view ctl_view(const struct control_driver *d, struct sl_dispatcher_id id)
{
    struct sl_span_view view;
    assert_int_equal(sl_control_view(d->control, id, &view), SL_OK);
    return view;
}

struct sl_node_counts ctl_counts(const struct control_driver *d, sl_node_ref node)
{
    struct sl_node_counts counts;
    sl_control_node_counts(d->control, node, &counts);
    return counts;
}

struct sl_maintainer_stats ctl_stats(const struct control_driver *d)
{
    struct sl_maintainer_stats stats;
    sl_control_stats(d->control, &stats);
    return stats;
}

static void driver_assert_span(const struct control_driver *d, struct sl_dispatcher_id id, enum sl_span_state state,
                               sl_node_ref node)
{
    struct sl_span_view view = ctl_view(d, id);
    assert_int_equal(view.state, state);
    sl_assert_u64(view.node, node);
}

void ctl_assert_absent(const struct control_driver *d, struct sl_dispatcher_id id)
{
    driver_assert_span(d, id, SL_SPAN_ABSENT, SL_NODE_NONE);
}

void ctl_assert_replicating(const struct control_driver *d, struct sl_dispatcher_id id, sl_node_ref node)
{
    driver_assert_span(d, id, SL_SPAN_REPLICATING, node);
}

void ctl_assert_scheduling(const struct control_driver *d, struct sl_dispatcher_id id, sl_node_ref node)
{
    driver_assert_span(d, id, SL_SPAN_SCHEDULING, node);
}

void ctl_forget(struct control_driver *d)
{
    d->order_count = 0;
}

const struct ctl_order *ctl_last(const struct control_driver *d)
{
    return d->order_count > 0 ? &d->orders[d->order_count - 1] : NULL;
}

static uint32_t driver_orders_to(const struct control_driver *d, sl_node_ref node, bool is_create)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < d->order_count; i++)
        count += d->orders[i].to == node && d->orders[i].is_create == is_create;
    return count;
}

uint32_t ctl_creates_to(const struct control_driver *d, sl_node_ref node)
{
    return driver_orders_to(d, node, true);
}

uint32_t ctl_removes_to(const struct control_driver *d, sl_node_ref node)
{
    return driver_orders_to(d, node, false);
}
