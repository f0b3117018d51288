/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/engine_internal.h"

#include <stdio.h>
#include <stdlib.h>

bool sl__flow_may_go(enum sl_flow_state from, enum sl_flow_state to)
{
#define GO(name) (1u << SL_FLOW_##name)
#define FLOW_NEXT(name, next) next,
    static const uint32_t legal[] = { SL_FLOW_STATES(FLOW_NEXT) };
#undef FLOW_NEXT
#undef GO
    return (legal[from] >> to & 1) != 0;
}

void sl__flow_go(struct sl_flow *f, enum sl_flow_state to)
{
    SL_REQUIRE(sl__flow_may_go((enum sl_flow_state)f->state, to));
    if (f->state == SL_FLOW_FOLLOWING) {
        f->feed->follower_count--;
        f->durable = sl_ts_max(f->durable, f->feed->checkpoint); /* it was there, or that would not have been said */
    }
    if (to == SL_FLOW_FOLLOWING)
        f->feed->follower_count++;
    f->state = (uint8_t)to;
}

void sl__flow_touch(struct sl_flow *f)
{
    struct sl_hub *h = f->feed->hub;
    if (f->is_dirty)
        return;
    f->is_dirty = true;
    f->dirty_next = NULL;
    if (h->dirty_head)
        h->dirty_tail->dirty_next = f;
    else
        h->dirty_head = f;
    h->dirty_tail = f;
    sl__plane_wake(h->plane);
}

bool sl__flow_is_free(const struct sl_flow *f)
{
    return f->state == SL_FLOW_OVER && f->pending == 0 && !f->is_raising && !f->is_acting;
}

static void flow_set_trouble(struct sl_flow *f, const struct sl_trouble *trouble)
{
    if (!f->trouble && trouble)
        f->trouble = malloc(sizeof *f->trouble);
    if (!f->trouble || !trouble)
        return;
    bool is_error = trouble->kind != SL_TROUBLE_STALE; /* who is replaced is no error of the feed: no code */
    snprintf(f->trouble->code, sizeof f->trouble->code, "%s", is_error ? trouble->code : "");
    snprintf(f->trouble->text, sizeof f->trouble->text, "%s%s%s", trouble->detail, trouble->remedy[0] ? "; " : "",
             trouble->remedy);
}

void sl__flow_end(struct sl_flow *f, enum sl_flow_end end, const struct sl_trouble *trouble)
{
    if (f->state == SL_FLOW_OVER)
        return;
    sl__hub_detach(f);
    sl__hub_stop_idle(f->feed->hub);
    sl__flow_go(f, SL_FLOW_OVER);
    if (f->pending == 0)
        f->durable = sl_ts_max(f->durable, f->from);
    f->end = (uint8_t)end;
    flow_set_trouble(f, trouble);
    sl__flow_touch(f);
}

void sl__flow_end_flushed(struct sl_flow *f)
{
    sl__flow_end(f, f->is_abandoned ? SL_FLOW_END_FAILED : SL_FLOW_END_CLOSED, NULL);
}

void sl__flow_abandon(struct sl_flow *f, const struct sl_trouble *trouble)
{
    f->is_abandoned = true;
    flow_set_trouble(f, trouble);
    sl__hub_detach(f);
    sl__flow_go(f, SL_FLOW_CLOSING);
    sl__flow_touch(f);
    if (f->pending == 0)
        sl__flow_end_flushed(f);
}

void sl__flow_close(struct sl_flow *f)
{
    switch ((enum sl_flow_state)f->state) {
    case SL_FLOW_CLAIMING:
        f->is_close_asked = true;
        return;
    case SL_FLOW_COPYING:
    case SL_FLOW_WAITING:
    case SL_FLOW_CATCHING:
    case SL_FLOW_JOINING:
    case SL_FLOW_FOLLOWING:
    case SL_FLOW_BLOCKED:
        sl__hub_detach(f);
        sl__hub_stop_idle(f->feed->hub);
        sl__flow_go(f, SL_FLOW_CLOSING);
        if (f->pending == 0 && !f->is_acting)
            sl__flow_end(f, SL_FLOW_END_CLOSED, NULL);
        return;
    case SL_FLOW_CLOSING:
    case SL_FLOW_OVER:
    case SL_FLOW_STATE_COUNT:
        return;
    }
    SL_UNREACHABLE();
}

static void flow_follow(struct sl_flow *f)
{
    if (f->state == SL_FLOW_JOINING && f->join_count == 0 && !f->is_ahead) {
        sl__flow_go(f, SL_FLOW_FOLLOWING);
        sl__flow_touch(f);
    }
}

void sl__flow_leave_ahead(struct sl_flow *f)
{
    struct sl_hub *h = f->feed->hub;
    if (!f->is_ahead)
        return;
    f->is_ahead = false;
    if (f->ahead_prev)
        f->ahead_prev->ahead_next = f->ahead_next;
    else
        h->ahead = f->ahead_next;
    if (f->ahead_next)
        f->ahead_next->ahead_prev = f->ahead_prev;
    f->ahead_next = f->ahead_prev = NULL;
}

void sl__flow_come(struct sl_flow *f)
{
    sl__flow_leave_ahead(f);
    f->join_count = f->pending;
    flow_follow(f);
}

sl_ts sl__flow_joins_at(const struct sl_flow *f)
{
    return sl_ts_max(f->from, f->feed->checkpoint);
}

void sl__flow_join(struct sl_flow *f)
{
    struct sl_hub *h = f->feed->hub;
    sl__flow_go(f, SL_FLOW_JOINING);
    f->join_count = f->pending;
    if (sl__flow_joins_at(f) > f->reader->routed) {
        f->is_ahead = true;
        f->ahead_next = h->ahead;
        if (h->ahead)
            h->ahead->ahead_prev = f;
        h->ahead = f;
    }
    flow_follow(f);
    sl__flow_touch(f);
}

void sl__flow_entry_done(struct sl_flow *f, sl_ts through, bool is_durable)
{
    SL_REQUIRE(f->pending > 0);
    f->pending--;
    if (is_durable)
        f->durable = sl_ts_max(f->durable, through);
    if (f->join_count > 0 && --f->join_count == 0)
        flow_follow(f);
    if (f->pending > 0)
        return;
    if (f->state == SL_FLOW_CLOSING && is_durable)
        sl__flow_end_flushed(f);
    else if (f->state == SL_FLOW_BLOCKED)
        sl__flow_drained(f);
    else if (sl__flow_is_free(f))
        sl__flow_touch(f);
}

sl_ts sl__flow_durable(const struct sl_flow *f)
{
    if (f->pending > 0 || f->end == SL_FLOW_END_FAILED)
        return f->durable;
    return f->reader ? sl_ts_max(f->from, f->reader->routed) : f->from;
}

void sl__flow_list_add(struct sl_flow_list *l, struct sl_flow *f)
{
    f->next = NULL;
    f->prev = l->tail;
    if (l->tail)
        l->tail->next = f;
    else
        l->head = f;
    l->tail = f;
    l->count++;
}

void sl__flow_list_remove(struct sl_flow_list *l, struct sl_flow *f)
{
    if (f->prev)
        f->prev->next = f->next;
    else
        l->head = f->next;
    if (f->next)
        f->next->prev = f->prev;
    else
        l->tail = f->prev;
    f->next = f->prev = NULL;
    l->count--;
}
