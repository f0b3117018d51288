/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/script_internal.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCRIPT_LINE_MAX 512
#define SCRIPT_EPOCH_DIGITS 19u

struct sl_sim_script *sl_sim_script_new(const struct sl_sim_opts *opts)
{
    struct sl_sim_script *s = calloc(1, sizeof *s);
    SL_REQUIRE(s != NULL);
    s->opts = *opts;
    s->opts.keeps_log = true;
    return s;
}

void sl_sim_script_free(struct sl_sim_script *s)
{
    if (!s)
        return;
    if (s->has_cluster)
        sl_sim_deinit(&s->sim);
    sl_sim_buffer_deinit(&s->text);
    sl_sim_buffer_deinit(&s->output);
    free(s);
}

/* ---- words ---- */

bool sl_sim__script_number(const char *word, uint64_t *out)
{
    char *end;
    if (!isdigit((unsigned char)word[0]))
        return false;
    *out = strtoull(word, &end, 10);
    return *end == 0;
}

bool sl_sim__script_epoch(const struct sl_sim_script *s, const char *word, uint64_t *out)
{
    uint64_t number;
    if (word[0] != '#')
        return sl_sim__script_number(word, out);
    if (!sl_sim__script_number(word + 1, &number) || number == 0 || number > s->epoch_count)
        return false;
    *out = s->epochs[number - 1];
    return true;
}

bool sl_sim__script_duration(const char *word, sl_ns *out)
{
    static const struct {
        const char *unit;
        sl_ns ns;
    } units[] = { { "s", SL_S }, { "ms", SL_MS }, { "us", SL_US } };
    char *end;
    if (!isdigit((unsigned char)word[0]))
        return false;
    uint64_t value = strtoull(word, &end, 10);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(end, units[i].unit) == 0 && value <= (uint64_t)(SL_NEVER / units[i].ns)) {
            *out = (sl_ns)value * units[i].ns;
            return true;
        }
    }
    return false;
}

const char *sl_sim__script_option(const struct script_words *w, const char *key)
{
    size_t len = strlen(key);
    for (uint32_t i = 0; i < w->count; i++) {
        if (strncmp(w->at[i], key, len) == 0 && w->at[i][len] == '=')
            return w->at[i] + len + 1;
    }
    return NULL;
}

uint32_t sl_sim__script_find(const struct script_words *w, const char *word)
{
    uint32_t i = 0;
    while (i < w->count && strcmp(w->at[i], word) != 0)
        i++;
    return i;
}

void sl_sim__script_fail(struct sl_sim_script *s, const char *fmt, ...)
{
    char line[SCRIPT_LINE_MAX];
    va_list args;
    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    sl_sim_buffer_format(&s->output, "FAILED: %s\n", line);
    s->failures++;
}

uint32_t sl_sim__script_host(struct sl_sim_script *s, const char *word)
{
    uint32_t host = sl_sim_find_host(&s->sim, sl_str_of(word));
    if (host == SL_SIM_HOST_NONE)
        sl_sim__script_fail(s, "there is no node %s", word);
    return host;
}

uint32_t sl_sim__script_feed(struct sl_sim_script *s, const char *word)
{
    uint32_t feed = sl_sim_catalog_find_name(&s->sim.catalog, sl_str_of(word));
    if (feed == SL_SIM_FEED_NONE)
        sl_sim__script_fail(s, "there is no feed %s", word);
    return feed;
}

static bool script_split(struct sl_str line, char copy[SCRIPT_LINE_MAX], struct script_words *w)
{
    *w = (struct script_words){ .count = 0 };
    if (line.len >= SCRIPT_LINE_MAX)
        return false;
    memcpy(copy, line.ptr, line.len);
    copy[line.len] = 0;
    char *rest = copy, *word;
    while ((word = strtok_r(rest, " ,", &rest)) != NULL) {
        if (w->count == SCRIPT_WORDS_MAX)
            return false;
        w->at[w->count++] = word;
    }
    return true;
}

/* ---- commands ---- */

static bool script_fits(const char *pattern, const struct script_words *w)
{
    uint32_t i = 0;
    while (*pattern) {
        size_t len = strcspn(pattern, " ");
        if (strcmp(pattern, "...") == 0)
            return true;
        if (i == w->count)
            return false;
        bool is_any = len == 1 && pattern[0] == '*';
        if (!is_any && (strlen(w->at[i]) != len || strncmp(w->at[i], pattern, len) != 0))
            return false;
        i++;
        pattern += len + (pattern[len] == ' ');
    }
    return i == w->count;
}

static const struct script_command *script_find_command(const struct script_command *table,
                                                        const struct script_words *w)
{
    while (table->pattern && !script_fits(table->pattern, w))
        table++;
    return table->pattern ? table : NULL;
}

static void script_perform(struct sl_sim_script *s, struct sl_str line)
{
    char copy[SCRIPT_LINE_MAX];
    struct script_words w;
    bool is_split = script_split(line, copy, &w);
    const struct script_command *c = is_split ? script_find_command(sl_sim__script_commands, &w) : NULL;
    if (!c && is_split)
        c = script_find_command(sl_sim__script_shows, &w);
    if (!c || w.count == 0) {
        sl_sim__script_fail(s, "this is no command (--help-script lists them)");
        return;
    }
    if (!s->has_cluster && !sl_str_eq(sl_str_of(w.at[0]), SL_STR("cluster"))) {
        sl_sim__script_fail(s, "the first command must be \"cluster\"");
        return;
    }
    if (c->handler(s, &w) == SCRIPT_BAD_WORDS)
        sl_sim__script_fail(s, "usage: %s", c->pattern);
}

