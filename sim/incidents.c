/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/incidents.h"

#include "base/prng.h"
#include "sim/plan.h"
#include "sim/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define INCIDENT_STEPS_MAX 12u
#define INCIDENT_START_NS (60 * SL_S)   /* for the feeds to replicate */
#define INCIDENT_SETTLE_NS (300 * SL_S) /* for the end */
#define INCIDENT_LOOK_NS (100 * SL_MS)
#define INCIDENT_OBJECT 21u

/* Who a step is about; looked up when the feeds replicate. */
enum incident_role {
    INCIDENT_NOBODY,
    INCIDENT_ANYBODY, /* of a moment */
    INCIDENT_LEADER,  /* coordinates */
    INCIDENT_OWNER,   /* hosts the maintainer of the first feed */
    INCIDENT_OTHER,   /* neither */
    INCIDENT_ANOTHER, /* neither, and not that one; else the owner */
};

struct incident_step {
    sl_ns at; /* after the feeds replicate; or after the moment */
    enum sl_sim_moment moment;
    enum incident_role at_role;
    enum sl_sim_action action;
    enum incident_role host, peer;
    sl_ns lasts_ns;
    uint32_t count, skip, options;
    bool may_miss; /* the moment need not come */
};

struct incident {
    const char *name, *text;
    uint32_t host_count, feed_count, table_count;
    void (*set)(struct sl_sim_opts *opts);   /* circumstances; or null */
    void (*later)(struct sl_sim_opts *opts); /* the same, from when the feeds replicate */
    sl_ns trouble_ns;                        /* then the faults end */
    enum sl_blocker named;                   /* what a drain must have named meanwhile, or SL_BLOCKED_NONE */
    struct incident_step steps[INCIDENT_STEPS_MAX];
};

/* ---- circumstances ---- */

static void incident_spans_fail(struct sl_sim_opts *o)
{
    o->plane.fail_ppm = 200000;
}

static void incident_spans_lag(struct sl_sim_opts *o)
{
    o->plane.lag_ppm = 1000000;
    o->plane.crawl_ppm = 500000;
}

static void incident_closes_are_slow(struct sl_sim_opts *o)
{
    o->plane.close_ns = 400 * SL_MS;
    o->plane.close_jitter_ns = 800 * SL_MS;
}

static void incident_streams_repeat(struct sl_sim_opts *o)
{
    o->net.copy_ppm = 20000;
    o->net.spike_ppm = 20000;
    o->plane.close_jitter_ns = 200 * SL_MS;
}

static void incident_nodes_balance(struct sl_sim_opts *o)
{
    o->balances = true;
}

/* ---- the incidents ---- */

#define AT(ns) .at = (ns), .moment = SL_SIM_MOMENT_TIME
#define WHEN(name, role) .moment = SL_SIM_MOMENT_##name, .at_role = INCIDENT_##role
#define DO(name, role) .action = SL_SIM_ACTION_##name, .host = INCIDENT_##role

