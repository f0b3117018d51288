/* SPDX-License-Identifier: Apache-2.0 */
#include "app/version.h"
#include "cli/help.h"
#include "cli/nodes.h"

#include <string.h>

#define CLUSTER_STOP_MS 130000 /* checkpoints are written first */

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

static int cluster_status_say(struct sl_cli *c, const struct sl_cli_nodes *nodes, const struct sl_cli_answer *feeds,
                              const struct sl_cli_answer *drains)
{
    struct sl_cli_buf b = { 0 };
    const struct cluster_counts n = cluster_count(nodes);
    sl_cli_addf(&b, "nodes    %zu, %zu alive", nodes->count, n.alive);
    if (n.draining + n.stopping > 0)
        sl_cli_addf(&b, ", %zu draining, %zu stopping", n.draining, n.stopping);
    sl_cli_addf(&b, ", %zu silent\n", n.silent);
    sl_cli_addf(&b, "leader   %s\n", n.owner ? n.owner->name : "none");
    size_t failed = cluster_feeds(&b, feeds->json);
    cluster_drains(&b, drains->json);
    bool is_good = n.owner && n.silent == 0 && failed == 0;
    sl_cli_addf(&b, "%s%s%s\n", sl_cli_colour(c->has_colour, is_good ? SL_CLI_GREEN : SL_CLI_RED),
                is_good ? "ok" : "needs attention", sl_cli_colour(c->has_colour, SL_CLI_PLAIN));
    if (c->is_json)
        cluster_status_json(c, nodes, feeds, drains);
    else
        sl_cli_print(c, &b);
    sl_cli_buf_free(&b);
    return is_good ? SL_CLI_EXIT_OK : SL_CLI_EXIT_FAILED;
}

int sl_cli_cluster_status(struct sl_cli *c)
{
    struct sl_cli_nodes nodes;
    struct sl_cli_answer feeds = { 0 }, drains = { 0 };
    int exit;
    bool ok = sl_cli_nodes_load(c, "cluster status", &nodes, &exit) &&
              sl_cli_get(c, "cluster status", "/api/v2/changefeeds?state=all", &feeds, &exit) &&
              sl_cli_get(c, "cluster status", "/api/v2/drains", &drains, &exit);
    if (ok)
        exit = cluster_status_say(c, &nodes, &feeds, &drains);
    sl_cli_answer_deinit(&feeds);
    sl_cli_answer_deinit(&drains);
    sl_cli_nodes_deinit(&nodes);
    return exit;
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
            const struct sl_cli_call call = {
                .method = "POST", .path = "/api/v2/stop", .body = "{}", .at = n->address, .is_idempotent = true
            };
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
        else if (cluster_stop_nodes(c, &nodes) > 0)
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
