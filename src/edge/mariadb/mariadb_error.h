/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_MARIADB_MARIADB_ERROR_H
#define SL_EDGE_MARIADB_MARIADB_ERROR_H

#include "port/trouble.h"

/*
 * What the errors of servers and of the connector mean: one table of numbers, one of classes. Whether the same may work
 * later, what an operator should do, and whether the server's text may be shown (others quote rows).
 */
#define SL_MARIADB_ERROR_CLASSES(X)                                                                                 \
    /* class, passes, text is harmless, code, remedy */                                                             \
    X(LOST, true, true, "DATABASE_UNREACHABLE", "it is tried again; check that the server runs and can be reached") \
    X(BUSY, true, true, "DATABASE_BUSY", "it is tried again; raise max_connections or the server's memory")         \
    X(DEADLOCK, true, true, "DATABASE_CONFLICT", "it is tried again; another client writes to the same rows")       \
    X(LOCK_WAIT, true, true, "DATABASE_LOCKED",                                                                     \
      "it is tried again; end the transaction that holds the lock (SHOW ENGINE INNODB STATUS)")                     \
    X(READ_ONLY, true, true, "DATABASE_READ_ONLY", "it is tried again; set read_only=OFF, or use the other server") \
    X(DISK_FULL, true, true, "DATABASE_FULL", "it is tried again; free space on the server's disk")                 \
    X(DUPLICATE_KEY, false, false, "SINK_DUPLICATE_KEY",                                                            \
      "drop the unique key that the source does not have, or delete the sink's own row; then resume the feed")      \
    X(CONSTRAINT, false, false, "SINK_CONSTRAINT",                                                                  \
      "drop the constraint at the sink, the source has its own; then resume the feed")                              \
    X(VALUE, false, false, "SINK_VALUE", "give the column the source's type and charset; then resume the feed")     \
    X(PACKET, false, true, "SINK_PACKET", "raise max_allowed_packet of the sink above that of the source")          \
    X(SCHEMA, false, true, "SINK_SCHEMA", "compare the table's definition in source and sink")                      \
    X(PRIVILEGE, false, true, "DATABASE_PRIVILEGE", "grant the missing privilege to the user of the URI")           \
    X(LOGIN, false, true, "DATABASE_LOGIN", "check user and password in the URI")                                   \
    X(TLS, true, true, "DATABASE_TLS",                                                                              \
      "it is tried again; check the ssl parameters of the URI and the server's certificate")                        \
    X(OTHER, false, false, "DATABASE_REFUSES", "")

enum sl_mariadb_error_class {
#define SL_MARIADB_ERROR_ENUM(name, passes, harmless, code, remedy) SL_MARIADB_ERROR_##name,
    SL_MARIADB_ERROR_CLASSES(SL_MARIADB_ERROR_ENUM)
#undef SL_MARIADB_ERROR_ENUM
};

enum sl_mariadb_error_class sl_mariadb_error_class(unsigned error);

/* Whether an error of this number passes by itself. */
bool sl_mariadb_is_passing(unsigned error);

/*
 * As a trouble: kind, code and remedy of its class. what: a word for the operator; text: the server's, shown only if it
 * cannot quote a row. Returns false.
 */
bool sl_mariadb_error_trouble(struct sl_trouble *t, unsigned error, const char *what, const char *sqlstate,
                              const char *text);

#endif
