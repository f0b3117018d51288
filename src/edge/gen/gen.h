/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_GEN_GEN_H
#define SL_EDGE_GEN_GEN_H

#include "port/source.h"

/*
 * gen://?tables=N&rows_per_s=R[&seed=S][&keys=K][&payload=B][&epoch_ms=T][&limit=L]
 *
 * A source that is computed, for tests, benchmarks and first steps. Change i (from 0) has ts = i + 1 and is a pure
 * function of the URI and i, so every node can begin anywhere, and a checker knows what must have arrived:
 *
 *   round b = i / N, place p = i % N: every table has one change per round, in an order of its own per round
 *   table   = (p * stride + hash(seed, b)) mod N          tables have ids from 1: gen.t1, gen.t2, ...
 *   seq     = b + 1                                       the table's own count of changes, without a hole
 *   id      = (seq - 1) mod K                             insert, update, delete by turns for each id
 *   payload = B bytes of text made of (seed, table, seq)
 *
 * At wall-clock time t there are R * (t - T) changes, at most L. So nodes agree on "now" as well as their clocks do. With
 * R = 0 there are none, and ts is the number of milliseconds since T.
 */
struct sl_gen_opts {
    uint64_t tables;     /* 1 .. 16777215 */
    uint64_t rows_per_s; /* 0 .. 1e9 */
    uint64_t seed;
    uint64_t keys;     /* per table, 1 .. 1e12; default 1000 */
    uint64_t payload;  /* bytes, 0 .. 65535; default 32 */
    uint64_t epoch_ms; /* T, milliseconds since 1970; default 2025-01-01 */
    uint64_t limit;    /* L; default none */
    uint64_t stride;   /* derived: visits every table once per round */
};

/* False: unknown or malformed parameters; *t names the first. */
SL_CHECKED bool sl_gen_parse(struct sl_gen_opts *out, struct sl_secret uri, struct sl_trouble *t);

struct sl_gen_change {
    uint32_t table; /* index from 0 */
    uint64_t seq, id;
    enum sl_row_op op;
};
struct sl_gen_change sl_gen_change_at(const struct sl_gen_opts *o, uint64_t i);

/* How many changes there are (with R = 0: the ts) at a time in nanoseconds since 1970. */
uint64_t sl_gen_count_at(const struct sl_gen_opts *o, sl_ns wall_ns);

extern const struct sl_source_driver sl_gen_driver;

#endif
