/* SPDX-License-Identifier: Apache-2.0 */
#include "app/shell_internal.h"

#include <json-c/json.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#define STOP_ASK_NS (250 * SL_MS)
#define STOP_LEAVE_NS (5 * SL_S)
#define STOP_NOBODY_NS \
    (2 * SL_S) /* so long nobody can take the work: a drain that is just being taken back is not that */
#define STOP_LEAVE_SHORT_NS (1 * SL_S)
enum { STOP_BODY_BYTES = 512, STOP_NOT_FOUND = 404 };

sl_ns sl__shell_stop_deadline(const struct sl_shell *s)
{
    if (s->state == SL__SHELL_DRAINING)
        return sl_ns_min(s->stop.late_at, s->stop.ask_at);
    return s->state == SL__SHELL_LEAVING ? s->stop.late_at : SL_NEVER;
}

/* ---- leaving ---- */

static void stop_leave(struct sl_shell *s, sl_ns patience)
{
    sl_self_call_close(s->stop.call);
    s->stop.call = NULL;
    sl__shell_go(s, SL__SHELL_LEAVING);
    sl_log_app(s->log, SL_APP_STOP_LEAVES, sl_f_u64("at_most_ms", (uint64_t)(patience / SL_MS)));
    s->stop.late_at = sl_loop_now() + patience;
    sl_timer_arm(s->second, s->stop.late_at);
    struct sl_input in = { .kind = SL_IN_LEAVE };
    sl__shell_input(s, &in);
}

/* ---- the drain before ---- */

/* What the owner says of a drain. */
struct stop_view {
    bool is_safe, is_over; /* over: cancelled or failed, it will not become safe */
    char blocker[160];
};

static struct json_object *stop_member(struct json_object *object, const char *key, json_type type)
{
    struct json_object *found;
    bool is_there = object && json_object_object_get_ex(object, key, &found) && json_object_is_type(found, type);
    return is_there ? found : NULL;
}

static void stop_read_view(struct stop_view *view, struct json_object *drain)
{
    struct json_object *safe = stop_member(drain, "safe_to_stop", json_type_boolean);
    struct json_object *phase = stop_member(drain, "phase", json_type_string);
    struct json_object *blocker = stop_member(drain, "blocker", json_type_object);
    struct json_object *text = stop_member(blocker, "text", json_type_string);
    struct json_object *detail = stop_member(blocker, "detail", json_type_string);
    const char *name = phase ? json_object_get_string(phase) : "";
    view->is_safe = safe && json_object_get_boolean(safe);
    view->is_over = strcmp(name, sl_drain_phase_name(SL_DRAIN_CANCELLED)) == 0 ||
                    strcmp(name, sl_drain_phase_name(SL_DRAIN_FAILED)) == 0;
    snprintf(view->blocker, sizeof view->blocker, "%s%s%s", text ? json_object_get_string(text) : "",
             detail && json_object_get_string_len(detail) > 0 ? ": " : "",
             detail ? json_object_get_string(detail) : "");
}

static void stop_parse_view(struct stop_view *view, struct sl_str body)
{
    struct json_tokener *tok = json_tokener_new();
    struct json_object *all = NULL;
    *view = (struct stop_view){ 0 };
    if (tok && body.len > 0 && body.len <= INT32_MAX)
        all = json_tokener_parse_ex(tok, body.ptr, (int)body.len);
    if (json_object_is_type(all, json_type_object))
        stop_read_view(view, all);
    json_object_put(all);
    if (tok)
        json_tokener_free(tok);
}

/*
 * What the owner says, and what this node knows of itself. The word of the owner alone is not enough: it may speak of an
 * earlier life of a node with this name.
 */
static bool stop_is_drained(struct sl_shell *s, const struct stop_view *view)
{
    struct sl_node *n = sl_host_node(s->host);
    struct sl_hosted hosted;
    sl_node_hosted(n, &hosted);
    return view->is_safe && sl_manager_liveness(sl_node_manager(n)) == SL_LIVENESS_STOPPING &&
           hosted.maintainers + hosted.dispatchers == 0;
}

/* One line for each change of what holds it up. */
static void stop_show_blocker(struct sl_shell *s, const struct stop_view *view)
{
    if (view->blocker[0] == '\0' || strcmp(view->blocker, s->stop.blocker) == 0)
        return;
    snprintf(s->stop.blocker, sizeof s->stop.blocker, "%s", view->blocker);
    sl_log_app(s->log, SL_APP_STOP_DRAIN_WAITS, sl_f_str("detail", sl_str_of(view->blocker)));
}