static const struct incident incidents[] = {
    { .name = "ticdc-5083",
      .text = "the maintainer dies while spans move: one span gets two dispatchers, and the orphan writes on",
      .host_count = 4,
      .feed_count = 1,
      .table_count = 40,
      .set = incident_streams_repeat,
      .trouble_ns = 40 * SL_S,
      .steps = { { AT(0), DO(DRAIN, OTHER), .count = 1 },
                 { WHEN(DESTINATION_OPENS, ANYBODY), .skip = 3, DO(CRASH, OWNER), .lasts_ns = 4 * SL_S },
                 { AT(500 * SL_MS), DO(ECHO, ANOTHER) },
                 { AT(6 * SL_S), DO(ECHO, ANOTHER) },
                 { AT(8 * SL_S), DO(ECHO, LEADER) } } },
    { .name = "ticdc-4065",
      .text = "a node is killed between its flush and its word about it: a table differs afterwards",
      .host_count = 3,
      .feed_count = 2,
      .table_count = 20,
      .trouble_ns = 40 * SL_S,
      .steps = { { AT(0), DO(DRAIN, OTHER), .count = 1 },
                 { WHEN(ORIGIN_CLOSES, ANYBODY), .at = SL_MS, DO(CRASH, OTHER), .lasts_ns = 3 * SL_S },
                 { AT(15 * SL_S), DO(CRASH, OWNER), .lasts_ns = 3 * SL_S } } },
    { .name = "ticdc-4421",
      .text = "a move makes the dispatcher anew from a checkpoint that is too old, or too new",
      .host_count = 4,
      .feed_count = 1,
      .table_count = 30,
      .set = incident_spans_lag,
      .trouble_ns = 60 * SL_S,
      .steps = { { AT(0), DO(DRAIN, OTHER), .count = 1 },
                 { AT(300 * SL_MS), DO(MOVE_FEED, ANOTHER) },
                 { WHEN(ORIGIN_STOPPED, ANYBODY), .skip = 2, DO(RESTART_SAME, OWNER) },
                 { AT(20 * SL_S), DO(DRAIN, LEADER), .count = 1 } } },
    { .name = "ticdc-4526",
      .text = "nodes come and go all the time: a dispatcher starts behind what was not written yet",
      .host_count = 5,
      .feed_count = 2,
      .table_count = 6,
      .set = incident_spans_lag,
      .trouble_ns = 60 * SL_S,
      .steps = { { AT(0), DO(CRASH, OTHER), .lasts_ns = 16 * SL_S },
                 { AT(18 * SL_S), DO(RESTART_SAME, ANOTHER) },
                 { AT(19 * SL_S), DO(RESTART_NEW, OWNER) },
                 { AT(20 * SL_S), DO(JOIN, NOBODY) },
                 { AT(22 * SL_S), DO(RESTART_SAME, OTHER) },
                 { AT(25 * SL_S), DO(LEAVE, ANOTHER), .lasts_ns = 2 * SL_S },
                 { AT(30 * SL_S), DO(RESTART_NEW, LEADER) },
                 { AT(34 * SL_S), DO(RESTART_NEW, OTHER) },
                 { WHEN(DESTINATION_READY, ANYBODY), DO(LATE_BEAT, ANYBODY), .count = 60 },
                 { WHEN(DESTINATION_READY, ANYBODY), .skip = 1, DO(LATE_BEAT, ANYBODY), .count = 60 },
                 { WHEN(DESTINATION_READY, ANYBODY), .skip = 2, DO(LATE_BEAT, ANYBODY), .count = 60 } } },
    { .name = "ticdc-2655",
      .text = "the origin says stopped with a batch still in its queue, and the destination writes before it",
      .host_count = 3,
      .feed_count = 1,
      .table_count = 30,
      .set = incident_closes_are_slow,
      .trouble_ns = 40 * SL_S,
      .steps = { { AT(0), DO(DRAIN, OTHER), .count = 1 },
                 { WHEN(ORIGIN_CLOSES, ANYBODY), .skip = 5, DO(PAUSE, OTHER), .lasts_ns = 2 * SL_S },
                 { WHEN(ORIGIN_STOPPED, ANYBODY), .skip = 2, DO(SINK_AWAY, NOBODY), .lasts_ns = SL_S } } },
    { .name = "ticdc-5710",
      .text = "a moved dispatcher cannot start at its destination, nobody hears of it, the checkpoint stays for ever",
      .host_count = 3,
      .feed_count = 1,
      .table_count = 20,
      .later = incident_spans_fail,
      .trouble_ns = 40 * SL_S,
      .steps = { { AT(0), DO(DROP_TABLES, NOBODY), .count = 3 },
                 { AT(10 * SL_MS), DO(DRAIN, OTHER), .count = 1 },
                 { WHEN(DESTINATION_OPENS, ANYBODY), DO(DROP_TABLES, NOBODY), .count = 2 } } },
    { .name = "ticdc-6144",
      .text = "spans move to a node that is too busy to open them: the moves hang, and the feed with them",
      .host_count = 3,
      .feed_count = 1,
      .table_count = 20,
      .set = incident_nodes_balance,
      .trouble_ns = 90 * SL_S,
      .named = SL_BLOCKED_MOVE_STUCK,
      .steps = { { AT(0), DO(HANG_OPEN, LEADER), .lasts_ns = 80 * SL_S },
                 { AT(0), DO(HANG_OPEN, ANOTHER), .lasts_ns = 80 * SL_S },
                 { AT(0), DO(HANG_CLOSE, OTHER), .lasts_ns = 45 * SL_S },
                 { AT(50 * SL_MS), DO(DRAIN, OTHER), .count = 1 } } },
    { .name = "ticdc-6316",
      .text = "the drain says zero while dispatchers are still registered, and the node is stopped",
      .host_count = 4,
      .feed_count = 2,
      .table_count = 20,
      .set = incident_closes_are_slow,
      .trouble_ns = 60 * SL_S,
      .steps = { { AT(0), DO(OLD_DRAIN, OTHER) },
                 { AT(100 * SL_MS), DO(HANG_CLOSE, OTHER), .lasts_ns = 20 * SL_S },
                 { AT(200 * SL_MS), DO(CRASH, OWNER), .lasts_ns = 5 * SL_S },
                 { AT(2 * SL_S), DO(KILL_COORDINATOR, LEADER) },
                 { AT(10 * SL_S), DO(HASTE, OTHER), .may_miss = true } } },
    { .name = "ticdc-4115",
      .text = "a maintainer never ends its bootstrap because one node does not answer, and all figures look fine",
      .host_count = 4,
      .feed_count = 2,
      .table_count = 20,
      .trouble_ns = 60 * SL_S,
      .steps = { { AT(0), DO(CUT, OTHER), .peer = INCIDENT_ANOTHER, .lasts_ns = 40 * SL_S },
                 { AT(0), DO(CUT, ANOTHER), .peer = INCIDENT_OTHER, .lasts_ns = 40 * SL_S },
                 { AT(10 * SL_MS), DO(PAUSE, OTHER), .lasts_ns = 30 * SL_S },
                 { AT(20 * SL_MS), DO(RESTART_NEW, OWNER) },
                 { AT(1 * SL_S), DO(DRAIN, ANOTHER), .count = 1 } } },
    { .name = "tiflow-6112",
      .text = "the node that drains is the last one left, would become owner, and refuses its own work",
      .host_count = 2,
      .feed_count = 1,
      .table_count = 10,
      .trouble_ns = 60 * SL_S,
      .steps = { { AT(0), DO(DRAIN, OTHER), .count = 1 },
                 { WHEN(DRAINING, OTHER), DO(CRASH, LEADER), .lasts_ns = 20 * SL_S },
                 { AT(40 * SL_S), DO(UNDRAIN, OTHER) } } },
    { .name = "tiflow-6266",
      .text = "first the drain, then the owner has to resign by hand, and the lag jumps",
      .host_count = 3,
      .feed_count = 2,
      .table_count = 20,
      .trouble_ns = 30 * SL_S,
      .steps = { { AT(0), DO(DRAIN, LEADER), .count = 1 }, { AT(5 * SL_S), DO(DRAIN, OTHER), .count = 1 } } },
    { .name = "nomad-14293",
      .text = "the drain is complete before the work has stopped, and an autoscaler takes the machine at once",
      .host_count = 4,
      .feed_count = 3,
      .table_count = 20,
      .set = incident_closes_are_slow,
      .trouble_ns = 60 * SL_S,
      .steps = { { AT(0), DO(DRAIN, OTHER), .count = 2 },
                 { WHEN(PHASE_STOPPING, ANYBODY), DO(ECHO, OTHER) },
                 { WHEN(PHASE_STOPPING, ANYBODY), .at = 5 * SL_MS, DO(LATE_ADD, OTHER) },
                 { WHEN(PHASE_SAFE, ANYBODY), DO(ECHO, OTHER), .may_miss = true } } },
    { .name = "crdb-123370",
      .text = "the checkpoint that is taken at a drain passes rows of tables that were still being read",
      .host_count = 3,
      .feed_count = 2,
      .table_count = 30,
      .set = incident_spans_lag,
      .trouble_ns = 60 * SL_S,
      .steps = { { AT(0), DO(ADD_TABLES, NOBODY), .count = 10 },
                 { AT(50 * SL_MS), DO(DRAIN, OTHER), .count = 1 },
                 { AT(200 * SL_MS), DO(ADD_TABLES, NOBODY), .count = 5 },
                 { WHEN(DESTINATION_READY, ANYBODY), .skip = 4, DO(CRASH, ANOTHER), .lasts_ns = 3 * SL_S },
                 { AT(15 * SL_S), DO(DRAIN, LEADER), .count = 1 } } },
    { .name = "ticdc-6069",
      .text = "tables move while they are dropped, renamed and made again: rows are left over",
      .host_count = 4,
      .feed_count = 1,
      .table_count = 20,
      .set = incident_closes_are_slow,
      .trouble_ns = 40 * SL_S,
      .steps = { { AT(0), DO(DRAIN, OTHER), .count = 1 },
                 { WHEN(ORIGIN_CLOSES, ANYBODY), DO(DDL, NOBODY), .options = SL_SIM_DDL_DROP, .count = 3 },
                 { WHEN(ORIGIN_STOPPED, ANYBODY), .skip = 1, DO(DDL, NOBODY), .options = SL_SIM_DDL_RENAME,
                   .count = 2 },
                 { WHEN(DDL_BLOCKED, ANYBODY), .skip = 1, DO(MOVE_TABLE, ANOTHER), .count = 4 },
                 { WHEN(DDL_PASSES, ANYBODY), DO(DDL, NOBODY), .options = SL_SIM_DDL_CREATE_AGAIN, .count = 1 },
                 { WHEN(DDL_PERFORMED, ANYBODY), .skip = 1, DO(MOVE_TABLE, LEADER), .count = 7 },
                 { AT(6 * SL_S), DO(DDL, NOBODY), .options = SL_SIM_DDL_CREATE_AGAIN, .count = 1 } } },
    { .name = "ticdc-3677",
      .text = "a table moves, or its feed, while a schema change is under way: rows are lost, or written twice",
      .host_count = 4,
      .feed_count = 1,
      .table_count = 10,
      .trouble_ns = 40 * SL_S,
      .steps = { { AT(0), DO(DDL, NOBODY), .options = SL_SIM_DDL_SWAP },
                 { WHEN(DDL_WRITES, ANYBODY), DO(MOVE_FEED, ANOTHER) },
                 { WHEN(DDL_WRITES, ANYBODY), DO(MOVE_TABLE, OTHER), .count = 1 },
                 { AT(5 * SL_S), DO(DDL, NOBODY), .options = SL_SIM_DDL_ALTER },
                 { AT(5 * SL_S), DO(DRAIN, OTHER), .count = 1 },
                 { AT(15 * SL_S), DO(DDL, NOBODY), .options = SL_SIM_DDL_RENAME, .count = 2 },
                 { WHEN(DDL_PERFORMED, ANYBODY), .skip = 2, DO(CRASH, ANYBODY), .lasts_ns = 3 * SL_S } } },
    { .name = "ticdc-3974",
      .text = "who performs a schema change of two tables and who waits for it both move: nobody goes on",
      .host_count = 4,
      .feed_count = 1,
      .table_count = 8,
      .trouble_ns = 40 * SL_S,
      .steps = { { AT(0), DO(DDL, NOBODY), .options = SL_SIM_DDL_SWAP },
                 { WHEN(DDL_BLOCKED, ANYBODY), DO(MOVE_TABLE, ANOTHER) },
                 { WHEN(DDL_BLOCKED, ANYBODY), DO(MOVE_TABLE, OTHER), .count = 1 },
                 { WHEN(DDL_BLOCKED, ANYBODY), DO(MOVE_FEED, ANOTHER) },
                 { AT(10 * SL_S), DO(DDL, NOBODY), .options = SL_SIM_DDL_SWAP },
                 { WHEN(DDL_PASSES, ANYBODY), .skip = 3, DO(LOSE_BLOCKS, ANYBODY), .count = 3, .may_miss = true },
                 { AT(10 * SL_S), DO(DRAIN, OTHER), .count = 1 } } },
    { .name = "ticdc-1643",
      .text = "a report of a dispatcher that is gone counts: a schema change comes before rows that are older",
      .host_count = 4,
      .feed_count = 1,
      .table_count = 12,
      .set = incident_spans_lag,
      .trouble_ns = 60 * SL_S,
      .steps = { { AT(0), DO(DDL, NOBODY), .options = SL_SIM_DDL_RENAME, .count = 6 },
                 { WHEN(DDL_BLOCKED, OTHER), DO(CRASH, OTHER), .lasts_ns = 3 * SL_S },
                 { WHEN(DDL_BLOCKED, ANYBODY), .skip = 1, DO(LATE_BLOCK, OWNER) },
                 { AT(12 * SL_S), DO(DDL, NOBODY), .options = SL_SIM_DDL_DROP, .count = 6 },
                 { WHEN(DDL_WRITES, ANYBODY), DO(CRASH, ANOTHER), .lasts_ns = 3 * SL_S },
                 { WHEN(DDL_WRITES, ANYBODY), .skip = 1, DO(LATE_BLOCK, OWNER), .may_miss = true } } },
    { .name = "ticdc-5401",
      .text = "the checkpoint passes a table that was made before anybody has taken it up: it is never replicated",
      .host_count = 3,
      .feed_count = 1,
      .table_count = 6,
      .trouble_ns = 40 * SL_S,
      .steps = { { AT(0), DO(DDL, NOBODY), .options = SL_SIM_DDL_CREATE, .count = 4 },
                 { WHEN(DDL_PERFORMED, ANYBODY), .skip = 1, DO(MOVE_FEED, ANOTHER) },
                 { AT(8 * SL_S), DO(DDL, NOBODY), .options = SL_SIM_DDL_RENAME, .count = 3 },
                 { WHEN(DDL_PERFORMED, ANYBODY), .skip = 4, DO(CRASH, ANYBODY), .lasts_ns = 3 * SL_S },
                 { AT(20 * SL_S), DO(DDL, NOBODY), .options = SL_SIM_DDL_CREATE, .count = 2 },
                 { WHEN(DDL_PASSES, ANYBODY), .skip = 10, DO(CRASH, ANYBODY), .lasts_ns = 3 * SL_S,
                   .may_miss = true } } },
};

