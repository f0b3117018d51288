/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_HTTP_METRICS_H
#define SL_EDGE_HTTP_METRICS_H

#include "base/check.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Prometheus text, one scrape at a time. The families are one table (metrics.def): name, type, help. Where the meaning
 * is the reference's, the name is too, so that its dashboards and alerts work.
 *
 * The rule of the page: what is unknown or stale is left out, never 0. Whoever collects adds a sample only for what it
 * knows now; the family of a sample that nobody adds does not appear.
 *
 * Samples may come in any order; the text has them by family, in the order of the table.
 */
enum sl_metric {
#define SL_METRIC(id, name, type, help) SL_METRIC_##id,
#include "edge/http/metrics.def"
#undef SL_METRIC
    SL_METRIC_COUNT
};

struct sl_label {
    const char *key; /* static, [a-z_]+ */
    struct sl_str value;
};
#define SL_LABELS_MAX 6
static inline struct sl_label sl_label_of(const char *key, struct sl_str value)
{
    return (struct sl_label){ key, value };
}

/*
 * A histogram that somebody keeps: bounds are seconds, ascending, the last bucket is +Inf. Observing costs a walk over
 * the bounds. Zero it and set bounds and bound_count; no other set-up.
 */
#define SL_HISTOGRAM_BOUNDS_MAX 20
struct sl_histogram {
    const double *bounds; /* static */
    uint32_t bound_count; /* <= SL_HISTOGRAM_BOUNDS_MAX */
    uint64_t counts[SL_HISTOGRAM_BOUNDS_MAX + 1];
    double sum;
};
void sl_histogram_observe(struct sl_histogram *h, double value);

struct sl_metrics;

/* Memory for at most bytes_max of text; SL_NOMEM leaves *out null. */
SL_CHECKED enum sl_code sl_metrics_new(struct sl_metrics **out, size_t bytes_max);
void sl_metrics_free(struct sl_metrics *m); /* null allowed */

/*
 * Adds a sample. Label values may hold any bytes (what is not UTF-8 becomes '?'). What does not fit any more is counted
 * in the family sluice_metrics_dropped_samples, which then shows.
 */
void sl_metrics_u64(struct sl_metrics *m, enum sl_metric id, const struct sl_label *labels, uint32_t label_count,
                    uint64_t value);
void sl_metrics_real(struct sl_metrics *m, enum sl_metric id, const struct sl_label *labels, uint32_t label_count,
                     double value);
void sl_metrics_histogram(struct sl_metrics *m, enum sl_metric id, const struct sl_label *labels, uint32_t label_count,
                          const struct sl_histogram *h);

/* The page; valid until m is freed or a sample is added. */
struct sl_str sl_metrics_text(struct sl_metrics *m);

#endif
