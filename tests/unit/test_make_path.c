/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/fs/make_path.h"
#include "tests/support/sl_test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[] = "/tmp/sluice-path-XXXXXX";

static const char *below_root(const char *rest)
{
    static char path[128];
    snprintf(path, sizeof path, "%s%s", root, rest);
    return path;
}

static void all_that_is_missing_is_made_and_what_is_there_is_fine(void **state)
{
    (void)state;
    struct stat s;
    sl_assert_i64(sl_fs_make_path(below_root("/a/b//c/")), 0);
    sl_assert_i64(sl_fs_make_path(below_root("/a/b/c")), 0);
    sl_assert_i64(stat(below_root("/a/b/c"), &s), 0);
    assert_true(S_ISDIR(s.st_mode));
    sl_assert_i64(rmdir(below_root("/a/b/c")), 0);
    sl_assert_i64(rmdir(below_root("/a/b")), 0);
    sl_assert_i64(rmdir(below_root("/a")), 0);
}

static void what_is_in_the_way_is_said(void **state)
{
    (void)state;
    FILE *file = fopen(below_root("/file"), "w");
    assert_non_null(file);
    fclose(file);
    sl_assert_i64(sl_fs_make_path(below_root("/file/a")), ENOTDIR);
    sl_assert_i64(unlink(below_root("/file")), 0);
}

static void a_path_without_end_is_refused(void **state)
{
    (void)state;
    static char path[8192];
    memset(path, 'x', sizeof path - 1);
    path[0] = '/';
    sl_assert_i64(sl_fs_make_path(path), ENAMETOOLONG);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_that_is_missing_is_made_and_what_is_there_is_fine),
        cmocka_unit_test(what_is_in_the_way_is_said),
        cmocka_unit_test(a_path_without_end_is_refused),
    };
    if (!mkdtemp(root))
        return 1;
    int status = sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
    rmdir(root);
    return status;
}
