#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
exec /usr/bin/python3 -B "$(dirname "$0")/scenario_pages.py" "$@"
