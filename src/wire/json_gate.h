/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_WIRE_JSON_GATE_H
#define SL_WIRE_JSON_GATE_H

#include "base/str.h"

/*
 * Looks at the tokens of a JSON text before json-c builds a tree of it. Internal to src/wire. json-c is exact on what
 * it reads, but:
 *   - an integer out of range becomes the nearest one it can hold, silently;
 *   - a number such as 1e999 is kept as text and handed on, and a foreign node stops when it reads it;
 *   - NaN, Infinity, "1." and 'single quotes' pass even in its strict mode;
 *   - of broken UTF-8, overlong characters and surrogates pass;
 *   - "{}" of 2 bytes costs it 800 bytes of heap.
 * So the gate checks each token, and caps depth, containers and values. Their order and the escapes stay json-c's
 * business.
 */
#define SL__JSON_CONTAINERS_MAX 16384u
#define SL__JSON_VALUES_MAX 262144u

struct sl__json_limits {
    size_t bytes_max;
    uint32_t depth_max;
};

/* Whether text is made of JSON tokens within the limits, starts with "{" and has nothing after the "}" that closes it.
 */
bool sl__json_gate(struct sl_bytes text, struct sl__json_limits limits);

#endif