#define INCIDENT_COUNT (sizeof incidents / sizeof incidents[0])

const char *sl_sim_incident_name(uint32_t index)
{
    return index < INCIDENT_COUNT ? incidents[index].name : NULL;
}

const char *sl_sim_incident_text(uint32_t index)
{
    return index < INCIDENT_COUNT ? incidents[index].text : NULL;
}

static const struct incident *incident_find(const char *name)
{
    for (size_t i = 0; i < INCIDENT_COUNT; i++) {
        if (strcmp(incidents[i].name, name) == 0)
            return &incidents[i];
    }
    return NULL;
}

bool sl_sim_incident_is_known(const char *name)
{
    return incident_find(name) != NULL;
}

/* ---- running one ---- */

struct incident_cast { /* who plays which role */
    uint32_t leader, owner, other, another;
};

static void incident_cast_roles(struct sl_sim *sim, struct incident_cast *cast)
{
    cast->leader = sl_sim_cluster_leader(sim);
    cast->owner = sl_sim_cluster_owner(sim, 0);
    cast->other = cast->another = SL_SIM_HOST_NONE;
    for (uint32_t i = 0; i < sim->host_count; i++) {
        if (i == cast->leader || i == cast->owner)
            continue;
        if (cast->other == SL_SIM_HOST_NONE)
            cast->other = i;
        else if (cast->another == SL_SIM_HOST_NONE)
            cast->another = i;
    }
    if (cast->other == SL_SIM_HOST_NONE)
        cast->other = cast->leader == 0 ? 1 : 0;
    if (cast->another == SL_SIM_HOST_NONE)
        cast->another = cast->owner != cast->other ? cast->owner : cast->leader;
}

