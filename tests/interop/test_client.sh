#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# grpcio as the client of our transport.
set -eu
cd "$(dirname "$0")"
exec /usr/bin/python3 client_test.py
