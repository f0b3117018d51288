/* SPDX-License-Identifier: Apache-2.0 */
#include "core/common/event.h"

#include "base/check.h"

struct event_row {
    const char *name, *text;
    enum sl_event_level level;
};

static const struct event_row event_rows[SL_EVENT_COUNT] = {
#define SL_EVENT(id, severity, description) { .name = #id, .text = (description), .level = SL_LEVEL_##severity },
#include "core/common/events.def"
#undef SL_EVENT
};

static const struct event_row *event_row(enum sl_event_id id)
{
    SL_REQUIRE((unsigned)id < SL_EVENT_COUNT);
    return &event_rows[id];
}

const char *sl_event_name(enum sl_event_id id)
{
    return event_row(id)->name;
}

const char *sl_event_text(enum sl_event_id id)
{
    return event_row(id)->text;
}

enum sl_event_level sl_event_level(enum sl_event_id id)
{
    return event_row(id)->level;
}

static const char *event_level_name(enum sl_event_level level)
{
    switch (level) {
    case SL_LEVEL_DEBUG:
        return "debug";
    case SL_LEVEL_INFO:
        return "info";
    case SL_LEVEL_WARN:
        return "warn";
    case SL_LEVEL_ERROR:
        return "error";
    }
    SL_UNREACHABLE();
}

static void event_format_value(struct sl_text *t, const struct sl_field *f)
{
    switch (f->kind) {
    case SL_FIELD_STR:
        sl_text_logfmt(t, f->str);
        return;
    case SL_FIELD_U64:
        sl_text_u64(t, f->u64);
        return;
    case SL_FIELD_I64:
        sl_text_i64(t, (int64_t)f->u64);
        return;
    case SL_FIELD_HEX128:
        sl_text_hex64(t, f->u64);
        sl_text_hex64(t, f->u64_low);
        return;
    }
    SL_UNREACHABLE();
}

void sl_event_format(struct sl_text *t, const struct sl_event *e)
{
    sl_text_cstr(t, "level=");
    sl_text_cstr(t, event_level_name(sl_event_level(e->id)));
    sl_text_cstr(t, " event=");
    sl_text_cstr(t, sl_event_name(e->id));
    for (uint32_t i = 0; i < e->field_count; i++) {
        sl_text_cstr(t, " ");
        sl_text_cstr(t, e->fields[i].key);
        sl_text_cstr(t, "=");
        event_format_value(t, &e->fields[i]);
    }
    sl_text_cstr(t, " msg=");
    sl_text_logfmt(t, sl_str_of(sl_event_text(e->id)));
}
