/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/oracle_internal.h"

#include <inttypes.h>

#define ORACLE_CAP_MIN 16u

static const char *const oracle_names[SL_SIM_ORACLE_COUNT] = {
#define ORACLE_NAME(name, invariant, text) #name,
    SL_SIM_ORACLES(ORACLE_NAME)
#undef ORACLE_NAME
};

const char *sl_sim_oracle_name(enum sl_sim_oracle_id id)
{
    return oracle_names[id];
}

void sl_sim_oracle_init(struct sl_sim_oracle *o, struct sl_sim_engine *e)
{
    *o = (struct sl_sim_oracle){ .engine = e };
}

void sl_sim_oracle_deinit(struct sl_sim_oracle *o)
{
    sl_sim_free(o->engine, o->processes, o->process_cap * sizeof *o->processes);
    sl_sim_free(o->engine, o->feeds, o->feed_cap * sizeof *o->feeds);
    sl_sim_oracle_init(o, o->engine);
}

static uint32_t oracle_cap_for(uint32_t index)
{
    uint32_t cap = ORACLE_CAP_MIN;
    while (cap <= index)
        cap *= 2;
    return cap;
}

struct sl_sim_oracle_process *sl_sim_oracle_process(struct sl_sim_oracle *o, uint32_t process)
{
    if (process >= o->process_cap) {
        uint32_t cap = oracle_cap_for(process);
        o->processes =
            sl_sim_resize(o->engine, o->processes, o->process_cap * sizeof *o->processes, cap * sizeof *o->processes);
        o->process_cap = cap;
    }
    return &o->processes[process];
}

struct sl_sim_oracle_feed *sl_sim_oracle_feed(struct sl_sim_oracle *o, uint32_t feed)
{
    if (feed >= o->feed_cap) {
        uint32_t cap = oracle_cap_for(feed);
        o->feeds = sl_sim_resize(o->engine, o->feeds, o->feed_cap * sizeof *o->feeds, cap * sizeof *o->feeds);
        o->feed_cap = cap;
    }
    return &o->feeds[feed];
}

void sl_sim_oracle_count(struct sl_sim_oracle *o, enum sl_sim_oracle_id id)
{
    o->check_counts[id]++;
}

static void oracle_judge_liveness(struct sl_sim_oracle *o, struct sl_sim_oracle_process *p,
                                  const struct sl_sim_self_image *s)
{
    sl_sim_oracle_count(o, SL_SIM_ORACLE_LIVENESS);
    int step = s->liveness - p->liveness;
    if (step < 0 || (step > 1 && !s->is_unleased) || s->liveness > 2)
        sl_sim_oracle_fail(o, SL_SIM_ORACLE_LIVENESS, "process %" PRIu32 ": liveness went from %d to %d", s->process,
                           p->liveness, s->liveness);
    p->liveness = s->liveness;
}

/* After an undrain. */
static bool oracle_begins_anew(const struct sl_sim_oracle_process *p, uint64_t node_epoch)
{
    return p->is_known && node_epoch > p->node_epoch && !p->is_stopping && !p->is_safe;
}

void sl_sim_oracle_self(struct sl_sim_oracle *o, const struct sl_sim_self_image *s)
{
    struct sl_sim_oracle_process *p = sl_sim_oracle_process(o, s->process);
    if (s->node_epoch != 0) {
        if (oracle_begins_anew(p, s->node_epoch)) {
            p->liveness = 0;
            p->node_epoch = s->node_epoch;
        }
        if (p->is_known && p->node_epoch != s->node_epoch)
            sl_sim_oracle_fail(o, SL_SIM_ORACLE_LIVENESS,
                               "process %" PRIu32 ": node epoch changed from %" PRIu64 " to %" PRIu64, s->process,
                               p->node_epoch, s->node_epoch);
        p->is_known = true;
        p->node_epoch = s->node_epoch;
    }
    if (s->liveness >= 0)
        oracle_judge_liveness(o, p, s);
}

