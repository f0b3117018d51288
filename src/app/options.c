/* SPDX-License-Identifier: Apache-2.0 */
#include "app/options.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const struct sl_option_row option_rows[SL_OPTION_COUNT_ALL] = {
#define SL_OPTION_GROUP(title)
#define SL_OPTION(type_, field_, flag_, fallback_, value_, reload_, help_) \
    [SL_OPTION_ID_##field_] = { .flag = (flag_),                           \
                                .fallback = (fallback_),                   \
                                .value = (value_),                         \
                                .help = (help_),                           \
                                .type = SL_OPTION_##type_,                 \
                                .reload = SL_OPTION_##reload_,             \
                                .offset = offsetof(struct sl_options, field_) },
#include "app/options.def"
#undef SL_OPTION
#undef SL_OPTION_GROUP
};

const struct sl_option_row *sl_option_row(enum sl_option_id id)
{
    SL_REQUIRE((unsigned)id < SL_OPTION_COUNT_ALL);
    return &option_rows[id];
}

static char option_char(char c)
{
    return c == '_' ? '-' : c;
}

static bool option_matches(const char *flag, const char *text, size_t len)
{
    if (strlen(flag) != len)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (option_char(text[i]) != flag[i])
            return false;
    }
    return true;
}

enum sl_option_id sl_option_find(const char *flag, size_t len)
{
    for (unsigned id = 0; id < SL_OPTION_COUNT_ALL; id++) {
        if (option_matches(option_rows[id].flag, flag, len))
            return (enum sl_option_id)id;
    }
    return SL_OPTION_COUNT_ALL;
}

void sl_option_env(enum sl_option_id id, char *out)
{
    int len = snprintf(out, SL_OPTION_ENV_BYTES, "SLUICE_%s", sl_option_row(id)->flag);
    SL_REQUIRE(len > 0 && len < SL_OPTION_ENV_BYTES);
    for (char *p = out; *p != '\0'; p++)
        *p = *p == '-' ? '_' : (char)toupper((unsigned char)*p);
}

/* ---- which flag was meant ---- */

enum { OPTION_FLAG_MAX = 40 };

/* Insertions, deletions and replacements that turn one into the other. */
static size_t option_distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t row[OPTION_FLAG_MAX + 1];
    for (size_t j = 0; j <= b_len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t replaced = diagonal + (option_char(a[i - 1]) == b[j - 1] ? 0 : 1);
            size_t shifted = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            diagonal = row[j];
            row[j] = replaced < shifted ? replaced : shifted;
        }
    }
    return row[b_len];
}

const char *sl_option_nearest(const char *flag, size_t len)
{
    const char *best = NULL;
    if (len == 0 || len > OPTION_FLAG_MAX)
        return NULL;
    size_t least = len / 3 + 2; /* further away is another word */
    for (unsigned id = 0; id < SL_OPTION_COUNT_ALL; id++) {
        const char *other = option_rows[id].flag;
        size_t distance = option_distance(flag, len, other, strlen(other));
        if (distance < least) {
            least = distance;
            best = other;
        }
    }
    return best;
}

/* ---- values ---- */

struct option_unit {
    const char *name;
    uint64_t factor;
};

static const struct option_unit option_times[] = {
    { "ns", 1 },
    { "us", 1000 },
    { "ms", 1000000 },
    { "s", UINT64_C(1000000000) },
    { "m", UINT64_C(60000000000) },
    { "h", UINT64_C(3600000000000) },
    { "d", UINT64_C(86400000000000) },
};

static const struct option_unit option_sizes[] = {
    { "", 1 },
    { "B", 1 },
    { "k", UINT64_C(1) << 10 },
    { "K", UINT64_C(1) << 10 },
    { "KiB", UINT64_C(1) << 10 },
    { "M", UINT64_C(1) << 20 },
    { "MiB", UINT64_C(1) << 20 },
    { "G", UINT64_C(1) << 30 },
    { "GiB", UINT64_C(1) << 30 },
    { "T", UINT64_C(1) << 40 },
    { "TiB", UINT64_C(1) << 40 },
};

#define OPTION_UNIT_COUNT(units) (sizeof(units) / sizeof((units)[0]))

static const struct option_unit *option_unit(const struct option_unit *units, size_t count, const char *text,
                                             size_t len)
{
    for (size_t i = 0; i < count; i++) {
        if (strlen(units[i].name) == len && memcmp(units[i].name, text, len) == 0)
            return &units[i];
    }
    return NULL;
}

