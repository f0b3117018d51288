#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# grpcio as the server that our transport dials.
set -eu
cd "$(dirname "$0")"
exec /usr/bin/python3 server_test.py
