#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# sl:long
# Every planted bug.
set -eu

cd "$(dirname "$0")"
exec ./run.sh "$SL_BUILD_DIR/planted-all" [0-9][0-9]-*.patch
