/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_BASE_UNITS_H
#define SL_BASE_UNITS_H

#include <stdint.h>

/* Nanoseconds on the caller's monotonic clock. Signed, so that differences need no care. */
typedef int64_t sl_ns;

/*
 * A position in the source's total order of commits. Opaque to everything but the source: it is only compared.
 * 0 means "none"; a checkpoint is never 0 once a feed runs.
 */
typedef uint64_t sl_ts;

#define SL_TS_NONE ((sl_ts)0)
#define SL_TS_MAX UINT64_MAX

#define SL_US ((sl_ns)1000)
#define SL_MS ((sl_ns)1000000)
#define SL_S ((sl_ns)1000000000)
#define SL_NEVER INT64_MAX

static inline sl_ns sl_ns_max(sl_ns a, sl_ns b)
{
    return a > b ? a : b;
}

static inline sl_ns sl_ns_min(sl_ns a, sl_ns b)
{
    return a < b ? a : b;
}
static inline sl_ts sl_ts_min(sl_ts a, sl_ts b)
{
    return a < b ? a : b;
}
static inline sl_ts sl_ts_max(sl_ts a, sl_ts b)
{
    return a > b ? a : b;
}
static inline uint32_t sl_u32_min(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}
static inline uint32_t sl_u32_max(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

/* now + delay without overflow: a deadline that cannot be reached is SL_NEVER. */
static inline sl_ns sl_ns_after(sl_ns now, sl_ns delay)
{
    return now > 0 && delay > SL_NEVER - now ? SL_NEVER : now + delay;
}

#endif
