/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A node's transport and listener without the node, for tests against other implementations: commands on standard input,
 * what happens on standard output, one line each.
 *
 *   peer_tool ID HOST [--ca F --cert F --key F] [--cn NAME] [--address HOST:PORT] [--queue N] [--fast]
 *
 *   port 41234                            it listens on HOST, any port; the advertise address is HOST:port
 *   peers ID=HOST:PORT ...                the membership
 *   send ID TYPE TOPIC TEXT | #COUNT      one message; #COUNT makes a payload of so many bytes
 *   flood ID COUNT SIZE                   COUNT messages of type 45; says how many were queued and how many were not
 *   hold | resume                         messages are not taken, or taken again
 *   reload | stats | close
 */
#include "edge/peer/listener.h"
#include "edge/peer/transport.h"

#include "base/hash.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE_BYTES_MAX = 64 << 10, PEERS_MAX = 16, WORDS_MAX = 24 };

struct tool {
    uv_loop_t loop;
    uv_poll_t input;
    struct sl_transport *transport;
    struct sl_listener *listener;
    struct sl_tls *tls;
    struct sl_node_id self;
    char line[LINE_BYTES_MAX];
    size_t line_len;
    bool holding, quiet;
    uint64_t received_count;
};

static void say_err(const char *what, const struct sl_err *e)
{
    printf("error %s: %s\n", what, e->text);
    (void)fflush(stdout);
}

/* ---- what happens ---- */

static bool tool_on_message(void *ctx, const struct sl_node_id *from, struct sl_bytes bytes)
{
    struct tool *tool = ctx;
    struct sl_envelope e;
    struct sl_wire_limits limits = SL_WIRE_LIMITS_DEFAULT;
    limits.message_bytes_max = SIZE_MAX;
    if (tool->holding) {
        return false;
    }
    tool->received_count++;
    if (tool->quiet) {
        return true;
    }
    enum sl_refusal refusal = sl_envelope_decode(&e, bytes, &limits);
    if (refusal != SL_REFUSE_NONE) {
        printf("refused %s %s\n", from->text, sl_refusal_name(refusal));
    } else {
        printf("message %s %d %.*s %u %zu %016llx\n", from->text, (int)e.type, (int)e.topic.len, e.topic.ptr,
               e.payload_count, e.payload[0].len,
               (unsigned long long)sl_hash_bytes(0, e.payload[0].ptr, e.payload[0].len));
    }
    (void)fflush(stdout);
    return true;
}

static void tool_on_event(void *ctx, const struct sl_transport_event *event)
{
    (void)ctx;
    printf("event %s %s %.*s\n", sl_transport_event_name(event->kind),
           sl_node_id_is_none(&event->peer) ? "-" : event->peer.text, (int)event->text.len, event->text.ptr);
    (void)fflush(stdout);
}

static void tool_on_closed(void *ctx)
{
    (void)ctx;
    printf("closed\n");
    (void)fflush(stdout);
}

static void tool_on_grpc(void *ctx, struct sl_sock *sock)
{
    struct tool *tool = ctx;
    sl_transport_adopt(tool->transport, sock);
}

/* Answers any request and closes, as a stand-in for the HTTP server. */
static void tool_on_http(void *ctx, const struct sl_http_conn *conn)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello";
    char request[4096];
    (void)ctx;
    int flags = fcntl(conn->fd, F_GETFL);
    (void)fcntl(conn->fd, F_SETFL, flags & ~O_NONBLOCK);
    /* Behind TLS the bytes come through this very loop, so waiting for them here would be for ever. */
    ssize_t len = conn->tls ? 0 : read(conn->fd, request, sizeof request);
    ssize_t sent = write(conn->fd, answer, sizeof answer - 1);
    printf("http tls=%d client=%s bytes=%d\n", conn->tls, conn->client_name, (int)len);
    (void)fflush(stdout);
    (void)sent;
    (void)shutdown(conn->fd, SHUT_WR);
    if (!conn->tls) {
        (void)close(conn->fd);
    }
}

static void tool_on_listener_event(void *ctx, enum sl_listener_event_kind kind, const char *address, const char *text)
{
    (void)ctx;
    printf("listener %s %s %s\n", sl_listener_event_name(kind), address, text);
    (void)fflush(stdout);
}

/* ---- commands ---- */

static void tool_peers(struct tool *tool, char **words, int count)
{
    struct sl_peer peers[PEERS_MAX];
    uint32_t peer_count = 0;
    for (int i = 1; i < count && peer_count < PEERS_MAX; i++) {
        char *equals = strchr(words[i], '=');
        if (equals == NULL) {
            continue;
        }
        *equals = '\0';
        if (sl_node_id_set(&peers[peer_count].id, sl_str_of(words[i]))) {
            peers[peer_count++].address = sl_str_of(equals + 1);
        }
    }
    printf("peers %s\n", sl_code_name(sl_transport_set_peers(tool->transport, peers, peer_count)));
}

