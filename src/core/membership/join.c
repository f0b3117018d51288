/* SPDX-License-Identifier: Apache-2.0 */
#include "core/membership/membership_internal.h"

/*
 * Becoming a member: reads who has the name, then puts the capture key and the name key in one transaction, provided
 * that both are still as they were read. The same again if the own capture key is found missing later.
 */

static const char *const join_reasons[] = {
    [JOIN_OK] = "",
    [JOIN_NAME_TAKEN] = "another node has this name: give one of them another --name",
    [JOIN_ID_TAKEN] = "another process has this node id: stop one of them",
    [JOIN_FOREIGN] = "the cluster has nodes without the Sluice mark: use another cluster, or start with --interop",
    [JOIN_OLD_ARCHITECTURE] = "the cluster has nodes of the old architecture: upgrade or stop them",
};

static void join_refuse(struct sl_membership *m, enum join_refusal why, struct sl_str by, struct sl_outbox *out)
{
    struct join *j = &m->join;
    j->at = m->now + m->opts.campaign_pause_ns;
    j->name_known = false;
    if (j->told != why)
        sl_out_event(out, SL_EV_JOIN_REFUSED, sl_f_str("name", sl_str_of(m->opts.self.name)), sl_f_str("by", by),
                     sl_f_str("reason", sl_str_of(join_reasons[why])));
    j->told = why;
}

void sl__join_reset(struct sl_membership *m)
{
    m->join = (struct join){ .at = m->now, .told = m->join.told };
}

sl_revision sl__join_capture_mod(const struct sl_membership *m)
{
    if (!m->registry.loaded || m->registry.revision < m->join.capture.as_of)
        return m->join.capture.mod_revision;
    const struct member *self = sl__registry_self(m);
    return self && self->lease == m->session.lease ? self->mod_revision : 0;
}

/* A process with this node's id that is not an older life of it. */
static bool join_id_is_taken(const struct sl_membership *m, const struct member *self)
{
    return self && self->lease != m->session.lease && self->capture.node_epoch > m->opts.self.node_epoch;
}

static enum join_refusal join_judge(const struct sl_membership *m, struct sl_str *by)
{
    const struct member *self = sl__registry_self(m);
    *by = sl_node_id_str(&m->opts.self.id);
    if (join_id_is_taken(m, self))
        return JOIN_ID_TAKEN;
    for (uint32_t i = 0; i < m->registry.member_count; i++) {
        const struct member *other = &m->registry.members[i];
        if (other == self || other->gone_at != SL_NEVER || other->capture.is_sluice)
            continue;
        *by = sl_node_id_str(&other->capture.id);
        if (!m->opts.interop)
            return JOIN_FOREIGN;
        if (!other->capture.is_new_arch)
            return JOIN_OLD_ARCHITECTURE;
    }
    return JOIN_OK;
}

static void join_read_name(struct sl_membership *m, struct sl_outbox *out)
{
    struct sl_store_op op = { .verb = SL_STORE_RANGE, .key = sl_key_str(&m->name_key), .exact = true };
    m->join.name_op = sl__membership_issue(m, &op, out);
    m->join.at = m->now + m->opts.retry_ns;
}

static void join_put(struct sl_membership *m, struct sl_outbox *out)
{
    const struct member *self = sl__registry_self(m);
    bool named = m->name_key.len > 0;
    struct sl_bytes value;
    m->join.at = m->now + m->opts.retry_ns;
    if (sl_capture_format(&value, &m->opts.self, &m->arena) != SL_OK)
        return; /* no memory now */
    const struct sl_store_compare compares[] = {
        { .kind = SL_COMPARE_MOD_REVISION,
          .key = sl_key_str(&m->capture_key),
          .revision = self ? self->mod_revision : 0 },
        { .kind = SL_COMPARE_MOD_REVISION, .key = sl_key_str(&m->name_key), .revision = m->join.name_mod },
    };
    const struct sl_store_action then[] = {
        { SL_ACTION_PUT, sl_key_str(&m->capture_key), value, m->session.lease },
        { SL_ACTION_PUT, sl_key_str(&m->name_key), sl__membership_id_bytes(m), m->session.lease },
    };
    struct sl_store_op op = { .verb = SL_STORE_TXN,
                              .compares = compares,
                              .compare_count = named ? 2 : 1,
                              .then = then,
                              .then_count = named ? 2 : 1 };
    m->join.txn_op = sl__membership_issue(m, &op, out);
}

static bool join_is_wanted(const struct sl_membership *m)
{
    return (m->state == SL_SESSION_LEASED || m->state == SL_SESSION_JOINED) && !m->leave.wanted &&
           sl__registry_is_fresh(m) && sl__join_capture_mod(m) == 0;
}

/* The key carries another lease than it was put with: a newer process with this id has taken it. */
static bool join_is_superseded(const struct sl_membership *m)
{
    return m->state == SL_SESSION_JOINED && m->registry.revision >= m->join.capture.as_of &&
           join_id_is_taken(m, sl__registry_self(m));
}

void sl__join_run(struct sl_membership *m, struct sl_outbox *out)
{
    struct join *j = &m->join;
    struct sl_str by;
    if (m->state == SL_SESSION_LEASED && sl__join_capture_mod(m) != 0)
        sl__membership_go(m, SL_SESSION_JOINED, "capture key put", out);
    if (join_is_superseded(m))
        sl__session_lost(m, "another process has this node id", out);
    if (!join_is_wanted(m) || j->name_op || j->txn_op || m->now < j->at)
        return;
    enum join_refusal why = join_judge(m, &by);
    if (why != JOIN_OK)
        join_refuse(m, why, by, out);
    else if (m->name_key.len > 0 && !j->name_known)
        join_read_name(m, out);
    else
        join_put(m, out);
}

static void join_on_name(struct sl_membership *m, const struct sl_store_result *r, struct sl_outbox *out)
{
    struct join *j = &m->join;
    const struct sl_store_pair *pair = r->pair_count > 0 ? &r->pairs[0] : NULL;
    j->name_op = 0;
    j->at = m->now + (r->outcome == SL_STORE_OK ? 0 : m->opts.retry_ns);
    if (r->outcome != SL_STORE_OK)
        return;
    if (pair && !sl_bytes_eq(pair->value, sl__membership_id_bytes(m))) {
        struct sl_str by = { (const char *)pair->value.ptr, pair->value.len };
        join_refuse(m, JOIN_NAME_TAKEN, by, out);
        return;
    }
    j->name_known = true;
    j->name_mod = pair ? pair->mod_revision : 0;
}

static void join_on_put(struct sl_membership *m, const struct sl_store_result *r)
{
    struct join *j = &m->join;
    j->txn_op = 0;
    j->name_known = false; /* read again before another try */
    if (r->outcome == SL_STORE_OK && r->succeeded && r->revision > 0) {
        j->told = JOIN_OK;
        j->capture = (struct own_key){ r->revision, r->revision, r->revision };
        return;
    }
    j->at = m->now + m->opts.retry_ns;
    if (r->outcome != SL_STORE_REFUSED)
        sl__registry_reread(m);
}

bool sl__join_on_store(struct sl_membership *m, const struct sl_store_result *r, struct sl_outbox *out)
{
    if (r->id == m->join.name_op)
        join_on_name(m, r, out);
    else if (r->id == m->join.txn_op)
        join_on_put(m, r);
    else
        return false;
    return true;
}

sl_ns sl__join_deadline(const struct sl_membership *m)
{
    return join_is_wanted(m) && !m->join.name_op && !m->join.txn_op ? m->join.at : SL_NEVER;
}
