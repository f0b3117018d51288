/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/etcd/etcd_internal.h"

#include <stdlib.h>
#include <string.h>

#define SENT_MAX 512u /* calls open at once; the rest waits here, not in etcd */
#define BAD_MAX 2     /* so many calls in a row without an answer, and another member is tried */

/* ---- lists ---- */

void sl__etcd_op_append(struct etcd_list *list, struct etcd_op *op)
{
    op->list = list;
    op->next = NULL;
    op->prev = list->tail;
    if (list->tail)
        list->tail->next = op;
    else
        list->head = op;
    list->tail = op;
    list->count++;
}

static void op_prepend(struct etcd_list *list, struct etcd_op *op)
{
    op->list = list;
    op->prev = NULL;
    op->next = list->head;
    if (list->head)
        list->head->prev = op;
    else
        list->tail = op;
    list->head = op;
    list->count++;
}

static void op_unlink(struct etcd_op *op)
{
    struct etcd_list *list = op->list;
    if (op->prev)
        op->prev->next = op->next;
    else
        list->head = op->next;
    if (op->next)
        op->next->prev = op->prev;
    else
        list->tail = op->prev;
    list->count--;
    op->list = NULL;
}

void sl__etcd_op_free(struct etcd_op *op)
{
    op_unlink(op);
    op->store->op_bytes -= op->bytes;
    free(op);
}

/* ---- telling the client ---- */

static void op_answer(struct etcd_op *op, const struct sl_store_result *r)
{
    struct etcd_store *s = op->store;
    if (op->is_answered)
        return;
    op->is_answered = true;
    if (!s->is_closing)
        s->base.client.on_result(s->base.client.ctx, r);
}

static void op_answer_short(struct etcd_op *op, enum sl_store_outcome outcome)
{
    const struct sl_store_result r = { .id = op->op.id, .verb = op->op.verb, .outcome = outcome };
    op_answer(op, &r);
}

static void op_refuse(struct etcd_op *op)
{
    op_answer_short(op, SL_STORE_REFUSED);
    sl__etcd_op_free(op);
}

static bool op_only_reads(const struct etcd_op *op)
{
    return op->op.verb == SL_STORE_RANGE || op->op.verb == SL_STORE_WATCH;
}

/* It was sent and there is no answer. */
static void op_is_in_doubt(struct etcd_op *op)
{
    op_answer_short(op, op_only_reads(op) ? SL_STORE_REFUSED : SL_STORE_UNKNOWN);
}

static void watch_tell(struct etcd_op *op, struct sl_store_watch_batch *batch)
{
    struct etcd_store *s = op->store;
    batch->watch = op->op.id;
    if (!s->is_closing)
        s->base.client.on_watch(s->base.client.ctx, batch);
}

/* Says so, or refuses a watch that does not stand yet, and forgets it. */
static void watch_end(struct etcd_op *op, struct sl_store_watch_batch *batch)
{
    if (op->is_answered) {
        watch_tell(op, batch);
    } else {
        const struct sl_store_result r = {
            .id = op->op.id, .verb = op->op.verb, .outcome = batch->why, .compacted_revision = batch->compacted_revision
        };
        op_answer(op, &r);
    }
    sl__etcd_op_free(op);
}

static void watch_break(struct etcd_op *op)
{
    watch_end(op, &(struct sl_store_watch_batch){
                      .ended = true, .why = SL_STORE_REFUSED, .revision = op->next_revision - 1 });
}

void sl__etcd_give_up_sent(struct etcd_store *s)
{
    /* The client may submit meanwhile, which only adds to those that are pending. */
    struct etcd_op *next = NULL;
    for (struct etcd_op *op = s->sent.head; op; op = next) {
        next = op->next;
        op_is_in_doubt(op);
        sl__etcd_op_free(op);
    }
    for (struct etcd_op *op = s->watching.head; op; op = next) {
        next = op->next;
        watch_break(op);
    }
}

