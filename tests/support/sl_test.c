/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/sl_test.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { TEST_EXIT_FAILED = 1, TEST_EXIT_USAGE = 2, TEST_MEM_CONTEXT_BYTES = 16 };

static const struct CMUnitTest *test_find(const struct CMUnitTest *tests, size_t tests_count, const char *name)
{
    for (size_t i = 0; i < tests_count; i++) {
        if (strcmp(tests[i].name, name) == 0) {
            return &tests[i];
        }
    }
    return NULL;
}

int sl_test_main(const struct CMUnitTest *tests, size_t tests_count, int argc, char **argv)
{
    if (argc > 2) {
        fprintf(stderr, "usage: %s [exact name of one test]\n", argv[0]);
        return TEST_EXIT_USAGE;
    }
    if (argc == 2) {
        tests = test_find(tests, tests_count, argv[1]);
        tests_count = 1;
        if (tests == NULL) {
            fprintf(stderr, "%s: no test is named '%s'\n", argv[0], argv[1]);
            return TEST_EXIT_USAGE;
        }
    }
    /* The public macro takes the count from an array type, which is lost here. */
    int failed = _cmocka_run_group_tests(argv[0], tests, tests_count, NULL, NULL);
    return failed == 0 ? 0 : TEST_EXIT_FAILED;
}

void sl_test_u64(uint64_t left, uint64_t right, const char *left_text, const char *right_text, const char *file,
                 int line)
{
    if (left != right) {
        print_error("%s is %" PRIu64 " (0x%" PRIx64 ")\n%s is %" PRIu64 " (0x%" PRIx64 ")\n", left_text, left, left,
                    right_text, right, right);
        _fail(file, line);
    }
}

void sl_test_i64(int64_t left, int64_t right, const char *left_text, const char *right_text, const char *file, int line)
{
    if (left != right) {
        print_error("%s is %" PRId64 "\n%s is %" PRId64 "\n", left_text, left, right_text, right);
        _fail(file, line);
    }
}

static void test_print_str(const char *text, const char *value)
{
    if (value == NULL) {
        print_error("%s is NULL\n", text);
    } else {
        print_error("%s is \"%s\"\n", text, value);
    }
}

void sl_test_str(const char *left, const char *right, const char *left_text, const char *right_text, const char *file,
                 int line)
{
    bool equal = left == right;
    if (left != NULL && right != NULL) {
        equal = strcmp(left, right) == 0;
    }
    if (!equal) {
        test_print_str(left_text, left);
        test_print_str(right_text, right);
        _fail(file, line);
    }
}

static void test_print_mem(const char *text, const unsigned char *bytes, size_t from, size_t to)
{
    print_error("%s [%zu, %zu):", text, from, to);
    for (size_t i = from; i < to; i++) {
        print_error(" %02x", bytes[i]);
    }
    print_error("\n");
}

void sl_test_mem(const void *left, const void *right, size_t size, const char *left_text, const char *right_text,
                 const char *file, int line)
{
    const unsigned char *left_bytes = left;
    const unsigned char *right_bytes = right;
    for (size_t i = 0; i < size; i++) {
        if (left_bytes[i] != right_bytes[i]) {
            size_t from = i > TEST_MEM_CONTEXT_BYTES ? i - TEST_MEM_CONTEXT_BYTES : 0;
            size_t to = size - i > TEST_MEM_CONTEXT_BYTES ? i + TEST_MEM_CONTEXT_BYTES : size;
            print_error("byte %zu of %zu differs\n", i, size);
            test_print_mem(left_text, left_bytes, from, to);
            test_print_mem(right_text, right_bytes, from, to);
            _fail(file, line);
        }
    }
}
