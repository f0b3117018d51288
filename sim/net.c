/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/net.h"

#include "core/common/mem_tags.h"

#include <string.h>

#define NET_MESSAGE_COUNT_MAX 16000000u
#define NET_LANES 2u
#define NET_STALE_LOSS_PPM 500000u /* half of what a broken stream carried never arrives */

struct sl_sim_link {
    sl_ns last_at; /* arrival of the last message of the stream */
    sl_ns stalled_until;
    uint64_t sent_count; /* counts draws too */
    uint32_t incarnation;
    bool is_cut;
};

void sl_sim_net_init(struct sl_sim_net *n, struct sl_sim_engine *e, const struct sl_sim_net_opts *opts,
                     uint32_t host_count_max)
{
    SL_REQUIRE(host_count_max > 0 && host_count_max <= SL_SIM_HOST_MAX);
    *n = (struct sl_sim_net){ .engine = e, .opts = *opts, .host_count_max = host_count_max };
    sl_sim_blocks_init(&n->blocks, e);
    sl_slab_init(&n->messages, &e->mem, SL_TAG_SIM, sizeof(struct sl_sim_message), NET_MESSAGE_COUNT_MAX);
    n->links = sl_sim_alloc(e, (size_t)host_count_max * host_count_max * NET_LANES * sizeof *n->links);
}

void sl_sim_net_deinit(struct sl_sim_net *n)
{
    for (uint32_t handle = sl_slab_next(&n->messages, 0); handle != 0; handle = sl_slab_next(&n->messages, handle)) {
        const struct sl_sim_message *m = sl_slab_at(&n->messages, handle);
        sl_sim_blocks_free(&n->blocks, m->bytes, m->size);
    }
    sl_slab_deinit(&n->messages);
    sl_sim_blocks_deinit(&n->blocks);
    sl_sim_free(n->engine, n->links, (size_t)n->host_count_max * n->host_count_max * NET_LANES * sizeof *n->links);
}

static uint32_t net_link_index(const struct sl_sim_net *n, uint32_t from, uint32_t to, uint32_t lane)
{
    SL_REQUIRE(from < n->host_count_max && to < n->host_count_max);
    return (from * n->host_count_max + to) * NET_LANES + lane;
}

/* Links are named by the largest possible number of hosts, so that a run with more room draws the same. */
static uint64_t net_link_object(uint32_t from, uint32_t to, uint32_t lane)
{
    return ((uint64_t)from * SL_SIM_HOST_MAX + to) * NET_LANES + lane;
}

uint8_t *sl_sim_net_new(struct sl_sim_net *n, uint32_t size, uint32_t *message)
{
    struct sl_sim_message *m = sl_slab_new(&n->messages, message);
    SL_REQUIRE(m != NULL);
    *m = (struct sl_sim_message){ .bytes = sl_sim_blocks_new(&n->blocks, size), .size = size };
    return m->bytes;
}

void sl_sim_net_free(struct sl_sim_net *n, uint32_t message)
{
    const struct sl_sim_message *m = sl_slab_at(&n->messages, message);
    sl_sim_blocks_free(&n->blocks, m->bytes, m->size);
    sl_slab_free(&n->messages, message);
}

static bool net_is_ordered_lost(struct sl_sim_net *n, const struct sl_sim_route *r)
{
    for (uint32_t i = 0; i < n->loss_count; i++) {
        struct sl_sim_loss *loss = &n->losses[i];
        if (loss->left > 0 && loss->from == r->from && loss->to == r->to && loss->type == (uint8_t)r->type) {
            loss->left--;
            return true;
        }
    }
    return false;
}

static bool net_is_lost(struct sl_sim_net *n, const struct sl_sim_link *link, const struct sl_sim_route *r)
{
    if (r->to_process == 0)
        return true;
    if (r->from == r->to)
        return false;
    return link->is_cut || net_is_ordered_lost(n, r) ||
           sl_sim_chance(n->engine, SL_SIM_DRAW_LOSS, net_link_object(r->from, r->to, r->lane), link->sent_count,
                         n->opts.loss_ppm);
}

static sl_ns net_delay(struct sl_sim_net *n, uint64_t object, uint64_t count)
{
    sl_ns delay = sl_sim_between(n->engine, SL_SIM_DRAW_DELAY, object, count, n->opts.delay_ns, n->opts.jitter_ns);
    if (sl_sim_chance(n->engine, SL_SIM_DRAW_SPIKE, object, 2 * count, n->opts.spike_ppm)) {
        n->spike_count++;
        delay += sl_sim_between(n->engine, SL_SIM_DRAW_SPIKE, object, 2 * count + 1, 0, n->opts.spike_ns);
    }
    return delay;
}

static void net_push(struct sl_sim_net *n, uint32_t message, sl_ns at)
{
    const struct sl_sim_message *m = sl_slab_at(&n->messages, message);
    sl_sim_engine_push(n->engine, at,
                       (struct sl_sim_event){ .kind = SL_SIM_EVENT_DELIVER, .host = m->to, .a = message });
}

/* Of size bytes, outside of any stream. */
static void net_send_copy(struct sl_sim_net *n, uint32_t message, uint32_t size, uint64_t object, uint64_t count)
{
    uint32_t handle;
    const struct sl_sim_message original = *(const struct sl_sim_message *)sl_slab_at(&n->messages, message);
    uint8_t *bytes = sl_sim_net_new(n, size, &handle);
    struct sl_sim_message *copy = sl_slab_at(&n->messages, handle);
    memcpy(bytes, original.bytes, size);
    *copy = original;
    copy->bytes = bytes;
    copy->size = size;
    copy->is_stale = true;
    net_push(n, handle,
             n->engine->now + sl_sim_between(n->engine, SL_SIM_DRAW_COPY, object, 2 * count + 1, n->opts.delay_ns,
                                             n->opts.stale_ns));
}

