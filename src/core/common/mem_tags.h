/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_CORE_COMMON_MEM_TAGS_H
#define SL_CORE_COMMON_MEM_TAGS_H

#include "base/mem.h"

/* What heap memory is for; the live bytes of each are reported to the operator. */
#define SL_TAGS(X)  \
    X(NODE)         \
    X(MEMBERS)      \
    X(OUTBOX)       \
    X(DECODE)       \
    X(MANAGER)      \
    X(MAINTAINER)   \
    X(SPANS)        \
    X(SPAN_INDEX)   \
    X(OPERATORS)    \
    X(ORCHESTRATOR) \
    X(DISPATCHERS)  \
    X(MEMBERSHIP)   \
    X(STORE)        \
    X(COORDINATOR)  \
    X(SIM)

enum sl_tag {
#define SL_TAG_ENUM(name) SL_TAG_##name,
    SL_TAGS(SL_TAG_ENUM)
#undef SL_TAG_ENUM
        SL_TAG_COUNT
};

/* Options naming the tags, with the given budget (0 = none). */
struct sl_mem_opts sl_mem_opts_of(size_t budget_bytes);

#endif
