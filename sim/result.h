/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_SIM_RESULT_H
#define SL_SIM_RESULT_H

#include "sim/buffer.h"
#include "sim/plan.h"

/* What one run came to, as a value: it travels over pipes between processes. */
struct sl_sim_result {
    uint64_t seed, digest, event_count, message_count, lost_count, copy_count, move_count;
    uint64_t drains_asked, drains_done, drains_safe;
    uint64_t drains_begun, drains_ended; /* in the store */
    sl_ns simulated_ns, cpu_ns;          /* virtual time; processor time of the whole run */
    sl_ns drain_ns, drain_cpu_ns;        /* of the first drain, from asking to safe; 0 if it was not measured */
    uint64_t drain_rounds;               /* waves of moves: one ends when what was in flight at its start has arrived */
    uint64_t dispatcher_count;           /* tables that should run at the end */
    uint64_t maintainer_bytes_peak, control_bytes_peak; /* without and with the dispatchers */
    uint64_t action_counts[SL_SIM_ACTION_COUNT], check_counts[SL_SIM_ORACLE_COUNT];
    uint64_t knob_counts[SL_SIM_KNOB_COUNT];
    uint64_t claim_count, refusal_count; /* writers accepted and refused by the sink */
    bool has_failed;                     /* a violation, or a script that did not go as written */
    sl_ns failed_at;
    char oracle[16], text[320];
};

/* Takes everything but the times from a run that has ended. */
void sl_sim_result_take(struct sl_sim_result *r, const struct sl_sim *sim);

/* One line for people; one object for programs. repeat: the command that does this run again. */
void sl_sim_result_print(const struct sl_sim_result *r, const char *scenario, const char *repeat);
void sl_sim_result_print_json(const struct sl_sim_result *r, const char *scenario, const char *repeat);

/* Sums over many runs, by kind of fault. */
struct sl_sim_tally_row {
    uint64_t runs, faults, begun, ended, moves, failures; /* of the runs in which it happened */
};
struct sl_sim_tally {
    uint64_t run_count, failure_count, event_count;
    sl_ns cpu_ns, simulated_ns, wall_ns;
    struct sl_sim_tally_row actions[SL_SIM_ACTION_COUNT], knobs[SL_SIM_KNOB_COUNT], all;
};
void sl_sim_tally_add(struct sl_sim_tally *t, const struct sl_sim_result *r);
void sl_sim_tally_print(const struct sl_sim_tally *t, const char *scenario);

#endif
