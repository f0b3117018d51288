/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of a filter, one on each line, as the configuration of a feed holds them; asked for names out of the rules. */
#include "engine/table_filter.h"

#include <json-c/json.h>
#include <string.h>

enum { FILTER_RULES_MAX = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct json_object *filter_config(struct sl_str text, bool is_case_sensitive)
{
    struct json_object *config = json_object_new_object(), *filter = json_object_new_object();
    struct json_object *rules = json_object_new_array();
    for (int i = 0; i < FILTER_RULES_MAX && text.len > 0; i++) {
        const char *end = memchr(text.ptr, '\n', text.len);
        size_t len = end ? (size_t)(end - text.ptr) : text.len;
        json_object_array_add(rules, json_object_new_string_len(text.ptr, (int)len));
        text = (struct sl_str){ text.ptr + len + (end ? 1 : 0), text.len - len - (end ? 1 : 0) };
    }
    json_object_object_add(filter, "rules", rules);
    json_object_object_add(config, "filter", filter);
    json_object_object_add(config, "case_sensitive", json_object_new_boolean(is_case_sensitive));
    return config;
}

/* The halves of the text around its first full stop. */
static void filter_ask(const struct sl_table_filter *f, struct sl_str text)
{
    const char *stop = memchr(text.ptr, '.', text.len);
    size_t len = stop ? (size_t)(stop - text.ptr) : text.len;
    struct sl_str schema = { text.ptr, len < 64 ? len : 64 };
    struct sl_str table = { text.ptr + len, text.len - len < 64 ? text.len - len : 64 };
    if (sl_table_filter_takes(f, schema, table))
        SL_REQUIRE(sl_table_filter_takes_schema(f, schema));
    (void)sl_table_filter_takes(f, SL_STR("shop"), SL_STR("orders"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct sl_str text = { (const char *)data + 1, size - 1 };
    struct json_object *config = filter_config(text, (data[0] & 1) != 0);
    const char *json = json_object_to_json_string_ext(config, JSON_C_TO_STRING_PLAIN);
    struct sl_secret secret = sl_secret_of((struct sl_bytes){ (const uint8_t *)json, strlen(json) });
    struct sl_table_filter *filter;
    struct sl_trouble t = { .kind = SL_TROUBLE_NONE };
    if (sl_table_filter_new(&filter, secret, &t)) {
        filter_ask(filter, text);
        sl_table_filter_free(filter);
    } else {
        SL_REQUIRE(t.code[0] != '\0');
    }
    json_object_put(config);
    return 0;
}
