/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/mariadb/binlog_json.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define DOUBLE_POINT_MAX 15    /* digits before the point of a whole number that is written without exponent */
#define DOUBLE_POINT_MIN (-14) /* zeros behind the point likewise */

struct double_digits { /* digits * 10^exponent */
    uint64_t digits;
    int exponent;
};

static bool double_is_read_back(struct double_digits d, double v)
{
    char text[40];
    snprintf(text, sizeof text, "%" PRIu64 "e%d", d.digits, d.exponent);
    return strtod(text, NULL) == v; /* NOLINT(clang-diagnostic-float-equal): to be the same is the point */
}

static struct double_digits double_round(double v, int count)
{
    char text[40], *at = text;
    struct double_digits d = { 0 };
    snprintf(text, sizeof text, "%.*e", count - 1, v);
    for (; *at != 'e' && *at != 0; at++) {
        if (*at >= '0' && *at <= '9')
            d.digits = d.digits * 10 + (uint64_t)(*at - '0');
    }
    d.exponent = (int)strtol(*at == 'e' ? at + 1 : at, NULL, 10) - (count - 1);
    return d;
}

/*
 * v is positive. 15 digits that are read back hold any shorter form, with zeros; but subnormal numbers have fewer. Below a
 * power of two the next numbers are half as far away as above: there the nearest digits may be taken for a neighbour when
 * those above them are not.
 */
static struct double_digits double_shortest(double v)
{
    int exponent;
    bool is_power = frexp(v, &exponent) == 0.5; /* NOLINT(clang-diagnostic-float-equal): exact by definition */
    struct double_digits d = { 0 };
    for (int count = v < DBL_MIN ? 1 : DBL_DIG; count <= DBL_DECIMAL_DIG; count++) {
        d = double_round(v, count);
        if (double_is_read_back(d, v))
            break;
        struct double_digits above = { d.digits + 1, d.exponent };
        if (is_power && double_is_read_back(above, v)) {
            d = above;
            break;
        }
    }
    while (d.digits % 10 == 0 && d.digits > 0) {
        d.digits /= 10;
        d.exponent++;
    }
    return d;
}

/* With an exponent: one digit before the point, and no plus sign. */
static int double_print_scientific(char *out, size_t size, const char *digits, int count, int point)
{
    return snprintf(out, size, "%c%s%se%d", digits[0], count > 1 ? "." : "", digits + 1, point - 1);
}

static int double_print_plain(char *out, size_t size, const char *digits, int count, int point)
{
    static const char zeros[] = "000000000000000000";
    if (point <= 0)
        return snprintf(out, size, "0.%.*s%s", -point, zeros, digits);
    if (point < count)
        return snprintf(out, size, "%.*s.%s", point, digits, digits + point);
    return snprintf(out, size, "%s%.*s.0", digits, point - count, zeros); /* to tell it from an integer */
}

size_t sl_binlog_json_double(char text[SL_JSON_DOUBLE_MAX], double v)
{
    char digits[24];
    if (!isfinite(v))
        return 0;
    const char *sign = signbit(v) ? "-" : "";
    struct double_digits d = v < 0 || v > 0 ? double_shortest(fabs(v)) : (struct double_digits){ 0 };
    int count = snprintf(digits, sizeof digits, "%" PRIu64, d.digits);
    int point = count + d.exponent, sign_len = snprintf(text, SL_JSON_DOUBLE_MAX, "%s", sign);
    bool is_plain = point >= DOUBLE_POINT_MIN && (point <= DOUBLE_POINT_MAX || point < count);
    char *at = text + sign_len;
    size_t room = SL_JSON_DOUBLE_MAX - (size_t)sign_len;
    int len = is_plain ? double_print_plain(at, room, digits, count, point)
                       : double_print_scientific(at, room, digits, count, point);
    return len > 0 && (size_t)len < room ? (size_t)(len + sign_len) : 0;
}
