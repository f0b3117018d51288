/* SPDX-License-Identifier: Apache-2.0 */
#include "core/membership/membership_internal.h"

#include <string.h>

#define MEMBERSHIP_VALUE_BYTES_MAX 65536u /* of one run's writes */
#define MEMBERSHIP_OWNERS_MIN 32u

struct session_row {
    const char *name;
    unsigned next; /* bit per state that may follow */
};

static const struct session_row session_rows[] = {
#define SESSION_ROW(name, text, next) [SL_SESSION_##name] = { (text), (next) },
    SL_SESSION_STATES(SESSION_ROW)
#undef SESSION_ROW
};

/* ---- life ---- */

static bool membership_make_keys(struct sl_membership *m)
{
    struct sl_str cluster = m->opts.cluster, name = sl_str_of(m->opts.self.name);
    return sl_key_meta(&m->meta, cluster) && sl_key_captures(&m->captures, cluster) &&
           sl_key_owners(&m->owners, cluster) && sl_key_capture(&m->capture_key, cluster, &m->opts.self.id) &&
           (name.len == 0 || sl_key_node_name(&m->name_key, cluster, name));
}

/* What others will read of this node can be written and read. */
static enum sl_code membership_check_self(struct sl_membership *m)
{
    struct sl_bytes json;
    struct sl_capture back;
    enum sl_code code = sl_capture_format(&json, &m->opts.self, &m->arena);
    if (code == SL_OK && sl_capture_parse(&back, json) != SL_OK)
        code = SL_BAD_CONFIG;
    sl_arena_reset(&m->arena);
    return code == SL_OK || code == SL_NOMEM ? code : SL_BAD_CONFIG;
}

static bool membership_times_are_valid(const struct sl_membership_opts *o)
{
    return o->ttl_ns > 0 && o->keepalive_ns > 0 && o->fence_margin_ns >= 0 && o->tombstone_ns >= 0 &&
           o->campaign_pause_ns > 0 && o->retry_ns > 0 && 2 * o->keepalive_ns + o->fence_margin_ns <= o->ttl_ns;
}

static bool membership_allocate(struct sl_membership *m)
{
    struct sl_mem *mem = m->opts.mem;
    uint32_t count = m->opts.node_count_max;
    struct registry *r = &m->registry;
    r->owner_count_max = sl_u32_max(2 * count, MEMBERSHIP_OWNERS_MIN);
    r->members = sl_mem_alloc(mem, SL_TAG_MEMBERSHIP, (count + 1) * sizeof *r->members);
    r->owners = sl_mem_alloc(mem, SL_TAG_MEMBERSHIP, r->owner_count_max * sizeof *r->owners);
    m->view = sl_mem_alloc(mem, SL_TAG_MEMBERSHIP, (count + 1) * sizeof *m->view);
    m->view_next = sl_mem_alloc(mem, SL_TAG_MEMBERSHIP, (count + 1) * sizeof *m->view_next);
    return r->members && r->owners && m->view && m->view_next;
}

static void membership_init(struct sl_membership *m, const struct sl_membership_opts *opts, sl_ns now)
{
    m->opts = *opts;
    memcpy(m->cluster, opts->cluster.ptr, opts->cluster.len);
    m->opts.cluster.ptr = m->cluster;
    m->now = now;
    m->session.lease_until = INT64_MIN;
    m->session.grant_at = now;
    m->session.keepalive_at = SL_NEVER;
    m->registry.range_wanted = true;
    m->registry.gone_next = SL_NEVER;
    m->registry.range_at = m->registry.watch_at = now;
    m->join.at = now;
    m->election.alive = true;
    m->election.campaign_at = m->election.delete_at = m->election.resigned_until = now;
    m->leave.at = now;
    sl_arena_init(&m->arena, opts->mem, SL_TAG_MEMBERSHIP, MEMBERSHIP_VALUE_BYTES_MAX);
}

enum sl_code sl_membership_new(struct sl_membership **out, const struct sl_membership_opts *opts, sl_ns now)
{
    SL_REQUIRE(opts->node_count_max > 0);
    *out = NULL;
    if (opts->cluster.len > MEMBERSHIP_CLUSTER_MAX || opts->cluster.len == 0 || !membership_times_are_valid(opts))
        return SL_BAD_CONFIG;
    struct sl_membership *m = sl_mem_alloc(opts->mem, SL_TAG_MEMBERSHIP, sizeof *m);
    if (!m)
        return SL_NOMEM;
    membership_init(m, opts, now);
    enum sl_code code = SL_OK;
    if (!membership_allocate(m))
        code = SL_NOMEM;
    else
        code = membership_make_keys(m) ? membership_check_self(m) : SL_BAD_CONFIG;
    if (code == SL_OK)
        *out = m;
    else
        sl_membership_free(m);
    return code;
}

