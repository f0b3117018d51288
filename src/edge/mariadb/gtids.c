/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/mariadb/gtids.h"

#include <string.h>

void sl_gtids_put(struct sl_gtids *g, struct sl_gtid gtid)
{
    uint32_t i = 0;
    while (i < g->count && g->at[i].domain < gtid.domain)
        i++;
    if (i == g->count || g->at[i].domain != gtid.domain) {
        if (g->count == SL_GTIDS_MAX) {
            g->is_over = true;
            return;
        }
        memmove(&g->at[i + 1], &g->at[i], (g->count - i) * sizeof g->at[0]);
        g->count++;
    }
    g->at[i] = gtid;
}

void sl_gtids_complete(struct sl_gtids *newer, const struct sl_gtids *older)
{
    newer->is_over = newer->is_over || older->is_over;
    for (uint32_t i = 0; i < older->count; i++) {
        if (!sl_gtids_of(newer, older->at[i].domain))
            sl_gtids_put(newer, older->at[i]);
    }
}

const struct sl_gtid *sl_gtids_of(const struct sl_gtids *g, uint32_t domain)
{
    for (uint32_t i = 0; i < g->count; i++) {
        if (g->at[i].domain == domain)
            return &g->at[i];
    }
    return NULL;
}

/* ---- text ---- */

static bool gtids_take_number(struct sl_str *rest, uint64_t *out, uint64_t max)
{
    size_t i = 0;
    *out = 0;
    for (; i < rest->len && rest->ptr[i] >= '0' && rest->ptr[i] <= '9'; i++) {
        uint64_t digit = (uint64_t)(rest->ptr[i] - '0');
        if (*out > (max - digit) / 10)
            return false;
        *out = *out * 10 + digit;
    }
    *rest = (struct sl_str){ rest->ptr + i, rest->len - i };
    return i > 0;
}

static bool gtids_take_sign(struct sl_str *rest, char sign)
{
    if (rest->len == 0 || rest->ptr[0] != sign)
        return false;
    *rest = (struct sl_str){ rest->ptr + 1, rest->len - 1 };
    return true;
}

static bool gtids_take_one(struct sl_str *rest, struct sl_gtid *out)
{
    uint64_t domain, server, seq;
    if (!gtids_take_number(rest, &domain, UINT32_MAX) || !gtids_take_sign(rest, '-') ||
        !gtids_take_number(rest, &server, UINT32_MAX) || !gtids_take_sign(rest, '-') ||
        !gtids_take_number(rest, &seq, UINT64_MAX))
        return false;
    *out = (struct sl_gtid){ .domain = (uint32_t)domain, .server = (uint32_t)server, .seq = seq };
    return true;
}

bool sl_gtids_parse(struct sl_gtids *out, struct sl_str text)
{
    struct sl_gtid gtid;
    bool is_good = true, is_more = text.len > 0;
    *out = (struct sl_gtids){ 0 };
    while (is_good && is_more) {
        is_good = gtids_take_one(&text, &gtid) && !sl_gtids_of(out, gtid.domain);
        if (is_good)
            sl_gtids_put(out, gtid);
        is_more = is_good && gtids_take_sign(&text, ',');
        while (gtids_take_sign(&text, ' ') || gtids_take_sign(&text, '\n'))
            continue;
    }
    if (is_good && text.len == 0 && !out->is_over)
        return true;
    *out = (struct sl_gtids){ 0 };
    return false;
}

static void gtids_add(struct sl_text *t, struct sl_gtid gtid)
{
    sl_text_u64(t, gtid.domain);
    sl_text_cstr(t, "-");
    sl_text_u64(t, gtid.server);
    sl_text_cstr(t, "-");
    sl_text_u64(t, gtid.seq);
}

struct sl_str sl_gtid_format(char *out, struct sl_gtid gtid)
{
    struct sl_text t;
    sl_text_init(&t, out, SL_GTIDS_TEXT_MAX);
    gtids_add(&t, gtid);
    return (struct sl_str){ out, t.len };
}

struct sl_str sl_gtids_format(char *out, const struct sl_gtids *g)
{
    struct sl_text t;
    sl_text_init(&t, out, SL_GTIDS_TEXT_MAX);
    for (uint32_t i = 0; i < g->count && !g->is_over; i++) {
        sl_text_cstr(&t, i > 0 ? "," : "");
        gtids_add(&t, g->at[i]);
    }
    return (struct sl_str){ out, t.len };
}
