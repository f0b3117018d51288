/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/feed_config.h"

#include "wire/json_doc.h"

#include <string.h>

/* ---- the fields ---- */

enum feed_kind { KIND_OBJECT, KIND_STRING, KIND_BOOL, KIND_UINT, KIND_INT };

/* Where a field stands in the feed's record. In the flattened document all stand at the top. */
enum feed_section { SECTION_RECORD, SECTION_CONFIG, SECTION_SCHEDULER, SECTION_COUNT };

/*
 * The fields that both documents share: key in the record, key in the flattened document, and what a field that is
 * absent or null becomes there, as JSON. A receiver fills in hardly any default itself, so the flattened document
 * spells them out. A null pointer: the field must be there. The empty text: it is left out.
 */
struct feed_field {
    enum feed_section section;
    const char *key, *flat_key;
    enum feed_kind kind;
    const char *fallback;
};

static const struct feed_field feed_fields[] = {
    { SECTION_RECORD, "id", "changefeed_id", KIND_OBJECT, "null" },
    { SECTION_CONFIG, "performance-mode", "performance_mode", KIND_STRING, "\"throughput\"" },
    { SECTION_RECORD, "start-ts", "start_ts", KIND_UINT, "0" },
    { SECTION_RECORD, "target-ts", "target_ts", KIND_UINT, "0" },
    { SECTION_RECORD, "sink-uri", "sink_uri", KIND_STRING, "\"\"" },
    { SECTION_CONFIG, "case-sensitive", "case_sensitive", KIND_BOOL, "false" },
    { SECTION_CONFIG, "force-replicate", "force_replicate", KIND_BOOL, "false" },
    { SECTION_CONFIG, "filter", "filter", KIND_OBJECT, NULL },
    { SECTION_CONFIG, "memory-quota", "memory-quota", KIND_UINT, "1073741824" },
    { SECTION_CONFIG, "event-collector-batch-count", "event_collector_batch_count", KIND_INT, "null" },
    { SECTION_CONFIG, "event-collector-batch-bytes", "event_collector_batch_bytes", KIND_INT, "null" },
    { SECTION_CONFIG, "enable-sync-point", "enable_sync_point", KIND_BOOL, "false" },
    { SECTION_CONFIG, "sync-point-interval", "sync_point_interval", KIND_INT, "600000000000" },
    { SECTION_CONFIG, "sync-point-retention", "sync_point_retention", KIND_INT, "86400000000000" },
    { SECTION_CONFIG, "sink", "sink_config", KIND_OBJECT, NULL },
    { SECTION_SCHEDULER, "enable-splittable-check", "enable_splittable_check", KIND_BOOL, "false" },
    { SECTION_RECORD, "epoch", "epoch", KIND_UINT, "0" },
    { SECTION_CONFIG, "bdr-mode", "bdr_mode", KIND_BOOL, "false" },
    { SECTION_CONFIG, "enable-active-active", "enable_active_active", KIND_BOOL, "false" },
    { SECTION_CONFIG, "active-active-progress-interval", "active_active_progress_interval", KIND_INT, "1800000000000" },
    { SECTION_CONFIG, "active-active-sync-stats-interval", "active_active_sync_stats_interval", KIND_INT,
      "60000000000" },
    { SECTION_CONFIG, "consistent", "consistent", KIND_OBJECT, NULL },
    { SECTION_CONFIG, "initial-copy", "initial_copy", KIND_BOOL, "" },
    { SECTION_SCHEDULER, "enable-table-across-nodes", "enable-table-across-nodes", KIND_BOOL, "" },
};

enum { FEED_FIELDS_COUNT = sizeof feed_fields / sizeof feed_fields[0] };

static bool feed_is_kind(struct json_object *value, enum feed_kind kind)
{
    switch (kind) {
    case KIND_OBJECT:
        return json_object_is_type(value, json_type_object);
    case KIND_STRING:
        return sl__doc_is_text(value);
    case KIND_BOOL:
        return json_object_is_type(value, json_type_boolean);
    case KIND_UINT:
        return sl__doc_is_uint(value);
    case KIND_INT:
        return sl__doc_is_int(value);
    }
    SL_UNREACHABLE();
}

static bool feed_is_kind_or_absent(struct json_object *value, enum feed_kind kind)
{
    return value == NULL || feed_is_kind(value, kind);
}

