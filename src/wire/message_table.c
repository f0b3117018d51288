/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/message_table.h"

#include "base/check.h"

#include <stddef.h>

static const struct sl_msg_row msg_rows[SL_MSG_COUNT] = {
#define MSG_ROW(number, name, kind, pb, topic, topic2, lane) \
    [number] = { SL_MSG_##name, #name, SL_PAYLOAD_##kind, SL_TOPIC_##topic, SL_TOPIC_##topic2, SL_LANE_##lane },
    SL_MESSAGES(MSG_ROW)
#undef MSG_ROW
};

#define MSG_COUNT_ONE(...) +1
_Static_assert(1 SL_MESSAGES(MSG_COUNT_ONE) == SL_MSG_COUNT, "every number below SL_MSG_COUNT has exactly one row");
#undef MSG_COUNT_ONE

static const char *const topic_texts[] = {
#define TOPIC_TEXT(name, text) [SL_TOPIC_##name] = (text),
    SL_TOPICS(TOPIC_TEXT)
#undef TOPIC_TEXT
};

const struct sl_msg_row *sl_msg_row(int32_t number)
{
    return number > SL_MSG_INVALID && number < SL_MSG_COUNT ? &msg_rows[number] : NULL;
}

const char *sl_topic_text(enum sl_topic topic)
{
    SL_REQUIRE((uint32_t)topic < SL_TOPIC_COUNT);
    return topic_texts[topic];
}
