/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A node n1 behind its one door, and a model of the shell around it: what the node sends to itself comes back, its data
 * plane answers every command with success, and every feed has NF_TABLES tables. Feeds and their records are those of
 * manager_fixture.h. Each call that performs an input starts with an empty outbox.
 */
#ifndef SL_TESTS_SUPPORT_NODE_FIXTURE_H
#define SL_TESTS_SUPPORT_NODE_FIXTURE_H

#include "core/node/node.h"

enum { NF_QUEUE_MAX = 4096, NF_NODES_MAX = 4, NF_TABLES = 4 };

/* An input that the shell owes the node. */
struct nf_pending {
    struct sl_input input;
    uint8_t *bytes; /* of a message */
};

struct node_fixture {
    struct sl_mem mem, out_mem;
    struct sl_node_opts opts;
    struct sl_node *node;
    struct sl_outbox out;
    sl_ns now;
    struct nf_pending queue[NF_QUEUE_MAX];
    uint32_t queue_head, queue_count;
    uint32_t opened;         /* dispatchers */
    uint32_t statuses;       /* messages of them to the coordinator */
    const char *coordinator; /* who sends what a coordinator sends */
    uint64_t digest;         /* of all outputs that the shell performed */
};

void nf_init(struct node_fixture *f);
/* With a coordinator c1 that is a node of its own. */
void nf_setup(struct node_fixture *f);
/* The node is alone, coordinator included. */
void nf_setup_alone(struct node_fixture *f);
/* Alone, and feed 1 runs with its tables. */
void nf_setup_running(struct node_fixture *f, const char *config);
void nf_teardown(struct node_fixture *f);

/* ---- inputs ---- */

void nf_step(struct node_fixture *f, const struct sl_input *in);
void nf_members(struct node_fixture *f, const char *const *names, uint32_t count);
struct sl_envelope nf_envelope(const char *from, enum sl_msg_type type, const struct sl_bytes *payloads,
                               uint32_t count);
void nf_step_envelope(struct node_fixture *f, const struct sl_envelope *e);
/* room must be large enough. */
struct sl_bytes nf_pack(uint8_t *room, enum sl_msg_type type, const ProtobufCMessage *message);
void nf_step_message(struct node_fixture *f, const char *from, enum sl_msg_type type, const ProtobufCMessage *message);
void nf_bootstrap(struct node_fixture *f, int64_t version);
Pb__SetDispatcherDrainTargetRequest nf_target_request(char *node, uint64_t epoch);
/* The target n2. */
void nf_send_target(struct node_fixture *f, const char *from, uint64_t epoch);
void nf_send_liveness(struct node_fixture *f, Pb__NodeLiveness target);
/* Feed 1. */
void nf_send_add(struct node_fixture *f, const char *from, uint64_t epoch, sl_ts checkpoint, const char *config);
/* Performs what the last step wanted, and everything that follows from it until the given time. */
void nf_shell_run(struct node_fixture *f, sl_ns until);

/* ---- what came out of the last input ---- */

uint32_t nf_sent_count(const struct node_fixture *f, enum sl_msg_type type);
/* The value of a field of the only MESSAGE_REFUSED event, or "-" if there is none. In static memory until the next
 * call. */
const char *nf_refused(const struct node_fixture *f, const char *key);
/* Since the start. */
uint64_t nf_refused_total(const struct node_fixture *f);
/* One event, one count, no other output. */
void nf_expect_refused(const struct node_fixture *f, enum sl_refusal reason, uint64_t count);
struct sl_maintainer_stats nf_stats(struct node_fixture *f);

#endif
