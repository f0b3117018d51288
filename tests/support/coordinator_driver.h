/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A coordinator over the exact model of the store, and the cluster it sees: up to eight nodes n1 .. n8, each a
 * maintainer manager of a few words that keeps the rules of the protocol and hosts feeds without doing anything for
 * them. Which dispatchers are where is a table that a test writes. Messages arrive at once, in order; the store answers
 * at once; either can be told not to.
 *
 * With every request to a node and every answer the driver looks at what the store really holds, and fails the test if
 *   - a target leaves whose epoch is not in the store,
 *   - STOPPING is asked of a node that has work, or whose intent does not say "stopping" at least,
 *   - a node is ordered to end whose intent does not say "safe" and that it is to be stopped,
 *   - an undrain is asked of a node whose intent is not cancelled,
 *   - a DrainNode answers 0 and the intent does not say "safe" of this process,
 *   - a node that is safe to stop has work.
 */
#ifndef SL_TESTS_SUPPORT_COORDINATOR_DRIVER_H
#define SL_TESTS_SUPPORT_COORDINATOR_DRIVER_H

#include "tests/support/coordinator_nodes.h"

/* n1 .. nN are members, all Sluice; n1 is the owner; feeds f0 .. are in the store and run nowhere. */
struct cd *cd_new(uint32_t node_count, uint32_t feed_count);
/* The coordinator starts: it is RUNNING afterwards if all nodes answer. */
void cd_start(struct cd *c);
/* Both; the feeds run on n1, and all is quiet. */
struct cd *cd_setup(uint32_t node_count, uint32_t feed_count);
void cd_free(struct cd *c);

sl_node_ref cd_ref(const struct cd *c, const char *name);
/* The maintainer of the feed runs there, with the epoch of the store, before cd_start. */
void cd_host(struct cd *c, uint32_t feed, const char *name);

/* ---- what happens ---- */

void cd_settle(struct cd *c); /* everything that happens without time passing */
void cd_run(struct cd *c, sl_ns ns);
void cd_leave(struct cd *c, const char *name);
void cd_join(struct cd *c, const char *name, uint64_t node_epoch); /* a new process, with nothing */
void cd_restart(struct cd *c, const char *name);                   /* a new process; membership does not notice */
/* The coordinator's process ends without a word, and one on that node takes over. */
void cd_kill(struct cd *c);
void cd_elect(struct cd *c, const char *name);
void cd_release_store(struct cd *c);
void cd_fault(struct cd *c, enum cd_fault fault); /* of the next write of an intent that has none yet */
void cd_late(struct cd *c);                       /* what is late arrives */
void cd_forget(struct cd *c);                     /* counters of the nodes, events and replies */

/* ---- requests; the answer may come later ---- */

uint64_t cd_ask(struct cd *c, struct sl_request *r);                                          /* settles */
const struct cd_reply *cd_reply(const struct cd *c, uint64_t ticket);                         /* null: none yet */
const struct cd_reply *cd_request(struct cd *c, enum sl_request_verb verb, const char *node); /* must be answered */
uint32_t cd_drain_node(struct cd *c, const char *node); /* DrainNode; must be SL_OK */
enum sl_code cd_drain(struct cd *c, const char *node);
enum sl_code cd_undrain(struct cd *c, const char *node);

/* ---- what holds ---- */

/* Its phase as text, or "-". */
const char *cd_phase(struct cd *c, const char *node);
uint64_t cd_epoch(struct cd *c, const char *node);
const char *cd_blocker(struct cd *c, const char *node);
uint32_t cd_intent_count(struct cd *c);
/* The node holds exactly this target (with whatever epoch); "" for none. */
bool cd_holds(struct cd *c, const char *node, const char *target);

#endif
