/* SPDX-License-Identifier: Apache-2.0 */
/* What a server answers to the operator's command: any JSON is shown or refused, and nothing of it can forge a line. */
#include "cli/model.h"
#include "cli/text.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_clean(const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++)
        SL_REQUIRE(*p >= 0x20 && *p != 0x7f);
}

static void show(struct json_object *json, struct sl_cli_table *table)
{
    static struct sl_cli_node node;
    static struct sl_cli_drain drain;
    static struct sl_cli_feed feed;
    static struct sl_cli_plan_row plan;
    if (sl_cli_node_decode(&node, json)) {
        check_clean(node.name);
        check_clean(sl_cli_node_state(&node));
        sl_cli_table_cell(table, node.address);
        sl_cli_table_count(table, node.dispatchers.is_known, node.dispatchers.v);
    }
    if (sl_cli_drain_decode(&drain, json)) {
        check_clean(drain.reason);
        check_clean(sl_cli_drain_node(&drain));
        SL_REQUIRE(sl_cli_drain_percent(&drain) <= 100 && drain.slow_count <= SL_CLI_SLOW_MAX);
        SL_REQUIRE(sl_cli_drain_percent(&drain) < 100 || sl_cli_drain_was_safe(&drain));
        sl_cli_table_count(table, true, sl_cli_drain_left(&drain));
        sl_cli_table_cell(table, drain.blocker_detail);
    }
    if (sl_cli_feed_decode(&feed, json)) {
        check_clean(feed.error);
        sl_cli_table_cell(table, feed.name);
        (void)sl_cli_member_time_ms(json, "checkpoint_time");
    }
    if (sl_cli_plan_decode(&plan, json))
        sl_cli_table_cell(table, plan.name);
}

static void show_all(struct json_object *json)
{
    struct sl_cli_table table;
    struct sl_cli_buf out = { 0 };
    sl_cli_table_init(&table, "NAME|>COUNT|STATE");
    show(json, &table);
    size_t count = sl_cli_item_count(json);
    for (size_t i = 0; i < count && i < 100; i++)
        show(sl_cli_item(json, i), &table);
    while (table.cell_count % table.columns != 0)
        sl_cli_table_cell(&table, "-");
    sl_cli_table_render(&table, 40, &out);
    sl_cli_table_deinit(&table);
    sl_cli_buf_free(&out);
}

static void check_texts(const uint8_t *data, size_t size)
{
    char text[256], shown[512];
    uint64_t number;
    size_t len = size < sizeof text - 1 ? size : sizeof text - 1;
    memcpy(text, data, len);
    text[len] = '\0';
    sl_cli_clean(shown, sizeof shown, text);
    check_clean(shown);
    sl_cli_mask_uri(shown, sizeof shown, text);
    check_clean(shown);
    if (sl_cli_parse_ms(text, &number))
        SL_REQUIRE(number <= 3660ull * 86400 * 1000);
    if (sl_cli_parse_u64(text, &number))
        SL_REQUIRE(strspn(text, "0123456789") > 0);
    sl_cli_blot_uri(text);
    SL_REQUIRE(strlen(text) <= len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct json_tokener *tokener = json_tokener_new();
    struct json_object *json = size < INT32_MAX ? json_tokener_parse_ex(tokener, (const char *)data, (int)size) : NULL;
    show_all(json);
    check_texts(data, size);
    json_object_put(json);
    json_tokener_free(tokener);
    return 0;
}
