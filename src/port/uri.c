/* SPDX-License-Identifier: Apache-2.0 */
#include "port/uri.h"

#include <string.h>

#define URI_BYTES_MAX 4096u

/* Splits s at the first c: the part before it is returned, *s becomes the rest. Without c all of s is returned. */
static struct sl_str uri_cut(struct sl_str *s, char c)
{
    const char *at = s->len > 0 ? memchr(s->ptr, c, s->len) : NULL;
    struct sl_str head = { s->ptr, at ? (size_t)(at - s->ptr) : s->len };
    size_t skipped = at ? head.len + 1 : head.len;
    *s = (struct sl_str){ s->ptr + skipped, s->len - skipped };
    return head;
}

static bool uri_has(struct sl_str s, char c)
{
    return s.len > 0 && memchr(s.ptr, c, s.len) != NULL;
}

static bool uri_is_scheme(struct sl_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool is_later = (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
        if (!is_letter && (i == 0 || !is_later))
            return false;
    }
    return s.len > 0;
}

static bool uri_refuse(struct sl_trouble *t, const char *why)
{
    return sl_trouble_set(t, SL_TROUBLE_LASTING, "BAD_URI", "write scheme://user:password@host:port/path?name=value",
                          "%s", why);
}

static bool uri_parse_host(struct sl_uri *out, struct sl_str authority, struct sl_trouble *t)
{
    const char *at = NULL;
    for (size_t i = 0; i < authority.len; i++) /* the last @: passwords may hold one by mistake */
        at = authority.ptr[i] == '@' ? authority.ptr + i : at;
    if (at) {
        struct sl_str user = { authority.ptr, (size_t)(at - authority.ptr) };
        authority = (struct sl_str){ at + 1, authority.len - user.len - 1 };
        out->user = uri_cut(&user, ':');
        out->password = user;
    }
    struct sl_str port = { 0 };
    if (authority.len > 0 && authority.ptr[0] == '[') { /* an IPv6 address has colons of its own */
        authority = (struct sl_str){ authority.ptr + 1, authority.len - 1 };
        if (!uri_has(authority, ']'))
            return uri_refuse(t, "the address of the URI has no closing bracket");
        out->host = uri_cut(&authority, ']');
        if (authority.len > 0 && authority.ptr[0] != ':')
            return uri_refuse(t, "the address of the URI is followed by something else than a port");
        uri_cut(&authority, ':');
        port = authority;
    } else {
        out->host = uri_cut(&authority, ':');
        port = authority;
    }
    uint64_t number = 0;
    if (port.len > 0 && (!sl_uri_u64(&number, port, UINT16_MAX) || number == 0))
        return uri_refuse(t, "the port of the URI is not a number from 1 to 65535");
    out->port = (uint16_t)number;
    return true;
}

bool sl_uri_parse(struct sl_uri *out, struct sl_secret text, struct sl_trouble *t)
{
    *out = (struct sl_uri){ 0 };
    struct sl_bytes bytes = sl_secret_reveal(text);
    struct sl_str rest = { (const char *)bytes.ptr, bytes.len };
    if (bytes.len == 0)
        return uri_refuse(t, "the URI is empty");
    if (bytes.len > URI_BYTES_MAX)
        return uri_refuse(t, "the URI is longer than 4096 bytes");
    for (size_t i = 0; i < bytes.len; i++)
        if (bytes.ptr[i] <= 0x20 || bytes.ptr[i] == 0x7f)
            return uri_refuse(t, "the URI holds a space or a control character");
    struct sl_uri uri = { .scheme = uri_cut(&rest, ':') };
    if (!uri_is_scheme(uri.scheme) || rest.len < 2 || rest.ptr[0] != '/' || rest.ptr[1] != '/')
        return uri_refuse(t, "the URI does not begin with scheme://");
    rest = (struct sl_str){ rest.ptr + 2, rest.len - 2 };
    struct sl_str hierarchy = uri_cut(&rest, '?');
    uri.query = rest;
    size_t authority_len = 0;
    while (authority_len < hierarchy.len && hierarchy.ptr[authority_len] != '/')
        authority_len++;
    struct sl_str authority = { hierarchy.ptr, authority_len };
    uri.path = (struct sl_str){ hierarchy.ptr + authority_len, hierarchy.len - authority_len };
    if (!uri_parse_host(&uri, authority, t))
        return false;
    *out = uri;
    return true;
}

bool sl_uri_next_param(struct sl_str *rest, struct sl_uri_param *out)
{
    while (rest->len > 0) {
        struct sl_str value = uri_cut(rest, '&');
        struct sl_str name = uri_cut(&value, '=');
        if (name.len == 0)
            continue;
        *out = (struct sl_uri_param){ name, value };
        return true;
    }
    return false;
}

static int uri_hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool sl_uri_decode(char *out, size_t out_size, struct sl_str encoded)
{
    size_t len = 0;
    for (size_t i = 0; i < encoded.len; i++) {
        int c = (unsigned char)encoded.ptr[i];
        if (c == '%') {
            int high = i + 2 < encoded.len ? uri_hex(encoded.ptr[i + 1]) : -1;
            int low = high >= 0 ? uri_hex(encoded.ptr[i + 2]) : -1;
            if (low < 0)
                return false;
            c = high * 16 + low;
            i += 2;
        }
        if (c == 0 || len + 1 >= out_size)
            return false;
        out[len++] = (char)c;
    }
    if (out_size == 0)
        return false;
    out[len] = '\0';
    return true;
}

bool sl_uri_u64(uint64_t *out, struct sl_str text, uint64_t max)
{
    uint64_t value = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        uint64_t digit = (uint64_t)(text.ptr[i] - '0');
        if (value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    if (text.len == 0 || value > max)
        return false;
    *out = value;
    return true;
}

bool sl_uri_bool(bool *out, struct sl_str text)
{
    bool is_true = sl_str_eq(text, SL_STR("true")) || sl_str_eq(text, SL_STR("1")) || sl_str_eq(text, SL_STR("yes"));
    bool is_false = sl_str_eq(text, SL_STR("false")) || sl_str_eq(text, SL_STR("0")) || sl_str_eq(text, SL_STR("no"));
    *out = is_true;
    return is_true || is_false;
}
