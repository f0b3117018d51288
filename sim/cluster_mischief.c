/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/cluster.h"
#include "sim/oracle_internal.h"
#include "sim/sim.h"

#include <string.h>

#define MISCHIEF_CONFIG_BYTES 4096

/* ---- requests that come once more ---- */

#define MISCHIEF_BEAT_BYTES 4096u /* larger ones list what has just changed, which is not what an old one is good for */

static struct sl_sim_echo *mischief_slot(struct sl_sim *sim, const struct sl_sim_echo *message)
{
    struct sl_sim_cluster *c = sim->cluster;
    enum sl_msg_type type = message->type;
    if (type == SL_MSG_SET_DISPATCHER_DRAIN_TARGET_REQUEST || type == SL_MSG_SET_NODE_LIVENESS_REQUEST ||
        type == SL_MSG_ADD_MAINTAINER_REQUEST)
        return &c->echoes[c->echo_count++ % SL_SIM_ECHOES_MAX];
    bool is_block = type == SL_MSG_BLOCK_STATUS_REQUEST || type == SL_MSG_HEART_BEAT_RESPONSE;
    if (is_block && message->from != message->to) /* what stays in a process comes once */
        return &c->blocks[c->block_count++ % SL_SIM_BLOCKS_MAX];
    /* Without extensions nobody can tell an old one. */
    if (type != SL_MSG_HEART_BEAT_REQUEST || message->from == message->to || message->size > MISCHIEF_BEAT_BYTES ||
        sim->opts.foreign_hosts != 0)
        return NULL;
    return &c->hosts[message->from].beats[c->hosts[message->from].beat_count++ % SL_SIM_BEATS_MAX];
}

void sl_sim_cluster_keep_echo(struct sl_sim *sim, const struct sl_sim_echo *message)
{
    struct sl_sim_echo *slot = message->to_process != 0 ? mischief_slot(sim, message) : NULL;
    if (!slot)
        return;
    sl_sim_free(&sim->engine, slot->bytes, slot->size);
    *slot = *message;
    slot->bytes = sl_sim_alloc(&sim->engine, message->size);
    memcpy(slot->bytes, message->bytes, message->size);
}

static void mischief_repeat(struct sl_sim *sim, const struct sl_sim_echo *e)
{
    uint32_t message;
    memcpy(sl_sim_net_new(&sim->net, e->size, &message), e->bytes, e->size);
    struct sl_sim_route route = { .from = e->from,
                                  .to = e->to,
                                  .from_process = e->from_process,
                                  .to_process = e->to_process,
                                  .type = e->type,
                                  .lane = sl_msg_row((int32_t)e->type)->lane };
    sl_sim_net_send(&sim->net, message, &route);
}

static bool mischief_is_live(const struct sl_sim *sim, const struct sl_sim_echo *e)
{
    return e->bytes && e->to_process == sim->hosts[e->to].process;
}

void sl_sim_cluster_echo(struct sl_sim *sim, uint32_t host, uint64_t draw)
{
    for (uint32_t i = 0; i < SL_SIM_ECHOES_MAX; i++) {
        const struct sl_sim_echo *e = &sim->cluster->echoes[(draw + i) % SL_SIM_ECHOES_MAX];
        if (!mischief_is_live(sim, e) || e->to != host)
            continue;
        mischief_repeat(sim, e);
        return;
    }
}

void sl_sim_cluster_late_beat(struct sl_sim *sim, uint32_t host, uint64_t draw)
{
    for (uint32_t i = 0; i < SL_SIM_BEATS_MAX; i++) {
        const struct sl_sim_echo *e = &sim->cluster->hosts[host].beats[(draw + i) % SL_SIM_BEATS_MAX];
        if (!mischief_is_live(sim, e) || e->from_process != sim->hosts[host].process)
            continue;
        mischief_repeat(sim, e);
        return;
    }
}

void sl_sim_cluster_late_block(struct sl_sim *sim, uint32_t host, uint64_t draw)
{
    for (uint32_t i = 0; i < SL_SIM_BLOCKS_MAX; i++) {
        const struct sl_sim_echo *e = &sim->cluster->blocks[(draw + i) % SL_SIM_BLOCKS_MAX];
        if (!mischief_is_live(sim, e) || e->to != host)
            continue;
        mischief_repeat(sim, e);
        return;
    }
}

/* ---- what a coordinator does not do by itself ---- */

/* The host of the present coordinator, or a null pointer; it sends as itself. */
static const struct sl_sim_host *mischief_sender(const struct sl_sim *sim)
{
    uint32_t leader = sl_sim_cluster_leader(sim);
    return leader != SL_SIM_HOST_NONE && sl_sim_host_is_up(&sim->hosts[leader]) ? &sim->hosts[leader] : NULL;
}

void sl_sim_cluster_haste(struct sl_sim *sim, uint32_t host)
{
    const struct sl_sim_host *from = mischief_sender(sim), *h = &sim->hosts[host];
    if (!from || h->state == SL_SIM_HOST_DOWN)
        return;
    Pb__SetNodeLivenessRequest request = PB__SET_NODE_LIVENESS_REQUEST__INIT;
    request.target = PB__NODE_LIVENESS__STOPPING;
    request.node_epoch = sl_sim_oracle_process(&sim->oracle, h->process)->node_epoch;
    sl_sim_post_message(sim, from, h->member, SL_MSG_SET_NODE_LIVENESS_REQUEST, &request.base);
}

