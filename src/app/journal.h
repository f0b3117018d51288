/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_APP_JOURNAL_H
#define SL_APP_JOURNAL_H

#include "app/exits.h"
#include "app/params.h"

#include <stdio.h>

/*
 * A file with everything that happened to the core of a node: what it was made from, each input with its time, and after
 * each a number that stands for what came out. So any run can be run again, offline, step by step.
 *
 * The file: 8 bytes of magic with a version, then records of {length u32, checksum u32, kind u8, payload}:
 *   NODE   the parameters; first, once
 *   STEP   now, input
 *   DONE   digest of the outputs; follows its STEP
 *
 * A STEP is written before the step is made: after an abort the file ends with the input that caused it. Written to the
 * system with each step, not to the disk: it survives the end of the process, not that of the machine. One run is one
 * file. It is readable by its owner alone, because inputs hold URIs with passwords.
 */
struct sl_journal;

/*
 * Begins a new file; the ones of the last three runs are kept as path.1, path.2, path.3. bytes_max: recording stops
 * there. False: c says why.
 */
bool sl_journal_open(struct sl_journal **out, const char *path, uint64_t bytes_max, const struct sl_params *p,
                     struct sl_complaint *c);
void sl_journal_close(struct sl_journal *j); /* null allowed */

/* input: as sl_input_encode gives it. */
void sl_journal_step(struct sl_journal *j, sl_ns now, struct sl_bytes input);
void sl_journal_done(struct sl_journal *j, uint64_t digest);

/* Why recording stopped, once; null: it goes on, or was said already. Static. */
const char *sl_journal_take_end(struct sl_journal *j);

/* ---- reading ---- */

enum sl_journal_kind { SL_JOURNAL_NODE = 1, SL_JOURNAL_STEP, SL_JOURNAL_DONE };

struct sl_journal_record {
    enum sl_journal_kind kind;
    struct sl_params params;
    sl_ns now;
    struct sl_bytes input; /* valid until the next read */
    uint64_t digest;
};

struct sl_journal_reader;
bool sl_journal_reader_open(struct sl_journal_reader **out, const char *path, struct sl_complaint *c);
void sl_journal_reader_close(struct sl_journal_reader *r); /* null allowed */

enum sl_journal_next {
    SL_JOURNAL_RECORD,  /* *out is filled */
    SL_JOURNAL_END,     /* nothing follows */
    SL_JOURNAL_CUT,     /* the last record is not whole: the process ended while it wrote */
    SL_JOURNAL_DAMAGED, /* a record that nobody wrote like this */
};
enum sl_journal_next sl_journal_reader_next(struct sl_journal_reader *r, struct sl_journal_record *out);

/*
 * Makes the node again and runs all inputs through it. Says on out what it found, in one line, or the first difference.
 * STOPPED: the same outputs to the end.
 */
enum sl_exit sl_replay(const char *path, FILE *out, struct sl_complaint *c);

#endif