static void net_send_garbage(struct sl_sim_net *n, uint32_t message, uint64_t object, uint64_t count)
{
    uint32_t size = ((const struct sl_sim_message *)sl_slab_at(&n->messages, message))->size;
    if (size < 2 || !sl_sim_chance(n->engine, SL_SIM_DRAW_GARBAGE, object, 2 * count, n->opts.garbage_ppm))
        return;
    n->garbage_count++;
    net_send_copy(n, message,
                  1 + (uint32_t)(sl_sim_draw(n->engine, SL_SIM_DRAW_GARBAGE, object, 2 * count + 1) % (size - 1)),
                  object, count);
}

static void net_begin_stream(struct sl_sim_net *n, struct sl_sim_link *link)
{
    link->incarnation++;
    link->last_at = 0;
    n->break_count++;
}

void sl_sim_net_send(struct sl_sim_net *n, uint32_t message, const struct sl_sim_route *r)
{
    struct sl_sim_message *m = sl_slab_at(&n->messages, message);
    struct sl_sim_link *link = &n->links[net_link_index(n, r->from, r->to, r->lane)];
    uint64_t object = net_link_object(r->from, r->to, r->lane);
    uint64_t count = link->sent_count;
    bool is_lost = net_is_lost(n, link, r);
    link->sent_count++;
    n->sent_count++;
    if (is_lost) {
        n->lost_count++;
        sl_sim_net_free(n, message);
        return;
    }
    m->from = r->from;
    m->to = r->to;
    m->from_process = r->from_process;
    m->to_process = r->to_process;
    m->draw = (uint32_t)count;
    m->type = (uint8_t)r->type;
    m->lane = (uint8_t)r->lane;
    bool is_self = r->from == r->to;
    if (!is_self && sl_sim_chance(n->engine, SL_SIM_DRAW_RESET, object, 3 * count, n->opts.break_ppm))
        net_begin_stream(n, link);
    m->incarnation = link->incarnation;
    sl_ns at = n->engine->now + (is_self ? n->opts.self_ns : net_delay(n, object, count));
    at = at > link->stalled_until ? at : link->stalled_until;
    link->last_at = at > link->last_at ? at : link->last_at;
    if (!is_self && sl_sim_chance(n->engine, SL_SIM_DRAW_COPY, object, 2 * count, n->opts.copy_ppm)) {
        n->copy_count++;
        net_send_copy(n, message, ((struct sl_sim_message *)sl_slab_at(&n->messages, message))->size, object, count);
    }
    net_send_garbage(n, message, object, count);
    net_push(n, message, link->last_at);
}

const struct sl_sim_message *sl_sim_net_arrive(struct sl_sim_net *n, uint32_t message)
{
    struct sl_sim_message *m = sl_slab_at(&n->messages, message);
    const struct sl_sim_link *link = &n->links[net_link_index(n, m->from, m->to, m->lane)];
    if (m->is_stale || m->incarnation == link->incarnation)
        return m;
    uint64_t object = net_link_object(m->from, m->to, m->lane), count = m->draw;
    if (sl_sim_chance(n->engine, SL_SIM_DRAW_RESET, object, 3 * count + 1, NET_STALE_LOSS_PPM)) {
        n->lost_count++;
        sl_sim_net_free(n, message);
        return NULL;
    }
    m->is_stale = true;
    net_push(n, message,
             n->engine->now + sl_sim_between(n->engine, SL_SIM_DRAW_RESET, object, 3 * count + 2, n->opts.delay_ns,
                                             n->opts.stale_ns));
    return NULL;
}

void sl_sim_net_cut(struct sl_sim_net *n, uint32_t from, uint32_t to, bool is_cut)
{
    for (uint32_t lane = 0; lane < NET_LANES; lane++)
        n->links[net_link_index(n, from, to, lane)].is_cut = is_cut;
}

bool sl_sim_net_is_cut(const struct sl_sim_net *n, uint32_t from, uint32_t to)
{
    return n->links[net_link_index(n, from, to, SL_LANE_COMMAND)].is_cut;
}

void sl_sim_net_stall(struct sl_sim_net *n, uint32_t from, uint32_t to, sl_ns until)
{
    for (uint32_t lane = 0; lane < NET_LANES; lane++)
        n->links[net_link_index(n, from, to, lane)].stalled_until = until;
}

void sl_sim_net_break(struct sl_sim_net *n, uint32_t from, uint32_t to)
{
    for (uint32_t lane = 0; lane < NET_LANES; lane++)
        net_begin_stream(n, &n->links[net_link_index(n, from, to, lane)]);
}

bool sl_sim_net_lose(struct sl_sim_net *n, uint32_t from, uint32_t to, enum sl_msg_type type, uint32_t count)
{
    if (n->loss_count == SL_SIM_LOSSES_MAX)
        return false;
    n->losses[n->loss_count++] =
        (struct sl_sim_loss){ .from = (uint16_t)from, .to = (uint16_t)to, .type = (uint8_t)type, .left = count };
    return true;
}

void sl_sim_net_heal(struct sl_sim_net *n)
{
    size_t count = (size_t)n->host_count_max * n->host_count_max * NET_LANES;
    for (size_t i = 0; i < count; i++) {
        n->links[i].is_cut = false;
        n->links[i].stalled_until = 0;
    }
    n->loss_count = 0;
}