void sl_membership_free(struct sl_membership *m)
{
    if (!m)
        return;
    struct sl_mem *mem = m->opts.mem;
    uint32_t count = m->opts.node_count_max;
    struct registry *r = &m->registry;
    sl_arena_deinit(&m->arena);
    sl_mem_free(mem, SL_TAG_MEMBERSHIP, r->members, (count + 1) * sizeof *r->members);
    sl_mem_free(mem, SL_TAG_MEMBERSHIP, r->owners, r->owner_count_max * sizeof *r->owners);
    sl_mem_free(mem, SL_TAG_MEMBERSHIP, m->view, (count + 1) * sizeof *m->view);
    sl_mem_free(mem, SL_TAG_MEMBERSHIP, m->view_next, (count + 1) * sizeof *m->view_next);
    sl_mem_free(mem, SL_TAG_MEMBERSHIP, m, sizeof *m);
}

/* ---- for the parts ---- */

void sl__membership_go(struct sl_membership *m, enum sl_session_state to, const char *cause, struct sl_outbox *out)
{
    SL_REQUIRE(session_rows[m->state].next & (1u << (unsigned)to));
    sl_out_event(out, SL_EV_SESSION_STATE, sl_f_str("node", sl_node_id_str(&m->opts.self.id)),
                 sl_f_str("from", sl_str_of(session_rows[m->state].name)),
                 sl_f_str("to", sl_str_of(session_rows[to].name)), sl_f_str("cause", sl_str_of(cause)));
    if (to == SL_SESSION_FENCED)
        sl_out_event(out, SL_EV_SESSION_FENCED, sl_f_str("node", sl_node_id_str(&m->opts.self.id)),
                     sl_f_str("cause", sl_str_of(cause)));
    m->state = to;
    m->view_is_stale = true;
}

sl_op_id sl__membership_issue(struct sl_membership *m, struct sl_store_op *op, struct sl_outbox *out)
{
    op->id = m->opts.op_base + m->op_count + 1;
    if (!sl_out_store(out, op))
        return 0;
    m->op_count++;
    return op->id;
}

bool sl__membership_is_leased(const struct sl_membership *m)
{
    return m->state == SL_SESSION_LEASED || m->state == SL_SESSION_JOINED || m->state == SL_SESSION_LEAVING;
}

struct sl_bytes sl__membership_id_bytes(const struct sl_membership *m)
{
    return (struct sl_bytes){ (const uint8_t *)m->opts.self.id.text, m->opts.self.id.len };
}

/* ---- leaving ---- */

static void leave_mark(struct sl_membership *m, struct sl_outbox *out)
{
    struct sl_capture stopped = m->opts.self;
    struct sl_bytes value;
    stopped.stopped = true;
    m->leave.at = m->now + m->opts.retry_ns;
    if (sl_capture_format(&value, &stopped, &m->arena) != SL_OK)
        return; /* no memory now */
    const struct sl_store_compare same = { .kind = SL_COMPARE_MOD_REVISION,
                                           .key = sl_key_str(&m->capture_key),
                                           .revision = sl__join_capture_mod(m) };
    const struct sl_store_action put = { SL_ACTION_PUT, sl_key_str(&m->capture_key), value, m->session.lease };
    struct sl_store_op op = {
        .verb = SL_STORE_TXN, .compares = &same, .compare_count = 1, .then = &put, .then_count = 1
    };
    m->leave.mark_op = sl__membership_issue(m, &op, out);
}

static void leave_revoke(struct sl_membership *m, struct sl_outbox *out)
{
    struct sl_store_op op = { .verb = SL_STORE_REVOKE, .lease = m->session.lease };
    m->leave.revoke_op = sl__membership_issue(m, &op, out);
    m->leave.at = m->now + m->opts.retry_ns;
}

static bool leave_is_due(const struct sl_membership *m)
{
    return m->leave.wanted && sl__membership_is_leased(m) && !m->leave.mark_op && !m->leave.revoke_op;
}

static void leave_run(struct sl_membership *m, struct sl_outbox *out)
{
    if (!leave_is_due(m) || m->now < m->leave.at)
        return;
    if (!m->leave.marked && sl__join_capture_mod(m) != 0)
        leave_mark(m, out);
    else
        leave_revoke(m, out);
}

