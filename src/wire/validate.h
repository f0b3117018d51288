/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_WIRE_VALIDATE_H
#define SL_WIRE_VALIDATE_H

#include "wire/message.h"

/*
 * What protobuf-c does not check. Internal to src/wire. Two passes around its decoder:
 *
 *   sl__scan       over the bytes, before: structure, enum values, text. Must see the bytes, because protobuf-c turns
 *                  strings into NUL-terminated ones, where "a\0b" reads as "a".
 *   sl__validate   over the decoded message, after: required sub-messages, ids, what depends on several fields.
 *
 * Both follow the schema downwards. No message of proto/ contains itself, so their recursion is as deep as the schema.
 */
SL_CHECKED enum sl_refusal sl__scan(struct sl_bytes bytes, const ProtobufCMessageDescriptor *descriptor,
                                    const struct sl_wire_limits *limits);

/* Also forgets the unknown fields that protobuf-c kept, so that they are never sent on. */
SL_CHECKED enum sl_refusal sl__validate(ProtobufCMessage *message);

/* The protobuf message of a type; a null pointer if its payload kind is not PB. */
const ProtobufCMessageDescriptor *sl__msg_descriptor(enum sl_msg_type type);

#endif
