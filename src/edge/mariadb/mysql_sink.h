/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_MARIADB_MYSQL_SINK_H
#define SL_EDGE_MARIADB_MYSQL_SINK_H

#include "port/sink.h"

/*
 * mysql:// and mariadb:// as a sink: a server of the MySQL family gets the rows, table by table, in transactions.
 *
 *     mysql://user:password@host:port/[?exactly-once=true][&ssl-ca=...]
 *
 * With exactly-once (the default) each transaction also moves sluice.progress, so that nothing is applied twice and a
 * stale owner is refused; the user needs CREATE on the schema sluice. Without it a change may be applied again after a
 * crash, which the form of the writes makes harmless for tables with a primary key.
 *
 * Tables need a primary key. Triggers at the sink fire; foreign keys are not checked (the order of tables is free).
 */
extern const struct sl_sink_driver sl_mysql_sink_driver;

#endif
