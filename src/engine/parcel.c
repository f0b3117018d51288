/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/engine_internal.h"

#include <stdlib.h>

#define PARCEL_ENTRIES_MIN 4u

struct sl_cargo *sl__cargo_new(struct sl_reader_slot *r, struct sl_batch *batch)
{
    struct sl_cargo *c = malloc(sizeof *c);
    if (c)
        *c = (struct sl_cargo){
            .batch = batch, .reader = r, .size = sl_batch_size(batch), .from = r->routed, .refs = 1
        };
    return c;
}

void sl__cargo_unref(struct sl_cargo *c)
{
    if (--c->refs > 0)
        return;
    sl_batch_unref(c->batch);
    free(c);
}

/* Queued bytes count a batch once, for as long as a lane needs it. */
static void cargo_load(struct sl_cargo *c)
{
    c->refs++;
    if (c->parcels++ == 0)
        c->reader->queued_bytes += c->size;
}

static void cargo_unload(struct sl_cargo *c)
{
    struct sl_reader_slot *r = c->reader;
    if (--c->parcels == 0) {
        r->queued_bytes -= c->size;
        if (r->queued_bytes < r->queued_bytes_max)
            pthread_cond_signal(&r->changed);
    }
    sl__cargo_unref(c);
}

static struct sl_parcel *parcel_room(struct sl_parcel *p, struct sl_cargo *c)
{
    if (p && p->count < p->cap)
        return p;
    uint32_t cap = p ? p->cap * 2 : PARCEL_ENTRIES_MIN;
    struct sl_parcel *grown = realloc(p, sizeof *p + cap * sizeof p->entries[0]);
    if (!grown)
        return NULL;
    if (!p)
        *grown = (struct sl_parcel){ .cargo = c };
    grown->cap = cap;
    return grown;
}

bool sl__plane_lane_add(struct sl_plane_lane *l, struct sl_cargo *c, struct sl_flow *f, uint32_t table)
{
    const struct sl_batch_table *t = sl_batch_table(c->batch, table);
    if (t->count == 0 || sl_batch_row(c->batch, t->last)->ts <= f->from)
        return true;
    struct sl_parcel *p = parcel_room(l->building, c);
    if (!p)
        return false;
    l->building = p;
    p->entries[p->count++] = (struct sl_entry){ .flow = f, .table = table, .after = f->from };
    p->row_count += t->count;
    if (f->pending++ == 0)
        f->durable = sl_ts_max(f->from, c->from);
    return true;
}

bool sl__plane_lane_add_chunk(struct sl_plane_lane *l, struct sl_cargo *c, struct sl_flow *f)
{
    struct sl_parcel *p = parcel_room(l->building, c);
    if (!p)
        return false;
    l->building = p;
    p->entries[p->count++] = (struct sl_entry){ .flow = f, .table = 0, .after = SL_TS_NONE };
    p->row_count += sl_batch_row_count(c->batch);
    f->pending++;
    return true;
}

void sl__plane_lane_push(struct sl_plane_lane *l, bool is_shared)
{
    struct sl_parcel *p = l->building;
    if (!p)
        return;
    l->building = NULL;
    p->is_shared = is_shared;
    cargo_load(p->cargo);
    if (l->queue.head)
        l->queue.tail->next = p;
    else
        l->queue.head = p;
    l->queue.tail = p;
    if (is_shared) {
        if (l->shared_head)
            l->shared_tail->shared_next = p;
        else
            l->shared_head = p;
        l->shared_tail = p;
    }
    l->row_count += p->row_count;
    l->feed->hub->rows_unflushed += p->row_count;
    pthread_cond_signal(&l->changed);
}

static struct sl_parcel *parcel_pop(struct sl_parcel_list *list)
{
    struct sl_parcel *p = list->head;
    list->head = p->next;
    if (!list->head)
        list->tail = NULL;
    p->next = NULL;
    return p;
}

static void parcel_append(struct sl_parcel_list *list, struct sl_parcel *p)
{
    p->next = NULL;
    if (list->head)
        list->tail->next = p;
    else
        list->head = p;
    list->tail = p;
}

void sl__parcel_skip_over(struct sl_parcel *p)
{
    for (uint32_t i = 0; i < p->count; i++) {
        struct sl_flow *f = p->entries[i].flow;
        if (!f || f->state != SL_FLOW_OVER)
            continue;
        p->entries[i].flow = NULL;
        sl__flow_entry_done(f, SL_TS_NONE, false);
    }
}

void sl__plane_lane_take(struct sl_plane_lane *l)
{
    uint64_t rows = 0, rows_max = l->feed->plane->opts.commit_rows_max;
    while (l->queue.head && (rows == 0 || rows + l->queue.head->row_count <= rows_max)) {
        struct sl_parcel *p = parcel_pop(&l->queue);
        rows += p->row_count;
        sl__parcel_skip_over(p);
        parcel_append(&l->in_flight, p);
    }
}

