/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/script_internal.h"

#include <inttypes.h>
#include <string.h>

#define SCRIPT_LOOK_NS (10 * SL_MS)
#define SCRIPT_WITHIN_NS (60 * SL_S)
#define SCRIPT_LARGE_TABLES 10000u /* from here on a look costs too much for every 10 ms */

/* ---- the cluster ---- */

static bool script_set_duration(const struct script_words *w, const char *key, sl_ns *field)
{
    const char *value = sl_sim__script_option(w, key);
    return !value || sl_sim__script_duration(value, field);
}

static enum script_result script_cluster(struct sl_sim_script *s, const struct script_words *w)
{
    struct sl_sim_opts *o = &s->opts;
    const char *nodes = sl_sim__script_option(w, "nodes"), *balance = sl_sim__script_option(w, "balance");
    uint64_t count = o->host_count;
    if (s->has_cluster || (nodes && !sl_sim__script_number(nodes, &count)) || count == 0 || count > SL_SIM_HOST_MAX)
        return SCRIPT_BAD_WORDS;
    o->host_count = (uint32_t)count;
    o->balances = !balance || strcmp(balance, "off") != 0;
    if (!script_set_duration(w, "links", &o->net.delay_ns) || !script_set_duration(w, "jitter", &o->net.jitter_ns) ||
        !script_set_duration(w, "open", &o->plane.open_ns) || !script_set_duration(w, "close", &o->plane.close_ns))
        return SCRIPT_BAD_WORDS;
    sl_sim_init(&s->sim, o);
    s->has_cluster = true;
    return SCRIPT_OK;
}

/* ---- wishes of the operator ---- */

static void script_wish(struct sl_sim_script *s, enum sl_sim_wish_kind kind, uint32_t feed, uint32_t host)
{
    struct sl_sim_wish w = { .kind = kind, .feed = feed, .kept_ns = s->drained_stay ? SL_NEVER : 0 };
    if (host != SL_SIM_HOST_NONE)
        w.target = s->sim.hosts[host].id;
    if (sl_sim_client_wish(&s->sim, &w) == SL_SIM_WISH_NONE)
        sl_sim__script_fail(s, "there are too many wishes");
}

static enum script_result script_feed(struct sl_sim_script *s, const struct script_words *w)
{
    const char *tables = sl_sim__script_option(w, "tables");
    uint64_t count;
    if (!tables || !sl_sim__script_number(tables, &count) || count >= SL_SIM_TABLE_MAX)
        return SCRIPT_BAD_WORDS;
    uint32_t feed = sl_sim_create_feed(&s->sim, sl_str_of(w->at[1]), (uint32_t)count);
    script_wish(s, SL_SIM_WISH_CREATE, feed, SL_SIM_HOST_NONE);
    return SCRIPT_OK;
}

static enum script_result script_wish_of_feed(struct sl_sim_script *s, const struct script_words *w)
{
    static const enum sl_sim_wish_kind kinds[] = { SL_SIM_WISH_PAUSE, SL_SIM_WISH_RESUME, SL_SIM_WISH_REMOVE };
    uint32_t feed = sl_sim__script_feed(s, w->at[2]);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0] && feed != SL_SIM_FEED_NONE; i++) {
        if (strcmp(sl_sim_wish_text(kinds[i]), w->at[0]) == 0)
            script_wish(s, kinds[i], feed, SL_SIM_HOST_NONE);
    }
    return SCRIPT_OK;
}

static enum script_result script_move_feed(struct sl_sim_script *s, const struct script_words *w)
{
    uint32_t feed = sl_sim__script_feed(s, w->at[2]), host = sl_sim__script_host(s, w->at[4]);
    if (feed != SL_SIM_FEED_NONE && host != SL_SIM_HOST_NONE)
        script_wish(s, SL_SIM_WISH_MOVE, feed, host);
    return SCRIPT_OK;
}

static enum script_result script_wish_of_node(struct sl_sim_script *s, const struct script_words *w)
{
    static const enum sl_sim_wish_kind kinds[] = { SL_SIM_WISH_DRAIN, SL_SIM_WISH_UNDRAIN };
    uint32_t host = sl_sim__script_host(s, w->at[1]);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0] && host != SL_SIM_HOST_NONE; i++) {
        if (strcmp(sl_sim_wish_text(kinds[i]), w->at[0]) == 0)
            script_wish(s, kinds[i], 0, host);
    }
    return SCRIPT_OK;
}

