/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/result.h"

#include <inttypes.h>
#include <string.h>

void sl_sim_result_take(struct sl_sim_result *r, const struct sl_sim *sim)
{
    r->seed = sim->opts.seed;
    r->digest = sim->engine.digest;
    r->event_count = sim->engine.event_count;
    r->message_count = sim->net.sent_count;
    r->lost_count = sim->net.lost_count;
    r->copy_count = sim->net.copy_count;
    r->move_count = sim->sink.move_count;
    r->drains_asked = sim->cluster->client.drain_count;
    r->drains_done = sim->stats.drains_done;
    r->drains_safe = sim->stats.drains_safe;
    r->drains_begun = sim->stats.drains_begun;
    r->drains_ended = sim->stats.drains_ended;
    for (uint32_t i = 0; i < SL_SIM_KNOB_COUNT; i++)
        r->knob_counts[i] = sl_sim_knob_count(sim, (enum sl_sim_knob)i);
    r->simulated_ns = sim->engine.now;
    r->drain_rounds = sim->stats.waves;
    r->maintainer_bytes_peak = sim->stats.maintainer_bytes_peak;
    r->control_bytes_peak = sim->stats.control_bytes_peak;
    r->claim_count = sim->sink.claim_count;
    r->refusal_count = sim->sink.refusal_count;
    r->dispatcher_count = 0;
    for (uint32_t i = 0; i < sim->catalog.feed_count; i++)
        r->dispatcher_count += sim->catalog.feeds[i].live_count;
    memcpy(r->action_counts, sim->faults.done_counts, sizeof r->action_counts);
    memcpy(r->check_counts, sim->oracle.check_counts, sizeof r->check_counts);
    if (!sim->engine.violation.oracle)
        return;
    r->has_failed = true;
    r->failed_at = sim->engine.violation.at;
    snprintf(r->oracle, sizeof r->oracle, "%s", sim->engine.violation.oracle);
    snprintf(r->text, sizeof r->text, "%s", sim->engine.violation.text);
}

/* Per second of processor time, in integers. */
static uint64_t result_per_second(uint64_t count, sl_ns ns)
{
    uint64_t us = (uint64_t)(ns / SL_US);
    return us > 0 ? count * 1000000 / us : 0;
}

static uint64_t result_bytes_each(const struct sl_sim_result *r)
{
    return r->dispatcher_count > 0 ? r->control_bytes_peak / r->dispatcher_count : 0;
}

void sl_sim_result_print(const struct sl_sim_result *r, const char *scenario, const char *repeat)
{
    char at[SL_SIM_TIME_TEXT];
    if (r->has_failed)
        printf("VIOLATION oracle=%s at=%s seed=%" PRIu64 " what=\"%s\"\nrepeat with: %s\n",
               r->oracle[0] ? r->oracle : "SCRIPT", sl_sim_time_text(r->failed_at, at), r->seed, r->text, repeat);
    printf("%s seed=%" PRIu64 " %s digest=%016" PRIx64 " simulated=%s events=%" PRIu64 " events_per_s=%" PRIu64
           " messages=%" PRIu64 " moves=%" PRIu64 " drains=%" PRIu64 "/%" PRIu64 "\n",
           scenario, r->seed, r->has_failed ? "FAILED" : "ok", r->digest, sl_sim_time_text(r->simulated_ns, at),
           r->event_count, result_per_second(r->event_count, r->cpu_ns), r->message_count, r->move_count,
           r->drains_done, r->drains_asked);
    if (r->drain_ns > 0)
        printf("drain: %" PRId64 " ms simulated, %" PRId64 " ms of processor time; control plane: %" PRIu64
               " bytes per dispatcher at most, %" PRIu64 " dispatchers\n",
               r->drain_ns / SL_MS, r->drain_cpu_ns / SL_MS, result_bytes_each(r), r->dispatcher_count);
}

static void result_print_text(const char *key, const char *text)
{
    printf("\"%s\":\"", key);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            putchar('\\');
        putchar((unsigned char)*text < 0x20 ? ' ' : *text);
    }
    printf("\"");
}

