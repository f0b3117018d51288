/* SPDX-License-Identifier: Apache-2.0 */
#include "core/coordinator/drains_internal.h"

#include <string.h>

/*
 * Intents in the store. Each write compares the mod revision of the last known value, so a deposed coordinator cannot
 * undo its successor; and the key of the leadership, so that no drain appears that its successor does not know.
 */

/* Bit per legal next phase. */
#define TO(phase) (1u << SL_DRAIN_##phase)
static const uint32_t phase_next[] = {
    [SL_DRAIN_PENDING] = TO(EVACUATING) | TO(CLEARING),
    [SL_DRAIN_EVACUATING] = TO(STOPPING) | TO(CLEARING),
    [SL_DRAIN_STOPPING] = TO(SAFE) | TO(CLEARING),
    [SL_DRAIN_SAFE] = TO(CLEARING),
    [SL_DRAIN_CLEARING] = TO(DONE) | TO(CANCELLED) | TO(FAILED),
    [SL_DRAIN_DONE] = 0,
    [SL_DRAIN_CANCELLED] = 0,
    [SL_DRAIN_FAILED] = 0,
};
#undef TO

void sl__drain_set_phase(struct drain_session *s, enum sl_drain_phase phase)
{
    SL_REQUIRE((phase_next[s->intent.phase] & (1u << phase)) != 0);
    if (phase == SL_DRAIN_CLEARING)
        s->intent.ended_from = s->intent.phase;
    s->intent.phase = phase;
}

enum sl_drain_phase sl__drain_phase(const struct drain_session *s)
{
    return s->mod_revision > 0 ? s->durable.phase : SL_DRAIN_PENDING;
}

bool sl__drain_is_open(const struct drain_session *s)
{
    return s->intent.phase <= SL_DRAIN_CLEARING;
}

/* What of an intent changes while it lives. */
static bool store_intent_eq(const struct sl_intent *a, const struct sl_intent *b)
{
    return a->phase == b->phase && a->epoch == b->epoch && a->cancelled == b->cancelled &&
           a->ended_from == b->ended_from && a->ended_wall_ms == b->ended_wall_ms &&
           a->proof_reference == b->proof_reference && a->target_node_epoch == b->target_node_epoch;
}

static bool store_needs_write(const struct drain_session *s)
{
    return s->in_doubt || s->mod_revision == 0 || !store_intent_eq(&s->intent, &s->durable);
}

bool sl__drain_is_in_step(const struct drain_session *s)
{
    return s->write == 0 && s->read == 0 && !s->must_read && !store_needs_write(s);
}

/* What the store holds may have been written by hand. */
bool sl__drain_is_sane(const struct sl_intent *i)
{
    if (i->phase <= SL_DRAIN_SAFE)
        return !i->cancelled && i->ended_from == SL_DRAIN_PENDING && (i->phase == SL_DRAIN_PENDING || i->epoch > 0);
    bool can_end = i->ended_from <= SL_DRAIN_SAFE && (i->ended_from == SL_DRAIN_PENDING || i->epoch > 0);
    bool can_be_cancelled = i->ended_from < SL_DRAIN_STOPPING || !i->cancelled;
    bool fits = i->phase == SL_DRAIN_CLEARING || (i->phase == SL_DRAIN_CANCELLED) == i->cancelled;
    bool is_done = i->phase == SL_DRAIN_DONE;
    return can_end && can_be_cancelled && fits && (!is_done || i->ended_from == SL_DRAIN_SAFE) &&
           (i->phase != SL_DRAIN_FAILED || i->ended_from != SL_DRAIN_SAFE);
}

/* ---- operations ---- */

static bool store_wants_forget(const struct drain_session *s)
{
    return (s->is_superseded || s->must_forget) && !sl__drain_is_open(s) && sl__drain_is_in_step(s);
}

static void store_key(const struct sl_drains *d, const struct drain_session *s, struct sl_key *key)
{
    SL_REQUIRE(sl_key_drain(key, sl_str_of(d->cluster), sl_str_of(s->intent.id)));
}

