/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/temp_directory.h"

#include "tests/support/sl_test.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void temp_directory_make(char *path, size_t path_size)
{
    const char *base = getenv("TMPDIR");
    snprintf(path, path_size, "%s/sluice-test-XXXXXX", base ? base : "/tmp");
    assert_non_null(mkdtemp(path));
}

void temp_directory_remove(const char *path)
{
    DIR *d = opendir(path);
    assert_non_null(d);
    for (const struct dirent *e = readdir(d); e; e = readdir(d)) {
        char name[1024];
        struct stat st;
        snprintf(name, sizeof name, "%s/%s", path, e->d_name);
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 || lstat(name, &st) != 0)
            continue;
        if (S_ISDIR(st.st_mode))
            temp_directory_remove(name);
        else
            unlink(name);
    }
    closedir(d);
    sl_assert_i64(rmdir(path), 0);
}
