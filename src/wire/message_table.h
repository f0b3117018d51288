/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_WIRE_MESSAGE_TABLE_H
#define SL_WIRE_MESSAGE_TABLE_H

#include <stdint.h>

/*
 * Every message of the protocol: number, name, payload kind, protobuf message (payload kind PB) or a placeholder,
 * topic, lane. The number is the wire value. Topics are exact strings; receivers route by topic. A message with two
 * possible topics lists the second one too.
 *
 * Payload kinds:
 *
 *   PB        one protobuf message of the same or the named kind
 *   ENVELOPE  the binary event envelope (data plane), carried as bytes
 *   LOG       a logservice message, carried as bytes
 *   EVENTPB   an event-service request, carried as bytes
 *   EMPTY     no bytes; still one payload element
 *   JSON      the stream handshake
 */
#define SL_TOPICS(X)                     \
    X(NONE, "")                          \
    X(MM, "maintainer-manager")          \
    X(HC, "heartbeat-collector")         \
    X(CO, "coordinator")                 \
    X(DMM, "dispatcher-manager-manager") \
    X(MT, "maintainer")                  \
    X(LC, "log-coordinator")             \
    X(LCC, "log-coordinator-client")     \
    X(ES, "EventServiceTopic")           \
    X(EST, "event-store")                \
    X(EC, "event-collector")             \
    X(REC, "redo-event-collector")

/* clang-format off */
#define SL_MESSAGES(X)                                                                                            \
    /* number, NAME, payload kind, protobuf descriptor, topic, second topic, lane */                              \
    X( 1, BATCH_DML_EVENT,                    ENVELOPE, none,                                EC,  REC,  EVENT)    \
    X( 2, DDL_EVENT,                          ENVELOPE, none,                                EC,  REC,  EVENT)    \
    X( 3, BATCH_RESOLVED_TS,                  ENVELOPE, none,                                EC,  REC,  EVENT)    \
    X( 4, SYNC_POINT_EVENT,                   ENVELOPE, none,                                EC,  REC,  EVENT)    \
    X( 5, HANDSHAKE_EVENT,                    ENVELOPE, none,                                EC,  REC,  EVENT)    \
    X( 6, READY_EVENT,                        ENVELOPE, none,                                EC,  REC,  EVENT)    \
    X( 7, NOT_REUSABLE_EVENT,                 ENVELOPE, none,                                EC,  REC,  EVENT)    \
    X( 8, LOG_COORDINATOR_BROADCAST_REQUEST,  EMPTY,    none,                                EST, LCC,  EVENT)    \
    X( 9, EVENT_STORE_STATE,                  LOG,      none,                                LC,  NONE, EVENT)    \
    X(10, REUSABLE_EVENT_SERVICE_REQUEST,     LOG,      none,                                LC,  NONE, COMMAND)  \
    X(11, REUSABLE_EVENT_SERVICE_RESPONSE,    LOG,      none,                                LCC, NONE, EVENT)    \
    X(12, LOG_COORDINATOR_RESOLVED_TS_REQUEST, PB, log_coordinator_resolved_ts_request,      LC,  NONE, EVENT)    \
    X(13, HEART_BEAT_REQUEST,                 PB, heart_beat_request,                        MM,  NONE, COMMAND)  \
    X(14, HEART_BEAT_RESPONSE,                PB, heart_beat_response,                       HC,  NONE, COMMAND)  \
    X(15, SCHEDULE_DISPATCHER_REQUEST,        PB, schedule_dispatcher_request,               HC,  NONE, COMMAND)  \
    X(16, DISPATCHER_REQUEST,                 EVENTPB,  none,                                ES,  NONE, COMMAND)  \
    X(17, CHECKPOINT_TS_MESSAGE,              PB, checkpoint_ts_message,                     MM,  HC,   COMMAND)  \
    X(18, BLOCK_STATUS_REQUEST,               PB, block_status_request,                      MM,  NONE, COMMAND)  \
    X(19, DISPATCHER_HEARTBEAT,               ENVELOPE, none,                                ES,  NONE, COMMAND)  \
    X(20, DISPATCHER_HEARTBEAT_RESPONSE,      ENVELOPE, none,                                EC,  NONE, COMMAND)  \
    X(21, REDO_META_MESSAGE,                  PB, redo_meta_message,                         HC,  NONE, COMMAND)  \
    X(22, MERGE_DISPATCHER_REQUEST,           PB, merge_dispatcher_request,                  HC,  NONE, COMMAND)  \
    X(23, CONGESTION_CONTROL,                 ENVELOPE, none,                                ES,  NONE, COMMAND)  \
    X(24, COORDINATOR_BOOTSTRAP_REQUEST,      PB, coordinator_bootstrap_request,             MM,  NONE, COMMAND)  \
    X(25, COORDINATOR_BOOTSTRAP_RESPONSE,     PB, coordinator_bootstrap_response,            CO,  NONE, COMMAND)  \
    X(26, ADD_MAINTAINER_REQUEST,             PB, add_maintainer_request,                    MM,  NONE, COMMAND)  \
    X(27, REMOVE_MAINTAINER_REQUEST,          PB, remove_maintainer_request,                 MM,  NONE, COMMAND)  \
    X(28, MAINTAINER_HEARTBEAT_REQUEST,       PB, maintainer_heartbeat,                      CO,  NONE, COMMAND)  \
    X(29, MAINTAINER_BOOTSTRAP_REQUEST,       PB, maintainer_bootstrap_request,              DMM, NONE, COMMAND)  \
    X(30, MAINTAINER_BOOTSTRAP_RESPONSE,      PB, maintainer_bootstrap_response,             MM,  NONE, COMMAND)  \
    X(31, MAINTAINER_POST_BOOTSTRAP_REQUEST,  PB, maintainer_post_bootstrap_request,         DMM, NONE, COMMAND)  \
    X(32, MAINTAINER_POST_BOOTSTRAP_RESPONSE, PB, maintainer_post_bootstrap_response,        MM,  NONE, COMMAND)  \
    X(33, MAINTAINER_CLOSE_REQUEST,           PB, maintainer_close_request,                  DMM, NONE, COMMAND)  \
    X(34, MAINTAINER_CLOSE_RESPONSE,          PB, maintainer_close_response,                 MT,  NONE, COMMAND)  \
    X(35, LOG_COORDINATOR_RESOLVED_TS_RESPONSE, PB, log_coordinator_resolved_ts_response,    CO,  NONE, EVENT)    \
    X(36, MESSAGE_HAND_SHAKE,                 JSON,     none,                                NONE, NONE, EVENT)   \
    X(37, LOG_COORDINATOR_CHANGEFEED_STATES,  LOG,      none,                                LC,  NONE, EVENT)    \
    X(38, REDO_RESOLVED_TS_PROGRESS_MESSAGE,  PB, redo_resolved_ts_progress_message,         MM,  NONE, COMMAND)  \
    X(39, REDO_RESOLVED_TS_FORWARD_MESSAGE,   PB, redo_resolved_ts_forward_message,          HC,  NONE, COMMAND)  \
    X(40, DISPATCHER_SET_CHECKSUM_UPDATE_REQUEST, PB, dispatcher_set_checksum_update_request, DMM, NONE, COMMAND) \
    X(41, DISPATCHER_SET_CHECKSUM_ACK_RESPONSE, PB, dispatcher_set_checksum_ack_response,    HC,  NONE, COMMAND)  \
    X(42, NODE_HEARTBEAT_REQUEST,             PB, node_heartbeat,                            CO,  NONE, COMMAND)  \
    X(43, SET_NODE_LIVENESS_REQUEST,          PB, set_node_liveness_request,                 MM,  NONE, COMMAND)  \
    X(44, SET_NODE_LIVENESS_RESPONSE,         PB, set_node_liveness_response,                CO,  NONE, COMMAND)  \
    X(45, SET_DISPATCHER_DRAIN_TARGET_REQUEST, PB, set_dispatcher_drain_target_request,      MM,  NONE, COMMAND)
