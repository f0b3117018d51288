/* SPDX-License-Identifier: Apache-2.0 */
#include "port/sink.h"
#include "port/source.h"
#include "port/uri.h"

static bool drivers_has_scheme(const char *schemes, struct sl_str wanted)
{
    while (*schemes != '\0') {
        struct sl_str scheme = { schemes, 0 };
        while (schemes[scheme.len] != '\0' && schemes[scheme.len] != ' ')
            scheme.len++;
        if (sl_str_eq(scheme, wanted))
            return true;
        schemes += scheme.len;
        schemes += *schemes == ' ' ? 1 : 0;
    }
    return false;
}

static bool drivers_unknown(struct sl_trouble *t, const char *what, struct sl_str scheme)
{
    return sl_trouble_set(t, SL_TROUBLE_LASTING, "UNKNOWN_SCHEME", "see the documentation of sources and sinks",
                          "no %s for the scheme '%.*s'", what, (int)(scheme.len < 32 ? scheme.len : 32), scheme.ptr);
}

const struct sl_source_driver *sl_source_find(const struct sl_source_driver *const *drivers, struct sl_secret uri,
                                              struct sl_trouble *t)
{
    struct sl_uri parsed;
    if (!sl_uri_parse(&parsed, uri, t))
        return NULL;
    for (; *drivers; drivers++)
        if (drivers_has_scheme((*drivers)->schemes, parsed.scheme))
            return *drivers;
    drivers_unknown(t, "source", parsed.scheme);
    return NULL;
}

const struct sl_sink_driver *sl_sink_find(const struct sl_sink_driver *const *drivers, struct sl_secret uri,
                                          struct sl_trouble *t)
{
    struct sl_uri parsed;
    if (!sl_uri_parse(&parsed, uri, t))
        return NULL;
    for (; *drivers; drivers++)
        if (drivers_has_scheme((*drivers)->schemes, parsed.scheme))
            return *drivers;
    drivers_unknown(t, "sink", parsed.scheme);
    return NULL;
}
