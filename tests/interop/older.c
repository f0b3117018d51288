/* SPDX-License-Identifier: Apache-2.0 */
#include "app/host.h"
#include "app/shell.h"
#include "base/check.h"
#include "edge/peer/transport.h"
#include "sim/strip.h"
#include "wire/message.h"
#include "wire/validate.h"

#include <stdlib.h>
#include <string.h>

/*
 * A sluiced of the time before the extension fields (proto/extensions.md), for clusters of two versions: it neither sends
 * nor sees a field with a number from 100 on. Only the URI of a feed's source stays, without which it could not read.
 *
 * It is this version's program whose linker puts these functions between it and the network (-Wl,--wrap).
 */
/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp,readability-identifier-naming) --wrap's names */
enum sl_code __real_sl_transport_send(struct sl_transport *t, const struct sl_node_id *to, enum sl_msg_type type,
                                      enum sl_topic topic, struct sl_bytes payload);
enum sl_code __wrap_sl_transport_send(struct sl_transport *t, const struct sl_node_id *to, enum sl_msg_type type,
                                      enum sl_topic topic, struct sl_bytes payload);
void __real_sl_host_input(struct sl_host *h, const struct sl_input *in);
void __wrap_sl_host_input(struct sl_host *h, const struct sl_input *in);
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp,readability-identifier-naming) */

static size_t older_put_varint(uint8_t *out, uint64_t value)
{
    size_t len = 0;
    for (; value >= 0x80; value >>= 7)
        out[len++] = (uint8_t)(value | 0x80);
    out[len++] = (uint8_t)value;
    return len;
}

/* The field of a string; its bytes are of the message. */
static size_t older_put_text(uint8_t *out, uint32_t number, const char *text)
{
    size_t text_len = text ? strlen(text) : 0, len = 0;
    if (text_len == 0)
        return 0;
    len += older_put_varint(out, (uint64_t)number << 3 | 2);
    len += older_put_varint(out + len, text_len);
    memcpy(out + len, text, text_len);
    return len + text_len;
}

static size_t older_keep_source(enum sl_msg_type type, struct sl_bytes payload, uint8_t *out)
{
    size_t len = 0;
    if (type == SL_MSG_ADD_MAINTAINER_REQUEST) {
        Pb__AddMaintainerRequest *m = pb__add_maintainer_request__unpack(NULL, payload.len, payload.ptr);
        SL_REQUIRE(m);
        len = older_put_text(out, 100, m->source_uri);
        pb__add_maintainer_request__free_unpacked(m, NULL);
    } else if (type == SL_MSG_MAINTAINER_BOOTSTRAP_REQUEST) {
        Pb__MaintainerBootstrapRequest *m = pb__maintainer_bootstrap_request__unpack(NULL, payload.len, payload.ptr);
        SL_REQUIRE(m);
        len = older_put_text(out, 101, m->source_uri);
        pb__maintainer_bootstrap_request__free_unpacked(m, NULL);
    }
    return len;
}

/* To be freed. */
static struct sl_bytes older_strip(enum sl_msg_type type, struct sl_bytes payload)
{
    uint8_t *out = malloc(payload.len + 1);
    SL_REQUIRE(out);
    if (sl_msg_row((int32_t)type)->kind != SL_PAYLOAD_PB) {
        if (payload.len > 0)
            memcpy(out, payload.ptr, payload.len);
        return (struct sl_bytes){ out, payload.len };
    }
    size_t len = sl_sim_strip(type, payload, out);
    len += older_keep_source(type, payload, out + len);
    return (struct sl_bytes){ out, len };
}

enum sl_code __wrap_sl_transport_send(struct sl_transport *t, const struct sl_node_id *to, enum sl_msg_type type,
                                      enum sl_topic topic, struct sl_bytes payload)
{
    struct sl_bytes stripped = older_strip(type, payload);
    enum sl_code code = __real_sl_transport_send(t, to, type, topic, stripped);
    free((void *)(uintptr_t)stripped.ptr);
    return code;
}

void __wrap_sl_host_input(struct sl_host *h, const struct sl_input *in)
{
    const struct sl_wire_limits limits = SL_WIRE_LIMITS_DEFAULT;
    struct sl_envelope e;
    if (in->kind != SL_IN_MESSAGE || sl_envelope_decode(&e, in->u.message, &limits) != SL_REFUSE_NONE) {
        __real_sl_host_input(h, in);
        return;
    }
    for (uint32_t i = 0; i < e.payload_count; i++)
        e.payload[i] = older_strip(e.type, e.payload[i]);
    size_t size = sl_envelope_size(&e);
    uint8_t *bytes = malloc(size + 1);
    SL_REQUIRE(bytes);
    struct sl_input stripped = { .kind = SL_IN_MESSAGE, .u.message = { bytes, sl_envelope_encode(&e, bytes) } };
    __real_sl_host_input(h, &stripped);
    free(bytes);
    for (uint32_t i = 0; i < e.payload_count; i++)
        free((void *)(uintptr_t)e.payload[i].ptr);
}
