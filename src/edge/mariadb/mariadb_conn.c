/* SPDX-License-Identifier: Apache-2.0 */
#define _DEFAULT_SOURCE /* NOLINT(bugprone-reserved-identifier,cert-dcl*) a feature macro: explicit_bzero */
#include "edge/mariadb/mariadb_conn.h"

#include <string.h>

#define CONN_PORT 3306

struct conn_place { /* where a parameter goes */
    const char *name;
    char *to;
    size_t size;
};

static bool conn_bad(struct sl_trouble *t, struct sl_str name)
{
    return sl_trouble_set(t, SL_TROUBLE_LASTING, "BAD_URI", "see the documentation for the parameters of this scheme",
                          "parameter '%.*s' is not known, or its value cannot be used", (int)name.len, name.ptr);
}

/* False: not one of these. *is_good: its value could be taken. */
static bool conn_take_param(struct sl_mariadb_target *out, const struct sl_uri_param *param, bool *is_good)
{
    const struct conn_place places[] = {
        { "ssl-ca", out->ssl_ca, sizeof out->ssl_ca },
        { "ssl-cert", out->ssl_cert, sizeof out->ssl_cert },
        { "ssl-key", out->ssl_key, sizeof out->ssl_key },
        { "socket", out->socket, sizeof out->socket },
    };
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        if (!sl_str_eq(param->name, sl_str_of(places[i].name)))
            continue;
        *is_good = sl_uri_decode(places[i].to, places[i].size, param->value);
        out->is_tls = out->is_tls || places[i].to != out->socket;
        return true;
    }
    return false;
}

static bool conn_take_params(struct sl_mariadb_target *out, struct sl_str query,
                             bool (*other)(void *ctx, const struct sl_uri_param *param), void *ctx,
                             struct sl_trouble *t)
{
    struct sl_uri_param param;
    while (sl_uri_next_param(&query, &param)) {
        bool is_good = false;
        if (!conn_take_param(out, &param, &is_good))
            is_good = other && other(ctx, &param);
        if (!is_good)
            return conn_bad(t, param.name);
    }
    return true;
}

bool sl_mariadb_target_parse(struct sl_mariadb_target *out, struct sl_secret text,
                             bool (*other)(void *ctx, const struct sl_uri_param *param), void *ctx,
                             struct sl_trouble *t)
{
    struct sl_uri uri;
    *out = (struct sl_mariadb_target){ .port = CONN_PORT };
    if (!sl_uri_parse(&uri, text, t))
        return false;
    if (uri.port)
        out->port = uri.port;
    out->is_tls = uri.scheme.len > 4 && memcmp(uri.scheme.ptr + uri.scheme.len - 4, "+ssl", 4) == 0;
    if (!sl_uri_decode(out->host, sizeof out->host, uri.host) ||
        !sl_uri_decode(out->user, sizeof out->user, uri.user) ||
        !sl_uri_decode(out->password, sizeof out->password, uri.password))
        return sl_trouble_set(t, SL_TROUBLE_LASTING, "BAD_URI", "percent-encode what is not a letter or digit",
                              "host, user or password is too long or badly encoded");
    if (!conn_take_params(out, uri.query, other, ctx, t))
        return false;
    if (!out->host[0] && !out->socket[0])
        return sl_trouble_set(t, SL_TROUBLE_LASTING, "BAD_URI", "mysql://user:password@host:port/",
                              "the URI names no host");
    return true;
}

void sl_mariadb_target_wipe(struct sl_mariadb_target *target)
{
    explicit_bzero(target, sizeof *target);
}

bool sl_mariadb_trouble(struct sl_trouble *t, MYSQL *db, const char *what)
{
    return sl_mariadb_error_trouble(t, mysql_errno(db), what, mysql_sqlstate(db), mysql_error(db));
}

static void conn_set_options(MYSQL *db, const struct sl_mariadb_target *target,
                             const struct sl_mariadb_session *session)
{
    mysql_options(db, MYSQL_OPT_CONNECT_TIMEOUT, &session->connect_timeout_s);
    mysql_options(db, MYSQL_OPT_READ_TIMEOUT, &session->read_timeout_s);
    mysql_options(db, MYSQL_OPT_WRITE_TIMEOUT, &session->write_timeout_s);
    mysql_options(db, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    mysql_options(db, MYSQL_INIT_COMMAND, "SET time_zone='+00:00'");
    if (session->init)
        mysql_options(db, MYSQL_INIT_COMMAND, session->init);
    if (session->isolation)
        mysql_options(db, MYSQL_INIT_COMMAND, session->isolation);
    if (target->is_tls) {
        const my_bool verify = 1;
        mysql_ssl_set(db, target->ssl_key[0] ? target->ssl_key : NULL, target->ssl_cert[0] ? target->ssl_cert : NULL,
                      target->ssl_ca[0] ? target->ssl_ca : NULL, NULL, NULL);
        mysql_options(db, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
        mysql_options(db, MARIADB_OPT_TLS_VERSION, "TLSv1.2,TLSv1.3");
    }
}

bool sl_mariadb_connect(MYSQL **out, const struct sl_mariadb_target *target, const struct sl_mariadb_session *session,
                        struct sl_trouble *t)
{
    *out = NULL;
    MYSQL *db = mysql_init(NULL);
    if (!db)
        return sl_trouble_set(t, SL_TROUBLE_PASSING, "NOMEM", "", "no memory for a connection");
    conn_set_options(db, target, session);
    bool is_local = target->socket[0] != 0;
    if (!mysql_real_connect(db, is_local ? NULL : target->host, target->user, target->password, NULL, target->port,
                            is_local ? target->socket : NULL, session->counts_matching_rows ? CLIENT_FOUND_ROWS : 0)) {
        sl_mariadb_trouble(t, db, "connect");
        mysql_close(db);
        return false;
    }
    *out = db;
    return true;
}

bool sl_mariadb_execute(MYSQL *db, const char *sql, struct sl_trouble *t)
{
    return mysql_query(db, sql) == 0 || sl_mariadb_trouble(t, db, "statement");
}

bool sl_mariadb_select(MYSQL_RES **out, MYSQL *db, const char *sql, struct sl_trouble *t)
{
    *out = NULL;
    if (!sl_mariadb_execute(db, sql, t))
        return false;
    *out = mysql_store_result(db);
    return *out || sl_mariadb_trouble(t, db, "result");
}
