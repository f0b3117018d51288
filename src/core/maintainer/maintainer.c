/* SPDX-License-Identifier: Apache-2.0 */
#include "core/maintainer/maintainer.h"

#include "base/prng.h"
#include "core/common/mem_tags.h"
#include "core/maintainer/maintainer_internal.h"
#include "wire/feed_config.h"

#include <string.h>

/* Streams of the maintainer's seed. */
enum { MAINTAINER_STREAM_REQUESTS = 1 };

/* The flattened configuration is a selection of the record's values under somewhat longer keys, with some of ours. */
#define MAINTAINER_CONFIG_GROWTH 2
#define MAINTAINER_CONFIG_BYTES_OURS ((size_t)64 * 1024)

/* ---- life ---- */

static size_t maintainer_nodes_bytes(const struct sl_maintainer *m)
{
    return ((size_t)sl_members_ref_max(m->opts.members) + 1) * sizeof(struct sl__node);
}

/* With a NUL behind it; null if it is empty. */
static enum sl_code maintainer_keep(struct sl_maintainer *m, struct sl_secret secret, uint8_t **copy, size_t *len)
{
    struct sl_bytes bytes = sl_secret_reveal(secret);
    if (bytes.len == 0)
        return SL_OK;
    *copy = sl_mem_alloc(m->opts.mem, SL_TAG_MAINTAINER, bytes.len + 1);
    if (!*copy)
        return SL_NOMEM;
    *len = bytes.len;
    memcpy(*copy, bytes.ptr, bytes.len);
    return SL_OK;
}

/* The configuration that every bootstrap request carries is built once. */
static enum sl_code maintainer_build_config(struct sl_maintainer *m, struct sl_secret json)
{
    struct sl_feed_info info;
    if (sl_feed_info_parse(&info, json, m->opts.config_bytes_max) != SL_REFUSE_NONE)
        return SL_BAD_CONFIG;
    m->low_latency = info.low_latency;
    struct sl_arena arena;
    size_t bytes_max = sl_secret_reveal(json).len * MAINTAINER_CONFIG_GROWTH + MAINTAINER_CONFIG_BYTES_OURS;
    sl_arena_init(&arena, m->opts.mem, SL_TAG_MAINTAINER, bytes_max);
    struct sl_secret config;
    enum sl_refusal refusal = sl_feed_bootstrap_config(&config, json, SL_STR("UTC"), &arena);
    enum sl_code code = SL_OK;
    if (refusal == SL_REFUSE_NONE)
        code = maintainer_keep(m, config, &m->config, &m->config_len);
    else
        code = refusal == SL_REFUSE_OUT_OF_MEMORY ? SL_NOMEM : SL_BAD_CONFIG;
    sl_arena_deinit(&arena);
    return code;
}

static enum sl_code maintainer_init_parts(struct sl_maintainer *m, const struct sl_maintainer_opts *opts)
{
    enum sl_code code = sl_bootstrap_init(&m->bootstrap, m->opts.mem, SL_TAG_MAINTAINER,
                                          sl_members_ref_max(m->opts.members), m->opts.limits.bootstrap_resend_ns);
    if (code != SL_OK)
        return code;
    m->nodes = sl_mem_alloc(m->opts.mem, SL_TAG_MAINTAINER, maintainer_nodes_bytes(m));
    if (!m->nodes)
        return SL_NOMEM;
    if (m->opts.remove_only)
        return SL_OK;
    code = maintainer_keep(m, opts->source, &m->source, &m->source_len);
    return code == SL_OK ? maintainer_build_config(m, opts->config) : code;
}

