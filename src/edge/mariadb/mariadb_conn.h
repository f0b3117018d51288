/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_MARIADB_MARIADB_CONN_H
#define SL_EDGE_MARIADB_MARIADB_CONN_H

#include "edge/mariadb/mariadb_error.h"
#include "port/uri.h"

#include <mysql.h>

/*
 * Connections to servers of the MySQL family, for source and sink. Everything here may block and belongs to threads of
 * the engine.
 *
 *     mysql://user:password@host:port/?ssl-ca=FILE&ssl-cert=FILE&ssl-key=FILE&...
 *
 * An empty host with ?socket=PATH is a local socket.
 */
struct sl_mariadb_target {
    char host[256], user[128], password[256], socket[108];
    char ssl_ca[256], ssl_cert[256], ssl_key[256];
    uint16_t port;
    bool is_tls; /* scheme mysql+ssl, or one of the ssl parameters */
};

/*
 * Takes the parts of the URI that name the server. Parameters it does not know are given to other (may be null), which
 * says whether it takes them; false with trouble BAD_URI for the rest, naming the parameter, never a value.
 */
SL_CHECKED bool sl_mariadb_target_parse(struct sl_mariadb_target *out, struct sl_secret uri,
                                        bool (*other)(void *ctx, const struct sl_uri_param *param), void *ctx,
                                        struct sl_trouble *t);
/* Overwrites the password. */
void sl_mariadb_target_wipe(struct sl_mariadb_target *target);

struct sl_mariadb_session {
    unsigned connect_timeout_s, read_timeout_s, write_timeout_s;
    const char *init, *isolation; /* statements for the new session, or null: MariaDB's and MySQL's variables differ */
    bool counts_matching_rows;    /* affected rows are those that were found, changed or not */
};

/* Binary-safe character set, UTC. To be closed by mysql_close. */
SL_CHECKED bool sl_mariadb_connect(MYSQL **out, const struct sl_mariadb_target *target,
                                   const struct sl_mariadb_session *session, struct sl_trouble *t);

/* A statement without result. */
SL_CHECKED bool sl_mariadb_execute(MYSQL *db, const char *sql, struct sl_trouble *t);
/* A statement with a result, whole in memory; to be freed by mysql_free_result. */
SL_CHECKED bool sl_mariadb_select(MYSQL_RES **out, MYSQL *db, const char *sql, struct sl_trouble *t);

/* The last error of the connection as a trouble: PASSING if the same may work later. what: a word for the operator. */
bool sl_mariadb_trouble(struct sl_trouble *t, MYSQL *db, const char *what);

#endif
