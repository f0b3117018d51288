/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/http/board.h"

#include "base/hash.h"

#include <string.h>

static const double board_bounds[] = { 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600 };

void sl__board_init(struct sl__board *b)
{
    *b = (struct sl__board){ .count = 0 };
    b->durations.bounds = board_bounds;
    b->durations.bound_count = sizeof board_bounds / sizeof board_bounds[0];
}

void sl__board_reset(struct sl__board *b)
{
    memset(b->seen, 0, sizeof b->seen);
    b->count = 0;
}

bool sl__drain_is_over(enum sl_drain_phase phase)
{
    return phase == SL_DRAIN_DONE || phase == SL_DRAIN_CANCELLED || phase == SL_DRAIN_FAILED;
}

const struct sl__drain_seen *sl__board_find(const struct sl__board *b, const char *id)
{
    for (uint32_t i = 0; i < b->count; i++) {
        if (strcmp(b->seen[i].id, id) == 0)
            return &b->seen[i];
    }
    return NULL;
}

static struct sl__drain_seen *board_take(struct sl__board *b, const char *id)
{
    struct sl__drain_seen *oldest = &b->seen[0];
    for (uint32_t i = 0; i < b->count; i++) {
        if (strcmp(b->seen[i].id, id) == 0)
            return &b->seen[i];
        if (b->seen[i].seen_at < oldest->seen_at)
            oldest = &b->seen[i];
    }
    struct sl__drain_seen *s = b->count < SL__BOARD_DRAINS_MAX ? &b->seen[b->count++] : oldest;
    *s = (struct sl__drain_seen){ .version = 0 };
    memcpy(s->id, id, strlen(id) + 1);
    return s;
}

static uint32_t board_remaining(const struct sl_drain_view *v)
{
    return v->maintainers + v->operators + v->dispatchers + v->moves + v->feeds_unsettled + v->peers_unacked;
}

/* Everything that a person sees change; ages and estimates change by themselves. */
static uint64_t board_digest(const struct sl_drain_view *v)
{
    const uint64_t numbers[] = { (uint64_t)v->intent.phase,
                                 v->safe_to_stop,
                                 (uint64_t)v->blocker,
                                 v->maintainers,
                                 v->operators,
                                 v->dispatchers,
                                 v->moves,
                                 v->stuck,
                                 v->feeds_unsettled,
                                 v->peers_unacked,
                                 v->moves_done,
                                 v->intent.cancelled };
    uint64_t hash = sl_hash_bytes(1, numbers, sizeof numbers);
    struct sl_str detail = sl_str_of(v->blocker_detail);
    return sl_hash_bytes(hash, detail.ptr, detail.len);
}

static void board_note_phase(struct sl__drain_seen *s, const struct sl_drain_view *v, sl_ns now, uint64_t wall_ms)
{
    if (s->phase_count > 0 && s->phases[s->phase_count - 1].phase == v->intent.phase)
        return;
    if (s->phase_count == SL__BOARD_PHASES_MAX) {
        memmove(&s->phases[0], &s->phases[1], (SL__BOARD_PHASES_MAX - 1) * sizeof s->phases[0]);
        s->phase_count--;
    }
    s->phases[s->phase_count++] = (struct sl__phase_seen){ v->intent.phase, wall_ms };
    s->progress_at = now;
}

void sl__board_observe(struct sl__board *b, sl_ns now, uint64_t wall_ms, const struct sl_drain_view *v)
{
    struct sl__drain_seen *s = board_take(b, v->intent.id);
    bool is_first = s->phase_count == 0;
    board_note_phase(s, v, now, wall_ms);
    uint32_t remaining = board_remaining(v);
    if (remaining < s->remaining_last)
        s->progress_at = now;
    s->remaining_last = remaining;
    s->seen_at = now;
    uint64_t digest = board_digest(v);
    if (digest != s->digest || is_first)
        s->version++;
    s->digest = digest;
    /* Of a drain that was over when first seen nobody knows how long it took. */
    if (v->intent.phase == SL_DRAIN_SAFE && !s->timed && !is_first && wall_ms >= v->intent.created_wall_ms)
        sl_histogram_observe(&b->durations, (double)(wall_ms - v->intent.created_wall_ms) / 1000);
    s->timed = s->timed || v->intent.phase == SL_DRAIN_SAFE;
}

void sl__board_observe_all(struct sl__board *b, sl_ns now, uint64_t wall_ms, const struct sl_reply *list)
{
    for (uint32_t i = 0; i < list->drain_count; i++)
        sl__board_observe(b, now, wall_ms, &list->drains[i]);
}
