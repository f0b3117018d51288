/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/feed_body.h"
#include "cli/model.h"

/* A node looks, not this program: what counts is what the nodes can reach. */

static bool source_has_id(struct json_object *tables, struct sl_cli_number id)
{
    for (size_t i = 0; i < sl_cli_item_count(tables); i++) {
        struct sl_cli_number other = sl_cli_member_number(sl_cli_item(tables, i), "table_id");
        if (id.is_known && other.is_known && other.v == id.v)
            return true;
    }
    return false;
}

static void source_table(struct sl_cli *c, struct json_object *tables, struct json_object *without_key)
{
    struct sl_cli_table t;
    struct sl_cli_buf b = { 0 };
    char text[200];
    sl_cli_table_init(&t, "DATABASE|TABLE|>ID|PRIMARY KEY");
    for (size_t i = 0; i < sl_cli_item_count(tables); i++) {
        struct json_object *row = sl_cli_item(tables, i);
        sl_cli_member_text(row, "database_name", text, sizeof text);
        sl_cli_table_cell(&t, text);
        sl_cli_member_text(row, "table_name", text, sizeof text);
        sl_cli_table_cell(&t, text);
        struct sl_cli_number id = sl_cli_member_number(row, "table_id");
        sl_cli_table_count(&t, id.is_known, id.v);
        sl_cli_table_cell(&t, source_has_id(without_key, id) ? "none: refused by databases as sinks" : "yes");
    }
    sl_cli_table_render(&t, sl_cli_columns(c), &b);
    sl_cli_print(c, &b);
    sl_cli_buf_free(&b);
    sl_cli_table_deinit(&t);
}

static int source_ask(struct sl_cli *c, const char *uri)
{
    struct sl_cli_answer a;
    struct json_object *body = json_object_new_object();
    int exit = SL_CLI_EXIT_OK;
    if (!sl_cli_connect(c)) {
        json_object_put(body);
        return SL_CLI_EXIT_USAGE;
    }
    json_object_object_add(body, "source_uri", json_object_new_string(uri));
    const struct sl_cli_call call = { .method = "POST",
                                      .path = "/api/v2/verify_table",
                                      .body = json_object_to_json_string_ext(body, JSON_C_TO_STRING_PLAIN),
                                      .is_idempotent = true };
    sl_cli_client_call(c->client, &call, &a);
    if (!sl_cli_answer_is_good(&a))
        exit = sl_cli_fail_answer(c, "source check", &a);
    else if (c->is_json)
        sl_cli_print_json(c, a.json);
    else
        source_table(c, sl_cli_member(a.json, "all_tables"), sl_cli_member(a.json, "ineligible_tables"));
    sl_cli_answer_deinit(&a);
    json_object_put(body);
    return exit;
}

int sl_cli_source_check(struct sl_cli *c)
{
    const char *word = c->args.word_count > 0 ? c->args.words[0] : NULL;
    struct sl_cli_buf uri = { 0 };
    int exit = SL_CLI_EXIT_USAGE;
    if (sl_cli_source_uri(c, word, "give one such as mariadb://HOST/, or --source-file", &uri))
        exit = source_ask(c, uri.ptr);
    sl_cli_buf_free(&uri);
    return exit;
}
