/* SPDX-License-Identifier: Apache-2.0 */
#include "app/version.h"
#include "cli/help.h"
#include "cli/nodes.h"

#include <string.h>
#include <time.h>

#define CLUSTER_STOP_MS 130000 /* checkpoints are written first */
#define CLUSTER_LOOK_MS 200    /* between two looks of status --wait */

/* ---- status ---- */

struct cluster_counts {
    size_t alive, draining, stopping, silent;
    const struct sl_cli_node *owner;
};

static struct cluster_counts cluster_count(const struct sl_cli_nodes *list)
{
    struct cluster_counts n = { 0 };
    for (size_t i = 0; i < list->count; i++) {
        const struct sl_cli_node *node = &list->items[i];
        n.silent += node->is_unknown;
        n.draining += strcmp(node->liveness, "draining") == 0;
        n.stopping += strcmp(node->liveness, "stopping") == 0;
        n.alive += !node->is_unknown && strcmp(node->liveness, "alive") == 0;
        if (node->is_owner)
            n.owner = node;
    }
    return n;
}

/* Feeds by state; failed ones are named. */
static size_t cluster_feeds(struct sl_cli_buf *b, struct json_object *json)
{
    size_t count = sl_cli_item_count(json), failed = 0, running = 0;
    struct sl_cli_buf names = { 0 };
    for (size_t i = 0; i < count; i++) {
        struct sl_cli_feed feed;
        if (!sl_cli_feed_decode(&feed, sl_cli_item(json, i)))
            continue;
        bool is_bad = strcmp(feed.state, "failed") == 0 || strcmp(feed.state, "warning") == 0;
        running += strcmp(feed.state, "normal") == 0;
        if (is_bad && failed < 10)
            sl_cli_addf(&names, "  %s %s: %s\n", feed.name, feed.state, feed.error);
        failed += is_bad;
    }
    sl_cli_addf(b, "feeds    %zu, %zu running, %zu with errors\n", count, running, failed);
    sl_cli_add(b, names.len > 0 ? names.ptr : "");
    sl_cli_buf_free(&names);
    return failed;
}

static void cluster_drains(struct sl_cli_buf *b, struct json_object *json)
{
    size_t count = sl_cli_item_count(json);
    for (size_t i = 0; i < count; i++) {
        struct sl_cli_drain d;
        if (!sl_cli_drain_decode(&d, sl_cli_item(json, i)) || sl_cli_drain_is_over(&d))
            continue;
        sl_cli_addf(b, "drain    %s %s %u %%%s\n", sl_cli_drain_node(&d), d.phase, sl_cli_drain_percent(&d),
                    sl_cli_drain_was_safe(&d) ? ", safe to stop" : "");
    }
}

static void cluster_status_json(struct sl_cli *c, const struct sl_cli_nodes *nodes, const struct sl_cli_answer *feeds,
                                const struct sl_cli_answer *drains)
{
    struct json_object *whole = json_object_new_object();
    json_object_object_add(whole, "nodes", json_object_get(nodes->answer.json));
    json_object_object_add(whole, "feeds", json_object_get(feeds->json));
    json_object_object_add(whole, "drains", json_object_get(drains->json));
    sl_cli_print_json(c, whole);
    json_object_put(whole);
}

struct cluster_picture {
    struct sl_cli_nodes nodes;
    struct sl_cli_answer feeds, drains;
};

static void cluster_picture_deinit(struct cluster_picture *p)
{
    sl_cli_answer_deinit(&p->feeds);
    sl_cli_answer_deinit(&p->drains);
    sl_cli_nodes_deinit(&p->nodes);
}

static bool cluster_picture_load(struct sl_cli *c, struct cluster_picture *p, int *exit)
{
    memset(p, 0, sizeof *p);
    return sl_cli_nodes_load(c, "cluster status", &p->nodes, exit) &&
           sl_cli_get(c, "cluster status", "/api/v2/changefeeds?state=all", &p->feeds, exit) &&
           sl_cli_get(c, "cluster status", "/api/v2/drains", &p->drains, exit);
}

/* Whether nothing is wrong; b gets the lines that say so. */
static bool cluster_judge(struct sl_cli *c, const struct cluster_picture *p, struct sl_cli_buf *b)
{
    const struct cluster_counts n = cluster_count(&p->nodes);
    sl_cli_addf(b, "nodes    %zu, %zu alive", p->nodes.count, n.alive);
    if (n.draining + n.stopping > 0)
        sl_cli_addf(b, ", %zu draining, %zu stopping", n.draining, n.stopping);
    sl_cli_addf(b, ", %zu silent\n", n.silent);
    sl_cli_addf(b, "leader   %s\n", n.owner ? n.owner->name : "none");
    size_t failed = cluster_feeds(b, p->feeds.json);
    cluster_drains(b, p->drains.json);
    bool is_good = n.owner && n.silent == 0 && failed == 0;
    sl_cli_addf(b, "%s%s%s\n", sl_cli_colour(c->has_colour, is_good ? SL_CLI_GREEN : SL_CLI_RED),
                is_good ? "ok" : "needs attention", sl_cli_colour(c->has_colour, SL_CLI_PLAIN));
    return is_good;
}

