/* SPDX-License-Identifier: Apache-2.0 */
#include "core/coordinator/drains_internal.h"

#include <string.h>

/*
 * Intents in the store. Each write compares the mod revision of the last known value, so a deposed coordinator cannot
 * undo its successor. An answer that got lost is not repeated but read back.
 */

#define DRAIN_VALUE_ARENA_BYTES (64u << 10)

struct phase_row {
    const char *name;
    uint32_t next;
};
#define TO(phase) (1u << SL_DRAIN_##phase)
static const struct phase_row phase_rows[] = {
    [SL_DRAIN_PENDING] = { "pending", TO(EVACUATING) | TO(CLEARING) },
    [SL_DRAIN_EVACUATING] = { "evacuating", TO(STOPPING) | TO(CLEARING) },
    [SL_DRAIN_STOPPING] = { "stopping", TO(SAFE) | TO(CLEARING) },
    [SL_DRAIN_SAFE] = { "safe", TO(CLEARING) },
    [SL_DRAIN_CLEARING] = { "clearing", TO(DONE) | TO(CANCELLED) | TO(FAILED) },
    [SL_DRAIN_DONE] = { "done", 0 },
    [SL_DRAIN_CANCELLED] = { "cancelled", 0 },
    [SL_DRAIN_FAILED] = { "failed", 0 },
};
#undef TO

const char *sl__drain_legal(enum sl_drain_phase from, enum sl_drain_phase to)
{
    return phase_rows[from].next & (1u << to) ? NULL : phase_rows[from].name;
}

void sl__drain_changed(struct drain_session *s)
{
    s->differs = true;
    s->write_at = 0;
}

void sl__drain_set_phase(struct drain_session *s, enum sl_drain_phase phase)
{
    SL_REQUIRE(sl__drain_legal(s->intent.phase, phase) == NULL);
    if (phase == SL_DRAIN_CLEARING)
        s->intent.ended_from = s->intent.phase;
    s->intent.phase = phase;
    sl__drain_changed(s);
}

enum sl_drain_phase sl__drain_phase(const struct drain_session *s)
{
    return s->mod_revision > 0 ? s->durable.phase : SL_DRAIN_PENDING;
}

bool sl__drain_is_open(const struct drain_session *s)
{
    return s->intent.phase <= SL_DRAIN_CLEARING;
}

bool sl__drain_is_pushed(const struct drain_session *s)
{
    enum sl_drain_phase phase = sl__drain_phase(s);
    return s->mod_revision > 0 && phase >= SL_DRAIN_EVACUATING && phase <= SL_DRAIN_SAFE;
}

static void drain_write(struct sl_drains *d, sl_ns now, struct drain_session *s, struct sl_outbox *out)
{
    struct sl_key key;
    struct sl_bytes value;
    sl_arena_reset(&d->scratch);
    SL_REQUIRE(sl_key_drain(&key, sl_str_of(d->cluster), sl_str_of(s->intent.id)));
    if (sl_intent_format(&value, &s->intent, &d->scratch) != SL_OK) {
        s->write_at = sl_ns_after(now, DRAIN_RETRY_NS);
        return;
    }
    struct sl_store_compare unchanged = { .kind = SL_COMPARE_MOD_REVISION,
                                          .key = sl_key_str(&key),
                                          .revision = s->mod_revision };
    struct sl_store_action put = { .kind = SL_ACTION_PUT, .key = sl_key_str(&key), .value = value };
    struct sl_store_op op = { .id = ++*d->opts.op_next,
                              .verb = SL_STORE_TXN,
                              .critical = true,
                              .compares = &unchanged,
                              .compare_count = 1,
                              .then = &put,
                              .then_count = 1 };
    if (!sl_out_store(out, &op)) {
        s->write_at = sl_ns_after(now, DRAIN_CHECK_NS);
        return;
    }
    s->write = op.id;
    s->written = s->intent;
    s->differs = false;
}

static void drain_read_back(struct sl_drains *d, sl_ns now, struct drain_session *s, struct sl_outbox *out)
{
    struct sl_key key;
    SL_REQUIRE(sl_key_drain(&key, sl_str_of(d->cluster), sl_str_of(s->intent.id)));
    struct sl_store_op op = {
        .id = ++*d->opts.op_next, .verb = SL_STORE_RANGE, .key = sl_key_str(&key), .exact = true
    };
    if (sl_out_store(out, &op))
        s->read = op.id;
    else
        s->write_at = sl_ns_after(now, DRAIN_CHECK_NS); /* the write then fails its compare and asks again */
}

void sl__drain_write_due(struct sl_drains *d, sl_ns now, struct sl_outbox *out)
{
    for (uint32_t i = 0; i < d->session_count; i++) {
        struct drain_session *s = &d->sessions[i];
        if (s->write != 0 || s->read != 0 || !s->differs || now < s->write_at)
            continue;
        drain_write(d, now, s, out);
    }
}

