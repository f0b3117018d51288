/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/plan.h"

#include "base/prng.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLAN_OBJECT_SIZES 32u
#define PLAN_OBJECT_ITEMS 64u /* + number of the item */
#define PLAN_FAULTS_MAX 12u
#define PLAN_DEEDS_MAX 14u
#define PLAN_DDLS_MAX 12u
#define PLAN_DDL_FAULTS_MAX 8u
#define PLAN_NONE SL_SIM_HOST_NONE

_Static_assert(SL_SIM_KNOB_COUNT + PLAN_FAULTS_MAX + PLAN_DEEDS_MAX + PLAN_DDLS_MAX + PLAN_DDL_FAULTS_MAX <=
                   SL_SIM_ITEMS_MAX,
               "items");

static const char *const knob_texts[SL_SIM_KNOB_COUNT] = {
#define KNOB_TEXT(name, text, member, unit, max) text,
    SL_SIM_KNOBS(KNOB_TEXT)
#undef KNOB_TEXT
};

static const uint32_t knob_maxima[SL_SIM_KNOB_COUNT] = {
#define KNOB_MAX(name, text, member, unit, max) max,
    SL_SIM_KNOBS(KNOB_MAX)
#undef KNOB_MAX
};

const char *sl_sim_knob_text(enum sl_sim_knob knob)
{
    return knob_texts[knob];
}

/* Draws in a fixed order, of one item. */
struct plan_dice {
    uint64_t seed, object, n;
};

static uint64_t plan_below(struct plan_dice *d, uint64_t bound)
{
    return sl_prng_at(d->seed, ((uint64_t)SL_SIM_DRAW_SWARM << 48) ^ d->object, d->n++) % bound;
}

static struct plan_dice plan_dice_of(const struct sl_sim_plan *p, uint64_t seed)
{
    return (struct plan_dice){ .seed = seed, .object = PLAN_OBJECT_ITEMS + p->item_count };
}

static sl_ns plan_between(struct plan_dice *d, sl_ns low, sl_ns high)
{
    return low + (sl_ns)plan_below(d, (uint64_t)((high - low) / SL_MS) + 1) * SL_MS;
}

/* ---- sizes ---- */

static void plan_draw_sizes(struct sl_sim_plan *p, const struct sl_sim_plan_opts *o)
{
    struct plan_dice d = { .seed = o->seed, .object = PLAN_OBJECT_SIZES };
    uint32_t hosts = 3 + (uint32_t)plan_below(&d, 4), feeds = 1 + (uint32_t)plan_below(&d, 4);
    p->host_count = o->node_count > 0 ? o->node_count : hosts;
    p->feed_count = o->feed_count > 0 ? o->feed_count : feeds;
    p->spared_host = (uint32_t)plan_below(&d, p->host_count);
    bool is_large = plan_below(&d, 8) == 0;
    for (uint32_t i = 0; i < sizeof p->table_counts / sizeof p->table_counts[0]; i++)
        p->table_counts[i] = 1 + (uint32_t)plan_below(&d, is_large ? 120 : 20);
    for (uint32_t i = 0; o->dispatcher_count > 0 && i < sizeof p->table_counts / sizeof p->table_counts[0]; i++)
        p->table_counts[i] = o->dispatcher_count / p->feed_count + 1;
    p->trouble_ns = plan_between(&d, 15 * SL_S, 60 * SL_S);
    p->net_delay_ns = plan_between(&d, SL_MS, 5 * SL_MS);
    p->meta_delay_ns = plan_between(&d, SL_MS, 5 * SL_MS);
    p->schema_ns = plan_between(&d, SL_MS, 300 * SL_MS);
    p->mode = plan_below(&d, 2) == 0 ? SL_SIM_MODE_SAFETY : SL_SIM_MODE_LIVENESS;
    if (o->mode != SL_SIM_MODE_DRAWN)
        p->mode = o->mode;
}

/* ---- circumstances ---- */

/* One or two hosts, in one of eight runs. */
static uint64_t plan_foreign(const struct sl_sim_plan *p, struct plan_dice *d)
{
    uint64_t a = plan_below(d, p->host_count), b = plan_below(d, p->host_count);
    return plan_below(d, 8) == 0 ? UINT64_C(1) << a % 8 | UINT64_C(1) << b % 8 : 0;
}

