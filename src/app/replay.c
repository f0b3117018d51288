/* SPDX-License-Identifier: Apache-2.0 */
#include "app/journal.h"

#include "core/common/mem_tags.h"

#include <inttypes.h>

enum { REPLAY_INPUT_BYTES_MAX = 1 << 30, REPLAY_LINE_BYTES = 1024 };

struct replay {
    struct sl_params_node node;
    struct sl_mem mem; /* of decoded inputs */
    struct sl_arena arena;
    uint64_t step_count;
    sl_ns now;
    struct sl_input in;
    bool has_node, waits_for_digest;
    FILE *out;
};

/* What the outputs say in words: the events among them. */
static void replay_print_outputs(const struct replay *r)
{
    const struct sl_outbox *o = &r->node.outbox;
    for (uint32_t i = 0; i < o->count; i++) {
        char line[REPLAY_LINE_BYTES];
        struct sl_text text;
        if (o->items[i].kind != SL_OUT_EVENT)
            continue;
        sl_text_init(&text, line, sizeof line);
        sl_event_format(&text, &o->items[i].u.event);
        fprintf(r->out, "  now: %s\n", line);
    }
}

static bool replay_step(struct replay *r, const struct sl_journal_record *record)
{
    sl_arena_reset(&r->arena);
    if (!r->has_node || record->now < r->now || !sl_input_decode(&r->in, record->input, &r->arena))
        return false;
    r->now = record->now;
    sl_outbox_reset(&r->node.outbox);
    sl_node_step(r->node.node, r->now, &r->in, &r->node.outbox);
    r->step_count++;
    r->waits_for_digest = true;
    return true;
}

static bool replay_compare(struct replay *r, uint64_t digest, struct sl_complaint *c)
{
    r->waits_for_digest = false;
    if (digest == sl_outbox_digest(&r->node.outbox))
        return true;
    fprintf(r->out, "input %" PRIu64 " (%s, at %" PRId64 " ns) gives other outputs than it gave then:\n", r->step_count,
            sl_input_kind_name(r->in.kind), r->now);
    replay_print_outputs(r);
    return sl_complain(c, SL_EXIT_REPLAY, "input %" PRIu64 " differs: replay with the version that wrote the journal",
                       r->step_count);
}

static bool replay_record(struct replay *r, const struct sl_journal_record *record, struct sl_complaint *c)
{
    switch (record->kind) {
    case SL_JOURNAL_NODE:
        if (r->has_node || sl_params_node_new(&r->node, &record->params) != SL_OK)
            break;
        r->has_node = true;
        r->now = record->params.now;
        fprintf(r->out, "node %s (%s) of cluster %s, %s\n", record->params.name, record->params.id.text,
                record->params.cluster, record->params.version);
        return true;
    case SL_JOURNAL_STEP:
        if (!replay_step(r, record))
            break;
        return true;
    case SL_JOURNAL_DONE:
        if (!r->waits_for_digest)
            break;
        return replay_compare(r, record->digest, c);
    }
    return sl_complain(c, SL_EXIT_REPLAY, "the record after input %" PRIu64 " makes no sense", r->step_count);
}

static bool replay_all(struct replay *r, struct sl_journal_reader *reader, struct sl_complaint *c)
{
    for (;;) {
        struct sl_journal_record record;
        switch (sl_journal_reader_next(reader, &record)) {
        case SL_JOURNAL_RECORD:
            if (!replay_record(r, &record, c))
                return false;
            break;
        case SL_JOURNAL_END:
        case SL_JOURNAL_CUT:
            fprintf(r->out, "%" PRIu64 " inputs, identical\n", r->step_count);
            return true;
        case SL_JOURNAL_DAMAGED:
            return sl_complain(c, SL_EXIT_REPLAY, "damaged after input %" PRIu64, r->step_count);
        }
    }
}

enum sl_exit sl_replay(const char *path, FILE *out, struct sl_complaint *c)
{
    struct sl_journal_reader *reader;
    struct sl_mem_opts mem = sl_mem_opts_of(0);
    struct replay r = { .out = out };
    if (!sl_journal_reader_open(&reader, path, c))
        return c->exit;
    sl_mem_init(&r.mem, &mem);
    sl_arena_init(&r.arena, &r.mem, SL_TAG_DECODE, REPLAY_INPUT_BYTES_MAX);
    bool ok = replay_all(&r, reader, c);
    if (r.has_node)
        sl_params_node_free(&r.node);
    sl_arena_deinit(&r.arena);
    sl_mem_deinit(&r.mem);
    sl_journal_reader_close(reader);
    return ok ? SL_EXIT_STOPPED : c->exit;
}
