/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/http/metrics.h"

#include "base/units.h"
#include "edge/http/buf.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the families ---- */

enum metrics_type { METRICS_GAUGE, METRICS_COUNTER, METRICS_HISTOGRAM };

static const struct metrics_family {
    const char *name, *help;
    enum metrics_type type;
} metrics_families[SL_METRIC_COUNT] = {
#define SL_METRIC(id_, name_, type_, help_) \
    [SL_METRIC_##id_] = { .name = (name_), .help = (help_), .type = METRICS_##type_ },
#include "edge/http/metrics.def"
#undef SL_METRIC
};

static const char *metrics_type_name(enum metrics_type t)
{
    static const char *const names[] = { "gauge", "counter", "histogram" };
    return names[t];
}

/* ---- histograms ---- */

void sl_histogram_observe(struct sl_histogram *h, double value)
{
    uint32_t at = 0;
    SL_REQUIRE(h->bound_count <= SL_HISTOGRAM_BOUNDS_MAX);
    while (at < h->bound_count && value > h->bounds[at])
        at++;
    h->counts[at]++;
    h->sum += value;
}

/* ---- samples ---- */

struct metrics_sample { /* a line of text, or several */
    uint32_t family;
    uint32_t sequence;
    size_t at, len;
};

struct sl_metrics {
    struct sl__buf lines, page;
    struct metrics_sample *samples;
    uint32_t sample_count, sample_cap;
    uint64_t dropped;
};

enum {
    METRICS_LINE_BYTES_MAX = 2048,
    METRICS_SAMPLES_FIRST = 256,
    METRICS_SAMPLE_BYTES_LEAST = 16,
    METRICS_NUMBER_BYTES = 40,
};

enum sl_code sl_metrics_new(struct sl_metrics **out, size_t bytes_max)
{
    struct sl_metrics *m = calloc(1, sizeof *m);
    *out = m;
    if (!m)
        return SL_NOMEM;
    m->lines.bytes_max = bytes_max;
    m->page.bytes_max = bytes_max * 2; /* with the heads of the families */
    return SL_OK;
}

void sl_metrics_free(struct sl_metrics *m)
{
    if (!m)
        return;
    sl__buf_deinit(&m->lines);
    sl__buf_deinit(&m->page);
    free(m->samples);
    free(m);
}

static bool metrics_has_room(struct sl_metrics *m)
{
    if (m->sample_count < m->sample_cap)
        return true;
    uint32_t cap = m->sample_cap == 0 ? METRICS_SAMPLES_FIRST : m->sample_cap * 2;
    if (cap > m->lines.bytes_max / METRICS_SAMPLE_BYTES_LEAST + METRICS_SAMPLES_FIRST)
        return false;
    struct metrics_sample *grown = realloc(m->samples, cap * sizeof *grown);
    if (!grown)
        return false;
    m->samples = grown;
    m->sample_cap = cap;
    return true;
}

static void metrics_add(struct sl_metrics *m, enum sl_metric id, const struct sl_text *line)
{
    size_t at = m->lines.len;
    if (line->cut || !metrics_has_room(m) || !sl__buf_add(&m->lines, line->ptr, line->len)) {
        m->dropped++;
        return;
    }
    m->samples[m->sample_count] = (struct metrics_sample){ id, m->sample_count, at, line->len };
    m->sample_count++;
}

/* Escapes as the format wants it; what is not printable UTF-8 is '?', byte by byte. */
static void metrics_put_value(struct sl_text *t, struct sl_str value)
{
    bool is_clean = sl_str_is_printable_utf8(value);
    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];
        if (c == '\\' || c == '"')
            sl_text_str(t, (struct sl_str){ (const char[]){ '\\', c }, 2 });
        else if (c == '\n')
            sl_text_cstr(t, "\\n");
        else if (is_clean || (c >= 0x20 && c < 0x7f))
            sl_text_str(t, (struct sl_str){ &c, 1 });
        else
            sl_text_cstr(t, "?");
    }
}

static void metrics_put_labels(struct sl_text *t, const struct sl_label *labels, uint32_t count, const char *bound)
{
    const char *comma = "";
    if (count == 0 && !bound)
        return;
    sl_text_cstr(t, "{");
    for (uint32_t i = 0; i < count; i++) {
        sl_text_cstr(t, comma);
        sl_text_cstr(t, labels[i].key);
        sl_text_cstr(t, "=\"");
        metrics_put_value(t, labels[i].value);
        sl_text_cstr(t, "\"");
        comma = ",";
    }
    if (bound) {
        sl_text_cstr(t, comma);
        sl_text_cstr(t, "le=\"");
        sl_text_cstr(t, bound);
        sl_text_cstr(t, "\"");
    }
    sl_text_cstr(t, "}");
}

