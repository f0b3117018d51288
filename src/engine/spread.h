/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_ENGINE_SPREAD_H
#define SL_ENGINE_SPREAD_H

#include "base/check.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Which lane of a feed writes a table: the one with the fewest tables when the first user of the table's bucket comes. As
 * long as a user of the bucket is left the lane stays, so that what is in flight for a table is in one lane (port/sink.h
 * K1). Not for several threads.
 */
#define SL_SPREAD_BUCKETS 256u

struct sl_spread {
    uint32_t lane_count;
    uint32_t *table_counts; /* per lane, of users */
    struct sl_spread_bucket {
        uint32_t user_count, lane;
    } buckets[SL_SPREAD_BUCKETS]; /* by table id */
};

/* False without memory. To be deinitialised in any case. */
SL_CHECKED bool sl_spread_init(struct sl_spread *s, uint32_t lane_count);
void sl_spread_deinit(struct sl_spread *s);

/* The lane of one more user of this table. Id 0, the table trigger, has no rows and makes no lane fuller. */
uint32_t sl_spread_take(struct sl_spread *s, int64_t table_id);
void sl_spread_give_back(struct sl_spread *s, int64_t table_id);

#endif
