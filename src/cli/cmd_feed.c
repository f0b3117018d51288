/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/feed_body.h"
#include "cli/nodes.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define FEED_SLOW_MS 130000 /* pausing and removing wait until the feed has stopped */

/* ---- paths ---- */

/* "/api/v2/changefeeds/<name><tail>?keyspace=..." */
static void feed_path(const struct sl_cli *c, struct sl_cli_buf *b, const char *name, const char *tail)
{
    const char *keyspace = sl_cli_value(c, SL_CLI_OPT_KEYSPACE);
    sl_cli_add(b, "/api/v2/changefeeds");
    if (name[0] != '\0') {
        sl_cli_add(b, "/");
        sl_cli_add_path(b, name);
    }
    sl_cli_addf(b, "%s", tail);
    if (keyspace) {
        sl_cli_add(b, strchr(tail, '?') ? "&keyspace=" : "?keyspace=");
        sl_cli_add_path(b, keyspace);
    }
}

/* ---- list ---- */

static bool feed_list(struct sl_cli *c, const char *what, struct sl_cli_answer *a, int *exit)
{
    struct sl_cli_buf path = { 0 };
    feed_path(c, &path, "", "?state=all");
    bool ok = sl_cli_get(c, what, path.ptr, a, exit);
    sl_cli_buf_free(&path);
    return ok;
}

/* A position that is no time, as of a synthetic source, has neither lag nor time. */
static void feed_row(struct sl_cli_table *t, const struct sl_cli_feed *f)
{
    struct sl_cli_buf lag = { 0 }, checkpoint = { 0 };
    sl_cli_add(&lag, f->copy_tables.is_known ? "copying" : "");
    if (f->lag_ms.is_known)
        sl_cli_add_ms(&lag, f->lag_ms.v);
    sl_cli_addf(&checkpoint, "%" PRIu64, f->checkpoint.v);
    sl_cli_table_cell(t, f->name);
    sl_cli_table_cell(t, f->state);
    sl_cli_table_cell(t, f->node);
    sl_cli_table_cell(t, lag.ptr);
    sl_cli_table_cell(t, f->checkpoint.is_known ? checkpoint.ptr : "");
    sl_cli_table_cell(t, f->lag_ms.is_known ? f->checkpoint_time : "");
    sl_cli_table_cell(t, f->error);
    sl_cli_buf_free(&lag);
    sl_cli_buf_free(&checkpoint);
}

int sl_cli_feed_list(struct sl_cli *c)
{
    struct sl_cli_answer a;
    struct sl_cli_table t;
    struct sl_cli_buf b = { 0 };
    int exit = SL_CLI_EXIT_OK;
    if (!feed_list(c, "feed list", &a, &exit)) {
        sl_cli_answer_deinit(&a);
        return exit;
    }
    sl_cli_table_init(&t, "FEED|STATE|NODE|>LAG|>CHECKPOINT|TIME|ERROR");
    for (size_t i = 0; i < sl_cli_item_count(a.json); i++) {
        struct sl_cli_feed feed;
        if (sl_cli_feed_decode(&feed, sl_cli_item(a.json, i)))
            feed_row(&t, &feed);
    }
    if (c->is_json) {
        sl_cli_print_json(c, a.json);
    } else {
        sl_cli_table_render(&t, sl_cli_columns(c), &b);
        sl_cli_print(c, &b);
    }
    sl_cli_buf_free(&b);
    sl_cli_table_deinit(&t);
    sl_cli_answer_deinit(&a);
    return SL_CLI_EXIT_OK;
}

/* ---- one feed, by name or the beginning of one ---- */

/* The whole name in *name (owned by the caller); false: said why. */
static bool feed_find(struct sl_cli *c, const char *what, char **name, int *exit)
{
    struct sl_cli_answer a;
    char why[160];
    size_t matches = 0, count = 0, found = SIZE_MAX;
    *name = NULL;
    if (feed_list(c, what, &a, exit)) {
        count = sl_cli_item_count(a.json);
        const char **names = sl_cli_alloc(count * sizeof *names);
        for (size_t i = 0; i < count; i++)
            names[i] = json_object_get_string(sl_cli_member(sl_cli_item(a.json, i), "id"));
        found = sl_cli_match(names, count, c->args.words[0], &matches);
        if (found != SIZE_MAX)
            *name = sl_cli_copy(names[found]);
        free(names);
        *exit = SL_CLI_EXIT_FAILED;
        if (matches > 1)
            (void)snprintf(why, sizeof why, "the names of %zu feeds begin with '%.60s'", matches, c->args.words[0]);
        else
            (void)snprintf(why, sizeof why, "there is no feed '%.60s'", c->args.words[0]);
        if (!*name)
            (void)sl_cli_fail(c, SL_CLI_EXIT_FAILED, what, why, "'sluice feed list' shows them");
    }
    sl_cli_answer_deinit(&a);
    return *name != NULL;
}