static void maintainer_init(struct sl_maintainer *m, const struct sl_maintainer_opts *opts, sl_ns now)
{
    m->opts = *opts;
    m->has_members = !opts->reads_members;
    m->id = *opts->id;
    m->opts.id = &m->id;
    m->opts.config = m->opts.source = (struct sl_secret){ 0 };
    m->self = *sl_members_id(opts->members, sl_members_self(opts->members));
    m->is_new = opts->is_new;
    m->now = now;
    m->checkpoint = (struct sl_checkpoint){ .committed = opts->checkpoint,
                                            .working = opts->checkpoint,
                                            .resolved = opts->checkpoint };
    /* An answer meant for an earlier maintainer of the feed must not fit: the numbers begin somewhere in 2^63. */
    m->schema = (struct sl__schema){ .request_next = sl_prng_at(opts->seed, MAINTAINER_STREAM_REQUESTS, 0) >> 1 | 1,
                                     .missing_from = SL_TS_MAX };
    m->silence_at = SL_NEVER;
    m->round.limit = SL_TS_MAX;
    m->closing.give_up_at = SL_NEVER;
    m->report.is_dirty = true;
    sl__trigger_init(m);
}

enum sl_code sl_maintainer_new(struct sl_maintainer **out, const struct sl_maintainer_opts *opts, sl_ns now)
{
    SL_REQUIRE(opts->checkpoint != SL_TS_NONE && (opts->epoch != 0 || opts->interop));
    *out = NULL;
    struct sl_maintainer *m = sl_mem_alloc(opts->mem, SL_TAG_MAINTAINER, sizeof *m);
    if (!m)
        return SL_NOMEM;
    maintainer_init(m, opts, now);
    enum sl_code code = maintainer_init_parts(m, opts);
    if (code != SL_OK) {
        sl_maintainer_free(m);
        return code;
    }
    *out = m;
    return SL_OK;
}

/* Everything that is kept of a node. */
static void maintainer_drop_node(struct sl_maintainer *m, sl_node_ref ref)
{
    sl__feed_bootstrap_drop_node(m, ref);
    sl__status_drop_error(m, ref);
    sl__unlisted_drop_node(m, ref);
    m->nodes[ref] = (struct sl__node){ 0 };
}

void sl_maintainer_free(struct sl_maintainer *m)
{
    if (!m)
        return;
    sl_control_free(m->control);
    if (m->nodes) {
        for (sl_node_ref ref = 1; ref <= sl_members_ref_max(m->opts.members); ref++)
            maintainer_drop_node(m, ref);
        sl_mem_free(m->opts.mem, SL_TAG_MAINTAINER, m->nodes, maintainer_nodes_bytes(m));
    }
    if (m->bootstrap.mem)
        sl_bootstrap_deinit(&m->bootstrap);
    sl__unlisted_clear(m);
    sl__barrier_clear(m);
    sl_mem_free(m->opts.mem, SL_TAG_MAINTAINER, m->config, m->config ? m->config_len + 1 : 0);
    sl_mem_free(m->opts.mem, SL_TAG_MAINTAINER, m->source, m->source ? m->source_len + 1 : 0);
    sl_mem_free(m->opts.mem, SL_TAG_MAINTAINER, m, sizeof *m);
}

/* ---- the state ---- */

struct maintainer_state_row {
    const char *name;
    uint32_t next;
};

static const struct maintainer_state_row maintainer_state_rows[SL__MAINTAINER_STATE_COUNT] = {
#define SL__TO(name) (1u << SL__MAINTAINER_##name)
#define SL__STATE_ROW(name, text, next) [SL__MAINTAINER_##name] = { text, next },
    SL__MAINTAINER_STATES(SL__STATE_ROW)
#undef SL__STATE_ROW
#undef SL__TO
};

void sl__maintainer_set_state(struct sl_maintainer *m, enum sl__maintainer_state state, struct sl_outbox *out)
{
    const struct maintainer_state_row *from = &maintainer_state_rows[m->state];
    SL_REQUIRE(from->next & (1u << state));
    m->state = state;
    m->report.is_dirty = true;
    m->report.closed_was_taken = false;
    sl_out_event(out, SL_EV_MAINTAINER_STATE, sl_f_str("feed", sl_feed_id_name(&m->id)),
                 sl_f_str("from", sl_str_of(from->name)), sl_f_str("to", sl_str_of(maintainer_state_rows[state].name)),
                 sl_f_u64("epoch", m->opts.epoch));
}

