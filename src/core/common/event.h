/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_CORE_COMMON_EVENT_H
#define SL_CORE_COMMON_EVENT_H

#include "base/str.h"
#include "base/units.h"

/*
 * An event is one line of the node's story: id from the table in events.def, typed fields, no free text. The core emits
 * events as outputs, so the simulator tells the same story as the daemon. There is no field kind for secrets on
 * purpose.
 */
enum sl_event_level { SL_LEVEL_DEBUG, SL_LEVEL_INFO, SL_LEVEL_WARN, SL_LEVEL_ERROR };

enum sl_event_id {
#define SL_EVENT(id, level, text) SL_EV_##id,
#include "core/common/events.def"
#undef SL_EVENT
    SL_EVENT_COUNT
};

enum sl_field_kind { SL_FIELD_STR, SL_FIELD_U64, SL_FIELD_I64, SL_FIELD_HEX128 };

struct sl_field {
    const char *key; /* static, a word */
    enum sl_field_kind kind;
    struct sl_str str;
    uint64_t u64, u64_low; /* HEX128: u64 = high half */
};

#define SL_FIELDS_MAX 8
struct sl_event {
    enum sl_event_id id;
    uint32_t field_count;
    const struct sl_field *fields;
};

static inline struct sl_field sl_f_str(const char *key, struct sl_str v)
{
    return (struct sl_field){ .key = key, .kind = SL_FIELD_STR, .str = v };
}
static inline struct sl_field sl_f_u64(const char *key, uint64_t v)
{
    return (struct sl_field){ .key = key, .kind = SL_FIELD_U64, .u64 = v };
}
static inline struct sl_field sl_f_i64(const char *key, int64_t v)
{
    return (struct sl_field){ .key = key, .kind = SL_FIELD_I64, .u64 = (uint64_t)v };
}
static inline struct sl_field sl_f_id128(const char *key, uint64_t high, uint64_t low)
{
    return (struct sl_field){ .key = key, .kind = SL_FIELD_HEX128, .u64 = high, .u64_low = low };
}

const char *sl_event_name(enum sl_event_id id); /* "TARGET_APPLIED" */
const char *sl_event_text(enum sl_event_id id);
enum sl_event_level sl_event_level(enum sl_event_id id);

/* Writes one logfmt line without time and newline: level=info event=TARGET_APPLIED target=n2 epoch=7 msg="..." */
void sl_event_format(struct sl_text *t, const struct sl_event *e);

#endif