static void metrics_put_line(struct sl_text *t, enum sl_metric id, const char *suffix, const struct sl_label *labels,
                             uint32_t count, const char *bound, const char *value)
{
    sl_text_cstr(t, metrics_families[id].name);
    sl_text_cstr(t, suffix);
    metrics_put_labels(t, labels, count, bound);
    sl_text_cstr(t, " ");
    sl_text_cstr(t, value);
    sl_text_cstr(t, "\n");
}

static const char *metrics_number(char out[METRICS_NUMBER_BYTES], double v)
{
    if (isnan(v))
        return "NaN";
    if (isinf(v))
        return v > 0 ? "+Inf" : "-Inf";
    (void)snprintf(out, METRICS_NUMBER_BYTES, "%.15g", v);
    return out;
}

static const char *metrics_count(char out[METRICS_NUMBER_BYTES], uint64_t v)
{
    struct sl_text t;
    sl_text_init(&t, out, METRICS_NUMBER_BYTES);
    sl_text_u64(&t, v);
    return out;
}

static void metrics_one(struct sl_metrics *m, enum sl_metric id, const struct sl_label *labels, uint32_t count,
                        const char *value)
{
    char memory[METRICS_LINE_BYTES_MAX];
    struct sl_text line;
    SL_REQUIRE(count <= SL_LABELS_MAX && metrics_families[id].type != METRICS_HISTOGRAM);
    sl_text_init(&line, memory, sizeof memory);
    metrics_put_line(&line, id, "", labels, count, NULL, value);
    metrics_add(m, id, &line);
}

void sl_metrics_u64(struct sl_metrics *m, enum sl_metric id, const struct sl_label *labels, uint32_t label_count,
                    uint64_t value)
{
    char number[METRICS_NUMBER_BYTES];
    metrics_one(m, id, labels, label_count, metrics_count(number, value));
}

void sl_metrics_real(struct sl_metrics *m, enum sl_metric id, const struct sl_label *labels, uint32_t label_count,
                     double value)
{
    char number[METRICS_NUMBER_BYTES];
    metrics_one(m, id, labels, label_count, metrics_number(number, value));
}

void sl_metrics_histogram(struct sl_metrics *m, enum sl_metric id, const struct sl_label *labels, uint32_t label_count,
                          const struct sl_histogram *h)
{
    char memory[METRICS_LINE_BYTES_MAX * 2], bound[METRICS_NUMBER_BYTES], value[METRICS_NUMBER_BYTES];
    struct sl_text lines;
    uint64_t count = 0;
    SL_REQUIRE(label_count <= SL_LABELS_MAX && metrics_families[id].type == METRICS_HISTOGRAM);
    sl_text_init(&lines, memory, sizeof memory);
    for (uint32_t i = 0; i <= h->bound_count; i++) {
        count += h->counts[i];
        const char *le = i < h->bound_count ? metrics_number(bound, h->bounds[i]) : "+Inf";
        metrics_put_line(&lines, id, "_bucket", labels, label_count, le, metrics_count(value, count));
    }
    metrics_put_line(&lines, id, "_sum", labels, label_count, NULL, metrics_number(value, h->sum));
    metrics_put_line(&lines, id, "_count", labels, label_count, NULL, metrics_count(value, count));
    metrics_add(m, id, &lines);
}

/* ---- the page ---- */

static int metrics_order(const void *a, const void *b)
{
    const struct metrics_sample *x = a, *y = b;
    if (x->family != y->family)
        return x->family < y->family ? -1 : 1;
    return x->sequence < y->sequence ? -1 : x->sequence > y->sequence;
}

static bool metrics_put_head(struct sl__buf *page, uint32_t family)
{
    const struct metrics_family *f = &metrics_families[family];
    char memory[METRICS_LINE_BYTES_MAX];
    int len = snprintf(memory, sizeof memory, "# HELP %s %s\n# TYPE %s %s\n", f->name, f->help, f->name,
                       metrics_type_name(f->type));
    return len > 0 && (size_t)len < sizeof memory && sl__buf_add(page, memory, (size_t)len);
}

struct sl_str sl_metrics_text(struct sl_metrics *m)
{
    if (m->dropped > 0) {
        uint64_t dropped = m->dropped;
        sl_metrics_u64(m, SL_METRIC_DROPPED_SAMPLES, NULL, 0, dropped);
    }
    if (m->sample_count > 0)
        qsort(m->samples, m->sample_count, sizeof *m->samples, metrics_order);
    m->page.len = 0;
    uint32_t family = UINT32_MAX;
    for (uint32_t i = 0; i < m->sample_count; i++) {
        const struct metrics_sample *s = &m->samples[i];
        bool has_room = s->family == family || metrics_put_head(&m->page, s->family);
        family = s->family;
        if (!has_room || !sl__buf_add(&m->page, m->lines.ptr + s->at, s->len))
            break;
    }
    return sl__buf_str(&m->page);
}