/* A number and a unit; *text is moved behind them. False also when it is more than max. */
static bool option_take_amount(const char **text, const struct option_unit *units, size_t count, uint64_t max,
                               uint64_t *out)
{
    uint64_t number = 0;
    const char *p = *text;
    if (!isdigit((unsigned char)*p))
        return false;
    for (; isdigit((unsigned char)*p); p++) {
        uint64_t digit = (uint64_t)(*p - '0');
        if (number > (max - digit) / 10)
            return false;
        number = number * 10 + digit;
    }
    size_t len = 0;
    while (isalpha((unsigned char)p[len]))
        len++;
    const struct option_unit *unit = option_unit(units, count, p, len);
    if (!unit || number > max / unit->factor)
        return false;
    *out = number * unit->factor;
    *text = p + len;
    return true;
}

bool sl_parse_ns(const char *text, sl_ns *out)
{
    uint64_t sum = 0;
    if (strcmp(text, "0") == 0) {
        *out = 0;
        return true;
    }
    do {
        uint64_t part;
        if (!option_take_amount(&text, option_times, OPTION_UNIT_COUNT(option_times), INT64_MAX - sum, &part))
            return false;
        sum += part;
    } while (*text != '\0');
    *out = (sl_ns)sum;
    return true;
}

bool sl_parse_bytes(const char *text, uint64_t *out)
{
    uint64_t bytes;
    if (!option_take_amount(&text, option_sizes, OPTION_UNIT_COUNT(option_sizes), UINT64_MAX, &bytes) || *text != '\0')
        return false;
    *out = bytes;
    return true;
}

bool sl_parse_address(const char *text, const char **host, size_t *host_len, uint16_t *port)
{
    const char *colon = strrchr(text, ':');
    if (!colon || colon == text || strlen(colon + 1) > 5 || colon[1] == '\0')
        return false;
    uint32_t number = 0;
    for (const char *p = colon + 1; *p != '\0'; p++) {
        if (!isdigit((unsigned char)*p))
            return false;
        number = number * 10 + (uint32_t)(*p - '0');
    }
    size_t len = (size_t)(colon - text);
    bool in_brackets = text[0] == '[' && colon[-1] == ']';
    *host = in_brackets ? text + 1 : text;
    *host_len = in_brackets ? len - 2 : len;
    *port = (uint16_t)number;
    return number <= UINT16_MAX && *host_len > 0 && (in_brackets || !memchr(text, ':', len));
}

const char *sl_option_word(enum sl_option_id id, uint32_t index, size_t *len)
{
    const char *word = sl_option_row(id)->value;
    for (;;) {
        const char *end = strchr(word, '|');
        *len = end ? (size_t)(end - word) : strlen(word);
        if (index == 0)
            return word;
        if (!end)
            return NULL;
        index--;
        word = end + 1;
    }
}

static bool option_parse_choice(enum sl_option_id id, const char *text, uint32_t *out)
{
    size_t len;
    const char *word;
    for (uint32_t i = 0; (word = sl_option_word(id, i, &len)) != NULL; i++) {
        if (strlen(text) == len && memcmp(word, text, len) == 0) {
            *out = i;
            return true;
        }
    }
    return false;
}

static bool option_parse_bool(const char *text, bool *out)
{
    static const char *const yes[] = { "true", "yes", "on", "1" };
    static const char *const no[] = { "false", "no", "off", "0" };
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
        if (strcmp(text, yes[i]) == 0 || strcmp(text, no[i]) == 0) {
            *out = strcmp(text, yes[i]) == 0;
            return true;
        }
    }
    return false;
}

static bool option_parse_count(const char *text, uint32_t *out)
{
    static const struct option_unit plain[] = { { "", 1 } };
    uint64_t value;
    if (!option_take_amount(&text, plain, 1, UINT32_MAX, &value) || *text != '\0')
        return false;
    *out = (uint32_t)value;
    return true;
}

/* ---- setting ---- */

static void *option_field(const struct sl_options *o, enum sl_option_id id)
{
    return (char *)o + option_rows[id].offset;
}

static bool option_is_text(enum sl_option_type type)
{
    return type == SL_OPTION_TEXT || type == SL_OPTION_SECRET || type == SL_OPTION_LIST;
}

static const char *option_wanted(enum sl_option_type type)
{
    switch (type) {
    case SL_OPTION_TEXT:
    case SL_OPTION_SECRET:
    case SL_OPTION_LIST:
        return "text without control characters";
    case SL_OPTION_NS:
        return "a time such as 500ms, 10s or 1h30m";
    case SL_OPTION_BYTES:
        return "a size such as 4096, 64KiB or 1GiB";
    case SL_OPTION_COUNT:
        return "a number";
    case SL_OPTION_BOOL:
        return "true or false";
    case SL_OPTION_CHOICE:
        return "one of its words";
    }
    SL_UNREACHABLE();
}