/* Counters and lists against a full count (T4). A feed of more spans would make debug builds crawl. */
#define MAINTAINER_RECOUNT_SPANS_MAX 64

static bool maintainer_counts_fit(const struct sl_maintainer *m)
{
    if (m->control && sl_control_span_count(m->control) <= MAINTAINER_RECOUNT_SPANS_MAX)
        sl__control_check(m->control);
    return true;
}

static bool maintainer_targets_fit(const struct sl_maintainer *m)
{
    for (uint32_t i = 0; i < m->targets.count; i++) {
        sl_node_ref ref = m->target_refs[i];
        if (ref != SL_NODE_NONE && !sl_node_id_eq(sl_members_id(m->opts.members, ref), &m->targets.targets[i].node))
            return false;
    }
    return true;
}

/* What must hold at the end of every step. */
static void maintainer_check(const struct sl_maintainer *m)
{
    bool closes = m->state == SL__MAINTAINER_CLOSING || m->state == SL__MAINTAINER_CLOSED;
    SL_REQUIRE(m->checkpoint.committed >= m->opts.checkpoint);
    SL_REQUIRE(m->checkpoint.committed >= m->checkpoint.working);
    SL_REQUIRE(m->state != SL__MAINTAINER_BOOTSTRAPPING || (!m->control && !m->is_bootstrapped));
    SL_REQUIRE(m->state != SL__MAINTAINER_RUNNING || (m->control && m->is_bootstrapped));
    SL_REQUIRE((m->control != NULL) == m->is_bootstrapped);
    SL_REQUIRE(!m->opts.remove_only || !m->control);
    SL_REQUIRE(closes == (m->closing.phase != SL__CLOSE_NONE));
    SL_REQUIRE(m->closing.cascade == (m->closing.phase == SL__CLOSE_DISPATCHERS));
    SL_REQUIRE(maintainer_targets_fit(m));
    SL_REQUIRE(!m->report.closed_was_taken || m->state == SL__MAINTAINER_CLOSED);
    SL_HOT(maintainer_counts_fit(m));
}

/* ---- what the files share ---- */

struct sl__node *sl__maintainer_node(const struct sl_maintainer *m, sl_node_ref ref)
{
    SL_REQUIRE(ref != SL_NODE_NONE && ref <= sl_members_ref_max(m->opts.members));
    return &m->nodes[ref];
}

struct sl_str sl__maintainer_node_str(const struct sl_maintainer *m, sl_node_ref ref)
{
    return ref == SL_NODE_NONE ? SL_STR("") : sl_node_id_str(sl_members_id(m->opts.members, ref));
}

bool sl__maintainer_response_fits(const struct sl_maintainer *m, uint64_t epoch)
{
    return epoch == m->opts.epoch || (m->opts.interop && (epoch == 0 || m->opts.epoch == 0));
}

void sl__maintainer_heard(struct sl_maintainer *m, sl_node_ref from)
{
    sl__maintainer_node(m, from)->heard_at = m->now;
    sl_bootstrap_heard(&m->bootstrap, from);
}

void sl__maintainer_note_liveness(struct sl_maintainer *m, sl_node_ref from, Pb__NodeLiveness liveness)
{
    struct sl__node *node = sl__maintainer_node(m, from);
    if ((int)node->liveness == (int)liveness)
        return;
    node->liveness = (enum sl_liveness)liveness;
    if (m->control)
        sl_control_node_liveness(m->control, from, node->liveness);
}

void sl__maintainer_tell_targets(const struct sl_maintainer *m, struct sl_control *control, struct sl_outbox *out)
{
    struct sl_control_target targets[SL_TARGETS_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < m->targets.count; i++) {
        if (m->target_refs[i] != SL_NODE_NONE)
            targets[count++] = (struct sl_control_target){ m->target_refs[i], m->targets.targets[i].epoch };
    }
    sl_control_set_targets(control, m->now, targets, count, out);
}

