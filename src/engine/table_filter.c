/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* NOLINT(cert-dcl37-c,cert-dcl51-cpp) for FNM_CASEFOLD */
#include "engine/table_filter.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <fnmatch.h>
#include <json-c/json.h>
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

#define FILTER_NAME_MAX 512u /* a name of 64 characters, with room */
/* What comparing one name with one expression may cost: about a millisecond, and memory in KiB. */
enum { FILTER_STEPS_MAX = 100000, FILTER_HEAP_MAX = 1024 };

struct filter_part { /* of one rule: for the schema or for the table */
    char *glob;
    pcre2_code *regex; /* null: glob decides */
};

struct filter_rule {
    bool is_wanted;
    struct filter_part schema, table;
};

struct sl_table_filter {
    bool is_case_sensitive;
    uint32_t rule_count, ignored_count;
    struct filter_rule *rules;
    pcre2_match_context *limits; /* null if nobody has set rules */
    sl_ts *ignored;              /* transactions and schema changes that nobody wants */
};

/* ---- reading a rule ---- */

struct filter_text { /* what is left of a rule */
    const char *at;
    bool ignores_case;
};

/* A character that stands for itself. */
static void filter_put_literal(char *out, size_t *len, char c)
{
    if (strchr("*?[]\\", c))
        out[(*len)++] = '\\';
    out[(*len)++] = c;
}

static bool filter_read_quoted(struct filter_text *in, char *out, size_t *len)
{
    char quote = *in->at++;
    while (*in->at) {
        if (*in->at == quote && in->at[1] != quote) {
            in->at++;
            return true;
        }
        in->at += *in->at == quote ? 1 : 0; /* a doubled quote is one */
        filter_put_literal(out, len, *in->at++);
    }
    return false;
}

static bool filter_read_class(struct filter_text *in, char *out, size_t *len)
{
    const char *end = strchr(in->at, ']');
    if (!end || end == in->at + 1)
        return false;
    size_t size = (size_t)(end - in->at) + 1;
    memcpy(out + *len, in->at, size);
    *len += size;
    in->at = end + 1;
    return true;
}

static bool filter_read_glob(struct filter_text *in, struct filter_part *part)
{
    size_t len = 0;
    bool is_good = true;
    part->glob = malloc(2 * strlen(in->at) + 1);
    if (!part->glob)
        return false;
    while (is_good && *in->at && *in->at != '.') {
        if (*in->at == '`' || *in->at == '"')
            is_good = filter_read_quoted(in, part->glob, &len);
        else if (*in->at == '[')
            is_good = filter_read_class(in, part->glob, &len);
        else if (*in->at == '\\' && in->at[1])
            filter_put_literal(part->glob, &len, (in->at += 2)[-1]);
        else
            part->glob[len++] = *in->at++;
    }
    part->glob[len] = 0;
    return is_good && len > 0;
}

static bool filter_read_regex(struct filter_text *in, struct filter_part *part)
{
    char pattern[FILTER_NAME_MAX];
    size_t len = 0;
    for (in->at++; *in->at && *in->at != '/' && len + 2 < sizeof pattern; in->at++) {
        if (in->at[0] == '\\' && in->at[1] == '/')
            in->at++;
        pattern[len++] = *in->at;
    }
    pattern[len] = 0;
    if (*in->at != '/')
        return false;
    in->at++;
    int error;
    PCRE2_SIZE where;
    uint32_t options = PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | (in->ignores_case ? PCRE2_CASELESS : 0);
    part->regex = pcre2_compile((PCRE2_SPTR)pattern, len, options, &error, &where, NULL);
    return part->regex != NULL;
}

static bool filter_read_part(struct filter_text *in, struct filter_part *part)
{
    return *in->at == '/' ? filter_read_regex(in, part) : filter_read_glob(in, part);
}