/* Sends a change of the feed named by the first word; done is said when it is good. */
static int feed_change(struct sl_cli *c, const char *what, const char *method, const char *tail, const char *body,
                       const char *done)
{
    struct sl_cli_answer a;
    struct sl_cli_buf path = { 0 };
    char *name;
    int exit;
    if (!feed_find(c, what, &name, &exit))
        return exit;
    feed_path(c, &path, name, tail);
    const struct sl_cli_call call = { .method = method, .path = path.ptr, .body = body, .timeout_ms = FEED_SLOW_MS };
    sl_cli_client_call(c->client, &call, &a);
    exit = SL_CLI_EXIT_OK;
    if (!sl_cli_answer_is_good(&a))
        exit = sl_cli_fail_answer(c, what, &a);
    else if (c->is_json)
        (void)fprintf(c->out, "%s\n", a.json ? json_object_to_json_string_ext(a.json, JSON_C_TO_STRING_PLAIN) : "{}");
    else
        (void)fprintf(c->out, "%s: %s\n", name, done);
    sl_cli_answer_deinit(&a);
    sl_cli_buf_free(&path);
    free(name);
    return exit;
}

int sl_cli_feed_pause(struct sl_cli *c)
{
    return feed_change(c, "feed pause", "POST", "/pause", NULL, "stopped; it keeps its checkpoint");
}

/* The list of positions to leave out, with one more; to be put. */
static struct json_object *feed_ignored_with(struct json_object *feed, uint64_t ts)
{
    struct json_object *old =
        sl_cli_member(sl_cli_member(sl_cli_member(feed, "config"), "filter"), "ignore_txn_start_ts");
    struct json_object *list = json_object_new_array();
    bool is_there = false;
    for (size_t i = 0; i < sl_cli_item_count(old); i++) {
        uint64_t value = json_object_get_uint64(json_object_array_get_idx(old, i));
        is_there = is_there || value == ts;
        json_object_array_add(list, json_object_new_uint64(value));
    }
    if (!is_there)
        json_object_array_add(list, json_object_new_uint64(ts));
    return list;
}

static int feed_put_ignored(struct sl_cli *c, const char *path, struct json_object *list)
{
    struct sl_cli_answer a;
    struct sl_cli_buf body = { 0 };
    int exit = SL_CLI_EXIT_OK;
    sl_cli_addf(&body, "{\"replica_config\":{\"filter\":{\"ignore_txn_start_ts\":%s}}}",
                json_object_to_json_string_ext(list, JSON_C_TO_STRING_PLAIN));
    const struct sl_cli_call call = { .method = "PUT", .path = path, .body = body.ptr, .timeout_ms = FEED_SLOW_MS };
    sl_cli_client_call(c->client, &call, &a);
    if (!sl_cli_answer_is_good(&a))
        exit = sl_cli_fail_answer(c, "feed resume", &a);
    sl_cli_answer_deinit(&a);
    sl_cli_buf_free(&body);
    return exit;
}

static int feed_skip(struct sl_cli *c, uint64_t ts)
{
    struct sl_cli_answer a;
    struct sl_cli_buf path = { 0 };
    char *name;
    int exit;
    if (!feed_find(c, "feed resume", &name, &exit))
        return exit;
    feed_path(c, &path, name, "");
    if (sl_cli_get(c, "feed resume", path.ptr, &a, &exit)) {
        struct json_object *list = feed_ignored_with(a.json, ts);
        exit = feed_put_ignored(c, path.ptr, list);
        json_object_put(list);
    }
    sl_cli_answer_deinit(&a);
    sl_cli_buf_free(&path);
    free(name);
    return exit;
}

int sl_cli_feed_resume(struct sl_cli *c)
{
    const char *skipped = sl_cli_value(c, SL_CLI_OPT_SKIP_DDL);
    const char *checkpoint = sl_cli_value(c, SL_CLI_OPT_CHECKPOINT);
    char body[80] = "{}";
    uint64_t ts;
    if (checkpoint && !sl_cli_parse_u64(checkpoint, &ts))
        return sl_cli_fail(c, SL_CLI_EXIT_USAGE, "--checkpoint", "that is no position",
                           "give the number feed list shows");
    uint64_t skip;
    if (skipped && !sl_cli_parse_u64(skipped, &skip))
        return sl_cli_fail(c, SL_CLI_EXIT_USAGE, "--skip-ddl", "that is no position",
                           "give the ts that the feed's error names");
    int exit = skipped ? feed_skip(c, skip) : SL_CLI_EXIT_OK;
    if (exit != SL_CLI_EXIT_OK)
        return exit;
    if (checkpoint)
        (void)snprintf(body, sizeof body, "{\"overwrite_checkpoint_ts\":%" PRIu64 "}", ts);
    return feed_change(c, "feed resume", "POST", "/resume", body, "goes on");
}

