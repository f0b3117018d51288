/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/grpc/status.h"

#include "base/check.h"

#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <string.h>

static const char *const status_names[SL_GRPC_CODE_COUNT] = {
#define STATUS_NAME(number, name) [number] = #name,
    SL_GRPC_CODES(STATUS_NAME)
#undef STATUS_NAME
};

const char *sl_grpc_code_name(enum sl_grpc_code code)
{
    SL_REQUIRE((uint32_t)code < SL_GRPC_CODE_COUNT);
    return status_names[code];
}

struct sl_grpc_status sl_grpc_status_of(enum sl_grpc_code code, const char *message)
{
    struct sl_grpc_status status = { .code = code };
    struct sl_text text;
    sl_text_init(&text, status.message, sizeof status.message);
    sl_text_cstr(&text, message);
    return status;
}

enum sl_grpc_code sl_grpc_code_parse(struct sl_bytes text)
{
    uint32_t value = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9' || i >= 2) {
            return SL_GRPC_UNKNOWN;
        }
        value = value * 10 + (uint32_t)(text.ptr[i] - '0');
    }
    return text.len == 0 || value >= SL_GRPC_CODE_COUNT ? SL_GRPC_UNKNOWN : (enum sl_grpc_code)value;
}

enum sl_grpc_code sl_grpc_code_of_reset(uint32_t http2_error)
{
    switch (http2_error) {
    case NGHTTP2_CANCEL:
        return SL_GRPC_CANCELLED;
    case NGHTTP2_REFUSED_STREAM:
        return SL_GRPC_UNAVAILABLE;
    case NGHTTP2_ENHANCE_YOUR_CALM:
        return SL_GRPC_RESOURCE_EXHAUSTED;
    case NGHTTP2_INADEQUATE_SECURITY:
        return SL_GRPC_PERMISSION_DENIED;
    default:
        return SL_GRPC_INTERNAL;
    }
}

enum sl_grpc_code sl_grpc_code_of_http(uint32_t http_status)
{
    switch (http_status) {
    case 400:
        return SL_GRPC_INTERNAL;
    case 401:
        return SL_GRPC_UNAUTHENTICATED;
    case 403:
        return SL_GRPC_PERMISSION_DENIED;
    case 404:
        return SL_GRPC_UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504:
        return SL_GRPC_UNAVAILABLE;
    default:
        return SL_GRPC_UNKNOWN;
    }
}

/* ---- grpc-message ---- */

static bool message_byte_is_plain(uint8_t c)
{
    return c >= 0x20 && c <= 0x7e && c != '%';
}

/* Bytes of the UTF-8 character that starts with c; 1 for what cannot start one. */
static size_t message_char_len(uint8_t c)
{
    if (c >= 0xe0) {
        return c >= 0xf0 ? 4 : 3;
    }
    return c >= 0xc0 ? 2 : 1;
}

size_t sl_grpc_message_encode(struct sl_str text, char *out, size_t cap)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = (uint8_t)text.ptr[i];
        bool plain = message_byte_is_plain(c);
        if (len + (plain ? 1 : 3 * message_char_len(c)) > cap) {
            break;
        }
        if (plain) {
            out[len++] = (char)c;
            continue;
        }
        for (size_t left = message_char_len(c); left > 0 && i < text.len; left--, i++) {
            c = (uint8_t)text.ptr[i];
            out[len++] = '%';
            out[len++] = digits[c >> 4];
            out[len++] = digits[c & 15];
        }
        i--;
    }
    return len;
}

static int message_digit(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    uint8_t lower = (uint8_t)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

size_t sl_grpc_message_decode(struct sl_bytes encoded, char *out, size_t cap)
{
    size_t len = 0;
    for (size_t i = 0; i < encoded.len && len < cap; i++) {
        uint8_t c = encoded.ptr[i];
        bool has_digits = c == '%' && encoded.len - i > 2;
        int high = has_digits ? message_digit(encoded.ptr[i + 1]) : -1;
        int low = has_digits ? message_digit(encoded.ptr[i + 2]) : -1;
        if (high >= 0 && low >= 0) {
            c = (uint8_t)(high << 4 | low);
            i += 2;
        }
        out[len++] = (char)c;
    }
    return len;
}

/* ---- grpc-timeout ---- */

static const struct {
    char letter;
    int64_t unit_ns;
} timeout_units[] = {
    { 'n', 1 }, { 'u', 1000 }, { 'm', 1000000 }, { 'S', 1000000000 }, { 'M', 60000000000 }, { 'H', 3600000000000 },
};
#define TIMEOUT_DIGITS_MAX 8
#define TIMEOUT_VALUE_MAX 99999999

int64_t sl_grpc_timeout_parse(struct sl_bytes text)
{
    int64_t value = 0;
    if (text.len < 2 || text.len > TIMEOUT_DIGITS_MAX + 1) {
        return -1;
    }
    for (size_t i = 0; i < text.len - 1; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') {
            return -1;
        }
        value = value * 10 + (text.ptr[i] - '0');
    }
    for (size_t i = 0; i < sizeof timeout_units / sizeof timeout_units[0]; i++) {
        if (timeout_units[i].letter == (char)text.ptr[text.len - 1]) {
            bool fits = value <= INT64_MAX / timeout_units[i].unit_ns;
            return fits ? value * timeout_units[i].unit_ns : INT64_MAX;
        }
    }
    return -1;
}

size_t sl_grpc_timeout_format(int64_t timeout_ns, char *out, size_t cap)
{
    size_t unit = 0;
    int64_t value = timeout_ns;
    while (value > TIMEOUT_VALUE_MAX) {
        unit++;
        value = timeout_ns / timeout_units[unit].unit_ns + (timeout_ns % timeout_units[unit].unit_ns != 0);
    }
    int len = snprintf(out, cap, "%lld%c", (long long)value, timeout_units[unit].letter);
    SL_REQUIRE(len > 0 && (size_t)len < cap);
    return (size_t)len;
}
