/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/nodes.h"
#include "cli/watch.h"

#include <pwd.h>
#include <string.h>
#include <unistd.h>

/* ---- list, show ---- */

int sl_cli_node_list(struct sl_cli *c)
{
    struct sl_cli_nodes list;
    int exit;
    if (!sl_cli_nodes_load(c, "node list", &list, &exit)) {
        sl_cli_nodes_deinit(&list);
        return exit;
    }
    if (c->is_json) {
        sl_cli_print_json(c, list.answer.json);
    } else {
        struct sl_cli_table t;
        struct sl_cli_buf b = { 0 };
        sl_cli_table_init(&t, "NAME|STATE|ROLE|>FEEDS|>DISPATCHERS|ADDRESS|VERSION|ID");
        for (size_t i = 0; i < list.count; i++) {
            const struct sl_cli_node *n = &list.items[i];
            sl_cli_table_cell(&t, n->name);
            sl_cli_table_cell(&t, sl_cli_node_state(n));
            sl_cli_table_cell(&t, n->is_owner ? "coordinator" : "");
            sl_cli_table_count(&t, n->maintainers.is_known && !n->is_unknown, n->maintainers.v);
            sl_cli_table_count(&t, n->dispatchers.is_known && !n->is_unknown, n->dispatchers.v);
            sl_cli_table_cell(&t, n->address);
            sl_cli_table_cell(&t, n->version);
            sl_cli_table_cell(&t, n->id);
        }
        sl_cli_table_render(&t, sl_cli_columns(c), &b);
        sl_cli_print(c, &b);
        sl_cli_buf_free(&b);
        sl_cli_table_deinit(&t);
    }
    sl_cli_nodes_deinit(&list);
    return SL_CLI_EXIT_OK;
}

static void node_count(struct sl_cli_buf *b, const char *label, struct sl_cli_number n)
{
    sl_cli_add(b, label);
    if (n.is_known)
        sl_cli_add_count(b, n.v);
    else
        sl_cli_add(b, "not known");
    sl_cli_add(b, "\n");
}

static void node_print(struct sl_cli *c, const struct sl_cli_node *n)
{
    struct sl_cli_buf b = { 0 };
    sl_cli_addf(&b, "name         %s\nid           %s\naddress      %s\nversion      %s\n", n->name, n->id, n->address,
                n->version);
    sl_cli_addf(&b, "state        %s%s\n", sl_cli_node_state(n), n->is_owner ? ", coordinator" : "");
    node_count(&b, "maintainers  ", n->maintainers);
    node_count(&b, "dispatchers  ", n->dispatchers);
    node_count(&b, "readers      ", n->readers);
    node_count(&b, "unflushed    ", n->unflushed_rows);
    sl_cli_addf(&b, "drain        %s\n", n->is_draining ? "yes: 'sluice drain list' shows it" : "no");
    sl_cli_print(c, &b);
    sl_cli_buf_free(&b);
}

/* The node named by the first word; list is loaded. Null: said why, *exit is set. */
static const struct sl_cli_node *node_wanted(struct sl_cli *c, struct sl_cli_nodes *list, const char *what, int *exit)
{
    if (!sl_cli_nodes_load(c, what, list, exit))
        return NULL;
    *exit = SL_CLI_EXIT_FAILED;
    return sl_cli_nodes_find(c, list, what, c->args.words[0]);
}

int sl_cli_node_show(struct sl_cli *c)
{
    struct sl_cli_nodes list;
    int exit;
    const struct sl_cli_node *node = node_wanted(c, &list, "node show", &exit);
    if (node && c->is_json)
        sl_cli_print_json(c, node->json);
    else if (node)
        node_print(c, node);
    sl_cli_nodes_deinit(&list);
    return node ? SL_CLI_EXIT_OK : exit;
}

/* ---- drain ---- */

struct node_drain {
    uint64_t deadline_ms, max_lag_ms, fail_if_blocked_ms;
    bool dry_run, detach, stop, cancel_at_deadline;
};

