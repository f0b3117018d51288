#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The shortest ones; test_faults.sh runs all of them.
exec /usr/bin/python3 -B "$SL_SOURCE_DIR/tests/e2e/scenario_faults.py" \
    test_the_coordinator_and_another_node_are_drained_at_once \
    test_drains_are_taken_back_at_any_moment \
    test_the_whole_cluster_is_stopped_by_command_and_started_again