/* Changes the key, or deletes it if value is empty, unless somebody else did. 0: no room, or no leadership. */
static sl_op_id store_issue(struct sl_drains *d, const struct drain_session *s, struct sl_bytes value,
                            struct sl_outbox *out)
{
    struct sl_key key;
    store_key(d, s, &key);
    struct sl_store_compare compares[2] = {
        { .kind = SL_COMPARE_MOD_REVISION, .key = sl_key_str(&key), .revision = s->mod_revision },
        { .kind = SL_COMPARE_MOD_REVISION },
    };
    const struct sl_membership *m = d->opts.membership;
    if (m && !sl_membership_leadership(m, &compares[1].key, &compares[1].revision))
        return 0;
    struct sl_store_action action = { .kind = value.len > 0 ? SL_ACTION_PUT : SL_ACTION_DELETE,
                                      .key = sl_key_str(&key),
                                      .value = value };
    struct sl_store_op op = { .id = *d->opts.op_next + 1,
                              .verb = SL_STORE_TXN,
                              .critical = value.len > 0,
                              .compares = compares,
                              .compare_count = m ? 2 : 1,
                              .then = &action,
                              .then_count = 1 };
    if (!sl_out_store(out, &op))
        return 0;
    return ++*d->opts.op_next;
}

static void store_write(struct sl_drains *d, sl_ns now, struct drain_session *s, struct sl_outbox *out)
{
    struct sl_bytes value;
    if (!s->in_doubt)
        s->written = s->intent;
    sl_arena_reset(&d->scratch);
    const struct sl_bytes old = { s->read_value, s->read_len };
    enum sl_code code = sl_intent_format(&value, &s->written, old, &d->scratch);
    s->write = code == SL_OK ? store_issue(d, s, value, out) : 0;
    s->store_at = sl_ns_after(now, DRAIN_ROOM_NS);
}

static void store_forget(struct sl_drains *d, sl_ns now, struct drain_session *s, struct sl_outbox *out)
{
    s->write = store_issue(d, s, (struct sl_bytes){ 0 }, out);
    s->is_forgetting = s->write != 0;
    s->store_at = sl_ns_after(now, DRAIN_ROOM_NS);
}

static void store_read_back(struct sl_drains *d, sl_ns now, struct drain_session *s, struct sl_outbox *out)
{
    struct sl_key key;
    store_key(d, s, &key);
    struct sl_store_op op = {
        .id = *d->opts.op_next + 1, .verb = SL_STORE_RANGE, .key = sl_key_str(&key), .exact = true
    };
    if (sl_out_store(out, &op))
        s->read = ++*d->opts.op_next;
    s->store_at = sl_ns_after(now, DRAIN_ROOM_NS);
}

static void store_limit_history(struct sl_drains *d)
{
    uint32_t ended = 0;
    for (uint32_t i = d->session_count; i > 0; i--) {
        struct drain_session *s = &d->sessions[i - 1];
        if (!sl__drain_is_open(s))
            s->must_forget |= ++ended > d->opts.history_count_max;
    }
}

static bool store_is_busy(const struct drain_session *s)
{
    return s->write != 0 || s->read != 0;
}

void sl__drain_run_store(struct sl_drains *d, sl_ns now, struct sl_outbox *out)
{
    store_limit_history(d);
    for (uint32_t i = 0; i < d->session_count; i++) {
        struct drain_session *s = &d->sessions[i];
        if (store_is_busy(s) || now < s->store_at)
            continue;
        if (s->must_read)
            store_read_back(d, now, s, out);
        else if (store_needs_write(s))
            store_write(d, now, s, out);
        else if (store_wants_forget(s) && now >= s->forget_at)
            store_forget(d, now, s, out);
    }
}

sl_ns sl__drain_store_deadline(const struct sl_drains *d)
{
    sl_ns at = SL_NEVER;
    for (uint32_t i = 0; i < d->session_count; i++) {
        const struct drain_session *s = &d->sessions[i];
        if (!store_is_busy(s) && (s->must_read || store_needs_write(s)))
            at = sl_ns_min(at, s->store_at);
        else if (!store_is_busy(s) && store_wants_forget(s))
            at = sl_ns_min(at, s->store_at > s->forget_at ? s->store_at : s->forget_at);
    }
    return at;
}

/* ---- what the store says ---- */

static void store_learned(struct sl_drains *d, sl_ns now, struct drain_session *s, const struct sl_intent *value,
                          sl_revision mod_revision, struct sl_outbox *out)
{
    const struct sl_intent before = s->durable;
    bool is_first = s->mod_revision == 0;
    s->durable = *value;
    s->mod_revision = mod_revision;
    s->in_doubt = false;
    s->store_at = now;
    sl__drain_became_durable(d, now, s, is_first ? NULL : &before, out);
}

/* What a newer version keeps in it stays when we change it. Without memory it does not. */
static void store_keep_value(struct sl_drains *d, struct drain_session *s, struct sl_bytes value)
{
    sl__drain_free_value(d, s);
    s->read_value = value.len > 0 ? sl_mem_alloc(d->opts.mem, SL_TAG_COORDINATOR, value.len) : NULL;
    s->read_len = s->read_value ? value.len : 0;
    if (s->read_value)
        memcpy(s->read_value, value.ptr, value.len);
}

