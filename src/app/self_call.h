/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_APP_SELF_CALL_H
#define SL_APP_SELF_CALL_H

#include "base/secret.h"
#include "edge/http/api.h"

/*
 * A request of this process to its own HTTP API, over a socket pair: so the process uses the same call as everybody
 * else, forwarding to the owner included.
 */
struct sl_self_call;

/* status 0: no answer came. body: of the answer, valid during the call. Not from inside sl_self_call_open. */
typedef void sl_self_call_done(void *ctx, int status, struct sl_str body);

#define SL_SELF_CALL_CREDENTIALS_MAX 1024u

struct sl_self_call_opts {
    const char *method, *path;    /* words of ours */
    struct sl_str body;           /* JSON, or empty */
    struct sl_secret credentials; /* "NAME:PASSWORD"; empty: none */
};

/* Null without memory or sockets. opts need not live longer than the call of this function. */
struct sl_self_call *sl_self_call_open(uv_loop_t *loop, struct sl_api *api, const struct sl_self_call_opts *opts,
                                       sl_self_call_done *done, void *ctx);
/* done is not called any more. Null allowed. After done the call is gone by itself. */
void sl_self_call_close(struct sl_self_call *call);

#endif
