/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

pid_t sl_process_fork(int (*run)(void *ctx), void *ctx)
{
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        _exit(run(ctx));
    }
    return pid;
}

static int process_exec(void *ctx)
{
    const char *const *argv = ctx;
    int null = open("/dev/null", O_RDWR);
    if (null >= 0 && !getenv("SL_TEST_LOUD")) {
        dup2(null, STDOUT_FILENO);
        dup2(null, STDERR_FILENO);
    }
    execvp(argv[0], (char *const *)(uintptr_t)argv);
    return 127;
}

pid_t sl_process_start(const char *const *argv)
{
    return sl_process_fork(process_exec, (void *)(uintptr_t)argv);
}

void sl_process_kill(pid_t pid)
{
    int status = 0;
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
}

int sl_process_wait(pid_t pid)
{
    int status = 0;
    assert_true(waitpid(pid, &status, 0) == pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int sl_process_run(const char *const *argv)
{
    return sl_process_wait(sl_process_start(argv));
}

static struct sockaddr_in process_address(uint16_t port)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return a;
}

uint16_t sl_process_free_port(void)
{
    struct sockaddr_in a = process_address(0);
    socklen_t size = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    sl_assert_i64(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    sl_assert_i64(getsockname(fd, (struct sockaddr *)&a, &size), 0);
    close(fd);
    return ntohs(a.sin_port);
}

bool sl_process_is_listening(uint16_t port)
{
    struct sockaddr_in a = process_address(port);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    bool ok = connect(fd, (struct sockaddr *)&a, sizeof a) == 0;
    close(fd);
    return ok;
}

void sl_process_make_dir(char *path, size_t size)
{
    snprintf(path, size, "/tmp/sl-test-XXXXXX");
    assert_non_null(mkdtemp(path));
}

void sl_process_remove_dir(const char *path)
{
    const char *const argv[] = { "rm", "-rf", path, NULL };
    sl_assert_i64(sl_process_run(argv), 0);
}
