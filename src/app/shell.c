/* SPDX-License-Identifier: Apache-2.0 */
#include "app/shell_internal.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

enum { SHELL_INPUTS_PER_TURN = 256, SHELL_CLOSE_SECONDS = 20 };

sl_ns sl__shell_now(void *ctx)
{
    struct timespec ts;
    (void)ctx;
    clock_gettime(CLOCK_BOOTTIME, &ts);
    return (sl_ns)ts.tv_sec * SL_S + (sl_ns)ts.tv_nsec;
}

/* ---- states ---- */

struct shell_state_row {
    const char *name;
    uint32_t next;
};

#define GO(name) (1u << SL__SHELL_##name)
static const struct shell_state_row shell_states[] = {
#define SL_SHELL_STATE_ROW(name_, next_) [SL__SHELL_##name_] = { .name = #name_, .next = (next_) },
    SL_SHELL_STATES(SL_SHELL_STATE_ROW)
#undef SL_SHELL_STATE_ROW
};
#undef GO

void sl__shell_go(struct sl_shell *s, enum sl__shell_state to)
{
    SL_REQUIRE((shell_states[s->state].next & 1u << to) != 0);
    s->state = to;
    sd_notifyf(0, "STATUS=%s", shell_states[to].name);
}

/* ---- the core's deadline ---- */

/* A timer of the system instead of the loop's: after a sleep of the machine it fires at once, not a lease later. */
static void shell_arm_tick(struct sl_shell *s)
{
    sl_ns due = sl_node_deadline(sl_host_node(s->host));
    if (due == s->tick_at)
        return;
    s->tick_at = due;
    due = due < 1 ? 1 : due; /* 0 would disarm */
    struct itimerspec at = { 0 };
    if (due != SL_NEVER) {
        at.it_value.tv_sec = (time_t)(due / SL_S);
        at.it_value.tv_nsec = (long)(due % SL_S);
    }
    SL_REQUIRE(timerfd_settime(s->tick_fd, TFD_TIMER_ABSTIME, &at, NULL) == 0);
}

static void shell_on_tick(uv_poll_t *poll, int status, int events)
{
    struct sl_shell *s = poll->data;
    uint64_t count;
    (void)events;
    ssize_t n = read(s->tick_fd, &count, sizeof count);
    if (status != 0 || n != (ssize_t)sizeof count)
        return;
    s->tick_at = SL_NEVER;
    struct sl_input in = { .kind = SL_IN_TICK };
    sl__shell_input(s, &in);
}

/* ---- after a step ---- */

static void shell_on_joined(struct sl_shell *s)
{
    s->is_ready = true;
    sl_log_app(s->log, SL_APP_READY, sl_f_str("id", sl_node_id_str(&s->params.id)),
               sl_f_str("address", sl_str_of(s->params.address)));
    if (s->state == SL__SHELL_STARTING)
        sl__shell_go(s, SL__SHELL_RUNNING);
    sd_notify(0, "READY=1");
}

static void shell_look(struct sl_shell *s)
{
    struct sl_membership_view view;
    if (s->state == SL__SHELL_CLOSING)
        return;
    sl_membership_view(sl_node_membership(sl_host_node(s->host)), &view);
    if (view.fenced)
        sl__shell_say_why_fenced(s);
    else if (s->state == SL__SHELL_LEAVING && sl_node_has_left(sl_host_node(s->host)))
        sl__shell_close(s, s->stop.exit, NULL);
    else if (view.joined && !s->is_ready)
        shell_on_joined(s);
    if (view.generation != s->generation || !s->has_peers)
        sl__shell_set_peers(s);
    atomic_store(&s->lease_until, sl_membership_lease_until(sl_node_membership(sl_host_node(s->host))));
    shell_arm_tick(s);
    if (sl_host_has_waiting(s->host))
        sl_turn_wake(s->turn);
    if (sl_node_wants_stop(sl_host_node(s->host)))
        sl__shell_stop_ordered(s); /* a step of its own: nothing here follows it */
}

