/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/script_internal.h"

#include <inttypes.h>
#include <string.h>

#define SCRIPT_TABLES_LISTED 16u /* more are only counted */

static void script_show_tables_of(struct sl_sim_script *s, uint32_t feed, const struct sl_sim_host *h)
{
    const struct sl_sim_feed *f = &s->sim.catalog.feeds[feed];
    uint32_t count = 0;
    for (uint32_t i = 0; i < f->table_count; i++)
        count += sl_sim_sink_writer(&s->sim.sink, feed, f->tables[i].table_id) == h->process;
    sl_sim_buffer_format(&s->output, "  %s:", h->id.text);
    if (count > SCRIPT_TABLES_LISTED)
        sl_sim_buffer_format(&s->output, " %" PRIu32 " tables", count);
    for (uint32_t i = 0; i < f->table_count && count <= SCRIPT_TABLES_LISTED; i++) {
        if (sl_sim_sink_writer(&s->sim.sink, feed, f->tables[i].table_id) == h->process)
            sl_sim_buffer_format(&s->output, " %" PRId64, f->tables[i].table_id);
    }
}

/* Who really writes, by what the sink sees. */
static enum script_result script_show_placement(struct sl_sim_script *s, const struct script_words *w)
{
    (void)w;
    for (uint32_t feed = 0; feed < s->sim.catalog.feed_count; feed++) {
        uint32_t owner = sl_sim_cluster_owner(&s->sim, feed);
        sl_sim_buffer_format(&s->output, "%s  maintainer: %s", s->sim.catalog.feeds[feed].id.name,
                             owner == SL_SIM_HOST_NONE ? "-" : s->sim.hosts[owner].id.text);
        for (uint32_t i = 0; i < s->sim.host_count; i++) {
            if (s->sim.hosts[i].process != 0)
                script_show_tables_of(s, feed, &s->sim.hosts[i]);
        }
        sl_sim_buffer_add(&s->output, SL_STR("\n"));
    }
    return SCRIPT_OK;
}

static enum script_result script_show_feeds(struct sl_sim_script *s, const struct script_words *w)
{
    (void)w;
    for (uint32_t feed = 0; feed < s->sim.catalog.feed_count; feed++) {
        struct sl_maintainer_stats st;
        uint64_t epoch;
        const char *name = s->sim.catalog.feeds[feed].id.name;
        if (sl_sim_feed_stats(&s->sim, feed, &st, &epoch))
            sl_sim_buffer_format(&s->output,
                                 "%s  epoch %" PRIu64 ": %" PRIu32 " spans, %" PRIu32 " absent, %" PRIu32
                                 " scheduling, %" PRIu32 " replicating, %" PRIu32 " moves\n",
                                 name, epoch, st.spans, st.absent, st.scheduling, st.replicating, st.moves);
        else
            sl_sim_buffer_format(&s->output, "%s  no maintainer works\n", name);
    }
    return SCRIPT_OK;
}

/* The state is the store's; what a drain waits for is what the operator was told last. */
static enum script_result script_show_drain(struct sl_sim_script *s, const struct script_words *w)
{
    (void)w;
    const struct sl_sim_cluster_judge *j = &s->sim.cluster->judge;
    for (uint32_t i = 0; i < j->drain_count; i++) {
        const struct sl_sim_seen_drain *d = &j->drains[i];
        const struct sl_sim_wish *wish = sl_sim_client_drain(&s->sim, &d->target);
        sl_sim_buffer_format(&s->output, "%s  epoch %" PRIu64 ": %s", d->target.text, d->epoch,
                             sl_drain_phase_name(d->phase));
        if (d->phase == SL_DRAIN_DONE)
            sl_sim_buffer_format(&s->output, d->was_safe ? ", was safe to stop" : ", the node left before it was safe");
        else if (wish && wish->phase == d->phase && wish->blocker != SL_BLOCKED_NONE)
            sl_sim_buffer_format(&s->output, "; %s %s", sl_blocker_name(wish->blocker), wish->detail);
        sl_sim_buffer_add(&s->output, SL_STR("\n"));
    }
    return SCRIPT_OK;
}

