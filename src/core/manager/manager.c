/* SPDX-License-Identifier: Apache-2.0 */
#include "core/manager/manager.h"

#include "base/check.h"
#include "core/common/mem_tags.h"
#include "core/manager/manager_internal.h"

#include <stddef.h>

enum sl_code sl_manager_new(struct sl_manager **out, const struct sl_manager_opts *opts, sl_ns now)
{
    SL_REQUIRE(opts->node_epoch != 0 && opts->feed_count_max > 0);
    SL_REQUIRE(opts->tick_ns > 0 && opts->heartbeat_ns > 0 && opts->heartbeat_min_ns > 0 && opts->status_resend_ns > 0);
    *out = NULL;
    struct sl_manager *m = sl_mem_alloc(opts->mem, SL_TAG_MANAGER, sizeof *m);
    if (!m)
        return SL_NOMEM;
    m->opts = *opts;
    m->now = now;
    m->scope.node_epoch = opts->node_epoch;
    sl_pacer_init(&m->pacer, &opts->pacer);
    sl__set_init(m, now);
    *out = m;
    return SL_OK;
}

void sl_manager_free(struct sl_manager *m)
{
    if (!m)
        return;
    sl__set_deinit(m);
    sl_mem_free(m->opts.mem, SL_TAG_MANAGER, m, sizeof *m);
}

/* After every step. */
static void manager_check(struct sl_manager *m)
{
    const struct sl__scope *s = &m->scope;
    SL_REQUIRE(s->version >= m->seen.version);
    SL_REQUIRE(s->node_epoch > m->seen.node_epoch ||
               (s->node_epoch == m->seen.node_epoch && s->liveness >= m->seen.liveness));
    SL_REQUIRE(s->node_epoch == m->seen.node_epoch || m->seen.liveness != SL_LIVENESS_STOPPING);
    SL_REQUIRE(s->targets.version >= m->seen.target_version && s->reported.epoch == s->targets.version);
    SL_REQUIRE((s->version > 0) == !sl_node_id_is_none(&s->coordinator));
    SL_REQUIRE(!s->wants_stop || s->liveness == SL_LIVENESS_STOPPING);
    m->seen.version = s->version;
    m->seen.node_epoch = s->node_epoch;
    m->seen.liveness = s->liveness;
    m->seen.target_version = s->targets.version;
    sl__set_check(m);
}

void sl__manager_begin(struct sl_manager *m, sl_ns now)
{
    SL_REQUIRE(now >= m->now);
    m->now = now;
}

/* ---- messages ---- */

typedef enum sl_refusal manager_handler(struct sl_manager *m, const ProtobufCMessage *message, struct sl_outbox *out);

static enum sl_refusal manager_on_add(struct sl_manager *m, const ProtobufCMessage *message, struct sl_outbox *out)
{
    return sl__admission_on_add(m, (const Pb__AddMaintainerRequest *)(const void *)message, out);
}

static enum sl_refusal manager_on_remove(struct sl_manager *m, const ProtobufCMessage *message, struct sl_outbox *out)
{
    return sl__admission_on_remove(m, (const Pb__RemoveMaintainerRequest *)(const void *)message, out);
}

static enum sl_refusal manager_on_liveness(struct sl_manager *m, const ProtobufCMessage *message, struct sl_outbox *out)
{
    return sl__scope_on_liveness(m, (const Pb__SetNodeLivenessRequest *)(const void *)message, out);
}

static enum sl_refusal manager_on_target(struct sl_manager *m, const ProtobufCMessage *message, struct sl_outbox *out)
{
    return sl__scope_on_target(m, (const Pb__SetDispatcherDrainTargetRequest *)(const void *)message, out);
}

/* Requests of the coordinator: nobody else is heard. */
static const struct manager_request {
    enum sl_msg_type type;
    manager_handler *handler;
} manager_requests[] = {
    { SL_MSG_ADD_MAINTAINER_REQUEST, manager_on_add },
    { SL_MSG_REMOVE_MAINTAINER_REQUEST, manager_on_remove },
    { SL_MSG_SET_NODE_LIVENESS_REQUEST, manager_on_liveness },
    { SL_MSG_SET_DISPATCHER_DRAIN_TARGET_REQUEST, manager_on_target },
};