void sl__shell_input(struct sl_shell *s, const struct sl_input *in)
{
    if (s->state == SL__SHELL_CLOSING)
        return;
    sl_host_input(s->host, in);
    shell_look(s);
}

/* ---- the end ---- */

static void shell_on_part_closed(void *ctx)
{
    (void)ctx;
}

/*
 * The end must come: whoever supervises the process waits for it, and a part may hang in a call that nothing interrupts.
 * By signal, because such a call may be made in the loop's own thread.
 */
static volatile sig_atomic_t shell_exit_code;

static void shell_on_alarm(int number)
{
    static const char text[] = "sluiced: parts of it did not end in time; it ends without them\n";
    (void)number;
    ssize_t n = write(STDERR_FILENO, text, sizeof text - 1);
    (void)n;
    _exit(shell_exit_code);
}

static void shell_limit_closing(enum sl_exit exit)
{
    struct sigaction action = { .sa_handler = shell_on_alarm };
    shell_exit_code = (int)exit;
    sigemptyset(&action.sa_mask);
    sigaction(SIGALRM, &action, NULL);
    alarm(SHELL_CLOSE_SECONDS);
}

static void shell_begin_closing(struct sl_shell *s)
{
    s->is_closing_begun = true;
    shell_limit_closing(s->complaint->exit);
    if (s->plane)
        sl_plane_close(s->plane); /* first: from here on nothing reaches a sink */
    sl__shell_stop_close(s);
    sl_listener_close(s->listener);
    if (s->api)
        sl_api_close(s->api, shell_on_part_closed, s);
    sl_transport_close(s->transport);
    if (s->store)
        sl_store_close(s->store, shell_on_part_closed, s);
    sl__shell_pulse_close(s);
    sl_timer_free(s->second);
    sl_turn_free(s->turn);
    s->plane = NULL;
    s->listener = NULL;
    s->second = NULL;
    s->turn = NULL;
    uv_close((uv_handle_t *)&s->tick, NULL);
    uv_close((uv_handle_t *)&s->plane_wake, NULL);
}

void sl__shell_close(struct sl_shell *s, enum sl_exit exit, const char *why)
{
    if (s->state == SL__SHELL_CLOSING)
        return;
    s->stop.exit = exit;
    s->complaint->exit = exit;
    if (why)
        sl_complain(s->complaint, exit, "%s", why);
    sl__shell_go(s, SL__SHELL_CLOSING);
    sd_notify(0, "STOPPING=1");
    sl_turn_wake(s->turn);
}

static void shell_on_turn(void *ctx)
{
    struct sl_shell *s = ctx;
    if (s->state != SL__SHELL_CLOSING) {
        (void)sl_host_run(s->host, SHELL_INPUTS_PER_TURN);
        sl__shell_refuse_ranges(s);
        shell_look(s);
        return;
    }
    if (!s->is_closing_begun)
        shell_begin_closing(s);
}

/* ---- what is looked at now and then ---- */

static void shell_check_start(struct sl_shell *s)
{
    const struct sl_membership *m = sl_node_membership(sl_host_node(s->host));
    if (s->state != SL__SHELL_STARTING || sl__shell_now(NULL) < s->started_at + s->options->meta_timeout)
        return;
    /* With a lease the store works; then it is another node that holds this one up, and its event says so. */
    if (sl_membership_lease_until(m) != INT64_MIN)
        return;
    sl_log_app(s->log, SL_APP_STORE_TIMEOUT, sl_f_u64("after_ms", (uint64_t)(s->options->meta_timeout / SL_MS)));
    char why[2 * sizeof s->store_trouble];
    (void)snprintf(why, sizeof why, "the metadata store did not let the node in%s%s: look at --meta and at the store",
                   s->store_trouble[0] != '\0' ? ": " : "", s->store_trouble);
    sl__shell_close(s, SL_EXIT_STORE, why);
}

static void shell_check_journal(struct sl_shell *s)
{
    const char *end = s->journal ? sl_journal_take_end(s->journal) : NULL;
    if (end)
        sl_log_app(s->log, SL_APP_JOURNAL_ENDED, sl_f_str("reason", sl_str_of(end)));
}