int sl_cli_feed_remove(struct sl_cli *c)
{
    char question[120];
    (void)snprintf(question, sizeof question, "feed remove %.60s: forget it and its checkpoint?", c->args.words[0]);
    if (!sl_cli_confirm(c, question))
        return SL_CLI_EXIT_USAGE;
    return feed_change(c, "feed remove", "DELETE", "", NULL, "removed");
}

int sl_cli_feed_move(struct sl_cli *c)
{
    struct sl_cli_nodes nodes;
    struct json_object *body;
    const char *to = sl_cli_value(c, SL_CLI_OPT_TO);
    int exit;
    if (!to)
        return sl_cli_fail(c, SL_CLI_EXIT_USAGE, "feed move", "--to is missing", "give --to NODE");
    const struct sl_cli_node *node = NULL;
    if (sl_cli_nodes_load(c, "feed move", &nodes, &exit)) {
        node = sl_cli_nodes_find(c, &nodes, "feed move", to);
        exit = SL_CLI_EXIT_FAILED;
    }
    if (node) {
        body = json_object_new_object();
        json_object_object_add(body, "node", json_object_new_string(node->id));
        exit = feed_change(c, "feed move", "POST", "/move", json_object_to_json_string(body), "its maintainer moves");
        json_object_put(body);
    }
    sl_cli_nodes_deinit(&nodes);
    return exit;
}

int sl_cli_feed_resync(struct sl_cli *c)
{
    const char *table = sl_cli_value(c, SL_CLI_OPT_TABLE);
    if (!table || !strchr(table, '.'))
        return sl_cli_fail(c, SL_CLI_EXIT_USAGE, "feed resync", "--table is missing, or has no schema",
                           "give --table SCHEMA.TABLE");
    struct json_object *body = json_object_new_object();
    json_object_object_add(body, "table", json_object_new_string(table));
    int exit =
        feed_change(c, "feed resync", "POST", "/resync", json_object_to_json_string(body), "the table is copied again");
    json_object_put(body);
    return exit;
}

/* ---- repoint ---- */

static void feed_describe_repoint(struct sl_cli *c, const char *name, struct json_object *json)
{
    struct sl_cli_buf b = { 0 };
    char gtid[1100];
    bool is_done = sl_cli_member_bool(json, "done");
    struct sl_cli_number copies = sl_cli_member_number(json, "tables_copied_again");
    sl_cli_member_text(json, "gtid", gtid, sizeof gtid);
    sl_cli_addf(&b, "%s: %s behind %s\n", name, is_done ? "goes on at the new source" : "can go on at this source",
                gtid);
    sl_cli_addf(&b,
                "checkpoint  %" PRIu64 "\nahead of it %" PRIu64 " tables, %" PRIu64
                " schema changes, each found by its GTID\n",
                sl_cli_member_number(json, "checkpoint_ts").v, sl_cli_member_number(json, "tables_ahead").v,
                sl_cli_member_number(json, "changes_ahead").v);
    if (copies.v > 0)
        sl_cli_addf(&b, "copied      %" PRIu64 " tables %s copied from the new source\n", copies.v,
                    is_done ? "are" : "would be");
    sl_cli_addf(&b, "%s\n", is_done ? "sluice feed resume starts it" : "nothing was changed");
    sl_cli_print(c, &b);
    sl_cli_buf_free(&b);
}

static int feed_repoint(struct sl_cli *c, const char *uri)
{
    struct sl_cli_answer a;
    struct sl_cli_buf path = { 0 };
    char *name;
    int exit;
    if (!feed_find(c, "feed repoint", &name, &exit))
        return exit;
    struct json_object *body = json_object_new_object();
    json_object_object_add(body, "source_uri", json_object_new_string(uri));
    json_object_object_add(body, "dry_run", json_object_new_boolean(sl_cli_has(c, SL_CLI_OPT_DRY_RUN)));
    feed_path(c, &path, name, "/repoint");
    const struct sl_cli_call call = { .method = "POST",
                                      .path = path.ptr,
                                      .body = json_object_to_json_string_ext(body, JSON_C_TO_STRING_PLAIN),
                                      .timeout_ms = FEED_SLOW_MS };
    sl_cli_client_call(c->client, &call, &a);
    exit = SL_CLI_EXIT_OK;
    if (!sl_cli_answer_is_good(&a))
        exit = sl_cli_fail_answer(c, "feed repoint", &a);
    else if (c->is_json)
        sl_cli_print_json(c, a.json);
    else
        feed_describe_repoint(c, name, a.json);
    sl_cli_answer_deinit(&a);
    json_object_put(body);
    sl_cli_buf_free(&path);
    free(name);
    return exit;
}

