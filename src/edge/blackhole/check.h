/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_BLACKHOLE_CHECK_H
#define SL_EDGE_BLACKHOLE_CHECK_H

#include "port/sink.h"

/*
 * check:///directory[?commit_ms=N]
 *
 * A transactional sink for tests: the writers of all processes of one machine share a directory of one feed and append
 * what they commit to one log, so that tests/support/gen_check.py can prove afterwards what happened. It fences
 * (sink.h K2) and is exact (K3). A process may be killed at any moment; a power cut may lose the end of the log.
 *
 *   lock     held (flock) during a commit or a raise
 *   log      records of 64 bytes, little-endian; only the first record_count of the state count
 *   state    header, then (placement, ts, rows) by table id, mapped by everybody; what the log says, kept at hand
 *
 * The log is written first, then the state, which is marked dirty meanwhile: whoever finds it dirty reads the log again.
 */
extern const struct sl_sink_driver sl_check_driver;

enum sl_check_kind {
    SL_CHECK_CLAIM = 1,
    SL_CHECK_ROW = 2,
    SL_CHECK_REFUSED = 3, /* somebody with a smaller placement tried to raise or to write */
};

struct sl_check_record {
    uint32_t kind, op; /* enum sl_check_kind, enum sl_row_op */
    int64_t table_id;
    uint64_t ts, seq, id; /* rows: the second and the first column where they are unsigned numbers */
    uint64_t epoch, placement_seq;
    uint32_t pid, reserved;
};

#endif
