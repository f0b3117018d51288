/* SPDX-License-Identifier: Apache-2.0 */
#include "core/membership/membership_internal.h"

#include <string.h>

/* What is under the meta prefix, as two sorted arrays: members by id, owners by age. */

static void registry_refuse(struct sl_str key, enum sl_code code, struct sl_outbox *out)
{
    sl_out_event(out, SL_EV_STORE_VALUE_REFUSED, sl_f_str("key", key), sl_f_str("code", sl_str_of(sl_code_name(code))));
}

/* ---- members ---- */

/* Where the member is, or would be. */
static uint32_t member_at(const struct sl_membership *m, struct sl_str id, bool *found)
{
    const struct registry *r = &m->registry;
    uint32_t at = 0;
    while (at < r->member_count && sl_str_cmp(sl_node_id_str(&r->members[at].capture.id), id) < 0)
        at++;
    *found = at < r->member_count && sl_str_eq(sl_node_id_str(&r->members[at].capture.id), id);
    return at;
}

static void member_tell(const struct sl_membership *m, const struct member *member, struct sl_outbox *out)
{
    const struct sl_capture *c = &member->capture;
    sl_out_event(out, SL_EV_MEMBER_SEEN, sl_f_str("node", sl_node_id_str(&c->id)), sl_f_str("name", sl_str_of(c->name)),
                 sl_f_str("address", sl_str_of(c->address)), sl_f_u64("node_epoch", c->node_epoch));
    if (!c->is_sluice && !m->opts.interop)
        sl_out_event(out, SL_EV_MEMBER_FOREIGN, sl_f_str("node", sl_node_id_str(&c->id)),
                     sl_f_str("address", sl_str_of(c->address)), sl_f_str("version", sl_str_of(c->version)));
}

/* This node itself always has a place. */
static bool registry_is_full(const struct sl_membership *m, const struct sl_node_id *id)
{
    bool has_self = false;
    (void)member_at(m, sl_node_id_str(&m->opts.self.id), &has_self);
    uint32_t others = m->registry.member_count - (has_self ? 1 : 0);
    return !sl_node_id_eq(id, &m->opts.self.id) && others == m->opts.node_count_max;
}

/* What is asked with every step is kept. After each change of the members. */
static void member_note_changes(struct sl_membership *m)
{
    struct registry *r = &m->registry;
    bool found = false;
    r->self_at = member_at(m, sl_node_id_str(&m->opts.self.id), &found);
    r->self_at = found ? r->self_at : r->member_count;
    r->gone_next = SL_NEVER;
    for (uint32_t i = 0; i < r->member_count; i++)
        r->gone_next = sl_ns_min(r->gone_next, r->members[i].gone_at);
}

static void member_put(struct sl_membership *m, const struct sl_capture *capture, const struct sl_store_pair *pair,
                       struct sl_outbox *out)
{
    struct registry *r = &m->registry;
    bool found = false;
    uint32_t at = member_at(m, sl_node_id_str(&capture->id), &found);
    struct member *member = &r->members[at];
    if (!found && registry_is_full(m, &capture->id)) {
        if (!r->overflow)
            sl_out_event(out, SL_EV_MEMBERS_OVER_LIMIT, sl_f_u64("limit", m->opts.node_count_max));
        r->overflow = true;
        return;
    }
    if (!found) {
        memmove(member + 1, member, (r->member_count - at) * sizeof *member);
        r->member_count++;
    }
    bool told = found && member->address_told && strcmp(member->capture.address, capture->address) == 0;
    *member = (struct member){ .capture = *capture,
                               .lease = pair->lease,
                               .mod_revision = pair->mod_revision,
                               .gone_at = SL_NEVER,
                               .seen = true,
                               .address_told = told };
    m->view_is_stale = true;
    member_note_changes(m);
    if (!found)
        member_tell(m, member, out);
}

static void member_remove(struct sl_membership *m, uint32_t at, const char *cause, struct sl_outbox *out)
{
    struct registry *r = &m->registry;
    struct member *member = &r->members[at];
    sl_out_event(out, SL_EV_MEMBER_GONE, sl_f_str("node", sl_node_id_str(&member->capture.id)),
                 sl_f_str("name", sl_str_of(member->capture.name)), sl_f_str("cause", sl_str_of(cause)));
    r->member_count--;
    memmove(member, member + 1, (r->member_count - at) * sizeof *member);
    m->view_is_stale = true;
    member_note_changes(m);
}

/* Its key is not there any more. True: it was removed. */
static bool member_vanish(struct sl_membership *m, uint32_t at, struct sl_outbox *out)
{
    struct member *member = &m->registry.members[at];
    if (member->capture.stopped) {
        member_remove(m, at, "stopped", out);
        return true;
    }
    if (member->gone_at == SL_NEVER)
        member->gone_at = sl_ns_after(m->now, m->opts.tombstone_ns);
    member_note_changes(m);
    return false;
}

void sl__registry_expire(struct sl_membership *m, struct sl_outbox *out)
{
    for (uint32_t i = m->registry.member_count; i-- > 0 && m->registry.gone_next <= m->now;) {
        if (m->registry.members[i].gone_at <= m->now)
            member_remove(m, i, "lost", out);
    }
}

const struct member *sl__registry_self(const struct sl_membership *m)
{
    const struct registry *r = &m->registry;
    bool is_there = r->self_at < r->member_count && r->members[r->self_at].gone_at == SL_NEVER;
    return is_there ? &r->members[r->self_at] : NULL;
}

