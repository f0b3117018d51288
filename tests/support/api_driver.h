/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_TESTS_SUPPORT_API_DRIVER_H
#define SL_TESTS_SUPPORT_API_DRIVER_H

#include "edge/http/api.h"

#include <stddef.h>

/*
 * The HTTP API of one node in this thread, with a made-up node behind it: a test says what the core would answer, sends
 * bytes through a socket pair, and reads what comes back. The loop turns only while somebody waits.
 */
#define API_MEMBERS_MAX 4
#define API_REQUESTS_MAX 64
#define API_AUDITS_MAX 16

struct api_request { /* what the API asked of the core; texts copied */
    enum sl_request_verb verb;
    uint64_t ticket;
    char node[80], drain[80], feed[160], reason[256], actor[128];
    char config[16384], source[4096];
    uint64_t deadline_ms, lag_budget_ms;
    bool dry_run, stop_node, cancel_at_deadline, cancel;
    sl_ts checkpoint;
    int64_t table_id, table_after;
};

struct api_audit {
    char action[64], actor[128], remote[64], object[256], reason[256];
    uint32_t http_status;
};

struct api_driver {
    uv_loop_t loop;
    struct sl_api *api;
    struct sl_api_opts opts;
    bool closed;

    /* The made-up node: change it at will. */
    struct sl_capture members[API_MEMBERS_MAX];
    uint32_t member_count;
    uint32_t self; /* index of this node */
    int owner;     /* index of the owner; -1: none */
    int liveness;
    bool is_fenced;

    /* The made-up core: how it answers the next requests. answer is called for each; null: reply is sent as it is with
     * the request's ticket. hold: nothing is answered until api_answer_held. */
    struct sl_reply reply;
    void (*answer)(struct api_driver *d, const struct api_request *r, struct sl_reply *reply);
    bool hold;
    void *ctx; /* of the test */

    struct api_request requests[API_REQUESTS_MAX];
    uint32_t request_count;
    struct api_audit audits[API_AUDITS_MAX];
    uint32_t audit_count;
    char log_level[32];
    bool stopped, stopped_without_drain;
    uint64_t range_ticket;
    char range_prefix[128];
    void (*on_collect)(struct sl_metrics *m);

    /* For forwarding: a listener of its own whose connections this node's API gets. */
    uv_poll_t listen_poll;
    int listen_fd;
    uint16_t port;
    char address[64];
};

/* Three members n1 (owner), n2, n3; this node is n1. opts may be changed by set_up before the API opens; null allowed. */
struct api_driver *api_driver_new(void (*set_up)(struct sl_api_opts *opts));
/* A second node in the loop of another one. */
struct api_driver *api_driver_new_beside(struct api_driver *other, void (*set_up)(struct sl_api_opts *opts));
void api_driver_free(struct api_driver *d); /* in the reverse order of new */
/* Listens on a free port of 127.0.0.1; members[self].address of all drivers is the test's business. */
void api_driver_listen(struct api_driver *d);

/* Which of the requests since the last api_forget had this verb, last first; null: none. */
const struct api_request *api_asked(const struct api_driver *d, enum sl_request_verb verb);
void api_forget(struct api_driver *d);
void api_answer_held(struct api_driver *d, const struct sl_reply *reply);

/* ---- a client ---- */

struct api_answer {
    int status;
    char *head, *body; /* NUL-terminated */
    size_t body_len;
    bool was_closed; /* without a whole answer */
};

/* One request on a connection of its own. headers: whole lines with CRLF, may be null. body: may be null. Never null. */
struct api_answer *api_call(struct api_driver *d, const char *method, const char *path, const char *headers,
                            const char *body);
/* Raw bytes, then reads until the other side closes. */
struct api_answer *api_raw(struct api_driver *d, const char *bytes, size_t len);
/* The last answer is freed by the next call and at the end. */

/* A connection by hand. */
int api_connect(struct api_driver *d);
void api_send(struct api_driver *d, int fd, const char *bytes, size_t len);
/* Turns the loop until the text was read (or 10 s have passed: false). All that was read so far is in *got. */
bool api_read_until(struct api_driver *d, int fd, const char *text, char *got, size_t got_size);
/* Whether the other side has closed, at the latest after seconds. */
bool api_wait_closed(struct api_driver *d, int fd, int seconds);
/* Turns the loop for at least this long. */
void api_turn(struct api_driver *d, int ms);

/* ---- looking at JSON ---- */
/* The value at a path such as "items.0.id", as text ("null" for null, "" if it is not there). Valid until the next
 * call. */
const char *api_at(const struct api_answer *a, const char *path);

#endif
