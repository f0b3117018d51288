/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/nodes.h"
#include "cli/progress.h"
#include "cli/watch.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- times ---- */

static void drain_wall(char *to, size_t size, uint64_t wall_ms)
{
    struct tm local;
    time_t seconds = (time_t)(wall_ms / 1000);
    bool ok = wall_ms > 0 && localtime_r(&seconds, &local) && strftime(to, size, "%Y-%m-%d %H:%M:%S", &local) > 0;
    if (!ok)
        (void)snprintf(to, size, "-");
}

/* ---- finding ---- */

struct drain_list {
    struct sl_cli_drain *items;
    size_t count;
    struct sl_cli_answer answer;
};

static bool drain_load(struct sl_cli *c, const char *what, struct drain_list *list, int *exit)
{
    *list = (struct drain_list){ 0 };
    if (!sl_cli_get(c, what, "/api/v2/drains", &list->answer, exit))
        return false;
    size_t count = sl_cli_item_count(list->answer.json);
    list->items = sl_cli_alloc(count * sizeof *list->items);
    for (size_t i = 0; i < count; i++)
        list->count += sl_cli_drain_decode(&list->items[list->count], sl_cli_item(list->answer.json, i));
    return true;
}

static void drain_list_deinit(struct drain_list *list)
{
    free(list->items);
    sl_cli_answer_deinit(&list->answer);
}

/* The drain of a node called so: the one that runs, else the newest. */
static const struct sl_cli_drain *drain_of_node(const struct drain_list *list, const char *text)
{
    const struct sl_cli_drain *best = NULL;
    for (size_t i = 0; i < list->count; i++) {
        const struct sl_cli_drain *d = &list->items[i];
        bool is_it = strcmp(d->target_name, text) == 0 || strcmp(d->target, text) == 0;
        bool is_better = !best || (sl_cli_drain_is_over(best) && !sl_cli_drain_is_over(d)) ||
                         (sl_cli_drain_is_over(best) == sl_cli_drain_is_over(d) && d->created_ms >= best->created_ms);
        if (is_it && is_better)
            best = d;
    }
    return best;
}

static const struct sl_cli_drain *drain_find(struct sl_cli *c, const struct drain_list *list, const char *what,
                                             const char *text)
{
    const char **ids = sl_cli_alloc(list->count * sizeof *ids);
    char why[160];
    size_t matches;
    for (size_t i = 0; i < list->count; i++)
        ids[i] = list->items[i].id;
    size_t found = sl_cli_match(ids, list->count, text, &matches);
    free(ids);
    const struct sl_cli_drain *drain = found != SIZE_MAX ? &list->items[found] : drain_of_node(list, text);
    if (drain)
        return drain;
    if (matches > 1)
        (void)snprintf(why, sizeof why, "the ids of %zu drains begin with '%.50s'", matches, text);
    else
        (void)snprintf(why, sizeof why, "no drain, and no node that was drained, is called '%.50s'", text);
    (void)sl_cli_fail(c, SL_CLI_EXIT_FAILED, what, why, "'sluice drain list --all' shows them");
    return NULL;
}

/* The whole object of a drain, with what a list leaves out. */
static struct json_object *drain_get(struct sl_cli *c, const char *what, const char *id, struct sl_cli_answer *a,
                                     int *exit)
{
    struct sl_cli_buf path = { 0 };
    sl_cli_add(&path, "/api/v2/drains/");
    sl_cli_add_path(&path, id);
    bool ok = sl_cli_get(c, what, path.ptr, a, exit);
    sl_cli_buf_free(&path);
    return ok ? a->json : NULL;
}

/* ---- list ---- */

static void drain_row(struct sl_cli_table *t, const struct sl_cli_drain *d)
{
    struct sl_cli_buf b = { 0 };
    char wall[32];
    sl_cli_table_cell(t, d->id);
    sl_cli_table_cell(t, sl_cli_drain_node(d));
    sl_cli_table_cell(t, d->phase);
    const char *proof = d->proof_reference ? "reference" : "yes";
    sl_cli_table_cell(t, sl_cli_drain_was_safe(d) ? proof : "no");
    sl_cli_addf(&b, "%u %%", sl_cli_drain_percent(d));
    sl_cli_table_cell(t, b.ptr);
    sl_cli_table_count(t, d->dispatchers.is_known, d->dispatchers.v);
    drain_wall(wall, sizeof wall, d->created_ms);
    sl_cli_table_cell(t, wall);
    sl_cli_table_cell(t, d->actor);
    sl_cli_table_cell(t, d->reason);
    sl_cli_buf_free(&b);
}

