/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/peer/transport_internal.h"

#include <stdlib.h>
#include <string.h>

enum { STREAMS_PER_PEER_MAX = 16 };
static const sl_ns sweep_ns = 100 * SL_MS;
static const sl_ns flush_look_ns = 5 * SL_MS;

/* ---- membership ---- */

static int transport_cmp(const struct sl_node_id *a, const struct sl_node_id *b)
{
    return sl_str_cmp(sl_node_id_str(a), sl_node_id_str(b));
}

struct sl__peer *sl__transport_find(const struct sl_transport *t, const struct sl_node_id *id)
{
    uint32_t low = 0, high = t->peer_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = transport_cmp(&t->peers[middle]->id, id);
        if (order == 0) {
            return t->peers[middle];
        }
        low = order < 0 ? middle + 1 : low;
        high = order < 0 ? high : middle;
    }
    return NULL;
}

static int transport_order(const void *a, const void *b)
{
    const struct sl__peer *const *left = a, *const *right = b;
    return transport_cmp(&(*left)->id, &(*right)->id);
}

/* The peer as it is now, or a new one; a null pointer without memory. */
static struct sl__peer *transport_peer_of(struct sl_transport *t, const struct sl_peer *from)
{
    struct sl__peer *p = sl__transport_find(t, &from->id);
    if (p != NULL && sl_str_eq(sl_str_of(p->address), from->address)) {
        p->kept = true;
        return p;
    }
    return sl__peer_new(t, from);
}

static bool transport_has(struct sl__peer *const *peers, uint32_t count, const struct sl_node_id *id)
{
    for (uint32_t i = 0; i < count; i++) {
        if (sl_node_id_eq(&peers[i]->id, id)) {
            return true;
        }
    }
    return false;
}

static bool transport_peer_is_usable(const struct sl_transport *t, const struct sl_peer *p)
{
    return !sl_node_id_is_none(&p->id) && !sl_node_id_eq(&p->id, &t->self) && p->address.len <= SL_ADDRESS_MAX &&
           memchr(p->address.ptr == NULL ? "" : p->address.ptr, '\0', p->address.len) == NULL;
}

/* The old ones stay alive until the new list is complete, so that a failure changes nothing. */
static uint32_t transport_collect(struct sl_transport *t, struct sl__peer **next, const struct sl_peer *peers,
                                  uint32_t count, bool *is_good)
{
    uint32_t next_count = 0;
    for (uint32_t i = 0; i < t->peer_count; i++) {
        t->peers[i]->kept = false;
    }
    *is_good = true;
    for (uint32_t i = 0; i < count && *is_good; i++) {
        if (!transport_peer_is_usable(t, &peers[i]) || transport_has(next, next_count, &peers[i].id)) {
            continue;
        }
        next[next_count] = transport_peer_of(t, &peers[i]);
        *is_good = next[next_count] != NULL;
        next_count += *is_good ? 1 : 0;
    }
    return next_count;
}

static bool transport_is_old(const struct sl_transport *t, const struct sl__peer *p)
{
    return sl__transport_find(t, &p->id) == p;
}

static void transport_swap_peers(struct sl_transport *t, struct sl__peer **next, uint32_t next_count)
{
    struct sl__peer **old = t->peers;
    uint32_t old_count = t->peer_count;
    t->peers = next;
    t->peer_count = next_count;
    for (uint32_t i = 0; i < old_count; i++) {
        if (!old[i]->kept) {
            sl__peer_free(old[i], "the node left the cluster");
        }
    }
    free(old);
}

enum sl_code sl_transport_set_peers(struct sl_transport *t, const struct sl_peer *peers, uint32_t count)
{
    bool is_good = true;
    if (count > t->limits.peer_count_max) {
        return SL_LIMIT;
    }
    /* New ones first in the list, so that they can be told apart after the swap. */
    struct sl__peer **next = calloc(count + 1u, sizeof *next);
    struct sl__peer **fresh = calloc(count + 1u, sizeof *fresh);
    uint32_t next_count = 0, fresh_count = 0;
    if (next != NULL && fresh != NULL) {
        next_count = transport_collect(t, next, peers, count, &is_good);
    }
    for (uint32_t i = 0; i < next_count; i++) {
        if (!transport_is_old(t, next[i])) {
            fresh[fresh_count++] = next[i];
        }
    }
    if (next == NULL || fresh == NULL || !is_good) {
        for (uint32_t i = 0; i < fresh_count; i++) {
            sl__peer_free(fresh[i], "");
        }
        free(next);
        free(fresh);
        return SL_NOMEM;
    }
    qsort(next, next_count, sizeof *next, transport_order);
    transport_swap_peers(t, next, next_count);
    for (uint32_t i = 0; i < fresh_count; i++) {
        sl__peer_begin(fresh[i]);
    }
    free(fresh);
    sl__transport_sweep_soon(t);
    return SL_OK;
}