static bool filter_read_rule(const char *text, bool ignores_case, struct filter_rule *rule)
{
    struct filter_text in = { text, ignores_case };
    rule->is_wanted = *in.at != '!';
    in.at += rule->is_wanted ? 0 : 1;
    if (!filter_read_part(&in, &rule->schema) || *in.at != '.')
        return false;
    in.at++;
    return filter_read_part(&in, &rule->table) && *in.at == 0;
}

/* ---- making ---- */

static void filter_free_part(struct filter_part *part)
{
    free(part->glob);
    pcre2_code_free(part->regex);
}

void sl_table_filter_free(struct sl_table_filter *f)
{
    if (!f)
        return;
    for (uint32_t i = 0; i < f->rule_count; i++) {
        filter_free_part(&f->rules[i].schema);
        filter_free_part(&f->rules[i].table);
    }
    pcre2_match_context_free(f->limits);
    free(f->rules);
    free(f->ignored);
    free(f);
}

static bool filter_read_rules(struct sl_table_filter *f, struct json_object *rules, struct sl_trouble *t)
{
    size_t count = json_object_array_length(rules);
    if (count > SL_TABLE_FILTER_RULES_MAX)
        return sl_trouble_set(t, SL_TROUBLE_LASTING, "FILTER", "", "more than %u filter rules",
                              SL_TABLE_FILTER_RULES_MAX);
    f->rules = calloc(count + 1, sizeof *f->rules);
    f->limits = pcre2_match_context_create(NULL);
    if (!f->rules || !f->limits)
        return sl_trouble_set(t, SL_TROUBLE_PASSING, "NOMEM", "", "no memory for a filter");
    (void)pcre2_set_match_limit(f->limits, FILTER_STEPS_MAX);
    (void)pcre2_set_heap_limit(f->limits, FILTER_HEAP_MAX);
    for (size_t i = 0; i < count; i++) {
        const char *text = json_object_get_string(json_object_array_get_idx(rules, i));
        struct filter_rule *rule = &f->rules[f->rule_count++];
        if (!text || !filter_read_rule(text, !f->is_case_sensitive, rule))
            return sl_trouble_set(t, SL_TROUBLE_LASTING, "FILTER", "write rules as schema.table, such as shop.*",
                                  "filter rule %zu cannot be read", i + 1);
    }
    return true;
}

static bool filter_read_ignored(struct sl_table_filter *f, struct json_object *list, struct sl_trouble *t)
{
    size_t count = json_object_array_length(list);
    if (count > SL_TABLE_FILTER_RULES_MAX)
        return sl_trouble_set(t, SL_TROUBLE_LASTING, "FILTER", "", "more than %u positions to ignore",
                              SL_TABLE_FILTER_RULES_MAX);
    f->ignored = calloc(count + 1, sizeof *f->ignored);
    if (!f->ignored)
        return sl_trouble_set(t, SL_TROUBLE_PASSING, "NOMEM", "", "no memory for a filter");
    for (size_t i = 0; i < count; i++)
        f->ignored[f->ignored_count++] = json_object_get_uint64(json_object_array_get_idx(list, i));
    return true;
}

static bool filter_read_config(struct sl_table_filter *f, struct sl_secret config, struct sl_trouble *t)
{
    struct sl_bytes text = sl_secret_reveal(config);
    struct json_object *filter, *rules, *sensitive, *ignored;
    struct json_tokener *tok = json_tokener_new();
    if (!tok)
        return sl_trouble_set(t, SL_TROUBLE_PASSING, "NOMEM", "", "no memory for a filter");
    struct json_object *root =
        text.len <= INT32_MAX ? json_tokener_parse_ex(tok, (const char *)text.ptr, (int)text.len) : NULL;
    json_tokener_free(tok);
    bool is_good =
        root != NULL || sl_trouble_set(t, SL_TROUBLE_LASTING, "FEED_CONFIG", "", "the feed's configuration is no JSON");
    if (is_good && json_object_object_get_ex(root, "case_sensitive", &sensitive))
        f->is_case_sensitive = json_object_get_boolean(sensitive);
    if (is_good && json_object_object_get_ex(root, "filter", &filter) &&
        json_object_object_get_ex(filter, "rules", &rules) && json_object_is_type(rules, json_type_array))
        is_good = filter_read_rules(f, rules, t);
    if (is_good && json_object_object_get_ex(root, "filter", &filter) &&
        json_object_object_get_ex(filter, "ignore-txn-start-ts", &ignored) &&
        json_object_is_type(ignored, json_type_array))
        is_good = filter_read_ignored(f, ignored, t);
    json_object_put(root);
    return is_good;
}