void sl_sim_oracle_drain_epoch_durable(struct sl_sim_oracle *o, uint64_t epoch)
{
    if (epoch <= o->drain_epoch_durable)
        sl_sim_oracle_fail(o, SL_SIM_ORACLE_EPOCH, "drain epoch %" PRIu64 " given out after %" PRIu64, epoch,
                           o->drain_epoch_durable);
    o->drain_epoch_durable = epoch;
}

void sl_sim_oracle_drain_epoch_used(struct sl_sim_oracle *o, uint64_t epoch)
{
    sl_sim_oracle_count(o, SL_SIM_ORACLE_EPOCH);
    if (epoch > o->drain_epoch_durable)
        sl_sim_oracle_fail(o, SL_SIM_ORACLE_EPOCH, "drain epoch %" PRIu64 " used, durable is %" PRIu64, epoch,
                           o->drain_epoch_durable);
}

void sl_sim_oracle_feed_epoch_durable(struct sl_sim_oracle *o, uint32_t feed, uint64_t epoch)
{
    struct sl_sim_oracle_feed *f = sl_sim_oracle_feed(o, feed);
    if (epoch <= f->epoch_durable)
        sl_sim_oracle_fail(o, SL_SIM_ORACLE_EPOCH, "feed %" PRIu32 ": epoch %" PRIu64 " given out after %" PRIu64, feed,
                           epoch, f->epoch_durable);
    f->epoch_durable = epoch;
}

void sl_sim_oracle_feed_epoch_used(struct sl_sim_oracle *o, uint32_t feed, uint64_t epoch)
{
    struct sl_sim_oracle_feed *f = sl_sim_oracle_feed(o, feed);
    sl_sim_oracle_count(o, SL_SIM_ORACLE_EPOCH);
    if (epoch == 0 || epoch > f->epoch_durable)
        sl_sim_oracle_fail(o, SL_SIM_ORACLE_EPOCH,
                           "feed %" PRIu32 ": maintainer epoch %" PRIu64 " used, durable is %" PRIu64, feed, epoch,
                           f->epoch_durable);
}

void sl_sim_oracle_safe(struct sl_sim_oracle *o, uint32_t process, uint64_t work)
{
    sl_sim_oracle_count(o, SL_SIM_ORACLE_SAFE);
    if (work > 0)
        sl_sim_oracle_fail(o, SL_SIM_ORACLE_SAFE,
                           "process %" PRIu32 " was said to be safe to stop and holds %" PRIu64 " pieces of work",
                           process, work);
    sl_sim_oracle_process(o, process)->is_safe = true;
}

void sl_sim_oracle_stopping(struct sl_sim_oracle *o, uint32_t process, uint64_t work)
{
    sl_sim_oracle_count(o, SL_SIM_ORACLE_STOPPING);
    if (work > 0)
        sl_sim_oracle_fail(o, SL_SIM_ORACLE_STOPPING,
                           "process %" PRIu32 " agreed to stop with %" PRIu64 " pieces of work", process, work);
    sl_sim_oracle_process(o, process)->is_stopping = true;
}

/* Who is safe to stop is STOPPING too; the violation that ends the run shall be the nearer one. */
void sl_sim_oracle_work(struct sl_sim_oracle *o, uint32_t process, const char *what)
{
    const struct sl_sim_oracle_process *p = sl_sim_oracle_process(o, process);
    sl_sim_oracle_count(o, SL_SIM_ORACLE_SAFE);
    if (p->is_stopping)
        sl_sim_oracle_fail(o, SL_SIM_ORACLE_STOPPING, "process %" PRIu32 " is STOPPING and begins work: %s", process,
                           what);
    if (p->is_safe)
        sl_sim_oracle_fail(o, SL_SIM_ORACLE_SAFE, "process %" PRIu32 " was said to be safe to stop and begins work: %s",
                           process, what);
}
