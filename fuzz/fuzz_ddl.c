/* SPDX-License-Identifier: Apache-2.0 */
/* Statements that change a schema, as the log brings them: any bytes at all. */
#include "edge/mariadb/ddl_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct sl_ddl_info info;
    struct sl_str statement = { (const char *)data, size };
    for (int is_ansi = 0; is_ansi < 2; is_ansi++) {
        sl_ddl_parse(&info, SL_STR("db"), statement, is_ansi != 0);
        SL_REQUIRE(info.table_count <= SL_DDL_TABLES_MAX);
        for (uint32_t i = 0; i < info.table_count; i++)
            SL_REQUIRE(info.tables[i].name.schema[0] != 0);
    }
    return 0;
}
