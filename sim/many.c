/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/many.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/*
 * Worker k runs the seeds first + k, first + k + n, ... and writes its results in that order into its pipe, so reading
 * the pipes in turn gives the order of seeds. A worker that dies of an assertion is a violation at the seed that it was
 * at; another one goes on after it.
 */
struct many_worker {
    pid_t pid; /* 0: it has ended */
    int from;
    uint64_t next; /* whose result comes next */
};

struct many {
    const struct sl_sim_many *opts;
    sl_ns until; /* wall clock; SL_NEVER */
    struct many_worker workers[SL_SIM_MANY_WORKERS_MAX];
    struct sl_sim_tally tally;
    bool must_end;
};

static sl_ns many_wall_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (sl_ns)t.tv_sec * SL_S + t.tv_nsec;
}

static void many_write(int to, const struct sl_sim_result *result)
{
    const char *at = (const char *)result;
    size_t left = sizeof *result;
    while (left > 0) {
        ssize_t len = write(to, at, left);
        if (len <= 0)
            _exit(0); /* nobody reads any more */
        at += len;
        left -= (size_t)len;
    }
}

static void many_work(const struct many *m, uint64_t from, int to)
{
    struct sl_sim_request r = m->opts->request;
    r.prints_story = false;
    for (uint64_t seed = from; seed <= m->opts->last && seed >= from; seed += m->opts->worker_count) {
        struct sl_sim_result result;
        r.seed = seed;
        if (many_wall_now() >= m->until)
            break;
        if (!sl_sim_scenario_run(&r, &result))
            _exit(SL_SIM_EXIT_USAGE);
        many_write(to, &result);
    }
    _exit(0);
}

static bool many_start(struct many *m, uint32_t k, uint64_t from)
{
    int ends[2];
    struct many_worker *w = &m->workers[k];
    *w = (struct many_worker){ .from = -1, .next = from };
    if (from > m->opts->last || pipe(ends) != 0)
        return from > m->opts->last;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        /* Else nobody would notice that the parent does not read any more. */
        for (uint32_t i = 0; i < m->opts->worker_count; i++) {
            if (m->workers[i].pid != 0)
                close(m->workers[i].from);
        }
        close(ends[0]);
        many_work(m, from, ends[1]);
    }
    close(ends[1]);
    w->from = ends[0];
    w->pid = pid > 0 ? pid : 0;
    return pid > 0;
}

static bool many_read(int from, struct sl_sim_result *result)
{
    char *at = (char *)result;
    size_t left = sizeof *result;
    while (left > 0) {
        ssize_t len = read(from, at, left);
        if (len < 0 && errno == EINTR)
            continue;
        if (len <= 0)
            return false;
        at += len;
        left -= (size_t)len;
    }
    return true;
}

void sl_sim_result_of_death(struct sl_sim_result *result, uint64_t seed, int status)
{
    *result = (struct sl_sim_result){ .seed = seed, .has_failed = true };
    snprintf(result->oracle, sizeof result->oracle, "ABORT");
    if (WIFSIGNALED(status))
        snprintf(result->text, sizeof result->text, "the run died of signal %d; its last words are on standard error",
                 WTERMSIG(status));
    else
        snprintf(result->text, sizeof result->text, "the run ended with status %d", WEXITSTATUS(status));
}

static void many_take(struct many *m, const struct sl_sim_result *result)
{
    char repeat[SL_SIM_REPEAT_TEXT];
    const struct sl_sim_request *r = &m->opts->request;
    sl_sim_tally_add(&m->tally, result);
    sl_sim_repeat_text(r, result->seed, repeat);
    if (m->opts->as_json)
        sl_sim_result_print_json(result, r->scenario, repeat);
    else if (result->has_failed)
        sl_sim_result_print(result, r->scenario, repeat);
    m->must_end |= result->has_failed && r->stops_at_failure;
    fflush(stdout);
}

/* The next result of a worker, or its end. False: its last one, or a death that cannot be made up for. */
static bool many_step(struct many *m, uint32_t k, bool *is_usable)
{
    struct many_worker *w = &m->workers[k];
    struct sl_sim_result result;
    int status = 0;
    if (w->pid == 0)
        return false;
    if (many_read(w->from, &result)) {
        w->next += m->opts->worker_count;
        many_take(m, &result);
        return true;
    }
    close(w->from);
    waitpid(w->pid, &status, 0);
    w->pid = 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return false;
    *is_usable = !WIFEXITED(status) || WEXITSTATUS(status) != SL_SIM_EXIT_USAGE;
    if (!*is_usable)
        return false;
    sl_sim_result_of_death(&result, w->next, status);
    many_take(m, &result);
    return many_start(m, k, w->next + m->opts->worker_count);
}

static void many_stop(struct many *m)
{
    for (uint32_t k = 0; k < m->opts->worker_count; k++) {
        if (m->workers[k].pid == 0)
            continue;
        close(m->workers[k].from); /* it ends with its next write */
        waitpid(m->workers[k].pid, NULL, 0);
    }
}

uint64_t sl_sim_run_many(const struct sl_sim_many *opts)
{
    struct many *m = calloc(1, sizeof *m);
    SL_REQUIRE(m != NULL && opts->first <= opts->last && opts->worker_count > 0);
    SL_REQUIRE(opts->worker_count <= SL_SIM_MANY_WORKERS_MAX);
    sl_ns began = many_wall_now();
    *m = (struct many){ .opts = opts, .until = opts->minutes > 0 ? began + opts->minutes * 60 * SL_S : SL_NEVER };
    bool is_usable = true, is_going = true;
    for (uint32_t k = 0; k < opts->worker_count; k++)
        is_usable = is_usable && many_start(m, k, opts->first + k);
    while (is_going && is_usable && !m->must_end) {
        is_going = false;
        for (uint32_t k = 0; k < opts->worker_count && is_usable && !m->must_end; k++)
            is_going |= many_step(m, k, &is_usable);
    }
    many_stop(m);
    m->tally.wall_ns = many_wall_now() - began;
    if (!opts->as_json && is_usable)
        sl_sim_tally_print(&m->tally, opts->request.scenario);
    uint64_t failures = is_usable ? m->tally.failure_count : UINT64_MAX;
    free(m);
    return failures;
}
