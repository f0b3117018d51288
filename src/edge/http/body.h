/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_HTTP_BODY_H
#define SL_EDGE_HTTP_BODY_H

#include "edge/http/api_internal.h"
#include "wire/json_doc.h"

/*
 * Members of a request's body, by kind. Each gives false if the member is there and of another kind; absent and null
 * read as empty, 0 or false. Views live as long as the call.
 */
SL_CHECKED bool sl__body_text(const struct sl__call *c, const char *key, struct sl_str *out);
SL_CHECKED bool sl__body_bool(const struct sl__call *c, const char *key, bool *out);
SL_CHECKED bool sl__body_u64(const struct sl__call *c, const char *key, uint64_t *out);
/* A time: key as a text ("10m"), or key_ms as a number. */
SL_CHECKED bool sl__body_time(const struct sl__call *c, const char *key, const char *key_ms, uint64_t *ms);
bool sl__body_has(const struct sl__call *c, const char *key); /* there and not null */

/* Why, for the audit log. */
void sl__call_because(struct sl__call *c, struct sl_str reason);

/*
 * Appends a value of the metadata store as it may be shown: of JSON every secret masked, of other text nothing hidden
 * but the passwords of URIs. False: neither JSON nor text, or no room.
 */
SL_CHECKED bool sl__body_mask(struct sl__buf *out, struct sl_secret value);

/* A JSON value as it may be shown: members with secret names and passwords of URIs masked. key = its own name. */
void sl__json_masked(struct sl_json_out *j, struct json_object *value, const char *key, bool underscores);

#endif
