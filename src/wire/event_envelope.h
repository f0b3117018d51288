/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_WIRE_EVENT_ENVELOPE_H
#define SL_WIRE_EVENT_ENVELOPE_H

#include "wire/ids.h"
#include "wire/message.h"

/*
 * The binary envelope of data-plane events (message types 1-7, 19, 20, 23): 16 bytes, big-endian, before the payload. Event
 * types have numbers of their own, which differ from the message types that carry them. Only the envelope and the ids
 * are known here; the payloads belong to the data plane.
 */
#define SL_EVENT_ENVELOPE_BYTES 16
#define SL_EVENT_ID_BYTES 16
#define SL_EVENT_TYPE_READY 6
#define SL_EVENT_VERSION_READY 1

struct sl_event_envelope {
    uint16_t type, version;
    struct sl_bytes payload; /* a view into the bytes that were decoded */
};

/* SL_REFUSE_TRUNCATED, SL_REFUSE_MALFORMED (magic, or a length that is not that of the rest); *out is zero then. */
SL_CHECKED enum sl_refusal sl_event_envelope_decode(struct sl_event_envelope *out, struct sl_bytes bytes);
/* Writes envelope and payload: SL_EVENT_ENVELOPE_BYTES + payload.len bytes, the number returned. */
size_t sl_event_envelope_encode(const struct sl_event_envelope *e, uint8_t *out);

/* An id inside a payload: the low half first, each half little-endian (unlike everything else in a payload). */
struct sl_dispatcher_id sl_event_id_decode(const uint8_t bytes[SL_EVENT_ID_BYTES]);
void sl_event_id_encode(struct sl_dispatcher_id id, uint8_t bytes[SL_EVENT_ID_BYTES]);

#endif
