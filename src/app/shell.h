/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_APP_SHELL_H
#define SL_APP_SHELL_H

#include "app/options.h"

/*
 * A node as a process: the core and everything that does what it says, in one libuv loop.
 *
 *   listener --gRPC--> transport --messages--> host (core) --store operations--> store --results--> host
 *       '----HTTP----> api ------requests----> host         --commands---------> plane --reports--> host
 *
 *   STARTING --joined--> RUNNING --signal--> DRAINING --drained, late--> LEAVING --left, late--> CLOSING --> the end
 *       |                   |                   '--- second signal --------^          ^             ^
 *       |                   '-- signal, without drain-on-stop -------------'----------'             |
 *       '-------------------'------- fenced, store does not answer ---------------------------------'
 *
 * Per state, what may be trusted:
 *   STARTING, RUNNING, DRAINING   everything is open.
 *   LEAVING                       everything is open; the core gives its keys back.
 *   CLOSING                       nothing reaches a sink any more; the core is stepped no more.
 */

/* Runs until the process is to end. Returns what the process exits with; c->text says why, unless it was asked to. */
enum sl_exit sl_shell_run(struct sl_options *o, int argc, char *const *argv, struct sl_complaint *c);

#endif
