/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_HTTP_STREAM_H
#define SL_EDGE_HTTP_STREAM_H

#include "edge/http/api_internal.h"

/*
 * Server-sent events of a drain. The answer of such a call has no end of its own: MHD asks for bytes when the client can
 * take some; while there are none its connection is suspended, and new ones resume it.
 *
 *   event: drain    data: the drain as GET shows it, when something of it changed and every few seconds
 *   event: end      data: likewise; the drain is over, the stream ends
 *   event: error    data: {error_code, error_msg, remedy}; the stream ends
 *
 * All watchers of this node share one list of drains, asked of the core at most every 200 ms. A client that does not
 * read gets the latest state when it does: what it missed is not kept. A relay passes on what another node streams; if
 * its client does not read, the other node is left to find out (its buffer is bounded, then the stream ends).
 */

/* Makes the call's answer a stream about the drain with exactly this id. */
void sl__stream_start(struct sl__call *c, const char *drain_id);
/* Its call ends. */
void sl__stream_detach(struct sl__stream *s);
void sl__stream_tick(struct sl_api *api, sl_ns now);
void sl__streams_end(struct sl_api *api);

/* A stream whose bytes come from another node; null: too many. */
struct sl__stream *sl__stream_relay(struct sl__call *c);
/* False: its client does not read; the relay is to be ended. */
SL_CHECKED bool sl__stream_relay_bytes(struct sl__stream *s, const char *bytes, size_t len);
void sl__stream_relay_end(struct sl__stream *s);

/* A list of drains came, from whoever asked. */
void sl__stream_show(struct sl_api *api, const struct sl_reply *reply);

#endif