/* Another coordinator wrote: a predecessor whose write was late, or a successor. His word counts, and we go on from
 * there; whoever waits for ours has to look again. */
static void store_adopt(struct sl_drains *d, sl_ns now, struct drain_session *s, const struct sl_intent *stored,
                        sl_revision mod_revision, struct sl_outbox *out)
{
    s->intent = *stored;
    if (stored->epoch > d->epoch_issued_max)
        d->epoch_issued_max = stored->epoch;
    sl__drain_answer_waiting(d, now, s, SL_BUSY, "another coordinator changed this drain: look at it and ask again",
                             out);
    store_learned(d, now, s, stored, mod_revision, out);
    sl__drain_take_over(d, now, s, out);
}

/* False: the value cannot be read, or is not about this session. */
static bool store_parse(struct sl_intent *stored, const struct drain_session *s, const struct sl_store_pair *pair,
                        struct sl_outbox *out)
{
    bool is_ours = sl_intent_parse(stored, pair->value) == SL_OK && strcmp(stored->id, s->intent.id) == 0 &&
                   sl_node_id_eq(&stored->target, &s->intent.target) && sl__drain_is_sane(stored);
    if (!is_ours)
        sl_out_event(out, SL_EV_STORE_VALUE_REFUSED, sl_f_str("key", pair->key));
    return is_ours;
}

static void store_on_present(struct sl_drains *d, sl_ns now, struct drain_session *s, const struct sl_store_pair *pair,
                             struct sl_outbox *out)
{
    struct sl_intent stored;
    if (!store_parse(&stored, s, pair, out)) {
        s->must_read = true;
        s->store_at = sl_ns_after(now, DRAIN_REPAIR_NS);
    } else if (s->mod_revision > 0 && store_intent_eq(&stored, &s->durable)) {
        s->mod_revision = pair->mod_revision; /* the write in doubt has not happened, so far */
        s->store_at = sl_ns_after(now, DRAIN_RETRY_NS);
    } else if (store_intent_eq(&stored, &s->written)) {
        store_learned(d, now, s, &stored, pair->mod_revision, out);
    } else {
        store_keep_value(d, s, pair->value);
        store_adopt(d, now, s, &stored, pair->mod_revision, out);
    }
}

/* Its end was durable before: that is what somebody may still wait for. */
static void store_drop(struct sl_drains *d, sl_ns now, struct drain_session *s, struct sl_outbox *out)
{
    sl__drain_answer_waiting(d, now, s, SL_OK, "", out);
    sl__drain_drop(d, s);
}

static void store_on_absent(struct sl_drains *d, sl_ns now, struct drain_session *s, struct sl_outbox *out)
{
    if (s->mod_revision > 0 && !sl__drain_is_open(s)) {
        store_drop(d, now, s, out);
        return;
    }
    if (s->mod_revision > 0) { /* deleted by hand: an open drain is not ended that way */
        s->mod_revision = 0;
        s->in_doubt = false;
        sl__drain_targets_changed(d);
    }
    s->store_at = sl_ns_after(now, DRAIN_RETRY_NS);
}

static void store_on_read(struct sl_drains *d, sl_ns now, struct drain_session *s, const struct sl_store_result *r,
                          struct sl_outbox *out)
{
    s->read = 0;
    s->must_read = r->outcome != SL_STORE_OK;
    if (s->must_read)
        s->store_at = sl_ns_after(now, DRAIN_RETRY_NS);
    else if (r->pair_count > 0)
        store_on_present(d, now, s, &r->pairs[0], out);
    else
        store_on_absent(d, now, s, out);
}

static void store_on_written(struct sl_drains *d, sl_ns now, struct drain_session *s, const struct sl_store_result *r,
                             struct sl_outbox *out)
{
    bool was_forgetting = s->is_forgetting;
    s->is_forgetting = false;
    s->write = 0;
    s->store_at = now;
    if (r->outcome == SL_STORE_OK && r->succeeded) {
        struct sl_intent written = s->written;
        if (was_forgetting)
            store_drop(d, now, s, out);
        else
            store_learned(d, now, s, &written, r->revision, out);
        return;
    }
    if (r->outcome == SL_STORE_UNKNOWN) {
        s->in_doubt |= !was_forgetting;
        s->forget_at = sl_ns_after(now, DRAIN_DOUBT_NS);
    }
    s->must_read = r->outcome == SL_STORE_OK || r->outcome == SL_STORE_UNKNOWN;
    if (!s->must_read)
        s->store_at = sl_ns_after(now, DRAIN_RETRY_NS);
}

/* ---- loading ---- */

