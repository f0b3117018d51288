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

/*
 * What an operator should know before a feed is made of it: one line per finding by tell, is_fatal if it cannot be
 * replicated as it is. False (with *t): it could not be asked.
 */
struct sl_source_finding {
    bool is_fatal;
    const char *what, *remedy; /* valid during the call */
};
SL_CHECKED bool sl_mariadb_source_examine(struct sl_secret uri,
                                          void (*tell)(void *ctx, const struct sl_source_finding *f), void *ctx,
                                          struct sl_trouble *t);

#endif
