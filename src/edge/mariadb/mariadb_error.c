/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/mariadb/mariadb_error.h"

#include <errmsg.h>
#include <mysqld_error.h>
#include <stddef.h>

/* Of MySQL; MariaDB uses these numbers for nothing else. */
enum {
    MYSQL_ROLLBACK_DURING_COMMIT = 3101, /* members of a group that wrote to the same rows */
    MYSQL_INVALID_JSON_TEXT = 3140,
    MYSQL_INVALID_JSON_CHARSET = 3144,
    MYSQL_SERVER_UNAVAILABLE = 3168,
    MYSQL_SESSION_KILLED = 3169,
    MYSQL_CHECK_VIOLATED = 3819,
};

struct error_class {
    bool passes, is_harmless;
    const char *code, *remedy;
};

static const struct error_class classes[] = {
#define ERROR_CLASS(name, passes, harmless, code, remedy) { passes, harmless, code, remedy },
    SL_MARIADB_ERROR_CLASSES(ERROR_CLASS)
#undef ERROR_CLASS
};

/* What is not here is OTHER: stop and ask, never try again and again what was not understood. */
static const struct {
    uint16_t error;
    uint8_t class;
} numbers[] = {
    { CR_CONNECTION_ERROR, SL_MARIADB_ERROR_LOST },
    { CR_CONN_HOST_ERROR, SL_MARIADB_ERROR_LOST },
    { CR_UNKNOWN_HOST, SL_MARIADB_ERROR_LOST }, /* name services fail for a while, too */
    { CR_SERVER_GONE_ERROR, SL_MARIADB_ERROR_LOST },
    { CR_SERVER_LOST, SL_MARIADB_ERROR_LOST },
    { CR_SERVER_HANDSHAKE_ERR, SL_MARIADB_ERROR_LOST },
    { ER_SERVER_SHUTDOWN, SL_MARIADB_ERROR_LOST },
    { ER_CONNECTION_KILLED, SL_MARIADB_ERROR_LOST },
    { ER_QUERY_INTERRUPTED, SL_MARIADB_ERROR_LOST },
    { ER_NET_READ_ERROR, SL_MARIADB_ERROR_LOST },
    { ER_NET_READ_INTERRUPTED, SL_MARIADB_ERROR_LOST },
    { ER_NET_ERROR_ON_WRITE, SL_MARIADB_ERROR_LOST },
    { ER_NET_WRITE_INTERRUPTED, SL_MARIADB_ERROR_LOST },
    { ER_SERVER_OFFLINE_MODE, SL_MARIADB_ERROR_LOST },
    { MYSQL_SERVER_UNAVAILABLE, SL_MARIADB_ERROR_LOST },
    { MYSQL_SESSION_KILLED, SL_MARIADB_ERROR_LOST },
    { CR_OUT_OF_MEMORY, SL_MARIADB_ERROR_BUSY },
    { ER_CON_COUNT_ERROR, SL_MARIADB_ERROR_BUSY },
    { ER_TOO_MANY_USER_CONNECTIONS, SL_MARIADB_ERROR_BUSY },
    { ER_OUT_OF_RESOURCES, SL_MARIADB_ERROR_BUSY },
    { ER_OUTOFMEMORY, SL_MARIADB_ERROR_BUSY },
    { ER_LOCK_DEADLOCK, SL_MARIADB_ERROR_DEADLOCK },
    { MYSQL_ROLLBACK_DURING_COMMIT, SL_MARIADB_ERROR_DEADLOCK },
    { ER_CHECKREAD, SL_MARIADB_ERROR_DEADLOCK }, /* a record has changed since it was read */
    { ER_LOCK_WAIT_TIMEOUT, SL_MARIADB_ERROR_LOCK_WAIT },
    { ER_LOCK_TABLE_FULL, SL_MARIADB_ERROR_LOCK_WAIT },
    { ER_OPTION_PREVENTS_STATEMENT, SL_MARIADB_ERROR_READ_ONLY },
    { ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION, SL_MARIADB_ERROR_READ_ONLY },
    { ER_OPEN_AS_READONLY, SL_MARIADB_ERROR_READ_ONLY },
    { ER_DISK_FULL, SL_MARIADB_ERROR_DISK_FULL },
    { ER_RECORD_FILE_FULL, SL_MARIADB_ERROR_DISK_FULL },
    { ER_ERROR_ON_WRITE, SL_MARIADB_ERROR_DISK_FULL },
    { ER_DUP_ENTRY, SL_MARIADB_ERROR_DUPLICATE_KEY },
    { ER_DUP_UNIQUE, SL_MARIADB_ERROR_DUPLICATE_KEY },
    { ER_DUP_ENTRY_WITH_KEY_NAME, SL_MARIADB_ERROR_DUPLICATE_KEY },
    { ER_FOREIGN_DUPLICATE_KEY_WITH_CHILD_INFO, SL_MARIADB_ERROR_DUPLICATE_KEY },
    { ER_NO_REFERENCED_ROW_2, SL_MARIADB_ERROR_CONSTRAINT },
    { ER_ROW_IS_REFERENCED_2, SL_MARIADB_ERROR_CONSTRAINT },
    { ER_CONSTRAINT_FAILED, SL_MARIADB_ERROR_CONSTRAINT },
    { MYSQL_CHECK_VIOLATED, SL_MARIADB_ERROR_CONSTRAINT },
    { ER_BAD_NULL_ERROR, SL_MARIADB_ERROR_CONSTRAINT },
    { ER_NO_DEFAULT_FOR_FIELD, SL_MARIADB_ERROR_CONSTRAINT },
    { ER_SIGNAL_EXCEPTION, SL_MARIADB_ERROR_CONSTRAINT }, /* a trigger of the sink */
    { ER_NO_PARTITION_FOR_GIVEN_VALUE, SL_MARIADB_ERROR_CONSTRAINT },
    { ER_WARN_DATA_OUT_OF_RANGE, SL_MARIADB_ERROR_VALUE },
    { ER_DATA_TOO_LONG, SL_MARIADB_ERROR_VALUE },
    { ER_TRUNCATED_WRONG_VALUE, SL_MARIADB_ERROR_VALUE },
    { ER_TRUNCATED_WRONG_VALUE_FOR_FIELD, SL_MARIADB_ERROR_VALUE },
    { WARN_DATA_TRUNCATED, SL_MARIADB_ERROR_VALUE },
    { MYSQL_INVALID_JSON_TEXT, SL_MARIADB_ERROR_VALUE },
    { MYSQL_INVALID_JSON_CHARSET, SL_MARIADB_ERROR_VALUE },
    { ER_TOO_BIG_ROWSIZE, SL_MARIADB_ERROR_VALUE },
    { ER_NET_PACKET_TOO_LARGE, SL_MARIADB_ERROR_PACKET },
    { CR_NET_PACKET_TOO_LARGE, SL_MARIADB_ERROR_PACKET },
    { ER_NO_SUCH_TABLE, SL_MARIADB_ERROR_SCHEMA },
    { ER_BAD_FIELD_ERROR, SL_MARIADB_ERROR_SCHEMA },
    { ER_BAD_DB_ERROR, SL_MARIADB_ERROR_SCHEMA },
    { ER_WRONG_VALUE_COUNT_ON_ROW, SL_MARIADB_ERROR_SCHEMA },
    { ER_NON_INSERTABLE_TABLE, SL_MARIADB_ERROR_SCHEMA },
    { ER_SPECIFIC_ACCESS_DENIED_ERROR, SL_MARIADB_ERROR_PRIVILEGE },
    { ER_DBACCESS_DENIED_ERROR, SL_MARIADB_ERROR_PRIVILEGE },
    { ER_TABLEACCESS_DENIED_ERROR, SL_MARIADB_ERROR_PRIVILEGE },
    { ER_COLUMNACCESS_DENIED_ERROR, SL_MARIADB_ERROR_PRIVILEGE },
    { ER_ACCESS_DENIED_ERROR, SL_MARIADB_ERROR_LOGIN },
    { CR_SSL_CONNECTION_ERROR, SL_MARIADB_ERROR_TLS }, /* also said when a server ends in the handshake */
};

