/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A maintainer manager on node n1 in a cluster of n1, n2, c1 and c2 (the last two are coordinators), and the words to
 * talk about it: what comes in, what goes out. Each call that performs an input starts with an empty outbox.
 */
#ifndef SL_TESTS_SUPPORT_MANAGER_FIXTURE_H
#define SL_TESTS_SUPPORT_MANAGER_FIXTURE_H

#include "core/manager/manager.h"

enum { MF_NODE_EPOCH = 1000, MF_FEEDS_MAX = 64 };
#define MF_PASSWORD "hunter2-canary"

struct manager_fixture {
    struct sl_mem mem, out_mem; /* apart, so that the manager's allocations can be counted */
    struct sl_members *members;
    struct sl_manager_opts opts; /* for changes between mf_init and mf_start */
    struct sl_manager *manager;
    struct sl_outbox out;
    struct sl_arena decoded; /* of mf_sent */
    struct sl_hosted hosted;
    sl_ns now;
    uint64_t add_node_epoch; /* what an Add says it is meant for; 0 = nothing */
};

/* mf_init, mf_start and the bootstrap by c1 with version 1. */
void mf_setup(struct manager_fixture *f);
void mf_init(struct manager_fixture *f);
void mf_start(struct manager_fixture *f);
void mf_teardown(struct manager_fixture *f);

sl_node_ref mf_ref(const struct manager_fixture *f, const char *node);

/* ---- inputs ---- */

enum sl_refusal mf_message(struct manager_fixture *f, const char *from, enum sl_msg_type type,
                           const ProtobufCMessage *message);
enum sl_refusal mf_bootstrap(struct manager_fixture *f, const char *from, int64_t version);
enum sl_refusal mf_target(struct manager_fixture *f, const char *from, const char *node, uint64_t epoch);
/* A request with a set; version = target_epoch. */
enum sl_refusal mf_targets(struct manager_fixture *f, const char *from, uint64_t version,
                           const struct sl_drain_target *targets, uint32_t count);
struct sl_drain_target mf_target_of(const char *node, uint64_t epoch);
enum sl_refusal mf_liveness(struct manager_fixture *f, const char *from, Pb__NodeLiveness target, uint64_t node_epoch);
enum sl_refusal mf_undrain(struct manager_fixture *f, const char *from, Pb__NodeLiveness target, uint64_t node_epoch);
enum sl_refusal mf_stop(struct manager_fixture *f, const char *from, Pb__NodeLiveness target, uint64_t node_epoch);
/* Feed number n has the name "feed-n"; its sink URI holds MF_PASSWORD. */
enum sl_refusal mf_add(struct manager_fixture *f, const char *from, uint32_t feed, uint64_t epoch, sl_ts checkpoint);
enum sl_refusal mf_add_config(struct manager_fixture *f, const char *from, uint32_t feed, uint64_t epoch,
                              sl_ts checkpoint, const char *config);
enum sl_refusal mf_remove(struct manager_fixture *f, const char *from, uint32_t feed, uint64_t epoch, bool cascade,
                          bool removed);
enum sl_refusal mf_close_response(struct manager_fixture *f, const char *from, uint32_t feed, uint64_t epoch);
/* Removes with cascade and lets all nodes answer: afterwards the maintainer is closed and not yet forgotten. */
void mf_close(struct manager_fixture *f, uint32_t feed, uint64_t epoch);
/* Time passes, then a tick. */
void mf_tick(struct manager_fixture *f, sl_ns passed);
void mf_members(struct manager_fixture *f, const char *const *names, uint32_t count);

/* ---- state ---- */

struct sl_feed_id mf_feed(uint32_t feed);
struct sl_maintainer *mf_find(struct manager_fixture *f, uint32_t feed);
/* The record of a feed, in static memory until the next call. */
const char *mf_config(uint32_t feed);

/* ---- outputs of the last input ---- */

uint32_t mf_sent_count(const struct manager_fixture *f, enum sl_msg_type type);
/* The nth (from 0) message of this type, decoded; it must exist. Valid until mf_teardown. */
const void *mf_sent(struct manager_fixture *f, enum sl_msg_type type, uint32_t nth);
/* The output that holds it. */
const struct sl_output *mf_output(const struct manager_fixture *f, enum sl_msg_type type, uint32_t nth);
uint32_t mf_event_count(const struct manager_fixture *f, enum sl_event_id id);
/* The only status of this feed in all maintainer heartbeats, or null. */
const Pb__MaintainerStatus *mf_status(struct manager_fixture *f, uint32_t feed);
/* Whether any payload or event text of the outbox holds the text. */
bool mf_out_holds(const struct sl_outbox *out, const char *text);

#endif
