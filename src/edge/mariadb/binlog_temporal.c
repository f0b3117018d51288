/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/mariadb/binlog_temporal.h"

#include "base/check.h"

#include <stdio.h>

/* ---- decimals ---- */

#define DECIMAL_GROUP 9u /* digits in four bytes */

static const uint8_t decimal_rest_bytes[DECIMAL_GROUP] = { 0, 1, 1, 2, 2, 3, 3, 4, 4 };
static const uint32_t decimal_power[DECIMAL_GROUP + 1] = { 1,      10,      100,      1000,      10000,
                                                           100000, 1000000, 10000000, 100000000, 1000000000 };

size_t sl_decimal_bytes(unsigned precision, unsigned scale)
{
    unsigned whole = precision - scale;
    return whole / DECIMAL_GROUP * 4u + decimal_rest_bytes[whole % DECIMAL_GROUP] + scale / DECIMAL_GROUP * 4u +
           decimal_rest_bytes[scale % DECIMAL_GROUP];
}

/* Digits of one group, with its leading zeros. False: more than the digits can say. */
static bool decimal_group(char *text, size_t *len, struct sl_cursor *c, unsigned digits)
{
    size_t width = digits == DECIMAL_GROUP ? 4 : decimal_rest_bytes[digits];
    uint64_t value = sl_cursor_be(c, width);
    if (value >= decimal_power[digits])
        return false;
    for (unsigned i = digits; i > 0; i--) {
        text[*len + i - 1] = (char)('0' + value % 10);
        value /= 10;
    }
    *len += digits;
    return true;
}

static bool decimal_whole(char *text, size_t *len, struct sl_cursor *c, unsigned digits)
{
    size_t start = *len;
    bool is_good = true;
    if (digits % DECIMAL_GROUP)
        is_good = decimal_group(text, len, c, digits % DECIMAL_GROUP);
    for (unsigned i = 0; i < digits / DECIMAL_GROUP; i++)
        is_good = decimal_group(text, len, c, DECIMAL_GROUP) && is_good;
    size_t zeros = 0;
    while (start + zeros + 1 < *len && text[start + zeros] == '0')
        zeros++;
    memmove(text + start, text + start + zeros, *len - start - zeros);
    *len -= zeros;
    if (*len == start)
        text[(*len)++] = '0';
    return is_good;
}

size_t sl_decimal_format(char text[SL_DECIMAL_TEXT_MAX], struct sl_bytes packed, unsigned precision, unsigned scale)
{
    uint8_t bytes[40];
    SL_REQUIRE(packed.len <= sizeof bytes && packed.len > 0);
    memcpy(bytes, packed.ptr, packed.len);
    bool is_negative = !(bytes[0] & 0x80);
    bytes[0] ^= 0x80; /* so that the bytes sort like the numbers */
    for (size_t i = 0; is_negative && i < packed.len; i++)
        bytes[i] = (uint8_t)~bytes[i];
    struct sl_cursor c = sl_cursor_of((struct sl_bytes){ bytes, packed.len });
    size_t len = 0;
    if (is_negative)
        text[len++] = '-';
    bool is_good = decimal_whole(text, &len, &c, precision - scale);
    if (scale > 0)
        text[len++] = '.';
    for (unsigned i = 0; i < scale / DECIMAL_GROUP; i++)
        is_good = decimal_group(text, &len, &c, DECIMAL_GROUP) && is_good;
    if (scale % DECIMAL_GROUP)
        is_good = decimal_group(text, &len, &c, scale % DECIMAL_GROUP) && is_good;
    return is_good ? len : 0;
}

/* ---- dates and times ---- */

/* The stored unit of a fraction: hundredths, ten thousandths or millionths. */
static unsigned fraction_stored_digits(unsigned digits)
{
    return (digits + 1) / 2 * 2;
}

static size_t fraction_add(char *text, size_t len, uint32_t stored, unsigned digits)
{
    if (digits == 0)
        return len;
    char all[16];
    int written = snprintf(all, sizeof all, "%0*u", (int)fraction_stored_digits(digits), (unsigned)stored);
    SL_REQUIRE(written > 0);
    text[len++] = '.';
    memcpy(text + len, all, digits);
    return len + digits;
}

static size_t triple_print(char *text, unsigned a, int width, char between, unsigned b, unsigned c)
{
    const size_t room = 24;
    int len = snprintf(text, room, "%0*u%c%02u%c%02u", width, a, between, b, between, c);
    return len > 0 && (size_t)len < room ? (size_t)len : 0;
}

static size_t date_print(char *text, unsigned year, unsigned month, unsigned day)
{
    return triple_print(text, year, 4, '-', month, day);
}

static size_t clock_print(char *text, unsigned hour, unsigned minute, unsigned second)
{
    return triple_print(text, hour, 2, ':', minute, second);
}

size_t sl_date_format(char text[SL_TEMPORAL_TEXT_MAX], uint32_t packed)
{
    return date_print(text, packed >> 9, packed >> 5 & 15, packed & 31);
}

