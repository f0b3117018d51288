/* SPDX-License-Identifier: Apache-2.0 */
#include "app/params.h"

#include "core/common/mem_tags.h"

#include <stdio.h>
#include <string.h>

enum { PARAMS_OUTPUTS_MAX = 16384, PARAMS_OUTPUT_BYTES_MAX = 64 << 20, PARAMS_MESSAGE_BYTES_MAX = 64 << 20 };

/* Two keepalives must fit before the fence, whatever the lease is (core/membership/membership.h). */
static void params_times(struct sl_membership_opts *m, sl_ns ttl)
{
    m->ttl_ns = ttl;
    m->keepalive_ns = ttl / 3;
    m->fence_margin_ns = ttl / 10;
    m->tombstone_ns = ttl / 2 > 5 * SL_S ? ttl / 2 : 5 * SL_S;
    m->campaign_pause_ns = sl_ns_min(SL_S, ttl / 10);
    m->retry_ns = sl_ns_min(200 * SL_MS, ttl / 20);
}

static void params_node_opts(struct sl_node_opts *o, const struct sl_params *p)
{
    struct sl_capture *self = &o->membership.self;
    sl_node_opts_default(o);
    o->id = p->id;
    o->node_epoch = p->node_epoch;
    o->seed = p->seed;
    o->interop = p->interop;
    o->wire.message_bytes_max = PARAMS_MESSAGE_BYTES_MAX;
    o->membership.cluster = sl_str_of(p->cluster);
    params_times(&o->membership, p->lease_ttl_ns);
    o->coordinator.wall_offset_ns = p->wall_offset;
    snprintf(self->name, sizeof self->name, "%s", p->name);
    snprintf(self->address, sizeof self->address, "%s", p->address);
    snprintf(self->version, sizeof self->version, "%s", p->version);
    self->is_sluice = self->is_new_arch = true;
    self->start_timestamp_s = p->node_epoch / (uint64_t)SL_S;
}

enum sl_code sl_params_node_new(struct sl_params_node *out, const struct sl_params *p)
{
    struct sl_mem_opts mem = sl_mem_opts_of((size_t)p->memory_bytes);
    struct sl_node_opts opts;
    *out = (struct sl_params_node){ .params = *p };
    sl_mem_init(&out->mem, &mem);
    enum sl_code code =
        sl_outbox_init(&out->outbox, &out->mem, SL_TAG_OUTBOX, PARAMS_OUTPUTS_MAX, PARAMS_OUTPUT_BYTES_MAX);
    if (code != SL_OK)
        return code;
    params_node_opts(&opts, &out->params);
    opts.mem = &out->mem;
    code = sl_node_new(&out->node, &opts, p->now);
    if (code != SL_OK)
        sl_params_node_free(out);
    return code;
}

void sl_params_node_free(struct sl_params_node *n)
{
    sl_node_free(n->node);
    sl_outbox_deinit(&n->outbox);
    sl_mem_deinit(&n->mem);
    *n = (struct sl_params_node){ 0 };
}

/* ---- as bytes ---- */

static void params_put_text(struct sl_buf *b, const char *text)
{
    sl_buf_varint(b, strlen(text));
    sl_buf_add(b, text, strlen(text));
}

void sl_params_encode(struct sl_buf *b, const struct sl_params *p)
{
    const uint64_t numbers[] = {
        p->node_epoch, p->seed, p->wall_offset, (uint64_t)p->now, (uint64_t)p->lease_ttl_ns, p->memory_bytes, p->interop
    };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        sl_buf_varint(b, numbers[i]);
    params_put_text(b, p->id.text);
    params_put_text(b, p->cluster);
    params_put_text(b, p->name);
    params_put_text(b, p->address);
    params_put_text(b, p->version);
}

struct params_reader {
    struct sl_bytes in;
    size_t at;
    bool failed;
};

static uint64_t params_take(struct params_reader *r)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64 && r->at < r->in.len; shift += 7) {
        uint8_t byte = r->in.ptr[r->at++];
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return v;
    }
    r->failed = true;
    return 0;
}

static void params_take_text(struct params_reader *r, char *out, size_t size)
{
    uint64_t len = params_take(r);
    if (r->failed || len > r->in.len - r->at || len >= size) {
        r->failed = true;
        return;
    }
    memcpy(out, r->in.ptr + r->at, (size_t)len);
    out[len] = '\0';
    r->at += (size_t)len;
}

bool sl_params_decode(struct sl_params *p, struct sl_bytes bytes)
{
    struct params_reader r = { .in = bytes };
    char id[SL_NODE_ID_MAX + 1] = "";
    *p = (struct sl_params){ 0 };
    p->node_epoch = params_take(&r);
    p->seed = params_take(&r);
    p->wall_offset = params_take(&r);
    p->now = (sl_ns)params_take(&r);
    p->lease_ttl_ns = (sl_ns)params_take(&r);
    p->memory_bytes = params_take(&r);
    p->interop = params_take(&r) != 0;
    params_take_text(&r, id, sizeof id);
    params_take_text(&r, p->cluster, sizeof p->cluster);
    params_take_text(&r, p->name, sizeof p->name);
    params_take_text(&r, p->address, sizeof p->address);
    params_take_text(&r, p->version, sizeof p->version);
    /* What the core requires of a node it makes: a damaged file is refused here. */
    return !r.failed && sl_node_id_set(&p->id, sl_str_of(id)) && p->id.len > 0 && p->node_epoch != 0;
}