void sl__etcd_refuse_pending(struct etcd_store *s)
{
    struct etcd_op *next = NULL;
    for (struct etcd_op *op = s->pending.head; op && !s->is_closing; op = next) {
        next = op->next;
        op_refuse(op);
    }
}

/* ---- how a call ended ---- */

enum op_verdict { VERDICT_NOT_DONE, VERDICT_LEASE_GONE, VERDICT_LOGIN, VERDICT_AGAIN, VERDICT_DOUBT };

static bool status_says(const struct sl_grpc_status *status, const char *words)
{
    return strstr(status->message, words) != NULL;
}

static enum op_verdict op_verdict(const struct sl_grpc_status *status)
{
    switch (status->code) {
    case SL_GRPC_UNAUTHENTICATED:
        return VERDICT_LOGIN;
    case SL_GRPC_NOT_FOUND:
        return status_says(status, "lease not found") ? VERDICT_LEASE_GONE : VERDICT_NOT_DONE;
    case SL_GRPC_INVALID_ARGUMENT:
        return status_says(status, "revision of auth store is old") ? VERDICT_LOGIN : VERDICT_NOT_DONE;
    case SL_GRPC_RESOURCE_EXHAUSTED:
    case SL_GRPC_PERMISSION_DENIED:
    case SL_GRPC_FAILED_PRECONDITION:
    case SL_GRPC_OUT_OF_RANGE:
    case SL_GRPC_UNIMPLEMENTED:
    case SL_GRPC_ALREADY_EXISTS:
        return VERDICT_NOT_DONE;
    case SL_GRPC_UNAVAILABLE:
        /* Said before anything was proposed; other reasons of this code leave it open. */
        if (status_says(status, "etcdserver: no leader"))
            return VERDICT_NOT_DONE;
        return status->never_processed ? VERDICT_AGAIN : VERDICT_DOUBT;
    case SL_GRPC_OK:
    case SL_GRPC_CANCELLED:
    case SL_GRPC_UNKNOWN:
    case SL_GRPC_DEADLINE_EXCEEDED:
    case SL_GRPC_ABORTED:
    case SL_GRPC_INTERNAL:
    case SL_GRPC_DATA_LOSS:
        return status->never_processed ? VERDICT_AGAIN : VERDICT_DOUBT;
    }
    return VERDICT_DOUBT;
}

/* A member that was cut off from the others does not get better by being asked again. */
static void op_note_member(struct etcd_store *s, const struct sl_grpc_status *status)
{
    bool is_bad = status->code == SL_GRPC_DEADLINE_EXCEEDED || status_says(status, "no leader") ||
                  status_says(status, "request timed out");
    s->bad_count = is_bad ? s->bad_count + 1 : 0;
    if (s->bad_count < BAD_MAX)
        return;
    s->must_redial = true;
    sl_turn_wake(s->turn);
}

static void op_send_again(struct etcd_op *op)
{
    struct etcd_store *s = op->store;
    op->call = 0;
    op_unlink(op);
    op_prepend(&s->pending, op);
    sl_turn_wake(s->turn);
}

/* True: it waits for a new token and is sent once more. */
static bool op_logs_in(struct etcd_op *op)
{
    struct etcd_store *s = op->store;
    if (!s->user || op->has_logged_in || s->is_closing)
        return false;
    op->has_logged_in = true;
    op_send_again(op);
    if (s->state == ETCD_CONN_READY)
        sl__etcd_login(s);
    return true;
}

/* Refusals that somebody has to mend: they would meet the next operation too. */
static void op_note_refusal(struct etcd_store *s, const struct sl_grpc_status *status)
{
    bool is_refusal = status->code == SL_GRPC_UNIMPLEMENTED || status->code == SL_GRPC_PERMISSION_DENIED ||
                      (status->code == SL_GRPC_INVALID_ARGUMENT && status_says(status, "user name is empty"));
    if (is_refusal)
        sl__etcd_tell_refusal(s, status);
    else if (status->code == SL_GRPC_OK)
        sl__etcd_tell_well(s);
}

