/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_APP_SHELL_INTERNAL_H
#define SL_APP_SHELL_INTERNAL_H

#include "app/host.h"
#include "app/log.h"
#include "app/pulse.h"
#include "app/self_call.h"
#include "app/shell.h"
#include "edge/http/api.h"
#include "edge/loop/timer.h"
#include "edge/peer/listener.h"
#include "edge/peer/transport.h"
#include "engine/plane.h"
#include "port/store.h"

#include <stdatomic.h>

#define SL_SHELL_STATES(X)                                              \
    X(STARTING, GO(RUNNING) | GO(DRAINING) | GO(LEAVING) | GO(CLOSING)) \
    X(RUNNING, GO(DRAINING) | GO(LEAVING) | GO(CLOSING))                \
    X(DRAINING, GO(LEAVING) | GO(CLOSING))                              \
    X(LEAVING, GO(CLOSING))                                             \
    X(CLOSING, 0)

enum sl__shell_state {
#define SL_SHELL_STATE_ENUM(name, next) SL__SHELL_##name,
    SL_SHELL_STATES(SL_SHELL_STATE_ENUM)
#undef SL_SHELL_STATE_ENUM
};

/* Operations that the shell asks of the store for itself; the core's are smaller. */
#define SL__SHELL_OP_BIT (UINT64_C(1) << 63)

struct sl__shell_range { /* a read of the store for the API */
    struct sl__shell_range *next;
    sl_op_id op;
    uint64_t ticket;
    bool is_refused; /* the store did not take it; the API is told at the end of the turn */
};

/* When an operation was submitted. One that another has taken the place of is not measured. */
struct sl__shell_op {
    sl_op_id id;
    sl_ns at;
};
enum { SL__SHELL_OPS = 1024 };

/* How far a stop has come. */
struct sl__shell_stop {
    sl_ns late_at;    /* when the present state is given up */
    sl_ns ask_at;     /* when the drain is asked for again */
    bool is_accepted; /* the drain runs */
    enum sl_exit exit;
    struct sl_self_call *call;
    char blocker[160];  /* what held the drain up when it was last looked at */
    sl_ns nobody_since; /* no other node can take the work; SL_NEVER: one can */
};

struct sl_shell {
    struct sl_options *options;
    int argc; /* to read the options again */
    char *const *argv;
    struct sl_complaint *complaint;
    enum sl__shell_state state;
    uv_loop_t loop;
    struct sl_params params;
    struct sl_log *log;
    struct sl_journal *journal;
    struct sl_tls *tls;
    struct sl_host *host;
    struct sl_store *store;
    struct sl_transport *transport;
    struct sl_listener *listener;
    struct sl_plane *plane;
    struct sl_api *api;
    struct sl_turn *turn;    /* inputs that wait, and the end */
    struct sl_timer *second; /* what is looked at every second or sooner */
    int tick_fd;             /* the core's deadline, on a clock that goes on while the machine sleeps */
    sl_ns tick_at;
    uv_poll_t tick;
    uv_async_t plane_wake;
    _Atomic sl_ns lease_until; /* for the threads that write */
    uv_signal_t signals[3];
    uint64_t generation; /* of the member set that the transport has */
    bool has_peers, is_ready, is_closing_begun;
    sl_ns started_at;
    uint64_t watchdog_usec;
    struct sl__shell_range *ranges;
    uint64_t range_count;
    char store_trouble[sizeof(
        ((struct sl_err *)0)->text)];            /* the last word of a store that cannot be used; else empty */
    uint64_t op_counts[SL_STORE_LEASE_GONE + 1]; /* of the store, by outcome */
    struct sl__shell_op ops[SL__SHELL_OPS];      /* in flight, by the last bits of their id */
    struct sl_histogram op_seconds, step_seconds, lag_seconds, move_seconds;
    struct sl_pulse *pulse;
    sl_ns stall, stall_end; /* the last time the loop stood still for a third of the lease */
    uint64_t slow_count;    /* operations of the store that took that long and that no line has told of */
    sl_ns slow_quiet_until;
    uint64_t event_counts[SL_LEVEL_ERROR + 1];
    struct sl__shell_stop stop;
};

sl_ns sl__shell_now(void *ctx); /* CLOCK_BOOTTIME */

/* ---- shell.c ---- */

/* The one door for inputs: steps the core and looks at what changed. */
void sl__shell_input(struct sl_shell *s, const struct sl_input *in);
void sl__shell_go(struct sl_shell *s, enum sl__shell_state to);
/* Everything is closed at the end of this turn of the loop. why: null if the process was asked to. */
void sl__shell_close(struct sl_shell *s, enum sl_exit exit, const char *why);

/* ---- shell_port.c: between the core and what surrounds it ---- */

void sl__shell_host_port(struct sl_shell *s, struct sl_host_port *port);
void sl__shell_store_client(struct sl_shell *s, struct sl_store_client *client);
void sl__shell_transport_client(struct sl_shell *s, struct sl_transport_client *client);
void sl__shell_plane_client(struct sl_shell *s, struct sl_plane_client *client);
void sl__shell_on_store_health(void *ctx, const struct sl_err *e);
/* Gives the transport the present members, if they changed. */
void sl__shell_set_peers(struct sl_shell *s);

/* ---- shell_api.c: what the API asks and shows ---- */

void sl__shell_api_port(struct sl_shell *s, struct sl_api_port *port);
void sl__shell_refuse_ranges(struct sl_shell *s);
void sl__shell_on_range(struct sl_shell *s, const struct sl_store_result *r);

/* ---- shell_open.c: from options to parts ---- */

bool sl__shell_init_handles(struct sl_shell *s);
bool sl__shell_open(struct sl_shell *s);
/* After the loop has ended. */
void sl__shell_deinit(struct sl_shell *s);

/* ---- shell_stop.c: signals, drain before the stop, leaving ---- */

bool sl__shell_stop_open(struct sl_shell *s);
/* A signal, or POST /api/v2/stop. without_drain: drain_on_stop does not count, such as when the whole cluster stops. */
void sl__shell_stop_ask(struct sl_shell *s, const char *cause, bool without_drain);
/* The coordinator's word: the node is drained, and its drain was to stop it. Nothing if it leaves already. */
void sl__shell_stop_ordered(struct sl_shell *s);
void sl__shell_stop_tick(struct sl_shell *s);
void sl__shell_stop_close(struct sl_shell *s);
/* When stop_tick has something to do; SL_NEVER. */
sl_ns sl__shell_stop_deadline(const struct sl_shell *s);

/* ---- shell_pulse.c: what keeps the node from renewing its lease ---- */

bool sl__shell_pulse_open(struct sl_shell *s);
void sl__shell_pulse_close(struct sl_shell *s);
/* The store has answered an operation of port_store. */
void sl__shell_on_op_done(struct sl_shell *s, const struct sl_store_result *r);
/* Logs the likely cause and closes. */
void sl__shell_say_why_fenced(struct sl_shell *s);

/* ---- shell_reload.c ---- */

void sl__shell_reload(struct sl_shell *s);

#endif
