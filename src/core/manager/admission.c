/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"
#include "core/manager/manager_internal.h"
#include "wire/feed_config.h"

/*
 * Whether and how a maintainer comes to this node and leaves it. The order of the checks is the reference's: what costs
 * nothing first, and nothing is built for a request that is refused. Unlike there, every request is answered: a refused
 * one by the status that holds, or by "not here" with the reason.
 */
#define ADMISSION_REMOVER_CHECKPOINT ((sl_ts)1) /* never used: a remover creates nothing */

/* ---- admission ---- */

/*
 * Against the maintainer that is registered. Only one that has stopped gives way, and only to a newer epoch: in the
 * epoch-less mode the request's 0 is newer than nothing, and anything is newer than an existing 0.
 */
static enum sl_refusal admission_check_existing(const struct sl_maintainer *existing, uint64_t epoch)
{
    if (epoch <= sl_maintainer_epoch(existing))
        return SL_REFUSE_STALE_VERSION;
    return sl_maintainer_is_closed(existing) ? SL_REFUSE_NONE : SL_REFUSE_FEED_BUSY;
}

static enum sl_refusal admission_check(const struct sl_manager *m, const struct sl_feed_id *id, uint32_t existing,
                                       const Pb__AddMaintainerRequest *req)
{
    if (m->scope.liveness == SL_LIVENESS_STOPPING)
        return SL_REFUSE_STOPPING;
    /* Meant for the process before this one: whoever sent it may by now have placed the feed elsewhere. */
    if (req->node_epoch != 0 && req->node_epoch != m->scope.node_epoch)
        return SL_REFUSE_STALE_VERSION;
    if (req->checkpoint_ts == SL_TS_NONE)
        return SL_REFUSE_ZERO_CHECKPOINT;
    if (req->maintainer_epoch == 0 && !m->opts.interop)
        return SL_REFUSE_ZERO_EPOCH;
    if (existing != 0)
        return admission_check_existing(sl__set_entry(m, existing)->maintainer, req->maintainer_epoch);
    /* One that ended here must not come back: it could not bootstrap, and would stand in its successor's way. */
    if (req->maintainer_epoch != 0 && sl_tombstones_refuse(&m->set.over, id, req->maintainer_epoch))
        return SL_REFUSE_STALE_VERSION;
    return m->set.entries.count < m->opts.feed_count_max ? SL_REFUSE_NONE : SL_REFUSE_LIMIT;
}

static enum sl_refusal admission_check_config(const struct sl_manager *m, const struct sl_feed_id *id,
                                              struct sl_secret config)
{
    struct sl_feed_info info;
    enum sl_refusal refusal = sl_feed_info_parse(&info, config, m->opts.config_bytes_max);
    if (refusal != SL_REFUSE_NONE)
        return refusal;
    return info.id_high == id->high && info.id_low == id->low ? SL_REFUSE_NONE : SL_REFUSE_BAD_CONFIG;
}

static struct sl_maintainer_opts admission_opts(struct sl_manager *m, const struct sl_feed_id *id, uint64_t epoch,
                                                uint32_t keyspace_id)
{
    return (struct sl_maintainer_opts){
        .mem = m->opts.mem,
        .members = m->opts.members,
        .pacer = &m->pacer,
        .id = id,
        .config_bytes_max = m->opts.config_bytes_max,
        .epoch = epoch,
        .seed = sl_hash_u64x2(m->opts.seed, m->opts.node_epoch, ++m->set.created_count),
        .keyspace_id = keyspace_id,
        .interop = m->opts.interop,
        .reads_members = m->opts.reads_members,
        .limits = m->opts.maintainer,
    };
}

static enum sl_refusal admission_refusal_of(enum sl_code code)
{
    return code == SL_NOMEM ? SL_REFUSE_OUT_OF_MEMORY : SL_REFUSE_BAD_CONFIG;
}

static void admission_tell(const struct sl_feed_id *id, uint64_t epoch, uint64_t replaced_epoch, sl_ts checkpoint,
                           bool replaces, struct sl_outbox *out)
{
    if (replaces)
        sl_out_event(out, SL_EV_MAINTAINER_REPLACED, sl_f_str("feed", sl_feed_id_name(id)), sl_f_u64("epoch", epoch),
                     sl_f_u64("replaced_epoch", replaced_epoch));
    sl_out_event(out, SL_EV_MAINTAINER_ADDED, sl_f_str("feed", sl_feed_id_name(id)), sl_f_u64("epoch", epoch),
                 sl_f_u64("checkpoint", checkpoint));
}

/* Registers, seeds and starts, in this order (M4). *handle is the entry to replace or 0, and then the new entry. */
static enum sl_refusal admission_create(struct sl_manager *m, const struct sl_maintainer_opts *opts, uint32_t *handle,
                                        struct sl_outbox *out)
{
    struct sl_maintainer *maintainer;
    bool replaces = *handle != 0;
    enum sl_code code = sl_maintainer_new(&maintainer, opts, m->now);
    if (code != SL_OK)
        return admission_refusal_of(code);
    uint64_t replaced_epoch = replaces ? sl_maintainer_epoch(sl__set_entry(m, *handle)->maintainer) : 0;
    if (replaces)
        sl__set_replace(m, *handle, maintainer);
    else
        *handle = sl__set_register(m, maintainer);
    if (*handle == 0) {
        sl_maintainer_free(maintainer);
        return SL_REFUSE_OUT_OF_MEMORY;
    }
    admission_tell(opts->id, opts->epoch, replaced_epoch, opts->checkpoint, replaces, out);
    sl__set_seed(m, *handle, out);
    sl__set_start(m, *handle, out);
    return SL_REFUSE_NONE;
}

