/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_GRPC_STATUS_H
#define SL_EDGE_GRPC_STATUS_H

#include "base/str.h"

/* The status codes of gRPC: number on the wire, name. */
#define SL_GRPC_CODES(X)      \
    X(0, OK)                  \
    X(1, CANCELLED)           \
    X(2, UNKNOWN)             \
    X(3, INVALID_ARGUMENT)    \
    X(4, DEADLINE_EXCEEDED)   \
    X(5, NOT_FOUND)           \
    X(6, ALREADY_EXISTS)      \
    X(7, PERMISSION_DENIED)   \
    X(8, RESOURCE_EXHAUSTED)  \
    X(9, FAILED_PRECONDITION) \
    X(10, ABORTED)            \
    X(11, OUT_OF_RANGE)       \
    X(12, UNIMPLEMENTED)      \
    X(13, INTERNAL)           \
    X(14, UNAVAILABLE)        \
    X(15, DATA_LOSS)          \
    X(16, UNAUTHENTICATED)

enum sl_grpc_code {
#define SL_GRPC_CODE_ENUM(number, name) SL_GRPC_##name = (number),
    SL_GRPC_CODES(SL_GRPC_CODE_ENUM)
#undef SL_GRPC_CODE_ENUM
};
#define SL_GRPC_CODE_COUNT 17
#define SL_GRPC_MESSAGE_MAX 240

/* How a call ended. The message is printable text, cut at its limit. */
struct sl_grpc_status {
    enum sl_grpc_code code;
    bool never_processed; /* the peer cannot have acted on the call: it may be repeated elsewhere */
    char message[SL_GRPC_MESSAGE_MAX + 1];
};

const char *sl_grpc_code_name(enum sl_grpc_code code); /* static */
struct sl_grpc_status sl_grpc_status_of(enum sl_grpc_code code, const char *message);

/* The code of a decimal number as in grpc-status; anything else is UNKNOWN. */
enum sl_grpc_code sl_grpc_code_parse(struct sl_bytes text);
/* By the gRPC specification: for streams that end by RST_STREAM, and for answers that are not gRPC. */
enum sl_grpc_code sl_grpc_code_of_reset(uint32_t http2_error);
enum sl_grpc_code sl_grpc_code_of_http(uint32_t http_status);

/* grpc-message: percent-encoding to out (at most cap bytes, cut between characters), and back. Returns the length. */
size_t sl_grpc_message_encode(struct sl_str text, char *out, size_t cap);
size_t sl_grpc_message_decode(struct sl_bytes encoded, char *out, size_t cap);

/* grpc-timeout: nanoseconds, or -1 if malformed. */
int64_t sl_grpc_timeout_parse(struct sl_bytes text);
/* Rounds up, so that the peer does not give up first. Returns the length; cap >= 12. timeout_ns > 0. */
size_t sl_grpc_timeout_format(int64_t timeout_ns, char *out, size_t cap);

#endif