/* ---- sending ---- */

static bool transport_topic_fits(const struct sl_msg_row *row, enum sl_topic topic)
{
    return topic != SL_TOPIC_NONE && (topic == row->topic || topic == row->topic2);
}

enum sl_code sl_transport_send(struct sl_transport *t, const struct sl_node_id *to, enum sl_msg_type type,
                               enum sl_topic topic, struct sl_bytes payload)
{
    const struct sl_msg_row *row = sl_msg_row((int32_t)type);
    struct sl__peer *p = sl__transport_find(t, to);
    if (row == NULL || !transport_topic_fits(row, topic)) {
        return SL_BAD_FIELD;
    }
    if (p == NULL) {
        return SL_NOT_FOUND;
    }
    if (p->state != SL__PEER_CONNECTED || t->closing) {
        return SL_NOT_READY;
    }
    struct sl_envelope envelope = { .type = type,
                                    .from = sl_node_id_str(&t->self),
                                    .to = sl_node_id_str(to),
                                    .topic = sl_str_of(sl_topic_text(topic)),
                                    .payload_count = 1,
                                    .payload = { payload } };
    size_t size = sl_envelope_size(&envelope);
    if (size > t->limits.message_bytes_max) {
        return SL_LIMIT;
    }
    struct sl_grpc_block *b = sl_grpc_block_new(size);
    if (b == NULL) {
        return SL_NOMEM;
    }
    (void)sl_envelope_encode(&envelope, sl_grpc_block_body(b));
    enum sl_code code = sl__peer_queue(p, row->lane, b);
    if (code != SL_OK) {
        sl_grpc_block_free(b);
        return code;
    }
    sl__peer_pump(p, row->lane);
    return SL_OK;
}

bool sl_transport_is_connected(const struct sl_transport *t, const struct sl_node_id *peer)
{
    const struct sl__peer *p = sl__transport_find(t, peer);
    return p != NULL && p->state == SL__PEER_CONNECTED;
}

void sl_transport_resume(struct sl_transport *t)
{
    sl_turn_wake(t->turn);
}

void sl_transport_stats_read(const struct sl_transport *t, struct sl_transport_stats *out)
{
    *out = t->stats;
    out->peer_count = t->peer_count;
    out->connection_count = t->link_count;
    out->receiving_bytes = t->budget.used_bytes;
    for (uint32_t i = 0; i < t->peer_count; i++) {
        for (uint32_t lane = 0; lane < SL__PEER_LANES; lane++) {
            out->queued_bytes += t->peers[i]->lanes[lane].bytes;
            out->queued_count += t->peers[i]->lanes[lane].count;
        }
    }
}

/* ---- time ---- */

void sl__transport_sweep_soon(struct sl_transport *t)
{
    if (!t->sweep_armed && !t->torn_down) {
        t->sweep_armed = true;
        sl_timer_arm(t->sweep, sl_loop_now());
    }
}

static bool transport_is_flushed(const struct sl_transport *t)
{
    for (uint32_t i = 0; i < t->peer_count; i++) {
        for (uint32_t lane = 0; lane < SL__PEER_LANES; lane++) {
            const struct sl__peer_lane *l = &t->peers[i]->lanes[lane];
            if (l->stream == NULL) {
                continue;
            }
            struct sl_grpc_link *link = l->stream->link->link;
            if (l->count > 0 || sl_grpc_conn_queued_bytes(sl_grpc_link_conn(link), l->stream->id) > 0 ||
                sl_grpc_link_unsent_bytes(link) > 0) {
                return false;
            }
        }
    }
    return true;
}

static void transport_tear_down(struct sl_transport *t)
{
    t->torn_down = true;
    for (uint32_t i = 0; i < t->peer_count; i++) {
        sl__peer_free(t->peers[i], "the node stops");
    }
    t->peer_count = 0;
    for (struct sl__peer_link *l = t->links; l != NULL; l = l->next) {
        sl__peer_link_close(l);
    }
    sl_turn_wake(t->turn);
}

