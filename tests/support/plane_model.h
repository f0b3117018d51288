/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_TESTS_SUPPORT_PLANE_MODEL_H
#define SL_TESTS_SUPPORT_PLANE_MODEL_H

#include "port/sink.h"
#include "port/source.h"

/*
 * A source and a sink in memory, shared by all planes of a test, and the judge of both. One change of the source is one
 * row of one table with one ts; the sink checks each row that is committed: the next one of its table, by a writer whose
 * placement nobody has overtaken. What is wrong is counted, with the first wrong in words.
 *
 * Everything may be called in any thread. One model at a time.
 */
#define PLANE_MODEL_TABLES 64

void plane_model_init(void);
void plane_model_deinit(void);

/* ---- the source, model://any ---- */

extern const struct sl_source_driver plane_model_source;

/* Adds count changes, tables by turns from the first; returns the ts of the last one. */
sl_ts plane_model_write(uint32_t table_first, uint32_t table_count, uint32_t count);
/* Adds one change of one table (from 1). */
sl_ts plane_model_write_one(uint32_t table);
sl_ts plane_model_head(void);
/* The next reads or opens of any reader fail so many times. */
void plane_model_fail_source(uint32_t times, enum sl_trouble_kind kind);
/* Readers that are opened from now on see nothing behind end, as if there were no end of what they have to read. 0: all. */
void plane_model_hold_new_readers(sl_ts end);
/* How many readers are open now, and the most there ever were. */
uint32_t plane_model_readers(void);
uint64_t plane_model_opens(void);
uint64_t plane_model_rows_read(void);

/* ---- the sink, model://any ---- */

extern const struct sl_sink_driver plane_model_sink;

/* Of sinks opened from now on. */
void plane_model_set_traits(bool has_fencing, bool is_exact);
/* Writers wait in commit, or in raise, while it is held. An interrupted one waits no longer. */
void plane_model_hold_commits(bool is_held);
/* The same for the commits of writers with this index only. */
void plane_model_hold_writer(uint32_t index, bool is_held);
void plane_model_hold_raises(bool is_held);
uint32_t plane_model_held_count(void); /* calls that wait now */
/* The next so many commits fail; does: whether they have done their work all the same. */
void plane_model_fail_commits(uint32_t times, enum sl_trouble_kind kind, bool does);
void plane_model_fail_raises(uint32_t times, enum sl_trouble_kind kind);
void plane_model_fail_opens(uint32_t times, enum sl_trouble_kind kind);
/* This table is refused for good from now on; 0: none. */
void plane_model_poison_table(int64_t table_id);
/* As another writer elsewhere would: raises the placement of a table. */
void plane_model_rob(int64_t table_id, struct sl_placement placement);

/* The sink has everything of the table up to ts. */
void plane_model_pretend(int64_t table_id, sl_ts ts);

/* Everything of the table up to ts is in the sink, and how far it is. */
bool plane_model_has(int64_t table_id, sl_ts ts);
sl_ts plane_model_durable(int64_t table_id); /* ts of its last row in the sink */
uint64_t plane_model_rows(void);             /* rows in the sink */
uint64_t plane_model_commits(void);
uint64_t plane_model_raises(void);

/* ---- the judge ---- */

uint64_t plane_model_twice(void); /* rows that came again */
/* Holes, disorder, writes of a smaller placement. Null: none. */
const char *plane_model_wrong(void);

#endif
