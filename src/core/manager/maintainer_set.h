/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_CORE_MANAGER_MAINTAINER_SET_H
#define SL_CORE_MANAGER_MAINTAINER_SET_H

#include "core/manager/manager.h"

/*
 * The maintainers of a node: one entry per feed, named by a handle. Part of the manager, and of no use without it.
 */
struct sl__entry;

void sl__set_init(struct sl_manager *m, sl_ns now);
void sl__set_deinit(struct sl_manager *m);
/* The handle of the feed's entry, or 0. */
uint32_t sl__set_find(const struct sl_manager *m, const struct sl_feed_id *id);
struct sl__entry *sl__set_entry(const struct sl_manager *m, uint32_t handle);
/* Walks the entries in order of registration: 0 = start, 0 = end. */
uint32_t sl__set_next(const struct sl_manager *m, uint32_t handle);
/*
 * The three phases of an Add, in this order (M4). Registration takes the maintainer over and gives its handle; 0
 * (nothing taken) without memory. From then on fan-outs reach it. Seeding gives it the target that holds at that
 * moment.
 */
uint32_t sl__set_register(struct sl_manager *m, struct sl_maintainer *maintainer);
void sl__set_seed(struct sl_manager *m, uint32_t handle, struct sl_outbox *out);
void sl__set_start(struct sl_manager *m, uint32_t handle, struct sl_outbox *out);
/* Frees the closed maintainer of the entry and puts its successor of the same feed in its place. */
void sl__set_replace(struct sl_manager *m, uint32_t handle, struct sl_maintainer *successor);
/* It waits for no read of the members any more. */
void sl__set_note_members_read(struct sl_manager *m, struct sl__entry *e);
/* After every call into a maintainer: what changed about it that the set keeps. */
void sl__set_refresh(struct sl_manager *m, uint32_t handle);
void sl__set_fan_out_target(struct sl_manager *m, struct sl_outbox *out);
void sl__set_fan_out_members(struct sl_manager *m, const struct sl_members_change *change, struct sl_outbox *out);
/* Ticks the maintainers that are due. */
void sl__set_run(struct sl_manager *m, struct sl_outbox *out);
/* Frees every maintainer that is closed and has said so. */
void sl__set_forget_closed(struct sl_manager *m, struct sl_outbox *out);
/* Epochs up to this one are over here: an Add of one of them comes too late. */
void sl__set_bury(struct sl_manager *m, const struct sl_feed_id *id, uint64_t epoch);
sl_ns sl__set_deadline(const struct sl_manager *m);
void sl__set_check(const struct sl_manager *m);

#endif
