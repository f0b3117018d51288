/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every unit test includes, and nothing else of the test framework.
 *
 * cmocka.h does not include what it uses, so the order below is part of its contract.
 *
 * Asserts are typed and print both sides with the expressions that gave them; which side is the
 * expected one does not matter. A failed assert ends the running test and never returns. Each
 * argument is evaluated once.
 */
#ifndef SL_TESTS_SUPPORT_SL_TEST_H
#define SL_TESTS_SUPPORT_SL_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/*
 * Runs all tests, or with argv[1] the one of exactly that name.
 * Returns the exit status of the program: 0 all passed, 1 some failed, 2 bad arguments or no such
 * test (so that a renamed test cannot pass by not being there).
 */
int sl_test_main(const struct CMUnitTest *tests, size_t tests_count, int argc, char **argv);

/* Integers of any unsigned type up to 64 bits. */
#define sl_assert_u64(left, right) sl_test_u64((left), (right), #left, #right, __FILE__, __LINE__)

/* Integers of any signed type up to 64 bits, enums too. */
#define sl_assert_i64(left, right) sl_test_i64((left), (right), #left, #right, __FILE__, __LINE__)

/* NUL-terminated strings. NULL equals only NULL. */
#define sl_assert_str(left, right) sl_test_str((left), (right), #left, #right, __FILE__, __LINE__)

/* `size` bytes on both sides. A pointer may be NULL only if size is 0. */
#define sl_assert_mem(left, right, size) sl_test_mem((left), (right), (size), #left, #right, __FILE__, __LINE__)

void sl_test_u64(uint64_t left, uint64_t right, const char *left_text, const char *right_text, const char *file,
                 int line);
void sl_test_i64(int64_t left, int64_t right, const char *left_text, const char *right_text, const char *file,
                 int line);
void sl_test_str(const char *left, const char *right, const char *left_text, const char *right_text, const char *file,
                 int line);
void sl_test_mem(const void *left, const void *right, size_t size, const char *left_text, const char *right_text,
                 const char *file, int line);

#endif
