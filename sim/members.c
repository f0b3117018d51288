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

uint32_t sl_sim_members_join(struct sl_sim *sim, const struct sl_node_id *id, uint16_t host, uint32_t process)
{
    uint32_t member = sl_sim_members_find(sim, id);
    if (member == SL_SIM_MEMBER_NONE)
        member = members_add(sim, id);
    struct sl_sim_member *m = &sim->members.items[member];
    m->host = host;
    m->process = process;
    return member;
}