static bool node_drain_options(struct sl_cli *c, struct node_drain *o)
{
    *o = (struct node_drain){ .dry_run = sl_cli_has(c, SL_CLI_OPT_DRY_RUN),
                              .detach = sl_cli_has(c, SL_CLI_OPT_DETACH),
                              .stop = sl_cli_has(c, SL_CLI_OPT_STOP),
                              .cancel_at_deadline = sl_cli_has(c, SL_CLI_OPT_CANCEL_AT_DEADLINE) };
    if (!sl_cli_duration(c, SL_CLI_OPT_DEADLINE, &o->deadline_ms) ||
        !sl_cli_duration(c, SL_CLI_OPT_MAX_LAG, &o->max_lag_ms) ||
        !sl_cli_duration(c, SL_CLI_OPT_FAIL_IF_BLOCKED, &o->fail_if_blocked_ms))
        return false;
    if (!o->cancel_at_deadline || o->deadline_ms > 0)
        return true;
    (void)sl_cli_fail(c, SL_CLI_EXIT_USAGE, "node drain", "--cancel-at-deadline without --deadline",
                      "give --deadline DURATION");
    return false;
}

static void node_drain_body(struct sl_cli *c, const struct node_drain *o, const char *id, struct sl_cli_buf *out)
{
    const char *reason = sl_cli_value(c, SL_CLI_OPT_REASON);
    const struct passwd *user = getpwuid(geteuid());
    const char *actor = user ? user->pw_name : "";
    struct json_object *body = json_object_new_object();
    json_object_object_add(body, "node", json_object_new_string(id));
    if (reason)
        json_object_object_add(body, "reason", json_object_new_string(reason));
    if (actor[0] != '\0')
        json_object_object_add(body, "actor", json_object_new_string(actor));
    if (o->deadline_ms > 0)
        json_object_object_add(body, "deadline_ms", json_object_new_uint64(o->deadline_ms));
    if (o->max_lag_ms > 0)
        json_object_object_add(body, "lag_budget_ms", json_object_new_uint64(o->max_lag_ms));
    json_object_object_add(body, "dry_run", json_object_new_boolean(o->dry_run));
    json_object_object_add(body, "stop", json_object_new_boolean(o->stop));
    json_object_object_add(body, "cancel_at_deadline", json_object_new_boolean(o->cancel_at_deadline));
    sl_cli_add(out, json_object_to_json_string_ext(body, JSON_C_TO_STRING_PLAIN));
    json_object_put(body);
}

static void node_plan_table(struct sl_cli *c, struct json_object *rows)
{
    struct sl_cli_table t;
    struct sl_cli_buf b = { 0 };
    struct sl_cli_plan_row row;
    size_t count = json_object_is_type(rows, json_type_array) ? json_object_array_length(rows) : 0;
    sl_cli_table_init(&t, "NODE|ROLE|>FEEDS NOW|>AFTER|>DISPATCHERS NOW|>AFTER");
    for (size_t i = 0; i < count; i++) {
        if (!sl_cli_plan_decode(&row, json_object_array_get_idx(rows, i)))
            continue;
        sl_cli_table_cell(&t, row.name[0] != '\0' ? row.name : row.id);
        const char *role = row.is_eligible ? "takes work" : "takes none";
        sl_cli_table_cell(&t, row.is_target ? "drained" : role);
        sl_cli_table_count(&t, true, row.maintainers_before);
        sl_cli_table_count(&t, true, row.maintainers_after);
        sl_cli_table_count(&t, true, row.dispatchers_before);
        sl_cli_table_count(&t, true, row.dispatchers_after);
    }
    sl_cli_table_render(&t, sl_cli_columns(c), &b);
    sl_cli_print(c, &b);
    sl_cli_buf_free(&b);
    sl_cli_table_deinit(&t);
}

static int node_plan(struct sl_cli *c, const struct sl_cli_node *node, const struct sl_cli_answer *a)
{
    struct json_object *possible = sl_cli_member(a->json, "possible"), *rows = sl_cli_member(a->json, "plan");
    bool works = possible ? json_object_get_boolean(possible) : sl_cli_answer_is_good(a);
    int exit = works ? SL_CLI_EXIT_DRY_RUN : SL_CLI_EXIT_BLOCKED;
    char why[240];
    if (!rows && !sl_cli_answer_is_good(a))
        return sl_cli_fail_answer(c, "node drain --dry-run", a);
    if (c->is_json) {
        sl_cli_print_json(c, a->json);
        return exit;
    }
    node_plan_table(c, rows);
    sl_cli_member_text(a->json, "blocker", why, sizeof why);
    if (works)
        (void)fprintf(c->out, "the drain of %s would work; nothing was changed\n", node->name);
    else
        (void)fprintf(c->out, "the drain of %s would not work: %s\n", node->name, why[0] != '\0' ? why : a->error);
    return exit;
}