static enum sl_topic tool_topic(const char *text)
{
    for (int topic = 0; topic < SL_TOPIC_COUNT; topic++) {
        if (strcmp(sl_topic_text((enum sl_topic)topic), text) == 0) {
            return (enum sl_topic)topic;
        }
    }
    return SL_TOPIC_NONE;
}

static void tool_send(struct tool *tool, char **words, int count)
{
    struct sl_node_id to;
    if (count < 5 || !sl_node_id_set(&to, sl_str_of(words[1]))) {
        printf("usage: send ID TYPE TOPIC TEXT\n");
        return;
    }
    bool is_size = words[4][0] == '#';
    size_t len = is_size ? strtoul(words[4] + 1, NULL, 10) : strlen(words[4]);
    uint8_t *payload = malloc(len + 1);
    SL_REQUIRE(payload != NULL);
    for (size_t i = 0; i < len; i++) {
        payload[i] = is_size ? (uint8_t)(i * 7) : (uint8_t)words[4][i];
    }
    enum sl_code code = sl_transport_send(tool->transport, &to, (enum sl_msg_type)strtol(words[2], NULL, 10),
                                          tool_topic(words[3]), (struct sl_bytes){ payload, len });
    printf("sent %s %016llx\n", sl_code_name(code), (unsigned long long)sl_hash_bytes(0, payload, len));
    free(payload);
}

static void tool_flood(struct tool *tool, char **words, int count)
{
    struct sl_node_id to;
    uint64_t queued = 0, busy = 0, other = 0;
    if (count < 4 || !sl_node_id_set(&to, sl_str_of(words[1]))) {
        return;
    }
    size_t len = strtoul(words[3], NULL, 10);
    uint8_t *payload = calloc(1, len + 1);
    SL_REQUIRE(payload != NULL);
    for (unsigned long i = 0; i < strtoul(words[2], NULL, 10); i++) {
        enum sl_code code = sl_transport_send(tool->transport, &to, SL_MSG_SET_DISPATCHER_DRAIN_TARGET_REQUEST,
                                              SL_TOPIC_MM, (struct sl_bytes){ payload, len });
        queued += code == SL_OK;
        busy += code == SL_BUSY;
        other += code != SL_OK && code != SL_BUSY;
    }
    free(payload);
    printf("flooded %llu busy %llu other %llu\n", (unsigned long long)queued, (unsigned long long)busy,
           (unsigned long long)other);
}

static void tool_stats(struct tool *tool)
{
    struct sl_transport_stats s;
    uint64_t sent = 0, received = 0, lost = 0;
    sl_transport_stats_read(tool->transport, &s);
    for (size_t i = 0; i < sizeof s.lanes / sizeof s.lanes[0]; i++) {
        sent += s.lanes[i].sent_count;
        received += s.lanes[i].received_count;
        lost += s.lanes[i].lost_count;
    }
    printf("stats peers=%u connected=%u connections=%u queued=%u sent=%llu received=%llu lost=%llu refused=%llu\n",
           s.peer_count, s.connected_count, s.connection_count, s.queued_count, (unsigned long long)sent,
           (unsigned long long)received, (unsigned long long)lost, (unsigned long long)s.stream_refused_count);
}

static void tool_close(struct tool *tool)
{
    sl_listener_close(tool->listener);
    sl_transport_close(tool->transport);
    tool->listener = NULL;
    if (!uv_is_closing((uv_handle_t *)&tool->input)) {
        uv_close((uv_handle_t *)&tool->input, NULL);
    }
}

static void tool_reload(struct tool *tool)
{
    struct sl_err e = { .code = SL_OK };
    enum sl_code code = sl_tls_reload(tool->tls, &e);
    printf("reloaded %s %s\n", sl_code_name(code), e.text);
}

static void tool_command(struct tool *tool, char *line)
{
    char *words[WORDS_MAX], *rest = NULL;
    int count = 0;
    for (char *w = strtok_r(line, " ", &rest); w != NULL && count < WORDS_MAX; w = strtok_r(NULL, " ", &rest)) {
        words[count++] = w;
    }
    const char *verb = count == 0 ? "" : words[0];
    if (strcmp(verb, "peers") == 0) {
        tool_peers(tool, words, count);
    } else if (strcmp(verb, "send") == 0) {
        tool_send(tool, words, count);
    } else if (strcmp(verb, "flood") == 0) {
        tool_flood(tool, words, count);
    } else if (strcmp(verb, "hold") == 0 || strcmp(verb, "resume") == 0) {
        tool->holding = verb[0] == 'h';
        sl_transport_resume(tool->transport);
    } else if (strcmp(verb, "quiet") == 0) {
        tool->quiet = true;
    } else if (strcmp(verb, "reload") == 0) {
        tool_reload(tool);
    } else if (strcmp(verb, "stats") == 0) {
        tool_stats(tool);
    } else if (strcmp(verb, "close") == 0) {
        tool_close(tool);
    }
    (void)fflush(stdout);
}

