/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_CORE_MAINTAINER_CHECKPOINT_H
#define SL_CORE_MAINTAINER_CHECKPOINT_H

#include "base/units.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * A feed's checkpoint, built from the watermarks of the nodes that run its dispatchers. Private to src/core/maintainer.
 *
 * Two positions, because they answer different questions (reference behaviour):
 *   committed  what the coordinator is told and what no dispatcher starts before; never decreases.
 *   working    what the nodes say now; may go back, when a dispatcher starts behind the others.
 */

/* What one node last said of all its dispatchers of the feed. */
struct sl_mark {
    sl_ts checkpoint, resolved;
    uint64_t seq;
    bool is_known;
};

/*
 * Takes a newer one over: a greater seq wins, even with a smaller checkpoint (a dispatcher was added behind); an equal
 * seq only with a greater checkpoint; a smaller seq never (it may have been computed without the newest dispatcher).
 * True if checkpoint or resolved changed.
 */
bool sl_mark_apply(struct sl_mark *mark, const struct sl_mark *said);

/* A dispatcher of the node is only at this position: the checkpoint may not be beyond it. True if that changed it. */
bool sl_mark_lower(struct sl_mark *mark, sl_ts position);

struct sl_checkpoint {
    sl_ts committed;
    sl_ts working, resolved;
};

/*
 * The result of one round over all nodes. SL_TS_MAX says that nobody had anything to say: then that field is ignored.
 * True if the working position changed.
 */
bool sl_checkpoint_advance(struct sl_checkpoint *c, sl_ts checkpoint, sl_ts resolved);

#endif