/* ---- the record ---- */

/* The record's objects, borrowed from its tree. */
struct feed_record {
    struct json_object *section[SECTION_COUNT];
};

static bool feed_field_is_valid(struct json_object *value, const struct feed_field *f)
{
    return value == NULL ? f->fallback != NULL : feed_is_kind(value, f->kind);
}

/* Identity: both halves must be there if the object is. */
static bool feed_id_is_valid(struct json_object *root)
{
    struct json_object *outer = sl__doc_get(root, "id");
    struct json_object *inner = outer == NULL ? NULL : sl__doc_get(outer, "id");
    return outer == NULL || (feed_is_kind(inner, KIND_OBJECT) && sl__doc_is_uint(sl__doc_get(inner, "low")) &&
                             sl__doc_is_uint(sl__doc_get(inner, "high")));
}

static bool feed_record_open(struct feed_record *out, struct json_object *root)
{
    struct json_object *config = sl__doc_get(root, "config");
    struct json_object *scheduler = feed_is_kind(config, KIND_OBJECT) ? sl__doc_get(config, "scheduler") : NULL;
    *out = (struct feed_record){ { root, config, scheduler } };
    if (!feed_is_kind(scheduler, KIND_OBJECT) || !feed_id_is_valid(root)) {
        return false;
    }
    for (size_t i = 0; i < FEED_FIELDS_COUNT; i++) {
        const struct feed_field *f = &feed_fields[i];
        if (!feed_field_is_valid(sl__doc_get(out->section[f->section], f->key), f)) {
            return false;
        }
    }
    return true;
}

static bool feed_tasks_per_node(struct json_object *scheduler, uint32_t *out)
{
    const char *key = "scheduling-task-count-per-node";
    if (!feed_is_kind_or_absent(sl__doc_get(scheduler, key), KIND_UINT)) {
        return false;
    }
    uint64_t count = sl__doc_u64(scheduler, key);
    *out = count == 0 ? 1 : (uint32_t)count;
    return count <= UINT32_MAX;
}

/* Schemes are read without regard to case. */
static bool feed_sink_is_blackhole(const char *uri)
{
    static const char scheme[] = "blackhole:";
    for (size_t i = 0; i < sizeof scheme - 1; i++) {
        char lower = uri[i] >= 'A' && uri[i] <= 'Z' ? (char)(uri[i] - 'A' + 'a') : uri[i];
        if (lower != scheme[i]) {
            return false; /* also at the end of a shorter text */
        }
    }
    return true;
}

static bool feed_info_take(struct sl_feed_info *out, const struct feed_record *record)
{
    struct json_object *root = record->section[SECTION_RECORD];
    struct json_object *scheduler = record->section[SECTION_SCHEDULER];
    struct json_object *outer = sl__doc_get(root, "id");
    struct json_object *id = outer == NULL ? NULL : sl__doc_get(outer, "id");
    *out = (struct sl_feed_info){
        .id_high = id == NULL ? 0 : sl__doc_u64(id, "high"),
        .id_low = id == NULL ? 0 : sl__doc_u64(id, "low"),
        .start_ts = sl__doc_u64(root, "start-ts"),
        .target_ts = sl__doc_u64(root, "target-ts"),
        .epoch = sl__doc_u64(root, "epoch"),
        .low_latency = strcmp(sl__doc_text(record->section[SECTION_CONFIG], "performance-mode"), "low-latency") == 0,
        .names_needed = !feed_sink_is_blackhole(sl__doc_text(root, "sink-uri")),
        .across_nodes = sl__doc_bool(scheduler, "enable-table-across-nodes"),
    };
    return feed_tasks_per_node(scheduler, &out->tasks_per_node);
}

enum sl_refusal sl_feed_info_parse(struct sl_feed_info *out, struct sl_secret json, size_t json_bytes_max)
{
    *out = (struct sl_feed_info){ 0 };
    enum sl_refusal refusal = SL_REFUSE_NONE;
    struct json_object *root = sl__doc_parse(json, json_bytes_max, &refusal);
    if (root == NULL) {
        return refusal;
    }
    struct feed_record record;
    if (!feed_record_open(&record, root) || !feed_info_take(out, &record)) {
        *out = (struct sl_feed_info){ 0 };
        refusal = SL_REFUSE_BAD_CONFIG;
    }
    json_object_put(root);
    return refusal;
}

