/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/watch.h"

#include "cli/progress.h"
#include "cli/signals.h"
#include "wire/values.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WATCH_TICK_MS 500
#define WATCH_STREAM_SILENT_MS 6000 /* the server shows a sign of life more often */
#define WATCH_POLL_MS 250           /* without events, as while the coordinator changes */
#define WATCH_POLL_TIMEOUT_MS 3000
#define WATCH_GIVE_UP_MS 180000 /* nobody answers for that long */
#define WATCH_LINE_MS 5000
#define WATCH_LINE_SAME_MS 30000
#define WATCH_EXIT_MS 60000 /* a node that is safe and told to stop is gone before */
#define WATCH_UNKNOWN_MAX 3

struct watch {
    struct sl_cli *c;
    const struct sl_cli_watch_opts *opts;
    struct json_object *json; /* the last one; owned */
    struct sl_cli_drain drain;
    bool has_drain, deadline_was_ahead, is_first_seen;
    bool stream_gave; /* an event, since it was opened */
    uint64_t start_ms, heard_ms, poll_ms, safe_ms, moved_ms, moved_left;
    char moved_phase[16];
    unsigned unknown_count;
    struct sl_cli_rate rate;
    struct sl_cli_buf path, events_path;
    size_t drawn_lines;
    uint64_t line_ms;
    struct sl_cli_buf last_key, last_line;
};