void sl_drains_load(struct sl_drains *d, sl_ns now, struct sl_outbox *out)
{
    struct sl_key key;
    SL_REQUIRE(sl_key_drains(&key, sl_str_of(d->cluster)));
    struct sl_store_op op = { .id = *d->opts.op_next + 1, .verb = SL_STORE_RANGE, .key = sl_key_str(&key) };
    if (sl_out_store(out, &op))
        d->load = ++*d->opts.op_next;
    d->load_at = sl_ns_after(now, DRAIN_RETRY_NS);
}

/* One is at work for a node at a time. One that is being cleared may be beside it: its end was not stored yet. */
static bool load_is_second(const struct sl_drains *d, const struct sl_intent *stored)
{
    for (uint32_t i = 0; i < d->session_count && stored->phase <= SL_DRAIN_SAFE; i++) {
        const struct sl_intent *other = &d->sessions[i].intent;
        if (other->phase <= SL_DRAIN_SAFE && sl_node_id_eq(&other->target, &stored->target))
            return true;
    }
    return false;
}

/* Room for one more: an ended one gives way, the oldest first. It stays in the store until a later load. */
static bool load_make_room(struct sl_drains *d)
{
    for (uint32_t i = 0; i < d->session_count && d->session_count == d->session_cap; i++) {
        if (!sl__drain_is_open(&d->sessions[i]))
            sl__drain_drop(d, &d->sessions[i]);
    }
    return d->session_count < d->session_cap;
}

static bool load_is_before(const struct sl_intent *a, const struct sl_intent *b)
{
    if (a->created_wall_ms != b->created_wall_ms)
        return a->created_wall_ms < b->created_wall_ms;
    return strcmp(a->id, b->id) < 0;
}

/* Its writer may have left a write in doubt. */
static void load_insert(struct sl_drains *d, sl_ns now, const struct sl_intent *stored,
                        const struct sl_store_pair *pair)
{
    uint32_t at = d->session_count++;
    for (; at > 0 && load_is_before(stored, &d->sessions[at - 1].intent); at--)
        d->sessions[at] = d->sessions[at - 1];
    d->sessions[at] = (struct drain_session){ .intent = *stored,
                                              .durable = *stored,
                                              .written = *stored,
                                              .mod_revision = pair->mod_revision,
                                              .forget_at = sl_ns_after(now, DRAIN_DOUBT_NS) };
    store_keep_value(d, &d->sessions[at], pair->value);
    if (stored->epoch > d->epoch_issued_max)
        d->epoch_issued_max = stored->epoch;
}

static void load_one(struct sl_drains *d, sl_ns now, struct sl_str prefix, const struct sl_store_pair *pair,
                     struct sl_outbox *out)
{
    struct sl_intent stored;
    bool is_readable = sl_intent_parse(&stored, pair->value) == SL_OK && sl__drain_is_sane(&stored) &&
                       sl_str_eq(sl_str_of(stored.id), sl_key_tail(pair->key, prefix));
    if (is_readable && !load_is_second(d, &stored) && load_make_room(d))
        load_insert(d, now, &stored, pair);
    else
        sl_out_event(out, SL_EV_STORE_VALUE_REFUSED, sl_f_str("key", pair->key));
}

static void load_on_store(struct sl_drains *d, sl_ns now, const struct sl_store_result *r, struct sl_outbox *out)
{
    struct sl_key prefix;
    SL_REQUIRE(sl_key_drains(&prefix, sl_str_of(d->cluster)));
    d->load = 0;
    d->load_at = sl_ns_after(now, DRAIN_RETRY_NS);
    if (r->outcome != SL_STORE_OK)
        return;
    for (uint32_t i = 0; i < r->pair_count; i++)
        load_one(d, now, sl_key_str(&prefix), &r->pairs[i], out);
    d->is_loaded = true;
}

/* ---- results ---- */

static struct drain_session *store_session_of(const struct sl_drains *d, sl_op_id op)
{
    for (uint32_t i = 0; i < d->session_count; i++) {
        if (d->sessions[i].write == op || d->sessions[i].read == op)
            return &d->sessions[i];
    }
    return NULL;
}

bool sl__drain_take_result(struct sl_drains *d, sl_ns now, const struct sl_store_result *r, struct sl_outbox *out)
{
    SL_REQUIRE(r->id != 0);
    struct drain_session *s = store_session_of(d, r->id);
    if (s && s->write == r->id)
        store_on_written(d, now, s, r, out);
    else if (s)
        store_on_read(d, now, s, r, out);
    else if (r->id == d->load)
        load_on_store(d, now, r, out);
    else
        return false;
    return true;
}