int sl_cli_drain_list(struct sl_cli *c)
{
    struct drain_list list;
    struct sl_cli_table t;
    struct sl_cli_buf b = { 0 };
    bool all = sl_cli_has(c, SL_CLI_OPT_ALL);
    int exit;
    if (!drain_load(c, "drain list", &list, &exit)) {
        drain_list_deinit(&list);
        return exit;
    }
    sl_cli_table_init(&t, "DRAIN|NODE|PHASE|SAFE|>DONE|>DISPATCHERS|SINCE|BY|REASON");
    for (size_t i = 0; i < list.count; i++) {
        if (all || !sl_cli_drain_is_over(&list.items[i]))
            drain_row(&t, &list.items[i]);
    }
    if (c->is_json) {
        sl_cli_print_json(c, list.answer.json);
    } else {
        sl_cli_table_render(&t, sl_cli_columns(c), &b);
        sl_cli_print(c, &b);
    }
    sl_cli_buf_free(&b);
    sl_cli_table_deinit(&t);
    drain_list_deinit(&list);
    return SL_CLI_EXIT_OK;
}

/* ---- show ---- */

static void drain_describe(struct sl_cli_buf *b, const struct sl_cli_drain *d)
{
    char wall[32];
    sl_cli_addf(b, "drain        %s\nnode         %s (%s)\nphase        %s\n", d->id, sl_cli_drain_node(d), d->target,
                d->phase);
    drain_wall(wall, sizeof wall, d->created_ms);
    sl_cli_addf(b, "since        %s%s%s\n", wall, d->actor[0] != '\0' ? " by " : "", d->actor);
    if (d->reason[0] != '\0')
        sl_cli_addf(b, "reason       %s\n", d->reason);
    drain_wall(wall, sizeof wall, d->deadline_ms);
    if (d->deadline_ms > 0)
        sl_cli_addf(b, "deadline     %s%s\n", wall,
                    d->cancel_at_deadline ? ", then cancelled" : ", then reported late");
    sl_cli_addf(b, "moved        %" PRIu64 " of %" PRIu64 " dispatchers\nleft         ", d->moves_done,
                d->dispatchers_at_start);
    sl_cli_progress_left(b, d);
    sl_cli_add(b, "\nlag          ");
    if (d->lag_ms.is_known)
        sl_cli_add_ms(b, d->lag_ms.v);
    else
        sl_cli_add(b, "-");
    sl_cli_add(b, "\nsafe to stop ");
    if (sl_cli_drain_was_safe(d)) {
        sl_cli_add(b, d->proof_reference ? "as far as the other nodes can tell (proof=reference)" : "yes");
    } else {
        sl_cli_add(b, sl_cli_drain_is_over(d) ? "no: it ended before" : "no: ");
        sl_cli_progress_blocker(b, d);
    }
    sl_cli_add(b, "\n");
}

int sl_cli_drain_show(struct sl_cli *c)
{
    struct drain_list list;
    struct sl_cli_answer a = { 0 };
    struct sl_cli_buf b = { 0 };
    struct sl_cli_drain whole;
    struct json_object *json = NULL;
    int exit = SL_CLI_EXIT_FAILED;
    const struct sl_cli_drain *drain = NULL;
    if (drain_load(c, "drain show", &list, &exit))
        drain = drain_find(c, &list, "drain show", c->args.words[0]);
    if (drain)
        json = drain_get(c, "drain show", drain->id, &a, &exit);
    else if (list.answer.json)
        exit = SL_CLI_EXIT_FAILED;
    if (json && !c->is_json && sl_cli_drain_decode(&whole, json))
        drain_describe(&b, &whole);
    if (json && c->is_json)
        sl_cli_print_json(c, json);
    sl_cli_print(c, &b);
    sl_cli_buf_free(&b);
    sl_cli_answer_deinit(&a);
    drain_list_deinit(&list);
    return json ? SL_CLI_EXIT_OK : exit;
}

/* ---- watch ---- */

int sl_cli_drain_watch(struct sl_cli *c)
{
    struct sl_cli_nodes nodes;
    struct drain_list list = { 0 };
    uint64_t blocked_ms;
    int exit;
    if (!sl_cli_duration(c, SL_CLI_OPT_FAIL_IF_BLOCKED, &blocked_ms))
        return SL_CLI_EXIT_USAGE;
    bool ok = sl_cli_nodes_load(c, "drain watch", &nodes, &exit) && drain_load(c, "drain watch", &list, &exit);
    const struct sl_cli_drain *drain = ok ? drain_find(c, &list, "drain watch", c->args.words[0]) : NULL;
    if (drain) {
        char id[sizeof drain->id];
        memcpy(id, drain->id, sizeof id);
        const struct sl_cli_watch_opts opts = {
            .id = id, .fail_if_blocked_ms = blocked_ms, .waits_for_exit = drain->stop_node, .prints_changes = true
        };
        exit = sl_cli_watch_run(c, &opts);
    } else if (ok) {
        exit = SL_CLI_EXIT_FAILED;
    }
    drain_list_deinit(&list);
    sl_cli_nodes_deinit(&nodes);
    return exit;
}