static uint32_t incident_host(const struct incident_cast *cast, enum incident_role role)
{
    switch (role) {
    case INCIDENT_LEADER:
        return cast->leader;
    case INCIDENT_OWNER:
        return cast->owner;
    case INCIDENT_OTHER:
        return cast->other;
    case INCIDENT_ANOTHER:
        return cast->another;
    case INCIDENT_ANYBODY:
        return SL_SIM_HOST_NONE;
    case INCIDENT_NOBODY:
        return 0;
    }
    SL_UNREACHABLE();
}

static void incident_plan(struct sl_sim *sim, const struct incident *in, uint64_t seed)
{
    struct incident_cast cast;
    incident_cast_roles(sim, &cast);
    for (uint32_t i = 0; i < INCIDENT_STEPS_MAX; i++) {
        const struct incident_step *s = &in->steps[i];
        if (s->host == INCIDENT_NOBODY && s->count == 0 && s->action == 0)
            break;
        const sl_ns later = (sl_ns)(sl_prng_at(seed, INCIDENT_OBJECT, i) % (20 * SL_MS));
        struct sl_sim_fault fault = { .action = s->action,
                                      .host = incident_host(&cast, s->host),
                                      .peer = incident_host(&cast, s->peer),
                                      .count = s->count,
                                      .options = s->options,
                                      .lasts_ns = s->lasts_ns,
                                      .draw = i,
                                      .moment = s->moment,
                                      .at_host = incident_host(&cast, s->at_role),
                                      .skip = s->skip,
                                      .delay_ns = s->at,
                                      .delay_width_ns = 20 * SL_MS };
        if (s->moment == SL_SIM_MOMENT_TIME)
            sl_sim_faults_at(sim, sim->engine.now + s->at + later, &fault);
        else
            sl_sim_faults_aim(sim, &fault);
    }
}