static bool option_set_text(char **field, const char *text)
{
    for (const char *p = text; *p != '\0'; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            return false;
    }
    char *copy = strdup(text);
    if (!copy)
        sl_exit_no_memory("an option");
    free(*field);
    *field = copy;
    return true;
}

static bool option_assign(struct sl_options *o, enum sl_option_id id, const char *text)
{
    void *field = option_field(o, id);
    switch (option_rows[id].type) {
    case SL_OPTION_TEXT:
    case SL_OPTION_SECRET:
    case SL_OPTION_LIST:
        return option_set_text(field, text);
    case SL_OPTION_NS:
        return sl_parse_ns(text, field);
    case SL_OPTION_BYTES:
        return sl_parse_bytes(text, field);
    case SL_OPTION_COUNT:
        return option_parse_count(text, field);
    case SL_OPTION_BOOL:
        return option_parse_bool(text, field);
    case SL_OPTION_CHOICE:
        return option_parse_choice(id, text, field);
    }
    SL_UNREACHABLE();
}

bool sl_options_set(struct sl_options *o, enum sl_option_id id, const char *text, enum sl_option_origin origin,
                    struct sl_complaint *c)
{
    const struct sl_option_row *row = sl_option_row(id);
    if (origin < o->origin[id])
        return true;
    if (option_assign(o, id, text)) {
        o->origin[id] = origin;
        return true;
    }
    if (row->type == SL_OPTION_SECRET)
        return sl_complain(c, SL_EXIT_USAGE, "--%s: this is not %s", row->flag, option_wanted(row->type));
    if (row->type == SL_OPTION_CHOICE)
        return sl_complain(c, SL_EXIT_USAGE, "--%s: '%.80s' is not one of %s", row->flag, text, row->value);
    return sl_complain(c, SL_EXIT_USAGE, "--%s: '%.80s' is not %s", row->flag, text, option_wanted(row->type));
}

void sl_options_init(struct sl_options *o)
{
    *o = (struct sl_options){ 0 };
    for (unsigned id = 0; id < SL_OPTION_COUNT_ALL; id++)
        SL_REQUIRE(option_assign(o, (enum sl_option_id)id, option_rows[id].fallback));
}

void sl_options_deinit(struct sl_options *o)
{
    for (unsigned id = 0; id < SL_OPTION_COUNT_ALL; id++) {
        if (option_is_text(option_rows[id].type))
            free(*(char **)option_field(o, (enum sl_option_id)id));
    }
}

/* ---- showing ---- */

/* The largest unit that divides the value: what a person would have written. */
static void option_show_amount(uint64_t value, const struct option_unit *units, size_t count, char *out, size_t size)
{
    const struct option_unit *best = &units[0];
    for (size_t i = 0; i < count; i++) {
        if (value >= units[i].factor && value % units[i].factor == 0 && units[i].factor >= best->factor)
            best = &units[i];
    }
    snprintf(out, size, "%" PRIu64 "%s", value / best->factor, best->name);
}

void sl_options_show(const struct sl_options *o, enum sl_option_id id, char *out, size_t size)
{
    const struct sl_option_row *row = sl_option_row(id);
    const void *field = option_field(o, id);
    size_t len;
    switch (row->type) {
    case SL_OPTION_SECRET:
        snprintf(out, size, "%s", **(char *const *)field != '\0' ? "***" : "");
        return;
    case SL_OPTION_TEXT:
    case SL_OPTION_LIST:
        snprintf(out, size, "%s", *(char *const *)field);
        return;
    case SL_OPTION_NS:
        option_show_amount((uint64_t)*(const sl_ns *)field, option_times, OPTION_UNIT_COUNT(option_times), out, size);
        return;
    case SL_OPTION_BYTES:
        option_show_amount(*(const uint64_t *)field, option_sizes, OPTION_UNIT_COUNT(option_sizes), out, size);
        return;
    case SL_OPTION_COUNT:
        snprintf(out, size, "%" PRIu32, *(const uint32_t *)field);
        return;
    case SL_OPTION_BOOL:
        snprintf(out, size, "%s", *(const bool *)field ? "true" : "false");
        return;
    case SL_OPTION_CHOICE: {
        const char *word = sl_option_word(id, *(const uint32_t *)field, &len);
        snprintf(out, size, "%.*s", (int)len, word);
        return;
    }
    }
    SL_UNREACHABLE();
}
