/* SPDX-License-Identifier: Apache-2.0 */
/* Prints a page of metrics with a sample of every family, for promtool. */
#include "edge/http/metrics.h"

#include <stdio.h>

static const struct {
    bool is_histogram;
} families[SL_METRIC_COUNT] = {
#define METRIC_GAUGE false
#define METRIC_COUNTER false
#define METRIC_HISTOGRAM true
#define SL_METRIC(id, name, type, help) [SL_METRIC_##id] = { METRIC_##type },
#include "edge/http/metrics.def"
#undef SL_METRIC
};

int main(void)
{
    static const double bounds[] = { 0.5, 1 };
    struct sl_histogram h = { .bounds = bounds, .bound_count = 2 };
    struct sl_metrics *m;
    if (sl_metrics_new(&m, 1u << 20) != SL_OK)
        return 1;
    sl_histogram_observe(&h, 0.7);
    for (unsigned id = 0; id < SL_METRIC_COUNT; id++) {
        const struct sl_label label = sl_label_of("name", SL_STR("a \"b\" \\ c"));
        if (families[id].is_histogram)
            sl_metrics_histogram(m, (enum sl_metric)id, &label, 1, &h);
        else
            sl_metrics_u64(m, (enum sl_metric)id, &label, 1, id);
    }
    struct sl_str page = sl_metrics_text(m);
    (void)fwrite(page.ptr, 1, page.len, stdout);
    sl_metrics_free(m);
    return 0;
}
