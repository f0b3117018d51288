/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include <fcntl.h>
#include <unistd.h>

/* A descriptor that the parent closed must not become a socket that output goes into. */
static void main_fill_descriptors(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0)
            (void)open("/dev/null", O_RDONLY);
    }
}

int main(int argc, char **argv)
{
    main_fill_descriptors();
    return sl_cli_run(argc, argv);
}
