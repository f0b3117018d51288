/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/scenario.h"

#include "sim/incidents.h"
#include "sim/script.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SCENARIO_SCALE_WITHIN_NS (3600 * SL_S)
#define SCENARIO_SCALE_LOOK_NS (100 * SL_MS)
#define SCENARIO_PATH_MAX 512

sl_ns sl_sim_cpu_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (sl_ns)t.tv_sec * SL_S + t.tv_nsec;
}

const char *sl_sim_repeat_text(const struct sl_sim_request *r, uint64_t seed, char out[SL_SIM_REPEAT_TEXT])
{
    struct sl_text t;
    sl_text_init(&t, out, SL_SIM_REPEAT_TEXT);
    sl_text_cstr(&t, "./dev sim --scenario ");
    sl_text_cstr(&t, r->scenario);
    sl_text_cstr(&t, " --seed ");
    sl_text_u64(&t, seed);
    const struct {
        const char *option;
        uint32_t value;
    } sizes[] = { { " --nodes ", r->node_count },
                  { " --feeds ", r->feed_count },
                  { " --dispatchers ", r->dispatcher_count } };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        if (sizes[i].value == 0)
            continue;
        sl_text_cstr(&t, sizes[i].option);
        sl_text_u64(&t, sizes[i].value);
    }
    if (r->mode != SL_SIM_MODE_DRAWN)
        sl_text_cstr(&t, r->mode == SL_SIM_MODE_SAFETY ? " --mode safety" : " --mode liveness");
    if (r->variant > 0) {
        sl_text_cstr(&t, " --variant ");
        sl_text_u64(&t, r->variant);
    }
    if (r->keep) {
        sl_text_cstr(&t, " --keep ");
        sl_text_cstr(&t, r->keep);
    }
    return out;
}

/* ---- built in ---- */

typedef bool scenario_condition(struct sl_sim *sim, char why[SL_SIM_WHY]);

static bool scenario_is_content(struct sl_sim *sim, char why[SL_SIM_WHY])
{
    return sl_sim_client_is_content(sim, false, why, SL_SIM_WHY) && sl_sim_is_replicating(sim, why);
}

static bool scenario_has_ended(struct sl_sim *sim, char why[SL_SIM_WHY])
{
    return sim->stats.drains_done > 0 && scenario_is_content(sim, why);
}

static bool scenario_is_safe(struct sl_sim *sim, char why[SL_SIM_WHY])
{
    const struct sl_sim_cluster_judge *j = &sim->cluster->judge;
    (void)sl_sim_client_is_content(sim, false, why, SL_SIM_WHY);
    return j->drain_count > 0 && j->drains[0].was_safe;
}

static bool scenario_run_until(struct sl_sim *sim, scenario_condition *holds)
{
    char why[SL_SIM_WHY];
    sl_ns until = sim->engine.now + SCENARIO_SCALE_WITHIN_NS;
    while (!holds(sim, why)) {
        if (sim->engine.now >= until)
            sl_sim_violate(&sim->engine, sl_sim_oracle_name(SL_SIM_ORACLE_PROGRESS), "%s", why);
        if (!sl_sim_run_until(sim, sim->engine.now + SCENARIO_SCALE_LOOK_NS))
            return false;
    }
    return true;
}

static void scenario_scale_feeds(struct sl_sim *sim, const struct sl_sim_request *r)
{
    uint32_t feeds = r->feed_count > 0 ? r->feed_count : 1;
    uint32_t dispatchers = r->dispatcher_count > 0 ? r->dispatcher_count : 10000;
    sim->opts.feed_count_max = feeds;
    struct sl_sim_fault create = { .action = SL_SIM_ACTION_CREATE_FEED, .count = dispatchers / feeds };
    for (uint32_t i = 0; i < feeds; i++)
        sl_sim_faults_do(sim, &create);
}

/* Replicate, drain n2 under steady load, until it has left and everybody knows: without faults, at any size. */
static void scenario_scale(struct sl_sim *sim, const struct sl_sim_request *r, struct sl_sim_result *out)
{
    struct sl_sim_opts opts;
    sl_sim_opts_default(&opts);
    opts.seed = r->seed;
    opts.host_count = r->node_count > 0 ? r->node_count : 3;
    opts.trace = r->trace;
    opts.reference_pacing = r->reference_pacing;
    sl_sim_init(sim, &opts);
    scenario_scale_feeds(sim, r);
    if (!scenario_run_until(sim, scenario_is_content))
        return;
    sl_ns cpu = sl_sim_cpu_now(), asked_at = sim->engine.now;
    struct sl_sim_fault drain = { .action = SL_SIM_ACTION_DRAIN, .host = opts.host_count > 1 ? 1 : 0, .count = 1 };
    sl_sim_faults_do(sim, &drain);
    if (!scenario_run_until(sim, scenario_is_safe))
        return;
    out->drain_cpu_ns = sl_sim_cpu_now() - cpu;
    out->drain_ns = sim->cluster->judge.drains[0].safe_at - asked_at;
    scenario_run_until(sim, scenario_has_ended);
}

/* The name of an incident behind its prefix; null if it is none. */
static const char *scenario_incident(const char *name)
{
    size_t len = strlen(SL_SIM_INCIDENT_PREFIX);
    bool is_one = strncmp(name, SL_SIM_INCIDENT_PREFIX, len) == 0 && sl_sim_incident_is_known(name + len);
    return is_one ? name + len : NULL;
}

/* A name of a scenario that is no script; drain-scale is one too. */
static bool scenario_is_built_in(const char *name)
{
    return strcmp(name, "cluster-basic") == 0 || strcmp(name, "cluster-swarm") == 0 || scenario_incident(name);
}

