/* SPDX-License-Identifier: Apache-2.0 */
#include "core/common/mem_tags.h"
#include "core/maintainer/maintainer_internal.h"

#include <string.h>

/*
 * An answer is kept from its arrival until all nodes have answered and the tables are known. As one block: header,
 * spans, operators, then the bytes of the keys.
 */

#define ANSWER_MODE_DEFAULT 0

struct sl_span_report sl__answer_report(const Pb__BootstrapTableSpan *span)
{
    const Pb__TableSpan *s = span->span;
    return (struct sl_span_report){
        .id = sl_dispatcher_id_of(span->id),
        .span = { .table_id = s->table_id,
                  .keyspace_id = s->keyspace_id,
                  .start_key = { s->start_key.data, s->start_key.len },
                  .end_key = { s->end_key.data, s->end_key.len } },
        .schema_id = span->schema_id,
        .state = span->state,
        .checkpoint = span->checkpoint_ts,
        .placement_seq = span->placement_seq,
    };
}

/* A Remove may come without a span: its id is enough. */
static struct sl_span_report answer_operator_report(const Pb__ScheduleDispatcherRequest *op)
{
    const Pb__DispatcherConfig *config = op->config;
    struct sl_span_report report = {
        .id = sl_dispatcher_id_of(config->dispatcher_id),
        .schema_id = config->schema_id,
        .checkpoint = config->start_ts,
        .placement_seq = op->placement_seq,
    };
    if (config->span)
        report.span = (struct sl_span_key){ .table_id = config->span->table_id,
                                            .keyspace_id = config->span->keyspace_id,
                                            .start_key = { config->span->start_key.data, config->span->start_key.len },
                                            .end_key = { config->span->end_key.data, config->span->end_key.len } };
    return report;
}

static size_t answer_key_bytes(const struct sl_span_report *report)
{
    return report->span.start_key.len + report->span.end_key.len;
}

/* What of the message is kept, and the bytes it takes. */
static struct sl__answer answer_measure(const Pb__MaintainerBootstrapResponse *r)
{
    struct sl__answer a = { .bytes = sizeof a, .checkpoint = r->checkpoint_ts };
    for (size_t i = 0; i < r->n_spans; i++) {
        if (r->spans[i]->mode != ANSWER_MODE_DEFAULT)
            continue;
        struct sl_span_report report = sl__answer_report(r->spans[i]);
        a.span_count++;
        a.bytes += sizeof report + answer_key_bytes(&report);
    }
    for (size_t i = 0; i < r->n_operators; i++) {
        if (r->operators[i]->config->mode != ANSWER_MODE_DEFAULT)
            continue;
        struct sl_span_report report = answer_operator_report(r->operators[i]);
        a.operator_count++;
        a.bytes += sizeof(struct sl__answer_operator) + answer_key_bytes(&report);
    }
    return a;
}

static void answer_keep_key(struct sl_bytes *key, uint8_t **end)
{
    if (key->len > 0)
        memcpy(*end, key->ptr, key->len);
    key->ptr = *end;
    *end += key->len;
}

static void answer_keep_keys(struct sl_span_report *report, uint8_t **end)
{
    answer_keep_key(&report->span.start_key, end);
    answer_keep_key(&report->span.end_key, end);
}

static void answer_fill(struct sl__answer *a, const Pb__MaintainerBootstrapResponse *r)
{
    uint8_t *end = (uint8_t *)(a->operators + a->operator_count);
    uint32_t span_count = 0, operator_count = 0;
    for (size_t i = 0; i < r->n_spans; i++) {
        if (r->spans[i]->mode != ANSWER_MODE_DEFAULT)
            continue;
        a->spans[span_count] = sl__answer_report(r->spans[i]);
        answer_keep_keys(&a->spans[span_count++], &end);
    }
    for (size_t i = 0; i < r->n_operators; i++) {
        if (r->operators[i]->config->mode != ANSWER_MODE_DEFAULT)
            continue;
        struct sl__answer_operator *op = &a->operators[operator_count++];
        *op = (struct sl__answer_operator){ .report = answer_operator_report(r->operators[i]),
                                            .action = r->operators[i]->action };
        answer_keep_keys(&op->report, &end);
    }
    SL_REQUIRE(end == (uint8_t *)a + a->bytes);
}

enum sl_code sl__answer_new(struct sl__answer **out, struct sl_mem *mem, const Pb__MaintainerBootstrapResponse *r)
{
    struct sl__answer measured = answer_measure(r);
    *out = NULL;
    struct sl__answer *a = sl_mem_alloc(mem, SL_TAG_MAINTAINER, measured.bytes);
    if (!a)
        return SL_NOMEM;
    *a = measured;
    a->spans = (struct sl_span_report *)(a + 1);
    a->operators = (struct sl__answer_operator *)(a->spans + a->span_count);
    answer_fill(a, r);
    *out = a;
    return SL_OK;
}

void sl__answer_free(struct sl__answer *a, struct sl_mem *mem)
{
    if (a)
        sl_mem_free(mem, SL_TAG_MAINTAINER, a, a->bytes);
}
