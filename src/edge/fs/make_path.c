/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/fs/make_path.h"

#include <errno.h>
#include <stddef.h>
#include <sys/stat.h>

#define FS_PATH_MAX 4096u

int sl_fs_make_path(const char *path)
{
    char part[FS_PATH_MAX];
    size_t i = 0;
    do {
        if (i > 0 && (path[i] == '/' || path[i] == '\0')) {
            part[i] = '\0';
            if (mkdir(part, 0777) != 0 && errno != EEXIST)
                return errno;
        }
        part[i] = path[i];
    } while (path[i++] != '\0' && i < sizeof part);
    return i < sizeof part ? 0 : ENAMETOOLONG;
}
