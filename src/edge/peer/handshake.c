/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/peer/handshake.h"

#include "wire/json_out.h"

#include <json-c/json.h>
#include <string.h>

enum { HANDSHAKE_JSON_BYTES_MAX = 4096, HANDSHAKE_DEPTH_MAX = 8 };

size_t sl_handshake_format(enum sl_lane lane, int64_t unix_seconds, char out[SL_HANDSHAKE_BYTES_MAX])
{
    struct sl_text text;
    struct sl_json_out j;
    sl_text_init(&text, out, SL_HANDSHAKE_BYTES_MAX);
    sl_json_out_init(&j, &text);
    sl_json_open(&j, '{');
    sl_json_key(&j, "Version");
    sl_json_u64(&j, 1);
    sl_json_key(&j, "Timestamp");
    sl_json_u64(&j, unix_seconds < 0 ? 0 : (uint64_t)unix_seconds);
    sl_json_key(&j, "StreamType");
    sl_json_str(&j, lane == SL_LANE_COMMAND ? SL_STR("command") : SL_STR("event"));
    sl_json_close(&j, '}');
    SL_REQUIRE(sl_json_out_is_good(&j));
    return text.len;
}

static bool handshake_read(struct json_object *doc, enum sl_lane *lane)
{
    struct json_object *type = NULL;
    if (!json_object_is_type(doc, json_type_object)) {
        return false;
    }
    if (json_object_object_get_ex(doc, "StreamType", &type) && !json_object_is_type(type, json_type_string)) {
        return false;
    }
    bool is_command = type != NULL && strcmp(json_object_get_string(type), "command") == 0;
    *lane = is_command ? SL_LANE_COMMAND : SL_LANE_EVENT;
    return true;
}

bool sl_handshake_parse(struct sl_bytes payload, enum sl_lane *lane)
{
    if (payload.len == 0 || payload.len > HANDSHAKE_JSON_BYTES_MAX) {
        return false;
    }
    struct json_tokener *tokener = json_tokener_new_ex(HANDSHAKE_DEPTH_MAX);
    if (tokener == NULL) {
        return false;
    }
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    struct json_object *doc = json_tokener_parse_ex(tokener, (const char *)payload.ptr, (int)payload.len);
    bool is_good = json_tokener_get_error(tokener) == json_tokener_success && handshake_read(doc, lane);
    json_object_put(doc);
    json_tokener_free(tokener);
    return is_good;
}

bool sl_address_split(struct sl_str address, char *host, size_t cap, uint16_t *port)
{
    size_t colon = address.len;
    while (colon > 0 && address.ptr[colon - 1] != ':') {
        colon--;
    }
    if (colon == 0 || colon == address.len || address.len - colon > 5) {
        return false;
    }
    uint32_t number = 0;
    for (size_t i = colon; i < address.len; i++) {
        if (address.ptr[i] < '0' || address.ptr[i] > '9') {
            return false;
        }
        number = number * 10 + (uint32_t)(address.ptr[i] - '0');
    }
    struct sl_str name = { address.ptr, colon - 1 };
    bool has_brackets = name.len >= 2 && name.ptr[0] == '[' && name.ptr[name.len - 1] == ']';
    if (has_brackets) {
        name = (struct sl_str){ name.ptr + 1, name.len - 2 };
    }
    bool is_plain = has_brackets || name.len == 0 || memchr(name.ptr, ':', name.len) == NULL;
    if (name.len == 0 || name.len >= cap || !is_plain || number == 0 || number > UINT16_MAX ||
        memchr(name.ptr, '\0', name.len) != NULL) {
        return false;
    }
    memcpy(host, name.ptr, name.len);
    host[name.len] = '\0';
    *port = (uint16_t)number;
    return true;
}