/* ---- add ---- */

static enum sl_refusal admission_add(struct sl_manager *m, const struct sl_feed_id *id, uint32_t existing,
                                     const Pb__AddMaintainerRequest *req, struct sl_outbox *out)
{
    struct sl_secret config = sl_secret_of((struct sl_bytes){ req->config.data, req->config.len });
    enum sl_refusal refusal = admission_check(m, id, existing, req);
    if (refusal == SL_REFUSE_NONE)
        refusal = admission_check_config(m, id, config);
    if (refusal != SL_REFUSE_NONE)
        return refusal;
    struct sl_maintainer_opts opts = admission_opts(m, id, req->maintainer_epoch, req->keyspace_id);
    opts.config = config;
    opts.source = sl_source_uri_of(req->source_uri);
    opts.checkpoint = req->checkpoint_ts;
    opts.is_new = req->is_new_changefeed;
    return admission_create(m, &opts, &existing, out);
}

/* The coordinator asks until it sees the maintainer: the same request again is no reason for a warning. */
static bool admission_is_repeated(const struct sl_manager *m, uint32_t existing, const Pb__AddMaintainerRequest *req)
{
    if (existing == 0 || m->scope.liveness == SL_LIVENESS_STOPPING || req->checkpoint_ts == SL_TS_NONE)
        return false;
    const struct sl_maintainer *maintainer = sl__set_entry(m, existing)->maintainer;
    return sl_maintainer_epoch(maintainer) == req->maintainer_epoch && !sl_maintainer_is_closed(maintainer);
}

enum sl_refusal sl__admission_on_add(struct sl_manager *m, const Pb__AddMaintainerRequest *req, struct sl_outbox *out)
{
    struct sl_feed_id id;
    if (!sl_feed_id_set(&id, req->changefeed))
        return SL_REFUSE_BAD_ID;
    uint32_t existing = sl__set_find(m, &id);
    enum sl_refusal refusal = SL_REFUSE_NONE;
    bool repeated = admission_is_repeated(m, existing, req);
    if (!repeated)
        refusal = admission_add(m, &id, existing, req, out);
    if (existing != 0 && (repeated || refusal != SL_REFUSE_NONE))
        sl_maintainer_touch(sl__set_entry(m, existing)->maintainer);
    else if (refusal != SL_REFUSE_NONE)
        sl__report_absent(m, &id, req->maintainer_epoch, refusal, out);
    return refusal;
}

/* ---- remove ---- */

/*
 * Nobody here knows the feed, but its dispatchers may run anywhere: a maintainer is made that does nothing but close
 * them. Not on a node that has said it is safe to stop.
 */
static enum sl_refusal admission_add_remover(struct sl_manager *m, const struct sl_feed_id *id,
                                             const Pb__RemoveMaintainerRequest *req, uint32_t *handle,
                                             struct sl_outbox *out)
{
    if (m->scope.liveness == SL_LIVENESS_STOPPING)
        return SL_REFUSE_STOPPING;
    if (req->maintainer_epoch == 0 && !m->opts.interop)
        return SL_REFUSE_ZERO_EPOCH;
    if (m->set.entries.count >= m->opts.feed_count_max)
        return SL_REFUSE_LIMIT;
    struct sl_maintainer_opts opts = admission_opts(m, id, req->maintainer_epoch, req->keyspace_id);
    opts.checkpoint = ADMISSION_REMOVER_CHECKPOINT;
    opts.remove_only = true;
    return admission_create(m, &opts, handle, out);
}

static enum sl_refusal admission_remove(struct sl_manager *m, uint32_t handle, const Pb__RemoveMaintainerRequest *req,
                                        struct sl_outbox *out)
{
    struct sl_maintainer *maintainer = sl__set_entry(m, handle)->maintainer;
    enum sl_refusal refusal =
        sl_maintainer_remove(maintainer, m->now, req->cascade, req->removed, req->maintainer_epoch, out);
    if (refusal != SL_REFUSE_NONE)
        sl_maintainer_touch(maintainer);
    sl__set_refresh(m, handle);
    return refusal;
}

enum sl_refusal sl__admission_on_remove(struct sl_manager *m, const Pb__RemoveMaintainerRequest *req,
                                        struct sl_outbox *out)
{
    struct sl_feed_id id;
    if (!sl_feed_id_set(&id, req->changefeed))
        return SL_REFUSE_BAD_ID;
    uint32_t handle = sl__set_find(m, &id);
    if (handle == 0 && !req->cascade) { /* its Add may still be on the way, in a stream that broke */
        sl__set_bury(m, &id, req->maintainer_epoch);
        sl__report_absent(m, &id, req->maintainer_epoch, SL_REFUSE_NONE, out);
        return SL_REFUSE_NONE;
    }
    enum sl_refusal refusal = handle == 0 ? admission_add_remover(m, &id, req, &handle, out) : SL_REFUSE_NONE;
    if (refusal == SL_REFUSE_NONE)
        return admission_remove(m, handle, req, out);
    /* "Stopped" would be a lie, for dispatchers may still run; the node's own state is an answer that is true. */
    sl__scope_send_heartbeat(m, out);
    return refusal;
}