/* ---- the flattened document ---- */

/* Adds a value whose reference it takes over, also when it fails. */
static bool flat_add(struct json_object *flat, const char *key, struct json_object *value)
{
    if (json_object_object_add(flat, key, value) != 0) {
        json_object_put(value);
        return false;
    }
    return true;
}

static bool flat_add_field(struct json_object *flat, const struct feed_record *record, const struct feed_field *f)
{
    struct json_object *value = sl__doc_get(record->section[f->section], f->key);
    if (value != NULL) {
        return flat_add(flat, f->flat_key, json_object_get(value));
    }
    return f->fallback[0] == '\0' || flat_add(flat, f->flat_key, json_tokener_parse(f->fallback));
}

static bool flat_fill(struct json_object *flat, const struct feed_record *record, struct sl_str timezone)
{
    for (size_t i = 0; i < FEED_FIELDS_COUNT; i++) {
        if (!flat_add_field(flat, record, &feed_fields[i])) {
            return false;
        }
    }
    struct json_object *zone = json_object_new_string_len(timezone.len == 0 ? "" : timezone.ptr, (int)timezone.len);
    return zone != NULL && flat_add(flat, "timezone", zone);
}

static enum sl_refusal flat_write(struct sl_secret *out, struct json_object *flat, struct sl_arena *arena)
{
    size_t len = 0;
    const char *text =
        json_object_to_json_string_length(flat, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len);
    uint8_t *copy = text == NULL ? NULL : sl_arena_alloc(arena, len);
    if (copy == NULL) {
        return SL_REFUSE_OUT_OF_MEMORY;
    }
    memcpy(copy, text, len);
    *out = sl_secret_of((struct sl_bytes){ copy, len });
    return SL_REFUSE_NONE;
}

static enum sl_refusal flat_build(struct sl_secret *out, struct json_object *root, struct sl_str timezone,
                                  struct sl_arena *arena)
{
    struct feed_record record;
    if (!feed_record_open(&record, root)) {
        return SL_REFUSE_BAD_CONFIG;
    }
    struct json_object *flat = json_object_new_object();
    enum sl_refusal refusal = SL_REFUSE_OUT_OF_MEMORY;
    if (flat != NULL && flat_fill(flat, &record, timezone)) {
        refusal = flat_write(out, flat, arena);
    }
    json_object_put(flat);
    return refusal;
}

enum sl_refusal sl_feed_bootstrap_config(struct sl_secret *out, struct sl_secret json, struct sl_str timezone,
                                         struct sl_arena *arena)
{
    *out = (struct sl_secret){ 0 };
    enum sl_refusal refusal = SL_REFUSE_NONE;
    struct json_object *root = sl__doc_parse(json, SIZE_MAX, &refusal);
    if (root == NULL) {
        return refusal;
    }
    refusal = flat_build(out, root, timezone, arena);
    json_object_put(root);
    return refusal;
}

static bool flat_is_valid(struct json_object *root)
{
    for (size_t i = 0; i < FEED_FIELDS_COUNT; i++) {
        if (!feed_field_is_valid(sl__doc_get(root, feed_fields[i].flat_key), &feed_fields[i])) {
            return false;
        }
    }
    return true;
}

enum sl_refusal sl_bootstrap_config_parse(struct sl_bootstrap_config *out, struct sl_secret json, size_t json_bytes_max)
{
    *out = (struct sl_bootstrap_config){ 0 };
    enum sl_refusal refusal = SL_REFUSE_NONE;
    struct json_object *root = sl__doc_parse(json, json_bytes_max, &refusal);
    if (root == NULL) {
        return refusal;
    }
    if (flat_is_valid(root)) {
        *out = (struct sl_bootstrap_config){
            .epoch = sl__doc_u64(root, "epoch"),
            .start_ts = sl__doc_u64(root, "start_ts"),
            .target_ts = sl__doc_u64(root, "target_ts"),
            .low_latency = strcmp(sl__doc_text(root, "performance_mode"), "low-latency") == 0,
        };
    } else {
        refusal = SL_REFUSE_BAD_CONFIG;
    }
    json_object_put(root);
    return refusal;
}
