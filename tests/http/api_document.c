/* SPDX-License-Identifier: Apache-2.0 */
/* Prints the API's OpenAPI document for people: docs/api/openapi.json is this text. */
#include "app/version.h"
#include "edge/http/buf.h"
#include "edge/http/openapi.h"

#include <json-c/json.h>
#include <stdio.h>

int main(void)
{
    struct sl__buf b = { .bytes_max = 4u << 20 };
    bool ok = sl__buf_render(&b, sl_openapi_render, SL_VERSION_WIRE) && sl__buf_add(&b, "", 1);
    struct json_object *doc = ok ? json_tokener_parse(b.ptr) : NULL;
    const char *text =
        doc ? json_object_to_json_string_ext(doc, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE) : NULL;
    if (text)
        (void)puts(text);
    json_object_put(doc);
    sl__buf_deinit(&b);
    return text ? 0 : 1;
}