static void transport_on_sweep(void *ctx)
{
    struct sl_transport *t = ctx;
    sl_ns now = sl_loop_now();
    t->sweep_armed = false;
    if (t->torn_down) {
        return;
    }
    if (!t->closing) {
        sl__accept_sweep(t);
    } else if (now >= t->flush_deadline || transport_is_flushed(t)) {
        transport_tear_down(t);
        return;
    }
    if (t->closing || sl__accept_is_waiting(t)) {
        t->sweep_armed = true;
        sl_timer_arm(t->sweep, sl_ns_after(now, t->closing ? flush_look_ns : sweep_ns));
    }
}

static void transport_free(struct sl_transport *t)
{
    sl_turn_free(t->turn);
    sl_timer_free(t->sweep);
    sl__transport_drop_events(t);
    sl_handles_deinit(&t->streams);
    free(t->peers);
    sl_tls_unref(t->tls);
    free(t);
}

static void transport_on_turn(void *ctx)
{
    struct sl_transport *t = ctx;
    sl__transport_say_events(t);
    if (t->torn_down && t->link_count == 0) {
        struct sl_transport_client client = t->client;
        transport_free(t);
        if (client.on_closed != NULL) {
            client.on_closed(client.ctx);
        }
        return;
    }
    for (uint32_t i = 0; i < t->peer_count && !t->closing; i++) {
        sl__peer_resume(t->peers[i]);
    }
}

/* ---- life ---- */

static void transport_default(sl_ns *value, sl_ns otherwise)
{
    *value = *value == 0 ? otherwise : *value;
}

static void transport_set_limits(struct sl_transport *t, const struct sl_transport_limits *given)
{
    struct sl_transport_limits *l = &t->limits;
    *l = *given;
    l->message_bytes_max = l->message_bytes_max == 0 ? (size_t)256 << 20 : l->message_bytes_max;
    l->receive_bytes_max = l->receive_bytes_max == 0 ? (size_t)1 << 30 : l->receive_bytes_max;
    l->queue_count_max = l->queue_count_max == 0 ? 16384 : l->queue_count_max;
    l->queue_bytes_max = l->queue_bytes_max == 0 ? (size_t)64 << 20 : l->queue_bytes_max;
    l->peer_count_max = l->peer_count_max == 0 ? 1000 : l->peer_count_max;
    l->connection_count_max = l->connection_count_max == 0 ? 2000 : l->connection_count_max;
    transport_default(&l->connect_timeout_ns, 3 * SL_S);
    transport_default(&l->redial_ns, 1 * SL_S);
    transport_default(&l->redial_ns_max, 3 * SL_S);
    transport_default(&l->member_wait_ns, 1 * SL_S);
    transport_default(&l->flush_ns, 500 * SL_MS);
    t->budget.bytes_max = l->receive_bytes_max;
}

enum sl_code sl_transport_open(struct sl_transport **out, const struct sl_transport_opts *opts, struct sl_err *e)
{
    *out = NULL;
    if (sl_node_id_is_none(&opts->self) || opts->address.len == 0 || opts->address.len > SL_ADDRESS_MAX) {
        return sl_err_set(e, SL_BAD_CONFIG, "the node id or the advertise address is empty or too long");
    }
    struct sl_transport *t = calloc(1, sizeof *t);
    if (t == NULL) {
        return sl_err_set(e, SL_NOMEM, "out of memory");
    }
    t->loop = opts->loop;
    t->self = opts->self;
    memcpy(t->address, opts->address.ptr, opts->address.len);
    t->tls = sl_tls_ref(opts->tls);
    t->client = opts->client;
    sl_prng_init(&t->prng, opts->seed);
    transport_set_limits(t, &opts->limits);
    sl_handles_init(&t->streams, t->limits.peer_count_max * STREAMS_PER_PEER_MAX);
    t->turn = sl_turn_new(t->loop, transport_on_turn, t);
    t->sweep = sl_timer_new(t->loop, transport_on_sweep, t);
    if (t->turn == NULL || t->sweep == NULL) {
        transport_free(t);
        return sl_err_set(e, SL_NOMEM, "out of memory");
    }
    *out = t;
    return SL_OK;
}

void sl_transport_close(struct sl_transport *t)
{
    if (t == NULL || t->closing) {
        return;
    }
    t->closing = true;
    t->flush_deadline = sl_ns_after(sl_loop_now(), t->limits.flush_ns);
    t->sweep_armed = true;
    sl_timer_arm(t->sweep, sl_loop_now());
}
