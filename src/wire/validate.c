/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/validate.h"

#include "wire/ids.h"

#include <string.h>

/* ---- checks of one message that a list of fields cannot say ---- */

static enum sl_refusal check_changefeed_id(const ProtobufCMessage *message)
{
    struct sl_feed_id id;
    return sl_feed_id_set(&id, (const Pb__ChangefeedID *)(const void *)message) ? SL_REFUSE_NONE : SL_REFUSE_BAD_ID;
}

/* A dispatcher cannot be created over nothing; to remove one, its id is enough. */
static enum sl_refusal check_schedule_dispatcher(const ProtobufCMessage *message)
{
    const Pb__ScheduleDispatcherRequest *request = (const void *)message;
    bool bare = request->action == PB__SCHEDULE_ACTION__CREATE && request->config->span == NULL;
    return bare ? SL_REFUSE_MISSING_FIELD : SL_REFUSE_NONE;
}

static enum sl_refusal check_source(const char *uri)
{
    return sl_source_uri_is_valid(sl_source_uri_of(uri)) ? SL_REFUSE_NONE : SL_REFUSE_BAD_TEXT;
}

static enum sl_refusal check_add_maintainer(const ProtobufCMessage *message)
{
    return check_source(((const Pb__AddMaintainerRequest *)(const void *)message)->source_uri);
}

static enum sl_refusal check_maintainer_bootstrap(const ProtobufCMessage *message)
{
    return check_source(((const Pb__MaintainerBootstrapRequest *)(const void *)message)->source_uri);
}

/* ---- the table ---- */

/*
 * Per message: the sub-messages that must be there (field numbers), the text fields that hold a node id, whether its
 * texts are cleaned, and a check of its own. A required DispatcherID may not be zero, nor may one in a list; an optional one may (zero is "none").
 *
 * The required ones are those that reference nodes dereference without looking, plus what our handlers rely on.
 * Optional on purpose: both trigger ids of a bootstrap request (sent only to the maintainer's own node), the watermark
 * of a heartbeat, every error, and what an extension adds.
 *
 * Messages in long lists come first: the table is searched from the top.
 */
enum { REQUIRED_MAX = 2, NODE_IDS_MAX = 1 };

struct validate_row {
    const ProtobufCMessageDescriptor *message;
    uint32_t required[REQUIRED_MAX];
    uint32_t node_ids[NODE_IDS_MAX];
    bool cleans_text; /* free text of peers: made printable instead of being judged */
    enum sl_refusal (*check)(const ProtobufCMessage *message);
};

#define ROW(pb) .message = &pb__##pb##__descriptor

static const struct validate_row validate_rows[] = {
    { ROW(dispatcher_id) },
    { ROW(table_span_status), .required = { 1 } },
    { ROW(table_span) },
    { ROW(bootstrap_table_span), .required = { 1, 3 } },
    { ROW(table_span_block_status), .required = { 1, 2 } },
    { ROW(dispatcher_status), .required = { 1 } },
    { ROW(changefeed_id), .check = check_changefeed_id },
    { ROW(heart_beat_request), .required = { 1 } },
    { ROW(heart_beat_response), .required = { 1 } },
    { ROW(checkpoint_ts_message), .required = { 1 } },
    { ROW(redo_meta_message), .required = { 1 } },
    { ROW(redo_resolved_ts_progress_message), .required = { 1 } },
    { ROW(redo_resolved_ts_forward_message), .required = { 1 } },
    { ROW(dispatcher_config), .required = { 3 } },
    { ROW(schedule_dispatcher_request), .required = { 1, 2 }, .check = check_schedule_dispatcher },
    { ROW(merge_dispatcher_request), .required = { 1, 3 } },
    { ROW(maintainer_bootstrap_request), .required = { 1 }, .check = check_maintainer_bootstrap },
    { ROW(maintainer_bootstrap_response), .required = { 1 } },
    { ROW(maintainer_post_bootstrap_request), .required = { 1, 2 } },
    { ROW(maintainer_post_bootstrap_response), .required = { 1 } },
    { ROW(maintainer_close_request), .required = { 1 } },
    { ROW(maintainer_close_response), .required = { 1 } },
    { ROW(block_status_request), .required = { 1 } },
    { ROW(maintainer_status), .required = { 1 } },
    { ROW(stuck_span), .required = { 1 }, .node_ids = { 4 } },
    { ROW(drain_progress), .node_ids = { 1 } },
    { ROW(drain_target), .node_ids = { 1 } },
    { ROW(node_heartbeat), .node_ids = { 3 } },
    { ROW(set_dispatcher_drain_target_request), .node_ids = { 1 } },
    { ROW(coordinator_bootstrap_response), .node_ids = { 3 } },
    { ROW(running_error), .cleans_text = true },
    { ROW(add_maintainer_request), .required = { 1 }, .check = check_add_maintainer },
    { ROW(remove_maintainer_request), .required = { 1 } },
    { ROW(log_coordinator_resolved_ts_request), .required = { 1 } },
    { ROW(log_coordinator_resolved_ts_response), .required = { 1 } },
    { ROW(dispatcher_set_checksum_update_request), .required = { 1 } },
    { ROW(dispatcher_set_checksum_ack_response), .required = { 1 } },
};
#undef ROW

