/* SPDX-License-Identifier: Apache-2.0 */
#include "core/common/request.h"

struct blocker_row {
    const char *name, *text;
};

static const struct blocker_row blocker_rows[SL_BLOCKER_COUNT] = {
#define BLOCKER_ROW(name, text) [SL_BLOCKED_##name] = { #name, text },
    SL_BLOCKERS(BLOCKER_ROW)
#undef BLOCKER_ROW
};

static const struct blocker_row *blocker_row(enum sl_blocker b)
{
    SL_REQUIRE((unsigned)b < SL_BLOCKER_COUNT);
    return &blocker_rows[b];
}

const char *sl_blocker_text(enum sl_blocker b)
{
    return blocker_row(b)->text;
}

const char *sl_blocker_name(enum sl_blocker b)
{
    return blocker_row(b)->name;
}