/* One look. What is wrong is only printed at the last one: until then it may mend itself. */
static int cluster_look(struct sl_cli *c, bool is_last)
{
    struct cluster_picture p;
    struct sl_cli_buf b = { 0 };
    int exit = SL_CLI_EXIT_FAILED;
    if (cluster_picture_load(c, &p, &exit)) {
        bool is_good = cluster_judge(c, &p, &b);
        exit = is_good ? SL_CLI_EXIT_OK : SL_CLI_EXIT_FAILED;
        if ((is_good || is_last) && c->is_json)
            cluster_status_json(c, &p.nodes, &p.feeds, &p.drains);
        else if (is_good || is_last)
            sl_cli_print(c, &b);
    }
    sl_cli_buf_free(&b);
    cluster_picture_deinit(&p);
    return exit;
}

/* The same without the complaints of a cluster that is not there yet. */
static int cluster_look_quietly(struct sl_cli *c)
{
    FILE *err = c->err, *nowhere = fopen("/dev/null", "w");
    if (nowhere)
        c->err = nowhere;
    int exit = cluster_look(c, false);
    c->err = err;
    if (nowhere)
        (void)fclose(nowhere);
    return exit;
}

int sl_cli_cluster_status(struct sl_cli *c)
{
    const struct timespec pause = { .tv_nsec = CLUSTER_LOOK_MS * 1000000L };
    uint64_t wait_ms;
    if (!sl_cli_duration(c, SL_CLI_OPT_WAIT, &wait_ms))
        return SL_CLI_EXIT_USAGE;
    for (uint64_t until_ms = sl_cli_now_ms() + wait_ms; sl_cli_now_ms() < until_ms;) {
        if (cluster_look_quietly(c) == SL_CLI_EXIT_OK)
            return SL_CLI_EXIT_OK;
        (void)nanosleep(&pause, NULL);
    }
    return cluster_look(c, true);
}

/* ---- restart plan ---- */

static void cluster_plan_node(struct sl_cli_buf *b, const struct sl_cli_node *n, size_t index)
{
    sl_cli_addf(b, "# %zu. %s (%s)%s\n", index, n->name, n->address,
                n->is_owner ? ": the coordinator, so that it moves only once" : "");
    sl_cli_addf(b, "sluice node drain %s --reason 'rolling restart' --stop\n", n->name);
    sl_cli_addf(b, "#    start sluiced on %s again, then wait until it is there:\n", n->address);
    sl_cli_addf(b, "until sluice node show %s 2>/dev/null | grep -q '^state  *alive'; do sleep 1; done\n", n->name);
}

int sl_cli_restart_plan(struct sl_cli *c)
{
    struct sl_cli_nodes nodes;
    struct sl_cli_buf b = { 0 };
    struct json_object *order = json_object_new_array();
    size_t index = 0;
    int exit;
    if (sl_cli_nodes_load(c, "cluster restart-plan", &nodes, &exit)) {
        for (int owner = 0; owner < 2; owner++) {
            for (size_t i = 0; i < nodes.count; i++) {
                if (nodes.items[i].is_owner != (owner == 1))
                    continue;
                cluster_plan_node(&b, &nodes.items[i], ++index);
                json_object_array_add(order, json_object_get(nodes.items[i].json));
            }
        }
        exit = SL_CLI_EXIT_OK;
        if (c->is_json)
            sl_cli_print_json(c, order);
        else
            sl_cli_print(c, &b);
    }
    json_object_put(order);
    sl_cli_buf_free(&b);
    sl_cli_nodes_deinit(&nodes);
    return exit;
}

/* ---- stop ---- */

