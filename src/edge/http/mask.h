/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_HTTP_MASK_H
#define SL_EDGE_HTTP_MASK_H

#include "base/secret.h"
#include "edge/http/buf.h"

/*
 * What may be shown of a URI: everything but the password between ':' and '@', and the values of parameters whose name
 * says that they are secret. Both become "xxxxx" (reference behaviour for sink_uri). Appends to out; false: no room.
 *
 *     mysql://app:hunter2@db:3306/?sasl-password=x&worker-count=4
 *     mysql://app:xxxxx@db:3306/?sasl-password=xxxxx&worker-count=4
 */
SL_CHECKED bool sl__mask_uri(struct sl__buf *out, struct sl_secret uri);

/* Whether the value under this key of a configuration (or parameter of a URI) is a secret: "password", "sas-token" ... */
bool sl__mask_is_secret_key(struct sl_str key);

/* Whether masking it gives shown: who sends back what we showed means "as it is". */
bool sl__mask_equals(struct sl_secret uri, struct sl_str shown);

#endif
