/* SPDX-License-Identifier: Apache-2.0 */
#include "core/membership/membership_internal.h"

/*
 * The lease. Time is counted from the moment a request was sent, because that is before the store counted it: whatever
 * the answer took, the store ends the lease later than this node stops believing in it (S1).
 */

sl_ns sl__session_fence_at(const struct sl_membership *m)
{
    return m->session.lease ? m->session.lease_until - m->opts.fence_margin_ns : SL_NEVER;
}

static void session_forget(struct sl_membership *m)
{
    m->session.lease = 0;
    m->session.lease_until = INT64_MIN;
    m->session.keepalive_at = SL_NEVER;
    for (uint32_t i = 0; i < SESSION_KEEPALIVES_MAX; i++)
        m->session.keepalives[i].op = 0;
}

void sl__session_lost(struct sl_membership *m, const char *cause, struct sl_outbox *out)
{
    switch (m->state) {
    case SL_SESSION_LEASED: /* nobody knows this node yet: it begins again with a new lease */
        session_forget(m);
        m->session.grant_at = m->now;
        sl__join_reset(m);
        sl__membership_go(m, SL_SESSION_OFFLINE, cause, out);
        return;
    case SL_SESSION_JOINED:
        sl__election_stop_leading(m, cause, out);
        session_forget(m);
        sl__membership_go(m, SL_SESSION_FENCED, cause, out);
        return;
    case SL_SESSION_LEAVING:
        session_forget(m);
        sl__membership_go(m, SL_SESSION_LEFT, cause, out);
        return;
    case SL_SESSION_OFFLINE:
    case SL_SESSION_FENCED:
    case SL_SESSION_LEFT:
        return;
    }
    SL_UNREACHABLE();
}

void sl__session_check(struct sl_membership *m, struct sl_outbox *out)
{
    if (m->now >= sl__session_fence_at(m))
        sl__session_lost(m, "lease not renewed in time", out);
}

static void session_grant(struct sl_membership *m, struct sl_outbox *out)
{
    struct sl_store_op op = { .verb = SL_STORE_GRANT, .ttl_ns = m->opts.ttl_ns };
    m->session.grant_op = sl__membership_issue(m, &op, out);
    m->session.grant_sent_at = m->now;
    m->session.grant_at = m->now + m->opts.retry_ns;
}

static void session_keepalive(struct sl_membership *m, struct sl_outbox *out)
{
    struct session *s = &m->session;
    struct sl_store_op op = { .verb = SL_STORE_KEEPALIVE, .lease = s->lease };
    sl_op_id id = sl__membership_issue(m, &op, out);
    s->keepalive_at = m->now + (id ? m->opts.keepalive_ns : m->opts.retry_ns);
    if (id)
        s->keepalives[s->keepalive_next++ % SESSION_KEEPALIVES_MAX] = (struct session_keepalive){ id, m->now };
}

void sl__session_run(struct sl_membership *m, struct sl_outbox *out)
{
    struct session *s = &m->session;
    if (m->state == SL_SESSION_OFFLINE && !s->grant_op && m->now >= s->grant_at)
        session_grant(m, out);
    if (sl__membership_is_leased(m) && m->now >= s->keepalive_at)
        session_keepalive(m, out);
}

static void session_on_grant(struct sl_membership *m, const struct sl_store_result *r, struct sl_outbox *out)
{
    struct session *s = &m->session;
    s->grant_op = 0;
    /* A lease whose answer was lost or came too late ends by itself: nothing hangs on it. */
    bool usable = m->state == SL_SESSION_OFFLINE && r->outcome == SL_STORE_OK && r->lease != 0 &&
                  sl_ns_after(s->grant_sent_at, r->ttl_ns) - m->opts.fence_margin_ns > m->now;
    if (!usable) {
        s->grant_at = m->now + m->opts.retry_ns;
        return;
    }
    s->lease = r->lease;
    s->lease_until = sl_ns_after(s->grant_sent_at, r->ttl_ns);
    s->keepalive_at = s->grant_sent_at + m->opts.keepalive_ns;
    SL_REQUIRE(sl_key_owner(&m->owner_key, m->opts.cluster, s->lease));
    sl__membership_go(m, SL_SESSION_LEASED, "lease granted", out);
}

static void session_on_keepalive(struct sl_membership *m, struct session_keepalive *k, const struct sl_store_result *r,
                                 struct sl_outbox *out)
{
    sl_ns until = sl_ns_after(k->sent_at, r->ttl_ns);
    k->op = 0;
    switch (r->outcome) {
    case SL_STORE_OK:
        m->session.lease_until = until > m->session.lease_until ? until : m->session.lease_until;
        return;
    case SL_STORE_LEASE_GONE:
        sl__session_lost(m, "the store ended the lease", out);
        return;
    case SL_STORE_REFUSED:
    case SL_STORE_UNKNOWN:
    case SL_STORE_COMPACTED:
        m->session.keepalive_at = sl_ns_min(m->session.keepalive_at, m->now + m->opts.retry_ns);
        return;
    }
    SL_UNREACHABLE();
}

bool sl__session_on_store(struct sl_membership *m, const struct sl_store_result *r, struct sl_outbox *out)
{
    if (r->id == m->session.grant_op) {
        session_on_grant(m, r, out);
        return true;
    }
    for (uint32_t i = 0; i < SESSION_KEEPALIVES_MAX; i++) {
        if (r->id == m->session.keepalives[i].op) {
            session_on_keepalive(m, &m->session.keepalives[i], r, out);
            return true;
        }
    }
    return false;
}

sl_ns sl__session_deadline(const struct sl_membership *m)
{
    const struct session *s = &m->session;
    if (m->state == SL_SESSION_OFFLINE)
        return s->grant_op ? SL_NEVER : s->grant_at;
    return sl__membership_is_leased(m) ? sl_ns_min(s->keepalive_at, sl__session_fence_at(m)) : SL_NEVER;
}
