#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# promtool takes the page of metrics, the alerts, and every expression of the dashboards; and what alerts and dashboards
# ask for is there. Names of the reference are not ours to choose: promtool's opinion of them is passed over.
set -eu

cd "$SL_SOURCE_DIR"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$SL_BUILD_DIR/tests/http/api_metrics" >"$work/page"
status=0
promtool check metrics <"$work/page" >"$work/opinion" 2>&1 || status=$?
if [ "$status" -ne 0 ] && [ "$status" -ne 3 ] || grep -v '^ticdc_' "$work/opinion"; then
    cat "$work/opinion"
    exit 1
fi
promtool check rules packaging/alerts.yml
promtool test rules tests/http/alerts_test.yml

/usr/bin/python3 -B tests/http/metrics_used.py "$work/page" "$work/rules.yml"
promtool check rules "$work/rules.yml"