/* ---- owners ---- */

static uint32_t owner_find(const struct registry *r, struct sl_str hex)
{
    uint32_t at = 0;
    while (at < r->owner_count && !sl_str_eq(sl_str_of(r->owners[at].hex), hex))
        at++;
    return at;
}

static void owner_remove(struct registry *r, struct sl_str hex)
{
    uint32_t at = owner_find(r, hex);
    if (at == r->owner_count)
        return;
    r->owner_count--;
    memmove(&r->owners[at], &r->owners[at + 1], (r->owner_count - at) * sizeof *r->owners);
}

/* A value that is no id still is a key in the queue, which others count as well: its node is none. */
static void owner_put(struct sl_membership *m, struct sl_str hex, const struct sl_store_pair *pair,
                      struct sl_outbox *out)
{
    struct registry *r = &m->registry;
    struct owner owner = { .lease = pair->lease,
                           .create_revision = pair->create_revision,
                           .mod_revision = pair->mod_revision };
    struct sl_str id = { (const char *)pair->value.ptr, pair->value.len };
    if (hex.len >= sizeof owner.hex || !sl_str_is_printable_utf8(id) || !sl_node_id_set(&owner.node, id))
        registry_refuse(pair->key, SL_BAD_FIELD, out);
    if (hex.len >= sizeof owner.hex)
        return;
    memcpy(owner.hex, hex.ptr, hex.len);
    owner_remove(r, hex);
    if (r->owner_count == r->owner_count_max) {
        r->overflow = true; /* the youngest is left out: it is the last to matter */
        if (r->owners[r->owner_count - 1].create_revision < owner.create_revision)
            return;
        r->owner_count--;
    }
    uint32_t at = r->owner_count;
    for (; at > 0 && r->owners[at - 1].create_revision > owner.create_revision; at--)
        r->owners[at] = r->owners[at - 1];
    r->owners[at] = owner;
    r->owner_count++;
}

static struct sl_str owner_own_hex(const struct sl_membership *m)
{
    return sl_key_tail(sl_key_str(&m->owner_key), sl_key_str(&m->owners));
}

static void owner_note_own(struct sl_membership *m)
{
    m->registry.own_at = owner_find(&m->registry, owner_own_hex(m));
}

const struct owner *sl__registry_own(const struct sl_membership *m)
{
    const struct registry *r = &m->registry;
    struct sl_str hex = owner_own_hex(m);
    uint32_t at = r->own_at;
    if (at >= r->owner_count || !sl_str_eq(sl_str_of(r->owners[at].hex), hex))
        at = hex.len > 0 ? owner_find(r, hex) : r->owner_count;
    return at < r->owner_count ? &r->owners[at] : NULL;
}

/* ---- changes ---- */

static void registry_put_capture(struct sl_membership *m, struct sl_str id, const struct sl_store_pair *pair,
                                 struct sl_outbox *out)
{
    struct sl_capture capture;
    bool found = false;
    enum sl_code code = sl_capture_parse(&capture, pair->value);
    if (code == SL_OK && sl_str_eq(sl_node_id_str(&capture.id), id)) {
        member_put(m, &capture, pair, out);
        return;
    }
    registry_refuse(pair->key, code == SL_OK ? SL_BAD_FIELD : code, out);
    uint32_t at = member_at(m, id, &found);
    if (found)
        m->registry.members[at].seen = true; /* as it was last understood */
}

void sl__registry_put(struct sl_membership *m, const struct sl_store_pair *pair, struct sl_outbox *out)
{
    struct sl_str capture = sl_key_tail(pair->key, sl_key_str(&m->captures));
    struct sl_str owner = sl_key_tail(pair->key, sl_key_str(&m->owners));
    if (pair->create_revision <= 0 || pair->mod_revision <= 0)
        registry_refuse(pair->key, SL_BAD_FIELD, out); /* no store has such a key */
    else if (capture.len > 0)
        registry_put_capture(m, capture, pair, out);
    else if (owner.len > 0)
        owner_put(m, owner, pair, out);
    if (owner.len > 0)
        owner_note_own(m);
}

void sl__registry_delete(struct sl_membership *m, struct sl_str key, struct sl_outbox *out)
{
    struct sl_str capture = sl_key_tail(key, sl_key_str(&m->captures));
    bool found = false;
    uint32_t at = member_at(m, capture, &found);
    if (capture.len > 0 && found)
        (void)member_vanish(m, at, out);
    owner_remove(&m->registry, sl_key_tail(key, sl_key_str(&m->owners)));
    owner_note_own(m);
    if (m->registry.overflow)
        sl__registry_reread(m);
}

void sl__registry_begin(struct sl_membership *m)
{
    struct registry *r = &m->registry;
    r->overflow = false;
    r->owner_count = 0;
    for (uint32_t i = 0; i < r->member_count; i++)
        r->members[i].seen = false;
}

void sl__registry_end(struct sl_membership *m, struct sl_outbox *out)
{
    for (uint32_t i = m->registry.member_count; i-- > 0;) {
        if (!m->registry.members[i].seen)
            (void)member_vanish(m, i, out);
    }
}

bool sl_membership_has_vanished(const struct sl_membership *m, const struct sl_node_id *id)
{
    bool found = false;
    uint32_t at = member_at(m, sl_node_id_str(id), &found);
    return found && m->registry.members[at].gone_at != SL_NEVER;
}
