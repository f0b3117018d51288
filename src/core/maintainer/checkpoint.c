/* SPDX-License-Identifier: Apache-2.0 */
#include "core/maintainer/checkpoint.h"

#include "core/maintainer/maintainer_internal.h"

bool sl_mark_apply(struct sl_mark *mark, const struct sl_mark *said)
{
    bool newer = !mark->is_known || said->seq > mark->seq;
    if (!newer && !(said->seq == mark->seq && said->checkpoint > mark->checkpoint))
        return false;
    bool changed = !mark->is_known || said->checkpoint != mark->checkpoint || said->resolved != mark->resolved;
    *mark = *said;
    mark->is_known = true;
    return changed;
}

bool sl_mark_lower(struct sl_mark *mark, sl_ts position)
{
    if (!mark->is_known || position == SL_TS_NONE || mark->checkpoint <= position)
        return false;
    mark->checkpoint = position;
    return true;
}

bool sl_checkpoint_advance(struct sl_checkpoint *c, sl_ts checkpoint, sl_ts resolved)
{
    sl_ts working = checkpoint == SL_TS_MAX ? c->working : checkpoint;
    sl_ts resolved_now = resolved == SL_TS_MAX ? c->resolved : resolved;
    bool changed = working != c->working || resolved_now != c->resolved;
    c->working = working;
    c->resolved = resolved_now;
    if (checkpoint != SL_TS_MAX)
        c->committed = sl_ts_max(c->committed, checkpoint);
    return changed;
}

/* ---- rounds ---- */

/*
 * What no watermark speaks for: spans without a dispatcher, tables that are not spans yet, and the changes of tables
 * while no table trigger looks for them.
 */
static sl_ts round_limit(const struct sl_maintainer *m)
{
    sl_ts limit = sl_ts_min(sl_control_checkpoint_limit(m->control), m->schema.missing_from);
    return m->trigger.is_stopped ? sl_ts_min(limit, m->checkpoint.committed) : limit;
}

/*
 * Nodes that run something of the feed; the own one always does, the table trigger. False if one of them has not said
 * anything yet: its dispatchers may be behind all others.
 */
static bool round_collect(const struct sl_maintainer *m, sl_ts *checkpoint, sl_ts *resolved)
{
    for (sl_node_ref ref = sl_members_next(m->opts.members, SL_NODE_NONE); ref != SL_NODE_NONE;
         ref = sl_members_next(m->opts.members, ref)) {
        const struct sl_mark *mark = &m->nodes[ref].mark;
        if (ref != sl__maintainer_self(m) && !sl_control_node_is_used(m->control, ref))
            continue;
        if (!mark->is_known)
            return false;
        *checkpoint = sl_ts_min(*checkpoint, mark->checkpoint);
        *resolved = sl_ts_min(*resolved, mark->resolved);
    }
    return true;
}

/* The limit is taken before the watermarks are read, so that no span can leave the one without being in the other. */
void sl__maintainer_round_now(struct sl_maintainer *m)
{
    SL_REQUIRE(m->control != NULL);
    sl_ts limit = round_limit(m);
    sl_ts checkpoint = SL_TS_MAX, resolved = SL_TS_MAX;
    m->round = (struct sl__round){ .not_before = sl_ns_after(m->now, m->opts.limits.checkpoint_ns), .limit = limit };
    if (!round_collect(m, &checkpoint, &resolved))
        return;
    checkpoint = sl_ts_min(checkpoint, limit);
    resolved = sl_ts_min(resolved, limit);
    if (checkpoint == SL_TS_MAX || !sl_checkpoint_advance(&m->checkpoint, checkpoint, resolved))
        return;
    sl_control_set_committed(m->control, m->checkpoint.committed);
    m->prompt |= m->low_latency;
    m->report.is_dirty |= m->low_latency;
}

/* A feed at rest wants no rounds, so it costs nothing. */
static bool round_is_wanted(const struct sl_maintainer *m)
{
    bool counts = m->state == SL__MAINTAINER_RUNNING || m->state == SL__MAINTAINER_CLOSING;
    return counts && m->control && (m->round.is_wanted || m->round.limit != round_limit(m));
}

void sl__maintainer_round(struct sl_maintainer *m)
{
    if (round_is_wanted(m) && m->now >= m->round.not_before)
        sl__maintainer_round_now(m);
}

sl_ns sl__maintainer_round_deadline(const struct sl_maintainer *m)
{
    return round_is_wanted(m) ? m->round.not_before : SL_NEVER;
}