/* Asks the nodes to exit, the coordinator last; how many could not be asked. */
static size_t cluster_stop_nodes(struct sl_cli *c, const struct sl_cli_nodes *nodes)
{
    size_t failed = 0;
    for (int owner = 0; owner < 2; owner++) {
        for (size_t i = 0; i < nodes->count; i++) {
            const struct sl_cli_node *n = &nodes->items[i];
            const struct sl_cli_call call = { .method = "POST",
                                              .path = "/api/v2/stop",
                                              .body = "{\"without_drain\":true}",
                                              .at = n->address,
                                              .is_idempotent = true };
            struct sl_cli_answer a;
            char what[100];
            if (n->is_owner != (owner == 1))
                continue;
            sl_cli_client_call(c->client, &call, &a);
            (void)snprintf(what, sizeof what, "cluster stop: %s", n->name);
            failed += !sl_cli_answer_is_good(&a);
            if (!sl_cli_answer_is_good(&a))
                (void)sl_cli_fail_answer(c, what, &a);
            else if (!c->is_json)
                (void)fprintf(c->out, "%s flushes, checkpoints and exits\n", n->name);
            sl_cli_answer_deinit(&a);
        }
    }
    return failed;
}

/* A node is gone when nobody answers at its address any more, so that what follows may start it again at once. */
static bool cluster_wait_gone(struct sl_cli *c, const struct sl_cli_node *n, uint64_t until_ms)
{
    const struct sl_cli_call call = { .method = "GET", .path = "/status", .at = n->address, .is_single = true };
    const struct timespec pause = { .tv_nsec = CLUSTER_LOOK_MS * 1000000L };
    for (;;) {
        struct sl_cli_answer a;
        sl_cli_client_call(c->client, &call, &a);
        bool is_gone = a.reach == SL_CLI_UNREACHED,
             is_over = a.reach == SL_CLI_INTERRUPTED || sl_cli_now_ms() >= until_ms;
        sl_cli_answer_deinit(&a);
        if (is_gone || is_over)
            return is_gone;
        (void)nanosleep(&pause, NULL);
    }
}

/* How many still answer when the time is over; they are named. */
static size_t cluster_wait_all_gone(struct sl_cli *c, const struct sl_cli_nodes *nodes)
{
    uint64_t until_ms = sl_cli_now_ms() + CLUSTER_STOP_MS;
    size_t left = 0;
    for (size_t i = 0; i < nodes->count; i++) {
        char what[100];
        if (cluster_wait_gone(c, &nodes->items[i], until_ms))
            continue;
        left++;
        (void)snprintf(what, sizeof what, "cluster stop: %s", nodes->items[i].name);
        (void)sl_cli_fail(c, SL_CLI_EXIT_FAILED, what, "it was asked to stop and still answers",
                          "its log says what it waits for");
    }
    return left;
}

int sl_cli_cluster_stop(struct sl_cli *c)
{
    struct sl_cli_nodes nodes;
    struct sl_cli_answer a;
    int exit = SL_CLI_EXIT_USAGE;
    if (!sl_cli_confirm(c, "cluster stop: stop replication on every node?"))
        return exit;
    if (sl_cli_nodes_load(c, "cluster stop", &nodes, &exit)) {
        const struct sl_cli_call call = { .method = "POST",
                                          .path = "/api/v2/cluster/stop",
                                          .body = "{}",
                                          .is_idempotent = true,
                                          .timeout_ms = CLUSTER_STOP_MS };
        sl_cli_client_call(c->client, &call, &a);
        exit = SL_CLI_EXIT_OK;
        if (!sl_cli_answer_is_good(&a))
            exit = sl_cli_fail_answer(c, "cluster stop", &a);
        else if (cluster_stop_nodes(c, &nodes) + cluster_wait_all_gone(c, &nodes) > 0)
            exit = SL_CLI_EXIT_FAILED;
        if (exit == SL_CLI_EXIT_OK && c->is_json)
            sl_cli_print_json(c, a.json);
        sl_cli_answer_deinit(&a);
    }
    sl_cli_nodes_deinit(&nodes);
    return exit;
}

/* ---- version, completion, help ---- */

int sl_cli_version(struct sl_cli *c)
{
    (void)fprintf(c->out, "sluice %s\n", SL_VERSION);
    return SL_CLI_EXIT_OK;
}

int sl_cli_completion(struct sl_cli *c)
{
    struct sl_cli_buf b = { 0 };
    if (strcmp(c->args.words[0], "bash") != 0)
        return sl_cli_fail(c, SL_CLI_EXIT_USAGE, "completion", "only bash is known", "sluice completion bash");
    sl_cli_help_bash(&b);
    sl_cli_print(c, &b);
    sl_cli_buf_free(&b);
    return SL_CLI_EXIT_OK;
}

int sl_cli_help(struct sl_cli *c)
{
    struct sl_cli_buf b = { 0 };
    if (!sl_cli_help_add(&b, c->args.words, c->args.word_count))
        return sl_cli_fail(c, SL_CLI_EXIT_USAGE, "help", "no such command", "sluice help lists them");
    sl_cli_print(c, &b);
    sl_cli_buf_free(&b);
    return SL_CLI_EXIT_OK;
}
