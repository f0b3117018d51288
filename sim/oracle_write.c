/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/oracle_internal.h"

#include <inttypes.h>

static const char *oracle_writer_name(enum sl_sim_writer_state state)
{
    switch (state) {
    case SL_SIM_WRITER_NONE:
        return "none";
    case SL_SIM_WRITER_STOPPED:
        return "stopped";
    case SL_SIM_WRITER_FENCED:
        return "fenced";
    case SL_SIM_WRITER_DEAD:
        return "dead";
    case SL_SIM_WRITER_UNLEASED:
        return "without lease";
    case SL_SIM_WRITER_RUNNING:
        return "running";
    }
    SL_UNREACHABLE();
}

/* Orders of or to a peer without extensions carry no sequence: then the epochs decide, and who gave an order last. */
static int oracle_order(const struct sl_sim_oracle *o, const struct sl_sim_claim *c)
{
    uint64_t now = c->placement.maintainer_epoch, before = c->previous_placement.maintainer_epoch;
    bool has_no_sequence = o->has_foreign && (c->placement.seq == 0 || c->previous_placement.seq == 0);
    if (!has_no_sequence)
        return sl_placement_cmp(c->placement, c->previous_placement);
    return now < before ? -1 : 1;
}

/*
 * A smaller placement is refused by the sink, so it does no harm; but only a process without a lease may come to that
 * point, because the control plane fences everybody else before.
 */
static bool oracle_judge_placement(struct sl_sim_oracle *o, const struct sl_sim_claim *c)
{
    sl_sim_oracle_count(o, SL_SIM_ORACLE_WRITER);
    int order = oracle_order(o, c);
    /* A Create that is sent again finds a new process under the old id: the placement is the node's, and it has one. */
    bool is_heir = order == 0 && c->is_same_node && c->process != c->previous_process;
    /* A table trigger that failed is made again in its place, as long as its maintainer is the same. */
    bool is_again =
        order == 0 && c->table_id == 0 && c->process == c->previous_process && c->previous == SL_SIM_WRITER_STOPPED;
    if (c->previous == SL_SIM_WRITER_NONE || order > 0 || is_heir || is_again)
        return true;
    if (order == 0)
        sl_sim_oracle_fail(o, SL_SIM_ORACLE_WRITER,
                           "feed %" PRIu32 " table %" PRId64 ": processes %" PRIu32 " and %" PRIu32
                           " both write at placement (%" PRIu64 ", %" PRIu64 ")",
                           c->feed, c->table_id, c->previous_process, c->process, c->placement.maintainer_epoch,
                           c->placement.seq);
    else if (c->is_leased)
        sl_sim_oracle_fail(o, SL_SIM_ORACLE_WRITER,
                           "feed %" PRIu32 " table %" PRId64 ": process %" PRIu32 " wants to write at (%" PRIu64
                           ", %" PRIu64 ") after process %" PRIu32 " wrote at (%" PRIu64 ", %" PRIu64 ")",
                           c->feed, c->table_id, c->process, c->placement.maintainer_epoch, c->placement.seq,
                           c->previous_process, c->previous_placement.maintainer_epoch, c->previous_placement.seq);
    return false;
}

static void oracle_judge_handover(struct sl_sim_oracle *o, const struct sl_sim_claim *c)
{
    sl_sim_oracle_count(o, SL_SIM_ORACLE_HANDOVER);
    if (c->previous == SL_SIM_WRITER_RUNNING)
        sl_sim_oracle_fail(o, SL_SIM_ORACLE_HANDOVER,
                           "feed %" PRIu32 " table %" PRId64 ": process %" PRIu32
                           " begins to write while the dispatcher of process %" PRIu32 " is %s",
                           c->feed, c->table_id, c->process, c->previous_process, oracle_writer_name(c->previous));
}

/* As for the checkpoint, a table that was dropped does not count: the table trigger has waited for its last rows. */
static void oracle_judge_start(struct sl_sim_oracle *o, const struct sl_sim_claim *c)
{
    sl_sim_oracle_count(o, SL_SIM_ORACLE_HOLE);
    if (c->start_ts > c->durable && !c->is_retired)
        sl_sim_oracle_fail(o, SL_SIM_ORACLE_HOLE,
                           "feed %" PRIu32 " table %" PRId64 ": process %" PRIu32 " starts at %" PRIu64
                           " but only %" PRIu64 " is durable; %" PRIu64 " would be lost",
                           c->feed, c->table_id, c->process, c->start_ts, c->durable, c->start_ts - c->durable);
}

bool sl_sim_oracle_claim(struct sl_sim_oracle *o, const struct sl_sim_claim *c)
{
    if (!oracle_judge_placement(o, c))
        return false;
    oracle_judge_handover(o, c);
    oracle_judge_start(o, c);
    return true;
}