/* The epoch is the owner's: elsewhere a second maintainer of it must not be, so only where nobody may be added. */
void sl_sim_cluster_late_add(struct sl_sim *sim, uint32_t host, uint32_t feed)
{
    const struct sl_sim_host *from = mischief_sender(sim), *h = &sim->hosts[host];
    char config[MISCHIEF_CONFIG_BYTES];
    uint32_t number = feed % sim->catalog.feed_count;
    uint64_t epoch = sl_sim_oracle_feed(&sim->oracle, number)->epoch_durable;
    if (!from || !sl_sim_host_is_up(h) || epoch == 0 || !sl_sim_oracle_process(&sim->oracle, h->process)->is_stopping)
        return;
    size_t len = sl_sim_catalog_config(&sim->catalog, number, epoch, config, sizeof config);
    Pb__ChangefeedID id = sl_feed_id_pb(&sim->catalog.feeds[number].id);
    Pb__AddMaintainerRequest request = PB__ADD_MAINTAINER_REQUEST__INIT;
    request.changefeed = &id;
    request.config = (ProtobufCBinaryData){ .len = len, .data = (uint8_t *)config };
    request.checkpoint_ts = sim->catalog.feeds[number].start_ts;
    request.maintainer_epoch = epoch;
    sl_sim_post_message(sim, from, h->member, SL_MSG_ADD_MAINTAINER_REQUEST, &request.base);
}

bool sl_sim_cluster_send_target(struct sl_sim *sim, uint32_t host, const struct sl_drain_target *target)
{
    const struct sl_sim_host *from = mischief_sender(sim);
    char node[SL_NODE_ID_MAX + 1];
    if (!from)
        return false;
    snprintf(node, sizeof node, "%s", target->node.text);
    Pb__SetDispatcherDrainTargetRequest request = PB__SET_DISPATCHER_DRAIN_TARGET_REQUEST__INIT;
    request.target_node_id = node;
    request.target_epoch = target->epoch;
    sl_sim_post_message(sim, from, sim->hosts[host].member, SL_MSG_SET_DISPATCHER_DRAIN_TARGET_REQUEST, &request.base);
    return true;
}

/* ---- nonsense in the store ---- */

static const char *const planted_values[] = { "{\"id\":", "{}", "[1,2]", "nonsense",
                                              "{\"id\":\"x\",\"phase\":\"later\"}" };
#define PLANTED_VALUES (sizeof planted_values / sizeof planted_values[0])
#define PLANTED_KEYS 3u /* a drain, a feed, a node */

static void mischief_key(struct sl_key *key, uint32_t which)
{
    struct sl_node_id node;
    bool fits = sl_node_id_set(&node, SL_STR(SL_SIM_PLANTED));
    if (which % PLANTED_KEYS == 0)
        fits = fits && sl_key_drain(key, SL_STR(SL_SIM_CLUSTER_ID), SL_STR(SL_SIM_PLANTED));
    else if (which % PLANTED_KEYS == 1)
        fits = fits && sl_key_feed_info(key, SL_STR(SL_SIM_CLUSTER_ID), SL_STR("default"), SL_STR(SL_SIM_PLANTED));
    else
        fits = fits && sl_key_capture(key, SL_STR(SL_SIM_CLUSTER_ID), &node);
    SL_REQUIRE(fits);
}

static struct sl_bytes mischief_value(uint32_t which)
{
    const char *text = planted_values[which / PLANTED_KEYS % PLANTED_VALUES];
    return (struct sl_bytes){ (const uint8_t *)text, strlen(text) };
}

void sl_sim_cluster_plant(struct sl_sim *sim, uint32_t which)
{
    struct sl_key key;
    struct sl_store_result result;
    uint32_t number = which % (PLANTED_KEYS * PLANTED_VALUES), bit = number % PLANTED_KEYS;
    if (sim->cluster->planted >> (8 * bit) & 0xff)
        return; /* one each, so that it is known what must be there */
    mischief_key(&key, number);
    struct sl_store_action put = { SL_ACTION_PUT, sl_key_str(&key), mischief_value(number), 0 };
    struct sl_store_op op = { .id = 1, .verb = SL_STORE_TXN, .then = &put, .then_count = 1 };
    sl_store_sim_perform(sim->cluster->store, sim->engine.now, &op, &result);
    sim->cluster->planted |= (number + 1) << (8 * bit);
}

void sl_sim_judge_refused_value(struct sl_sim *sim, const struct sl_sim_host *h, struct sl_str key)
{
    const size_t len = sizeof SL_SIM_PLANTED - 1;
    bool is_planted = key.len >= len && memcmp(key.ptr + key.len - len, SL_SIM_PLANTED, len) == 0;
    sl_sim_oracle_count(&sim->oracle, SL_SIM_ORACLE_INPUT);
    if (!is_planted)
        sl_sim_oracle_fail(&sim->oracle, SL_SIM_ORACLE_INPUT, "%s cannot read what a node wrote: %.*s", h->id.text,
                           (int)key.len, key.ptr);
}

void sl_sim_judge_planted(struct sl_sim *sim)
{
    for (uint32_t bit = 0; bit < PLANTED_KEYS; bit++) {
        uint32_t number = sim->cluster->planted >> (8 * bit) & 0xff;
        struct sl_key key;
        struct sl_store_pair pair;
        if (number == 0)
            continue;
        sl_sim_oracle_count(&sim->oracle, SL_SIM_ORACLE_INPUT);
        mischief_key(&key, number - 1);
        bool is_there = sl_store_model_get(sl_store_sim_model(sim->cluster->store), sl_key_str(&key), &pair);
        if (!is_there || !sl_bytes_eq(pair.value, mischief_value(number - 1)))
            sl_sim_oracle_fail(&sim->oracle, SL_SIM_ORACLE_INPUT, "%s: what does not parse was %s", key.text,
                               is_there ? "changed" : "taken away");
    }
}
