/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/many.h"
#include "sim/script.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#ifndef SL_SIM_DATA_DIR
#define SL_SIM_DATA_DIR "tests/data" /* from the root of the tree, where ./dev runs everything */
#endif
#define MAIN_WORKERS 2
#define MAIN_SWARM_SEEDS 1000

struct main_args {
    struct sl_sim_request request;
    const char *script;
    enum sl_sim_script_mode mode;
    uint64_t seed_first, seed_last, worker_count, minutes;
    bool is_range, is_swarm, must_shrink, as_json, is_twice, wants_help, wants_script_help, wants_plan;
};

static const char main_help[] =
    "usage: sluice-sim --scenario NAME [--seed S | --seeds A..B] [options]\n"
    "       sluice-sim --swarm [--seeds A..B] [--minutes M] [--workers N]\n"
    "       sluice-sim --shrink --seed S\n"
    "       sluice-sim --script FILE [--check | --rewrite] [--seed S]\n"
    "\n"
    "Runs a whole cluster in one thread and in virtual time; the same seed gives the same run, to the bit.\n"
    "Scenarios: cluster-swarm (random faults), cluster-basic (every way to drain), drain-scale (any size, no faults),\n"
    "or a script of tests/data.\n"
    "\n"
    "  --seed S          default 1\n"
    "  --seeds A..B      many runs and a table by kind of fault\n"
    "  --minutes M       no run begins after so many; without --seeds: from 1 upward\n"
    "  --swarm           random faults: --scenario cluster-swarm, over many seeds\n"
    "  --mode safety|liveness                cluster-swarm: faults to the end, or all must come into order after them\n"
    "  --shrink          cluster-swarm: the least part of a failing run that still fails\n"
    "  --keep 3,7,9      cluster-swarm: only these of what was drawn\n"
    "  --variant V       cluster-swarm: the same plan, other draws of chance\n"
    "  --plan            cluster-swarm: what is drawn for the seed, and no run\n"
    "  --first           of many runs, the first that fails is the last\n"
    "  --nodes N --feeds F --dispatchers D   sizes; a script is then replaced by drain-scale\n"
    "  --reference-pacing                    drain-scale with max(10, 1 %) moves and rounds of 200 ms\n"
    "  --twice           run twice and compare the digests\n"
    "  --json            one object per run\n"
    "  --trace           every event of every node\n"
    "  --workers N       processes for --seeds (2)\n"
    "  --data DIR        where the scripts are (tests/data)\n"
    "  --check           compare the script's story with the file\n"
    "  --rewrite         write the story as it is now into the file\n"
    "  --help-script     the commands of scripts\n"
    "\n"
    "Exit status: 0 nothing violated, 1 a violation or another story, 2 wrong arguments.\n";

static bool main_number(const char *text, uint64_t max, uint64_t *out)
{
    char *end;
    if (!text || *text < '0' || *text > '9')
        return false;
    errno = 0;
    *out = strtoull(text, &end, 10);
    return errno == 0 && *end == 0 && *out <= max;
}

static bool main_range(const char *text, struct main_args *a)
{
    char *end;
    if (!text || *text < '0' || *text > '9')
        return false;
    a->seed_first = strtoull(text, &end, 10);
    a->is_range = true;
    return strncmp(end, "..", 2) == 0 && main_number(end + 2, UINT64_MAX - 1, &a->seed_last) &&
           a->seed_first <= a->seed_last;
}

static bool main_size(const char *text, uint64_t max, uint32_t *out)
{
    uint64_t value;
    if (!main_number(text, max, &value) || value == 0)
        return false;
    *out = (uint32_t)value;
    return true;
}

static bool main_flag(const char *option, struct main_args *a)
{
    if (strcmp(option, "--json") == 0)
        a->as_json = true;
    else if (strcmp(option, "--twice") == 0)
        a->is_twice = true;
    else if (strcmp(option, "--swarm") == 0)
        a->is_swarm = true;
    else if (strcmp(option, "--shrink") == 0)
        a->must_shrink = true;
    else if (strcmp(option, "--plan") == 0)
        a->wants_plan = true;
    else if (strcmp(option, "--first") == 0)
        a->request.stops_at_failure = true;
    else if (strcmp(option, "--reference-pacing") == 0)
        a->request.reference_pacing = true;
    else if (strcmp(option, "--trace") == 0)
        a->request.trace = stdout;
    else if (strcmp(option, "--check") == 0)
        a->mode = SL_SIM_SCRIPT_CHECK;
    else if (strcmp(option, "--rewrite") == 0)
        a->mode = SL_SIM_SCRIPT_REWRITE;
    else if (strcmp(option, "--help") == 0 || strcmp(option, "-h") == 0)
        a->wants_help = true;
    else if (strcmp(option, "--help-script") == 0)
        a->wants_script_help = true;
    else
        return false;
    return true;
}

static bool main_mode(const char *text, enum sl_sim_mode *out)
{
    *out = strcmp(text, "safety") == 0 ? SL_SIM_MODE_SAFETY : SL_SIM_MODE_LIVENESS;
    return *out == SL_SIM_MODE_SAFETY || strcmp(text, "liveness") == 0;
}

static bool main_keep(const char *text, const char **out)
{
    struct sl_sim_keep keep;
    *out = text;
    return sl_sim_keep_parse(&keep, text);
}

