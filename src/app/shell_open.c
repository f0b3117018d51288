/* SPDX-License-Identifier: Apache-2.0 */
#include "app/shell_internal.h"

#include "app/drivers.h"
#include "app/version.h"
#include "edge/etcd/etcd_store.h"
#include "edge/sqlite/sqlite_store.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { OPEN_PASSWORD_BYTES_MAX = 1024, OPEN_PATH_BYTES = 4096 };

/* ---- handles ---- */

static void open_on_plane_wake(uv_async_t *handle)
{
    struct sl_shell *s = handle->data;
    if (s->plane && s->state != SL__SHELL_CLOSING)
        sl_plane_poll(s->plane);
}

/* Why the start failed. Without memory it may well go at the next try, so it must not look like a mistake of somebody. */
static enum sl_exit open_why(enum sl_code code, enum sl_exit otherwise)
{
    return code == SL_NOMEM ? SL_EXIT_FAILED : otherwise;
}

bool sl__shell_init_handles(struct sl_shell *s)
{
    s->plane_wake.data = s;
    return uv_async_init(&s->loop, &s->plane_wake, open_on_plane_wake) == 0 && sl__shell_stop_open(s);
}

/* ---- log ---- */

static bool open_log(struct sl_shell *s)
{
    const struct sl_options *o = s->options;
    struct sl_err err = { 0 };
    struct sl_log_opts opts = { .path = o->log_file,
                                .node = o->name[0] != '\0' ? o->name : o->advertise_addr,
                                .format = (enum sl_log_format)o->log_format,
                                .level = (enum sl_event_level)o->log_level };
    enum sl_code code = sl_log_open(&s->log, &opts, &err);
    return code == SL_OK || sl_complain(s->complaint, open_why(code, SL_EXIT_FILES), "%s", err.text);
}

/* ---- listener ---- */

static void open_on_grpc(void *ctx, struct sl_sock *sock)
{
    struct sl_shell *s = ctx;
    if (s->transport && s->state != SL__SHELL_CLOSING)
        sl_transport_adopt(s->transport, sock);
    else
        sl_sock_close(sock);
}

static void open_on_http(void *ctx, const struct sl_http_conn *conn)
{
    struct sl_shell *s = ctx;
    char remote[INET6_ADDRSTRLEN] = "";
    if (conn->peer && conn->peer->sa_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)conn->peer)->sin_addr, remote, sizeof remote);
    else if (conn->peer && conn->peer->sa_family == AF_INET6)
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)conn->peer)->sin6_addr, remote, sizeof remote);
    if (s->api && s->state != SL__SHELL_CLOSING)
        sl_api_adopt(s->api, conn->fd, sl_str_of(remote));
    else
        close(conn->fd);
}

static void open_on_listener_event(void *ctx, enum sl_listener_event_kind kind, const char *address, const char *text)
{
    static const char *const texts[] = {
#define OPEN_TEXT(name, level, meaning) [SL_LISTENER_##name] = (meaning),
        SL_LISTENER_EVENTS(OPEN_TEXT)
#undef OPEN_TEXT
    };
    struct sl_shell *s = ctx;
    enum sl_event_level level = SL_LEVEL_WARN;
    const struct sl_field fields[] = { sl_f_str("address", sl_str_of(address)), sl_f_str("detail", sl_str_of(text)) };
    (void)sl_log_level_of(sl_str_of(sl_listener_event_level(kind)), &level);
    sl_log_other(s->log, level, sl_listener_event_name(kind), texts[kind], fields, 2);
}

static bool open_tls(struct sl_shell *s)
{
    const struct sl_options *o = s->options;
    const char *names[SL_TLS_CN_MAX];
    uint32_t count = 0;
    struct sl_err err = { 0 };
    char *rest, *list = strdup(o->cert_allowed_cn);
    if (!list)
        return sl_complain(s->complaint, SL_EXIT_FAILED, "no memory for certificates");
    if (o->cert[0] == '\0') {
        free(list);
        return true;
    }
    for (char *p = strtok_r(list, ",", &rest); p && count < SL_TLS_CN_MAX; p = strtok_r(NULL, ",", &rest))
        names[count++] = p;
    const struct sl_tls_opts opts = { .ca_path = o->ca,
                                      .cert_path = o->cert,
                                      .key_path = o->key,
                                      .require_client_cert = o->mtls,
                                      .cn_allowed = names,
                                      .cn_allowed_count = count };
    enum sl_code code = sl_tls_new(&s->tls, &opts, &err);
    free(list);
    return code == SL_OK || sl_complain(s->complaint, open_why(code, SL_EXIT_FILES), "%s", err.text);
}

