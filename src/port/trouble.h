/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_PORT_TROUBLE_H
#define SL_PORT_TROUBLE_H

#include "base/err.h"

/*
 * Why a source or a sink could not do something: what the engine needs to decide, and what an operator needs to read.
 * Lives in the caller. Never holds a secret: no URI, no value of a row.
 */
enum sl_trouble_kind {
    SL_TROUBLE_NONE,
    SL_TROUBLE_PASSING, /* the same again may work: not reachable, deadlock, full. The engine waits and repeats */
    SL_TROUBLE_LASTING, /* it will not without an operator: refused settings, purged log, a table that does not fit */
    SL_TROUBLE_STALE,   /* a larger placement owns the span: stop it, silently */
    SL_TROUBLE_ENDED,   /* interrupted by the engine itself */
};

struct sl_trouble {
    enum sl_trouble_kind kind;
    char code[32];    /* of docs/errors.md style: SINK_UNREACHABLE */
    char detail[200]; /* one line of printable text, what happened */
    char remedy[200]; /* one line, what to do about it; may be empty */
    int64_t table_id; /* the table that is at fault, or 0 if it is not one table */
};

/*
 * Fills *t (texts are cut, control characters become '?'; table_id becomes 0 and is set afterwards) and returns false, so
 * that "return sl_trouble_set(...)" reads well in functions that are true on success.
 */
bool sl_trouble_set(struct sl_trouble *t, enum sl_trouble_kind kind, const char *code, const char *remedy,
                    const char *detail, ...) SL_PRINTF(5, 6);

#endif
