/* SPDX-License-Identifier: Apache-2.0 */
#include "core/membership/membership_internal.h"

/*
 * The election: each candidate has a key with its lease in the name; the oldest leads. A node queues up once and waits:
 * its key is never put again while it is there, so its age is its place in the queue.
 */

/* The own key as far as is known; create_revision 0 = not there. */
static struct own_key election_own(const struct sl_membership *m)
{
    const struct registry *r = &m->registry;
    if (!r->loaded || r->revision < m->election.own.as_of)
        return m->election.own;
    const struct owner *own = sl__registry_own(m);
    struct own_key key = { .as_of = r->revision };
    if (own) {
        key.create_revision = own->create_revision;
        key.mod_revision = own->mod_revision;
    }
    return key;
}

/* Nobody is older, as read at or after the own key's creation, because the key itself was read (S2). */
static bool election_is_oldest(const struct sl_membership *m, const struct own_key *own)
{
    const struct registry *r = &m->registry;
    return own->create_revision > 0 && r->owner_count > 0 && r->owners[0].create_revision == own->create_revision;
}

static bool election_is_eligible(const struct sl_membership *m)
{
    return m->election.alive && m->state == SL_SESSION_JOINED && m->now >= m->election.resigned_until;
}

static void election_tell(const struct sl_membership *m, const char *cause, struct sl_outbox *out)
{
    const struct election *e = &m->election;
    sl_out_event(out, SL_EV_LEADERSHIP, sl_f_str("node", sl_node_id_str(&m->opts.self.id)),
                 sl_f_str("leads", e->leader ? SL_STR("yes") : SL_STR("no")), sl_f_u64("version", (uint64_t)e->version),
                 sl_f_str("cause", sl_str_of(cause)));
}

void sl__election_stop_leading(struct sl_membership *m, const char *cause, struct sl_outbox *out)
{
    if (!m->election.leader)
        return;
    m->election.leader = false;
    election_tell(m, cause, out);
}

static void election_lead(struct sl_membership *m, const struct own_key *own, struct sl_outbox *out)
{
    if (own->mod_revision <= m->election.version) {
        m->election.must_delete = true; /* the store went back in time: peers would refuse this version */
        return;
    }
    m->election.leader = true;
    m->election.version = own->mod_revision;
    election_tell(m, "oldest in the queue", out);
}

static void election_campaign(struct sl_membership *m, struct sl_outbox *out)
{
    struct election *e = &m->election;
    const struct sl_store_compare absent = { .kind = SL_COMPARE_CREATE_REVISION, .key = sl_key_str(&m->owner_key) };
    const struct sl_store_action put = { SL_ACTION_PUT, sl_key_str(&m->owner_key), sl__membership_id_bytes(m),
                                         m->session.lease };
    struct sl_store_op op = {
        .verb = SL_STORE_TXN, .critical = true, .compares = &absent, .compare_count = 1, .then = &put, .then_count = 1
    };
    e->op = sl__membership_issue(m, &op, out);
    e->is_delete = false;
    e->campaign_at = m->now + m->opts.campaign_pause_ns;
}

static void election_delete(struct sl_membership *m, const struct own_key *own, struct sl_outbox *out)
{
    struct election *e = &m->election;
    const struct sl_store_compare same = { .kind = SL_COMPARE_CREATE_REVISION,
                                           .key = sl_key_str(&m->owner_key),
                                           .revision = own->create_revision };
    const struct sl_store_action remove = { .kind = SL_ACTION_DELETE, .key = sl_key_str(&m->owner_key) };
    struct sl_store_op op = {
        .verb = SL_STORE_TXN, .critical = true, .compares = &same, .compare_count = 1, .then = &remove, .then_count = 1
    };
    e->op = sl__membership_issue(m, &op, out);
    e->is_delete = true;
    e->delete_at = m->now + m->opts.retry_ns;
}

/* What follows from what is known, without writing. */
static void election_judge(struct sl_membership *m, const struct own_key *own, struct sl_outbox *out)
{
    struct election *e = &m->election;
    if (e->leader && (!election_is_oldest(m, own) || own->mod_revision != e->version))
        sl__election_stop_leading(m, "somebody changed the key in the store", out);
    if (own->create_revision == 0)
        e->must_delete = false;
    else if (!e->leader && !election_is_eligible(m))
        e->must_delete = true;
    else if (!e->leader && !e->must_delete && election_is_oldest(m, own))
        election_lead(m, own, out);
}

void sl__election_run(struct sl_membership *m, struct sl_outbox *out)
{
    struct election *e = &m->election;
    if (m->state != SL_SESSION_JOINED)
        return;
    struct own_key own = election_own(m);
    election_judge(m, &own, out);
    if (e->op || !sl__registry_is_fresh(m))
        return;
    if (own.create_revision > 0 && e->must_delete && m->now >= e->delete_at)
        election_delete(m, &own, out);
    else if (own.create_revision == 0 && election_is_eligible(m) && m->now >= e->campaign_at)
        election_campaign(m, out);
}

bool sl__election_on_store(struct sl_membership *m, const struct sl_store_result *r)
{
    struct election *e = &m->election;
    if (r->id != e->op)
        return false;
    e->op = 0;
    if (r->outcome == SL_STORE_OK && r->succeeded && r->revision > 0)
        e->own = e->is_delete ? (struct own_key){ .as_of = r->revision }
                              : (struct own_key){ r->revision, r->revision, r->revision };
    else if (r->outcome != SL_STORE_REFUSED)
        sl__registry_reread(m); /* unknown, or not as it was read */
    return true;
}

sl_ns sl__election_deadline(const struct sl_membership *m)
{
    const struct election *e = &m->election;
    if (m->state != SL_SESSION_JOINED || e->op || !sl__registry_is_fresh(m))
        return SL_NEVER;
    if (election_own(m).create_revision > 0)
        return e->must_delete ? e->delete_at : SL_NEVER;
    if (!e->alive)
        return SL_NEVER;
    return e->campaign_at > e->resigned_until ? e->campaign_at : e->resigned_until;
}

void sl__election_check(const struct sl_membership *m)
{
    const struct election *e = &m->election;
    if (!e->leader)
        return;
    struct own_key own = election_own(m);
    SL_REQUIRE(m->state == SL_SESSION_JOINED && m->session.lease != 0 && !e->must_delete);
    SL_REQUIRE(election_is_oldest(m, &own) && own.mod_revision == e->version);
}
