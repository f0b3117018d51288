/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_PORT_DDL_H
#define SL_PORT_DDL_H

#include "port/rows.h"

/*
 * What a change of the schema (rows.h) means for one dispatcher: whether it has to stop in front of it, and what is
 * said of it to the core when it does. Plain functions without state, the same for whoever runs the rows.
 */
struct sl_ddl_party {
    int64_t table_id, schema_id;
    bool is_table_trigger; /* then the ids mean nothing */
};

/* Whether it has to stop in front of the change. */
bool sl_ddl_concerns(const struct sl_ddl *ddl, const struct sl_ddl_party *who);

/* What is reported of a dispatcher that stands there. was_executed: the sink knows the change as performed. Views into
 * ddl. */
struct sl_block sl_ddl_block(const struct sl_ddl *ddl, bool is_table_trigger, bool was_executed);

#endif
