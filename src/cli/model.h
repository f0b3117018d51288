/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_CLI_MODEL_H
#define SL_CLI_MODEL_H

#include "base/check.h"

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What the API says, as values for printing: every text is clean (cli/text.h) and cut to its field. Members that are
 * absent, null or of another type are empty, zero or not known: an older or newer node is no error.
 */
struct sl_cli_number {
    bool is_known;
    uint64_t v;
};

struct sl_cli_node {
    char id[64], name[80], address[264], version[64];
    char liveness[16]; /* alive, draining, stopping; unknown: it is silent */
    bool is_owner, is_unknown, is_draining;
    struct sl_cli_number maintainers, dispatchers, readers, unflushed_rows, silent_ms;
    uint64_t started_ms;      /* wall clock; 0 = not known */
    struct json_object *json; /* as it came; not owned */
};

#define SL_CLI_SLOW_MAX 10
struct sl_cli_slow {                                    /* a span that takes long to move */
    char feed[140], span[80], phase[32], waits_for[80]; /* waits_for: a node */
    uint64_t age_ms;
};

struct sl_cli_drain {
    char id[40], target[64], target_name[80], phase[16], reason[204], actor[68];
    char blocker[32], blocker_text[160], blocker_detail[164]; /* empty: nothing is known to block it */
    bool safe_to_stop;                                        /* proved; still true after the node has left */
    bool cancelled, proof_reference, stop_node, cancel_at_deadline;
    struct sl_cli_number maintainers, operators, dispatchers, moves, feeds_unsettled, peers_unacked, stuck;
    uint64_t dispatchers_at_start, moves_done;
    struct sl_cli_number lag_ms, lag_budget_ms, eta_ms;
    struct sl_cli_number elapsed_ms, idle_ms;          /* since it began; since a count went down */
    uint64_t created_ms, deadline_ms, ended_ms, epoch; /* wall clock; 0 = none */
    struct sl_cli_slow slow[SL_CLI_SLOW_MAX];
    size_t slow_count;
};

struct sl_cli_feed {
    char name[140], keyspace[68], state[16], node[64], placement[20], error[260];
    struct sl_cli_number checkpoint, lag_ms;
    struct sl_cli_number copy_tables, copy_rows, copy_rows_about; /* known while tables are copied */
    char checkpoint_time[40];
};

struct sl_cli_plan_row {
    char id[64], name[80];
    bool is_target, is_eligible;
    uint64_t maintainers_before, maintainers_after, dispatchers_before, dispatchers_after;
};

/* False: not an object, or without an id. */
SL_CHECKED bool sl_cli_node_decode(struct sl_cli_node *n, struct json_object *json);
SL_CHECKED bool sl_cli_drain_decode(struct sl_cli_drain *d, struct json_object *json);
SL_CHECKED bool sl_cli_feed_decode(struct sl_cli_feed *f, struct json_object *json);
SL_CHECKED bool sl_cli_plan_decode(struct sl_cli_plan_row *p, struct json_object *json);

/* In one word: alive, draining, stopping; starting: not heard of yet; silent: not any more. */
const char *sl_cli_node_state(const struct sl_cli_node *n);

/* The items of a list answer: {"items":[...]} or a bare array; 0 if it is neither. */
size_t sl_cli_item_count(struct json_object *json);
struct json_object *sl_cli_item(struct json_object *json, size_t index);
/* Members, by name. */
struct json_object *sl_cli_member(struct json_object *json, const char *name);
void sl_cli_member_text(struct json_object *json, const char *name, char *to, size_t size);
struct sl_cli_number sl_cli_member_number(struct json_object *json, const char *name);
bool sl_cli_member_bool(struct json_object *json, const char *name);
/* A time such as "2026-11-23T18:00:00.123Z" as ms of the wall clock; 0 if it is none. */
uint64_t sl_cli_member_time_ms(struct json_object *json, const char *name);

/* Phases (wire/values.h SL_DRAIN_PHASES) as the command reads them. */
bool sl_cli_drain_is_over(const struct sl_cli_drain *d); /* done, cancelled, failed */
/* The proof was given, perhaps by the other nodes alone (proof_reference). */
bool sl_cli_drain_was_safe(const struct sl_cli_drain *d);
/* All that still has to go away. */
uint64_t sl_cli_drain_left(const struct sl_cli_drain *d);
/* 0 to 100; 100 only when safe. */
unsigned sl_cli_drain_percent(const struct sl_cli_drain *d);
/* Name of the target, its id if it has none. */
const char *sl_cli_drain_node(const struct sl_cli_drain *d);

#endif