static bool open_listener(struct sl_shell *s)
{
    const struct sl_options *o = s->options;
    const char *host;
    size_t len;
    uint16_t port;
    char copy[SL_ADDRESS_MAX + 1];
    struct sl_err err = { 0 };
    SL_REQUIRE(sl_parse_address(o->addr, &host, &len, &port));
    snprintf(copy, sizeof copy, "%.*s", (int)len, host);
    const struct sl_listener_opts opts = {
        .loop = &s->loop,
        .host = copy,
        .port = port,
        .tls = s->tls,
        .connection_count_max = o->connections_max,
        .client = { .on_grpc = open_on_grpc, .on_http = open_on_http, .on_event = open_on_listener_event, .ctx = s }
    };
    enum sl_code code = sl_listener_open(&s->listener, &opts, &err);
    return code == SL_OK ||
           sl_complain(s->complaint, open_why(code, SL_EXIT_ADDRESS), "--addr %s: %s", o->addr, err.text);
}

/* ---- what the node is ---- */

/* The address with the port that was really taken, if it was left to the system. */
static void open_address(struct sl_shell *s)
{
    const char *host;
    size_t len;
    uint16_t port;
    struct sl_params *p = &s->params;
    const char *wanted = s->options->advertise_addr;
    SL_REQUIRE(sl_parse_address(wanted, &host, &len, &port));
    if (port == 0)
        snprintf(p->address, sizeof p->address, "%.*s:%u", (int)(strrchr(wanted, ':') - wanted), wanted,
                 (unsigned)sl_listener_port(s->listener));
    else
        snprintf(p->address, sizeof p->address, "%s", wanted);
}

/* "127.0.0.1:8300" is 127.0.0.1-8300; brackets of IPv6 have no place in a name. */
static void open_name(struct sl_params *p, const char *wanted)
{
    struct sl_text text;
    sl_text_init(&text, p->name, sizeof p->name);
    sl_text_cstr(&text, wanted);
    for (const char *c = p->address; wanted[0] == '\0' && *c != '\0'; c++) {
        char word[2] = { *c == ':' ? '-' : *c, '\0' };
        if (*c != '[' && *c != ']')
            sl_text_cstr(&text, word);
    }
}

static bool open_params(struct sl_shell *s)
{
    struct sl_params *p = &s->params;
    const struct sl_options *o = s->options;
    uint8_t bytes[16];
    struct timespec wall;
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes ||
        getrandom(&p->seed, sizeof p->seed, 0) != (ssize_t)sizeof p->seed)
        return sl_complain(s->complaint, SL_EXIT_FAILED, "the system gives no random numbers");
    bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x40); /* RFC 4122, version 4 */
    bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
    for (size_t i = 0; i < sizeof bytes; i++) {
        bool has_dash = i == 4 || i == 6 || i == 8 || i == 10;
        p->id.len = (uint8_t)(p->id.len + snprintf(p->id.text + p->id.len, sizeof p->id.text - p->id.len, "%s%02x",
                                                   has_dash ? "-" : "", bytes[i]));
    }
    clock_gettime(CLOCK_REALTIME, &wall);
    p->node_epoch = (uint64_t)wall.tv_sec * (uint64_t)SL_S + (uint64_t)wall.tv_nsec;
    p->now = sl__shell_now(NULL);
    p->wall_offset = p->node_epoch - (uint64_t)p->now;
    p->lease_ttl_ns = o->lease_ttl;
    p->memory_bytes = o->memory_control;
    p->interop = o->interop;
    snprintf(p->cluster, sizeof p->cluster, "%s", o->cluster_id);
    snprintf(p->version, sizeof p->version, "%s", SL_VERSION_WIRE);
    open_address(s);
    open_name(p, o->name);
    sl_log_set_node(s->log, p->name);
    return true;
}

