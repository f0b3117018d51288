/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_MARIADB_MARIADB_SOURCE_H
#define SL_EDGE_MARIADB_MARIADB_SOURCE_H

#include "port/source.h"

/*
 * mysql:// and mariadb:// as a source: the row log of a server, read as a replica reads it.
 *
 *     mysql://user:password@host:port/[?ssl-ca=...][&heartbeat-ms=100][&epoch=0]
 *
 * Needs REPLICATION SLAVE, BINLOG MONITOR (or REPLICATION CLIENT) and SELECT on what is replicated; on the server
 * binlog_format=ROW, binlog_row_image=FULL, binlog_row_metadata=FULL.
 *
 * ts = epoch:8 | number of the log file:24 | start offset of the transaction:32. A ts at which no transaction starts
 * (head() gives such) means the place just behind it: everything before offset + 1 is done.
 */
extern const struct sl_source_driver sl_mariadb_source_driver;

#endif
