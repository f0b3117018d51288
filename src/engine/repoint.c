/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/repoint.h"

#include <stdio.h>
#include <string.h>

static bool repoint_is_possible(const struct sl_source_driver *old, const struct sl_source_driver *source,
                                const struct sl_sink_driver *sink, struct sl_trouble *t)
{
    if (old == source && source->find_marks && sink->move_marks)
        return true;
    return sl_trouble_set(t, SL_TROUBLE_LASTING, "REPOINT_NOT_POSSIBLE",
                          "use MariaDB servers as sources, and a mysql:// sink with exactly-once=true",
                          "this feed cannot move from its source to that one");
}

/* A position that is left out and is not done yet would be met again under another number. */
static bool repoint_check_ignored(const struct sl_repoint_ask *ask, sl_ts base, struct sl_trouble *t)
{
    for (uint32_t i = 0; i < ask->ignored_count; i++) {
        if (ask->ignored[i] > base)
            return sl_trouble_set(t, SL_TROUBLE_LASTING, "REPOINT_SKIPS",
                                  "take it out of filter.ignore_txn_start_ts; the feed will stop in front of it again",
                                  "the feed leaves out position %llu, which is not behind it yet",
                                  (unsigned long long)ask->ignored[i]);
    }
    return true;
}

static sl_ts repoint_last(const struct sl_repoint_ask *ask, const struct sl_marks *marks)
{
    sl_ts last = ask->checkpoint;
    for (uint32_t i = 0; i < marks->count; i++)
        last = sl_ts_max(last, marks->list[i].ts);
    return last;
}

static void repoint_count(struct sl_repoint_result *out, const struct sl_marks *marks)
{
    for (uint32_t i = 0; i < marks->count; i++) {
        const struct sl_mark *m = &marks->list[i];
        out->spans += m->kind == SL_MARK_SPAN && m->moved != SL_TS_NONE ? 1 : 0;
        out->changes += m->kind == SL_MARK_CHANGE && m->moved != SL_TS_NONE ? 1 : 0;
    }
    out->copies = marks->copies;
    out->checkpoint = marks->list[0].moved;
    snprintf(out->gtids, sizeof out->gtids, "%s", marks->list[0].gtids);
}

static bool repoint_on_table(void *ctx, const struct sl_source_table *table)
{
    (void)ctx;
    (void)table;
    return true;
}

static bool repoint_find(const struct sl_repoint_ask *ask, const struct sl_source_driver *source,
                         struct sl_marks *marks, struct sl_repoint_result *out, struct sl_trouble *t)
{
    if (!repoint_check_ignored(ask, marks->list[0].ts, t) ||
        !source->succeed(ask->new_source, repoint_last(ask, marks), out->source, sizeof out->source, t))
        return false;
    struct sl_secret uri = sl_secret_of((struct sl_bytes){ (const uint8_t *)out->source, strlen(out->source) });
    const struct sl_source_open open = { .uri = uri };
    return source->check(uri, t) && source->list(&open, repoint_on_table, NULL, t) && source->find_marks(uri, marks, t);
}

bool sl_repoint(const struct sl_repoint_ask *ask, struct sl_repoint_result *out, struct sl_trouble *t)
{
    struct sl_marks marks = { 0 };
    *out = (struct sl_repoint_result){ .checkpoint = SL_TS_NONE };
    const struct sl_source_driver *old = sl_source_find(ask->sources, ask->old_source, t);
    const struct sl_source_driver *source = old ? sl_source_find(ask->sources, ask->new_source, t) : NULL;
    const struct sl_sink_driver *sink = source ? sl_sink_find(ask->sinks, ask->sink, t) : NULL;
    bool is_good = sink && repoint_is_possible(old, source, sink, t) &&
                   sink->read_marks(ask->sink, ask->feed, &marks, t) && repoint_find(ask, source, &marks, out, t);
    if (is_good)
        repoint_count(out, &marks);
    is_good = is_good && (ask->dry_run || sink->move_marks(ask->sink, ask->feed, &marks, t));
    sl_marks_deinit(&marks);
    return is_good;
}