bool sl_table_filter_new(struct sl_table_filter **out, struct sl_secret config, struct sl_trouble *t)
{
    *out = NULL;
    struct sl_table_filter *f = calloc(1, sizeof *f);
    if (!f)
        return sl_trouble_set(t, SL_TROUBLE_PASSING, "NOMEM", "", "no memory for a filter");
    if (sl_secret_reveal(config).len > 0 && !filter_read_config(f, config, t)) {
        sl_table_filter_free(f);
        return false;
    }
    *out = f;
    return true;
}

/* ---- asking ---- */

enum filter_answer { FILTER_NO, FILTER_YES, FILTER_UNDECIDED };

/* Undecided: the expression takes more steps or memory than it may. */
static enum filter_answer filter_ask(const struct sl_table_filter *f, const struct filter_part *part, const char *name)
{
    if (!part->regex)
        return fnmatch(part->glob, name, f->is_case_sensitive ? 0 : FNM_CASEFOLD) == 0 ? FILTER_YES : FILTER_NO;
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    if (!data)
        return FILTER_UNDECIDED;
    int found = pcre2_match(part->regex, (PCRE2_SPTR)name, PCRE2_ZERO_TERMINATED, 0, 0, data, f->limits);
    pcre2_match_data_free(data);
    if (found == PCRE2_ERROR_NOMATCH)
        return FILTER_NO;
    return found >= 0 ? FILTER_YES : FILTER_UNDECIDED;
}

static bool filter_terminate(char *out, struct sl_str name)
{
    if (name.len >= FILTER_NAME_MAX)
        return false;
    memcpy(out, name.ptr, name.len);
    out[name.len] = 0;
    return true;
}

bool sl_table_filter_takes(const struct sl_table_filter *f, struct sl_str schema, struct sl_str table)
{
    char schema_name[FILTER_NAME_MAX], table_name[FILTER_NAME_MAX];
    if (f->rule_count == 0)
        return true;
    if (!filter_terminate(schema_name, schema) || !filter_terminate(table_name, table))
        return false;
    for (uint32_t i = f->rule_count; i > 0; i--) {
        const struct filter_rule *rule = &f->rules[i - 1];
        enum filter_answer schema_answer = filter_ask(f, &rule->schema, schema_name);
        if (schema_answer == FILTER_NO)
            continue;
        enum filter_answer answer = filter_ask(f, &rule->table, table_name);
        if (answer == FILTER_YES && schema_answer == FILTER_YES)
            return rule->is_wanted;
        if (answer != FILTER_NO)
            return true;
    }
    return false;
}

/* By the last rule about the schema that wants something; one that takes away some of its tables leaves others. */
bool sl_table_filter_takes_schema(const struct sl_table_filter *f, struct sl_str schema)
{
    char name[FILTER_NAME_MAX];
    bool takes = f->rule_count == 0;
    if (!filter_terminate(name, schema))
        return false;
    for (uint32_t i = 0; i < f->rule_count; i++) {
        const struct filter_rule *rule = &f->rules[i];
        bool is_all = !rule->table.regex && strcmp(rule->table.glob, "*") == 0;
        enum filter_answer answer = filter_ask(f, &rule->schema, name);
        if (answer != FILTER_NO && (rule->is_wanted || is_all))
            takes = rule->is_wanted || answer == FILTER_UNDECIDED;
    }
    return takes;
}

bool sl_table_filter_ignores(const struct sl_table_filter *f, sl_ts ts)
{
    for (uint32_t i = 0; i < f->ignored_count; i++)
        if (f->ignored[i] == ts)
            return true;
    return false;
}