static enum script_result script_show_nodes(struct sl_sim_script *s, const struct script_words *w)
{
    (void)w;
    uint32_t leader = sl_sim_cluster_leader(&s->sim);
    for (uint32_t i = 0; i < s->sim.host_count; i++) {
        struct sl_sim_host *h = &s->sim.hosts[i];
        if (h->state == SL_SIM_HOST_DOWN) {
            sl_sim_buffer_format(&s->output, "%s  down\n", h->id.text);
            continue;
        }
        struct sl_hosted hosted;
        const struct sl_manager *m = sl_node_manager(h->node);
        const struct sl_drain_target *t = sl_manager_target(m);
        sl_node_hosted(h->node, &hosted);
        sl_sim_buffer_format(
            &s->output, "%s  %s%s, %" PRIu32 " maintainers, %" PRIu32 " dispatchers, target %s epoch %" PRIu64 "%s\n",
            h->id.text, h->state == SL_SIM_HOST_PAUSED ? "paused, " : "", sl_liveness_name((int)sl_manager_liveness(m)),
            hosted.maintainers, hosted.dispatchers, t->node.len > 0 ? t->node.text : "none", t->epoch,
            leader == i ? ", coordinator" : "");
    }
    return SCRIPT_OK;
}

/* A pattern is a name of an event, or its beginning and "*". */
static bool script_event_matches(const char *name, const struct script_words *w)
{
    for (uint32_t i = 2; i < w->count; i++) {
        size_t len = strlen(w->at[i]);
        bool is_prefix = len > 0 && w->at[i][len - 1] == '*';
        if (is_prefix ? strncmp(name, w->at[i], len - 1) == 0 : strcmp(name, w->at[i]) == 0)
            return true;
    }
    return false;
}

/* The line of a log is "level=info event=NAME fields msg=text": a reader of scenarios wants NAME and fields. */
static void script_show_event(struct sl_sim_script *s, const struct sl_sim_log_line *line)
{
    const char *fields = strstr(line->text, "event=");
    const char *message = strstr(line->text, " msg=");
    fields = fields ? fields + strlen("event=") : line->text;
    int len = message && message > fields ? (int)(message - fields) : (int)strlen(fields);
    sl_sim_buffer_format(&s->output, "%s  %.*s\n", line->host, len, fields);
}

static enum script_result script_show_events(struct sl_sim_script *s, const struct script_words *w)
{
    for (uint64_t i = s->events_shown; i < s->sim.log.count; i++) {
        const struct sl_sim_log_line *line = sl_sim_log_line(&s->sim.log, i);
        if (line && script_event_matches(sl_event_name(line->event), w))
            script_show_event(s, line);
    }
    s->events_shown = s->sim.log.count;
    return SCRIPT_OK;
}

static enum script_result script_show_time(struct sl_sim_script *s, const struct script_words *w)
{
    (void)w;
    char text[SL_SIM_TIME_TEXT];
    sl_sim_buffer_format(&s->output, "%s\n", sl_sim_time_text(s->sim.engine.now, text));
    return SCRIPT_OK;
}

const struct script_command sl_sim__script_shows[] = {
    { "show placement", script_show_placement, "maintainers, and who writes which tables at the sink" },
    { "show feeds", script_show_feeds, "spans by state, as the maintainer counts them" },
    { "show drain", script_show_drain, "every drain, its phase and what it waits for" },
    { "show nodes", script_show_nodes, "liveness, work, applied drain target" },
    { "show events ...", script_show_events, "NAME or PREFIX*; those since the last time" },
    { "show time", script_show_time, "" },
    { NULL, NULL, NULL },
};