enum sl_mariadb_error_class sl_mariadb_error_class(unsigned error)
{
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (numbers[i].error == error)
            return (enum sl_mariadb_error_class)numbers[i].class;
    }
    return SL_MARIADB_ERROR_OTHER;
}

bool sl_mariadb_is_passing(unsigned error)
{
    return classes[sl_mariadb_error_class(error)].passes;
}

/* The connector's own texts know no rows; one text of the server names a place in its log. */
static bool error_text_is_harmless(unsigned error)
{
    return classes[sl_mariadb_error_class(error)].is_harmless || (error >= CR_MIN_ERROR && error <= CR_MAX_ERROR) ||
           error == ER_MASTER_FATAL_ERROR_READING_BINLOG;
}

bool sl_mariadb_error_trouble(struct sl_trouble *t, unsigned error, const char *what, const char *sqlstate,
                              const char *text)
{
    const struct error_class *c = &classes[sl_mariadb_error_class(error)];
    bool is_shown = error_text_is_harmless(error);
    return sl_trouble_set(t, c->passes ? SL_TROUBLE_PASSING : SL_TROUBLE_LASTING, c->code, c->remedy,
                          "%s: error %u (%s)%s%s", what, error, sqlstate, is_shown ? ": " : "", is_shown ? text : "");
}
