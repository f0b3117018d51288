/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/etcd/etcd_endpoints.h"

#include "base/str.h"
#include "base/units.h"

#include <string.h>

#define PORT_DEFAULT 2379

static bool endpoints_take_prefix(struct sl_str *s, struct sl_str prefix)
{
    if (s->len < prefix.len || memcmp(s->ptr, prefix.ptr, prefix.len) != 0)
        return false;
    s->ptr += prefix.len;
    s->len -= prefix.len;
    return true;
}

static bool endpoints_parse_port(struct sl_str text, uint16_t *port)
{
    uint32_t value = 0;
    if (text.len == 0 || text.len > 5)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        value = value * 10 + (uint32_t)(text.ptr[i] - '0');
    }
    *port = (uint16_t)value;
    return value > 0 && value <= UINT16_MAX;
}

/* Splits "host:port", "host", "[ip]:port" or "[ip]". */
static bool endpoints_split(struct sl_str text, struct sl_str *host, struct sl_str *port)
{
    *port = (struct sl_str){ 0 };
    const char *end = text.len > 0 && text.ptr[0] == '[' ? memchr(text.ptr, ']', text.len) : NULL;
    if (text.len > 0 && text.ptr[0] == '[') {
        if (!end)
            return false;
        *host = (struct sl_str){ text.ptr + 1, (size_t)(end - text.ptr) - 1 };
        size_t rest = text.len - host->len - 2;
        if (rest == 0)
            return true;
        *port = (struct sl_str){ end + 2, rest - 1 };
        return end[1] == ':';
    }
    const char *colon = memchr(text.ptr, ':', text.len);
    *host = (struct sl_str){ text.ptr, colon ? (size_t)(colon - text.ptr) : text.len };
    if (colon)
        *port = (struct sl_str){ colon + 1, text.len - host->len - 1 };
    return true;
}

static bool endpoints_is_host(struct sl_str host)
{
    if (host.len == 0 || host.len > 255)
        return false;
    for (size_t i = 0; i < host.len; i++) {
        char c = host.ptr[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!is_letter && !strchr("-._:%", c))
            return false;
    }
    return true;
}

static bool endpoints_add(struct sl_etcd_endpoints *out, struct sl_str text)
{
    struct sl_str host = { 0 }, port = { 0 };
    struct sl_etcd_endpoint *e = &out->list[out->count];
    (void)endpoints_take_prefix(&text, SL_STR("etcd://"));
    if (endpoints_take_prefix(&text, SL_STR("https://")))
        out->is_https = true;
    else if (endpoints_take_prefix(&text, SL_STR("http://")))
        out->is_http = true;
    if (text.len > 0 && text.ptr[text.len - 1] == '/')
        text.len--;
    if (!endpoints_split(text, &host, &port) || !endpoints_is_host(host))
        return false;
    e->port = PORT_DEFAULT;
    if (port.ptr && !endpoints_parse_port(port, &e->port))
        return false;
    memcpy(e->host, host.ptr, host.len);
    e->host[host.len] = '\0';
    out->count++;
    return true;
}

enum sl_code sl__etcd_endpoints_parse(struct sl_etcd_endpoints *out, const char *text, struct sl_err *err)
{
    memset(out, 0, sizeof *out);
    for (const char *at = text; at;) {
        const char *comma = strchr(at, ',');
        struct sl_str one = { at, comma ? (size_t)(comma - at) : strlen(at) };
        /* What stands before an @ would be a password. */
        if (memchr(one.ptr, '@', one.len))
            return sl_err_set(err, SL_BAD_CONFIG,
                              "an endpoint of etcd holds an @: give user and password by their options");
        if (out->count == SL_ETCD_ENDPOINTS_MAX)
            return sl_err_set(err, SL_BAD_CONFIG, "more than %d endpoints of etcd", SL_ETCD_ENDPOINTS_MAX);
        if (!endpoints_add(out, one))
            return sl_err_set(err, SL_BAD_CONFIG, "'%.*s' is not an endpoint of etcd: write host:port",
                              (int)sl_u32_min((uint32_t)one.len, 60), one.ptr);
        at = comma ? comma + 1 : NULL;
    }
    if (out->is_https && out->is_http)
        return sl_err_set(err, SL_BAD_CONFIG, "some endpoints of etcd are http:// and some https://: use one of them");
    return SL_OK;
}
