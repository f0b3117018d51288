/* SPDX-License-Identifier: Apache-2.0 */
#include "core/dispatch/dispatcher.h"

#include "base/check.h"

struct dispatcher_row {
    const char *text;
    Pb__ComponentState wire;
    uint32_t next; /* bits of the legal next states */
};

static const struct dispatcher_row dispatcher_rows[] = {
#define GO(name) (1u << SL_DISPATCHER_##name)
#define DISPATCHER_ROW(name, wire, text, next) [SL_DISPATCHER_##name] = { text, PB__COMPONENT_STATE__##wire, next },
    SL_DISPATCHER_STATES(DISPATCHER_ROW)
#undef DISPATCHER_ROW
#undef GO
};

bool sl__dispatcher_may_go(enum sl_dispatcher_state from, enum sl_dispatcher_state to)
{
    SL_REQUIRE((uint32_t)from < SL_DISPATCHER_STATE_COUNT && (uint32_t)to < SL_DISPATCHER_STATE_COUNT);
    return (dispatcher_rows[from].next & (1u << to)) != 0;
}

const char *sl__dispatcher_state_name(enum sl_dispatcher_state state)
{
    SL_REQUIRE((uint32_t)state < SL_DISPATCHER_STATE_COUNT);
    return dispatcher_rows[state].text;
}

Pb__ComponentState sl__dispatcher_state_pb(enum sl_dispatcher_state state)
{
    SL_REQUIRE((uint32_t)state < SL_DISPATCHER_STATE_COUNT);
    return dispatcher_rows[state].wire;
}

struct sl_span_key sl__dispatcher_span(const struct sl_dispatcher *d)
{
    struct sl_span_key span = { .table_id = d->table_id, .keyspace_id = d->keyspace_id };
    if (d->keys) {
        span.start_key = (struct sl_bytes){ d->keys->bytes, d->keys->start_len };
        span.end_key = (struct sl_bytes){ d->keys->bytes + d->keys->start_len, d->keys->end_len };
    }
    return span;
}