/* What brings old messages back is what most guards of the protocol are for: it is there in every other run. */
static uint64_t plan_odds(enum sl_sim_knob knob)
{
    return knob == SL_SIM_KNOB_COPY || knob == SL_SIM_KNOB_BREAK ? 2 : 4;
}

/* Most are away in three of four runs, so that they cannot hide each other. */
static void plan_draw_knobs(struct sl_sim_plan *p, uint64_t seed)
{
    for (uint32_t i = 0; i < SL_SIM_KNOB_COUNT; i++) {
        struct plan_dice d = plan_dice_of(p, seed);
        bool is_on = plan_below(&d, plan_odds((enum sl_sim_knob)i)) == 0;
        uint64_t value = plan_below(&d, knob_maxima[i]) + 1;
        if (i == SL_SIM_KNOB_FOREIGN) {
            value = plan_foreign(p, &d);
            is_on = true;
        }
        p->items[p->item_count++] =
            (struct sl_sim_item){ .is_knob = true, .knob = (enum sl_sim_knob)i, .value = is_on ? value : 0 };
    }
}

/* ---- faults ---- */

/* What is aimed at a certain moment, because only there it can do harm; and how many such moments to let pass. */
static const struct plan_aim {
    enum sl_sim_action action;
    enum sl_sim_moment moment;
    uint32_t host, skip_max;
} plan_aims[] = {
    { SL_SIM_ACTION_ECHO, SL_SIM_MOMENT_TARGET_CLEARED, PLAN_NONE, 12 },
    { SL_SIM_ACTION_ECHO, SL_SIM_MOMENT_TARGET_APPLIED, PLAN_NONE, 12 },
    { SL_SIM_ACTION_LATE_BEAT, SL_SIM_MOMENT_DESTINATION_READY, PLAN_NONE, 40 },
    { SL_SIM_ACTION_LATE_BEAT, SL_SIM_MOMENT_DESTINATION_READY, PLAN_NONE, 40 },
    { SL_SIM_ACTION_RESTART_UNHEARD, SL_SIM_MOMENT_DESTINATION_OPENS, PLAN_NONE, 40 },
    { SL_SIM_ACTION_RESTART_UNHEARD, SL_SIM_MOMENT_DESTINATION_READY, PLAN_NONE, 40 },
    { SL_SIM_ACTION_ECHO, SL_SIM_MOMENT_BOOTSTRAPPED, PLAN_NONE, 8 },
    { SL_SIM_ACTION_HASTE, SL_SIM_MOMENT_DRAINING, PLAN_NONE, 2 },
    { SL_SIM_ACTION_LATE_ADD, SL_SIM_MOMENT_STOPPING, PLAN_NONE, 2 },
    { SL_SIM_ACTION_RESTART_SAME, SL_SIM_MOMENT_BOOTSTRAPPED, PLAN_NONE, 8 },
    { SL_SIM_ACTION_RESTART_SAME, SL_SIM_MOMENT_DESTINATION_READY, PLAN_NONE, 40 },
    { SL_SIM_ACTION_PAUSE, SL_SIM_MOMENT_PUSHED, SL_SIM_HOST_LEADER, 6 },
    { SL_SIM_ACTION_CUT, SL_SIM_MOMENT_PUSHED, SL_SIM_HOST_LEADER, 6 },
    { SL_SIM_ACTION_PAUSE, SL_SIM_MOMENT_STOPPING, PLAN_NONE, 2 },
    { SL_SIM_ACTION_LOSE_LEASE, SL_SIM_MOMENT_ELECTED, PLAN_NONE, 3 },
    { SL_SIM_ACTION_STORE_AWAY, SL_SIM_MOMENT_ELECTED, PLAN_NONE, 3 },
    { SL_SIM_ACTION_KILL_COORDINATOR, SL_SIM_MOMENT_ELECTED, SL_SIM_HOST_LEADER, 3 },
};