void sl_sim_result_print_json(const struct sl_sim_result *r, const char *scenario, const char *repeat)
{
    printf("{");
    result_print_text("scenario", scenario);
    printf(",\"seed\":%" PRIu64 ",\"ok\":%s,\"digest\":\"%016" PRIx64 "\",\"simulated_ms\":%" PRId64
           ",\"cpu_ms\":%" PRId64 ",\"events\":%" PRIu64 ",\"events_per_s\":%" PRIu64 ",\"messages\":%" PRIu64
           ",\"messages_lost\":%" PRIu64 ",\"messages_twice\":%" PRIu64 ",\"moves\":%" PRIu64 ",",
           r->seed, r->has_failed ? "false" : "true", r->digest, r->simulated_ns / SL_MS, r->cpu_ns / SL_MS,
           r->event_count, result_per_second(r->event_count, r->cpu_ns), r->message_count, r->lost_count, r->copy_count,
           r->move_count);
    printf("\"drains\":{\"asked\":%" PRIu64 ",\"done\":%" PRIu64 ",\"safe\":%" PRIu64 "},\"drain_ms\":%" PRId64
           ",\"drain_cpu_ms\":%" PRId64 ",\"dispatchers\":%" PRIu64 ",\"peak_bytes_per_dispatcher\":%" PRIu64
           ",\"writers\":%" PRIu64 ",\"writers_refused\":%" PRIu64 ",\"oracles\":{",
           r->drains_asked, r->drains_done, r->drains_safe, r->drain_ns / SL_MS, r->drain_cpu_ns / SL_MS,
           r->dispatcher_count, result_bytes_each(r), r->claim_count, r->refusal_count);
    for (uint32_t i = 0; i < SL_SIM_ORACLE_COUNT; i++) {
        const char *name = sl_sim_oracle_name((enum sl_sim_oracle_id)i);
        printf("%s\"%s\":{\"checks\":%" PRIu64 ",\"ok\":%s}", i > 0 ? "," : "", name, r->check_counts[i],
               r->has_failed && strcmp(name, r->oracle) == 0 ? "false" : "true");
    }
    printf("},");
    if (r->has_failed) {
        printf("\"violation\":{");
        result_print_text("oracle", r->oracle[0] ? r->oracle : "SCRIPT");
        printf(",\"at_ms\":%" PRId64 ",", r->failed_at / SL_MS);
        result_print_text("what", r->text);
        printf("},");
    }
    result_print_text("repeat", repeat);
    printf("}\n");
}

static void tally_row(struct sl_sim_tally_row *row, const struct sl_sim_result *r, uint64_t count)
{
    if (count == 0)
        return;
    row->runs++;
    row->faults += count;
    row->begun += r->drains_begun;
    row->ended += r->drains_ended;
    row->moves += r->move_count;
    row->failures += r->has_failed;
}

void sl_sim_tally_add(struct sl_sim_tally *t, const struct sl_sim_result *r)
{
    uint64_t faults = 0;
    t->run_count++;
    t->failure_count += r->has_failed;
    t->event_count += r->event_count;
    t->cpu_ns += r->cpu_ns;
    t->simulated_ns += r->simulated_ns;
    for (uint32_t i = 0; i < SL_SIM_KNOB_COUNT; i++) {
        tally_row(&t->knobs[i], r, r->knob_counts[i]);
        faults += r->knob_counts[i];
    }
    for (uint32_t i = 0; i < SL_SIM_ACTION_COUNT; i++) {
        tally_row(&t->actions[i], r, r->action_counts[i]);
        faults += r->action_counts[i];
    }
    tally_row(&t->all, r, 1);
    t->all.faults += faults - 1;
}

static void tally_print_row(const char *name, const struct sl_sim_tally_row *row)
{
    if (row->runs > 0)
        printf("%-20s %8" PRIu64 " %10" PRIu64 " %8" PRIu64 " %8" PRIu64 " %10" PRIu64 " %10" PRIu64 "\n", name,
               row->runs, row->faults, row->begun, row->ended, row->moves, row->failures);
}

void sl_sim_tally_print(const struct sl_sim_tally *t, const char *scenario)
{
    printf("%-20s %8s %10s %8s %8s %10s %10s\n", "fault", "runs", "injected", "begun", "ended", "moves", "violations");
    for (uint32_t i = 0; i < SL_SIM_KNOB_COUNT; i++)
        tally_print_row(sl_sim_knob_text((enum sl_sim_knob)i), &t->knobs[i]);
    for (uint32_t i = 0; i < SL_SIM_ACTION_COUNT; i++)
        tally_print_row(sl_sim_action_text((enum sl_sim_action)i), &t->actions[i]);
    tally_print_row("all", &t->all);
    uint64_t tenths_of_hours = (uint64_t)(t->simulated_ns / (360 * SL_S));
    printf("%s: %" PRIu64 " seeds, %" PRIu64 " violations, %" PRIu64 ".%" PRIu64 " hours simulated, %" PRIu64
           " events, %" PRIu64 " events per second of processor time, %" PRIu64 " per second, %" PRId64 " s\n",
           scenario, t->run_count, t->failure_count, tenths_of_hours / 10, tenths_of_hours % 10, t->event_count,
           result_per_second(t->event_count, t->cpu_ns), result_per_second(t->event_count, t->wall_ns),
           t->wall_ns / SL_S);
}
