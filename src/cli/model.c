/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/model.h"

#include "cli/text.h"
#include "wire/values.h"

#include <string.h>

/* ---- members ---- */

struct json_object *sl_cli_member(struct json_object *json, const char *name)
{
    struct json_object *member = NULL;
    if (json_object_is_type(json, json_type_object))
        (void)json_object_object_get_ex(json, name, &member);
    return member;
}

void sl_cli_member_text(struct json_object *json, const char *name, char *to, size_t size)
{
    struct json_object *member = sl_cli_member(json, name);
    bool is_text = json_object_is_type(member, json_type_string);
    sl_cli_clean(to, size, is_text ? json_object_get_string(member) : "");
}

struct sl_cli_number sl_cli_member_number(struct json_object *json, const char *name)
{
    struct json_object *member = sl_cli_member(json, name);
    if (!json_object_is_type(member, json_type_int))
        return (struct sl_cli_number){ 0 };
    bool is_negative = json_object_get_int64(member) < 0;
    return (struct sl_cli_number){ true, is_negative ? 0 : json_object_get_uint64(member) };
}

bool sl_cli_member_bool(struct json_object *json, const char *name)
{
    struct json_object *member = sl_cli_member(json, name);
    return json_object_is_type(member, json_type_boolean) && json_object_get_boolean(member);
}