static void op_on_end(void *ctx, const struct sl_grpc_status *status)
{
    struct etcd_op *op = ctx;
    enum op_verdict verdict = op->is_answered ? VERDICT_NOT_DONE : op_verdict(status);
    op_note_member(op->store, status);
    op_note_refusal(op->store, status);
    if (verdict == VERDICT_LOGIN && op_logs_in(op))
        return;
    if (verdict == VERDICT_AGAIN) {
        op_send_again(op);
        return;
    }
    if (verdict == VERDICT_DOUBT)
        op_is_in_doubt(op);
    else
        op_answer_short(op, verdict == VERDICT_LEASE_GONE ? SL_STORE_LEASE_GONE : SL_STORE_REFUSED);
    sl__etcd_op_free(op);
}

static void op_on_message(void *ctx, struct sl_bytes message)
{
    struct etcd_op *op = ctx;
    struct etcd_store *s = op->store;
    struct sl_store_result r;
    if (op->is_answered)
        return;
    s->bad_count = 0;
    sl_arena_reset(&s->arena);
    if (sl__etcd_decode(&op->op, message, &s->arena, &r) == SL_OK)
        op_answer(op, &r);
    else
        op_is_in_doubt(op);
    sl_arena_reset(&s->arena);
}

/* ---- watches ---- */

static void watch_on_end(void *ctx, const struct sl_grpc_status *status)
{
    struct etcd_op *op = ctx;
    op_note_member(op->store, status);
    if (!op->is_answered && op_verdict(status) == VERDICT_LOGIN && op_logs_in(op))
        return;
    if (!op->is_answered && status->never_processed)
        op_send_again(op);
    else
        watch_break(op);
}

static void watch_on_stands(struct etcd_op *op, sl_revision revision)
{
    if (op->is_answered)
        return;
    op->next_revision = op->op.from_revision > 0 ? op->op.from_revision : revision + 1;
    op_unlink(op);
    sl__etcd_op_append(&op->store->watching, op);
    const struct sl_store_result r = { .id = op->op.id, .verb = op->op.verb, .revision = revision };
    op_answer(op, &r);
}

static void watch_on_batch(struct etcd_op *op, struct sl_store_watch_batch *batch)
{
    if (batch->event_count == 0)
        return;
    if (!op->is_answered || batch->events[0].pair.mod_revision < op->next_revision) {
        sl_grpc_client_cancel(op->store->client, op->call);
        watch_break(op);
        return;
    }
    op->next_revision = batch->revision + 1;
    watch_tell(op, batch);
}

static void watch_on_ended(struct etcd_op *op, struct sl_store_watch_batch *batch)
{
    sl_grpc_client_cancel(op->store->client, op->call);
    /* A token that expired looks like a missing permission here. */
    if (!op->is_answered && batch->why == SL_STORE_REFUSED && op_logs_in(op))
        return;
    watch_end(op, batch);
}

static void watch_on_message(void *ctx, struct sl_bytes message)
{
    struct etcd_op *op = ctx;
    struct etcd_store *s = op->store;
    enum sl_etcd_watch_said said = SL_ETCD_WATCH_BATCH;
    struct sl_store_watch_batch batch;
    struct sl_str reason;
    sl_revision revision = 0;
    if (s->is_closing)
        return;
    s->bad_count = 0;
    sl_arena_reset(&s->arena);
    if (sl__etcd_decode_watch(message, &s->arena, &said, &revision, &batch, &reason) != SL_OK) {
        sl_grpc_client_cancel(s->client, op->call);
        watch_break(op);
        return;
    }
    switch (said) {
    case SL_ETCD_WATCH_STANDS:
        watch_on_stands(op, revision);
        return;
    case SL_ETCD_WATCH_BATCH:
        watch_on_batch(op, &batch);
        return;
    case SL_ETCD_WATCH_ENDED:
        watch_on_ended(op, &batch);
        return;
    }
    SL_UNREACHABLE();
}

static struct etcd_op *watch_find(const struct etcd_list *list, sl_op_id id)
{
    struct etcd_op *op = list->head;
    while (op && (op->op.verb != SL_STORE_WATCH || op->op.id != id))
        op = op->next;
    return op;
}