static enum script_result script_keep_drained(struct sl_sim_script *s, const struct script_words *w)
{
    (void)w;
    s->drained_stay = true;
    return SCRIPT_OK;
}

static enum script_result script_resign(struct sl_sim_script *s, const struct script_words *w)
{
    (void)w;
    script_wish(s, SL_SIM_WISH_RESIGN, 0, SL_SIM_HOST_NONE);
    return SCRIPT_OK;
}

/* ---- the source ---- */

static enum script_result script_change_tables(struct sl_sim_script *s, const struct script_words *w)
{
    uint64_t count;
    uint32_t feed = sl_sim__script_feed(s, w->at[4]);
    if (!sl_sim__script_number(w->at[1], &count) || feed == SL_SIM_FEED_NONE)
        return SCRIPT_BAD_WORDS;
    if (strcmp(w->at[0], "add") == 0)
        (void)sl_sim_catalog_ddl(&s->sim.catalog, feed, SL_SIM_DDL_CREATE, (uint32_t)count, 0);
    else
        (void)sl_sim_catalog_ddl(&s->sim.catalog, feed, SL_SIM_DDL_DROP, (uint32_t)count, 0);
    return SCRIPT_OK;
}

/* ---- time ---- */

static enum script_result script_run(struct sl_sim_script *s, const struct script_words *w)
{
    sl_ns duration;
    if (!sl_sim__script_duration(w->at[1], &duration))
        return SCRIPT_BAD_WORDS;
    sl_sim_run_until(&s->sim, s->sim.engine.now + duration);
    return SCRIPT_OK;
}

static sl_ns script_look_ns(const struct sl_sim *sim)
{
    uint32_t tables = 0;
    for (uint32_t i = 0; i < sim->catalog.feed_count; i++)
        tables += sim->catalog.feeds[i].table_count;
    return tables > SCRIPT_LARGE_TABLES ? 10 * SCRIPT_LOOK_NS : SCRIPT_LOOK_NS;
}

static enum script_result script_run_until(struct sl_sim_script *s, const struct script_words *w)
{
    char why[SL_SIM_WHY] = "";
    bool is_known;
    sl_ns within = SCRIPT_WITHIN_NS;
    uint32_t end = sl_sim__script_find(w, "within");
    if (end < w->count && (end + 2 != w->count || !sl_sim__script_duration(w->at[end + 1], &within)))
        return SCRIPT_BAD_WORDS;
    sl_ns until = s->sim.engine.now + within, look = script_look_ns(&s->sim);
    while (!sl_sim__script_holds(s, w, 2, end, &is_known, why)) {
        if (!is_known)
            return SCRIPT_BAD_WORDS;
        if (s->sim.engine.now >= until) {
            sl_sim__script_fail(s, "not within %" PRId64 " s: %s", within / SL_S, why);
            return SCRIPT_OK;
        }
        if (!sl_sim_run_until(&s->sim, s->sim.engine.now + look))
            return SCRIPT_OK;
    }
    return SCRIPT_OK;
}

static enum script_result script_expect(struct sl_sim_script *s, const struct script_words *w)
{
    char why[SL_SIM_WHY] = "";
    bool is_known, holds = sl_sim__script_holds(s, w, 1, w->count, &is_known, why);
    if (!is_known)
        return SCRIPT_BAD_WORDS;
    if (!holds)
        sl_sim__script_fail(s, "%s", why);
    return SCRIPT_OK;
}

/* ---- nodes ---- */

static enum script_result script_start(struct sl_sim_script *s, const struct script_words *w)
{
    uint64_t count;
    if (!sl_sim__script_number(w->at[1], &count))
        return SCRIPT_BAD_WORDS;
    while (count-- > 0)
        sl_sim_add_host(&s->sim);
    return SCRIPT_OK;
}

static void script_do(struct sl_sim_script *s, enum sl_sim_action action, const char *host, const char *peer,
                      sl_ns lasts_ns)
{
    struct sl_sim_fault fault = { .action = action, .lasts_ns = lasts_ns };
    fault.host = sl_sim__script_host(s, host);
    fault.peer = peer ? sl_sim__script_host(s, peer) : SL_SIM_HOST_NONE;
    if (fault.host != SL_SIM_HOST_NONE && (!peer || fault.peer != SL_SIM_HOST_NONE))
        sl_sim_faults_do(&s->sim, &fault);
}