/* The coordinator, or the target, loses its life, its way or its time in any phase of a drain. */
static void plan_aim_at_phase(struct sl_sim_fault *f, struct plan_dice *d)
{
    static const enum sl_sim_action actions[] = { SL_SIM_ACTION_KILL_COORDINATOR,
                                                  SL_SIM_ACTION_KILL_COORDINATOR,
                                                  SL_SIM_ACTION_PAUSE,
                                                  SL_SIM_ACTION_CUT,
                                                  SL_SIM_ACTION_RESIGN,
                                                  SL_SIM_ACTION_CRASH,
                                                  SL_SIM_ACTION_RESTART_SAME,
                                                  SL_SIM_ACTION_STALL,
                                                  SL_SIM_ACTION_LOSE_LEASE,
                                                  SL_SIM_ACTION_STORE_AWAY };
    f->action = actions[plan_below(d, sizeof actions / sizeof actions[0])];
    f->moment = (enum sl_sim_moment)(SL_SIM_MOMENT_PHASE_PENDING + plan_below(d, 8));
    f->host = plan_below(d, 2) == 0 || f->action == SL_SIM_ACTION_KILL_COORDINATOR ? SL_SIM_HOST_LEADER : PLAN_NONE;
    f->skip = (uint32_t)plan_below(d, 3);
}

static void plan_aim_anywhere(struct sl_sim_fault *f, struct plan_dice *d)
{
    f->moment = (enum sl_sim_moment)(1 + plan_below(d, SL_SIM_MOMENT_ELECTED));
    f->skip = (uint32_t)plan_below(d, 20);
    bool is_link = f->action == SL_SIM_ACTION_CUT || f->action == SL_SIM_ACTION_STALL;
    uint64_t whom = plan_below(d, 4);
    if (whom == 0)
        f->host = SL_SIM_HOST_LEADER;
    else if (whom < 3 && !is_link)
        f->host = PLAN_NONE; /* whoever the moment happens to */
}

static enum sl_sim_action plan_any_fault(struct plan_dice *d)
{
    static const enum sl_sim_action actions[] = {
        SL_SIM_ACTION_CRASH,        SL_SIM_ACTION_CRASH,
        SL_SIM_ACTION_PAUSE,        SL_SIM_ACTION_PAUSE,
        SL_SIM_ACTION_PAUSE,        SL_SIM_ACTION_CUT,
        SL_SIM_ACTION_CUT,          SL_SIM_ACTION_CUT,
        SL_SIM_ACTION_STALL,        SL_SIM_ACTION_RESTART_SAME,
        SL_SIM_ACTION_RESTART_SAME, SL_SIM_ACTION_RESTART_NEW,
        SL_SIM_ACTION_HANG_OPEN,    SL_SIM_ACTION_HANG_CLOSE,
        SL_SIM_ACTION_SLOW,         SL_SIM_ACTION_LOSE_LEASE,
        SL_SIM_ACTION_STORE_AWAY,   SL_SIM_ACTION_SINK_AWAY,
        SL_SIM_ACTION_CLOCK_JUMP,   SL_SIM_ACTION_KILL_COORDINATOR,
        SL_SIM_ACTION_BAD_VALUE,    SL_SIM_ACTION_LEAVE,
        SL_SIM_ACTION_FREEZE,       SL_SIM_ACTION_WEDGE,
        SL_SIM_ACTION_ECHO,         SL_SIM_ACTION_LATE_BEAT,
    };
    return actions[plan_below(d, sizeof actions / sizeof actions[0])];
}

static struct sl_sim_fault plan_fault(const struct sl_sim_plan *p, struct plan_dice *d)
{
    struct sl_sim_fault f = { .draw = p->item_count, .at_host = PLAN_NONE };
    f.action = plan_any_fault(d);
    f.host = (uint32_t)plan_below(d, p->host_count);
    f.peer = (f.host + 1 + (uint32_t)plan_below(d, p->host_count > 1 ? p->host_count - 1 : 1)) % p->host_count;
    f.lasts_ns = plan_below(d, 2) == 0 ? plan_between(d, SL_MS, 3 * SL_S) : plan_between(d, 3 * SL_S, 30 * SL_S);
    f.feed = (uint32_t)plan_below(d, 8);
    f.count = (uint32_t)plan_below(d, 64);
    f.delay_width_ns = plan_below(d, 4) == 0 ? 2 * SL_S : 20 * SL_MS;
    uint64_t kind = plan_below(d, 8);
    if (kind < 3)
        return f; /* at a time */
    if (kind < 5) {
        plan_aim_at_phase(&f, d);
    } else if (kind == 5) {
        const struct plan_aim *aim = &plan_aims[plan_below(d, sizeof plan_aims / sizeof plan_aims[0])];
        f.action = aim->action;
        f.moment = aim->moment;
        f.host = aim->host;
        f.skip = (uint32_t)plan_below(d, aim->skip_max);
        f.delay_width_ns = plan_between(d, SL_MS, 2 * SL_S);
    } else {
        plan_aim_anywhere(&f, d);
    }
    return f;
}