void sl__maintainer_sync_targets(struct sl_maintainer *m, struct sl_outbox *out)
{
    for (uint32_t i = 0; i < m->targets.count; i++)
        m->target_refs[i] = sl_members_find(m->opts.members, &m->targets.targets[i].node);
    if (m->control)
        sl__maintainer_tell_targets(m, m->control, out);
}

/* ---- steps ---- */

static void maintainer_begin_step(struct sl_maintainer *m, sl_ns now)
{
    SL_REQUIRE(now >= m->now);
    m->now = now;
}

/* Every step ends here: what became due or possible by it happens at once. */
static void maintainer_end_step(struct sl_maintainer *m, struct sl_outbox *out)
{
    sl__close_run(m, out);
    sl__trigger_run(m, out);
    sl__barrier_run(m, out);
    sl__feed_bootstrap_run(m, out);
    sl__maintainer_round(m);
    sl__unlisted_run(m, out);
    sl__status_note_progress(m);
    maintainer_check(m);
}

void sl_maintainer_start(struct sl_maintainer *m, sl_ns now, struct sl_outbox *out)
{
    SL_REQUIRE(!m->is_started);
    maintainer_begin_step(m, now);
    m->is_started = true;
    if (!m->opts.remove_only && m->state == SL__MAINTAINER_BOOTSTRAPPING)
        sl__feed_bootstrap_begin(m);
    maintainer_end_step(m, out);
}

static enum sl_refusal maintainer_forward_checkpoint(struct sl_maintainer *m, const ProtobufCMessage *message,
                                                     struct sl_outbox *out)
{
    if (!m->control)
        return SL_REFUSE_NOT_BOOTSTRAPPED;
    (void)sl_out_send_second(out, sl__maintainer_self(m), SL_MSG_CHECKPOINT_TS_MESSAGE, message);
    return SL_REFUSE_NONE;
}

static enum sl_refusal maintainer_dispatch(struct sl_maintainer *m, sl_node_ref from, enum sl_msg_type type,
                                           const ProtobufCMessage *message, struct sl_outbox *out)
{
    const void *payload = message;
    if (type == SL_MSG_HEART_BEAT_REQUEST)
        return sl__maintainer_on_heartbeat(m, from, payload, out);
    if (type == SL_MSG_MAINTAINER_BOOTSTRAP_RESPONSE)
        return sl__feed_bootstrap_on_response(m, from, payload, out);
    if (type == SL_MSG_MAINTAINER_POST_BOOTSTRAP_RESPONSE)
        return sl__trigger_on_post_response(m, from, payload, out);
    if (type == SL_MSG_MAINTAINER_CLOSE_RESPONSE)
        return sl__close_on_response(m, from, payload, out);
    if (type == SL_MSG_BLOCK_STATUS_REQUEST)
        return sl__barrier_on_status(m, from, payload, out);
    if (type == SL_MSG_CHECKPOINT_TS_MESSAGE)
        return maintainer_forward_checkpoint(m, message, out);
    return SL_REFUSE_NOT_HANDLED;
}

enum sl_refusal sl_maintainer_on_message(struct sl_maintainer *m, sl_ns now, sl_node_ref from, enum sl_msg_type type,
                                         const ProtobufCMessage *message, struct sl_outbox *out)
{
    maintainer_begin_step(m, now);
    if (!sl_members_is_alive(m->opts.members, from))
        return SL_REFUSE_UNKNOWN_NODE;
    if (m->state == SL__MAINTAINER_CLOSED)
        return SL_REFUSE_UNKNOWN_FEED;
    enum sl_refusal refusal = maintainer_dispatch(m, from, type, message, out);
    maintainer_end_step(m, out);
    return refusal;
}

/* Who left is forgotten first: a ref must not be used beyond this step, and a removal may complete a bootstrap. */
static bool maintainer_targets_moved(const struct sl_maintainer *m)
{
    for (uint32_t i = 0; i < m->targets.count; i++) {
        if (sl_members_find(m->opts.members, &m->targets.targets[i].node) != m->target_refs[i])
            return true;
    }
    return false;
}

