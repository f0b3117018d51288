/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/mariadb/mariadb_error.h"

#include "tests/support/sl_test.h"

#include <errmsg.h>
#include <mysqld_error.h>
#include <string.h>

static void each_class_has_its_errors(void **state)
{
    static const struct {
        unsigned error;
        enum sl_mariadb_error_class class;
        enum sl_trouble_kind kind;
        const char *code;
    } cases[] = {
        { CR_SERVER_LOST, SL_MARIADB_ERROR_LOST, SL_TROUBLE_PASSING, "DATABASE_UNREACHABLE" },
        { ER_CON_COUNT_ERROR, SL_MARIADB_ERROR_BUSY, SL_TROUBLE_PASSING, "DATABASE_BUSY" },
        { ER_LOCK_DEADLOCK, SL_MARIADB_ERROR_DEADLOCK, SL_TROUBLE_PASSING, "DATABASE_CONFLICT" },
        { ER_LOCK_WAIT_TIMEOUT, SL_MARIADB_ERROR_LOCK_WAIT, SL_TROUBLE_PASSING, "DATABASE_LOCKED" },
        { ER_OPTION_PREVENTS_STATEMENT, SL_MARIADB_ERROR_READ_ONLY, SL_TROUBLE_PASSING, "DATABASE_READ_ONLY" },
        { ER_RECORD_FILE_FULL, SL_MARIADB_ERROR_DISK_FULL, SL_TROUBLE_PASSING, "DATABASE_FULL" },
        { ER_DUP_ENTRY, SL_MARIADB_ERROR_DUPLICATE_KEY, SL_TROUBLE_LASTING, "SINK_DUPLICATE_KEY" },
        { ER_CONSTRAINT_FAILED, SL_MARIADB_ERROR_CONSTRAINT, SL_TROUBLE_LASTING, "SINK_CONSTRAINT" },
        { ER_DATA_TOO_LONG, SL_MARIADB_ERROR_VALUE, SL_TROUBLE_LASTING, "SINK_VALUE" },
        { ER_NET_PACKET_TOO_LARGE, SL_MARIADB_ERROR_PACKET, SL_TROUBLE_LASTING, "SINK_PACKET" },
        { ER_NO_SUCH_TABLE, SL_MARIADB_ERROR_SCHEMA, SL_TROUBLE_LASTING, "SINK_SCHEMA" },
        { ER_TABLEACCESS_DENIED_ERROR, SL_MARIADB_ERROR_PRIVILEGE, SL_TROUBLE_LASTING, "DATABASE_PRIVILEGE" },
        { ER_ACCESS_DENIED_ERROR, SL_MARIADB_ERROR_LOGIN, SL_TROUBLE_LASTING, "DATABASE_LOGIN" },
        { CR_SSL_CONNECTION_ERROR, SL_MARIADB_ERROR_TLS, SL_TROUBLE_PASSING, "DATABASE_TLS" },
        { 3032, SL_MARIADB_ERROR_LOST, SL_TROUBLE_PASSING, "DATABASE_UNREACHABLE" },  /* MySQL: offline_mode */
        { 3101, SL_MARIADB_ERROR_DEADLOCK, SL_TROUBLE_PASSING, "DATABASE_CONFLICT" }, /* a group refuses a commit */
        { 3144, SL_MARIADB_ERROR_VALUE, SL_TROUBLE_LASTING, "SINK_VALUE" },           /* JSON without a charset */
        { 3819, SL_MARIADB_ERROR_CONSTRAINT, SL_TROUBLE_LASTING, "SINK_CONSTRAINT" }, /* CHECK */
        { 65000, SL_MARIADB_ERROR_OTHER, SL_TROUBLE_LASTING, "DATABASE_REFUSES" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sl_trouble t = { 0 };
        bool is_done = sl_mariadb_error_trouble(&t, cases[i].error, "sink", "HY000", "text of the server");
        assert_false(is_done);
        assert_int_equal(sl_mariadb_error_class(cases[i].error), cases[i].class);
        assert_int_equal(t.kind, cases[i].kind);
        assert_string_equal(t.code, cases[i].code);
        assert_int_equal(sl_mariadb_is_passing(cases[i].error), cases[i].kind == SL_TROUBLE_PASSING);
    }
}

static void a_text_that_may_quote_a_row_is_not_shown(void **state)
{
    static const unsigned quoting[] = { ER_DUP_ENTRY, ER_CONSTRAINT_FAILED, ER_TRUNCATED_WRONG_VALUE, 65000 };
    struct sl_trouble t = { 0 };
    bool is_done;
    (void)state;
    for (size_t i = 0; i < sizeof quoting / sizeof quoting[0]; i++) {
        is_done = sl_mariadb_error_trouble(&t, quoting[i], "sink", "23000", "Duplicate entry 'secret' for key");
        assert_false(is_done);
        assert_null(strstr(t.detail, "secret"));
    }
    is_done = sl_mariadb_error_trouble(&t, CR_SERVER_LOST, "sink", "HY000", "Lost connection");
    assert_false(is_done);
    assert_non_null(strstr(t.detail, "Lost connection"));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_class_has_its_errors),
        cmocka_unit_test(a_text_that_may_quote_a_row_is_not_shown),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
