/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#ifndef SIGWINCH
#define SIGWINCH 28 /* not of POSIX 2008, the same on every Linux we know */
#endif

static volatile sig_atomic_t signals_came;
static int signals_pipe[2] = { -1, -1 };

static void signals_on(int number)
{
    int kept = errno;
    if (number != SIGWINCH)
        signals_came = 1;
    ssize_t written = write(signals_pipe[1], "", 1);
    (void)written; /* a full pipe wakes as well */
    errno = kept;
}

bool sl_cli_signals_catch(void)
{
    static const int caught[] = { SIGINT, SIGTERM, SIGHUP, SIGWINCH };
    struct sigaction action = { .sa_handler = signals_on, .sa_flags = SA_RESTART };
    struct sigaction ignore = { .sa_handler = SIG_IGN };
    if (pipe(signals_pipe) != 0)
        return false;
    for (int i = 0; i < 2; i++) {
        if (fcntl(signals_pipe[i], F_SETFD, FD_CLOEXEC) != 0 || fcntl(signals_pipe[i], F_SETFL, O_NONBLOCK) != 0)
            return false;
    }
    for (size_t i = 0; i < sizeof caught / sizeof caught[0]; i++) {
        struct sigaction old;
        /* What the parent ignores (nohup) stays ignored. */
        if (sigaction(caught[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
            (void)sigaction(caught[i], &action, NULL);
    }
    return sigaction(SIGPIPE, &ignore, NULL) == 0;
}

int sl_cli_signals_fd(void)
{
    return signals_pipe[0];
}

bool sl_cli_signals_seen(void)
{
    char bytes[64];
    while (read(signals_pipe[0], bytes, sizeof bytes) > 0)
        continue;
    return signals_came != 0;
}
