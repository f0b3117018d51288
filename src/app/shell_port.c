/* SPDX-License-Identifier: Apache-2.0 */
#include "app/shell_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what the core wants done ---- */

static void port_send(void *ctx, const struct sl_node_id *to, const struct sl_out_send *send)
{
    struct sl_shell *s = ctx;
    /* At most once: what cannot be queued is lost, the transport counts it, and the core sends it again. */
    enum sl_code code = sl_transport_send(s->transport, to, send->type, send->topic, send->payload);
    (void)code;
}

static bool port_store(void *ctx, const struct sl_store_op *op)
{
    struct sl_shell *s = ctx;
    s->ops[op->id % SL__SHELL_OPS] = (struct sl__shell_op){ op->id, sl__shell_now(NULL) };
    return sl_store_submit(s->store, op);
}

static void port_command(void *ctx, const struct sl_command *command)
{
    struct sl_shell *s = ctx;
    sl_plane_perform(s->plane, command);
}

static void port_schema_load(void *ctx, const struct sl_out_schema_load *load)
{
    struct sl_shell *s = ctx;
    struct sl_plane_schema_load l = {
        .feed = load->feed, .request = load->request, .ts = load->ts, .source = load->source, .config = load->config
    };
    enum sl_code code = sl_plane_load_schema(s->plane, &l);
    if (code == SL_OK)
        return;
    struct sl_input in = { .kind = SL_IN_SCHEMA };
    in.u.schema = (struct sl_in_schema){ .feed = load->feed, .request = load->request, .code = code };
    sl_host_input(s->host, &in); /* a step is under way: it waits its turn */
}

#define PORT_SECONDS(ns) ((double)(ns) / (double)SL_S)

static void port_observe_move(struct sl_shell *s, const struct sl_event *event)
{
    for (uint32_t i = 0; i < event->field_count; i++) {
        if (strcmp(event->fields[i].key, "took_ms") == 0)
            sl_histogram_observe(&s->move_seconds, PORT_SECONDS((sl_ns)event->fields[i].u64 * SL_MS));
    }
}

static void port_event(void *ctx, const struct sl_event *event)
{
    struct sl_shell *s = ctx;
    s->event_counts[sl_event_level(event->id)]++;
    if (event->id == SL_EV_MOVE_DONE)
        port_observe_move(s, event);
    sl_log_core(s->log, event);
}

static void port_reply(void *ctx, const struct sl_reply *reply)
{
    struct sl_shell *s = ctx;
    (void)sl_api_on_reply(s->api, reply);
}

static void port_stepped(void *ctx, sl_ns took)
{
    struct sl_shell *s = ctx;
    sl_histogram_observe(&s->step_seconds, PORT_SECONDS(took));
}

void sl__shell_host_port(struct sl_shell *s, struct sl_host_port *port)
{
    *port = (struct sl_host_port){ .ctx = s,
                                   .now = sl__shell_now,
                                   .send = port_send,
                                   .store = port_store,
                                   .command = port_command,
                                   .schema_load = port_schema_load,
                                   .event = port_event,
                                   .reply = port_reply,
                                   .stepped = port_stepped };
}

/* ---- the store ---- */

static void port_on_result(void *ctx, const struct sl_store_result *result)
{
    struct sl_shell *s = ctx;
    struct sl_input in = { .kind = SL_IN_STORE, .u.store = *result };
    s->op_counts[result->outcome]++;
    sl__shell_on_op_done(s, result);
    if ((result->id & SL__SHELL_OP_BIT) != 0)
        sl__shell_on_range(s, result);
    else
        sl__shell_input(s, &in);
}

static void port_on_watch(void *ctx, const struct sl_store_watch_batch *batch)
{
    struct sl_input in = { .kind = SL_IN_WATCH, .u.watch = *batch };
    sl__shell_input(ctx, &in);
}

void sl__shell_store_client(struct sl_shell *s, struct sl_store_client *client)
{
    *client = (struct sl_store_client){ .ctx = s, .on_result = port_on_result, .on_watch = port_on_watch };
}

void sl__shell_on_store_health(void *ctx, const struct sl_err *e)
{
    struct sl_shell *s = ctx;
    (void)snprintf(s->store_trouble, sizeof s->store_trouble, "%s", e->code == SL_OK ? "" : e->text);
    sl_log_app(s->log, e->code == SL_OK ? SL_APP_STORE_WELL : SL_APP_STORE_TROUBLE,
               sl_f_str("detail", sl_str_of(e->text)));
}