/* Messages for a maintainer: where each of them names its feed. The maintainer knows whom it believes. */
static const struct manager_route {
    enum sl_msg_type type;
    size_t changefeed;
} manager_routes[] = {
    { SL_MSG_HEART_BEAT_REQUEST, offsetof(Pb__HeartBeatRequest, changefeed) },
    { SL_MSG_CHECKPOINT_TS_MESSAGE, offsetof(Pb__CheckpointTsMessage, changefeed) },
    { SL_MSG_BLOCK_STATUS_REQUEST, offsetof(Pb__BlockStatusRequest, changefeed) },
    { SL_MSG_MAINTAINER_BOOTSTRAP_RESPONSE, offsetof(Pb__MaintainerBootstrapResponse, changefeed) },
    { SL_MSG_MAINTAINER_POST_BOOTSTRAP_RESPONSE, offsetof(Pb__MaintainerPostBootstrapResponse, changefeed) },
    { SL_MSG_MAINTAINER_CLOSE_RESPONSE, offsetof(Pb__MaintainerCloseResponse, changefeed) },
};

static enum sl_refusal manager_pass_on(struct sl_manager *m, sl_node_ref from, const struct manager_route *route,
                                       const ProtobufCMessage *message, struct sl_outbox *out)
{
    const void *field = (const char *)message + route->changefeed;
    Pb__ChangefeedID *const *changefeed = field;
    struct sl_feed_id id;
    if (!sl_feed_id_set(&id, *changefeed))
        return SL_REFUSE_BAD_ID;
    uint32_t handle = sl__set_find(m, &id);
    if (handle == 0)
        return SL_REFUSE_UNKNOWN_FEED;
    struct sl_maintainer *maintainer = sl__set_entry(m, handle)->maintainer;
    enum sl_refusal refusal = sl_maintainer_on_message(maintainer, m->now, from, route->type, message, out);
    sl__set_refresh(m, handle);
    return refusal;
}

static enum sl_refusal manager_dispatch(struct sl_manager *m, sl_node_ref from, enum sl_msg_type type,
                                        const ProtobufCMessage *message, struct sl_outbox *out)
{
    if (type == SL_MSG_COORDINATOR_BOOTSTRAP_REQUEST)
        return sl__scope_on_bootstrap(m, from, (const Pb__CoordinatorBootstrapRequest *)(const void *)message, out);
    for (size_t i = 0; i < sizeof manager_requests / sizeof manager_requests[0]; i++) {
        if (manager_requests[i].type != type)
            continue;
        enum sl_refusal refusal = sl__scope_check_sender(m, from);
        return refusal != SL_REFUSE_NONE ? refusal : manager_requests[i].handler(m, message, out);
    }
    for (size_t i = 0; i < sizeof manager_routes / sizeof manager_routes[0]; i++) {
        if (manager_routes[i].type == type)
            return manager_pass_on(m, from, &manager_routes[i], message, out);
    }
    return SL_REFUSE_NOT_HANDLED;
}

enum sl_refusal sl_manager_on_message(struct sl_manager *m, sl_ns now, sl_node_ref from, enum sl_msg_type type,
                                      const ProtobufCMessage *message, const struct sl_hosted *hosted,
                                      struct sl_outbox *out)
{
    sl__manager_begin(m, now);
    m->scope.hosted = *hosted;
    enum sl_refusal refusal = manager_dispatch(m, from, type, message, out);
    sl__scope_note_hosted(m, out);
    manager_check(m);
    return refusal;
}

/* ---- other inputs ---- */

void sl_manager_on_members(struct sl_manager *m, sl_ns now, const struct sl_members_change *change,
                           struct sl_outbox *out)
{
    sl__manager_begin(m, now);
    sl__set_fan_out_members(m, change, out);
    manager_check(m);
}

bool sl_manager_wants_members_read(const struct sl_manager *m)
{
    return m->set.unread_count > 0;
}

void sl_manager_on_members_read_begun(struct sl_manager *m, uint64_t number)
{
    for (uint32_t h = sl__set_next(m, 0); h != 0 && m->set.unread_count > 0; h = sl__set_next(m, h)) {
        struct sl__entry *e = sl__set_entry(m, h);
        m->set.unread_count -= e->members_read == SL__MEMBERS_UNREAD;
        m->set.reading_count += e->members_read == SL__MEMBERS_UNREAD;
        e->members_read = e->members_read == SL__MEMBERS_UNREAD ? number : e->members_read;
    }
    manager_check(m);
}

