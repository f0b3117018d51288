/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_CORE_MAINTAINER_NAMES_H
#define SL_CORE_MAINTAINER_NAMES_H

#include "base/err.h"
#include "base/map.h"
#include "base/slab.h"
#include "base/str.h"

/*
 * What the tables of one feed are called. Schema names are kept once, however many tables they have; a table without
 * names costs nothing. Private to src/core/maintainer.
 */
#define SL_NAME_BYTES_MAX 1024u /* a longer name, or one that is not printable, counts as not known */

struct sl_names {
    struct sl_mem *mem;
    struct sl_slab tables, schemas;
    struct sl_map by_table, by_schema;
    uint64_t seed;
};

/* Views that end in a NUL; valid until the table is named anew or dropped. Both empty: not known. */
struct sl_table_name {
    struct sl_str schema, table;
};

/* Allocates nothing. */
void sl_names_init(struct sl_names *n, struct sl_mem *mem, uint32_t count_max, uint64_t seed);
void sl_names_deinit(struct sl_names *n);

/* Two empty names change nothing. SL_NOMEM, SL_LIMIT: as before. */
SL_CHECKED enum sl_code sl_names_set(struct sl_names *n, int64_t table_id, struct sl_str schema, struct sl_str table);
void sl_names_drop(struct sl_names *n, int64_t table_id);
struct sl_table_name sl_names_find(const struct sl_names *n, int64_t table_id);
size_t sl_names_bytes(const struct sl_names *n); /* without the texts */

#endif
