#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The source dies under load and its replica takes over: the feed moves there, no row lost and none twice.
exec /usr/bin/python3 -B "$SL_SOURCE_DIR/tests/mariadb/scenario_repoint.py" \
    test_a_feed_goes_on_at_the_replica_when_its_source_has_died_under_load
