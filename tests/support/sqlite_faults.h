/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_TESTS_SUPPORT_SQLITE_FAULTS_H
#define SL_TESTS_SUPPORT_SQLITE_FAULTS_H

#include <stdint.h>

/*
 * A disk below SQLite that counts and fails. Installed once for the program, before anything is opened; all files of this
 * process go through it. Any thread.
 */
void sl_sqlite_faults_install(void);

uint32_t sl_sqlite_faults_syncs(void);             /* of all files so far */
void sl_sqlite_faults_fail_syncs(uint32_t count);  /* the next ones; UINT32_MAX: all, 0: none */
void sl_sqlite_faults_fail_writes(uint32_t count); /* same, as a full disk does */
void sl_sqlite_faults_slow_syncs(uint32_t millis); /* each takes so long */

#endif