static void tool_on_input(uv_poll_t *poll, int status, int events)
{
    struct tool *tool = poll->data;
    (void)status;
    (void)events;
    ssize_t len = read(0, tool->line + tool->line_len, sizeof tool->line - tool->line_len - 1);
    if (len <= 0) {
        tool_close(tool);
        return;
    }
    tool->line_len += (size_t)len;
    tool->line[tool->line_len] = '\0';
    char *start = tool->line;
    for (char *end = strchr(start, '\n'); end != NULL; end = strchr(start, '\n')) {
        *end = '\0';
        tool_command(tool, start);
        start = end + 1;
    }
    tool->line_len -= (size_t)(start - tool->line);
    memmove(tool->line, start, tool->line_len);
}

/* ---- start ---- */

struct options {
    const char *id, *host, *address;
    struct sl_tls_opts tls;
    const char *names[8];
    uint32_t queue;
    bool fast;
};

static bool options_read(struct options *o, int argc, char **argv)
{
    if (argc < 3) {
        return false;
    }
    *o = (struct options){ .id = argv[1], .host = argv[2] };
    for (int i = 3; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--fast") == 0) {
            o->fast = true;
            continue;
        }
        if (strcmp(argv[i], "--mtls") == 0) {
            o->tls.require_client_cert = true;
            continue;
        }
        if (strcmp(argv[i], "--ca") == 0) {
            o->tls.ca_path = value;
        } else if (strcmp(argv[i], "--cert") == 0) {
            o->tls.cert_path = value;
        } else if (strcmp(argv[i], "--key") == 0) {
            o->tls.key_path = value;
        } else if (strcmp(argv[i], "--cn") == 0 && o->tls.cn_allowed_count < 8) {
            o->names[o->tls.cn_allowed_count++] = value;
        } else if (strcmp(argv[i], "--address") == 0) {
            o->address = value;
        } else if (strcmp(argv[i], "--queue") == 0) {
            o->queue = (uint32_t)strtoul(value, NULL, 10);
        } else {
            return false;
        }
        i++;
    }
    o->tls.cn_allowed = o->names;
    return true;
}

static bool tool_open(struct tool *tool, const struct options *o)
{
    struct sl_err e = { .code = SL_OK };
    char address[300];
    if (o->tls.cert_path != NULL && sl_tls_new(&tool->tls, &o->tls, &e) != SL_OK) {
        say_err("tls", &e);
        return false;
    }
    struct sl_listener_opts listener = {
        .loop = &tool->loop,
        .host = o->host,
        .tls = tool->tls,
        .classify_ns = o->fast ? 300 * SL_MS : 0,
        .client = { .on_grpc = tool_on_grpc, .on_http = tool_on_http, .on_event = tool_on_listener_event, .ctx = tool }
    };
    if (sl_listener_open(&tool->listener, &listener, &e) != SL_OK) {
        say_err("listen", &e);
        return false;
    }
    (void)snprintf(address, sizeof address, "%s:%u", o->host, (unsigned)sl_listener_port(tool->listener));
    struct sl_transport_opts transport = {
        .loop = &tool->loop,
        .self = tool->self,
        .address = sl_str_of(o->address == NULL ? address : o->address),
        .tls = tool->tls,
        .limits = { .queue_count_max = o->queue,
                    .redial_ns = o->fast ? 50 * SL_MS : 0,
                    .redial_ns_max = o->fast ? 100 * SL_MS : 0 },
        .client = { tool_on_message, tool_on_event, tool_on_closed, tool },
        .seed = 1,
    };
    if (sl_transport_open(&tool->transport, &transport, &e) != SL_OK) {
        say_err("transport", &e);
        return false;
    }
    printf("port %u\n", (unsigned)sl_listener_port(tool->listener));
    (void)fflush(stdout);
    return true;
}

int main(int argc, char **argv)
{
    static struct tool tool;
    struct options o;
    (void)signal(SIGPIPE, SIG_IGN);
    if (!options_read(&o, argc, argv) || !sl_node_id_set(&tool.self, sl_str_of(o.id))) {
        fprintf(stderr, "usage: peer_tool ID HOST [options]\n");
        return 2;
    }
    SL_REQUIRE(uv_loop_init(&tool.loop) == 0);
    if (!tool_open(&tool, &o)) {
        return 1;
    }
    SL_REQUIRE(uv_poll_init(&tool.loop, &tool.input, 0) == 0);
    tool.input.data = &tool;
    SL_REQUIRE(uv_poll_start(&tool.input, UV_READABLE, tool_on_input) == 0);
    (void)uv_run(&tool.loop, UV_RUN_DEFAULT);
    sl_tls_unref(tool.tls);
    return uv_loop_close(&tool.loop) == 0 ? 0 : 3;
}