/* ---- files ---- */

static bool open_make_folder(struct sl_shell *s, const char *path)
{
    if (mkdir(path, S_IRWXU | S_IRGRP | S_IXGRP) != 0 && errno != EEXIST)
        return sl_complain(s->complaint, SL_EXIT_FILES, "--data-dir %.200s: %s", path, strerror(errno));
    if (access(path, R_OK | W_OK | X_OK) != 0)
        return sl_complain(s->complaint, SL_EXIT_FILES, "--data-dir %.200s: %s", path, strerror(errno));
    return true;
}

static bool open_data_dir(struct sl_shell *s)
{
    char path[OPEN_PATH_BYTES];
    int len = snprintf(path, sizeof path, "%s/%s", s->options->data_dir, s->params.name);
    if (len < 0 || (size_t)len >= sizeof path)
        return sl_complain(s->complaint, SL_EXIT_FILES, "--data-dir is too long");
    return open_make_folder(s, s->options->data_dir) && open_make_folder(s, path);
}

static bool open_journal(struct sl_shell *s)
{
    const struct sl_options *o = s->options;
    return o->journal[0] == '\0' || sl_journal_open(&s->journal, o->journal, o->journal_max, &s->params, s->complaint);
}

/* ---- the metadata store ---- */

static bool open_sqlite(struct sl_shell *s, const char *path)
{
    struct sl_sqlite_opts opts = SL_SQLITE_OPTS_DEFAULT;
    struct sl_store_client client;
    struct sl_err err = { 0 };
    opts.path = path;
    opts.on_health = sl__shell_on_store_health;
    opts.health_ctx = s;
    sl__shell_store_client(s, &client);
    enum sl_code code = sl_sqlite_store_open(&s->store, &s->loop, &opts, &client, &err);
    return code == SL_OK ||
           sl_complain(s->complaint, open_why(code, SL_EXIT_STORE), "--meta sqlite:%.200s: %s", path, err.text);
}

static const char *open_path(const char *path)
{
    return path[0] != '\0' ? path : NULL;
}

static bool open_etcd(struct sl_shell *s, const char *endpoints)
{
    const struct sl_options *o = s->options;
    struct sl_etcd_opts opts = SL_ETCD_OPTS_DEFAULT;
    struct sl_store_client client;
    struct sl_err err = { 0 };
    char password[OPEN_PASSWORD_BYTES_MAX];
    if (!sl_read_first_line("meta-password-file", o->meta_password_file, password, sizeof password, s->complaint))
        return false;
    opts.endpoints = endpoints;
    opts.ca_file = open_path(o->ca);
    opts.cert_file = open_path(o->cert);
    opts.key_file = open_path(o->key);
    opts.user = open_path(o->meta_user);
    opts.password = sl_secret_of((struct sl_bytes){ (const uint8_t *)password, strlen(password) });
    opts.op_ns = sl_ns_min(opts.op_ns, o->lease_ttl);
    opts.on_health = sl__shell_on_store_health;
    opts.health_ctx = s;
    sl__shell_store_client(s, &client);
    enum sl_code code = sl_etcd_store_open(&s->store, &s->loop, &opts, &client, &err);
    OPENSSL_cleanse(password, sizeof password);
    return code == SL_OK || sl_complain(s->complaint, open_why(code, SL_EXIT_STORE), "--meta: %s", err.text);
}

static bool open_store(struct sl_shell *s)
{
    const char *meta = s->options->meta;
    return strncmp(meta, "sqlite:", 7) == 0 ? open_sqlite(s, meta + 7) : open_etcd(s, meta);
}

/* ---- the other parts ---- */

static bool open_host(struct sl_shell *s)
{
    struct sl_host_opts opts = { .params = s->params,
                                 .journal = s->journal,
                                 .loop_count_max = SL_HOST_LOOP_COUNT_MAX,
                                 .loop_bytes_max = SL_HOST_LOOP_BYTES_MAX };
    sl__shell_host_port(s, &opts.port);
    enum sl_code code = sl_host_new(&s->host, &opts);
    return code == SL_OK || sl_complain(s->complaint, open_why(code, SL_EXIT_CONFIG), "the node cannot be made: %s: %s",
                                        sl_code_text(code), sl_code_remedy(code));
}

