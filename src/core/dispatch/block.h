/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_CORE_DISPATCH_BLOCK_H
#define SL_CORE_DISPATCH_BLOCK_H

#include "core/dispatch/dm.h"

/*
 * Dispatchers in front of a schema change. One waits at most for one change; of earlier ones it may still have to say that
 * they are done.
 *
 *              BLOCKED report              action of the owner                UNBLOCKED report         acknowledged
 *     (none) ------------------> WAITING ----------------------> ACTING ---------------------> DONE --------------> (none)
 *                                   \---------- the dispatcher closes or fails: forgotten ---/
 *
 * WAITING and DONE are said again until the owner acknowledges. An acknowledged WAITING is not a permission: that is the
 * action. Until DONE is acknowledged the dispatcher's checkpoint stays below the change: tables that it makes are known
 * to the maintainer before the watermark passes them (docs/invariants.md I2).
 *
 * Invariants:
 *   L1  a dispatcher is commanded WRITE or PASS at most once per change, and only while it waits for that change.
 *   L2  the checkpoint that the owner hears of a dispatcher in any of these states is below the change.
 *       With several, below the first of them.
 *   L3  a new owner hears of every one of them again.
 */
enum sl_block_stage { SL_BLOCK_WAITING, SL_BLOCK_ACTING, SL_BLOCK_DONE };

struct sl_block_wait {
    sl_ts commit_ts, held; /* held: how far it is really, once DONE */
    sl_ns say_at;          /* when to say it (again); SL_NEVER: acknowledged */
    uint8_t *state;        /* encoded Pb__State, as it was said first */
    uint32_t state_bytes;
    uint32_t dispatcher; /* handle */
    uint8_t stage;
    bool follows; /* what the data plane said last, meanwhile */
};

#define SL_BLOCK_RESEND_NS (1 * SL_S)
#define SL_BLOCKS_PER_MESSAGE 256u

void sl__blocks_free(struct sl_orchestrator *o, struct sl_dm *dm);
/* The dispatcher has ended. */
void sl__block_forget(struct sl_orchestrator *o, struct sl_dm *dm, uint32_t handle);
/* Everything is to be said again: the owner is new. */
void sl__blocks_say_again(const struct sl_orchestrator *o, struct sl_dm *dm);
/* The most that may be said of the dispatcher's checkpoint; keeps what the data plane says meanwhile: it says it once. */
sl_ts sl__block_clamp(struct sl_dm *dm, uint32_t handle, sl_ts checkpoint, bool follows);

/* BLOCKED, UNBLOCKED. */
void sl__block_on_report(struct sl_orchestrator *o, struct sl_dm *dm, uint32_t handle, const struct sl_report *report,
                         struct sl_outbox *out);
enum sl_refusal sl__block_on_response(struct sl_orchestrator *o, struct sl_dm *dm, const Pb__HeartBeatResponse *r,
                                      struct sl_outbox *out);
/* Says what is due. */
void sl__blocks_run(struct sl_orchestrator *o, struct sl_dm *dm, struct sl_outbox *out);

#endif
