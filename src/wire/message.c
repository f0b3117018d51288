/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/message.h"

#include "wire/validate.h"

/* ---- refusals ---- */

static const char *const refusal_names[] = {
#define REFUSAL_NAME(constant, name, text) [SL_REFUSE_##constant] = (name),
    SL_REFUSALS(REFUSAL_NAME)
#undef REFUSAL_NAME
};

static const char *const refusal_texts[] = {
#define REFUSAL_TEXT(constant, name, text) [SL_REFUSE_##constant] = (text),
    SL_REFUSALS(REFUSAL_TEXT)
#undef REFUSAL_TEXT
};

const char *sl_refusal_name(enum sl_refusal r)
{
    SL_REQUIRE((uint32_t)r < SL_REFUSAL_COUNT);
    return refusal_names[r];
}

const char *sl_refusal_text(enum sl_refusal r)
{
    SL_REQUIRE((uint32_t)r < SL_REFUSAL_COUNT);
    return refusal_texts[r];
}

bool sl_source_uri_is_valid(struct sl_secret uri)
{
    struct sl_bytes b = sl_secret_reveal(uri);
    return b.len == 0 ||
           (b.len <= SL_SOURCE_URI_MAX && sl_str_is_printable_utf8((struct sl_str){ (const char *)b.ptr, b.len }));
}

struct sl_secret sl_source_uri_of(const char *field)
{
    struct sl_str s = sl_str_of(field);
    return sl_secret_of((struct sl_bytes){ (const uint8_t *)s.ptr, s.len });
}

/* ---- payloads ---- */

/* The descriptor column of the table: read only where the payload kind is PB. */
#define DESCRIPTOR_OF_PB(pb) &pb__##pb##__descriptor
#define DESCRIPTOR_OF_ENVELOPE(pb) NULL
#define DESCRIPTOR_OF_LOG(pb) NULL
#define DESCRIPTOR_OF_EVENTPB(pb) NULL
#define DESCRIPTOR_OF_EMPTY(pb) NULL
#define DESCRIPTOR_OF_JSON(pb) NULL

static const ProtobufCMessageDescriptor *const msg_descriptors[SL_MSG_COUNT] = {
#define MSG_DESCRIPTOR(number, name, kind, pb, topic, topic2, lane) [number] = DESCRIPTOR_OF_##kind(pb),
    SL_MESSAGES(MSG_DESCRIPTOR)
#undef MSG_DESCRIPTOR
};

const ProtobufCMessageDescriptor *sl__msg_descriptor(enum sl_msg_type type)
{
    return sl_msg_row((int32_t)type) == NULL ? NULL : msg_descriptors[type];
}

/* protobuf-c's allocator over an arena. Remembers a refusal, which protobuf-c does not tell from malformed bytes. */
struct payload_memory {
    struct sl_arena *arena;
    bool exhausted;
};

static void *payload_alloc(void *data, size_t size)
{
    struct payload_memory *memory = data;
    void *ptr = sl_arena_alloc(memory->arena, size);
    memory->exhausted = memory->exhausted || ptr == NULL;
    return ptr;
}

static void payload_free(void *data, void *ptr)
{
    (void)data;
    (void)ptr; /* dies with the arena */
}

static enum sl_refusal payload_unpack(const ProtobufCMessageDescriptor *d, struct sl_bytes bytes,
                                      struct sl_arena *arena, ProtobufCMessage **out)
{
    struct payload_memory memory = { arena, false };
    ProtobufCAllocator allocator = { payload_alloc, payload_free, &memory };
    *out = protobuf_c_message_unpack(d, &allocator, bytes.len, bytes.ptr);
    if (memory.exhausted) {
        return SL_REFUSE_OUT_OF_MEMORY;
    }
    return *out == NULL ? SL_REFUSE_MALFORMED : SL_REFUSE_NONE;
}

enum sl_refusal sl_payload_decode(enum sl_msg_type type, struct sl_bytes bytes, const struct sl_wire_limits *limits,
                                  struct sl_arena *arena, const ProtobufCMessage **out)
{
    *out = NULL;
    const ProtobufCMessageDescriptor *d = sl__msg_descriptor(type);
    if (d == NULL) {
        return sl_msg_row((int32_t)type) == NULL ? SL_REFUSE_UNKNOWN_TYPE : SL_REFUSE_NOT_HANDLED;
    }
    if (bytes.len > limits->message_bytes_max) {
        return SL_REFUSE_OVERSIZED;
    }
    ProtobufCMessage *message = NULL;
    enum sl_refusal refusal = sl__scan(bytes, d, limits);
    if (refusal == SL_REFUSE_NONE) {
        refusal = payload_unpack(d, bytes, arena, &message);
    }
    if (refusal == SL_REFUSE_NONE) {
        refusal = sl__validate(message);
    }
    if (refusal == SL_REFUSE_NONE) {
        *out = message;
    }
    return refusal;
}

size_t sl_payload_size(enum sl_msg_type type, const ProtobufCMessage *message)
{
    SL_REQUIRE(message->descriptor == sl__msg_descriptor(type));
    return protobuf_c_message_get_packed_size(message);
}

size_t sl_payload_encode(enum sl_msg_type type, const ProtobufCMessage *message, uint8_t *out)
{
    SL_REQUIRE(message->descriptor == sl__msg_descriptor(type));
    return protobuf_c_message_pack(message, out);
}
