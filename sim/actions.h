/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_SIM_ACTIONS_H
#define SL_SIM_ACTIONS_H

#include "sim/faults.h"

/* One function for each row of SL_SIM_ACTIONS: faults in actions.c, deeds of the operator in deeds.c. */
typedef void sl_sim_action_handler(struct sl_sim *sim, const struct sl_sim_fault *fault);

#define SL_SIM_ACTION_DECLARE(name, text, handler, undo) sl_sim_action_handler sl_sim__do_##handler;
SL_SIM_ACTIONS(SL_SIM_ACTION_DECLARE)
#undef SL_SIM_ACTION_DECLARE

#endif
