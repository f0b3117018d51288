/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_ENGINE_PLANE_H
#define SL_ENGINE_PLANE_H

#include "core/common/input.h"
#include "port/sink.h"
#include "port/source.h"

/*
 * The data plane of one node: performs the commands of the core and answers with reports, as core/common/data_plane.h
 * says. All functions are called in the loop thread; nothing here blocks. Rows flow in threads of the plane's own:
 *
 *   source --> reader --> (fan-out by table id) --> queues --> workers --> sink        one reader per source and
 *                 |            only to dispatchers that live here      |               filter, workers per feed
 *                 +-- window of recent batches --> dispatchers that start behind
 *
 * What the threads have to say waits until sl_plane_poll, which the loop calls after client.wake.
 */
struct sl_plane_client {
    void *ctx;
    /* In the loop thread, from inside sl_plane_poll only; may call sl_plane_perform and sl_plane_load_schema. */
    void (*on_report)(void *ctx, const struct sl_report *report);
    void (*on_schema)(void *ctx, const struct sl_in_schema *schema);
    /* Answer to sl_plane_load_head; ts is SL_TS_NONE if code is not SL_OK. */
    void (*on_head)(void *ctx, uint64_t request, enum sl_code code, sl_ts ts, const struct sl_trouble *t);
    /* Something an operator should read: a source that is not reachable and tried again, a slow dispatcher detached. */
    void (*on_note)(void *ctx, const struct sl_feed_id *feed, const struct sl_trouble *t);
    /* Any thread, the loop thread included: sl_plane_poll is to be called soon. Must not call the plane itself. */
    void (*wake)(void *ctx);
};

struct sl_plane_opts {
    const struct sl_source_driver *const *sources; /* each list ends in null; static */
    const struct sl_sink_driver *const *sinks;
    uint32_t feed_count_max, dispatcher_count_max;
    uint32_t workers_per_feed;
    uint32_t catch_up_count_max; /* readers per source besides the shared one */
    size_t window_bytes_max;     /* recent batches kept per source, for dispatchers that start a little behind */
    size_t queue_bytes_max;      /* per reader: read and not durable; beyond it the reader waits */
    size_t batch_bytes_max;      /* of one read */
    uint32_t
        commit_rows_max; /* of one transaction at the sink: it takes what waits, so it is small when there is no lag */
    sl_ns progress_ns;   /* between reports of progress */
    uint32_t copy_count_max; /* tables of a source that are copied at once */
    size_t copy_bytes_max;   /* of a chunk of a copy, about */
    sl_ns copy_poll_ns;      /* between questions to a sink which tables are to be copied again */
    sl_ns retry_ns,
        retry_ns_max; /* wait after a passing trouble: first, then doubled up to the most, by which a table may
                                     be late when it is over */
    sl_ns give_up_ns; /* a sink that has been in trouble for this long fails its dispatchers */
    sl_ns slow_ns;    /* the shared reader waits so long for one worker while others have nothing to do;
                                     then that one's dispatchers go on by themselves */
    /*
     * Until when the node may write, on CLOCK_BOOTTIME: its lease as the core believes in it. A process that was stopped
     * does not commit what it had begun before its core notices. Null: no limit. Outlives the plane.
     */
    const _Atomic sl_ns *lease_until;
    bool is_manual; /* tests: no clock thread; time passes by sl_plane_poll alone */
};
#define SL_PLANE_OPTS_DEFAULT                                 \
    ((struct sl_plane_opts){ .feed_count_max = 4096,          \
                             .dispatcher_count_max = 2000000, \
                             .workers_per_feed = 2,           \
                             .catch_up_count_max = 4,         \
                             .window_bytes_max = 64u << 20,   \
                             .queue_bytes_max = 64u << 20,    \
                             .batch_bytes_max = 256u << 10,   \
                             .commit_rows_max = 32768,        \
                             .copy_count_max = 2,             \
                             .copy_bytes_max = 8u << 20,      \
                             .copy_poll_ns = 2 * SL_S,        \
                             .progress_ns = 50 * SL_MS,       \
                             .retry_ns = 20 * SL_MS,          \
                             .retry_ns_max = 500 * SL_MS,     \
                             .give_up_ns = 60 * SL_S,         \
                             .slow_ns = 200 * SL_MS })

struct sl_plane;

/* Starts the plane's own threads. SL_NOMEM: nothing was started. opts and client are copied. */
SL_CHECKED enum sl_code sl_plane_open(struct sl_plane **out, const struct sl_plane_opts *opts,
                                      const struct sl_plane_client *client);

/* Copies what it needs. What cannot be done is reported (FEED_FAILED, FAILED), never returned. */
void sl_plane_perform(struct sl_plane *p, const struct sl_command *c);

/*
 * Asks for the tables of a source at ts; answered once by on_schema with the same feed and request. SL_NOMEM, SL_LIMIT
 * (too many are asked already): no answer will come.
 */
struct sl_plane_schema_load {
    struct sl_feed_id feed;
    uint64_t request;
    sl_ts ts;
    struct sl_secret source, config; /* valid during the call */
};
SL_CHECKED enum sl_code sl_plane_load_schema(struct sl_plane *p, const struct sl_plane_schema_load *load);

/* Asks a source for its ts of now; answered once by on_head. Errors as above. */
SL_CHECKED enum sl_code sl_plane_load_head(struct sl_plane *p, uint64_t request, struct sl_secret source);

/* The text of a source's or sink's URI, before a feed is made. Any thread. */
SL_CHECKED bool sl_plane_check_source(const struct sl_plane *p, struct sl_secret uri, struct sl_trouble *t);
SL_CHECKED bool sl_plane_check_sink(const struct sl_plane *p, struct sl_secret uri, struct sl_trouble *t);

/* Delivers everything that waits. */
void sl_plane_poll(struct sl_plane *p);

/* Drops everything without flushing, ends all threads (waits for calls in flight that cannot be interrupted), frees. */
void sl_plane_close(struct sl_plane *p);

/* For metrics; a snapshot. */
struct sl_plane_stats {
    uint32_t feeds, dispatchers, followers, readers;
    uint64_t rows_read, rows_durable, rows_unflushed, bytes_queued;
    uint32_t copying;     /* dispatchers whose table is copied */
    uint64_t rows_copied; /* ever */
    uint64_t detached;    /* dispatchers taken off the shared reader because they were slow, ever */
};
void sl_plane_stats(struct sl_plane *p, struct sl_plane_stats *out);

#endif
