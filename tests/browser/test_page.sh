#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The web page in a browser: Debian's chromium, driven by playwright-core of npm, which goes into the build directory.
set -eu

place=$SL_BUILD_DIR/tests/browser
mkdir -p "$place"
if ! [ -d "$place/node_modules/playwright-core" ]; then
    if ! command -v npm >/dev/null 2>&1; then
        as_root=
        [ "$(id -u)" -eq 0 ] || as_root=sudo
        DEBIAN_FRONTEND=noninteractive $as_root apt-get -qq -y install npm >/dev/null
    fi
    cp "$SL_SOURCE_DIR/tests/browser/package.json" "$place/"
    (cd "$place" && npm install --no-audit --no-fund --loglevel=error)
fi
cp "$SL_SOURCE_DIR/tests/browser/page.mjs" "$place/"
exec /usr/bin/python3 -B "$SL_SOURCE_DIR/tests/browser/scenario_page.py" "$place"