/* Of the messages without a row: nothing is required. */
static const struct validate_row validate_row_none = { 0 };

static const struct validate_row *validate_row_of(const ProtobufCMessageDescriptor *d)
{
    for (size_t i = 0; i < sizeof validate_rows / sizeof validate_rows[0]; i++) {
        if (validate_rows[i].message == d) {
            return &validate_rows[i];
        }
    }
    return &validate_row_none;
}

static bool validate_lists(const uint32_t *numbers, size_t numbers_count, uint32_t number)
{
    for (size_t i = 0; i < numbers_count; i++) {
        if (numbers[i] == number) {
            return true;
        }
    }
    return false;
}

/* ---- the walk ---- */

/* Fields are found by offset, as the descriptors give them; memcpy keeps that free of aliasing questions. */
static void field_load(void *out, size_t size, const ProtobufCMessage *message, uint32_t offset)
{
    memcpy(out, (const uint8_t *)message + offset, size);
}

/* One sub-message that is there. */
static enum sl_refusal validate_sub(ProtobufCMessage *sub, bool may_be_none)
{
    if (!may_be_none && sub->descriptor == &pb__dispatcher_id__descriptor) {
        struct sl_dispatcher_id id = sl_dispatcher_id_of((const Pb__DispatcherID *)(const void *)sub);
        if (sl_dispatcher_id_is_none(id)) {
            return SL_REFUSE_BAD_ID;
        }
    }
    return sl__validate(sub);
}

static enum sl_refusal validate_repeated(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *f)
{
    size_t count = 0;
    ProtobufCMessage **elements = NULL;
    field_load(&count, sizeof count, message, f->quantifier_offset);
    field_load(&elements, sizeof(ProtobufCMessage **), message, f->offset);
    enum sl_refusal refusal = SL_REFUSE_NONE;
    for (size_t i = 0; i < count && refusal == SL_REFUSE_NONE; i++) {
        refusal = validate_sub(elements[i], false);
    }
    return refusal;
}

static enum sl_refusal validate_single(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *f,
                                       bool required)
{
    ProtobufCMessage *sub = NULL;
    field_load(&sub, sizeof(ProtobufCMessage *), message, f->offset);
    if (sub == NULL) {
        return required ? SL_REFUSE_MISSING_FIELD : SL_REFUSE_NONE;
    }
    return validate_sub(sub, !required);
}

static enum sl_refusal validate_node_id(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *f)
{
    const char *text = NULL;
    field_load(&text, sizeof(const char *), message, f->offset);
    struct sl_node_id id;
    return sl_node_id_set(&id, sl_str_of(text)) ? SL_REFUSE_NONE : SL_REFUSE_BAD_ID;
}

static enum sl_refusal validate_field(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *f,
                                      const struct validate_row *row)
{
    if (f->type == PROTOBUF_C_TYPE_STRING && row->cleans_text) {
        char *text = NULL;
        field_load(&text, sizeof(char *), message, f->offset);
        if (text[0] != '\0') {
            sl_str_clean(text);
        }
        return SL_REFUSE_NONE;
    }
    if (f->type == PROTOBUF_C_TYPE_STRING) {
        bool is_node_id = validate_lists(row->node_ids, NODE_IDS_MAX, f->id);
        return is_node_id ? validate_node_id(message, f) : SL_REFUSE_NONE;
    }
    if (f->type != PROTOBUF_C_TYPE_MESSAGE) {
        return SL_REFUSE_NONE;
    }
    if (f->label == PROTOBUF_C_LABEL_REPEATED) {
        return validate_repeated(message, f);
    }
    return validate_single(message, f, validate_lists(row->required, REQUIRED_MAX, f->id));
}

enum sl_refusal sl__validate(ProtobufCMessage *message)
{
    const ProtobufCMessageDescriptor *d = message->descriptor;
    const struct validate_row *row = validate_row_of(d);
    message->n_unknown_fields = 0;
    message->unknown_fields = NULL;
    enum sl_refusal refusal = SL_REFUSE_NONE;
    for (uint32_t i = 0; i < d->n_fields && refusal == SL_REFUSE_NONE; i++) {
        refusal = validate_field(message, &d->fields[i], row);
    }
    if (refusal == SL_REFUSE_NONE && row->check != NULL) {
        refusal = row->check(message);
    }
    return refusal;
}
