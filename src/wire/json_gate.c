/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/json_gate.h"

#include <string.h>

/* An exponent of two digits is never infinite; more digits have no use in a configuration. */
enum { EXPONENT_DIGITS_MAX = 2 };

struct gate {
    struct sl_bytes text;
    size_t at;
    uint32_t depth, containers, values;
    struct sl__json_limits limits;
};

static uint8_t gate_peek(const struct gate *g)
{
    return g->at < g->text.len ? g->text.ptr[g->at] : 0; /* a NUL is no token either */
}

static bool gate_is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static struct sl_str gate_digits(struct gate *g)
{
    size_t from = g->at;
    while (gate_is_digit(gate_peek(g))) {
        g->at++;
    }
    return (struct sl_str){ (const char *)&g->text.ptr[from], g->at - from };
}

static bool gate_take(struct gate *g, uint8_t c)
{
    bool taken = gate_peek(g) == c;
    g->at += taken ? 1 : 0;
    return taken;
}

static bool gate_in_range(struct sl_str digits, bool negative)
{
    struct sl_str most = negative ? SL_STR("9223372036854775808") : SL_STR("18446744073709551615");
    return digits.len < most.len || (digits.len == most.len && memcmp(digits.ptr, most.ptr, most.len) <= 0);
}

static bool gate_number(struct gate *g)
{
    bool negative = gate_take(g, '-');
    struct sl_str digits = gate_digits(g);
    if (digits.len == 0 || (digits.len > 1 && digits.ptr[0] == '0') || !gate_in_range(digits, negative)) {
        return false;
    }
    if (gate_take(g, '.') && gate_digits(g).len == 0) {
        return false;
    }
    if (gate_take(g, 'e') || gate_take(g, 'E')) {
        (void)(gate_take(g, '+') || gate_take(g, '-'));
        size_t exponent = gate_digits(g).len;
        return exponent > 0 && exponent <= EXPONENT_DIGITS_MAX;
    }
    return true;
}

/* From quote to quote; json-c knows the escapes, here they only hide a quote. */
static bool gate_string(struct gate *g)
{
    size_t from = ++g->at;
    while (g->at < g->text.len && g->text.ptr[g->at] != '"') {
        g->at += g->text.ptr[g->at] == '\\' ? 2 : 1;
    }
    if (g->at >= g->text.len) {
        return false;
    }
    struct sl_str content = { (const char *)&g->text.ptr[from], g->at - from };
    g->at++;
    return sl_str_is_printable_utf8(content);
}

static bool gate_literal(struct gate *g)
{
    const struct sl_str literals[] = { SL_STR("true"), SL_STR("false"), SL_STR("null") };
    for (size_t i = 0; i < sizeof literals / sizeof literals[0]; i++) {
        size_t len = literals[i].len;
        if (g->text.len - g->at >= len && memcmp(&g->text.ptr[g->at], literals[i].ptr, len) == 0) {
            g->at += len;
            return true;
        }
    }
    return false;
}

static bool gate_open(struct gate *g)
{
    g->at++;
    g->depth++;
    g->containers++;
    return g->depth <= g->limits.depth_max && g->containers <= SL__JSON_CONTAINERS_MAX;
}

static bool gate_close(struct gate *g)
{
    g->at++;
    g->depth--; /* gate_document stops at 0 */
    return true;
}

static bool gate_separator(struct gate *g)
{
    g->at++;
    g->values++;
    return g->values <= SL__JSON_VALUES_MAX;
}

static void gate_skip_space(struct gate *g)
{
    while (gate_peek(g) == ' ' || gate_peek(g) == '\t' || gate_peek(g) == '\n' || gate_peek(g) == '\r') {
        g->at++;
    }
}

static bool gate_token(struct gate *g)
{
    uint8_t c = gate_peek(g);
    switch (c) {
    case '{':
    case '[':
        return gate_open(g);
    case '}':
    case ']':
        return gate_close(g);
    case ',':
    case ':':
        return gate_separator(g);
    case '"':
        return gate_string(g);
    default:
        return c == '-' || gate_is_digit(c) ? gate_number(g) : gate_literal(g);
    }
}

bool sl__json_gate(struct sl_bytes text, struct sl__json_limits limits)
{
    struct gate g = { .text = text, .limits = limits };
    if (text.len > limits.bytes_max) {
        return false;
    }
    gate_skip_space(&g);
    if (gate_peek(&g) != '{') {
        return false;
    }
    do {
        if (!gate_token(&g)) {
            return false;
        }
        gate_skip_space(&g);
    } while (g.depth > 0);
    return g.at == text.len;
}
