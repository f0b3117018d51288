/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_APP_DRIVERS_H
#define SL_APP_DRIVERS_H

#include "port/sink.h"
#include "port/source.h"

/* Every kind of source and sink that this program knows; each list ends in null. */
extern const struct sl_source_driver *const sl_app_sources[];
extern const struct sl_sink_driver *const sl_app_sinks[];

#endif
