/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_SIM_INCIDENTS_H
#define SL_SIM_INCIDENTS_H

#include "sim/sim.h"

/*
 * What went wrong in systems of this kind, enacted: public reports about lost rows, doubled writers, drains that said
 * "done" too early or never. Each is a short list of faults at the places where those systems broke, on whole nodes; the
 * oracles judge all the time, and at the end everything must be in order. A seed varies the moments a little.
 *
 * ./dev sim --scenario incident-<name>; docs/incidents.md tells each story.
 */
#define SL_SIM_INCIDENT_PREFIX "incident-"

/* The name behind the prefix; null behind the last one. */
const char *sl_sim_incident_name(uint32_t index);
const char *sl_sim_incident_text(uint32_t index);

/* Initialises sim and runs the incident of this name, given without the prefix. False: there is none. */
bool sl_sim_incident_run(struct sl_sim *sim, const char *name, uint64_t seed, FILE *trace);
bool sl_sim_incident_is_known(const char *name);

#endif