/* Entries that are left are done. The parcel is out of its queue. */
static void parcel_free(struct sl_plane_lane *l, struct sl_parcel *p, bool is_durable)
{
    struct sl_hub *h = l->feed->hub;
    bool is_chunk = sl_batch_chunk(p->cargo->batch) != NULL;
    for (uint32_t i = 0; i < p->count; i++) {
        struct sl_flow *f = p->entries[i].flow;
        if (!f)
            continue;
        sl__flow_entry_done(f, sl_batch_rows_through(p->cargo->batch), is_durable);
        if (is_chunk && is_durable)
            sl__copy_chunk_done(f, p->cargo->batch);
    }
    l->row_count -= p->row_count;
    h->rows_unflushed -= p->row_count;
    if (is_durable)
        h->rows_durable += p->row_count;
    cargo_unload(p->cargo);
    free(p);
}

/* Of the list of shared parcels, which is in the order of the queue. */
static void lane_unlink_shared(struct sl_plane_lane *l, struct sl_parcel *p)
{
    if (!p->is_shared)
        return;
    SL_REQUIRE(l->shared_head == p);
    l->shared_head = p->shared_next;
}

void sl__plane_lane_forget_shared(struct sl_plane_lane *l)
{
    for (struct sl_parcel *p = l->shared_head; p; p = p->shared_next)
        p->is_shared = false;
    l->shared_head = l->shared_tail = NULL;
}

void sl__plane_lane_finish(struct sl_plane_lane *l, bool is_durable)
{
    while (l->in_flight.head) {
        struct sl_parcel *p = parcel_pop(&l->in_flight);
        lane_unlink_shared(l, p);
        parcel_free(l, p, is_durable);
    }
}

void sl__plane_lane_clear(struct sl_plane_lane *l)
{
    while (l->queue.head) {
        struct sl_parcel *p = parcel_pop(&l->queue);
        parcel_free(l, p, false);
    }
    /* What is in flight stays listed until its call returns. */
    l->shared_head = l->shared_tail = NULL;
    for (struct sl_parcel *p = l->in_flight.head; p; p = p->next) {
        if (!p->is_shared)
            continue;
        p->shared_next = NULL;
        if (l->shared_head)
            l->shared_tail->shared_next = p;
        else
            l->shared_head = p;
        l->shared_tail = p;
    }
}

/* A flow of the shared reader waits from here on; one that is closing is flushed, whatever it takes. */
static void lane_detach_entry(struct sl_entry *e, const struct sl_cargo *c)
{
    struct sl_flow *f = e->flow;
    if (!f)
        return;
    if (f->state == SL_FLOW_JOINING || f->state == SL_FLOW_FOLLOWING) {
        /* Not its own from: that is where it joined, and what came before it may be what is dropped here. */
        sl_ts from = sl_ts_max(e->after, c->from);
        sl__hub_detach(f);
        f->from = from;
        sl__flow_go(f, SL_FLOW_WAITING);
        sl__flow_list_add(&f->feed->hub->waiting, f);
        sl__flow_touch(f);
        f->feed->hub->detached++;
    }
    if (f->state != SL_FLOW_WAITING)
        return;
    e->flow = NULL;
    sl__flow_entry_done(f, SL_TS_NONE, false);
}

bool sl__plane_lane_detach(struct sl_plane_lane *l)
{
    struct sl_parcel_list kept = { 0 };
    struct sl_parcel *dropped = NULL;
    while (l->queue.head) {
        struct sl_parcel *p = parcel_pop(&l->queue);
        uint32_t left = 0;
        for (uint32_t i = 0; i < p->count; i++) {
            lane_detach_entry(&p->entries[i], p->cargo);
            left += p->entries[i].flow ? 1 : 0;
        }
        if (left > 0) {
            parcel_append(&kept, p);
        } else {
            p->next = dropped;
            dropped = p;
        }
    }
    sl__plane_lane_clear(l); /* the queue is empty: this lists what is in flight anew */
    l->queue = kept;
    for (struct sl_parcel *p = kept.head; p; p = p->next) {
        if (!p->is_shared)
            continue;
        p->shared_next = NULL;
        if (l->shared_head)
            l->shared_tail->shared_next = p;
        else
            l->shared_head = p;
        l->shared_tail = p;
    }
    bool has_dropped = dropped != NULL;
    while (dropped) {
        struct sl_parcel *p = dropped;
        dropped = p->next;
        parcel_free(l, p, false);
    }
    return has_dropped;
}