/* ---- deeds ---- */

static enum sl_sim_action plan_any_deed(struct plan_dice *d)
{
    static const enum sl_sim_action actions[] = {
        SL_SIM_ACTION_DRAIN,       SL_SIM_ACTION_DRAIN,       SL_SIM_ACTION_DRAIN,       SL_SIM_ACTION_DRAIN,
        SL_SIM_ACTION_OLD_DRAIN,   SL_SIM_ACTION_OLD_DRAIN,   SL_SIM_ACTION_UNDRAIN,     SL_SIM_ACTION_UNDRAIN,
        SL_SIM_ACTION_ADD_TABLES,  SL_SIM_ACTION_DROP_TABLES, SL_SIM_ACTION_RESIGN,      SL_SIM_ACTION_LEAVE,
        SL_SIM_ACTION_JOIN,        SL_SIM_ACTION_START_ALL,   SL_SIM_ACTION_START_ALL,   SL_SIM_ACTION_PAUSE_FEED,
        SL_SIM_ACTION_RESUME_FEED, SL_SIM_ACTION_RESUME_FEED, SL_SIM_ACTION_REMOVE_FEED, SL_SIM_ACTION_UPDATE_FEED,
        SL_SIM_ACTION_MOVE_FEED,   SL_SIM_ACTION_MOVE_FEED,   SL_SIM_ACTION_CREATE_FEED, SL_SIM_ACTION_DRY_RUN,
        SL_SIM_ACTION_LOOK,        SL_SIM_ACTION_BAD_REQUEST,
    };
    return actions[plan_below(d, sizeof actions / sizeof actions[0])];
}

/* The first one is always a drain. */
static struct sl_sim_fault plan_deed(const struct sl_sim_plan *p, struct plan_dice *d, bool is_first)
{
    struct sl_sim_fault f = { .draw = p->item_count, .at_host = PLAN_NONE };
    f.action = plan_any_deed(d);
    if (is_first)
        f.action = plan_below(d, 4) == 0 ? SL_SIM_ACTION_OLD_DRAIN : SL_SIM_ACTION_DRAIN;
    f.host = (uint32_t)plan_below(d, p->host_count);
    f.peer = f.host;
    f.feed = (uint32_t)plan_below(d, 8);
    f.count = 1 + (uint32_t)plan_below(d, 8);
    f.options = plan_below(d, 2) == 0 ? (uint32_t)plan_below(d, 32) : 0;
    f.lasts_ns = plan_between(d, 100 * SL_MS, 20 * SL_S);
    f.delay_width_ns = 50 * SL_MS;
    bool is_drain = f.action == SL_SIM_ACTION_DRAIN || f.action == SL_SIM_ACTION_OLD_DRAIN;
    if (is_drain) {
        if (plan_below(d, 6) == 0)
            f.host = SL_SIM_HOST_LEADER;
        uint64_t many = plan_below(d, 6);
        f.count = 1;
        if (many <= 1)
            f.count = many == 0 ? 2 : 3;
    }
    bool is_aimed = plan_below(d, 3) > 0;
    if (f.action == SL_SIM_ACTION_UNDRAIN && is_aimed) { /* in every phase */
        f.moment = (enum sl_sim_moment)(SL_SIM_MOMENT_PHASE_PENDING + plan_below(d, 5));
        f.host = PLAN_NONE;
        f.delay_width_ns = plan_below(d, 2) == 0 ? 5 * SL_MS : 500 * SL_MS;
    }
    return f;
}

static void plan_draw_actions(struct sl_sim_plan *p, uint64_t seed)
{
    struct plan_dice counts = { .seed = seed, .object = PLAN_OBJECT_SIZES + 1 };
    uint32_t faults = (uint32_t)plan_below(&counts, PLAN_FAULTS_MAX + 1);
    uint32_t deeds = 1 + (uint32_t)plan_below(&counts, PLAN_DEEDS_MAX);
    for (uint32_t i = 0; i < faults + deeds; i++) {
        struct plan_dice d = plan_dice_of(p, seed);
        struct sl_sim_item item = { .at = plan_between(&d, 3 * SL_S, p->trouble_ns) };
        if (i < faults)
            item.fault = plan_fault(p, &d);
        else
            item.fault = plan_deed(p, &d, i == faults);
        p->items[p->item_count++] = item;
    }
}