static bool leave_on_store(struct sl_membership *m, const struct sl_store_result *r, struct sl_outbox *out)
{
    struct leave *l = &m->leave;
    bool done = r->outcome == SL_STORE_OK || r->outcome == SL_STORE_LEASE_GONE;
    if (r->id == l->mark_op) {
        l->mark_op = 0;
        l->marked = r->outcome != SL_STORE_REFUSED; /* in doubt it is: the mark only makes others faster */
    } else if (r->id == l->revoke_op) {
        l->revoke_op = 0;
        if (done)
            sl__session_lost(m, "lease revoked", out);
    } else {
        return false;
    }
    l->at = m->now + (done ? 0 : m->opts.retry_ns);
    return true;
}

/* ---- what is published ---- */

static bool view_capture_eq(const struct sl_capture *a, const struct sl_capture *b)
{
    return sl_node_id_eq(&a->id, &b->id) && strcmp(a->address, b->address) == 0 && strcmp(a->name, b->name) == 0 &&
           strcmp(a->version, b->version) == 0 && a->start_timestamp_s == b->start_timestamp_s &&
           a->node_epoch == b->node_epoch && a->is_new_arch == b->is_new_arch && a->is_sluice == b->is_sluice &&
           a->stopped == b->stopped;
}

static bool view_is_joined(const struct sl_membership *m)
{
    return m->state == SL_SESSION_JOINED;
}

/* The members as they are to be published; returns their number. Self is what this process says, not what is stored. */
static uint32_t view_fill(const struct sl_membership *m, struct sl_capture *to)
{
    const struct sl_capture *self = &m->opts.self;
    bool self_due = view_is_joined(m);
    uint32_t count = 0;
    for (uint32_t i = 0; i < m->registry.member_count; i++) {
        const struct sl_capture *c = &m->registry.members[i].capture;
        int order = sl_str_cmp(sl_node_id_str(&c->id), sl_node_id_str(&self->id));
        if (order >= 0 && self_due) {
            to[count++] = *self;
            self_due = false;
        }
        if (order != 0 && (c->is_sluice || m->opts.interop))
            to[count++] = *c;
    }
    if (self_due)
        to[count++] = *self;
    return count;
}

static void view_warn_of_addresses(struct sl_membership *m, struct sl_outbox *out)
{
    const struct sl_capture *self = &m->opts.self;
    for (uint32_t i = 0; i < m->registry.member_count; i++) {
        struct member *other = &m->registry.members[i];
        if (other->address_told || other->gone_at != SL_NEVER || sl_node_id_eq(&other->capture.id, &self->id) ||
            strcmp(other->capture.address, self->address) != 0)
            continue;
        other->address_told = true;
        sl_out_event(out, SL_EV_ADDRESS_TAKEN, sl_f_str("node", sl_node_id_str(&self->id)),
                     sl_f_str("other", sl_node_id_str(&other->capture.id)),
                     sl_f_str("address", sl_str_of(self->address)));
    }
}

static void view_update(struct sl_membership *m, struct sl_outbox *out)
{
    if (!m->view_is_stale)
        return;
    m->view_is_stale = false;
    uint32_t count = view_fill(m, m->view_next);
    bool same = count == m->view_count;
    for (uint32_t i = 0; same && i < count; i++)
        same = view_capture_eq(&m->view[i], &m->view_next[i]);
    if (same)
        return;
    struct sl_capture *old = m->view;
    m->view = m->view_next;
    m->view_next = old;
    m->view_count = count;
    m->generation++;
    view_warn_of_addresses(m, out);
}

static void view_owner(const struct sl_membership *m, struct sl_membership_view *view)
{
    const struct registry *r = &m->registry;
    const struct owner *own = sl__registry_own(m);
    if (view->leader) {
        view->owner = m->opts.self.id;
        view->waiting_count = r->owner_count - (own ? 1 : 0);
        return;
    }
    /* An own key that is the oldest but does not lead is about to go, or not judged yet. */
    bool led = r->owner_count > 0 && &r->owners[0] != own;
    if (led)
        view->owner = r->owners[0].node;
    view->waiting_count = r->owner_count - (own ? 1 : 0) - (led ? 1 : 0);
}

void sl_membership_view(const struct sl_membership *m, struct sl_membership_view *view)
{
    *view = (struct sl_membership_view){ .joined = view_is_joined(m),
                                         .fenced = m->state == SL_SESSION_FENCED,
                                         .leader = m->election.leader,
                                         .left = m->state == SL_SESSION_LEFT,
                                         .leader_version = m->election.leader ? (uint64_t)m->election.version : 0,
                                         .generation = m->generation,
                                         .members = m->view,
                                         .member_count = m->view_count };
    view_owner(m, view);
}

bool sl_membership_leadership(const struct sl_membership *m, struct sl_str *key, sl_revision *mod_revision)
{
    if (!m->election.leader)
        return false;
    *key = sl_key_str(&m->owner_key);
    *mod_revision = m->election.version;
    return true;
}