static void scenario_built_in(struct sl_sim *sim, const struct sl_sim_request *r)
{
    struct sl_sim_keep keep;
    struct sl_sim_plan_opts opts = { .seed = r->seed,
                                     .node_count = r->node_count,
                                     .feed_count = r->feed_count,
                                     .dispatcher_count = r->dispatcher_count,
                                     .mode = r->mode };
    struct sl_sim_plan_run run = { .variant = r->variant, .trace = r->trace };
    if (strcmp(r->scenario, "cluster-basic") == 0) {
        sl_sim_cluster_basic(sim, r->seed, r->trace);
        return;
    }
    if (scenario_incident(r->scenario)) {
        (void)sl_sim_incident_run(sim, scenario_incident(r->scenario), r->seed, r->trace);
        return;
    }
    if (r->keep) {
        bool is_list = sl_sim_keep_parse(&keep, r->keep);
        SL_REQUIRE(is_list); /* main looked at it */
        run.keep = &keep;
    }
    sl_sim_plan_run(sim, &opts, &run);
}

/* ---- scripts ---- */

static struct sl_sim_script *scenario_new_script(const struct sl_sim_request *r)
{
    struct sl_sim_opts opts;
    sl_sim_opts_default(&opts);
    opts.seed = r->seed;
    opts.trace = r->trace;
    return sl_sim_script_new(&opts);
}

static bool scenario_script(const struct sl_sim_request *r, struct sl_sim_result *out)
{
    char path[SCENARIO_PATH_MAX];
    struct sl_sim_buffer source = { 0 };
    snprintf(path, sizeof path, "%s/%s.txt", r->data_dir, r->scenario);
    if (strchr(r->scenario, '/') || !sl_sim_buffer_read(&source, path)) {
        fprintf(stderr, "sluice-sim: no scenario '%s': there is no file %s\n", r->scenario, path);
        sl_sim_buffer_deinit(&source);
        return false;
    }
    struct sl_sim_script *s = scenario_new_script(r);
    bool is_good = sl_sim_script_run(s, sl_sim_buffer_text(&source));
    if (r->prints_story)
        fputs(s->text.ptr, stdout);
    if (s->has_cluster)
        sl_sim_result_take(out, &s->sim);
    if (!is_good && !out->has_failed) {
        out->has_failed = true;
        snprintf(out->text, sizeof out->text, "a line of the script failed; see its output");
    }
    sl_sim_script_free(s);
    sl_sim_buffer_deinit(&source);
    return true;
}

bool sl_sim_scenario_run(const struct sl_sim_request *r, struct sl_sim_result *out)
{
    *out = (struct sl_sim_result){ .seed = r->seed };
    sl_ns cpu = sl_sim_cpu_now();
    bool is_built_in = scenario_is_built_in(r->scenario);
    bool is_scale = strcmp(r->scenario, "drain-scale") == 0 ||
                    (!is_built_in && r->node_count + r->feed_count + r->dispatcher_count > 0);
    bool is_known = true;
    if (is_scale || is_built_in) {
        struct sl_sim *sim = calloc(1, sizeof *sim);
        SL_REQUIRE(sim != NULL);
        if (is_built_in)
            scenario_built_in(sim, r);
        else
            scenario_scale(sim, r, out);
        sl_sim_result_take(out, sim);
        out->seed = r->seed; /* not the one of a variant */
        out->cpu_ns = sl_sim_cpu_now() - cpu;
        sl_sim_deinit(sim);
        free(sim);
    } else {
        is_known = scenario_script(r, out);
        out->cpu_ns = sl_sim_cpu_now() - cpu;
    }
    return is_known;
}

static int scenario_compare(const char *path, struct sl_str expected, struct sl_str actual)
{
    struct sl_sim_buffer diff = { 0 };
    bool is_equal = sl_sim_script_diff(expected, actual, &diff);
    if (!is_equal)
        printf("%s tells another story (- as written, + as it is now):\n%srewrite with: sluice-sim --script %s "
               "--rewrite\n",
               path, diff.ptr, path);
    sl_sim_buffer_deinit(&diff);
    return is_equal ? 0 : 1;
}

int sl_sim_scenario_file(const char *path, const struct sl_sim_request *r, enum sl_sim_script_mode mode)
{
    struct sl_sim_buffer source = { 0 };
    int status = 2;
    if (!sl_sim_buffer_read(&source, path)) {
        fprintf(stderr, "sluice-sim: cannot read %s\n", path);
        sl_sim_buffer_deinit(&source);
        return status;
    }
    struct sl_sim_script *s = scenario_new_script(r);
    bool is_good = sl_sim_script_run(s, sl_sim_buffer_text(&source));
    status = is_good ? 0 : 1;
    if (mode == SL_SIM_SCRIPT_PRINT)
        fputs(s->text.ptr ? s->text.ptr : "", stdout);
    else if (mode == SL_SIM_SCRIPT_CHECK &&
             scenario_compare(path, sl_sim_buffer_text(&source), sl_sim_buffer_text(&s->text)) != 0)
        status = 1;
    else if (mode == SL_SIM_SCRIPT_REWRITE && !sl_sim_buffer_write(&s->text, path))
        status = 2;
    if (mode != SL_SIM_SCRIPT_PRINT)
        printf("%s: %s, %" PRIu32 " failed lines\n", path, status == 0 ? "ok" : "FAILED", s->failures);
    sl_sim_script_free(s);
    sl_sim_buffer_deinit(&source);
    return status;
}
