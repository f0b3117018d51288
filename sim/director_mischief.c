/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/director_internal.h"

#define MISCHIEF_OBJECT (UINT64_C(1) << 40)
#define MISCHIEF_CONFIG_BYTES 4096

static uint64_t mischief_draw(const struct sl_sim *sim)
{
    return sl_sim_draw(&sim->engine, SL_SIM_DRAW_FAULT, MISCHIEF_OBJECT, sim->engine.event_count);
}

static bool mischief_begin(struct sl_sim *sim, uint32_t host, struct sl_sim_director **d, uint32_t *member)
{
    *d = sl_sim_director_in_charge(sim);
    *member = sl_sim_members_find(sim, &sim->hosts[host].id);
    return *d && (*d)->is_ready && *member != SL_SIM_MEMBER_NONE;
}

/* Both requests of a drain that has ended, the one of a drain that runs. */
void sl_sim_director_echo(struct sl_sim *sim, uint32_t host)
{
    struct sl_sim_director *d;
    uint32_t member;
    if (sim->store.drain_count == 0 || !mischief_begin(sim, host, &d, &member))
        return;
    uint64_t draw = mischief_draw(sim);
    struct sl_sim_drain drain = sim->store.drains[draw / 4 % sim->store.drain_count];
    if (drain.epoch == 0)
        return;
    bool clears = drain.phase == SL_SIM_DRAIN_DONE && draw % 4 == 0;
    Pb__SetDispatcherDrainTargetRequest request = PB__SET_DISPATCHER_DRAIN_TARGET_REQUEST__INIT;
    if (!clears)
        request.target_node_id = drain.target.text;
    request.target_epoch = drain.epoch;
    sl_sim__director_send(sim, d, member, SL_MSG_SET_DISPATCHER_DRAIN_TARGET_REQUEST, &request.base);
}

void sl_sim_director_haste(struct sl_sim *sim, uint32_t host)
{
    struct sl_sim_director *d;
    uint32_t member;
    if (!mischief_begin(sim, host, &d, &member))
        return;
    Pb__SetNodeLivenessRequest request = PB__SET_NODE_LIVENESS_REQUEST__INIT;
    request.target = PB__NODE_LIVENESS__STOPPING;
    request.node_epoch = sl_sim__director_node(sim, d, member)->node_epoch;
    sl_sim__director_send(sim, d, member, SL_MSG_SET_NODE_LIVENESS_REQUEST, &request.base);
}

/* The epoch is the owner's: elsewhere a second maintainer of it must not be, so
 * only where nobody may be added. */
void sl_sim_director_late_add(struct sl_sim *sim, uint32_t host)
{
    struct sl_sim_director *d;
    uint32_t member;
    const struct sl_sim_host *h = &sim->hosts[host];
    if (sim->store.feed_count == 0 || !mischief_begin(sim, host, &d, &member) || !sl_sim_host_is_up(h) ||
        sl_manager_liveness(sl_node_manager(h->node)) != SL_LIVENESS_STOPPING)
        return;
    char config[MISCHIEF_CONFIG_BYTES];
    uint32_t feed = (uint32_t)(mischief_draw(sim) % sim->store.feed_count);
    const struct sl_sim_stored_feed *stored = &sim->store.feeds[feed];
    if (stored->epoch == 0)
        return;
    size_t len = sl_sim_catalog_config(&sim->catalog, feed, stored->epoch, config, sizeof config);
    Pb__ChangefeedID id = sl_feed_id_pb(&sim->catalog.feeds[feed].id);
    Pb__AddMaintainerRequest request = PB__ADD_MAINTAINER_REQUEST__INIT;
    request.changefeed = &id;
    request.config = (ProtobufCBinaryData){ .len = len, .data = (uint8_t *)config };
    request.checkpoint_ts = stored->checkpoint;
    request.maintainer_epoch = stored->epoch;
    sl_sim__director_send(sim, d, member, SL_MSG_ADD_MAINTAINER_REQUEST, &request.base);
}
