/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/file/file_opts.h"

#include "port/uri.h"

#include <string.h>

#define OPTS_REMEDY "write file:///directory?protocol=canal-json, debezium or csv"
#define OPTS_FILE_SIZE_MAX (UINT64_C(1) << 40)
#define OPTS_FLUSH_NS_MIN (50 * SL_MS)
#define OPTS_FLUSH_NS_MAX (3600 * SL_S)

struct opts_unit {
    const char *name;
    uint64_t factor;
};

/* A whole number and one of the units; at most max. */
static bool opts_quantity(uint64_t *out, struct sl_str text, const struct opts_unit *units, size_t unit_count,
                          uint64_t max)
{
    size_t digits = 0;
    while (digits < text.len && text.ptr[digits] >= '0' && text.ptr[digits] <= '9')
        digits++;
    struct sl_str unit = { text.ptr + digits, text.len - digits };
    for (size_t i = 0; i < unit_count; i++) {
        if (!sl_str_eq(unit, sl_str_of(units[i].name)))
            continue;
        if (!sl_uri_u64(out, (struct sl_str){ text.ptr, digits }, max / units[i].factor))
            return false;
        *out *= units[i].factor;
        return true;
    }
    return false;
}

static bool opts_size(uint64_t *out, struct sl_str text)
{
    static const struct opts_unit units[] = { { "", 1 },          { "B", 1 },         { "KiB", 1 << 10 },
                                              { "MiB", 1 << 20 }, { "GiB", 1 << 30 }, { "K", 1 << 10 },
                                              { "M", 1 << 20 },   { "G", 1 << 30 } };
    return opts_quantity(out, text, units, sizeof units / sizeof units[0], OPTS_FILE_SIZE_MAX) && *out > 0;
}

static bool opts_time(sl_ns *out, struct sl_str text)
{
    static const struct opts_unit units[] = {
        { "ms", 1000000 }, { "s", 1000000000 }, { "m", UINT64_C(60000000000) }, { "h", UINT64_C(3600000000000) }
    };
    uint64_t ns;
    if (!opts_quantity(&ns, text, units, sizeof units / sizeof units[0], (uint64_t)OPTS_FLUSH_NS_MAX))
        return false;
    *out = (sl_ns)ns;
    return *out >= OPTS_FLUSH_NS_MIN;
}

static const char *const opts_protocols[] = { "canal-json", "debezium", "csv" };

const char *sl_file_protocol_name(enum sl_file_protocol protocol)
{
    return opts_protocols[protocol];
}

static bool opts_protocol(enum sl_file_protocol *out, struct sl_str text)
{
    for (size_t i = 0; i < sizeof opts_protocols / sizeof opts_protocols[0]; i++) {
        if (sl_str_eq(text, sl_str_of(opts_protocols[i]))) {
            *out = (enum sl_file_protocol)i;
            return true;
        }
    }
    return false;
}

/* It stands in a line of the mark, and in a URI. */
static bool opts_id_is_good(const char *id)
{
    static const char letters[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_.";
    return strspn(id, letters) == strlen(id);
}

static bool opts_take(struct sl_file_opts *o, const struct sl_uri_param *p, bool *has_protocol)
{
    if (sl_str_eq(p->name, SL_STR("protocol")))
        return *has_protocol = opts_protocol(&o->protocol, p->value);
    if (sl_str_eq(p->name, SL_STR("file-size")))
        return opts_size(&o->file_size, p->value);
    if (sl_str_eq(p->name, SL_STR("flush-interval")))
        return opts_time(&o->flush_ns, p->value);
    if (sl_str_eq(p->name, SL_STR("id")))
        return sl_uri_decode(o->id, sizeof o->id, p->value) && o->id[0] != '\0' && opts_id_is_good(o->id);
    return false;
}

bool sl_file_opts_parse(struct sl_file_opts *o, struct sl_secret text, struct sl_trouble *t)
{
    struct sl_uri uri;
    struct sl_uri_param param;
    bool has_protocol = false;
    *o = (struct sl_file_opts){ .file_size = 64u << 20, .flush_ns = 5 * SL_S };
    if (!sl_uri_parse(&uri, text, t))
        return false;
    if (uri.host.len > 0 || uri.path.len < 2 || !sl_uri_decode(o->directory, sizeof o->directory, uri.path))
        return sl_trouble_set(t, SL_TROUBLE_LASTING, "BAD_URI", OPTS_REMEDY, "file: no absolute directory");
    while (sl_uri_next_param(&uri.query, &param)) {
        if (!opts_take(o, &param, &has_protocol))
            return sl_trouble_set(t, SL_TROUBLE_LASTING, "BAD_URI", "see docs/file-sink.md for the parameters",
                                  "file: parameter '%.*s' is unknown, or its value is out of range",
                                  (int)(param.name.len < 40 ? param.name.len : 40), param.name.ptr);
    }
    return has_protocol ||
           sl_trouble_set(t, SL_TROUBLE_LASTING, "BAD_URI", OPTS_REMEDY, "file: the protocol is not given");
}
