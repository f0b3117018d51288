/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_APP_DRIVERS_H
#define SL_APP_DRIVERS_H

#include "port/sink.h"
#include "port/source.h"

/* Every kind of source and sink that this program knows; each list ends in null. */
extern const struct sl_source_driver *const sl_app_sources[];
extern const struct sl_sink_driver *const sl_app_sinks[];

/* What their libraries want done once, before there are threads; and when there are none any more. */
bool sl_app_drivers_init(void);
void sl_app_drivers_deinit(void);

#endif