/* ---- changes of schemas, and what is done at every step of one ---- */

static struct sl_sim_fault plan_ddl(const struct sl_sim_plan *p, struct plan_dice *d)
{
    static const enum sl_sim_ddl_kind kinds[] = {
        SL_SIM_DDL_CREATE,
        SL_SIM_DDL_CREATE_AGAIN,
        SL_SIM_DDL_CREATE_AGAIN,
        SL_SIM_DDL_DROP,
        SL_SIM_DDL_DROP,
        SL_SIM_DDL_ALTER,
        SL_SIM_DDL_ALTER,
        SL_SIM_DDL_RENAME,
        SL_SIM_DDL_RENAME,
        SL_SIM_DDL_SWAP,
        SL_SIM_DDL_SWAP,
        SL_SIM_DDL_SWAP,
        SL_SIM_DDL_CREATE_DATABASE,
        SL_SIM_DDL_DROP_DATABASE,
        SL_SIM_DDL_ALTER_REFUSED,
        SL_SIM_DDL_UNKNOWN,
    };
    static const enum sl_sim_moment moments[] = {
        SL_SIM_MOMENT_ORIGIN_CLOSES, SL_SIM_MOMENT_ORIGIN_STOPPED, SL_SIM_MOMENT_DESTINATION_OPENS,
        SL_SIM_MOMENT_HANDOVER,      SL_SIM_MOMENT_DDL_BLOCKED,    SL_SIM_MOMENT_MAINTAINER_ADDED,
    };
    struct sl_sim_fault f = { .action = SL_SIM_ACTION_DDL, .draw = p->item_count, .at_host = PLAN_NONE };
    f.options = kinds[plan_below(d, sizeof kinds / sizeof kinds[0])];
    f.feed = (uint32_t)plan_below(d, 8);
    f.count = 1 + (uint32_t)plan_below(d, 3);
    f.skip = (uint32_t)plan_below(d, 10);
    f.delay_width_ns = 50 * SL_MS;
    if (plan_below(d, 2) == 0)
        f.moment = moments[plan_below(d, sizeof moments / sizeof moments[0])];
    return f;
}

static struct sl_sim_fault plan_ddl_fault(const struct sl_sim_plan *p, struct plan_dice *d)
{
    static const enum sl_sim_action actions[] = {
        SL_SIM_ACTION_CRASH,      SL_SIM_ACTION_CRASH,       SL_SIM_ACTION_PAUSE,       SL_SIM_ACTION_RESTART_SAME,
        SL_SIM_ACTION_CUT,        SL_SIM_ACTION_STALL,       SL_SIM_ACTION_LOSE_LEASE,  SL_SIM_ACTION_SINK_AWAY,
        SL_SIM_ACTION_MOVE_FEED,  SL_SIM_ACTION_MOVE_FEED,   SL_SIM_ACTION_MOVE_TABLE,  SL_SIM_ACTION_MOVE_TABLE,
        SL_SIM_ACTION_DRAIN,      SL_SIM_ACTION_LOSE_BLOCKS, SL_SIM_ACTION_LOSE_BLOCKS, SL_SIM_ACTION_LATE_BLOCK,
        SL_SIM_ACTION_LATE_BLOCK, SL_SIM_ACTION_HANG_CLOSE,  SL_SIM_ACTION_RESIGN,      SL_SIM_ACTION_KILL_COORDINATOR,
    };
    struct sl_sim_fault f = { .draw = p->item_count, .at_host = PLAN_NONE };
    f.action = actions[plan_below(d, sizeof actions / sizeof actions[0])];
    f.moment = (enum sl_sim_moment)(SL_SIM_MOMENT_DDL_BLOCKED +
                                    plan_below(d, SL_SIM_MOMENT_COUNT - SL_SIM_MOMENT_DDL_BLOCKED));
    f.skip = (uint32_t)plan_below(d, 10);
    f.host = plan_below(d, 3) == 0 ? (uint32_t)plan_below(d, p->host_count) : PLAN_NONE;
    f.peer = (uint32_t)plan_below(d, p->host_count);
    f.feed = (uint32_t)plan_below(d, 8);
    f.count = 1 + (uint32_t)plan_below(d, 16);
    f.lasts_ns = plan_below(d, 2) == 0 ? plan_between(d, SL_MS, 3 * SL_S) : plan_between(d, 3 * SL_S, 20 * SL_S);
    f.delay_width_ns = plan_below(d, 4) == 0 ? SL_S : 10 * SL_MS;
    if (f.action == SL_SIM_ACTION_DRAIN)
        f.count = 1;
    return f;
}