/* Whole and fraction are one number, counted from its middle, so that negative times sort before positive ones. */
size_t sl_time_format(char text[SL_TEMPORAL_TEXT_MAX], struct sl_cursor *c, unsigned digits)
{
    unsigned fraction_bits = (digits + 1) / 2 * 8;
    int64_t value = (int64_t)sl_cursor_be(c, 3 + (digits + 1) / 2) - ((int64_t)0x800000 << fraction_bits);
    size_t len = 0;
    if (value < 0) {
        text[len++] = '-';
        value = -value;
    }
    uint32_t clock = (uint32_t)(value >> fraction_bits) & 0x7fffff;
    uint32_t fraction = (uint32_t)(value & (((int64_t)1 << fraction_bits) - 1));
    len += clock_print(text + len, clock >> 12 & 0x3ff, clock >> 6 & 63, clock & 63);
    return fraction_add(text, len, fraction, digits);
}

size_t sl_datetime_format(char text[SL_TEMPORAL_TEXT_MAX], struct sl_cursor *c, unsigned digits)
{
    uint64_t v = sl_cursor_be(c, 5) & UINT64_C(0x7fffffffff);
    uint32_t fraction = (uint32_t)sl_cursor_be(c, (digits + 1) / 2);
    unsigned months = (unsigned)(v >> 22);
    size_t len = date_print(text, months / 13, months % 13, (unsigned)(v >> 17) & 31);
    text[len++] = ' ';
    len += clock_print(text + len, (unsigned)(v >> 12) & 31, (unsigned)(v >> 6) & 63, (unsigned)v & 63);
    return fraction_add(text, len, fraction, digits);
}

/* Days since 1970 to a date of the Gregorian calendar, by eras of 400 years that begin in March. */
static size_t epoch_day_print(char *text, uint32_t day)
{
    uint32_t shifted = day + 719468;
    uint32_t era = shifted / 146097, of_era = shifted % 146097;
    uint32_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    uint32_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    uint32_t shifted_month = (5 * of_year + 2) / 153;
    uint32_t month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
    uint32_t year = year_of_era + era * 400 + (month <= 2 ? 1 : 0);
    return date_print(text, year, month, of_year - (153 * shifted_month + 2) / 5 + 1);
}

size_t sl_timestamp_format(char text[SL_TEMPORAL_TEXT_MAX], struct sl_cursor *c, unsigned digits)
{
    const uint32_t day_seconds = 86400;
    uint32_t seconds = (uint32_t)sl_cursor_be(c, 4);
    uint32_t fraction = (uint32_t)sl_cursor_be(c, (digits + 1) / 2);
    bool is_zero_date = seconds == 0 && fraction == 0;
    uint32_t of_day = seconds % day_seconds;
    size_t len = is_zero_date ? date_print(text, 0, 0, 0) : epoch_day_print(text, seconds / day_seconds);
    text[len++] = ' ';
    len += clock_print(text + len, of_day / 3600, of_day / 60 % 60, of_day % 60);
    return fraction_add(text, len, fraction, digits);
}

/* ---- packed into one number: hour, minute, second, and 24 bits of microseconds ---- */

#define PACKED_FRACTION_BITS 24
#define PACKED_CLOCK_BITS 17

/* Added to text behind len bytes; 0 if there is no such time of day. */
static size_t packed_clock_add(char *text, size_t len, unsigned hour, uint64_t packed)
{
    uint32_t fraction = (uint32_t)(packed & ((1u << PACKED_FRACTION_BITS) - 1));
    unsigned minute = (unsigned)(packed >> (PACKED_FRACTION_BITS + 6)) & 63;
    unsigned second = (unsigned)(packed >> PACKED_FRACTION_BITS) & 63;
    if (minute > 59 || second > 59 || fraction > 999999)
        return 0;
    len += clock_print(text + len, hour, minute, second);
    return fraction_add(text, len, fraction, 6);
}

size_t sl_packed_time_format(char text[SL_TEMPORAL_TEXT_MAX], int64_t packed)
{
    uint64_t v = packed < 0 ? 0 - (uint64_t)packed : (uint64_t)packed;
    uint64_t hour = v >> (PACKED_FRACTION_BITS + 12);
    if (hour > 838)
        return 0;
    text[0] = '-';
    return packed_clock_add(text, packed < 0 ? 1 : 0, (unsigned)hour, v);
}

size_t sl_packed_datetime_format(char text[SL_TEMPORAL_TEXT_MAX], int64_t packed, bool is_date)
{
    if (packed < 0)
        return 0;
    uint64_t v = (uint64_t)packed;
    unsigned hour = (unsigned)(v >> (PACKED_FRACTION_BITS + 12)) & 31;
    unsigned day = (unsigned)(v >> (PACKED_FRACTION_BITS + PACKED_CLOCK_BITS)) & 31;
    unsigned months = (unsigned)(v >> (PACKED_FRACTION_BITS + PACKED_CLOCK_BITS + 5));
    if (months / 13 > 9999 || hour > 23)
        return 0;
    size_t len = date_print(text, months / 13, months % 13, day);
    if (is_date)
        return len;
    text[len++] = ' ';
    return packed_clock_add(text, len, hour, v);
}