/* ---- peers ---- */

static bool port_on_message(void *ctx, const struct sl_node_id *from, struct sl_bytes envelope)
{
    struct sl_input in = { .kind = SL_IN_MESSAGE, .u.message = envelope };
    (void)from; /* the transport has compared it with the envelope */
    sl__shell_input(ctx, &in);
    return true;
}

static enum sl_event_level port_level(const char *name)
{
    enum sl_event_level level = SL_LEVEL_WARN;
    (void)sl_log_level_of(sl_str_of(name), &level);
    return level;
}

static void port_on_transport_event(void *ctx, const struct sl_transport_event *e)
{
    static const char *const texts[] = {
#define PORT_TEXT(name, level, text) [SL_TRANSPORT_##name] = (text),
        SL_TRANSPORT_EVENTS(PORT_TEXT)
#undef PORT_TEXT
    };
    struct sl_shell *s = ctx;
    const struct sl_field fields[] = { sl_f_str("peer", sl_node_id_str(&e->peer)), sl_f_str("address", e->address),
                                       sl_f_str("detail", e->text) };
    sl_log_other(s->log, port_level(sl_transport_event_level(e->kind)), sl_transport_event_name(e->kind),
                 texts[e->kind], fields, sizeof fields / sizeof fields[0]);
}

static void port_on_transport_closed(void *ctx)
{
    struct sl_shell *s = ctx;
    s->transport = NULL;
}

void sl__shell_transport_client(struct sl_shell *s, struct sl_transport_client *client)
{
    *client = (struct sl_transport_client){ .ctx = s,
                                            .on_message = port_on_message,
                                            .on_event = port_on_transport_event,
                                            .on_closed = port_on_transport_closed };
}

void sl__shell_set_peers(struct sl_shell *s)
{
    struct sl_membership_view view;
    sl_membership_view(sl_node_membership(sl_host_node(s->host)), &view);
    struct sl_peer *peers = calloc(view.member_count + 1, sizeof *peers);
    for (uint32_t i = 0; peers && i < view.member_count; i++)
        peers[i] = (struct sl_peer){ .id = view.members[i].id, .address = sl_str_of(view.members[i].address) };
    enum sl_code code = peers ? sl_transport_set_peers(s->transport, peers, view.member_count) : SL_NOMEM;
    free(peers);
    s->generation = view.generation;
    s->has_peers = code == SL_OK;
    if (code != SL_OK)
        sl_log_app(s->log, SL_APP_PEERS_NOT_SET, sl_f_str("code", sl_str_of(sl_code_name(code))));
}

/* ---- the data plane ---- */

static void port_on_report(void *ctx, const struct sl_report *report)
{
    struct sl_input in = { .kind = SL_IN_REPORT, .u.report = *report };
    sl__shell_input(ctx, &in);
}

static void port_on_schema(void *ctx, const struct sl_in_schema *schema)
{
    struct sl_input in = { .kind = SL_IN_SCHEMA, .u.schema = *schema };
    sl__shell_input(ctx, &in);
}

static void port_on_note(void *ctx, const struct sl_feed_id *feed, const struct sl_trouble *t)
{
    struct sl_shell *s = ctx;
    sl_log_app(s->log, SL_APP_FEED_NOTE, sl_f_str("feed", feed ? sl_feed_id_name(feed) : SL_STR("")),
               sl_f_str("code", sl_str_of(t->code)), sl_f_str("detail", sl_str_of(t->detail)),
               sl_f_str("remedy", sl_str_of(t->remedy)));
}

static void port_on_head(void *ctx, uint64_t request, enum sl_code code, sl_ts ts, const struct sl_trouble *t)
{
    (void)ctx;
    (void)request;
    (void)code;
    (void)ts;
    (void)t;
}

static void port_wake_plane(void *ctx)
{
    struct sl_shell *s = ctx;
    uv_async_send(&s->plane_wake);
}

void sl__shell_plane_client(struct sl_shell *s, struct sl_plane_client *client)
{
    *client = (struct sl_plane_client){ .ctx = s,
                                        .on_report = port_on_report,
                                        .on_schema = port_on_schema,
                                        .on_head = port_on_head,
                                        .on_note = port_on_note,
                                        .wake = port_wake_plane };
}
