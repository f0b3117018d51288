/* SPDX-License-Identifier: Apache-2.0 */
#include "core/common/data_plane.h"
#include "core/common/event.h"
#include "tests/support/sl_test.h"

#include <string.h>

static const char *format(char *line, size_t cap, enum sl_event_id id, const struct sl_field *fields, uint32_t count)
{
    struct sl_text t;
    sl_text_init(&t, line, cap);
    sl_event_format(&t, &(struct sl_event){ .id = id, .fields = fields, .field_count = count });
    return line;
}

static void an_event_is_one_logfmt_line(void **state)
{
    (void)state;
    char line[256];
    struct sl_field fields[] = { sl_f_str("target", SL_STR("n2")), sl_f_u64("epoch", 7), sl_f_i64("delta", -3),
                                 sl_f_id128("id", 1, 0xab) };
    sl_assert_str(format(line, sizeof line, SL_EV_TARGET_CLEARED, fields, 4),
                  "level=info event=TARGET_CLEARED target=n2 epoch=7 delta=-3 "
                  "id=000000000000000100000000000000ab msg=\"drain target cleared\"");
}

static void a_hostile_field_cannot_forge_a_line(void **state)
{
    (void)state;
    char line[256];
    struct sl_field field = sl_f_str("from", SL_STR("n2\nlevel=error event=FAKE"));
    format(line, sizeof line, SL_EV_MESSAGE_REFUSED, &field, 1);
    assert_null(strchr(line, '\n'));
    assert_non_null(strstr(line, "from=\""));
}

static void every_event_has_a_name_and_a_text(void **state)
{
    (void)state;
    for (int id = 0; id < SL_EVENT_COUNT; id++) {
        assert_true(strlen(sl_event_name((enum sl_event_id)id)) > 0);
        assert_true(strlen(sl_event_text((enum sl_event_id)id)) > 0);
        assert_true(sl_event_level((enum sl_event_id)id) <= SL_LEVEL_ERROR);
    }
    sl_assert_str(sl_event_name(SL_EV_TARGET_APPLIED), "TARGET_APPLIED");
}

static void levels_have_the_names_operators_search_for(void **state)
{
    (void)state;
    char line[256];
    struct sl_field field = sl_f_u64("n", 1);
    assert_non_null(strstr(format(line, sizeof line, SL_EV_MOVE_STARTED, &field, 1), "level=debug "));
    assert_non_null(strstr(format(line, sizeof line, SL_EV_MEMBERS_CHANGED, &field, 1), "level=info "));
    assert_non_null(strstr(format(line, sizeof line, SL_EV_MOVE_STUCK, &field, 1), "level=warn "));
}

static void placements_compare_by_maintainer_epoch_then_by_sequence(void **state)
{
    (void)state;
    struct sl_placement low = { 1, 9 }, mid = { 2, 1 }, high = { 2, 2 };
    sl_assert_i64(sl_placement_cmp(low, mid), -1);
    sl_assert_i64(sl_placement_cmp(mid, low), 1);
    sl_assert_i64(sl_placement_cmp(mid, high), -1);
    sl_assert_i64(sl_placement_cmp(high, mid), 1);
    sl_assert_i64(sl_placement_cmp(mid, mid), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_is_one_logfmt_line),
        cmocka_unit_test(a_hostile_field_cannot_forge_a_line),
        cmocka_unit_test(every_event_has_a_name_and_a_text),
        cmocka_unit_test(levels_have_the_names_operators_search_for),
        cmocka_unit_test(placements_compare_by_maintainer_epoch_then_by_sequence),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
