/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_ENGINE_TABLE_FILTER_H
#define SL_ENGINE_TABLE_FILTER_H

#include "base/secret.h"
#include "base/units.h"
#include "port/trouble.h"

/*
 * Which tables a feed replicates: rules "schema.table" with the wildcards * ? [a-z] [!a-z], names quoted with ` or ",
 * regular expressions between slashes (as in Perl), a leading ! for what is not wanted. The last rule that matches a
 * table decides; a table that no rule matches is not wanted. What an expression cannot decide within its limits of
 * steps and memory is taken, since rows too many can be seen and rows too few cannot. Immutable once made: any thread
 * may ask it.
 */
struct sl_table_filter;

#define SL_TABLE_FILTER_RULES_MAX 4096u

/*
 * From the feed's flattened configuration: filter.rules, filter.ignore-txn-start-ts and case_sensitive; every table if
 * there are no rules or no configuration. LASTING with the number of the rule that cannot be read.
 */
SL_CHECKED bool sl_table_filter_new(struct sl_table_filter **out, struct sl_secret config, struct sl_trouble *t);
void sl_table_filter_free(struct sl_table_filter *f); /* null allowed */

bool sl_table_filter_takes(const struct sl_table_filter *f, struct sl_str schema, struct sl_str table);
/* Whether there may be tables of this schema that it takes. */
bool sl_table_filter_takes_schema(const struct sl_table_filter *f, struct sl_str schema);
/* Whether the transaction or the schema change of this ts is to be left out. */
bool sl_table_filter_ignores(const struct sl_table_filter *f, sl_ts ts);

#endif
