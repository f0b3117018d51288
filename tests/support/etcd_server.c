/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/etcd_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

enum { STARTS_MAX = 5, WAITS_MAX = 600, ARGS_MAX = 32 };

void sl_etcd_server_init(struct sl_etcd_server *s)
{
    memset(s, 0, sizeof *s);
    sl_process_make_dir(s->dir, sizeof s->dir);
    snprintf(s->name, sizeof s->name, "m");
}

static void server_pause(void)
{
    nanosleep(&(struct timespec){ .tv_nsec = 50 * SL_MS }, NULL);
}

static void server_choose_ports(struct sl_etcd_server *s)
{
    s->port = sl_process_free_port();
    s->peer_port = sl_process_free_port();
    snprintf(s->endpoint, sizeof s->endpoint, "127.0.0.1:%u", s->port);
}

static void server_add_to_cluster(const struct sl_etcd_server *s, char *cluster, size_t size)
{
    size_t len = strlen(cluster);
    snprintf(cluster + len, size - len, "%s%s=http://127.0.0.1:%u", len > 0 ? "," : "", s->name, s->peer_port);
}

static void server_spawn(struct sl_etcd_server *s)
{
    char client[80], peer[80];
    const char *args[ARGS_MAX] = { "etcd",    "--name",
                                   s->name,   "--data-dir",
                                   s->dir,    "--log-level",
                                   "error",   "--heartbeat-interval",
                                   "10",      "--election-timeout",
                                   "100",     "--listen-client-urls",
                                   client,    "--advertise-client-urls",
                                   client,    "--listen-peer-urls",
                                   peer,      "--initial-advertise-peer-urls",
                                   peer,      "--initial-cluster",
                                   s->cluster };
    size_t count = 21;
    snprintf(client, sizeof client, "%s://127.0.0.1:%u", s->cert ? "https" : "http", s->port);
    snprintf(peer, sizeof peer, "http://127.0.0.1:%u", s->peer_port);
    if (s->cert) {
        const char *const tls[] = { "--cert-file",       s->cert, "--key-file",        s->key,
                                    "--trusted-ca-file", s->ca,   "--client-cert-auth" };
        for (size_t i = 0; i < sizeof tls / sizeof tls[0]; i++)
            args[count++] = tls[i];
    }
    s->pid = sl_process_start(args);
}

/* False: it ended, because somebody else took a port meanwhile. */
static bool server_comes_up(struct sl_etcd_server *s)
{
    for (int i = 0; i < WAITS_MAX; i++) {
        int status = 0;
        if (waitpid(s->pid, &status, WNOHANG) == s->pid) {
            s->pid = 0;
            return false;
        }
        if (sl_process_is_listening(s->port))
            return true;
        server_pause();
    }
    fail_msg("etcd does not listen");
    return false;
}

void sl_etcd_server_start(struct sl_etcd_server *s)
{
    bool is_alone = s->cluster[0] == '\0';
    for (int i = 0; i < STARTS_MAX; i++) {
        if (is_alone) {
            server_choose_ports(s);
            s->cluster[0] = '\0';
            server_add_to_cluster(s, s->cluster, sizeof s->cluster);
        }
        server_spawn(s);
        if (server_comes_up(s))
            return;
        server_pause();
    }
    fail_msg("etcd does not start");
}

void sl_etcd_server_start_cluster(struct sl_etcd_server *servers, uint32_t count)
{
    char cluster[256] = "";
    for (uint32_t i = 0; i < count; i++) {
        snprintf(servers[i].name, sizeof servers[i].name, "m%u", i);
        server_choose_ports(&servers[i]);
        server_add_to_cluster(&servers[i], cluster, sizeof cluster);
    }
    for (uint32_t i = 0; i < count; i++) {
        memcpy(servers[i].cluster, cluster, sizeof cluster);
        server_spawn(&servers[i]); /* one alone does not listen yet */
    }
    for (uint32_t i = 0; i < count; i++)
        assert_true(server_comes_up(&servers[i]));
}

void sl_etcd_server_stop(struct sl_etcd_server *s)
{
    if (s->pid > 0)
        sl_process_kill(s->pid);
    s->pid = 0;
}

void sl_etcd_server_deinit(struct sl_etcd_server *s)
{
    sl_etcd_server_stop(s);
    sl_process_remove_dir(s->dir);
}

int sl_etcd_server_ctl(const struct sl_etcd_server *s, const char *const *args)
{
    const char *all[ARGS_MAX] = { "etcdctl", "--endpoints", s->endpoint };
    size_t count = 3;
    setenv("ETCDCTL_API", "3", 1);
    while (*args && count < ARGS_MAX - 1)
        all[count++] = *args++;
    return sl_process_run(all);
}
