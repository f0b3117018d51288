/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_SIM_STRIP_H
#define SL_SIM_STRIP_H

#include "wire/message.h"

/*
 * What a peer without our extensions makes of a payload: every field with a number from SL_SIM_EXTENSION_MIN on goes, at
 * any depth. Writes at most payload.len bytes into out and returns how many. The payload must be well-formed.
 */
#define SL_SIM_EXTENSION_MIN 100u
size_t sl_sim_strip(enum sl_msg_type type, struct sl_bytes payload, uint8_t *out);

#endif
