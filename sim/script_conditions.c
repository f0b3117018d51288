/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/script_internal.h"

#include <string.h>

/* What "run until" and "expect" can ask. Words after the name are in w->at[at ...]. */
struct script_condition {
    const char *name;
    uint32_t word_count; /* with the name */
    bool (*holds)(struct sl_sim_script *s, const char *const *words, char why[SL_SIM_WHY]);
};

static bool script_is_replicating(struct sl_sim_script *s, const char *const *words, char why[SL_SIM_WHY])
{
    (void)words;
    return sl_sim_is_replicating(&s->sim, why);
}

static bool script_is_balanced(struct sl_sim_script *s, const char *const *words, char why[SL_SIM_WHY])
{
    (void)words;
    return sl_sim_is_balanced(&s->sim, why);
}

/* As the store has it. */
static const struct sl_sim_seen_drain *script_drain(struct sl_sim_script *s, const char *target, char why[SL_SIM_WHY])
{
    struct sl_node_id id;
    bool is_id = sl_node_id_set(&id, sl_str_of(target));
    const struct sl_sim_seen_drain *d = is_id ? sl_sim_judge_drain(&s->sim, &id) : NULL;
    const struct sl_sim_wish *w = d ? sl_sim_client_drain(&s->sim, &id) : NULL;
    if (!d)
        snprintf(why, SL_SIM_WHY, "there is no drain of %s", target);
    else
        snprintf(why, SL_SIM_WHY, "drain of %s is %s: %.200s", target, sl_drain_phase_name(d->phase), w ? w->why : "");
    return d;
}

/* Every member holds the target of the drain. */
static bool script_is_acknowledged(struct sl_sim_script *s, const char *const *words, char why[SL_SIM_WHY])
{
    const struct sl_sim_seen_drain *d = script_drain(s, words[1], why);
    for (uint32_t i = 0; d && i < s->sim.host_count; i++) {
        const struct sl_sim_host *h = &s->sim.hosts[i];
        if (!sl_sim_host_is_up(h))
            continue;
        const struct sl_drain_target *t = sl_target_set_find(sl_manager_targets(sl_node_manager(h->node)), &d->target);
        if (!t || t->epoch != d->epoch) {
            snprintf(why, SL_SIM_WHY, "%s does not hold the target %s", h->id.text, words[1]);
            return false;
        }
    }
    return d != NULL;
}

static bool script_is_evacuated(struct sl_sim_script *s, const char *const *words, char why[SL_SIM_WHY])
{
    const struct sl_sim_seen_drain *d = script_drain(s, words[1], why);
    return d && d->phase >= SL_DRAIN_STOPPING && d->phase <= SL_DRAIN_DONE &&
           sl_sim_is_empty(&s->sim, sl_str_of(words[1]), why);
}

static bool script_is_safe(struct sl_sim_script *s, const char *const *words, char why[SL_SIM_WHY])
{
    const struct sl_sim_seen_drain *d = script_drain(s, words[1], why);
    return d && d->was_safe;
}

static bool script_is_drained(struct sl_sim_script *s, const char *const *words, char why[SL_SIM_WHY])
{
    const struct sl_sim_seen_drain *d = script_drain(s, words[1], why);
    return d && d->phase == SL_DRAIN_DONE;
}

static bool script_has_ended(struct sl_sim_script *s, const char *const *words, char why[SL_SIM_WHY])
{
    const struct sl_sim_seen_drain *d = script_drain(s, words[1], why);
    return d && d->phase >= SL_DRAIN_DONE;
}

static bool script_is_stuck(struct sl_sim_script *s, const char *const *words, char why[SL_SIM_WHY])
{
    const struct sl_sim_seen_drain *d = script_drain(s, words[1], why);
    const struct sl_sim_wish *w = d ? sl_sim_client_drain(&s->sim, &d->target) : NULL;
    return w && w->blocker == SL_BLOCKED_MOVE_STUCK;
}

static bool script_is_empty(struct sl_sim_script *s, const char *const *words, char why[SL_SIM_WHY])
{
    return sl_sim_is_empty(&s->sim, sl_str_of(words[1]), why);
}

static bool script_has_left(struct sl_sim_script *s, const char *const *words, char why[SL_SIM_WHY])
{
    struct sl_node_id id;
    snprintf(why, SL_SIM_WHY, "%s still counts as a member", words[1]);
    if (!sl_node_id_set(&id, sl_str_of(words[1])))
        return false;
    for (uint32_t i = 0; i < s->sim.host_count; i++) {
        const struct sl_sim_host *h = &s->sim.hosts[i];
        if (!sl_sim_host_is_up(h) || sl_node_id_eq(&h->id, &id))
            continue;
        sl_node_ref ref = sl_members_find(sl_node_members(h->node), &id);
        if (ref != SL_NODE_NONE && sl_members_is_alive(sl_node_members(h->node), ref))
            return false;
    }
    return true;
}