/* Days since 1970 of a date of the proleptic Gregorian calendar; years begin in March, so that leap days come last. */
static int64_t model_days(int64_t year, int64_t month, int64_t day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = y / 400, year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

/* The number of so many digits; UINT64_MAX: one of them is none. */
static uint64_t model_digits(const char *text, size_t at, size_t count)
{
    uint64_t v = 0;
    for (size_t i = at; i < at + count; i++) {
        if (text[i] < '0' || text[i] > '9')
            return UINT64_MAX;
        v = v * 10 + (uint64_t)(text[i] - '0');
    }
    return v;
}

uint64_t sl_cli_member_time_ms(struct json_object *json, const char *name)
{
    char text[40];
    sl_cli_member_text(json, name, text, sizeof text);
    size_t len = strlen(text);
    if (len < 20)
        return 0;
    uint64_t year = model_digits(text, 0, 4), month = model_digits(text, 5, 2), day = model_digits(text, 8, 2);
    uint64_t hour = model_digits(text, 11, 2), minute = model_digits(text, 14, 2), second = model_digits(text, 17, 2);
    uint64_t ms = len >= 24 && text[19] == '.' ? model_digits(text, 20, 3) : 0;
    bool is_date = year >= 1970 && year <= 9999 && month >= 1 && month <= 12 && day >= 1 && day <= 31;
    if (!is_date || hour > 23 || minute > 59 || second > 60 || ms > 999)
        return 0;
    uint64_t days = (uint64_t)model_days((int64_t)year, (int64_t)month, (int64_t)day);
    return (((days * 24 + hour) * 60 + minute) * 60 + second) * 1000 + ms;
}

static uint64_t model_u64(struct json_object *json, const char *name)
{
    return sl_cli_member_number(json, name).v;
}

static struct json_object *model_items(struct json_object *json)
{
    struct json_object *items = sl_cli_member(json, "items");
    struct json_object *list = items ? items : json;
    return json_object_is_type(list, json_type_array) ? list : NULL;
}

size_t sl_cli_item_count(struct json_object *json)
{
    struct json_object *items = model_items(json);
    return items ? json_object_array_length(items) : 0;
}

struct json_object *sl_cli_item(struct json_object *json, size_t index)
{
    return json_object_array_get_idx(model_items(json), index);
}

/* Copies a text member into an array that is a field. */
#define MODEL_TEXT(field, json, name) sl_cli_member_text((json), (name), (field), sizeof(field))

/* ---- objects ---- */

bool sl_cli_node_decode(struct sl_cli_node *n, struct json_object *json)
{
    *n = (struct sl_cli_node){
        .is_owner = sl_cli_member_bool(json, "is_owner"),
        .is_draining = sl_cli_member_bool(json, "is_draining"),
        .maintainers = sl_cli_member_number(json, "maintainers"),
        .dispatchers = sl_cli_member_number(json, "dispatchers"),
        .readers = sl_cli_member_number(json, "readers"),
        .unflushed_rows = sl_cli_member_number(json, "unflushed_rows"),
        .silent_ms = sl_cli_member_number(json, "silent_ms"),
        .started_ms = sl_cli_member_time_ms(json, "started_at"),
        .json = json,
    };
    MODEL_TEXT(n->id, json, "id");
    MODEL_TEXT(n->name, json, "name");
    MODEL_TEXT(n->address, json, "address");
    MODEL_TEXT(n->version, json, "version");
    MODEL_TEXT(n->liveness, json, "liveness");
    n->is_unknown = n->liveness[0] == '\0' || strcmp(n->liveness, "unknown") == 0;
    return n->id[0] != '\0';
}

const char *sl_cli_node_state(const struct sl_cli_node *n)
{
    if (n->is_unknown)
        return n->silent_ms.is_known ? "silent" : "starting";
    return n->liveness;
}

static void model_slow(struct sl_cli_drain *d, struct json_object *list)
{
    size_t count = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
    for (size_t i = 0; i < count && d->slow_count < SL_CLI_SLOW_MAX; i++) {
        struct json_object *item = json_object_array_get_idx(list, i);
        struct sl_cli_slow *slow = &d->slow[d->slow_count++];
        MODEL_TEXT(slow->feed, item, "feed");
        MODEL_TEXT(slow->span, item, "span");
        MODEL_TEXT(slow->phase, item, "phase");
        MODEL_TEXT(slow->waits_for, item, "waits_for");
        slow->age_ms = model_u64(item, "age_ms");
    }
}

static void model_drain_counts(struct sl_cli_drain *d, struct json_object *left)
{
    d->maintainers = sl_cli_member_number(left, "maintainers");
    d->operators = sl_cli_member_number(left, "operators");
    d->dispatchers = sl_cli_member_number(left, "dispatchers");
    d->moves = sl_cli_member_number(left, "moves");
    d->feeds_unsettled = sl_cli_member_number(left, "feeds_unsettled");
    d->peers_unacked = sl_cli_member_number(left, "peers_unacked");
    d->stuck = sl_cli_member_number(left, "stuck");
}

static void model_drain_texts(struct sl_cli_drain *d, struct json_object *json)
{
    struct json_object *node = sl_cli_member(json, "node"), *blocker = sl_cli_member(json, "blocker");
    char proof[16];
    MODEL_TEXT(d->id, json, "id");
    MODEL_TEXT(d->target, node, "id");
    MODEL_TEXT(d->target_name, node, "name");
    MODEL_TEXT(d->phase, json, "phase");
    MODEL_TEXT(d->reason, json, "reason");
    MODEL_TEXT(d->actor, json, "actor");
    MODEL_TEXT(d->blocker, blocker, "kind");
    MODEL_TEXT(d->blocker_text, blocker, "text");
    MODEL_TEXT(d->blocker_detail, blocker, "detail");
    MODEL_TEXT(proof, json, "proof");
    d->proof_reference = strcmp(proof, "reference") == 0;
}

bool sl_cli_drain_decode(struct sl_cli_drain *d, struct json_object *json)
{
    *d = (struct sl_cli_drain){
        .safe_to_stop = sl_cli_member_bool(json, "safe_to_stop"),
        .cancelled = sl_cli_member_bool(json, "cancelled"),
        .stop_node = sl_cli_member_bool(json, "stop"),
        .cancel_at_deadline = sl_cli_member_bool(json, "cancel_at_deadline"),
        .dispatchers_at_start = model_u64(json, "dispatchers_at_start"),
        .moves_done = model_u64(json, "moves_done"),
        .lag_ms = sl_cli_member_number(json, "lag_ms_worst"),
        .lag_budget_ms = sl_cli_member_number(json, "lag_budget_ms"),
        .eta_ms = sl_cli_member_number(json, "eta_ms"),
        .elapsed_ms = sl_cli_member_number(json, "age_ms"),
        .idle_ms = sl_cli_member_number(json, "since_progress_ms"),
        .created_ms = sl_cli_member_time_ms(json, "created_at"),
        .deadline_ms = sl_cli_member_time_ms(json, "deadline_at"),
        .ended_ms = sl_cli_member_time_ms(json, "ended_at"),
        .epoch = model_u64(json, "epoch"),
    };
    model_drain_texts(d, json);
    model_drain_counts(d, sl_cli_member(json, "remaining"));
    model_slow(d, sl_cli_member(json, "slowest"));
    return d->id[0] != '\0' && d->phase[0] != '\0';
}

bool sl_cli_feed_decode(struct sl_cli_feed *f, struct json_object *json)
{
    struct json_object *error = sl_cli_member(json, "error"), *copy = sl_cli_member(json, "copy");
    *f = (struct sl_cli_feed){ .checkpoint = sl_cli_member_number(json, "checkpoint_tso"),
                               .lag_ms = sl_cli_member_number(json, "lag_ms"),
                               .copy_tables = sl_cli_member_number(copy, "tables"),
                               .copy_rows = sl_cli_member_number(copy, "rows"),
                               .copy_rows_about = sl_cli_member_number(copy, "rows_about") };
    if (!f->checkpoint.is_known)
        f->checkpoint = sl_cli_member_number(json, "checkpoint_ts");
    MODEL_TEXT(f->name, json, "id");
    MODEL_TEXT(f->keyspace, json, "keyspace");
    MODEL_TEXT(f->state, json, "state");
    MODEL_TEXT(f->node, json, "node");
    MODEL_TEXT(f->placement, json, "placement");
    MODEL_TEXT(f->checkpoint_time, json, "checkpoint_time");
    MODEL_TEXT(f->error, error, "message");
    return f->name[0] != '\0';
}

bool sl_cli_plan_decode(struct sl_cli_plan_row *p, struct json_object *json)
{
    *p = (struct sl_cli_plan_row){
        .is_target = sl_cli_member_bool(json, "is_target"),
        .is_eligible = sl_cli_member_bool(json, "is_eligible"),
        .maintainers_before = model_u64(json, "maintainers_before"),
        .maintainers_after = model_u64(json, "maintainers_after"),
        .dispatchers_before = model_u64(json, "dispatchers_before"),
        .dispatchers_after = model_u64(json, "dispatchers_after"),
    };
    MODEL_TEXT(p->id, sl_cli_member(json, "node"), "id");
    MODEL_TEXT(p->name, sl_cli_member(json, "node"), "name");
    return p->id[0] != '\0';
}

/* ---- what a drain's members mean ---- */

static bool model_is_phase(const char *phase, enum sl_drain_phase p)
{
    return strcmp(phase, sl_drain_phase_name(p)) == 0;
}

bool sl_cli_drain_is_over(const struct sl_cli_drain *d)
{
    return model_is_phase(d->phase, SL_DRAIN_DONE) || model_is_phase(d->phase, SL_DRAIN_CANCELLED) ||
           model_is_phase(d->phase, SL_DRAIN_FAILED);
}

bool sl_cli_drain_was_safe(const struct sl_cli_drain *d)
{
    bool is_late_enough = model_is_phase(d->phase, SL_DRAIN_SAFE) || model_is_phase(d->phase, SL_DRAIN_CLEARING) ||
                          model_is_phase(d->phase, SL_DRAIN_DONE);
    return d->safe_to_stop && !d->cancelled && is_late_enough;
}

uint64_t sl_cli_drain_left(const struct sl_cli_drain *d)
{
    return d->maintainers.v + d->operators.v + d->dispatchers.v + d->moves.v + d->feeds_unsettled.v +
           d->peers_unacked.v;
}

unsigned sl_cli_drain_percent(const struct sl_cli_drain *d)
{
    if (sl_cli_drain_was_safe(d))
        return 100;
    uint64_t left = d->dispatchers.v < d->dispatchers_at_start ? d->dispatchers.v : d->dispatchers_at_start;
    if (!d->dispatchers.is_known || d->dispatchers_at_start == 0)
        return 0;
    uint64_t percent = (d->dispatchers_at_start - left) * 100 / d->dispatchers_at_start;
    return percent > 99 ? 99 : (unsigned)percent;
}

const char *sl_cli_drain_node(const struct sl_cli_drain *d)
{
    return d->target_name[0] != '\0' ? d->target_name : d->target;
}
