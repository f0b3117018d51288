/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/oracle_internal.h"

#include <inttypes.h>

/* Told of the breach alone: whoever writes rows asks the sink's list of changes first. */
void sl_sim_oracle_rows(struct sl_sim_oracle *o, uint32_t feed, int64_t table_id, sl_ts to, sl_ts ts)
{
    sl_sim_oracle_count(o, SL_SIM_ORACLE_SCHEMA);
    sl_sim_oracle_fail(o, SL_SIM_ORACLE_SCHEMA,
                       "feed %" PRIu32 " table %" PRId64 ": rows up to %" PRIu64
                       " are written, but the schema change of %" PRIu64 " was not performed",
                       feed, table_id, to, ts);
}

void sl_sim_oracle_begins(struct sl_sim_oracle *o, uint32_t feed, sl_ts ts, int64_t table_id, sl_ts durable)
{
    sl_sim_oracle_count(o, SL_SIM_ORACLE_SCHEMA);
    if (durable < ts - 1)
        sl_sim_oracle_fail(o, SL_SIM_ORACLE_SCHEMA,
                           "feed %" PRIu32 ": the schema change of %" PRIu64 " is performed, but of table %" PRId64
                           " only rows up to %" PRIu64 " are durable",
                           feed, ts, table_id, durable);
}

void sl_sim_oracle_performed(struct sl_sim_oracle *o, uint32_t feed, sl_ts ts, uint32_t times, sl_ts missing)
{
    sl_sim_oracle_count(o, SL_SIM_ORACLE_ONCE);
    if (times > 1)
        sl_sim_oracle_fail(o, SL_SIM_ORACLE_ONCE,
                           "feed %" PRIu32 ": the schema change of %" PRIu64 " is performed for the %" PRIu32 ". time",
                           feed, ts, times);
    if (missing != SL_TS_NONE)
        sl_sim_oracle_fail(o, SL_SIM_ORACLE_ONCE,
                           "feed %" PRIu32 ": the schema change of %" PRIu64 " is performed before that of %" PRIu64,
                           feed, ts, missing);
}

void sl_sim_oracle_covers(struct sl_sim_oracle *o, uint32_t feed, sl_ts checkpoint, sl_ts first_open)
{
    if (checkpoint >= first_open)
        sl_sim_oracle_fail(o, SL_SIM_ORACLE_CHECKPOINT,
                           "feed %" PRIu32 ": checkpoint %" PRIu64 " covers the schema change of %" PRIu64
                           ", which was not performed",
                           feed, checkpoint, first_open);
}
