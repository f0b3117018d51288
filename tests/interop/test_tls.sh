#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Mutual TLS against grpcio, and HTTPS on the same port.
set -eu
cd "$(dirname "$0")"
# grpcio writes about each refusal that is wanted here.
export GRPC_VERBOSITY=NONE
exec /usr/bin/python3 tls_test.py
