/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_FS_MAKE_PATH_H
#define SL_EDGE_FS_MAKE_PATH_H

#include "base/check.h"

/*
 * Makes a directory and those above it that are missing (mode 0777, less the umask); one that is there is fine. 0 or an
 * errno; what was made before a failure stays. Blocks.
 */
SL_CHECKED int sl_fs_make_path(const char *path);

#endif