/* What drains have named as their blocker, over the time. */
static uint64_t incident_named(const struct sl_sim *sim)
{
    uint64_t named = 0;
    for (uint32_t i = 0; i < sim->cluster->client.wish_count; i++)
        named |= UINT64_C(1) << sim->cluster->client.wishes[i].blocker;
    return named;
}

static bool incident_trouble(struct sl_sim *sim, const struct incident *in)
{
    uint64_t named = 0;
    sl_ns until = sim->engine.now + in->trouble_ns;
    while (sim->engine.now < until) {
        if (!sl_sim_run_until(sim, sim->engine.now + INCIDENT_LOOK_NS))
            return false;
        named |= incident_named(sim);
    }
    if (in->named != SL_BLOCKED_NONE && !(named >> in->named & 1))
        sl_sim_violate(&sim->engine, sl_sim_oracle_name(SL_SIM_ORACLE_PROGRESS), "no drain ever named %s",
                       sl_blocker_name(in->named));
    return !sim->engine.violation.oracle;
}

/* An incident whose faults did not happen shows nothing. */
static void incident_check_cast(struct sl_sim *sim, const struct incident *in)
{
    for (uint32_t i = 0; i < INCIDENT_STEPS_MAX; i++) {
        const struct incident_step *s = &in->steps[i];
        bool is_last = s->host == INCIDENT_NOBODY && s->count == 0 && s->action == 0;
        if (is_last)
            return;
        if (!s->may_miss && sim->faults.done_counts[s->action] == 0)
            sl_sim_violate(&sim->engine, sl_sim_oracle_name(SL_SIM_ORACLE_PROGRESS), "step %" PRIu32 " (%s) never came",
                           i + 1, sl_sim_action_text(s->action));
    }
}

