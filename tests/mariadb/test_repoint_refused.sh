#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A feed does not move to a server that lacks transactions, has others or has purged them, and says why.
exec /usr/bin/python3 -B "$SL_SOURCE_DIR/tests/mariadb/scenario_repoint.py" \
    test_a_server_that_lacks_transactions_or_has_others_or_keeps_no_log_is_refused
