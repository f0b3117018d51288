/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_BLACKHOLE_BLACKHOLE_H
#define SL_EDGE_BLACKHOLE_BLACKHOLE_H

#include "port/sink.h"

/*
 * blackhole://[?commit_ms=N]
 *
 * Takes everything, keeps nothing, is durable at once (or N milliseconds later). Knows no placements: what keeps two
 * writers apart is the control plane alone.
 */
extern const struct sl_sink_driver sl_blackhole_driver;

#endif