void sl_maintainer_on_members(struct sl_maintainer *m, sl_ns now, const struct sl_members_change *change,
                              struct sl_outbox *out)
{
    maintainer_begin_step(m, now);
    for (uint32_t i = 0; i < change->removed_count; i++) {
        if (m->control)
            sl_control_node_lost(m->control, now, change->removed[i], out);
        maintainer_drop_node(m, change->removed[i]);
    }
    for (uint32_t i = 0; i < change->added_count; i++) {
        sl__maintainer_node(m, change->added[i])->heard_at = now;
        if (m->is_started)
            sl_bootstrap_add(&m->bootstrap, now, change->added[i]);
    }
    m->round.is_wanted = true;
    m->closing.resend_at = now;
    if (maintainer_targets_moved(m))
        sl__maintainer_sync_targets(m, out);
    maintainer_end_step(m, out);
}

void sl_maintainer_on_members_read(struct sl_maintainer *m, sl_ns now, struct sl_outbox *out)
{
    maintainer_begin_step(m, now);
    m->has_members = true;
    maintainer_end_step(m, out);
}

void sl_maintainer_on_schema(struct sl_maintainer *m, sl_ns now, const struct sl_in_schema *schema,
                             struct sl_outbox *out)
{
    maintainer_begin_step(m, now);
    sl__feed_bootstrap_on_schema(m, schema, out);
    maintainer_end_step(m, out);
}

void sl__maintainer_add_table(struct sl_maintainer *m, struct sl_table table, sl_ts commit_ts, struct sl_outbox *out)
{
    enum sl_code code = sl_control_name_table(m->control, table);
    if (code == SL_OK)
        code = sl__unlisted_adopt(m, table.table_id);
    if (code == SL_NOT_FOUND)
        code = sl_control_add_table(m->control, table, commit_ts, m->opts.keyspace_id);
    if (code != SL_OK && code != SL_EXISTS)
        sl__feed_bootstrap_want_tables(m, commit_ts, code, out);
}

static void maintainer_change_tables(struct sl_maintainer *m, const struct sl_in_schema_change *change,
                                     struct sl_outbox *out)
{
    for (uint32_t i = 0; i < change->dropped_count; i++)
        (void)sl_control_drop_table(m->control, m->now, change->dropped[i], out);
    for (uint32_t i = 0; i < change->added_count; i++)
        sl__maintainer_add_table(m, change->added[i], change->commit_ts, out);
}

bool sl_maintainer_takes_schema_changes(const struct sl_maintainer *m)
{
    return m->state == SL__MAINTAINER_RUNNING;
}

/* Before the bootstrap ends the tables are loaded, or loaded again, with the change in them; after it ends, so by the
 * successor. */
void sl_maintainer_on_schema_change(struct sl_maintainer *m, sl_ns now, const struct sl_in_schema_change *change,
                                    struct sl_outbox *out)
{
    maintainer_begin_step(m, now);
    if (m->state == SL__MAINTAINER_RUNNING)
        maintainer_change_tables(m, change, out);
    if (m->state == SL__MAINTAINER_BOOTSTRAPPING)
        m->schema.request = 0;
    maintainer_end_step(m, out);
}

void sl_maintainer_on_tick(struct sl_maintainer *m, sl_ns now, struct sl_outbox *out)
{
    maintainer_begin_step(m, now);
    bool places = m->state == SL__MAINTAINER_RUNNING || m->state == SL__MAINTAINER_CLOSING;
    if (places && m->control && now >= sl_control_deadline(m->control))
        sl_control_on_tick(m->control, now, out);
    maintainer_end_step(m, out);
}

