/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"
#include "core/manager/manager_internal.h"

/* Small enough that a step which has little room left can still send some of the statuses. */
#define REPORT_MESSAGE_BYTES_MAX ((size_t)64 * 1024)
#define REPORT_STATUSES_MAX 512u
/* Low-latency feeds ask for a message with every checkpoint; together they get one per this time. */
#define REPORT_PROMPT_NS (10 * SL_MS)

struct report_batch {
    uint32_t count;
    size_t bytes;
    Pb__MaintainerStatus *statuses[REPORT_STATUSES_MAX];
    uint32_t handles[REPORT_STATUSES_MAX];
};

/* ---- when ---- */

void sl__report_prompt(struct sl_manager *m)
{
    m->set.report_at = sl_ns_min(m->set.report_at, sl_ns_after(m->set.reported_at, REPORT_PROMPT_NS));
}

/* Without a maintainer there is nothing to say, and without a coordinator nobody to hear it. */
sl_ns sl__report_deadline(const struct sl_manager *m)
{
    return m->scope.version > 0 && m->set.order.count > 0 ? m->set.report_at : SL_NEVER;
}

/* ---- statuses that are due ---- */

/* What could not be sent is due again at the next round. */
static bool report_flush(struct sl_manager *m, struct report_batch *b, struct sl_outbox *out)
{
    if (b->count == 0)
        return true;
    Pb__MaintainerHeartbeat message = PB__MAINTAINER_HEARTBEAT__INIT;
    message.n_statuses = b->count;
    message.statuses = b->statuses;
    bool sent = sl_out_send(out, sl__scope_coordinator(m), SL_MSG_MAINTAINER_HEARTBEAT_REQUEST, &message.base);
    for (uint32_t i = 0; i < b->count && !sent; i++)
        sl_maintainer_touch(sl__set_entry(m, b->handles[i])->maintainer);
    b->count = 0;
    b->bytes = 0;
    return sent;
}

/* Null if even an empty scratch memory does not hold it: then it stays due. */
static Pb__MaintainerStatus *report_fill(struct sl_manager *m, uint32_t handle, struct report_batch *b,
                                         struct sl_outbox *out)
{
    struct sl_maintainer *maintainer = sl__set_entry(m, handle)->maintainer;
    Pb__MaintainerStatus *status = sl_maintainer_status_fill(maintainer, m->now, &m->set.scratch);
    if (status || b->count == 0 || !report_flush(m, b, out))
        return status;
    sl_arena_reset(&m->set.scratch);
    return sl_maintainer_status_fill(maintainer, m->now, &m->set.scratch);
}

static bool report_add(struct sl_manager *m, uint32_t handle, struct report_batch *b, struct sl_outbox *out)
{
    Pb__MaintainerStatus *status = report_fill(m, handle, b, out);
    if (!status)
        return true;
    size_t bytes = pb__maintainer_status__get_packed_size(status);
    bool fits = b->count < REPORT_STATUSES_MAX && b->bytes + bytes <= REPORT_MESSAGE_BYTES_MAX;
    bool sent = fits || report_flush(m, b, out);
    b->statuses[b->count] = status;
    b->handles[b->count++] = handle;
    b->bytes += bytes;
    return sent;
}

static void report_due_statuses(struct sl_manager *m, struct sl_outbox *out)
{
    struct report_batch batch = { .count = 0 };
    bool sent = true;
    sl_arena_reset(&m->set.scratch);
    for (uint32_t h = sl__set_next(m, 0); h != 0 && sent; h = sl__set_next(m, h)) {
        if (sl_maintainer_status_is_due(sl__set_entry(m, h)->maintainer, m->now, m->opts.status_resend_ns))
            sent = report_add(m, h, &batch, out);
    }
    report_flush(m, &batch, out);
}

void sl__report_run(struct sl_manager *m, struct sl_outbox *out)
{
    if (m->now < sl__report_deadline(m))
        return;
    m->set.reported_at = m->now;
    m->set.report_at = sl_ns_after(m->now, m->opts.tick_ns);
    if (sl__scope_coordinator(m) != SL_NODE_NONE)
        report_due_statuses(m, out);
    sl__set_forget_closed(m, out);
}

/* ---- all statuses ---- */

bool sl__report_all(struct sl_manager *m, Pb__MaintainerStatus ***statuses, size_t *count)
{
    uint32_t filled = 0;
    *count = 0;
    sl_arena_reset(&m->set.scratch);
    *statuses = sl_arena_alloc(&m->set.scratch, m->set.order.count * sizeof **statuses);
    bool ok = *statuses != NULL;
    for (uint32_t h = sl__set_next(m, 0); h != 0 && ok; h = sl__set_next(m, h)) {
        (*statuses)[filled] = sl_maintainer_status_fill(sl__set_entry(m, h)->maintainer, m->now, &m->set.scratch);
        ok = (*statuses)[filled++] != NULL;
    }
    if (!ok) {
        *statuses = NULL;
        sl__report_undo(m);
        return false;
    }
    *count = filled;
    return true;
}

void sl__report_undo(struct sl_manager *m)
{
    for (uint32_t h = sl__set_next(m, 0); h != 0; h = sl__set_next(m, h))
        sl_maintainer_touch(sl__set_entry(m, h)->maintainer);
}

/* ---- a feed that is not here ---- */

/* Constant texts only: nothing of the request but its feed id and epoch may come back. */
static void report_fill_refusal(struct sl_manager *m, Pb__RunningError *error, enum sl_refusal reason)
{
    static const char code[] = "CDC:ErrSluiceRefused";
    const struct sl_members *members = m->opts.members;
    pb__running_error__init(error);
    error->node = (char *)sl_members_id(members, sl_members_self(members))->text;
    error->code = (char *)code;
    error->message = (char *)sl_refusal_text(reason);
}

void sl__report_absent(struct sl_manager *m, const struct sl_feed_id *id, uint64_t epoch, enum sl_refusal reason,
                       struct sl_outbox *out)
{
    sl_node_ref to = sl__scope_coordinator(m);
    SL_REQUIRE(to != SL_NODE_NONE);
    Pb__ChangefeedID changefeed = sl_feed_id_pb(id);
    Pb__RunningError error, *errors = &error;
    Pb__MaintainerStatus status = PB__MAINTAINER_STATUS__INIT, *statuses = &status;
    Pb__MaintainerHeartbeat message = PB__MAINTAINER_HEARTBEAT__INIT;
    status.changefeed = &changefeed;
    status.state = PB__COMPONENT_STATE__STOPPED;
    status.maintainer_epoch = epoch;
    if (reason != SL_REFUSE_NONE) {
        report_fill_refusal(m, &error, reason);
        status.n_errors = 1;
        status.errors = &errors;
    }
    message.n_statuses = 1;
    message.statuses = &statuses;
    sl_out_send(out, to, SL_MSG_MAINTAINER_HEARTBEAT_REQUEST, &message.base);
}