int sl_cli_feed_repoint(struct sl_cli *c)
{
    struct sl_cli_buf uri = { 0 };
    int exit = SL_CLI_EXIT_USAGE;
    if (sl_cli_source_uri(c, c->args.values[SL_CLI_OPT_SOURCE], "give --source mysql://NEW-SERVER/, or --source-file",
                          &uri))
        exit = feed_repoint(c, uri.ptr);
    sl_cli_buf_free(&uri);
    return exit;
}

/* ---- show ---- */

static void feed_describe_copy(struct sl_cli_buf *b, const struct sl_cli_feed *f)
{
    if (!f->copy_tables.is_known)
        return;
    sl_cli_addf(b,
                "lag         not known while tables are copied\ncopying     %" PRIu64 " table%s left, %" PRIu64
                " of about %" PRIu64 " rows\n",
                f->copy_tables.v, f->copy_tables.v == 1 ? "" : "s", f->copy_rows.v, f->copy_rows_about.v);
}

static void feed_describe(struct sl_cli *c, struct json_object *json)
{
    struct sl_cli_feed f;
    struct sl_cli_buf b = { 0 };
    char sink[400], source[400];
    if (!sl_cli_feed_decode(&f, json))
        return;
    struct json_object *uris[2] = { sl_cli_member(json, "source_uri"), sl_cli_member(json, "sink_uri") };
    sl_cli_mask_uri(source, sizeof source, uris[0] ? json_object_get_string(uris[0]) : "");
    sl_cli_mask_uri(sink, sizeof sink, uris[1] ? json_object_get_string(uris[1]) : "");
    sl_cli_addf(&b, "feed        %s\nkeyspace    %s\nstate       %s\n", f.name, f.keyspace, f.state);
    sl_cli_addf(&b, "source      %s\nsink        %s\n", source[0] != '\0' ? source : "-", sink);
    sl_cli_addf(&b, "checkpoint  %" PRIu64 "%s%s\n", f.checkpoint.v, f.lag_ms.is_known ? "  " : "",
                f.lag_ms.is_known ? f.checkpoint_time : "");
    if (f.lag_ms.is_known) {
        sl_cli_add(&b, "lag         ");
        sl_cli_add_ms(&b, f.lag_ms.v);
        sl_cli_add(&b, "\n");
    }
    feed_describe_copy(&b, &f);
    sl_cli_addf(&b, "maintainer  %s%s%s\n", f.node[0] != '\0' ? f.node : "not placed",
                f.placement[0] != '\0' ? ", " : "", f.placement);
    if (f.error[0] != '\0')
        sl_cli_addf(&b, "error       %s\n", f.error);
    sl_cli_print(c, &b);
    sl_cli_buf_free(&b);
}

int sl_cli_feed_show(struct sl_cli *c)
{
    struct sl_cli_answer a = { 0 };
    struct sl_cli_buf path = { 0 };
    char *name;
    int exit;
    if (!feed_find(c, "feed show", &name, &exit))
        return exit;
    feed_path(c, &path, name, "");
    if (sl_cli_get(c, "feed show", path.ptr, &a, &exit)) {
        exit = SL_CLI_EXIT_OK;
        if (c->is_json)
            sl_cli_print_json(c, a.json);
        else
            feed_describe(c, a.json);
    }
    sl_cli_answer_deinit(&a);
    sl_cli_buf_free(&path);
    free(name);
    return exit;
}

/* ---- create ---- */

int sl_cli_feed_create(struct sl_cli *c)
{
    struct sl_cli_answer a;
    struct sl_cli_buf path = { 0 };
    struct json_object *body = sl_cli_feed_body(c);
    int exit = SL_CLI_EXIT_OK;
    if (!body)
        return SL_CLI_EXIT_USAGE;
    if (!sl_cli_connect(c)) {
        json_object_put(body);
        return SL_CLI_EXIT_USAGE;
    }
    feed_path(c, &path, "", "");
    const struct sl_cli_call call = { .method = "POST",
                                      .path = path.ptr,
                                      .body = json_object_to_json_string_ext(body, JSON_C_TO_STRING_PLAIN) };
    sl_cli_client_call(c->client, &call, &a);
    if (!sl_cli_answer_is_good(&a))
        exit = sl_cli_fail_answer(c, "feed create", &a);
    else if (c->is_json && a.json)
        sl_cli_print_json(c, a.json);
    else
        (void)fprintf(c->out, "%s: created\n", c->args.words[0]);
    sl_cli_answer_deinit(&a);
    json_object_put(body);
    sl_cli_buf_free(&path);
    return exit;
}
