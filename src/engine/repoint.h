/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_ENGINE_REPOINT_H
#define SL_ENGINE_REPOINT_H

#include "port/sink.h"
#include "port/source.h"

/*
 * Moves what a sink holds of a stopped feed to another server with the source's data, so that the feed goes on there with no
 * row lost and none twice (docs/decisions/0009-repoint.md). Afterwards the feed has to be given the new source and checkpoint;
 * if that does not happen the sink refuses to go on with the old ones, and the same once more finishes it.
 */
#define SL_REPOINT_URI_MAX 4096u

struct sl_repoint_ask {
    const struct sl_source_driver *const *sources; /* as of a plane */
    const struct sl_sink_driver *const *sinks;
    const struct sl_feed_id *feed;
    struct sl_secret old_source, new_source, sink;
    sl_ts checkpoint;
    const sl_ts *ignored; /* transactions that are left out (filter.ignore_txn_start_ts) */
    uint32_t ignored_count;
    bool dry_run; /* all that can be checked is, and nothing is changed */
};

struct sl_repoint_result {
    char source[SL_REPOINT_URI_MAX + 1]; /* a secret: the URI to be stored */
    sl_ts checkpoint;
    char gtids[SL_GTIDS_LEN_MAX + 1]; /* of checkpoint */
    uint32_t spans, changes, copies;  /* moved ahead of the checkpoint; tables that will be copied again */
};

/* Blocks; any thread. False: *t says why, and with kind other than PASSING nothing was changed. */
SL_CHECKED bool sl_repoint(const struct sl_repoint_ask *ask, struct sl_repoint_result *out, struct sl_trouble *t);

#endif
