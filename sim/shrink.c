/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/many.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * Delta debugging over the items of a plan: halves, quarters and so on are left away as long as the same oracle fails.
 * Leaving something away moves everything after it, so a bug that needs luck may hide: then the same part is tried with
 * a few other draws of chance before it is given up.
 */
#define SHRINK_VARIANTS 50u
#define SHRINK_KEEP_TEXT (SL_SIM_ITEMS_MAX * 4)

struct shrink {
    struct sl_sim_request request;
    char oracle[16];
    char keep_text[SHRINK_KEEP_TEXT];
    uint64_t variant; /* with which the last part failed */
    uint32_t run_count;
    struct sl_sim_result last; /* of the last part that failed */
};

static void shrink_write_keep(struct shrink *s, const uint32_t *items, uint32_t count)
{
    struct sl_text t;
    sl_text_init(&t, s->keep_text, sizeof s->keep_text);
    if (count == 0)
        sl_text_cstr(&t, "none");
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0)
            sl_text_cstr(&t, ",");
        sl_text_u64(&t, items[i]);
    }
    s->request.keep = s->keep_text;
}

static void shrink_child(const struct sl_sim_request *request, int to)
{
    struct sl_sim_result result;
    if (!freopen("/dev/null", "w", stderr) || !sl_sim_scenario_run(request, &result))
        _exit(SL_SIM_EXIT_USAGE);
    ssize_t written = write(to, &result, sizeof result);
    _exit(written == (ssize_t)sizeof result ? 0 : SL_SIM_EXIT_USAGE);
}

/* One run in a process of its own: an assertion counts as an oracle too. */
static bool shrink_run(struct shrink *s, struct sl_sim_result *result)
{
    int ends[2], status = 0;
    if (pipe(ends) != 0)
        return false;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        shrink_child(&s->request, ends[1]);
    close(ends[1]);
    size_t have = 0;
    while (pid > 0 && have < sizeof *result) {
        ssize_t len = read(ends[0], (char *)result + have, sizeof *result - have);
        if (len < 0 && errno == EINTR)
            continue;
        if (len <= 0)
            break;
        have += (size_t)len;
    }
    close(ends[0]);
    if (pid > 0)
        waitpid(pid, &status, 0);
    if (pid > 0 && have < sizeof *result)
        sl_sim_result_of_death(result, s->request.seed, status);
    s->run_count++;
    return pid > 0;
}

static bool shrink_fails(struct shrink *s, const uint32_t *items, uint32_t count)
{
    struct sl_sim_result result;
    uint64_t before = s->variant;
    shrink_write_keep(s, items, count);
    for (uint64_t i = 0; i <= SHRINK_VARIANTS; i++) {
        s->request.variant = i == 0 ? before : i;
        if (!shrink_run(s, &result) || !result.has_failed || strcmp(result.oracle, s->oracle) != 0)
            continue;
        s->variant = s->request.variant;
        s->last = result;
        return true;
    }
    return false;
}

/* Without the part from on; true if that still fails, and is then what is left. */
static bool shrink_without(struct shrink *s, uint32_t *items, uint32_t *count, uint32_t from, uint32_t size)
{
    uint32_t rest[SL_SIM_ITEMS_MAX], left = 0;
    for (uint32_t i = 0; i < *count; i++) {
        if (i < from || i >= from + size)
            rest[left++] = items[i];
    }
    if (!shrink_fails(s, rest, left))
        return false;
    memcpy(items, rest, left * sizeof *items);
    *count = left;
    printf("%" PRIu32 " runs: %" PRIu32 " items left\n", s->run_count, left);
    return true;
}

static void shrink_reduce(struct shrink *s, uint32_t *items, uint32_t *count)
{
    uint32_t size = *count > 1 ? (*count + 1) / 2 : 1;
    while (*count > 0) {
        bool is_less = false;
        for (uint32_t from = 0; from < *count;) {
            if (shrink_without(s, items, count, from, size))
                is_less = true;
            else
                from += size;
        }
        if (size == 1 && !is_less)
            return;
        if (!is_less || size > *count)
            size = size > 1 ? (size + 1) / 2 : 1;
    }
}

static void shrink_print(struct shrink *s, const struct sl_sim_plan *plan, const uint32_t *items, uint32_t count)
{
    char text[SL_SIM_ITEM_TEXT], repeat[SL_SIM_REPEAT_TEXT];
    shrink_write_keep(s, items, count);
    s->request.variant = s->variant;
    sl_sim_repeat_text(&s->request, s->request.seed, repeat);
    for (uint32_t i = 0; i < count; i++)
        printf("%3" PRIu32 "  %s\n", items[i], sl_sim_item_text(&plan->items[items[i]], text));
    sl_sim_result_print(&s->last, s->request.scenario, repeat);
}

static uint32_t shrink_begin(const struct shrink *s, const struct sl_sim_plan *plan, uint32_t *items)
{
    struct sl_sim_keep keep = { 0 };
    uint32_t count = 0;
    bool is_list = !s->request.keep || sl_sim_keep_parse(&keep, s->request.keep);
    SL_REQUIRE(is_list);
    for (uint32_t i = 0; i < plan->item_count; i++) {
        bool matters = !plan->items[i].is_knob || plan->items[i].value > 0;
        if (matters && sl_sim_is_kept(&keep, i))
            items[count++] = i;
    }
    return count;
}

int sl_sim_shrink(const struct sl_sim_request *request)
{
    struct shrink *s = calloc(1, sizeof *s);
    struct sl_sim_plan plan;
    uint32_t items[SL_SIM_ITEMS_MAX];
    SL_REQUIRE(s != NULL);
    s->request = *request;
    s->variant = request->variant;
    struct sl_sim_plan_opts opts = { .seed = request->seed,
                                     .node_count = request->node_count,
                                     .feed_count = request->feed_count,
                                     .dispatcher_count = request->dispatcher_count,
                                     .mode = request->mode };
    sl_sim_plan_draw(&plan, &opts);
    uint32_t count = shrink_begin(s, &plan, items);
    if (strcmp(request->scenario, "cluster-swarm") != 0 || !shrink_run(s, &s->last)) {
        fputs("sluice-sim: only runs of cluster-swarm can be reduced\n", stderr);
        free(s);
        return SL_SIM_EXIT_USAGE;
    }
    bool has_failed = s->last.has_failed;
    if (has_failed) {
        memcpy(s->oracle, s->last.oracle, sizeof s->oracle);
        printf("%s fails with %" PRIu32 " items\n", s->oracle, count);
        shrink_reduce(s, items, &count);
        shrink_print(s, &plan, items, count);
    } else {
        printf("seed %" PRIu64 " does not fail\n", request->seed);
    }
    free(s);
    return has_failed ? 0 : 1;
}
