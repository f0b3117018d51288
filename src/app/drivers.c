/* SPDX-License-Identifier: Apache-2.0 */
#include "app/drivers.h"

const struct sl_source_driver *const sl_app_sources[] = { NULL };

const struct sl_sink_driver *const sl_app_sinks[] = { NULL };
