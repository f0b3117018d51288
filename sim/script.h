/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_SIM_SCRIPT_H
#define SL_SIM_SCRIPT_H

#include "sim/buffer.h"
#include "sim/progress.h"

/*
 * Scenarios that read like prose: a line is a command, a comment ("#"), blank, or an expected line of output ("|").
 * Running a script gives it again with the output as it is now below each command; equal to the file means the scenario
 * still tells the same story. Commands are listed in docs/simulator.md and by --help-script. Epochs are times in
 * nanoseconds: a story names them #1, #2, ... in the order in which it first shows them.
 */
#define SL_SIM_SCRIPT_EPOCHS_MAX 64u
struct sl_sim_script {
    struct sl_sim sim;
    struct sl_sim_opts opts; /* for the cluster to be made */
    bool has_cluster;
    bool drained_stay;                         /* the operator does not stop who is safe to stop */
    struct sl_sim_buffer text;                 /* the script with its output so far */
    struct sl_sim_buffer output;               /* of the present command, without "| " */
    uint64_t epochs[SL_SIM_SCRIPT_EPOCHS_MAX]; /* #1 is the first */
    uint32_t epoch_count;
    uint64_t events_shown; /* number of the first event not shown yet */
    uint32_t failures;     /* expectations that did not hold, commands that could not be done */
};

/* One per process is enough; it is large, so it lives on the heap. opts: seed and trace are taken from it. */
struct sl_sim_script *sl_sim_script_new(const struct sl_sim_opts *opts);
void sl_sim_script_free(struct sl_sim_script *s);

/* Runs the text. False: a violation, an expectation that failed, or a line that is no command; s->text says where. */
bool sl_sim_script_run(struct sl_sim_script *s, struct sl_str source);

/* Every command with its words and meaning, one per line. */
void sl_sim_script_help(struct sl_sim_buffer *out);

/* Adds the lines in which two texts differ, as "-expected" and "+actual" with line numbers. True if they are equal. */
bool sl_sim_script_diff(struct sl_str expected, struct sl_str actual, struct sl_sim_buffer *out);

#endif
