/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/scenario.h"

#include <inttypes.h>
#include <sys/wait.h>
#include <unistd.h>

#define MANY_WORKERS_MAX 64

/* Worker k runs the seeds first + k, first + k + n, ... and writes its results in that order. */
static void many_work(const struct sl_sim_request *request, uint64_t first, uint64_t last, uint32_t step, int out)
{
    struct sl_sim_request r = *request;
    r.prints_story = false;
    for (uint64_t seed = first; seed <= last && seed >= first; seed += step) {
        struct sl_sim_result result;
        r.seed = seed;
        if (!sl_sim_scenario_run(&r, &result) || write(out, &result, sizeof result) != (ssize_t)sizeof result)
            _exit(2);
    }
    _exit(0);
}

static bool many_read(int from, struct sl_sim_result *result)
{
    char *at = (char *)result;
    size_t left = sizeof *result;
    while (left > 0) {
        ssize_t len = read(from, at, left);
        if (len <= 0)
            return false;
        at += len;
        left -= (size_t)len;
    }
    return true;
}

/* The process ids of workers that could be started; the reading ends of their pipes in pipes. */
static uint32_t many_start(const struct sl_sim_request *request, uint64_t first, uint64_t last, uint32_t worker_count,
                           int pipes[MANY_WORKERS_MAX])
{
    fflush(stdout);
    for (uint32_t k = 0; k < worker_count; k++) {
        int ends[2];
        if (pipe(ends) != 0)
            return k;
        pid_t pid = fork();
        if (pid == 0) {
            close(ends[0]);
            many_work(request, first + k, last, worker_count, ends[1]);
        }
        close(ends[1]);
        if (pid < 0) {
            close(ends[0]);
            return k;
        }
        pipes[k] = ends[0];
    }
    return worker_count;
}

uint64_t sl_sim_scenario_run_many(const struct sl_sim_request *request, uint64_t first, uint64_t last,
                                  uint32_t worker_count, bool as_json)
{
    int pipes[MANY_WORKERS_MAX];
    struct sl_sim_tally tally = { 0 };
    SL_REQUIRE(first <= last && worker_count > 0 && worker_count <= MANY_WORKERS_MAX);
    bool is_whole = many_start(request, first, last, worker_count, pipes) == worker_count;
    for (uint64_t seed = first; is_whole && seed <= last; seed++) {
        char repeat[SL_SIM_REPEAT_TEXT];
        struct sl_sim_result result;
        if (!many_read(pipes[(seed - first) % worker_count], &result)) {
            printf("seed %" PRIu64 ": the run did not end\nrepeat with: %s\n", seed,
                   sl_sim_repeat_text(request, seed, repeat));
            is_whole = false;
            break;
        }
        sl_sim_tally_add(&tally, &result);
        if (as_json)
            sl_sim_result_print_json(&result, request->scenario, sl_sim_repeat_text(request, seed, repeat));
        else if (result.has_failed)
            sl_sim_result_print(&result, request->scenario, sl_sim_repeat_text(request, seed, repeat));
        if (result.has_failed && request->stops_at_failure)
            break;
    }
    if (!is_whole)
        return UINT64_MAX; /* the workers end when nobody reads their pipes any more */
    bool is_cut_short = tally.failure_count > 0 && request->stops_at_failure;
    while (!is_cut_short && wait(NULL) > 0) {
    }
    if (!as_json)
        sl_sim_tally_print(&tally, request->scenario);
    return tally.failure_count;
}
