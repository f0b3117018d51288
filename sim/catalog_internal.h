/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_SIM_CATALOG_INTERNAL_H
#define SL_SIM_CATALOG_INTERNAL_H

#include "sim/catalog.h"

#include <stddef.h>

#define SL_SIM__SCHEMA_ID 1 /* of the tables that a feed begins with */

/* Room for one more element in an array of the catalog. */
void *sl_sim__catalog_grow(struct sl_sim_catalog *c, void *items, uint32_t count, uint32_t *cap, size_t item_bytes);
/* A life of a table. */
void sl_sim__catalog_add_table(struct sl_sim_catalog *c, uint32_t feed, const struct sl_sim_table *life);
void sl_sim__catalog_free_ddl(struct sl_sim_catalog *c, struct sl_ddl *ddl);

#endif