static void shell_on_second(void *ctx)
{
    struct sl_shell *s = ctx;
    if (s->state == SL__SHELL_CLOSING)
        return;
    shell_check_start(s);
    shell_check_journal(s);
    if (!s->has_peers)
        sl__shell_set_peers(s);
    if (s->watchdog_usec > 0)
        sd_notify(0, "WATCHDOG=1");
    sl__shell_stop_tick(s);
    sl_timer_arm(s->second, sl_ns_min(sl_loop_now() + SL_S, sl__shell_stop_deadline(s)));
}

/* ---- running ---- */

static const double shell_seconds[] = { 1e-5, 1e-4, 1e-3, 2e-3, 5e-3, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10 };

static void shell_close_handle(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

/* After a failure: the handles that are part of the shell are closed as far as they were made. */
static void shell_undo_loop(struct sl_shell *s)
{
    sl__shell_pulse_close(s);
    sl_timer_free(s->second);
    sl_turn_free(s->turn);
    uv_walk(&s->loop, shell_close_handle, NULL);
    while (uv_run(&s->loop, UV_RUN_DEFAULT) != 0) {
    }
    SL_EXPECT(uv_loop_close(&s->loop) == 0);
}

static bool shell_open_loop(struct sl_shell *s)
{
    uint64_t usec = 0;
    s->tick_fd = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
    if (s->tick_fd < 0 || uv_loop_init(&s->loop) != 0)
        return sl_complain(s->complaint, SL_EXIT_FAILED, "no event loop: too many open files, or no memory");
    s->turn = sl_turn_new(&s->loop, shell_on_turn, s);
    s->second = sl_timer_new(&s->loop, shell_on_second, s);
    if (!s->turn || !s->second || !sl__shell_pulse_open(s) || !sl__shell_init_handles(s)) {
        shell_undo_loop(s);
        return sl_complain(s->complaint, SL_EXIT_FAILED, "no timer: no memory");
    }
    SL_REQUIRE(uv_poll_init(&s->loop, &s->tick, s->tick_fd) == 0);
    s->tick.data = s;
    s->tick_at = SL_NEVER;
    s->watchdog_usec = sd_watchdog_enabled(0, &usec) > 0 ? usec : 0;
    return true;
}

static void shell_start(struct sl_shell *s)
{
    SL_REQUIRE(uv_poll_start(&s->tick, UV_READABLE, shell_on_tick) == 0);
    sl_timer_arm(s->second, sl_loop_now() + SL_S);
    s->started_at = sl__shell_now(NULL);
    struct sl_input in = { .kind = SL_IN_TICK };
    sl__shell_input(s, &in);
}

enum sl_exit sl_shell_run(struct sl_options *o, int argc, char *const *argv, struct sl_complaint *c)
{
    struct sl_shell *s = calloc(1, sizeof *s);
    if (!s) {
        sl_complain(c, SL_EXIT_FAILED, "no memory");
        return c->exit;
    }
    s->options = o;
    s->argc = argc;
    s->argv = argv;
    s->complaint = c;
    s->tick_fd = -1;
    s->op_seconds = s->step_seconds = s->lag_seconds = s->move_seconds =
        (struct sl_histogram){ .bounds = shell_seconds, .bound_count = sizeof shell_seconds / sizeof shell_seconds[0] };
    c->text[0] = '\0';
    if (!shell_open_loop(s)) {
        if (s->tick_fd >= 0)
            close(s->tick_fd);
        free(s);
        return c->exit;
    }
    if (sl__shell_open(s)) {
        shell_start(s);
    } else {
        s->state = SL__SHELL_CLOSING; /* what was opened so far is closed as ever */
        shell_begin_closing(s);
    }
    while (uv_run(&s->loop, UV_RUN_DEFAULT) != 0) {
    }
    enum sl_exit exit = c->exit;
    sl__shell_deinit(s);
    alarm(0);
    free(s);
    return exit;
}