static void stop_on_answer(void *ctx, int status, struct sl_str body)
{
    struct sl_shell *s = ctx;
    struct stop_view view;
    s->stop.call = NULL;
    if (s->state != SL__SHELL_DRAINING)
        return;
    if (status < 200 || status >= 300) {
        struct sl_str detail = { body.ptr, body.len < 200 ? body.len : 200 };
        if (!s->stop.is_accepted)
            sl_log_app(s->log, SL_APP_STOP_DRAIN_REFUSED, sl_f_i64("status", status), sl_f_str("detail", detail));
        s->stop.is_accepted = s->stop.is_accepted && status != STOP_NOT_FOUND;
        return;
    }
    stop_parse_view(&view, body);
    s->stop.is_accepted = !view.is_over;
    stop_show_blocker(s, &view);
    if (stop_is_drained(s, &view)) {
        sl_log_app(s->log, SL_APP_STOP_DRAINED, sl_f_str("id", sl_node_id_str(&s->params.id)));
        stop_leave(s, STOP_LEAVE_NS);
    }
}

/* First the request, with a reason, so that whoever looks at the drain knows why; then how far it is. */
static void stop_ask_owner(struct sl_shell *s)
{
    char text[STOP_BODY_BYTES], credentials[SL_SELF_CALL_CREDENTIALS_MAX];
    struct sl_complaint c;
    bool is_first = !s->stop.is_accepted;
    s->stop.ask_at = sl_loop_now() + STOP_ASK_NS;
    if (s->stop.call)
        return;
    int len = snprintf(text, sizeof text, is_first ? "{\"node\":\"%s\",\"reason\":\"SIGTERM\"}" : "/api/v2/drains/%s",
                       s->params.id.text);
    SL_REQUIRE(len > 0 && (size_t)len < sizeof text);
    const char *path = s->options->api_credentials_file;
    if (!sl_read_first_line("api-credentials-file", path, credentials, sizeof credentials, &c))
        sl_log_app(s->log, SL_APP_STOP_DRAIN_REFUSED, sl_f_str("detail", sl_str_of(c.text)));
    const struct sl_self_call_opts opts = { .method = is_first ? "POST" : "GET",
                                            .path = is_first ? "/api/v2/drains" : text,
                                            .body = { text, is_first ? (size_t)len : 0 },
                                            .credentials = sl_secret_of((struct sl_bytes){ (const uint8_t *)credentials,
                                                                                           strlen(credentials) }) };
    s->stop.call = sl_self_call_open(&s->loop, s->api, &opts, stop_on_answer, s);
    OPENSSL_cleanse(credentials, sizeof credentials);
}

static void stop_drain(struct sl_shell *s)
{
    sl__shell_go(s, SL__SHELL_DRAINING);
    s->stop.late_at = sl_loop_now() + s->options->drain_timeout;
    s->stop.nobody_since = SL_NEVER;
    sl_log_app(s->log, SL_APP_STOP_DRAINS, sl_f_u64("at_most_ms", (uint64_t)(s->options->drain_timeout / SL_MS)));
    stop_ask_owner(s);
    sl_timer_arm(s->second, s->stop.ask_at);
}

/* ---- */

/* A node that is alone, or not yet in the cluster, has nobody to give its work to. */
static bool stop_has_others(struct sl_shell *s)
{
    struct sl_membership_view view;
    sl_membership_view(sl_node_membership(sl_host_node(s->host)), &view);
    return view.joined && view.member_count > 1;
}

/* Whether some other node is not drained itself. When all nodes are stopped at once, none has. */
static bool stop_has_takers(struct sl_shell *s)
{
    struct sl_membership_view view;
    const struct sl_target_set *drained = sl_manager_targets(sl_node_manager(sl_host_node(s->host)));
    sl_membership_view(sl_node_membership(sl_host_node(s->host)), &view);
    for (uint32_t i = 0; i < view.member_count; i++) {
        bool is_drained = sl_node_id_eq(&view.members[i].id, &s->params.id);
        for (uint32_t k = 0; k < drained->count && !is_drained; k++)
            is_drained = sl_node_id_eq(&view.members[i].id, &drained->targets[k].node);
        if (!is_drained)
            return true;
    }
    return false;
}