static bool drain_intent_eq(const struct sl_intent *a, const struct sl_intent *b)
{
    return a->phase == b->phase && a->epoch == b->epoch && a->cancelled == b->cancelled &&
           a->ended_from == b->ended_from && a->ended_wall_ms == b->ended_wall_ms &&
           a->proof_reference == b->proof_reference && a->target_node_epoch == b->target_node_epoch;
}

/* The store holds this value now. */
static void drain_learned(struct sl_drains *d, sl_ns now, struct drain_session *s, const struct sl_intent *value,
                          sl_revision mod_revision, struct sl_outbox *out)
{
    s->durable = *value;
    s->mod_revision = mod_revision;
    s->differs = !drain_intent_eq(&s->intent, value);
    sl__drain_became_durable(d, now, s, out);
}

static void drain_on_written(struct sl_drains *d, sl_ns now, struct drain_session *s, const struct sl_store_result *r,
                             struct sl_outbox *out)
{
    s->write = 0;
    if (r->outcome == SL_STORE_OK && r->succeeded) {
        struct sl_intent written = s->written;
        drain_learned(d, now, s, &written, r->revision, out);
        return;
    }
    s->differs = true;
    s->write_at = sl_ns_after(now, DRAIN_RETRY_NS);
    if (r->outcome != SL_STORE_REFUSED)
        drain_read_back(d, now, s, out);
}

/* Somebody else's word in the store wins over ours where it went further: a phase never goes back. */
static void drain_merge(struct drain_session *s, const struct sl_intent *stored)
{
    if (stored->phase > s->intent.phase)
        s->intent = *stored;
    if (stored->epoch > s->intent.epoch)
        s->intent.epoch = stored->epoch;
}

static void drain_on_read(struct sl_drains *d, sl_ns now, struct drain_session *s, const struct sl_store_result *r,
                          struct sl_outbox *out)
{
    s->read = 0;
    s->write_at = sl_ns_after(now, DRAIN_RETRY_NS);
    if (r->outcome != SL_STORE_OK) {
        drain_read_back(d, now, s, out);
        return;
    }
    struct sl_intent stored;
    if (r->pair_count == 0) {
        s->mod_revision = 0; /* the write never happened */
        s->differs = true;
    } else if (sl_intent_parse(&stored, r->pairs[0].value) == SL_OK) {
        drain_merge(s, &stored);
        s->write_at = 0;
        drain_learned(d, now, s, &stored, r->pairs[0].mod_revision, out);
    }
}

/* ---- loading ----------------------------------------------------------------------------------------------------- */

void sl_drains_load(struct sl_drains *d, sl_ns now, struct sl_outbox *out)
{
    struct sl_key key;
    SL_REQUIRE(sl_key_drains(&key, sl_str_of(d->cluster)));
    struct sl_store_op op = { .id = ++*d->opts.op_next, .verb = SL_STORE_RANGE, .key = sl_key_str(&key) };
    d->load = sl_out_store(out, &op) ? op.id : 0;
    d->load_at = sl_ns_after(now, DRAIN_RETRY_NS);
}

static void drain_load_one(struct sl_drains *d, const struct sl_store_pair *pair, struct sl_outbox *out)
{
    struct sl_intent stored;
    if (sl_intent_parse(&stored, pair->value) != SL_OK || d->session_count == d->session_cap) {
        sl_out_event(out, SL_EV_STORE_VALUE_REFUSED, sl_f_str("key", pair->key));
        return;
    }
    d->sessions[d->session_count++] =
        (struct drain_session){ .intent = stored, .durable = stored, .mod_revision = pair->mod_revision };
    if (stored.epoch > d->epoch_issued_max)
        d->epoch_issued_max = stored.epoch;
}

static void drain_on_loaded(struct sl_drains *d, const struct sl_store_result *r, struct sl_outbox *out)
{
    d->load = 0;
    if (r->outcome != SL_STORE_OK)
        return;
    for (uint32_t i = 0; i < r->pair_count; i++)
        drain_load_one(d, &r->pairs[i], out);
    d->loaded = true;
}

bool sl_drains_on_store(struct sl_drains *d, sl_ns now, const struct sl_store_result *r, struct sl_outbox *out)
{
    if (r->id == d->load && d->load != 0) {
        drain_on_loaded(d, r, out);
        return true;
    }
    for (uint32_t i = 0; i < d->session_count; i++) {
        struct drain_session *s = &d->sessions[i];
        if (s->write == r->id)
            drain_on_written(d, now, s, r, out);
        else if (s->read == r->id)
            drain_on_read(d, now, s, r, out);
        else
            continue;
        sl__drain_check_soon(d, now);
        return true;
    }
    return false;
}
