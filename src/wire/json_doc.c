/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/json_doc.h"

#include "wire/feed_config.h"
#include "wire/json_gate.h"

#include <limits.h>
#include <string.h>

struct json_object *sl__doc_parse(struct sl_secret json, size_t json_bytes_max, enum sl_refusal *refusal)
{
    struct sl_bytes text = sl_secret_reveal(json);
    *refusal = SL_REFUSE_BAD_CONFIG;
    if (text.len > INT_MAX || !sl__json_gate(text, (struct sl__json_limits){ json_bytes_max, SL_JSON_DEPTH_MAX })) {
        return NULL;
    }
    struct json_tokener *tokener = json_tokener_new_ex(SL_JSON_DEPTH_MAX + 1);
    if (tokener == NULL) {
        *refusal = SL_REFUSE_OUT_OF_MEMORY;
        return NULL;
    }
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    struct json_object *root = json_tokener_parse_ex(tokener, (const char *)text.ptr, (int)text.len);
    bool parsed =
        json_tokener_get_error(tokener) == json_tokener_success && json_object_is_type(root, json_type_object);
    json_tokener_free(tokener);
    if (!parsed) {
        json_object_put(root);
        return NULL;
    }
    *refusal = SL_REFUSE_NONE;
    return root;
}

struct json_object *sl__doc_get(struct json_object *object, const char *key)
{
    struct json_object *value = NULL;
    return json_object_object_get_ex(object, key, &value) ? value : NULL;
}

bool sl__doc_is_int(struct json_object *value)
{
    bool negative = json_object_get_int64(value) < 0;
    return json_object_is_type(value, json_type_int) && (negative || json_object_get_uint64(value) <= INT64_MAX);
}

bool sl__doc_is_uint(struct json_object *value)
{
    return json_object_is_type(value, json_type_int) && json_object_get_int64(value) >= 0;
}

bool sl__doc_is_text(struct json_object *value)
{
    return json_object_is_type(value, json_type_string) &&
           strlen(json_object_get_string(value)) == (size_t)json_object_get_string_len(value);
}

uint64_t sl__doc_u64(struct json_object *object, const char *key)
{
    struct json_object *value = sl__doc_get(object, key);
    return value == NULL ? 0 : json_object_get_uint64(value);
}

bool sl__doc_bool(struct json_object *object, const char *key)
{
    return json_object_get_boolean(sl__doc_get(object, key)) != 0;
}

const char *sl__doc_text(struct json_object *object, const char *key)
{
    struct json_object *value = sl__doc_get(object, key);
    return value == NULL ? "" : json_object_get_string(value);
}