static bool script_is_moving(struct sl_sim_script *s, const char *const *words, char why[SL_SIM_WHY])
{
    (void)words;
    snprintf(why, SL_SIM_WHY, "no span moves");
    for (uint32_t feed = 0; feed < s->sim.catalog.feed_count; feed++) {
        struct sl_maintainer_stats stats;
        uint64_t epoch;
        if (sl_sim_feed_stats(&s->sim, feed, &stats, &epoch) && stats.moves > 0)
            return true;
    }
    return false;
}

static bool script_is_led(struct sl_sim_script *s, const char *const *words, char why[SL_SIM_WHY])
{
    uint32_t leader = sl_sim_cluster_leader(&s->sim);
    snprintf(why, SL_SIM_WHY, "the coordinator is on %s",
             leader != SL_SIM_HOST_NONE ? s->sim.hosts[leader].id.text : "no node");
    return sl_sim_cluster_is_led(&s->sim) && leader == sl_sim_find_host(&s->sim, sl_str_of(words[1]));
}

static bool script_is_maintained(struct sl_sim_script *s, const char *const *words, char why[SL_SIM_WHY])
{
    uint32_t feed = sl_sim_catalog_find_name(&s->sim.catalog, sl_str_of(words[1]));
    uint32_t owner = feed != SL_SIM_FEED_NONE ? sl_sim_cluster_owner(&s->sim, feed) : SL_SIM_HOST_NONE;
    snprintf(why, SL_SIM_WHY, "the maintainer of %s is on %s", words[1],
             owner != SL_SIM_HOST_NONE ? s->sim.hosts[owner].id.text : "no node");
    return owner != SL_SIM_HOST_NONE && owner == sl_sim_find_host(&s->sim, sl_str_of(words[2]));
}

static bool script_is_aimed(struct sl_sim_script *s, const char *const *words, char why[SL_SIM_WHY])
{
    uint32_t host = sl_sim_find_host(&s->sim, sl_str_of(words[1]));
    snprintf(why, SL_SIM_WHY, "%s is not up", words[1]);
    if (host == SL_SIM_HOST_NONE || !sl_sim_host_is_up(&s->sim.hosts[host]))
        return false;
    const struct sl_drain_target *t = sl_manager_target(sl_node_manager(s->sim.hosts[host].node));
    snprintf(why, SL_SIM_WHY, "%s has the target '%s'", words[1], t->node.text);
    return sl_str_eq(sl_node_id_str(&t->node), sl_str_of(words[2]));
}

static bool script_is_down(struct sl_sim_script *s, const char *const *words, char why[SL_SIM_WHY])
{
    uint32_t host = sl_sim_find_host(&s->sim, sl_str_of(words[1]));
    snprintf(why, SL_SIM_WHY, "%s runs", words[1]);
    return host != SL_SIM_HOST_NONE && s->sim.hosts[host].state == SL_SIM_HOST_DOWN;
}

static const struct script_condition script_conditions[] = {
    { "replicating", 1, script_is_replicating },
    { "balanced", 1, script_is_balanced },
    { "moving", 1, script_is_moving },
    { "acknowledged", 2, script_is_acknowledged },
    { "evacuated", 2, script_is_evacuated },
    { "safe", 2, script_is_safe },
    { "drained", 2, script_is_drained },
    { "ended", 2, script_has_ended },
    { "stuck", 2, script_is_stuck },
    { "empty", 2, script_is_empty },
    { "left", 2, script_has_left },
    { "down", 2, script_is_down },
    { "coordinator", 2, script_is_led },
    { "maintainer", 3, script_is_maintained },
    { "target", 3, script_is_aimed },
};

bool sl_sim__script_holds(struct sl_sim_script *s, const struct script_words *w, uint32_t from, uint32_t to,
                          bool *is_known, char why[SL_SIM_WHY])
{
    bool is_negated = from < to && strcmp(w->at[from], "not") == 0;
    from += is_negated;
    *is_known = false;
    for (size_t i = 0; i < sizeof script_conditions / sizeof script_conditions[0]; i++) {
        const struct script_condition *c = &script_conditions[i];
        if (from >= to || to - from != c->word_count || strcmp(w->at[from], c->name) != 0)
            continue;
        *is_known = true;
        bool holds = c->holds(s, &w->at[from], why);
        if (is_negated && holds)
            snprintf(why, SL_SIM_WHY, "it holds");
        return holds != is_negated;
    }
    return false;
}
