/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_CLI_CLIENT_H
#define SL_CLI_CLIENT_H

#include "base/check.h"

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Requests to a cluster, not to a node: a list of servers, of which the one that answered last is asked first and the
 * next one when it does not answer. Never goes through a proxy: the addresses are the cluster's own. Everything that
 * waits ends at once when a signal interrupts (cli/signals.h).
 */
struct sl_cli_client_opts {
    const char *servers;         /* "URL[,URL...]"; host:port alone is http, or https with ca */
    const char *ca, *cert, *key; /* files, null = none */
    const char *user, *password; /* null = none; not kept in any text */
    uint64_t timeout_ms;
};

struct sl_cli_client;
/* Null: *problem says why (a URL or a file cannot be used). Copies what it needs. */
struct sl_cli_client *sl_cli_client_new(const struct sl_cli_client_opts *opts, char *problem, size_t problem_size);
void sl_cli_client_free(struct sl_cli_client *c); /* null allowed */

/* One more server, "host:port" as nodes advertise it; known ones are passed over. */
void sl_cli_client_learn(struct sl_cli_client *c, const char *address);
/* The one that is asked first; valid until the client is freed. */
const char *sl_cli_client_server(const struct sl_cli_client *c);
/* Asks another one first from now on. */
void sl_cli_client_rotate(struct sl_cli_client *c);

enum sl_cli_reach {
    SL_CLI_ANSWERED,    /* some node answered; status says what */
    SL_CLI_UNREACHED,   /* none did; error says why */
    SL_CLI_INTERRUPTED, /* by a signal, before an answer */
};

struct sl_cli_answer {
    enum sl_cli_reach reach;
    long status;              /* HTTP; 0 if not answered */
    char *body;               /* NUL-terminated; owned */
    struct json_object *json; /* null: the body is not JSON; owned */
    char error[512];          /* for people, clean: why it is not a success */
    char code[64];            /* of the API's error, such as "CDC:ErrCaptureNotExist"; empty = none */
    bool was_sent;            /* the cluster may have seen the request, and another one like it would be one too many */
    const char *hint;         /* what to do when nobody was reached, if that can be told; else null. Static */
};
void sl_cli_answer_deinit(struct sl_cli_answer *a);
bool sl_cli_answer_is_good(const struct sl_cli_answer *a); /* 2xx */
/* Nobody is coordinator right now, or it only begins: the same may work soon. */
bool sl_cli_answer_is_transient(const struct sl_cli_answer *a);

struct sl_cli_call {
    const char *method, *path; /* path with query, encoded: "/api/v2/nodes" */
    const char *body;          /* JSON, null = none */
    const char *at;            /* "host:port": ask this node and no other; null = any */
    bool is_idempotent;        /* may be sent again when it is unknown whether it arrived */
    bool is_single;            /* one round over the servers; else transient answers are waited out up to the timeout */
    uint64_t timeout_ms;       /* 0 = the client's */
};
/* a is filled in any case. */
void sl_cli_client_call(struct sl_cli_client *c, const struct sl_cli_call *call, struct sl_cli_answer *a);

/* Adds a path component, percent-encoded. */
struct sl_cli_buf;
void sl_cli_add_path(struct sl_cli_buf *b, const char *component);

/*
 * One stream of server-sent events, at the server that is asked first.
 */
enum sl_cli_stream_state {
    SL_CLI_STREAM_EVENT,       /* *data is the data of one event; valid until the next call */
    SL_CLI_STREAM_QUIET,       /* the time is over, nothing came */
    SL_CLI_STREAM_ENDED,       /* closed, refused, or broken: open another one */
    SL_CLI_STREAM_INTERRUPTED, /* by a signal */
};
void sl_cli_stream_open(struct sl_cli_client *c, const char *path); /* closes the one before */
void sl_cli_stream_close(struct sl_cli_client *c);
bool sl_cli_stream_is_open(const struct sl_cli_client *c);
enum sl_cli_stream_state sl_cli_stream_next(struct sl_cli_client *c, uint64_t timeout_ms, const char **data);
/* When the last byte of it came, on sl_cli_now_ms. */
uint64_t sl_cli_stream_heard_ms(const struct sl_cli_client *c);

uint64_t sl_cli_now_ms(void); /* monotonic */

#endif
