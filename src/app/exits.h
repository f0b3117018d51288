/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_APP_EXITS_H
#define SL_APP_EXITS_H

#include "base/check.h"

/*
 * Why sluiced ended, as its exit status: number, name, meaning. A supervisor starts it again after FENCED, STORE and
 * FAILED; after USAGE, CONFIG, ADDRESS and FILES somebody has to change something first.
 */
#define SL_EXITS(X)                                                                              \
    X(0, STOPPED, "stopped as asked, after it left the cluster")                                 \
    X(1, FAILED, "something else; the last line says what")                                      \
    X(2, USAGE, "an option that is not known, or a value that is not understood")                \
    X(3, CONFIG, "the configuration file cannot be used, or options do not fit together")        \
    X(4, ADDRESS, "the address cannot be listened on: in use, not of this machine, not allowed") \
    X(5, FILES, "a file or folder cannot be used: permissions, no room, not there")              \
    X(6, STORE, "the metadata store cannot be opened or reached")                                \
    X(7, CUT_SHORT, "stopped by a second signal, without waiting for the end of the drain")      \
    X(8, FENCED, "the node lost its lease and stopped all work; start it again")                 \
    X(9, REPLAY, "a replay gave other outputs than the journal, or the journal cannot be read to its end")

enum sl_exit {
#define SL_EXIT_ENUM(number, name, text) SL_EXIT_##name = (number),
    SL_EXITS(SL_EXIT_ENUM)
#undef SL_EXIT_ENUM
};

/* What went wrong before there is a log, in one line that says what to do. Holds no secret. */
struct sl_complaint {
    enum sl_exit exit;
    char text[512];
};

/* Fills c and returns false. The text is cut, never overrun; control characters become '?'. */
bool sl_complain(struct sl_complaint *c, enum sl_exit why, const char *fmt, ...) SL_PRINTF(3, 4);

/*
 * There is no memory for what may not be lost: ends the process at once with FAILED and a line on standard error, as if it
 * had been killed. Others take its work over when its lease ends. what: static. Any thread.
 */
_Noreturn void sl_exit_no_memory(const char *what);

#endif
