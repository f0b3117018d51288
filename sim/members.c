/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/members.h"

#include "sim/sim.h"

#define MEMBERS_CAP_MIN 16u

uint32_t sl_sim_members_find(const struct sl_sim *sim, const struct sl_node_id *id)
{
    for (uint32_t i = 0; i < sim->members.count; i++) {
        if (sl_node_id_eq(&sim->members.items[i].id, id))
            return i;
    }
    return SL_SIM_MEMBER_NONE;
}

static uint32_t members_add(struct sl_sim *sim, const struct sl_node_id *id)
{
    struct sl_sim_members *m = &sim->members;
    if (m->count == m->cap) {
        uint32_t cap = m->cap > 0 ? m->cap * 2 : MEMBERS_CAP_MIN;
        m->items = sl_sim_resize(&sim->engine, m->items, m->cap * sizeof *m->items, cap * sizeof *m->items);
        m->cap = cap;
    }
    m->items[m->count] = (struct sl_sim_member){ .id = *id };
    return m->count++;
}

/* Each host looks a moment later, and sees what holds then: news cannot overtake each other. */
static void members_tell(struct sl_sim *sim, uint32_t member)
{
    const struct sl_sim_member *m = &sim->members.items[member];
    for (uint32_t i = 0; i < sim->host_count; i++) {
        const struct sl_sim_host *h = &sim->hosts[i];
        if (h->process == 0)
            continue;
        sl_ns delay = sl_sim_between(&sim->engine, SL_SIM_DRAW_MEMBERS, (uint64_t)h->index << 20 ^ member, m->serial, 1,
                                     sim->opts.members.seen_ns);
        sl_sim_engine_push(
            &sim->engine, sim->engine.now + delay,
            (struct sl_sim_event){ .kind = SL_SIM_EVENT_MEMBERS, .host = h->index, .life = h->process, .a = member });
    }
}

uint32_t sl_sim_members_join(struct sl_sim *sim, const struct sl_node_id *id, uint16_t host, uint32_t process)
{
    uint32_t member = sl_sim_members_find(sim, id);
    if (member == SL_SIM_MEMBER_NONE)
        member = members_add(sim, id);
    struct sl_sim_member *m = &sim->members.items[member];
    m->host = host;
    m->process = process;
    m->serial++;
    if (sim->cluster)
        return member; /* an address book and no more */
    m->is_leased = true;
    if (!m->is_registered) {
        m->is_registered = true;
        members_tell(sim, member);
    }
    return member;
}

static void members_push(struct sl_sim *sim, enum sl_sim_event_kind kind, uint32_t member, sl_ns delay)
{
    const struct sl_sim_member *m = &sim->members.items[member];
    sl_sim_engine_push(&sim->engine, sim->engine.now + delay,
                       (struct sl_sim_event){ .kind = (uint16_t)kind, .host = m->host, .a = member, .b = m->serial });
}

void sl_sim_members_leave(struct sl_sim *sim, uint32_t member)
{
    struct sl_sim_member *m = &sim->members.items[member];
    m->serial++;
    m->is_leased = false;
    members_push(sim, SL_SIM_EVENT_LEAVE, member, sim->opts.members.leave_ns);
}

void sl_sim_members_neglect(struct sl_sim *sim, uint32_t member)
{
    struct sl_sim_member *m = &sim->members.items[member];
    if (!m->is_leased)
        return;
    m->serial++;
    members_push(sim, SL_SIM_EVENT_LEASE, member, sim->opts.members.lease_ns);
}

void sl_sim_members_renew(struct sl_sim *sim, uint32_t member)
{
    struct sl_sim_member *m = &sim->members.items[member];
    if (m->is_leased)
        m->serial++;
}

/* The process of this member, if it still runs. */
static struct sl_sim_host *members_host(struct sl_sim *sim, uint32_t member)
{
    const struct sl_sim_member *m = &sim->members.items[member];
    struct sl_sim_host *h = &sim->hosts[m->host];
    return h->process != 0 && h->process == m->process ? h : NULL;
}

/* A process that runs notices within its polling period; a paused one when it wakes up (host.c). */
void sl_sim_members_expire(struct sl_sim *sim, uint32_t member)
{
    struct sl_sim_member *m = &sim->members.items[member];
    if (!m->is_leased)
        return;
    m->is_leased = false;
    m->serial++;
    members_push(sim, SL_SIM_EVENT_LEAVE, member, sim->opts.members.leave_ns);
    struct sl_sim_host *h = members_host(sim, member);
    if (!h)
        return;
    h->is_unleased = true;
    sl_sim_sink_process_unleased(&sim->sink, h->process);
    sl_ns notice = sl_sim_between(&sim->engine, SL_SIM_DRAW_MEMBERS, UINT64_C(1) << 40 ^ member, m->serial, 0,
                                  SL_SIM_LEASE_POLL_NS);
    sl_sim_engine_push(&sim->engine, sim->engine.now + notice,
                       (struct sl_sim_event){ .kind = SL_SIM_EVENT_LEASE_LOST, .host = h->index, .life = h->process });
}

void sl_sim_members_on_lease(struct sl_sim *sim, uint32_t member, uint32_t serial)
{
    if (sim->members.items[member].serial == serial)
        sl_sim_members_expire(sim, member);
}

void sl_sim_members_on_leave(struct sl_sim *sim, uint32_t member, uint32_t serial)
{
    struct sl_sim_member *m = &sim->members.items[member];
    if (m->serial != serial || !m->is_registered)
        return;
    m->is_registered = false;
    members_tell(sim, member);
}