/* True if the option is known and its value is good. */
static bool main_value(const char *option, const char *value, struct main_args *a)
{
    struct sl_sim_request *r = &a->request;
    if (!value)
        return false;
    if (strcmp(option, "--scenario") == 0)
        r->scenario = value;
    else if (strcmp(option, "--script") == 0)
        a->script = value;
    else if (strcmp(option, "--data") == 0)
        r->data_dir = value;
    else if (strcmp(option, "--seed") == 0)
        return main_number(value, UINT64_MAX, &r->seed);
    else if (strcmp(option, "--seeds") == 0)
        return main_range(value, a);
    else if (strcmp(option, "--minutes") == 0)
        return main_number(value, 100000, &a->minutes) && a->minutes > 0;
    else if (strcmp(option, "--mode") == 0)
        return main_mode(value, &r->mode);
    else if (strcmp(option, "--keep") == 0)
        return main_keep(value, &r->keep);
    else if (strcmp(option, "--variant") == 0)
        return main_number(value, UINT64_MAX, &r->variant);
    else if (strcmp(option, "--workers") == 0)
        return main_number(value, SL_SIM_MANY_WORKERS_MAX, &a->worker_count) && a->worker_count > 0;
    else if (strcmp(option, "--nodes") == 0)
        return main_size(value, SL_SIM_HOST_MAX, &r->node_count);
    else if (strcmp(option, "--feeds") == 0)
        return main_size(value, 100000, &r->feed_count);
    else if (strcmp(option, "--dispatchers") == 0)
        return main_size(value, SL_SIM_TABLE_MAX - 1, &r->dispatcher_count);
    else
        return false;
    return true;
}

static bool main_parse(int argc, char **argv, struct main_args *a)
{
    *a = (struct main_args){ .request = { .data_dir = SL_SIM_DATA_DIR, .seed = 1 }, .worker_count = MAIN_WORKERS };
    for (int i = 1; i < argc; i++) {
        if (main_flag(argv[i], a))
            continue;
        if (i + 1 >= argc || !main_value(argv[i], argv[i + 1], a)) {
            fprintf(stderr, "sluice-sim: '%s': no such option, or its value is missing or wrong (--help)\n", argv[i]);
            return false;
        }
        i++;
    }
    if ((a->is_swarm || a->must_shrink || a->wants_plan) && !a->request.scenario)
        a->request.scenario = "cluster-swarm";
    if ((a->is_swarm || a->minutes > 0) && !a->is_range) {
        a->is_range = true;
        a->seed_first = 1;
        a->seed_last = a->minutes > 0 ? UINT64_MAX - SL_SIM_MANY_WORKERS_MAX : MAIN_SWARM_SEEDS;
    }
    if (!a->script && !a->request.scenario && !a->wants_help && !a->wants_script_help) {
        fputs(main_help, stderr);
        return false;
    }
    return true;
}

static int main_script_help(void)
{
    struct sl_sim_buffer out = { 0 };
    sl_sim_script_help(&out);
    fputs(out.ptr, stdout);
    sl_sim_buffer_deinit(&out);
    return 0;
}

static int main_one(const struct main_args *a)
{
    char repeat[SL_SIM_REPEAT_TEXT];
    struct sl_sim_result first, second;
    struct sl_sim_request request = a->request;
    request.prints_story = !a->as_json;
    sl_sim_repeat_text(&request, request.seed, repeat);
    if (!sl_sim_scenario_run(&request, &first))
        return 2;
    if (a->is_twice) {
        request.prints_story = false;
        request.trace = NULL;
        if (!sl_sim_scenario_run(&request, &second))
            return 2;
        if (first.digest != second.digest) {
            first.has_failed = true;
            snprintf(first.text, sizeof first.text, "two runs differ: digests %016" PRIx64 " and %016" PRIx64,
                     first.digest, second.digest);
        }
    }
    if (a->as_json)
        sl_sim_result_print_json(&first, request.scenario, repeat);
    else
        sl_sim_result_print(&first, request.scenario, repeat);
    return first.has_failed ? 1 : 0;
}

static int main_plan(const struct main_args *a)
{
    const struct sl_sim_request *r = &a->request;
    struct sl_sim_plan_opts opts = { .seed = r->seed,
                                     .node_count = r->node_count,
                                     .feed_count = r->feed_count,
                                     .dispatcher_count = r->dispatcher_count,
                                     .mode = r->mode };
    struct sl_sim_plan plan;
    char text[SL_SIM_ITEM_TEXT];
    sl_sim_plan_draw(&plan, &opts);
    printf("%s, %" PRId64 " s, %" PRIu32 " nodes, %" PRIu32 " feeds\n",
           plan.mode == SL_SIM_MODE_SAFETY ? "safety" : "liveness", plan.trouble_ns / SL_S, plan.host_count,
           plan.feed_count);
    for (uint32_t i = 0; i < plan.item_count; i++) {
        if (!plan.items[i].is_knob || plan.items[i].value > 0)
            printf("%3" PRIu32 "  %s\n", i, sl_sim_item_text(&plan.items[i], text));
    }
    return 0;
}

static int main_many(const struct main_args *a)
{
    struct sl_sim_many many = { .request = a->request,
                                .first = a->seed_first,
                                .last = a->seed_last,
                                .minutes = (sl_ns)a->minutes,
                                .worker_count = (uint32_t)a->worker_count,
                                .as_json = a->as_json };
    return sl_sim_run_many(&many) == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct main_args args;
    if (!main_parse(argc, argv, &args))
        return 2;
    if (args.wants_help) {
        fputs(main_help, stdout);
        return 0;
    }
    if (args.wants_script_help)
        return main_script_help();
    if (args.script)
        return sl_sim_scenario_file(args.script, &args.request, args.mode);
    if (args.wants_plan)
        return main_plan(&args);
    if (args.must_shrink)
        return sl_sim_shrink(&args.request);
    return args.is_range ? main_many(&args) : main_one(&args);
}
