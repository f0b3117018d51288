/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_HTTP_PROBE_H
#define SL_EDGE_HTTP_PROBE_H

#include "edge/http/api_internal.h"
#include "engine/repoint.h"

/*
 * Looks at a source before a feed is made of it: are the URIs ones that drivers take, where does the source's log end
 * now, which tables are there. Drivers block, so this runs in libuv's pool, a few at a time; the call waits.
 */
enum { SL__PROBE_TABLES_MAX = 100000, SL__PROBE_IGNORED_MAX = 4096 };

/* A stopped feed is moved to the probe's source (engine/repoint.h). */
struct sl__probe_repoint {
    struct sl_feed_id feed;
    struct sl__buf old_source;
    sl_ts checkpoint;
    sl_ts ignored[SL__PROBE_IGNORED_MAX];
    uint32_t ignored_count;
    bool dry_run;
    struct sl_repoint_result result;
};

struct sl__probe {
    struct sl__buf source, sink; /* URIs, owned; sink may be empty */
    sl_ts ts;                    /* tables as of it; 0: now */
    bool wants_head, wants_tables;
    bool wants_copy;  /* the feed is to begin with the rows that are there */
    bool is_for_feed; /* a feed is about to be made with the sink, or to get it: sink becomes what is to be stored */
    /* the sink is asked to have a table copied again */
    bool asks_copy;
    struct sl_feed_id copy_feed;
    char copy_table[2 * 256 + 2];      /* "schema.table", as the source has it */
    struct sl__probe_repoint *repoint; /* or null; owned */
    /* the outcome */
    struct sl_trouble trouble; /* kind NONE: fine */
    bool is_sink;              /* the sink is what is wrong */
    sl_ts head;
    struct sl__buf tables;                /* JSON: objects of the tables, joined by commas */
    struct sl__buf with_key, without_key; /* likewise, of those that have a primary key, and of the others */
    uint32_t table_count;
};

/* Of the call; then is called when it is done, unless the call has ended. The probe is valid during it. */
typedef void sl__probe_done(struct sl__call *c, struct sl__probe *probe);
void sl__probe_start(struct sl__call *c, struct sl__probe *probe, sl__probe_done *then);
/* Of one that is not started: frees what it owns. */
void sl__probe_deinit(struct sl__probe *p);
/* Views of URIs are copied. False: no memory. */
SL_CHECKED bool sl__probe_init(struct sl__probe *p, struct sl_str source, struct sl_str sink);

#endif