/* In every other run, and behind all else, so that they change nothing of what was drawn. */
static void plan_draw_ddls(struct sl_sim_plan *p, uint64_t seed)
{
    struct plan_dice counts = { .seed = seed, .object = PLAN_OBJECT_SIZES + 2 };
    if (plan_below(&counts, 2) != 0)
        return;
    uint32_t ddls = 1 + (uint32_t)plan_below(&counts, PLAN_DDLS_MAX);
    uint32_t faults = (uint32_t)plan_below(&counts, PLAN_DDL_FAULTS_MAX + 1);
    for (uint32_t i = 0; i < ddls + faults; i++) {
        struct plan_dice d = plan_dice_of(p, seed);
        struct sl_sim_item item = { .at = plan_between(&d, 3 * SL_S, p->trouble_ns) };
        item.fault = i < ddls ? plan_ddl(p, &d) : plan_ddl_fault(p, &d);
        p->items[p->item_count++] = item;
    }
}

/* What would leave nobody to work, or prove nothing, is left out: a second freeze, one of the host that is spared. */
static void plan_restrain(struct sl_sim_plan *p)
{
    bool has_frozen = p->host_count < 3;
    for (uint32_t i = 0; i < p->item_count; i++) {
        struct sl_sim_fault *f = &p->items[i].fault;
        if (p->items[i].is_knob || f->action != SL_SIM_ACTION_FREEZE)
            continue;
        f->host = f->host < p->host_count && f->host != p->spared_host ? f->host : (p->spared_host + 1) % p->host_count;
        if (has_frozen)
            f->action = SL_SIM_ACTION_PAUSE;
        has_frozen = true;
    }
}

void sl_sim_plan_draw(struct sl_sim_plan *p, const struct sl_sim_plan_opts *opts)
{
    *p = (struct sl_sim_plan){ 0 };
    plan_draw_sizes(p, opts);
    plan_draw_knobs(p, opts->seed);
    plan_draw_actions(p, opts->seed);
    plan_draw_ddls(p, opts->seed);
    plan_restrain(p);
}

/* ---- texts ---- */

bool sl_sim_keep_parse(struct sl_sim_keep *keep, const char *text)
{
    *keep = (struct sl_sim_keep){ .is_set = true };
    if (strcmp(text, "none") == 0)
        return true;
    for (;;) {
        char *end;
        unsigned long number = strtoul(text, &end, 10);
        if (*text < '0' || *text > '9' || number >= SL_SIM_ITEMS_MAX)
            return false;
        keep->items[number] = true;
        if (*end == '\0')
            return true;
        if (*end != ',')
            return false;
        text = end + 1;
    }
}

static const char *plan_host_text(uint32_t host, char out[16])
{
    if (host == SL_SIM_HOST_NONE)
        return "it";
    if (host == SL_SIM_HOST_LEADER)
        return "the leader";
    snprintf(out, 16, "n%" PRIu32, host + 1);
    return out;
}

const char *sl_sim_item_text(const struct sl_sim_item *item, char out[SL_SIM_ITEM_TEXT])
{
    const struct sl_sim_fault *f = &item->fault;
    char host[16], peer[16], at[SL_SIM_TIME_TEXT], lasts[SL_SIM_TIME_TEXT], when[64];
    if (item->is_knob) {
        snprintf(out, SL_SIM_ITEM_TEXT, "%s %" PRIu64, knob_texts[item->knob], item->value);
        return out;
    }
    if (f->moment == SL_SIM_MOMENT_TIME)
        snprintf(when, sizeof when, "at %s", sl_sim_time_text(item->at, at));
    else
        snprintf(when, sizeof when, "within %" PRId64 " ms after %s no. %" PRIu32, f->delay_width_ns / SL_MS,
                 sl_sim_moment_text(f->moment), f->skip + 1);
    snprintf(out, SL_SIM_ITEM_TEXT,
             "%s %s %s (peer %s, for %s, feed %" PRIu32 ", count %" PRIu32 ", options %" PRIu32 ")",
             sl_sim_action_text(f->action), plan_host_text(f->host, host), when, plan_host_text(f->peer, peer),
             sl_sim_time_text(f->lasts_ns, lasts), f->feed, f->count, f->options);
    return out;
}
