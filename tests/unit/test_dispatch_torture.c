/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/dispatch_driver.h"

/*
 * A small life of two feeds, with the Nth allocation failing, for every N: nothing leaks, no invariant breaks, and
 * because maintainers ask again the life ends as it does without the failure.
 */
enum { SPANS = 40, ROUNDS = 4, MANY_STEPS = 10000 };

static void answer_command(struct dispatch_driver *d, const struct sl_command *command)
{
    switch (command->verb) {
    case SL_COMMAND_OPEN_FEED:
        dispatch_report_feed(d, SL_REPORT_FEED_OPENED, command->feed, 0);
        return;
    case SL_COMMAND_CLOSE_FEED:
        dispatch_report_feed(d, SL_REPORT_FEED_CLOSED, command->feed, 0);
        return;
    case SL_COMMAND_OPEN:
        dispatch_report(d, SL_REPORT_READY, command->dispatcher, command->start_ts, command->id.low % 2 == 0);
        return;
    case SL_COMMAND_CLOSE:
        dispatch_report(d, SL_REPORT_CLOSED, command->dispatcher, 200, false);
        return;
    case SL_COMMAND_FENCE_FEED:
    case SL_COMMAND_WRITE:
    case SL_COMMAND_TELL_CHECKPOINT:
    case SL_COMMAND_PASS:
        return;
    }
}

/* The data plane does at once what the last step asked for, and what follows from that. */
static void obey(struct dispatch_driver *d)
{
    struct sl_command commands[SL_OUTBOX_COMMANDS_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < d->out.count; i++) {
        if (d->out.items[i].kind == SL_OUT_COMMAND)
            commands[count++] = d->out.items[i].u.command;
    }
    for (uint32_t i = 0; i < count; i++) {
        answer_command(d, &commands[i]);
        obey(d);
    }
}

static void create_range(struct dispatch_driver *d, uint64_t id)
{
    uint8_t keys[2] = { (uint8_t)id, (uint8_t)(id + 1) };
    Pb__ScheduleDispatcherRequest request = PB__SCHEDULE_DISPATCHER_REQUEST__INIT;
    Pb__DispatcherConfig config = PB__DISPATCHER_CONFIG__INIT;
    Pb__TableSpan span = PB__TABLE_SPAN__INIT;
    Pb__DispatcherID id_pb = sl_dispatcher_id_pb((struct sl_dispatcher_id){ 9, id });
    Pb__ChangefeedID feed = dispatch_feed_pb(d, 1);
    span.start_key = (ProtobufCBinaryData){ 1, &keys[0] };
    span.end_key = (ProtobufCBinaryData){ 1, &keys[1] };
    config.span = &span;
    config.dispatcher_id = &id_pb;
    config.start_ts = 100;
    request.changefeed = &feed;
    request.config = &config;
    request.maintainer_epoch = 5;
    dispatch_message(d, DISPATCH_N2, SL_MSG_SCHEDULE_DISPATCHER_REQUEST, &request.base);
    obey(d);
}

static void live(struct dispatch_driver *d)
{
    for (int round = 0; round < ROUNDS; round++) { /* each request is sent again, as its sender would */
        dispatch_bootstrap(d, DISPATCH_N2, 1, 5, 1000, 100);
        obey(d);
        dispatch_bootstrap(d, DISPATCH_N3, 2, 5, 0, 100);
        obey(d);
    }
    for (int round = 0; round < ROUNDS; round++) {
        for (uint64_t id = 1; id <= SPANS; id++)
            create_range(d, id);
    }
    dispatch_tick(d, 10 * SL_S);
    for (int round = 0; round < ROUNDS; round++) {
        for (uint64_t id = 1; id <= SPANS / 2; id++) {
            dispatch_remove(d, DISPATCH_N2, 1, 5, id);
            obey(d);
        }
        dispatch_tick(d, 2 * SL_MS);
    }
    dispatch_tick(d, 10 * SL_S);
    sl_assert_u64(sl_orchestrator_dispatcher_count(d->o), SPANS / 2 + 1u);
    dispatch_bootstrap(d, DISPATCH_N2, 1, 6, 1000, 100);
    for (int round = 0; round < ROUNDS; round++) {
        dispatch_close(d, DISPATCH_N2, 1, 6, true);
        obey(d);
        dispatch_close(d, DISPATCH_N3, 2, 5, false);
        obey(d);
    }
    sl_assert_u64(d->o->dms.count, 0u);
    sl_assert_u64(d->o->dispatchers.count, 0u);
}

static void life_survives_the_failure_of_any_allocation(void **state)
{
    (void)state;
    bool failed = true;
    uint64_t n = 0;
    while (failed) {
        struct dispatch_driver d;
        struct sl_orchestrator_opts opts = dispatch_opts();
        opts.statuses_per_message = 8;
        dispatch_start(&d, &opts);
        d.mem.fail_at = ++n;
        live(&d);
        failed = d.mem.fail_at == 0;
        d.mem.fail_at = 0;
        dispatch_stop(&d);
        assert_true(n < MANY_STEPS);
    }
    assert_true(n > 20); /* it did fail now and then */
}

static void orchestrator_is_made_whole_or_not_at_all(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    struct sl_orchestrator_opts opts = dispatch_opts();
    struct sl_orchestrator *o = d.o;
    opts.mem = &d.mem;
    opts.members = d.members;
    d.mem.fail_at = 1;
    sl_assert_i64(sl_orchestrator_new(&o, &opts, d.now), SL_NOMEM);
    assert_null(o);
    sl_orchestrator_free(o);
    dispatch_stop(&d);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(life_survives_the_failure_of_any_allocation),
        cmocka_unit_test(orchestrator_is_made_whole_or_not_at_all),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