static bool script_action(const char *word, enum sl_sim_action *action)
{
    for (uint32_t i = 0; i < SL_SIM_ACTION_COUNT; i++) {
        if (strcmp(sl_sim_action_text((enum sl_sim_action)i), word) == 0) {
            *action = (enum sl_sim_action)i;
            return true;
        }
    }
    return false;
}

static enum script_result script_act(struct sl_sim_script *s, const struct script_words *w)
{
    enum sl_sim_action action;
    if (!script_action(w->at[0], &action))
        return SCRIPT_BAD_WORDS;
    script_do(s, action, w->at[1], NULL, 0);
    return SCRIPT_OK;
}

static enum script_result script_restart_new(struct sl_sim_script *s, const struct script_words *w)
{
    script_do(s, SL_SIM_ACTION_RESTART_NEW, w->at[1], NULL, 0);
    return SCRIPT_OK;
}

static enum script_result script_stop(struct sl_sim_script *s, const struct script_words *w)
{
    uint32_t host = sl_sim__script_host(s, w->at[1]);
    if (host != SL_SIM_HOST_NONE)
        sl_sim_host_leave(&s->sim.hosts[host]);
    return SCRIPT_OK;
}

static enum script_result script_link(struct sl_sim_script *s, const struct script_words *w)
{
    enum sl_sim_action action;
    sl_ns lasts = 0;
    if (!script_action(w->at[0], &action) || strcmp(w->at[2], "->") != 0 ||
        (w->count > 4 && !sl_sim__script_duration(w->at[4], &lasts)))
        return SCRIPT_BAD_WORDS;
    script_do(s, action, w->at[1], w->at[3], lasts);
    return SCRIPT_OK;
}

static enum script_result script_lose(struct sl_sim_script *s, const struct script_words *w)
{
    uint64_t count;
    uint32_t from = sl_sim__script_host(s, w->at[4]), to = sl_sim__script_host(s, w->at[6]);
    if (!sl_sim__script_number(w->at[1], &count) || from == SL_SIM_HOST_NONE || to == SL_SIM_HOST_NONE)
        return SCRIPT_BAD_WORDS;
    for (int32_t type = 1; type < SL_MSG_COUNT; type++) {
        const struct sl_msg_row *row = sl_msg_row(type);
        if (row && strcmp(row->name, w->at[2]) == 0)
            return sl_sim_net_lose(&s->sim.net, from, to, row->type, (uint32_t)count) ? SCRIPT_OK : SCRIPT_BAD_WORDS;
    }
    return SCRIPT_BAD_WORDS;
}

/* "when stopped on n2 crash n2 after 5ms" */
static enum script_result script_when(struct sl_sim_script *s, const struct script_words *w)
{
    struct sl_sim_fault fault = { .moment = SL_SIM_MOMENT_COUNT };
    for (uint32_t i = 0; i < SL_SIM_MOMENT_COUNT; i++) {
        if (strcmp(sl_sim_moment_text((enum sl_sim_moment)i), w->at[1]) == 0)
            fault.moment = (enum sl_sim_moment)i;
    }
    fault.at_host = sl_sim__script_host(s, w->at[3]);
    fault.host = sl_sim__script_host(s, w->at[5]);
    fault.peer = SL_SIM_HOST_NONE;
    if (fault.moment == SL_SIM_MOMENT_COUNT || !script_action(w->at[4], &fault.action) ||
        !sl_sim__script_duration(w->at[7], &fault.delay_ns) || fault.at_host == SL_SIM_HOST_NONE ||
        fault.host == SL_SIM_HOST_NONE)
        return SCRIPT_BAD_WORDS;
    sl_sim_faults_aim(&s->sim, &fault);
    return SCRIPT_OK;
}