static uint64_t watch_wall_ms(void)
{
    struct timespec t;
    SL_REQUIRE(clock_gettime(CLOCK_REALTIME, &t) == 0);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* ---- what it means ---- */

static bool watch_is(const char *phase, enum sl_drain_phase p)
{
    return strcmp(phase, sl_drain_phase_name(p)) == 0;
}

int sl_cli_watch_verdict(const struct sl_cli_drain *d, const struct sl_cli_watch_opts *opts,
                         const struct sl_cli_watch_clock *clock)
{
    if (sl_cli_drain_was_safe(d)) {
        bool is_there = watch_is(d->phase, SL_DRAIN_SAFE);
        if (is_there && opts->waits_for_exit && !clock->exit_waited)
            return -1;
        return d->proof_reference ? SL_CLI_EXIT_REFERENCE : SL_CLI_EXIT_OK;
    }
    if (d->cancelled || watch_is(d->phase, SL_DRAIN_CANCELLED)) {
        bool by_deadline = d->cancel_at_deadline && clock->deadline_passed;
        return by_deadline ? SL_CLI_EXIT_DEADLINE : SL_CLI_EXIT_CANCELLED;
    }
    if (watch_is(d->phase, SL_DRAIN_FAILED) || watch_is(d->phase, SL_DRAIN_CLEARING) ||
        watch_is(d->phase, SL_DRAIN_DONE))
        return SL_CLI_EXIT_FAILED;
    if (clock->deadline_passed && !d->cancel_at_deadline)
        return SL_CLI_EXIT_DEADLINE;
    return clock->blocked_too_long ? SL_CLI_EXIT_BLOCKED : -1;
}

static const char *watch_result_name(int exit)
{
    switch ((enum sl_cli_exit)exit) {
    case SL_CLI_EXIT_OK:
        return "safe";
    case SL_CLI_EXIT_FAILED:
        return "failed";
    case SL_CLI_EXIT_USAGE:
        return "usage";
    case SL_CLI_EXIT_DEADLINE:
        return "deadline";
    case SL_CLI_EXIT_CANCELLED:
        return "cancelled";
    case SL_CLI_EXIT_BLOCKED:
        return "blocked";
    case SL_CLI_EXIT_REFERENCE:
        return "reference";
    case SL_CLI_EXIT_DETACHED:
        return "detached";
    case SL_CLI_EXIT_DRY_RUN:
        return "dry_run";
    }
    return "failed";
}

static void watch_conclude_json(struct sl_cli *c, int exit, struct json_object *drain)
{
    struct json_object *result = json_object_new_object();
    json_object_object_add(result, "result", json_object_new_string(watch_result_name(exit)));
    json_object_object_add(result, "exit_code", json_object_new_int(exit));
    json_object_object_add(result, "drain", json_object_get(drain));
    sl_cli_print_json(c, result);
    json_object_put(result);
}

static void watch_how_to_go_on(struct sl_cli_buf *b, const struct sl_cli_drain *d)
{
    sl_cli_addf(b, "  watch it:  sluice drain watch %s\n  cancel it: sluice node undrain %s\n", d->id,
                sl_cli_drain_node(d));
}

static void watch_say_safe(struct sl_cli_buf *b, const struct sl_cli_drain *d, bool is_proved)
{
    const char *node = sl_cli_drain_node(d);
    bool has_left = !watch_is(d->phase, SL_DRAIN_SAFE);
    if (!is_proved)
        sl_cli_addf(b, "%s is drained, as far as the other nodes can tell (proof=reference): look before you stop it",
                    node);
    else if (has_left)
        sl_cli_addf(b, "%s was proved safe to stop and has left the cluster", node);
    else if (d->stop_node)
        sl_cli_addf(b, "%s is safe to stop, but has not exited by itself: stop it", node);
    else
        sl_cli_addf(b, "%s is safe to stop: nothing is left on it, and nothing will be placed there", node);
    if (d->elapsed_ms.is_known) {
        sl_cli_add(b, " (");
        sl_cli_add_ms(b, d->elapsed_ms.v);
        sl_cli_add(b, ")");
    }
    sl_cli_add(b, "\n");
}

static void watch_say_end(struct sl_cli_buf *b, int exit, const struct sl_cli_drain *d)
{
    const char *node = sl_cli_drain_node(d);
    if (exit == SL_CLI_EXIT_OK || exit == SL_CLI_EXIT_REFERENCE) {
        watch_say_safe(b, d, exit == SL_CLI_EXIT_OK);
    } else if (exit == SL_CLI_EXIT_CANCELLED) {
        sl_cli_addf(b, "the drain of %s was cancelled: it takes work again; do not stop it\n", node);
    } else if (exit == SL_CLI_EXIT_DEADLINE && d->cancelled) {
        sl_cli_addf(b, "the deadline passed and the drain of %s was cancelled: it takes work again\n", node);
    } else if (exit == SL_CLI_EXIT_FAILED) {
        sl_cli_addf(b, "%s left before it was safe to stop; the other nodes take over its work as after a crash\n",
                    node);
    } else {
        sl_cli_addf(b, "%s is not safe to stop yet, and its drain goes on: ", node);
        const char *blocked = exit == SL_CLI_EXIT_BLOCKED ? "it makes no progress; " : "";
        sl_cli_add(b, exit == SL_CLI_EXIT_DEADLINE ? "the deadline passed; " : blocked);
        sl_cli_progress_blocker(b, d);
        sl_cli_add(b, "\n");
        watch_how_to_go_on(b, d);
    }
}

void sl_cli_watch_conclude(struct sl_cli *c, int exit, const struct sl_cli_drain *d, struct json_object *json)
{
    struct sl_cli_buf b = { 0 };
    if (c->is_json) {
        watch_conclude_json(c, exit, json);
        return;
    }
    if (exit == SL_CLI_EXIT_DETACHED) {
        sl_cli_addf(&b, "detached: the drain of %s goes on in the cluster; it is not safe to stop yet\n",
                    sl_cli_drain_node(d));
        watch_how_to_go_on(&b, d);
    } else {
        watch_say_end(&b, exit, d);
    }
    (void)fflush(c->out);
    if (exit == SL_CLI_EXIT_OK || exit == SL_CLI_EXIT_DETACHED)
        sl_cli_print(c, &b);
    else
        (void)fputs(b.ptr, c->err);
    sl_cli_buf_free(&b);
}

/* ---- what is shown ---- */

static struct sl_cli_number watch_deadline_in(const struct watch *w, uint64_t now_ms)
{
    uint64_t spent_ms = now_ms - w->start_ms, wall_ms = watch_wall_ms();
    if (w->opts->deadline_in_ms > 0) /* of our own clock: the cluster's may be another */
        return (struct sl_cli_number){ true,
                                       spent_ms < w->opts->deadline_in_ms ? w->opts->deadline_in_ms - spent_ms : 0 };
    if (w->drain.deadline_ms == 0)
        return (struct sl_cli_number){ 0 };
    return (struct sl_cli_number){ true, wall_ms < w->drain.deadline_ms ? w->drain.deadline_ms - wall_ms : 0 };
}

static void watch_fill(const struct watch *w, struct sl_cli_progress *p, char *contact, size_t contact_size)
{
    uint64_t now_ms = sl_cli_now_ms(), silent_ms = now_ms - w->heard_ms;
    contact[0] = '\0';
    if (silent_ms > WATCH_POLL_TIMEOUT_MS + WATCH_POLL_MS)
        (void)snprintf(contact, contact_size, "no answer for %" PRIu64 " s: the drain goes on, asking other nodes",
                       silent_ms / 1000);
    *p = (struct sl_cli_progress){
        .has_colour = w->c->has_colour,
        .width = sl_cli_columns(w->c),
        .elapsed_ms = w->drain.elapsed_ms.is_known ? w->drain.elapsed_ms.v + silent_ms : now_ms - w->start_ms,
        .eta_ms = w->drain.eta_ms.is_known ? w->drain.eta_ms : sl_cli_rate_eta(&w->rate, now_ms),
        .deadline_in_ms = watch_deadline_in(w, now_ms),
        .contact = contact,
    };
}

static void watch_erase(struct watch *w)
{
    if (w->drawn_lines > 0)
        (void)fprintf(w->c->out, "\033[%zuA\r\033[J", w->drawn_lines);
    w->drawn_lines = 0;
}

static void watch_draw(struct watch *w)
{
    struct sl_cli_progress p;
    struct sl_cli_buf b = { 0 };
    char contact[120];
    watch_fill(w, &p, contact, sizeof contact);
    sl_cli_progress_block(&b, &w->drain, &p);
    watch_erase(w);
    for (const char *s = b.ptr; *s != '\0'; s++)
        w->drawn_lines += *s == '\n';
    sl_cli_print(w->c, &b);
    sl_cli_buf_free(&b);
}

static void watch_stamp(struct sl_cli_buf *b)
{
    char text[32];
    struct tm local;
    time_t now = time(NULL);
    bool ok = localtime_r(&now, &local) && strftime(text, sizeof text, "%H:%M:%S ", &local) > 0;
    sl_cli_add(b, ok ? text : "");
}

/* A line when the phase or the blocker changed, else every few seconds if anything did, else now and then. */
static void watch_line(struct watch *w)
{
    struct sl_cli_progress p;
    struct sl_cli_buf line = { 0 }, key = { 0 };
    char contact[120];
    uint64_t now_ms = sl_cli_now_ms(), age_ms = now_ms - w->line_ms;
    watch_fill(w, &p, contact, sizeof contact);
    sl_cli_addf(&key, "%s %s %d", w->drain.phase, w->drain.blocker, contact[0] != '\0');
    sl_cli_progress_line(&line, &w->drain, &p);
    bool is_new = !w->last_key.ptr || strcmp(key.ptr, w->last_key.ptr) != 0;
    bool is_other = !w->last_line.ptr || strcmp(line.ptr, w->last_line.ptr) != 0;
    if (is_new || (is_other && age_ms >= WATCH_LINE_MS) || age_ms >= WATCH_LINE_SAME_MS) {
        struct sl_cli_buf out = { 0 };
        watch_stamp(&out);
        sl_cli_addf(&out, "%s\n", line.ptr);
        sl_cli_print(w->c, &out);
        sl_cli_buf_free(&out);
        sl_cli_buf_clear(&w->last_key);
        sl_cli_buf_clear(&w->last_line);
        sl_cli_add(&w->last_key, key.ptr);
        sl_cli_add(&w->last_line, line.ptr);
        w->line_ms = now_ms;
    }
    sl_cli_buf_free(&line);
    sl_cli_buf_free(&key);
}

static void watch_show(struct watch *w)
{
    if (!w->has_drain || w->c->is_json)
        return;
    if (w->c->is_live)
        watch_draw(w);
    else
        watch_line(w);
}

/* ---- what is heard ---- */

static void watch_progress(struct watch *w, uint64_t now_ms)
{
    uint64_t left = sl_cli_drain_left(&w->drain);
    bool moved = !w->is_first_seen || left < w->moved_left || strcmp(w->moved_phase, w->drain.phase) != 0;
    if (moved) {
        w->moved_ms = now_ms;
        w->moved_left = left;
        memcpy(w->moved_phase, w->drain.phase, sizeof w->moved_phase);
    }
    if (!w->is_first_seen)
        w->deadline_was_ahead = watch_deadline_in(w, now_ms).v > 0;
    w->is_first_seen = true;
    if (sl_cli_drain_was_safe(&w->drain) && w->safe_ms == 0)
        w->safe_ms = now_ms;
    sl_cli_rate_see(&w->rate, now_ms, w->drain.dispatchers.v + w->drain.maintainers.v);
}

/* Takes over json if it is the drain. */
static void watch_take(struct watch *w, struct json_object *json)
{
    struct sl_cli_drain drain;
    struct json_object *nested = sl_cli_member(json, "drain");
    if (!sl_cli_drain_decode(&drain, nested ? nested : json) || strcmp(drain.id, w->opts->id) != 0)
        return;
    uint64_t now_ms = sl_cli_now_ms();
    json_object_get(nested ? nested : json);
    json_object_put(w->json);
    w->json = nested ? nested : json;
    for (size_t i = 0; i < drain.slow_count; i++)
        sl_cli_clean(drain.slow[i].waits_for, sizeof drain.slow[i].waits_for,
                     sl_cli_nodes_name(w->opts->nodes, drain.slow[i].waits_for));
    w->drain = drain;
    w->has_drain = true;
    w->heard_ms = now_ms;
    w->unknown_count = 0;
    watch_progress(w, now_ms);
    if (w->opts->prints_changes && w->c->is_json)
        sl_cli_print_json(w->c, w->json);
}

static void watch_poll(struct watch *w)
{
    struct sl_cli_answer a;
    const struct sl_cli_call call = { .method = "GET",
                                      .path = w->path.ptr,
                                      .is_idempotent = true,
                                      .is_single = true,
                                      .timeout_ms = WATCH_POLL_TIMEOUT_MS };
    sl_cli_client_call(w->c->client, &call, &a);
    w->poll_ms = sl_cli_now_ms() + WATCH_POLL_MS;
    if (sl_cli_answer_is_good(&a))
        watch_take(w, a.json);
    else if (a.reach == SL_CLI_ANSWERED && a.status == 404)
        w->unknown_count++;
    else if (a.reach == SL_CLI_ANSWERED)
        sl_cli_client_rotate(w->c->client); /* it lives but cannot say: perhaps another one can */
    sl_cli_answer_deinit(&a);
}

static void watch_open_stream(struct watch *w)
{
    w->stream_gave = false;
    sl_cli_stream_open(w->c->client, w->events_path.ptr);
}

/* A stream that worked and broke is replaced at once; where there are none the drain is asked for at its own pace. */
static void watch_leave_stream(struct watch *w)
{
    sl_cli_stream_close(w->c->client);
    sl_cli_client_rotate(w->c->client);
    if (w->stream_gave)
        w->poll_ms = sl_cli_now_ms();
}

static void watch_listen(struct watch *w)
{
    const char *data = NULL;
    bool is_open = sl_cli_stream_is_open(w->c->client);
    uint64_t now_ms = sl_cli_now_ms(), until_poll_ms = w->poll_ms > now_ms ? w->poll_ms - now_ms : 0;
    uint64_t patience_ms = !is_open && until_poll_ms < WATCH_TICK_MS ? until_poll_ms : WATCH_TICK_MS;
    enum sl_cli_stream_state state = sl_cli_stream_next(w->c->client, patience_ms, &data);
    uint64_t silent_ms = sl_cli_now_ms() - sl_cli_stream_heard_ms(w->c->client);
    bool is_dead = state == SL_CLI_STREAM_ENDED || (is_open && silent_ms > WATCH_STREAM_SILENT_MS);
    if (state == SL_CLI_STREAM_EVENT) {
        struct json_object *json = json_tokener_parse(data);
        w->stream_gave = true;
        watch_take(w, json);
        json_object_put(json);
    } else if (is_dead) {
        watch_leave_stream(w);
    }
}

static void watch_step(struct watch *w)
{
    watch_listen(w);
    if (sl_cli_stream_is_open(w->c->client) || sl_cli_now_ms() < w->poll_ms || sl_cli_signals_seen())
        return;
    watch_poll(w);
    watch_open_stream(w);
}

/* ---- the whole ---- */

static int watch_verdict(const struct watch *w)
{
    uint64_t now_ms = sl_cli_now_ms();
    struct sl_cli_number deadline = watch_deadline_in(w, now_ms);
    const struct sl_cli_watch_clock clock = {
        .deadline_passed = deadline.is_known && deadline.v == 0 && (w->deadline_was_ahead || w->drain.cancelled),
        .blocked_too_long = w->opts->fail_if_blocked_ms > 0 && now_ms - w->moved_ms >= w->opts->fail_if_blocked_ms,
        .exit_waited = w->safe_ms > 0 && now_ms - w->safe_ms >= WATCH_EXIT_MS,
    };
    return w->has_drain ? sl_cli_watch_verdict(&w->drain, w->opts, &clock) : -1;
}

static int watch_lost(struct watch *w)
{
    watch_erase(w);
    if (w->unknown_count >= WATCH_UNKNOWN_MAX)
        return sl_cli_fail(w->c, SL_CLI_EXIT_FAILED, "drain watch", "the cluster does not know this drain (any more)",
                           "'sluice drain list --all' shows those it knows");
    return sl_cli_fail(w->c, SL_CLI_EXIT_FAILED, "drain watch", "no node answers for three minutes",
                       "the drain goes on without us: give other nodes with --server");
}

static int watch_loop(struct watch *w)
{
    for (;;) {
        int exit = watch_verdict(w);
        bool is_interrupted = exit < 0 && sl_cli_signals_seen();
        if (exit >= 0 || (is_interrupted && w->has_drain)) {
            exit = exit >= 0 ? exit : SL_CLI_EXIT_DETACHED;
            watch_erase(w);
            sl_cli_watch_conclude(w->c, exit, &w->drain, w->json);
            return exit;
        }
        if (is_interrupted)
            return sl_cli_fail(w->c, SL_CLI_EXIT_DETACHED, "drain watch", "interrupted", "the drain goes on");
        if (w->unknown_count >= WATCH_UNKNOWN_MAX || sl_cli_now_ms() - w->heard_ms > WATCH_GIVE_UP_MS)
            return watch_lost(w);
        watch_show(w);
        watch_step(w);
    }
}

int sl_cli_watch_run(struct sl_cli *c, const struct sl_cli_watch_opts *opts)
{
    struct watch w = { .c = c, .opts = opts, .start_ms = sl_cli_now_ms() };
    w.heard_ms = w.poll_ms = w.start_ms;
    sl_cli_add(&w.path, "/api/v2/drains/");
    sl_cli_add_path(&w.path, opts->id);
    sl_cli_addf(&w.events_path, "%s/events", w.path.ptr);
    if (opts->first) {
        watch_take(&w, opts->first);
        w.poll_ms = w.start_ms + WATCH_POLL_MS;
        watch_open_stream(&w);
    }
    int exit = watch_loop(&w);
    sl_cli_stream_close(c->client);
    json_object_put(w.json);
    sl_cli_buf_free(&w.path);
    sl_cli_buf_free(&w.events_path);
    sl_cli_buf_free(&w.last_key);
    sl_cli_buf_free(&w.last_line);
    return exit;
}
