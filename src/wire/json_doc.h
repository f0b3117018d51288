/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_WIRE_JSON_DOC_H
#define SL_WIRE_JSON_DOC_H

#include "base/secret.h"
#include "wire/message.h"

#include <json-c/json.h>

/*
 * How src/wire reads JSON: behind the gate (json_gate.h), strictly, integers exact up to 2^64-1. Internal to src/wire.
 * json-c's heap lives only between parse and json_object_put.
 */

/*
 * The document's tree, owned by the caller, or a null pointer with *refusal set (BAD_CONFIG, OUT_OF_MEMORY). Of a key
 * that comes twice the last one counts.
 */
struct json_object *sl__doc_parse(struct sl_secret json, size_t json_bytes_max, enum sl_refusal *refusal);

/* The value of a key, borrowed; a null pointer if it is absent or null. */
struct json_object *sl__doc_get(struct json_object *object, const char *key);

/* Whether value (null allowed: no) has this kind. */
bool sl__doc_is_int(struct json_object *value);  /* fits int64_t */
bool sl__doc_is_uint(struct json_object *value); /* fits uint64_t */
bool sl__doc_is_text(struct json_object *value); /* without NUL: it would be cut wherever it is used as a C string */

/* Of a key whose value has the kind; absent or null reads as zero, as in the reference. */
uint64_t sl__doc_u64(struct json_object *object, const char *key);
bool sl__doc_bool(struct json_object *object, const char *key);
const char *sl__doc_text(struct json_object *object, const char *key);

#endif