static enum script_result script_plane(struct sl_sim_script *s, const struct script_words *w)
{
    uint32_t host = sl_sim__script_host(s, w->at[3]);
    if (host == SL_SIM_HOST_NONE)
        return SCRIPT_OK;
    struct sl_sim_plane_mood *mood = &s->sim.hosts[host].plane.mood;
    bool is_close = strcmp(w->at[1], "close") == 0;
    sl_ns duration = 0;
    if ((!is_close && strcmp(w->at[1], "open") != 0) || (w->count > 4 && !sl_sim__script_duration(w->at[4], &duration)))
        return SCRIPT_BAD_WORDS;
    if (w->count > 4)
        *(is_close ? &mood->slow_close_ns : &mood->slow_open_ns) = duration;
    else
        *(is_close ? &mood->hangs_close : &mood->hangs_open) = true;
    return SCRIPT_OK;
}

static enum script_result script_fail(struct sl_sim_script *s, const struct script_words *w)
{
    uint32_t host = sl_sim__script_host(s, w->at[4]);
    if (host != SL_SIM_HOST_NONE &&
        (!sl_sim_host_is_up(&s->sim.hosts[host]) || !sl_sim_plane_fail_one(&s->sim.hosts[host].plane)))
        sl_sim__script_fail(s, "nothing writes on %s", w->at[4]);
    return SCRIPT_OK;
}

/* ---- the coordinator ---- */

static enum script_result script_send_target(struct sl_sim_script *s, const struct script_words *w)
{
    struct sl_drain_target target = { .epoch = 0 };
    uint32_t to = sl_sim__script_host(s, w->at[6]);
    bool is_clear = strcmp(w->at[2], "none") == 0;
    if (to == SL_SIM_HOST_NONE || !sl_sim__script_epoch(s, w->at[4], &target.epoch) ||
        (!is_clear && !sl_node_id_set(&target.node, sl_str_of(w->at[2]))))
        return SCRIPT_BAD_WORDS;
    if (!sl_sim_cluster_send_target(&s->sim, to, &target))
        sl_sim__script_fail(s, "nobody is coordinator");
    return SCRIPT_OK;
}

const struct script_command sl_sim__script_commands[] = {
    { "cluster ...", script_cluster, "nodes=N links=D jitter=D open=D close=D balance=off" },
    { "feed * tables=*", script_feed, "creates a feed" },
    { "feed * ...", script_feed, "" },
    { "pause feed *", script_wish_of_feed, "its maintainer closes everything" },
    { "resume feed *", script_wish_of_feed, "" },
    { "remove feed *", script_wish_of_feed, "for good" },
    { "move feed * to *", script_move_feed, "its maintainer" },
    { "add * tables to *", script_change_tables, "at this moment's commit ts" },
    { "drop * tables of *", script_change_tables, "the oldest ones" },
    { "run until ...", script_run_until, "CONDITION [within D]; a minute if not said" },
    { "run *", script_run, "a duration: 5s, 20ms" },
    { "expect ...", script_expect, "CONDITION" },
    { "drain *", script_wish_of_node, "asks for a drain, and stops the process when it is safe" },
    { "undrain *", script_wish_of_node, "" },
    { "drained nodes stay", script_keep_drained, "nobody stops the process of a drain asked for later" },
    { "start * nodes", script_start, "new ones" },
    { "start *", script_act, "a node that is down, with a new id" },
    { "stop *", script_stop, "it leaves in an orderly way" },
    { "crash *", script_act, "" },
    { "restart * with a new id", script_restart_new, "" },
    { "restart *", script_act, "crashes if it runs, starts with the same id" },
    { "pause *", script_act, "time passes for all others" },
    { "resume *", script_act, "" },
    { "release *", script_act, "what hangs there goes on" },
    { "hang * on *", script_plane, "open or close" },
    { "fail one dispatcher on *", script_fail, "the sink refuses its next write" },
    { "slow * on * *", script_plane, "open or close; by a duration" },
    { "cut * -> *", script_link, "one direction" },
    { "heal * -> *", script_link, "" },
    { "stall * -> * *", script_link, "holds messages for a duration" },
    { "lose * * from * to *", script_lose, "the next N messages of a type" },
    { "when * on * * * after *", script_when, "MOMENT on NODE ACTION NODE after D" },
    { "resign coordinator", script_resign, "the role ends, the process lives" },
    { "send target * epoch * to *", script_send_target,
      "a drain target (or none) that the coordinator would not send" },
    { NULL, NULL, NULL },
};
