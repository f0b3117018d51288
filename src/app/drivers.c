/* SPDX-License-Identifier: Apache-2.0 */
#include "app/drivers.h"

#include "edge/blackhole/blackhole.h"
#include "edge/blackhole/check.h"
#include "edge/file/file_sink.h"
#include "edge/gen/gen.h"
#include "edge/mariadb/mariadb_source.h"
#include "edge/mariadb/mysql_sink.h"

#include <mysql.h>

const struct sl_source_driver *const sl_app_sources[] = { &sl_gen_driver, &sl_mariadb_source_driver, NULL };

const struct sl_sink_driver *const sl_app_sinks[] = { &sl_blackhole_driver, &sl_check_driver, &sl_file_sink_driver,
                                                      &sl_mysql_sink_driver, NULL };

bool sl_app_drivers_init(void)
{
    return mysql_library_init(0, NULL, NULL) == 0;
}

void sl_app_drivers_deinit(void)
{
    mysql_library_end();
}
