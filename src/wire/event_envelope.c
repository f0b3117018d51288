/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/event_envelope.h"

#include <string.h>

#define EVENT_MAGIC UINT64_C(0xDA7A6A6A)

static uint64_t event_read_be(const uint8_t *bytes, size_t count)
{
    uint64_t value = 0;
    for (size_t i = 0; i < count; i++)
        value = value << 8 | bytes[i];
    return value;
}

static void event_write_be(uint8_t *bytes, size_t count, uint64_t value)
{
    for (size_t i = count; i > 0; i--, value >>= 8)
        bytes[i - 1] = (uint8_t)value;
}

enum sl_refusal sl_event_envelope_decode(struct sl_event_envelope *out, struct sl_bytes bytes)
{
    *out = (struct sl_event_envelope){ 0 };
    if (bytes.len < SL_EVENT_ENVELOPE_BYTES)
        return SL_REFUSE_TRUNCATED;
    uint64_t length = event_read_be(bytes.ptr + 8, 8), rest = bytes.len - SL_EVENT_ENVELOPE_BYTES;
    if (event_read_be(bytes.ptr, 4) != EVENT_MAGIC || length < rest)
        return SL_REFUSE_MALFORMED;
    if (length > rest)
        return SL_REFUSE_TRUNCATED;
    out->type = (uint16_t)event_read_be(bytes.ptr + 4, 2);
    out->version = (uint16_t)event_read_be(bytes.ptr + 6, 2);
    out->payload = (struct sl_bytes){ bytes.ptr + SL_EVENT_ENVELOPE_BYTES, (size_t)length };
    return SL_REFUSE_NONE;
}

size_t sl_event_envelope_encode(const struct sl_event_envelope *e, uint8_t *out)
{
    event_write_be(out, 4, EVENT_MAGIC);
    event_write_be(out + 4, 2, e->type);
    event_write_be(out + 6, 2, e->version);
    event_write_be(out + 8, 8, e->payload.len);
    if (e->payload.len > 0)
        memcpy(out + SL_EVENT_ENVELOPE_BYTES, e->payload.ptr, e->payload.len);
    return SL_EVENT_ENVELOPE_BYTES + e->payload.len;
}

static uint64_t event_read_le64(const uint8_t *bytes)
{
    uint64_t value = 0;
    for (size_t i = 8; i > 0; i--)
        value = value << 8 | bytes[i - 1];
    return value;
}

static void event_write_le64(uint8_t *bytes, uint64_t value)
{
    for (size_t i = 0; i < 8; i++, value >>= 8)
        bytes[i] = (uint8_t)value;
}

struct sl_dispatcher_id sl_event_id_decode(const uint8_t bytes[SL_EVENT_ID_BYTES])
{
    return (struct sl_dispatcher_id){ .low = event_read_le64(bytes), .high = event_read_le64(bytes + 8) };
}

void sl_event_id_encode(struct sl_dispatcher_id id, uint8_t bytes[SL_EVENT_ID_BYTES])
{
    event_write_le64(bytes, id.low);
    event_write_le64(bytes + 8, id.high);
}