/* Ends the watch that this operation names, whether it stands or not, and answers it. */
static void op_unwatch(struct etcd_op *op)
{
    struct etcd_store *s = op->store;
    struct etcd_list *const lists[] = { &s->watching, &s->sent, &s->pending };
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        struct etcd_op *w = watch_find(lists[i], op->op.watch);
        if (!w)
            continue;
        if (w->call != 0)
            sl_grpc_client_cancel(s->client, w->call);
        op_answer_short(w, SL_STORE_REFUSED);
        sl__etcd_op_free(w);
    }
    op_answer_short(op, SL_STORE_OK);
    sl__etcd_op_free(op);
}

/* ---- sending ---- */

static enum sl_code op_call(struct etcd_op *op, struct sl_bytes request, sl_ns now)
{
    static const struct sl_grpc_call_events call_events = { .on_message = op_on_message, .on_end = op_on_end };
    static const struct sl_grpc_call_events watch_events = { .on_message = watch_on_message, .on_end = watch_on_end };
    struct etcd_store *s = op->store;
    struct sl_grpc_metadata metadata[2];
    bool is_watch = op->op.verb == SL_STORE_WATCH;
    const struct sl_grpc_call_opts opts = { .path = sl__etcd_path(op->op.verb),
                                            .metadata = metadata,
                                            .metadata_count = sl__etcd_metadata(s, metadata),
                                            .timeout_ns = is_watch ? 0 : op->deadline - now,
                                            .events = is_watch ? &watch_events : &call_events,
                                            .ctx = op };
    if (!is_watch)
        return sl_grpc_client_unary(s->client, &op->call, &opts, request, NULL);
    enum sl_code code = sl_grpc_client_call(s->client, &op->call, &opts, NULL);
    if (code == SL_OK && sl_grpc_client_send(s->client, op->call, request) != SL_OK) {
        sl_grpc_client_cancel(s->client, op->call);
        return SL_NOMEM;
    }
    return code;
}

/* False: not now, and what stands behind it neither. */
static bool op_send(struct etcd_op *op, sl_ns now)
{
    struct etcd_store *s = op->store;
    struct sl_bytes request;
    sl_arena_reset(&s->arena);
    enum sl_code code = sl__etcd_is_legal(&op->op) ? sl__etcd_encode(&op->op, &s->arena, &request) : SL_REFUSED;
    if (code == SL_OK)
        code = op_call(op, request, now);
    sl_arena_reset(&s->arena);
    if (code == SL_NOT_READY || code == SL_LIMIT)
        return false;
    if (code != SL_OK) {
        op_refuse(op);
        return true;
    }
    op_unlink(op);
    sl__etcd_op_append(&s->sent, op);
    return true;
}

/* Calls give up by themselves; a watch that was asked for and does not stand in time does not. */
static void ops_end_late_watches(struct etcd_store *s, sl_ns now)
{
    struct etcd_op *next = NULL;
    for (struct etcd_op *op = s->sent.head; op && !s->is_closing; op = next) {
        next = op->next;
        if (op->op.verb != SL_STORE_WATCH || op->deadline > now)
            continue;
        sl_grpc_client_cancel(s->client, op->call);
        watch_break(op);
    }
}

/* Those at the end of the queue are looked at too: giving up and ending a watch need no connection. */
void sl__etcd_flush(struct etcd_store *s)
{
    sl_ns now = sl_loop_now();
    bool can_send = true;
    ops_end_late_watches(s, now);
    struct etcd_op *next = NULL;
    for (struct etcd_op *op = s->pending.head; op && !s->is_closing; op = next) {
        next = op->next;
        if (op->op.verb == SL_STORE_UNWATCH) {
            op_unwatch(op);
        } else if (op->deadline <= now) {
            op_refuse(op);
        } else {
            can_send = can_send && s->state == ETCD_CONN_READY && s->sent.count < SENT_MAX && op_send(op, now);
        }
    }
}
