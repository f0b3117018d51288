/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/oracle_internal.h"

#include <inttypes.h>
#include <string.h>

/* The last checkpoint of this epoch; a new epoch takes the place of the oldest one. */
static sl_ts *oracle_said(struct sl_sim_oracle_feed *f, uint64_t epoch)
{
    for (uint32_t i = 0; i < SL_SIM_ORACLE_EPOCHS; i++) {
        if (f->said[i].epoch == epoch)
            return &f->said[i].checkpoint;
    }
    uint32_t slot = f->said_next++ % SL_SIM_ORACLE_EPOCHS;
    f->said[slot].epoch = epoch;
    f->said[slot].checkpoint = 0;
    return &f->said[slot].checkpoint;
}

void sl_sim_oracle_checkpoint(struct sl_sim_oracle *o, uint32_t feed, uint64_t maintainer_epoch, sl_ts checkpoint,
                              sl_ts durable, int64_t laggard)
{
    sl_sim_oracle_count(o, SL_SIM_ORACLE_CHECKPOINT);
    if (checkpoint > durable)
        sl_sim_oracle_fail(o, SL_SIM_ORACLE_CHECKPOINT,
                           "feed %" PRIu32 ": epoch %" PRIu64 " says checkpoint %" PRIu64 ", durable is %" PRIu64
                           " (table %" PRId64 ")",
                           feed, maintainer_epoch, checkpoint, durable, laggard);
    sl_ts *said = oracle_said(sl_sim_oracle_feed(o, feed), maintainer_epoch);
    if (checkpoint < *said)
        sl_sim_oracle_fail(o, SL_SIM_ORACLE_CHECKPOINT,
                           "feed %" PRIu32 ": epoch %" PRIu64 " went back from checkpoint %" PRIu64 " to %" PRIu64,
                           feed, maintainer_epoch, *said, checkpoint);
    *said = checkpoint;
}

void sl_sim_oracle_secret(struct sl_sim_oracle *o, struct sl_bytes bytes, const char *what)
{
    static const char canary[] = SL_SIM_CANARY;
    size_t len = sizeof canary - 1;
    sl_sim_oracle_count(o, SL_SIM_ORACLE_SECRET);
    const uint8_t *at = bytes.ptr, *end = bytes.ptr + bytes.len;
    while ((size_t)(end - at) >= len && (at = memchr(at, canary[0], (size_t)(end - at) - len + 1)) != NULL) {
        if (memcmp(at, canary, len) == 0) {
            sl_sim_oracle_fail(o, SL_SIM_ORACLE_SECRET, "the sink's password is in %s", what);
            return;
        }
        at++;
    }
}
