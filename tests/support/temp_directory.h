/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_TESTS_SUPPORT_TEMP_DIRECTORY_H
#define SL_TESTS_SUPPORT_TEMP_DIRECTORY_H

#include <stddef.h>

/* Makes a directory of its own and writes its path; the caller's memory. */
void temp_directory_make(char *path, size_t path_size);
/* With all that is in it. */
void temp_directory_remove(const char *path);

#endif