/* The number of an epoch in this story; 0 if it has shown too many. */
static uint32_t script_number_epoch(struct sl_sim_script *s, uint64_t epoch)
{
    uint32_t i = 0;
    while (i < s->epoch_count && s->epochs[i] != epoch)
        i++;
    if (i == SL_SIM_SCRIPT_EPOCHS_MAX)
        return 0;
    s->epochs[i] = epoch;
    s->epoch_count = i == s->epoch_count ? i + 1 : s->epoch_count;
    return i + 1;
}

/* Nothing else in a story has so many digits. */
static void script_add_line(struct sl_sim_script *s, struct sl_str line)
{
    size_t from = 0;
    while (from < line.len) {
        const char *at = line.ptr + from;
        size_t left = line.len - from, digits = 0;
        while (digits < left && isdigit((unsigned char)at[digits]))
            digits++;
        bool is_epoch = digits == SCRIPT_EPOCH_DIGITS && (from == 0 || !isalnum((unsigned char)at[-1])) &&
                        (digits == left || !isalnum((unsigned char)at[digits]));
        uint32_t number = is_epoch ? script_number_epoch(s, strtoull(at, NULL, 10)) : 0;
        size_t len = digits > 0 ? digits : 1;
        if (number > 0)
            sl_sim_buffer_format(&s->text, "#%" PRIu32, number);
        else
            sl_sim_buffer_add(&s->text, (struct sl_str){ at, len });
        from += len;
    }
    sl_sim_buffer_add(&s->text, SL_STR("\n"));
}

/* Output lines get their bar here, so that no command can forget it. */
static void script_flush_output(struct sl_sim_script *s)
{
    struct sl_str rest = sl_sim_buffer_text(&s->output), line;
    while (sl_sim_next_line(&rest, &line)) {
        sl_sim_buffer_add(&s->text, line.len > 0 ? SL_STR("| ") : SL_STR("|"));
        script_add_line(s, line);
    }
    sl_sim_buffer_clear(&s->output);
}

static void script_run_line(struct sl_sim_script *s, struct sl_str line)
{
    if (line.len > 0 && line.ptr[0] == '|')
        return;
    sl_sim_buffer_add(&s->text, line);
    sl_sim_buffer_add(&s->text, SL_STR("\n"));
    if (line.len == 0 || line.ptr[0] == '#')
        return;
    script_perform(s, line);
    if (s->has_cluster && s->sim.engine.violation.oracle)
        sl_sim_buffer_format(&s->output, "VIOLATION of %s: %s\n", s->sim.engine.violation.oracle,
                             s->sim.engine.violation.text);
    script_flush_output(s);
}

bool sl_sim_script_run(struct sl_sim_script *s, struct sl_str source)
{
    struct sl_str line;
    while (sl_sim_next_line(&source, &line)) {
        script_run_line(s, line);
        if (s->has_cluster && s->sim.engine.violation.oracle)
            return false;
    }
    return s->failures == 0 && s->has_cluster;
}

static void script_help_table(const struct script_command *table, struct sl_sim_buffer *out)
{
    for (; table->pattern; table++)
        sl_sim_buffer_format(out, "  %-44s %s\n", table->pattern, table->text);
}

void sl_sim_script_help(struct sl_sim_buffer *out)
{
    script_help_table(sl_sim__script_commands, out);
    script_help_table(sl_sim__script_shows, out);
}

/* ---- comparing ---- */

/* How many lines of a stand before the first line that b has next; the count of lines left if there is none. */
static uint32_t script_lines_until(struct sl_str a, struct sl_str b)
{
    struct sl_str wanted, line;
    uint32_t count = 0;
    if (!sl_sim_next_line(&b, &wanted))
        return UINT32_MAX;
    while (sl_sim_next_line(&a, &line)) {
        if (sl_str_eq(line, wanted))
            return count;
        count++;
    }
    return UINT32_MAX;
}

static void script_print_difference(struct sl_str *from, char sign, uint32_t *number, struct sl_sim_buffer *out)
{
    struct sl_str line;
    if (!sl_sim_next_line(from, &line))
        return;
    sl_sim_buffer_format(out, "%c%" PRIu32 ": %.*s\n", sign, ++*number, (int)line.len, line.ptr);
}

/* A small diff: on a difference, whichever side finds its way back sooner is the one with the extra lines. */
bool sl_sim_script_diff(struct sl_str expected, struct sl_str actual, struct sl_sim_buffer *out)
{
    uint32_t expected_number = 0, actual_number = 0;
    bool is_equal = true;
    while (expected.len > 0 || actual.len > 0) {
        struct sl_str e = expected, a = actual, e_line = { 0 }, a_line = { 0 };
        bool has_e = sl_sim_next_line(&e, &e_line), has_a = sl_sim_next_line(&a, &a_line);
        if (has_e && has_a && sl_str_eq(e_line, a_line)) {
            expected = e;
            actual = a;
            expected_number++;
            actual_number++;
            continue;
        }
        is_equal = false;
        uint32_t skip_expected = script_lines_until(expected, actual);
        uint32_t skip_actual = script_lines_until(actual, expected);
        if (has_e && (skip_expected <= skip_actual || !has_a))
            script_print_difference(&expected, '-', &expected_number, out);
        else
            script_print_difference(&actual, '+', &actual_number, out);
    }
    return is_equal;
}
