/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/spread.h"

#include "base/hash.h"

#include <stdlib.h>

bool sl_spread_init(struct sl_spread *s, uint32_t lane_count)
{
    SL_REQUIRE(lane_count > 0);
    *s = (struct sl_spread){ .lane_count = lane_count, .table_counts = calloc(lane_count, sizeof(uint32_t)) };
    return s->table_counts != NULL;
}

void sl_spread_deinit(struct sl_spread *s)
{
    free(s->table_counts);
    s->table_counts = NULL;
}

static struct sl_spread_bucket *spread_bucket(struct sl_spread *s, int64_t table_id)
{
    return &s->buckets[sl_hash_mix((uint64_t)table_id) % SL_SPREAD_BUCKETS];
}

uint32_t sl_spread_take(struct sl_spread *s, int64_t table_id)
{
    struct sl_spread_bucket *b = spread_bucket(s, table_id);
    for (uint32_t i = 0; b->user_count == 0 && i < s->lane_count; i++) {
        if (i == 0 || s->table_counts[i] < s->table_counts[b->lane])
            b->lane = i;
    }
    b->user_count++;
    s->table_counts[b->lane] += table_id != 0;
    return b->lane;
}

void sl_spread_give_back(struct sl_spread *s, int64_t table_id)
{
    struct sl_spread_bucket *b = spread_bucket(s, table_id);
    SL_REQUIRE(b->user_count > 0);
    b->user_count--;
    s->table_counts[b->lane] -= table_id != 0;
}