static bool stop_is_in_vain(struct sl_shell *s, sl_ns now)
{
    if (stop_has_takers(s))
        s->stop.nobody_since = SL_NEVER;
    else
        s->stop.nobody_since = sl_ns_min(s->stop.nobody_since, now);
    return !stop_has_others(s) || now - s->stop.nobody_since >= STOP_NOBODY_NS;
}

void sl__shell_stop_ask(struct sl_shell *s, const char *cause, bool without_drain)
{
    sl_log_app(s->log, SL_APP_STOP_ASKED, sl_f_str("cause", sl_str_of(cause)));
    sd_notify(0, "STOPPING=1");
    switch (s->state) {
    case SL__SHELL_STARTING:
    case SL__SHELL_RUNNING:
        s->stop.exit = SL_EXIT_STOPPED;
        if (s->options->drain_on_stop && !without_drain && stop_has_others(s))
            stop_drain(s);
        else
            stop_leave(s, STOP_LEAVE_NS);
        return;
    case SL__SHELL_DRAINING:
        s->stop.exit = SL_EXIT_CUT_SHORT;
        sl_complain(s->complaint, SL_EXIT_CUT_SHORT, "stopped by a second signal, before the drain was done");
        stop_leave(s, STOP_LEAVE_SHORT_NS);
        return;
    case SL__SHELL_LEAVING:
    case SL__SHELL_CLOSING:
        sl__shell_close(s, SL_EXIT_CUT_SHORT, "stopped by another signal, before the node had left the cluster");
        return;
    }
    SL_UNREACHABLE();
}

void sl__shell_stop_ordered(struct sl_shell *s)
{
    if (s->state == SL__SHELL_LEAVING || s->state == SL__SHELL_CLOSING)
        return;
    if (s->state != SL__SHELL_DRAINING) {
        sl_log_app(s->log, SL_APP_STOP_ASKED, sl_f_str("cause", SL_STR("drain")));
        sd_notify(0, "STOPPING=1");
    }
    s->stop.exit = SL_EXIT_STOPPED;
    stop_leave(s, STOP_LEAVE_NS);
}

void sl__shell_stop_tick(struct sl_shell *s)
{
    sl_ns now = sl_loop_now();
    if (s->state == SL__SHELL_DRAINING && now >= s->stop.late_at) {
        sl_log_app(s->log, SL_APP_STOP_DRAIN_LATE, sl_f_u64("after_ms", (uint64_t)(s->options->drain_timeout / SL_MS)));
        stop_leave(s, STOP_LEAVE_NS);
    } else if (s->state == SL__SHELL_DRAINING && stop_is_in_vain(s, now)) {
        sl_log_app(s->log, SL_APP_STOP_DRAIN_ALONE, sl_f_str("id", sl_node_id_str(&s->params.id)));
        stop_leave(s, STOP_LEAVE_NS);
    } else if (s->state == SL__SHELL_DRAINING && now >= s->stop.ask_at) {
        stop_ask_owner(s);
    } else if (s->state == SL__SHELL_LEAVING && now >= s->stop.late_at) {
        sl_log_app(s->log, SL_APP_STOP_LEAVE_LATE, sl_f_str("id", sl_node_id_str(&s->params.id)));
        sl__shell_close(s, s->stop.exit, NULL);
    }
}

/* ---- signals ---- */

static void stop_on_signal(uv_signal_t *handle, int number)
{
    struct sl_shell *s = handle->data;
    if (number == SIGHUP)
        sl__shell_reload(s);
    else
        sl__shell_stop_ask(s, number == SIGTERM ? "SIGTERM" : "SIGINT", false);
}

bool sl__shell_stop_open(struct sl_shell *s)
{
    static const int numbers[] = { SIGTERM, SIGINT, SIGHUP };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        SL_REQUIRE(uv_signal_init(&s->loop, &s->signals[i]) == 0);
        s->signals[i].data = s;
        if (uv_signal_start(&s->signals[i], stop_on_signal, numbers[i]) != 0)
            return sl_complain(s->complaint, SL_EXIT_FAILED, "signals cannot be received");
    }
    return true;
}

void sl__shell_stop_close(struct sl_shell *s)
{
    sl_self_call_close(s->stop.call);
    s->stop.call = NULL;
    for (size_t i = 0; i < sizeof s->signals / sizeof s->signals[0]; i++)
        uv_close((uv_handle_t *)&s->signals[i], NULL);
}
