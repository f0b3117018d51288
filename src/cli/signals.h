/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_CLI_SIGNALS_H
#define SL_CLI_SIGNALS_H

#include "base/check.h"

#include <stdbool.h>

/*
 * Ctrl-C and friends as something to wait for. SIGINT, SIGTERM and SIGHUP interrupt; SIGPIPE is ignored (a closed
 * output must not decide what a drain's exit code says); SIGWINCH only wakes.
 */
SL_CHECKED bool sl_cli_signals_catch(void);
/* Readable after a signal; drained by sl_cli_signals_seen. */
int sl_cli_signals_fd(void);
/* Whether one of the three came since the start. */
bool sl_cli_signals_seen(void);

#endif
