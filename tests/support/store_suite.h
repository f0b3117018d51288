/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_TESTS_SUPPORT_STORE_SUITE_H
#define SL_TESTS_SUPPORT_STORE_SUITE_H

#include "port/store.h"
#include "tests/support/sl_test.h"

/*
 * What every backend of the metadata store must do, as facts that run against any of them: a backend's test gives a
 * harness and lists the facts. Each fact has keys of its own, so that one store may serve all; nobody else writes to
 * it.
 */
struct sl_store_harness {
    void *ctx;
    /* A new connection, ready to be used. */
    struct sl_store *(*open)(void *ctx, const struct sl_store_client *client);
    /* After it nothing more is delivered to this connection, and it is gone. */
    void (*close)(void *ctx, struct sl_store *store);
    /* Lets this much time pass on the store's clock and delivers what comes meanwhile; 0: only what is ready. */
    void (*wait)(void *ctx, sl_ns at_most);
    /* In real time: lets time pass until something is delivered, at most this much; null: wait is as good. */
    void (*poll)(void *ctx, sl_ns at_most);
    /* In real time: the clock. A machine that is busy may let leases end that a test meant to keep, and only so it can tell. */
    sl_ns (*now)(void *ctx);
    /* Forgets history before the revision; null if the backend cannot be told to. */
    void (*compact)(void *ctx, sl_revision revision);
    const char *prefix; /* of all keys */
    sl_ns ttl_ns;       /* a lease that is short for this backend */
    sl_ns late_ns;      /* leases end at most this late */
};

#define SL_STORE_FACTS(X)                             \
    X(a_key_that_is_not_there_has_revision_zero)      \
    X(a_put_is_one_revision)                          \
    X(a_transaction_is_one_revision_for_all_its_keys) \
    X(what_changes_nothing_is_no_revision)            \
    X(a_compare_that_fails_does_the_other_list)       \
    X(all_compares_must_hold)                         \
    X(a_missing_key_equals_no_value)                  \
    X(a_key_made_again_has_a_new_create_revision)     \
    X(a_list_that_names_a_key_twice_is_refused)       \
    X(a_range_is_ascending_and_stays_in_its_prefix)   \
    X(values_are_bytes)                               \
    X(a_lease_ends_after_its_time_and_takes_its_keys) \
    X(a_lease_kept_alive_does_not_end)                \
    X(a_lease_that_is_gone_is_said_to_be)             \
    X(a_revoke_takes_the_keys_at_once)                \
    X(a_put_moves_a_key_between_leases)               \
    X(a_watch_delivers_what_was_and_what_comes)       \
    X(a_watch_from_zero_begins_with_the_next_change)  \
    X(a_watch_sees_leases_end)                        \
    X(a_transaction_is_never_split_over_batches)      \
    X(no_batch_comes_after_unwatch)                   \
    X(a_compacted_watch_says_where_history_begins)    \
    X(connections_see_each_other)                     \
    X(every_operation_is_answered_once)               \
    X(nothing_is_delivered_after_close)               \
    X(racing_transactions_have_one_winner)            \
    X(writes_at_once_get_a_revision_each)

#define SL_STORE_FACT_DECLARE(name) void sl_store_fact_##name(const struct sl_store_harness *h);
SL_STORE_FACTS(SL_STORE_FACT_DECLARE)
#undef SL_STORE_FACT_DECLARE

#endif