/* clang-format on */

enum sl_topic {
#define SL_TOPIC_ENUM(name, text) SL_TOPIC_##name,
    SL_TOPICS(SL_TOPIC_ENUM)
#undef SL_TOPIC_ENUM
        SL_TOPIC_COUNT
};

enum sl_msg_type {
    SL_MSG_INVALID = 0,
#define SL_MSG_ENUM(number, name, kind, pb, topic, topic2, lane) SL_MSG_##name = (number),
    SL_MESSAGES(SL_MSG_ENUM)
#undef SL_MSG_ENUM
};
#define SL_MSG_COUNT 46 /* one past the largest number */

enum sl_lane { SL_LANE_EVENT, SL_LANE_COMMAND };
enum sl_payload_kind {
    SL_PAYLOAD_PB,
    SL_PAYLOAD_ENVELOPE,
    SL_PAYLOAD_LOG,
    SL_PAYLOAD_EVENTPB,
    SL_PAYLOAD_EMPTY,
    SL_PAYLOAD_JSON
};

struct sl_msg_row {
    enum sl_msg_type type;
    const char *name; /* "SET_NODE_LIVENESS_REQUEST" */
    enum sl_payload_kind kind;
    enum sl_topic topic, topic2;
    enum sl_lane lane;
};

/* The row of a type number from the wire, or a null pointer if it is not in the table. Static. */
const struct sl_msg_row *sl_msg_row(int32_t number);
const char *sl_topic_text(enum sl_topic topic);

#endif
