/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_TESTS_SUPPORT_SL_DEATH_H
#define SL_TESTS_SUPPORT_SL_DEATH_H

#include "tests/support/sl_test.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * Runs the statement in a child process, which must end by abort() with "words" in what it says on standard error: this
 * is how a violated SL_REQUIRE looks from outside.
 */
#define sl_assert_aborts(statement, words)               \
    do {                                                 \
        struct sl_death death = sl_death_begin();        \
        if (death.child == 0) {                          \
            statement;                                   \
            _exit(0);                                    \
        }                                                \
        sl_death_end(&death, words, __FILE__, __LINE__); \
    } while (0)

struct sl_death {
    pid_t child;
    int said;
};

static inline struct sl_death sl_death_begin(void)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    struct sl_death death = { .child = fork(), .said = ends[0] };
    assert_true(death.child >= 0);
    if (death.child == 0)
        dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    return death;
}

static inline void sl_death_end(const struct sl_death *death, const char *words, const char *file, int line)
{
    char text[1024];
    size_t len = 0;
    ssize_t got;
    while (len < sizeof text - 1 && (got = read(death->said, text + len, sizeof text - 1 - len)) > 0)
        len += (size_t)got;
    text[len] = '\0';
    close(death->said);
    int status = 0;
    assert_int_equal(waitpid(death->child, &status, 0), death->child);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT && strstr(text, words))
        return;
    print_error("no abort with \"%s\": wait status 0x%x, said \"%s\"\n", words, (unsigned)status, text);
    _fail(file, line);
}

#endif