/* Refused because nothing could take the work: that is what "blocked" means to a script. */
static int node_drain_refused(struct sl_cli *c, const char *what, const struct sl_cli_answer *a)
{
    if (a->reach == SL_CLI_ANSWERED && strcmp(a->code, "REFUSED") == 0)
        return sl_cli_fail(c, SL_CLI_EXIT_BLOCKED, what, a->error, "");
    if (a->reach == SL_CLI_ANSWERED && strcmp(a->code, "EXISTS") == 0)
        return sl_cli_fail(c, SL_CLI_EXIT_FAILED, what, a->error,
                           "'sluice drain list' shows it; without options you join it");
    return sl_cli_fail_answer(c, what, a);
}

static int node_drain_started(struct sl_cli *c, const struct node_drain *o, const struct sl_cli_nodes *nodes,
                              const struct sl_cli_answer *a)
{
    struct sl_cli_drain drain;
    struct json_object *nested = sl_cli_member(a->json, "drain"), *json = nested ? nested : a->json;
    if (!sl_cli_drain_decode(&drain, json))
        return sl_cli_fail_answer(c, "node drain", a);
    if (o->detach && !sl_cli_drain_was_safe(&drain)) {
        sl_cli_watch_conclude(c, SL_CLI_EXIT_DETACHED, &drain, json);
        return SL_CLI_EXIT_DETACHED;
    }
    const struct sl_cli_watch_opts opts = {
        .id = drain.id,
        .nodes = nodes,
        .first = json,
        .fail_if_blocked_ms = o->fail_if_blocked_ms,
        .deadline_in_ms = o->deadline_ms,
        .waits_for_exit = o->stop && !o->detach,
    };
    return sl_cli_watch_run(c, &opts);
}

static int node_drain_ask(struct sl_cli *c, const struct node_drain *o, const struct sl_cli_nodes *nodes,
                          const struct sl_cli_node *node)
{
    struct sl_cli_buf body = { 0 };
    struct sl_cli_answer a;
    char what[100];
    int exit;
    node_drain_body(c, o, node->id, &body);
    /* Asking twice joins the same drain. */
    const struct sl_cli_call call = {
        .method = "POST", .path = "/api/v2/drains", .body = body.ptr, .is_idempotent = true
    };
    sl_cli_client_call(c->client, &call, &a);
    (void)snprintf(what, sizeof what, "node drain %s", node->name);
    if (o->dry_run && a.reach == SL_CLI_ANSWERED && (sl_cli_answer_is_good(&a) || sl_cli_member(a.json, "plan")))
        exit = node_plan(c, node, &a);
    else if (sl_cli_answer_is_good(&a))
        exit = node_drain_started(c, o, nodes, &a);
    else
        exit = node_drain_refused(c, what, &a);
    sl_cli_answer_deinit(&a);
    sl_cli_buf_free(&body);
    return exit;
}

int sl_cli_node_drain(struct sl_cli *c)
{
    struct sl_cli_nodes list;
    struct node_drain o;
    int exit;
    if (!node_drain_options(c, &o))
        return SL_CLI_EXIT_USAGE;
    const struct sl_cli_node *node = node_wanted(c, &list, "node drain", &exit);
    if (node)
        exit = node_drain_ask(c, &o, &list, node);
    sl_cli_nodes_deinit(&list);
    return exit;
}

int sl_cli_node_undrain(struct sl_cli *c)
{
    struct sl_cli_nodes list;
    struct sl_cli_answer a;
    struct sl_cli_buf path = { 0 };
    char what[100];
    int exit;
    const struct sl_cli_node *node = node_wanted(c, &list, "node undrain", &exit);
    if (node) {
        sl_cli_add(&path, "/api/v2/nodes/");
        sl_cli_add_path(&path, node->id);
        sl_cli_add(&path, "/undrain");
        const struct sl_cli_call call = { .method = "POST", .path = path.ptr, .body = "{}", .is_idempotent = true };
        sl_cli_client_call(c->client, &call, &a);
        (void)snprintf(what, sizeof what, "node undrain %s", node->name);
        exit = SL_CLI_EXIT_OK;
        if (!sl_cli_answer_is_good(&a))
            exit = sl_cli_fail_answer(c, what, &a);
        else if (c->is_json)
            sl_cli_print_json(c, a.json);
        else
            (void)fprintf(c->out, "the drain of %s is cancelled: it takes work again\n", node->name);
        sl_cli_answer_deinit(&a);
        sl_cli_buf_free(&path);
    }
    sl_cli_nodes_deinit(&list);
    return exit;
}
