/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One node over a store that lies: any answer to any operation, at any time, with any revisions and values. The node may
 * fence itself or lead nobody, but it must not stop the process, and its own invariants must hold.
 */
#include "core/common/mem_tags.h"
#include "core/membership/membership.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OPS_MAX = 64, PAIRS_MAX = 6 };

struct fuzz {
    const uint8_t *data;
    size_t size, at;
    struct sl_mem mem;
    struct sl_outbox out;
    struct sl_membership *m;
    sl_ns now;
    struct {
        sl_op_id id;
        enum sl_store_verb verb;
    } open[OPS_MAX];
    uint32_t open_count;
    sl_op_id watch;
};

static uint8_t take(struct fuzz *f)
{
    return f->at < f->size ? f->data[f->at++] : 0;
}

/* -128 .. 127 */
static int64_t take_signed(struct fuzz *f)
{
    uint8_t byte = take(f);
    return byte < 128 ? byte : (int64_t)byte - 256;
}

static void perform(struct fuzz *f)
{
    for (uint32_t i = 0; i < f->out.count; i++) {
        const struct sl_output *o = &f->out.items[i];
        if (o->kind != SL_OUT_STORE || f->open_count == OPS_MAX)
            continue;
        f->open[f->open_count].id = o->u.store.id;
        f->open[f->open_count++].verb = o->u.store.verb;
        f->watch = o->u.store.verb == SL_STORE_WATCH ? o->u.store.id : f->watch;
    }
    sl_outbox_reset(&f->out);
}

static struct sl_store_pair some_pair(struct fuzz *f)
{
    static const char *const keys[] = {
        "/tidb/cdc/c/__cdc_meta__/capture/n1",
        "/tidb/cdc/c/__cdc_meta__/capture/n2",
        "/tidb/cdc/c/__cdc_meta__/capture/n3",
        "/tidb/cdc/c/__cdc_meta__/capture/",
        "/tidb/cdc/c/__cdc_meta__/owner/7",
        "/tidb/cdc/c/__cdc_meta__/owner/8",
        "/tidb/cdc/c/__cdc_meta__/owner/0123456789abcdef0",
        "/tidb/cdc/c/__cdc_meta__/meta/meta-version",
    };
    static const char *const values[] = {
        "{\"id\":\"n1\",\"address\":\"h:1\",\"sluice\":{\"node-epoch\":5}}",
        "{\"id\":\"n1\",\"address\":\"h:1\",\"sluice\":{\"node-epoch\":9}}",
        "{\"id\":\"n2\",\"address\":\"h:1\",\"is-new-arch\":true,\"sluice\":{\"stopped\":true}}",
        "{\"id\":\"n3\",\"address\":\"h:3\"}",
        "n1",
        "n2",
        "",
        "\xff{",
    };
    const char *value = values[take(f) % 8];
    return (struct sl_store_pair){ .key = sl_str_of(keys[take(f) % 8]),
                                   .value = { (const uint8_t *)value, strlen(value) },
                                   .create_revision = take_signed(f),
                                   .mod_revision = take_signed(f),
                                   .lease = take(f) % 16 };
}

static void answer(struct fuzz *f)
{
    struct sl_store_pair pairs[PAIRS_MAX];
    if (f->open_count == 0)
        return;
    uint32_t at = take(f) % f->open_count;
    struct sl_store_result r = { .id = f->open[at].id, .verb = f->open[at].verb, .pairs = pairs };
    f->open[at] = f->open[--f->open_count];
    uint8_t outcome = take(f);
    r.outcome = outcome < 128 ? SL_STORE_OK : (enum sl_store_outcome)(outcome % 5);
    r.succeeded = outcome % 8 != 0;
    r.revision = take_signed(f);
    r.lease = 7 + take(f) % 2;
    r.ttl_ns = take_signed(f) * SL_S;
    for (r.pair_count = take(f) % (PAIRS_MAX + 1); r.pair_count > 0 && f->at < f->size; r.pair_count--)
        pairs[r.pair_count - 1] = some_pair(f);
    (void)sl_membership_on_store(f->m, f->now, &r, &f->out);
}

static void change(struct fuzz *f)
{
    struct sl_store_event events[PAIRS_MAX];
    struct sl_store_watch_batch b = { .watch = f->watch, .events = events };
    b.revision = take_signed(f);
    b.ended = take(f) % 16 == 0;
    b.why = (enum sl_store_outcome)(take(f) % 5);
    for (uint32_t wanted = take(f) % (PAIRS_MAX + 1); b.event_count < wanted; b.event_count++)
        events[b.event_count] = (struct sl_store_event){ .deleted = take(f) % 2 == 0, .pair = some_pair(f) };
    (void)sl_membership_on_watch(f->m, f->now, &b, &f->out);
}

static void step(struct fuzz *f)
{
    switch (take(f) % 8) {
    case 0:
        change(f);
        break;
    case 1:
        sl_membership_set_alive(f->m, f->now, take(f) % 2 == 0, &f->out);
        break;
    case 2:
        sl_membership_resign(f->m, f->now, &f->out);
        break;
    case 3:
        f->now += (sl_ns)take(f) * 40 * SL_MS;
        sl_membership_on_tick(f->m, f->now, &f->out);
        SL_REQUIRE(sl_membership_deadline(f->m) > f->now);
        break;
    case 4:
        if (take(f) == 0)
            sl_membership_leave(f->m, f->now, &f->out);
        break;
    default:
        answer(f);
        break;
    }
    perform(f);
    struct sl_membership_view view;
    sl_membership_view(f->m, &view);
    SL_REQUIRE(!view.leader || (view.joined && view.leader_version > 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz f = { .data = data, .size = size, .now = SL_S };
    struct sl_mem_opts mem = sl_mem_opts_of(0);
    struct sl_membership_opts opts = SL_MEMBERSHIP_OPTS_DEFAULT;
    sl_mem_init(&f.mem, &mem);
    opts.mem = &f.mem;
    opts.cluster = SL_STR("c");
    opts.node_count_max = 2;
    opts.interop = take(&f) % 2 == 0;
    opts.self = (struct sl_capture){ .address = "h:1", .name = "one", .node_epoch = 5, .is_sluice = true };
    SL_REQUIRE(sl_node_id_set(&opts.self.id, SL_STR("n1")));
    SL_REQUIRE(sl_outbox_init(&f.out, &f.mem, SL_TAG_OUTBOX, 256, 1u << 18) == SL_OK);
    SL_REQUIRE(sl_membership_new(&f.m, &opts, f.now) == SL_OK);
    sl_membership_start(f.m, f.now, &f.out);
    perform(&f);
    while (f.at < f.size)
        step(&f);
    sl_membership_free(f.m);
    sl_outbox_deinit(&f.out);
    sl_mem_deinit(&f.mem);
    return 0;
}
