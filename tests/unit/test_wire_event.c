/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/sl_test.h"
#include "wire/event_envelope.h"

#include <string.h>

/* Ready of the dispatcher {low 1, high 2}, as it stands on the wire. */
static const uint8_t ready[] = { 0xda, 0x7a, 0x6a, 0x6a, 0, 6, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0x10,
                                 1,    0,    0,    0,    0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0 };

static void ready_event_is_written_to_the_byte(void **state)
{
    (void)state;
    uint8_t id[SL_EVENT_ID_BYTES], bytes[sizeof ready];
    sl_event_id_encode((struct sl_dispatcher_id){ .high = 2, .low = 1 }, id);
    struct sl_event_envelope e = { .type = SL_EVENT_TYPE_READY,
                                   .version = SL_EVENT_VERSION_READY,
                                   .payload = { id, sizeof id } };
    sl_assert_u64(sl_event_envelope_encode(&e, bytes), sizeof ready);
    sl_assert_mem(bytes, ready, sizeof ready);
}

static void ready_event_is_read_back(void **state)
{
    (void)state;
    struct sl_event_envelope e;
    sl_assert_i64(sl_event_envelope_decode(&e, (struct sl_bytes){ ready, sizeof ready }), SL_REFUSE_NONE);
    sl_assert_u64(e.type, SL_EVENT_TYPE_READY);
    sl_assert_u64(e.version, SL_EVENT_VERSION_READY);
    sl_assert_u64(e.payload.len, SL_EVENT_ID_BYTES);
    struct sl_dispatcher_id id = sl_event_id_decode(e.payload.ptr);
    sl_assert_u64(id.high, 2);
    sl_assert_u64(id.low, 1);
}

static void cut_at_every_byte_it_is_truncated(void **state)
{
    (void)state;
    for (size_t len = 0; len < sizeof ready; len++) {
        struct sl_event_envelope e;
        sl_assert_i64(sl_event_envelope_decode(&e, (struct sl_bytes){ ready, len }), SL_REFUSE_TRUNCATED);
        sl_assert_u64(e.payload.len, 0);
    }
}

static void wrong_magic_or_more_than_the_length_is_malformed(void **state)
{
    (void)state;
    uint8_t bytes[sizeof ready + 1] = { 0 };
    struct sl_event_envelope e;
    memcpy(bytes, ready, sizeof ready);
    sl_assert_i64(sl_event_envelope_decode(&e, (struct sl_bytes){ bytes, sizeof bytes }), SL_REFUSE_MALFORMED);
    bytes[0] = 0;
    sl_assert_i64(sl_event_envelope_decode(&e, (struct sl_bytes){ bytes, sizeof ready }), SL_REFUSE_MALFORMED);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ready_event_is_written_to_the_byte),
        cmocka_unit_test(ready_event_is_read_back),
        cmocka_unit_test(cut_at_every_byte_it_is_truncated),
        cmocka_unit_test(wrong_magic_or_more_than_the_length_is_malformed),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