sl_ns sl_maintainer_deadline(const struct sl_maintainer *m)
{
    if (m->state == SL__MAINTAINER_CLOSED)
        return SL_NEVER;
    sl_ns deadline = m->control ? sl_control_deadline(m->control) : SL_NEVER;
    deadline = sl_ns_min(deadline, sl__feed_bootstrap_deadline(m));
    deadline = sl_ns_min(deadline, sl__trigger_deadline(m));
    deadline = sl_ns_min(deadline, sl__barrier_deadline(m));
    deadline = sl_ns_min(deadline, sl__close_deadline(m));
    return sl_ns_min(deadline, sl__maintainer_round_deadline(m));
}

enum sl_refusal sl_maintainer_remove(struct sl_maintainer *m, sl_ns now, bool cascade, bool removed, uint64_t epoch,
                                     struct sl_outbox *out)
{
    maintainer_begin_step(m, now);
    enum sl_refusal refusal = sl__close_on_remove(m, cascade, removed, epoch, out);
    maintainer_end_step(m, out);
    return refusal;
}

static void maintainer_took_targets(struct sl_maintainer *m, enum sl_target_verdict verdict, struct sl_outbox *out)
{
    if (sl_target_verdict_changed(verdict)) {
        m->reported = sl_target_set_reported(&m->targets);
        m->report.is_dirty = true;
        m->report.empty_targets = 0;
        sl__lag_begin(m);
        sl__maintainer_sync_targets(m, out);
    }
}

void sl_maintainer_set_targets(struct sl_maintainer *m, sl_ns now, const struct sl_target_set *targets,
                               struct sl_outbox *out)
{
    maintainer_begin_step(m, now);
    maintainer_took_targets(m, sl_target_set_apply(&m->targets, targets), out);
    maintainer_end_step(m, out);
}

void sl_maintainer_set_target(struct sl_maintainer *m, sl_ns now, const struct sl_drain_target *target,
                              struct sl_outbox *out)
{
    maintainer_begin_step(m, now);
    maintainer_took_targets(m, sl_target_set_apply_single(&m->targets, target), out);
    maintainer_end_step(m, out);
}

enum sl_code sl_maintainer_move_table(struct sl_maintainer *m, sl_ns now, int64_t table_id, sl_node_ref node,
                                      struct sl_outbox *out)
{
    if (m->state != SL__MAINTAINER_RUNNING)
        return SL_NOT_READY;
    maintainer_begin_step(m, now);
    enum sl_code code = sl_control_move_table(m->control, now, table_id, node, out);
    maintainer_end_step(m, out);
    return code == SL_NOT_READY ? SL_REFUSED : code;
}

/* ---- what there is ---- */

bool sl_maintainer_take_prompt(struct sl_maintainer *m)
{
    bool prompt = m->prompt;
    m->prompt = false;
    return prompt;
}

bool sl_maintainer_is_closed(const struct sl_maintainer *m)
{
    return m->state == SL__MAINTAINER_CLOSED;
}

bool sl_maintainer_is_forgettable(const struct sl_maintainer *m)
{
    return m->state == SL__MAINTAINER_CLOSED && m->report.closed_was_taken;
}

uint64_t sl_maintainer_epoch(const struct sl_maintainer *m)
{
    return m->opts.epoch;
}

const struct sl_feed_id *sl_maintainer_feed(const struct sl_maintainer *m)
{
    return &m->id;
}

sl_ts sl_maintainer_checkpoint(const struct sl_maintainer *m)
{
    return m->checkpoint.committed;
}

bool sl_maintainer_is_bootstrapped(const struct sl_maintainer *m)
{
    return m->is_bootstrapped;
}

const struct sl_target_set *sl_maintainer_targets(const struct sl_maintainer *m)
{
    return &m->targets;
}

const struct sl_drain_target *sl_maintainer_target(const struct sl_maintainer *m)
{
    return &m->reported;
}

void sl_maintainer_stats(const struct sl_maintainer *m, struct sl_maintainer_stats *stats)
{
    *stats = (struct sl_maintainer_stats){ 0 };
    if (m->control)
        sl_control_stats(m->control, stats);
    stats->barriers = m->barrier.count;
}
