/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_TESTS_SUPPORT_PROCESS_H
#define SL_TESTS_SUPPORT_PROCESS_H

#include "base/units.h"
#include "tests/support/sl_test.h"

#include <sys/types.h>

/* Other programs and processes for tests. They die with the test program, whatever ends it. */

/* Starts a program found in PATH, silent. argv ends in NULL. */
pid_t sl_process_start(const char *const *argv);
/* Forks: the child runs this function and ends with its result, without coming back. No loop may be open yet. */
pid_t sl_process_fork(int (*run)(void *ctx), void *ctx);
void sl_process_kill(pid_t pid); /* and waits for its end */
/* Waits for its end; its exit status, or -1 if a signal ended it. */
int sl_process_wait(pid_t pid);
/* Runs one to its end; its exit status. */
int sl_process_run(const char *const *argv);

/* A port of 127.0.0.1 that nobody listens on now. */
uint16_t sl_process_free_port(void);
bool sl_process_is_listening(uint16_t port);

/* A new directory below /tmp into path (at least 64 bytes), and its removal with everything in it. */
void sl_process_make_dir(char *path, size_t size);
void sl_process_remove_dir(const char *path);

#endif