static void incident_create_feeds(struct sl_sim *sim, const struct incident *in)
{
    for (uint32_t i = 0; i < in->feed_count; i++) {
        struct sl_sim_fault create = { .action = SL_SIM_ACTION_CREATE_FEED, .count = in->table_count };
        sl_sim_faults_do(sim, &create);
    }
}

bool sl_sim_incident_run(struct sl_sim *sim, const char *name, uint64_t seed, FILE *trace)
{
    const struct incident *in = incident_find(name);
    struct sl_sim_opts opts;
    if (!in)
        return false;
    sl_sim_opts_default(&opts);
    opts.seed = seed;
    opts.host_count = in->host_count;
    opts.feed_count_max = in->feed_count;
    opts.trace = trace;
    if (in->set)
        in->set(&opts);
    sl_sim_init(sim, &opts);
    sim->cluster->spared_host = SL_SIM_HOST_NONE;
    incident_create_feeds(sim, in);
    if (!sl_sim_settle(sim, INCIDENT_START_NS, false))
        return true;
    if (in->later)
        in->later(&sim->opts);
    incident_plan(sim, in, seed);
    if (!incident_trouble(sim, in))
        return true;
    incident_check_cast(sim, in);
    sl_sim_faults_end(sim, false);
    (void)sl_sim_settle(sim, INCIDENT_SETTLE_NS, true);
    return true;
}
