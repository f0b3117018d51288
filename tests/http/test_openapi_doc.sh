#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# docs/api/openapi.json is what the tables of routes and schemas say.
set -eu

if ! "$SL_BUILD_DIR/tests/http/api_document" | diff -u "$SL_SOURCE_DIR/docs/api/openapi.json" -; then
    echo "docs/api/openapi.json is not the document of this program; write it with:"
    echo "    $SL_BUILD_DIR/tests/http/api_document >docs/api/openapi.json"
    exit 1
fi
