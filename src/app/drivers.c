/* SPDX-License-Identifier: Apache-2.0 */
#include "app/drivers.h"

#include "edge/blackhole/blackhole.h"
#include "edge/gen/gen.h"

const struct sl_source_driver *const sl_app_sources[] = { &sl_gen_driver, NULL };

const struct sl_sink_driver *const sl_app_sinks[] = { &sl_blackhole_driver, NULL };
