/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_HTTP_OPENAPI_H
#define SL_EDGE_HTTP_OPENAPI_H

#include "wire/json_out.h"

#include <stdbool.h>

/*
 * The API as an OpenAPI 3.1 document, made from routes.def and schemas.def; docs/api/openapi.json is the same text.
 * version = NUL-terminated text, as const void * to be a function of sl__buf_render.
 */
void sl_openapi_render(struct sl_json_out *j, const void *version);

/* Whether an object of that schema (a name of schemas.def) may have the member; of Anything, every one. */
bool sl_openapi_has_member(const char *schema, const char *member);

#endif