static bool open_transport(struct sl_shell *s)
{
    struct sl_err err = { 0 };
    struct sl_transport_opts opts = { .loop = &s->loop,
                                      .self = s->params.id,
                                      .address = sl_str_of(s->params.address),
                                      .tls = s->tls,
                                      .seed = s->params.seed };
    sl__shell_transport_client(s, &opts.client);
    enum sl_code code = sl_transport_open(&s->transport, &opts, &err);
    return code == SL_OK || sl_complain(s->complaint, open_why(code, SL_EXIT_ADDRESS), "%s", err.text);
}

static bool open_plane(struct sl_shell *s)
{
    const struct sl_options *o = s->options;
    struct sl_plane_opts opts = SL_PLANE_OPTS_DEFAULT;
    struct sl_plane_client client;
    opts.sources = sl_app_sources;
    opts.sinks = sl_app_sinks;
    opts.lease_until = &s->lease_until;
    opts.window_bytes_max = (size_t)o->memory_rows / 4;
    opts.queue_bytes_max = (size_t)o->memory_rows / 4;
    if (o->threads > 0)
        opts.workers_per_feed = o->threads;
    sl__shell_plane_client(s, &client);
    if (!sl_app_drivers_init())
        return sl_complain(s->complaint, SL_EXIT_FAILED, "the libraries of sources and sinks cannot be used");
    enum sl_code code = sl_plane_open(&s->plane, &opts, &client);
    return code == SL_OK || sl_complain(s->complaint, SL_EXIT_FAILED, "no memory for the data plane");
}

static bool open_api(struct sl_shell *s)
{
    const struct sl_options *o = s->options;
    struct sl_api_opts opts;
    struct sl_api_port port;
    struct sl_err err = { 0 };
    sl_api_opts_default(&opts);
    opts.loop = &s->loop;
    opts.version = SL_VERSION_WIRE;
    opts.git_hash = "";
    opts.connection_count_max = o->connections_max;
    opts.users_file = open_path(o->api_users_file);
    opts.ca_path = s->tls ? open_path(o->ca) : NULL;
    opts.cert_path = open_path(o->cert);
    opts.key_path = open_path(o->key);
    opts.sources = sl_app_sources;
    opts.sinks = sl_app_sinks;
    opts.seed = s->params.seed;
    sl__shell_api_port(s, &port);
    enum sl_code code = sl_api_open(&s->api, &opts, &port, &err);
    return code == SL_OK || sl_complain(s->complaint, open_why(code, SL_EXIT_FILES), "%s", err.text);
}

bool sl__shell_open(struct sl_shell *s)
{
    bool ok = open_log(s) && open_tls(s) && open_listener(s) && open_params(s) && open_data_dir(s) && open_journal(s) &&
              open_store(s) && open_host(s) && open_transport(s) && open_plane(s) && open_api(s);
    if (!ok)
        return false;
    sl_log_app(s->log, SL_APP_STARTED, sl_f_str("version", SL_STR(SL_VERSION)),
               sl_f_str("id", sl_node_id_str(&s->params.id)), sl_f_str("cluster", sl_str_of(s->params.cluster)),
               sl_f_u64("pid", (uint64_t)getpid()));
    sl_log_app(s->log, SL_APP_LISTENING, sl_f_str("address", sl_str_of(s->options->addr)),
               sl_f_u64("port", sl_listener_port(s->listener)), sl_f_str("advertised", sl_str_of(s->params.address)));
    return true;
}

void sl__shell_deinit(struct sl_shell *s)
{
    while (s->ranges) {
        struct sl__shell_range *next = s->ranges->next;
        free(s->ranges);
        s->ranges = next;
    }
    if (s->log)
        sl_log_app(s->log, SL_APP_STOPPED, sl_f_i64("exit", (int64_t)s->complaint->exit));
    sl_host_free(s->host);
    sl_journal_close(s->journal);
    sl_tls_unref(s->tls);
    sl_app_drivers_deinit();
    SL_EXPECT(uv_loop_close(&s->loop) == 0);
    close(s->tick_fd);
    sl_log_close(s->log);
}
