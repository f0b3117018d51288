/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_SIM_CLIENT_H
#define SL_SIM_CLIENT_H

#include "core/common/request.h"
#include "sim/engine.h"

/*
 * The operator of a whole cluster: asks any node for what it wants, asks another one when it is not answered or sent
 * away, follows its drains, and stops the process of a node when it is told that this is safe.
 *
 *     CREATE   WANTED ------------------------------> DONE
 *     UNDRAIN  WANTED ------------------------------> DONE
 *     DRAIN    WANTED --> FOLLOWED --(target left)--> DONE
 */
#define SL_SIM_WISHES_MAX 64u

enum sl_sim_wish_kind { SL_SIM_WISH_CREATE, SL_SIM_WISH_DRAIN, SL_SIM_WISH_UNDRAIN, SL_SIM_WISH_RESIGN };
enum sl_sim_wish_state { SL_SIM_WISH_WANTED, SL_SIM_WISH_FOLLOWED, SL_SIM_WISH_DONE };

struct sl_sim_wish {
    enum sl_sim_wish_kind kind;
    enum sl_sim_wish_state state;
    uint32_t feed;            /* CREATE */
    struct sl_node_id target; /* DRAIN, UNDRAIN */
    char drain[SL_DRAIN_ID_MAX + 1];
    enum sl_drain_phase phase;   /* of its last answer */
    bool was_safe, is_kept;      /* kept: the process is not stopped when it is safe */
    bool is_stopped;             /* it was */
    sl_ns asked_at, ask_next_at; /* the open request; the next one */
    sl_ns safe_at, done_at;
    uint64_t ticket;   /* of the open request; 0 */
    uint32_t host;     /* that is asked */
    enum sl_code code; /* of the last answer */
    char why[240];     /* what it waits for, in the words of the last answer */
    sl_ns why_at;
};

struct sl_sim_client {
    struct sl_sim_wish wishes[SL_SIM_WISHES_MAX];
    uint32_t wish_count, drain_count;
    uint64_t ticket_last;
    uint64_t asked_count, answered_count, sent_away_count;
    bool is_ticking;
};

struct sl_sim;
struct sl_sim_host;

/* Each wish is asked for from now on; its number. */
uint32_t sl_sim_client_create(struct sl_sim *sim, uint32_t feed);
uint32_t sl_sim_client_drain(struct sl_sim *sim, const struct sl_node_id *target);
uint32_t sl_sim_client_undrain(struct sl_sim *sim, const struct sl_node_id *target);
uint32_t sl_sim_client_resign(struct sl_sim *sim);

/* CLIENT event: looks after all wishes. REQUEST event: a request reaches a host. SL_OUT_REPLY: an answer. */
void sl_sim_client_on_tick(struct sl_sim *sim);
void sl_sim_client_arrive(struct sl_sim_host *h, uint32_t wish, uint32_t ticket);
void sl_sim_client_on_reply(struct sl_sim_host *h, const struct sl_reply *reply);

/* No wish is open, but drains that name what blocks them. */
bool sl_sim_client_is_content(const struct sl_sim *sim, char *why, size_t why_size);

#endif