uint64_t sl_membership_reads_done(const struct sl_membership *m)
{
    return m->registry.reads_done;
}

sl_ns sl_membership_lease_until(const struct sl_membership *m)
{
    return m->session.lease_until;
}

/* ---- steps ---- */

static void membership_check(struct sl_membership *m)
{
    SL_REQUIRE(sl__membership_is_leased(m) == (m->session.lease != 0));
    SL_REQUIRE(m->now < sl__session_fence_at(m));
    for (uint32_t i = 1; i < m->view_count && m->generation != m->generation_checked; i++)
        SL_REQUIRE(sl_str_cmp(sl_node_id_str(&m->view[i - 1].id), sl_node_id_str(&m->view[i].id)) < 0);
    m->generation_checked = m->generation;
    sl__election_check(m);
}

static void membership_enter(struct sl_membership *m, sl_ns now, struct sl_outbox *out)
{
    SL_REQUIRE(now >= m->now);
    m->now = now;
    sl__session_check(m, out);
}

static void membership_run(struct sl_membership *m, struct sl_outbox *out)
{
    if (m->started) {
        sl__session_run(m, out);
        sl__registry_run(m, out);
        sl__join_run(m, out);
        sl__election_run(m, out);
        leave_run(m, out);
    }
    sl_arena_reset(&m->arena);
    view_update(m, out);
    membership_check(m);
}

void sl_membership_start(struct sl_membership *m, sl_ns now, struct sl_outbox *out)
{
    membership_enter(m, now, out);
    m->started = true;
    membership_run(m, out);
}

void sl_membership_on_tick(struct sl_membership *m, sl_ns now, struct sl_outbox *out)
{
    membership_enter(m, now, out);
    membership_run(m, out);
}

uint64_t sl_membership_read_anew(struct sl_membership *m, sl_ns now, struct sl_outbox *out)
{
    membership_enter(m, now, out);
    uint64_t number = sl__registry_read_anew(m);
    membership_run(m, out);
    return number;
}

static bool membership_is_ours(const struct sl_membership *m, sl_op_id id)
{
    return id > m->opts.op_base && id <= m->opts.op_base + m->op_count;
}

bool sl_membership_on_store(struct sl_membership *m, sl_ns now, const struct sl_store_result *r, struct sl_outbox *out)
{
    if (!membership_is_ours(m, r->id))
        return false;
    membership_enter(m, now, out);
    /* An answer that nobody waits for any more (to an older lease, to a read that was asked again) changes nothing. */
    (void)(sl__session_on_store(m, r, out) || sl__registry_on_store(m, r, out) || sl__join_on_store(m, r, out) ||
           sl__election_on_store(m, r) || leave_on_store(m, r, out));
    membership_run(m, out);
    return true;
}

bool sl_membership_on_watch(struct sl_membership *m, sl_ns now, const struct sl_store_watch_batch *b,
                            struct sl_outbox *out)
{
    if (!membership_is_ours(m, b->watch))
        return false;
    membership_enter(m, now, out);
    (void)sl__registry_on_watch(m, b, out);
    membership_run(m, out);
    return true;
}

void sl_membership_set_alive(struct sl_membership *m, sl_ns now, bool alive, struct sl_outbox *out)
{
    membership_enter(m, now, out);
    m->election.alive = alive;
    membership_run(m, out);
}

void sl_membership_resign(struct sl_membership *m, sl_ns now, struct sl_outbox *out)
{
    membership_enter(m, now, out);
    if (m->election.leader) {
        m->election.resigned_until = sl_ns_after(now, m->opts.campaign_pause_ns);
        sl__election_stop_leading(m, "resigned", out);
    }
    membership_run(m, out);
}

void sl_membership_leave(struct sl_membership *m, sl_ns now, struct sl_outbox *out)
{
    membership_enter(m, now, out);
    m->leave.wanted = true;
    m->leave.at = now;
    sl__election_stop_leading(m, "the node stops", out);
    if (m->state == SL_SESSION_OFFLINE)
        sl__membership_go(m, SL_SESSION_LEFT, "the node stops", out);
    else if (m->state == SL_SESSION_LEASED || m->state == SL_SESSION_JOINED)
        sl__membership_go(m, SL_SESSION_LEAVING, "the node stops", out);
    membership_run(m, out);
}

sl_ns sl_membership_deadline(const struct sl_membership *m)
{
    if (!m->started)
        return SL_NEVER;
    sl_ns next = sl_ns_min(sl__session_deadline(m), sl__registry_deadline(m));
    next = sl_ns_min(next, sl_ns_min(sl__join_deadline(m), sl__election_deadline(m)));
    return leave_is_due(m) ? sl_ns_min(next, m->leave.at) : next;
}