void sl_manager_on_members_read(struct sl_manager *m, sl_ns now, uint64_t done, struct sl_outbox *out)
{
    sl__manager_begin(m, now);
    for (uint32_t h = sl__set_next(m, 0); h != 0 && m->set.reading_count > 0; h = sl__set_next(m, h)) {
        struct sl__entry *e = sl__set_entry(m, h);
        if (e->members_read == SL__MEMBERS_READ || e->members_read > done)
            continue;
        sl__set_note_members_read(m, e);
        sl_maintainer_on_members_read(e->maintainer, now, out);
        sl__set_refresh(m, h);
    }
    manager_check(m);
}

void sl_manager_on_schema(struct sl_manager *m, sl_ns now, const struct sl_in_schema *schema, struct sl_outbox *out)
{
    sl__manager_begin(m, now);
    uint32_t handle = sl__set_find(m, &schema->feed);
    if (handle != 0) {
        sl_maintainer_on_schema(sl__set_entry(m, handle)->maintainer, now, schema, out);
        sl__set_refresh(m, handle);
    }
    manager_check(m);
}

void sl_manager_on_schema_change(struct sl_manager *m, sl_ns now, const struct sl_in_schema_change *change,
                                 struct sl_outbox *out)
{
    sl__manager_begin(m, now);
    uint32_t handle = sl__set_find(m, &change->feed);
    if (handle != 0) {
        sl_maintainer_on_schema_change(sl__set_entry(m, handle)->maintainer, now, change, out);
        sl__set_refresh(m, handle);
    }
    manager_check(m);
}

/* Maintainers first, so that the statuses sent are those after their ticks. */
void sl_manager_on_tick(struct sl_manager *m, sl_ns now, const struct sl_hosted *hosted, struct sl_outbox *out)
{
    sl__manager_begin(m, now);
    m->scope.hosted = *hosted;
    sl__set_run(m, out);
    sl__scope_run(m, out);
    sl__report_run(m, out);
    sl__scope_note_hosted(m, out);
    manager_check(m);
}

void sl_manager_on_hosted(struct sl_manager *m, sl_ns now, const struct sl_hosted *hosted, struct sl_outbox *out)
{
    sl__manager_begin(m, now);
    m->scope.hosted = *hosted;
    sl__scope_note_hosted(m, out);
    manager_check(m);
}

sl_ns sl_manager_deadline(const struct sl_manager *m)
{
    return sl_ns_min(sl__set_deadline(m), sl_ns_min(sl__scope_deadline(m), sl__report_deadline(m)));
}

void sl_manager_fence(struct sl_manager *m)
{
    (void)sl_liveness_step(&m->scope.liveness, SL_LIVENESS_DRAINING);
    (void)sl_liveness_step(&m->scope.liveness, SL_LIVENESS_STOPPING);
    SL_REQUIRE(m->scope.liveness == SL_LIVENESS_STOPPING);
    manager_check(m);
}

/* ---- views ---- */

enum sl_liveness sl_manager_liveness(const struct sl_manager *m)
{
    return m->scope.liveness;
}

uint64_t sl_manager_node_epoch(const struct sl_manager *m)
{
    return m->scope.node_epoch;
}

bool sl_manager_wants_stop(const struct sl_manager *m)
{
    return m->scope.wants_stop;
}

const struct sl_target_set *sl_manager_targets(const struct sl_manager *m)
{
    return &m->scope.targets;
}

const struct sl_drain_target *sl_manager_target(const struct sl_manager *m)
{
    return &m->scope.reported;
}

uint32_t sl_manager_maintainer_count(const struct sl_manager *m)
{
    return m->set.order.count - m->set.closed_count;
}

uint32_t sl_manager_next(const struct sl_manager *m, uint32_t after, const struct sl_maintainer **maintainer)
{
    *maintainer = NULL;
    while ((after = sl__set_next(m, after)) != 0) {
        *maintainer = sl__set_entry(m, after)->maintainer;
        if (!sl_maintainer_is_closed(*maintainer))
            break;
    }
    return after;
}

struct sl_maintainer *sl_manager_find(struct sl_manager *m, const struct sl_feed_id *id)
{
    uint32_t handle = sl__set_find(m, id);
    return handle != 0 ? sl__set_entry(m, handle)->maintainer : NULL;
}
