/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_BASE_CHECK_H
#define SL_BASE_CHECK_H

#include <stdbool.h>
#include <stdint.h>

/*
 * A scale of checks, so that a reader sees at the call site what a failure means:
 *
 *   SL_REQUIRE(c)  our own bug; continuing could lose rows: print one line and abort. On in production.
 *   SL_EXPECT(c)   our own bug, but survivable: count it, report once per place, continue. Yields c.
 *   SL_HOT(c)      like SL_REQUIRE, too costly for production: debug builds only.
 *
 * None of them is for input: what comes from the wire, a row or a user is refused with a code (err.h).
 */
#define SL_CHECKED __attribute__((warn_unused_result))
#define SL_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

#define SL_REQUIRE(c) ((c) ? (void)0 : sl_check_failed(#c, __FILE__, __LINE__))
#define SL_EXPECT(c) ((c) ? true : sl_check_counted(#c, __FILE__, __LINE__))
#ifdef NDEBUG
#define SL_HOT(c) ((void)(false && (c)))
#else
#define SL_HOT(c) SL_REQUIRE(c)
#endif

/* A switch over an enum that has no default ends here if the value is not one of the enum. */
#define SL_UNREACHABLE() sl_check_failed("unreachable", __FILE__, __LINE__)

/* Prints "sluice: bug: <cond> at <file>:<line>" to standard error and aborts. Any thread. */
_Noreturn void sl_check_failed(const char *cond, const char *file, int line);

/*
 * Counts a failed SL_EXPECT; the first failure of each place is printed (up to 64 places). Always returns false.
 * Any thread.
 */
bool sl_check_counted(const char *cond, const char *file, int line);

/* How many SL_EXPECT failed in this process. Any thread. */
uint64_t sl_check_failures(void);

#endif
