/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_SIM_NET_H
#define SL_SIM_NET_H

#include "sim/blocks.h"
#include "wire/message.h"

/*
 * The network: encoded envelopes on directed links between hosts, two lanes (event, command) per link as in the
 * protocol. What a stream over TCP can do to a message, and nothing else:
 *
 *   lost      alone (the sender's queue was full) or because the link is cut in this direction
 *   late      by the delay of the link, a spike, or a stall that holds everything
 *   reordered against the other lane, never inside one life of a stream
 *   stale     a stream breaks: what was under way is lost, or arrives after messages of its successor
 *   twice     a copy of an old stream arrives as well
 *
 * A host's messages to itself are never lost and keep their order, but they take time too.
 */
#define SL_SIM_HOST_MAX 256u

struct sl_sim_net_opts {
    sl_ns delay_ns, jitter_ns; /* delay .. delay + jitter */
    sl_ns self_ns;
    sl_ns spike_ns, stale_ns; /* at most; how late a spike, a message of a broken stream comes */
    uint32_t loss_ppm, copy_ppm, spike_ppm, break_ppm; /* per message */
    uint32_t garbage_ppm; /* a part of a message arrives as well, as from somebody who speaks the protocol badly */
};
#define SL_SIM_NET_OPTS_DEFAULT \
    ((struct sl_sim_net_opts){  \
        .delay_ns = 1 * SL_MS, .self_ns = 20 * SL_US, .spike_ns = 500 * SL_MS, .stale_ns = 2 * SL_S })

struct sl_sim_message {
    uint8_t *bytes;
    uint32_t size;
    uint32_t from_process, to_process;
    uint32_t incarnation; /* of the stream it travels in */
    uint32_t draw;        /* names its random choices */
    uint16_t from, to;    /* hosts */
    uint8_t lane, type;
    bool is_stale; /* outside of its stream: order means nothing any more */
};

struct sl_sim_link; /* one lane of a directed link */

struct sl_sim_loss { /* "lose the next CREATE from n1 to n2" */
    uint16_t from, to;
    uint8_t type;
    uint32_t left;
};
#define SL_SIM_LOSSES_MAX 16

struct sl_sim_net {
    struct sl_sim_engine *engine;
    struct sl_sim_net_opts opts;
    struct sl_sim_blocks blocks;
    struct sl_slab messages;
    struct sl_sim_link *links; /* host_count_max * host_count_max * 2 */
    uint32_t host_count_max;
    struct sl_sim_loss losses[SL_SIM_LOSSES_MAX];
    uint32_t loss_count;
    uint64_t sent_count, lost_count, copy_count, break_count, spike_count, garbage_count;
};

void sl_sim_net_init(struct sl_sim_net *n, struct sl_sim_engine *e, const struct sl_sim_net_opts *opts,
                     uint32_t host_count_max);
void sl_sim_net_deinit(struct sl_sim_net *n);

/* Room for a message of size bytes, to be filled before it is sent; its handle in *message. */
uint8_t *sl_sim_net_new(struct sl_sim_net *n, uint32_t size, uint32_t *message);

struct sl_sim_route {
    uint16_t from, to;                 /* hosts */
    uint32_t from_process, to_process; /* to_process 0: nobody is there, the message is lost */
    enum sl_msg_type type;
    enum sl_lane lane;
};
/* Takes the message. It comes out as one or more DELIVER events, or none. */
void sl_sim_net_send(struct sl_sim_net *n, uint32_t message, const struct sl_sim_route *route);

/*
 * A DELIVER event came: the message if it arrives now, valid until it is freed; a null pointer if its stream broke and
 * it was lost or comes later.
 */
const struct sl_sim_message *sl_sim_net_arrive(struct sl_sim_net *n, uint32_t message);
void sl_sim_net_free(struct sl_sim_net *n, uint32_t message);

/* One direction. A cut loses what is sent from now on; a stall holds it until then, in order. */
void sl_sim_net_cut(struct sl_sim_net *n, uint32_t from, uint32_t to, bool is_cut);
bool sl_sim_net_is_cut(const struct sl_sim_net *n, uint32_t from, uint32_t to);
void sl_sim_net_stall(struct sl_sim_net *n, uint32_t from, uint32_t to, sl_ns until);
/* Both lanes begin a new stream. */
void sl_sim_net_break(struct sl_sim_net *n, uint32_t from, uint32_t to);
/* Loses the next count messages of a type on a link. False: too many such orders. */
bool sl_sim_net_lose(struct sl_sim_net *n, uint32_t from, uint32_t to, enum sl_msg_type type, uint32_t count);
/* Ends all cuts, stalls and orders; the random faults of opts stay as they are. */
void sl_sim_net_heal(struct sl_sim_net *n);

#endif
