/* SPDX-License-Identifier: Apache-2.0 */
#include "port/ddl.h"
#include "engine/engine_internal.h"

#include <stdio.h>

/*
 * Changes of the schema, seen from one node. The batch that ends with one stops the flows that it concerns:
 *
 *              drained                         performed
 *   DRAINS ---+-----> ACTS --- OWN: its lane performs it ----------------------------------> behind it
 *             |         \----- the trigger: MAKES performs it, JOINT asks the sink ---+
 *             +------------------------------------------------------> STANDS <-------+
 *                                                           reported: BLOCKED
 *                         behind it, told UNBLOCKED <------- PASS ----+---- WRITE ---> WRITES: its lane performs it ---> behind it
 */
static bool ddl_concerns(const struct sl_ddl *ddl, const struct sl_flow *f)
{
    struct sl_ddl_party who = { .table_id = f->table_id,
                                .schema_id = f->schema_id,
                                .is_table_trigger = f->is_table_trigger };
    return sl_ddl_concerns(ddl, &who);
}

bool sl__flow_must_stop(const struct sl_flow *f, const struct sl_batch *batch)
{
    const struct sl_ddl *ddl = sl_batch_ddl(batch);
    return ddl && ddl->ts > f->from && ddl_concerns(ddl, f);
}

/* ---- one flow ---- */

static void ddl_give_to_lane(struct sl_flow *f, enum sl_stop_stage stage)
{
    struct sl_plane_lane *l = f->lane;
    f->stop_stage = (uint8_t)stage;
    f->is_acting = true;
    f->claim_next = NULL;
    if (l->stops_head)
        l->stops_tail->claim_next = f;
    else
        l->stops_head = f;
    l->stops_tail = f;
    pthread_cond_signal(&l->changed);
}

static void ddl_refuse(struct sl_flow *f, const struct sl_ddl *ddl)
{
    struct sl_trouble t;
    char remedy[sizeof t.remedy];
    snprintf(remedy, sizeof remedy,
             "perform at the sink by hand what is wanted of it, then: sluice feed resume FEED --skip-ddl %llu",
             (unsigned long long)ddl->ts);
    sl_trouble_set(&t, SL_TROUBLE_LASTING, "DDL_REFUSED", remedy,
                   "a schema change of the source cannot be replicated ('%s' of ts %llu)", ddl->kind,
                   (unsigned long long)ddl->ts);
    sl__flow_end(f, SL_FLOW_END_FAILED, &t);
}

void sl__flow_drained(struct sl_flow *f)
{
    const struct sl_ddl *ddl = sl_batch_ddl(f->stop);
    SL_REQUIRE(f->state == SL_FLOW_BLOCKED && f->stop_stage == SL_STOP_DRAINS && f->pending == 0);
    if (ddl->effect == SL_DDL_REFUSED) {
        ddl_refuse(f, ddl);
    } else if (sl__copy_is_in_the_way(f, ddl)) {
        sl__copy_refuse(f, ddl);
    } else if (f->is_table_trigger || ddl->effect == SL_DDL_OWN) {
        ddl_give_to_lane(f, SL_STOP_ACTS);
    } else {
        f->stop_stage = SL_STOP_STANDS;
        sl__flow_touch(f);
    }
}

void sl__flow_stop(struct sl_flow *f, struct sl_batch *batch)
{
    SL_REQUIRE(!f->reader && !f->stop && !f->is_acting);
    if (sl__copy_restart_behind(f, sl_batch_ddl(batch)))
        return;
    f->from = sl_ts_max(f->from, sl_batch_ddl(batch)->ts - 1);
    sl__flow_go(f, SL_FLOW_BLOCKED);
    f->stop = sl_batch_ref(batch);
    f->stop_stage = SL_STOP_DRAINS;
    f->is_stop_told = f->is_stop_done = false;
    f->feed->hub->stopped_count++;
    sl__flow_touch(f);
    if (f->pending == 0)
        sl__flow_drained(f);
}

void sl__flow_drop_stop(struct sl_flow *f)
{
    if (!f->stop)
        return;
    sl_batch_unref(f->stop);
    f->stop = NULL;
    f->feed->hub->stopped_count--;
}

/* It goes on as one that starts behind the change. */
static void ddl_pass(struct sl_flow *f, bool is_told)
{
    sl_ts ts = sl_batch_ddl(f->stop)->ts;
    sl__flow_drop_stop(f);
    f->from = f->durable = ts;
    if (is_told)
        f->passed_ts = ts;
    sl__flow_touch(f);
    sl__hub_attach(f);
}

void sl__flow_acted(struct sl_flow *f, const struct sl_ddl *ddl, bool is_done, bool was_executed)
{
    f->is_acting = false;
    if (f->state == SL_FLOW_CLOSING) {
        if (is_done && ddl->effect == SL_DDL_OWN)
            f->from = f->durable = ddl->ts;
        sl__flow_end_flushed(f);
    } else if (f->state == SL_FLOW_OVER) {
        sl__flow_touch(f);
    } else if (is_done && ddl->effect == SL_DDL_OWN) {
        ddl_pass(f, false);
    } else if (is_done && f->stop_stage == SL_STOP_WRITES) {
        ddl_pass(f, true);
    } else if (is_done) {
        f->is_stop_done = was_executed;
        f->stop_stage = SL_STOP_STANDS;
        sl__flow_touch(f);
    }
}

void sl__flow_told(struct sl_flow *f, sl_ts ts, bool writes)
{
    if (f->state != SL_FLOW_BLOCKED || f->stop_stage != SL_STOP_STANDS || sl_batch_ddl(f->stop)->ts != ts)
        return;
    if (writes)
        ddl_give_to_lane(f, SL_STOP_WRITES);
    else
        ddl_pass(f, true);
}

struct sl_block sl__flow_block(const struct sl_flow *f)
{
    return sl_ddl_block(sl_batch_ddl(f->stop), f->is_table_trigger, f->is_stop_done);
}

/* ---- those that a reader serves ---- */

static void ddl_stop_member(struct sl_flow *f, struct sl_batch *batch)
{
    if (!sl__flow_must_stop(f, batch))
        return;
    sl__hub_detach(f);
    sl__flow_stop(f, batch);
}

static void ddl_stop_table(struct sl_reader_slot *r, struct sl_batch *batch, int64_t table_id)
{
    struct sl_flow *next = NULL;
    for (struct sl_flow *f = sl__hub_bucket(r->hub, table_id); f; f = next) {
        next = f->bucket_next;
        if (f->table_id == table_id && f->reader == r)
            ddl_stop_member(f, batch);
    }
}

void sl__hub_stop_members(struct sl_reader_slot *r, struct sl_batch *batch)
{
    const struct sl_ddl *ddl = sl_batch_ddl(batch);
    if (!ddl)
        return;
    if (ddl->influence != SL_INFLUENCE_NORMAL || ddl->effect == SL_DDL_REFUSED) {
        for (struct sl_flow *f = r->members.head, *next = NULL; f; f = next) {
            next = f->next;
            ddl_stop_member(f, batch);
        }
        return;
    }
    ddl_stop_table(r, batch, 0);
    for (uint32_t i = 0; i < ddl->table_count; i++)
        ddl_stop_table(r, batch, ddl->tables[i]);
    for (uint32_t i = 0; i < ddl->added_count; i++)
        ddl_stop_table(r, batch, ddl->added[i].table_id);
}
