/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_TESTS_SUPPORT_PLANE_DRIVER_H
#define SL_TESTS_SUPPORT_PLANE_DRIVER_H

#include "engine/plane.h"
#include "tests/support/plane_model.h"

/*
 * A plane and what the core would keep of it: the last word about each dispatcher. Nothing waits for time: a test says
 * what must become true, and the driver polls until it is, or fails after a minute.
 */
#define PLANE_DRIVER_TOKENS 16384

struct plane_view { /* of one dispatcher, by token */
    bool is_ready, is_closed, has_failed, follows;
    sl_ts checkpoint, resolved;
    char code[32];
    uint32_t reports;
};

struct plane_driver {
    struct sl_plane *plane;
    struct plane_view views[PLANE_DRIVER_TOKENS];
    bool feed_opened, feed_failed, feed_closed;
    char feed_code[32];
    sl_ts progress, resolved;
    uint32_t readers, notes, schema_count, schema_answers;
    enum sl_code schema_code;
    uint64_t unflushed;
    uint32_t ready_count, closed_count, failed_count, wakes;
    sl_ts head;
    bool went_back; /* a checkpoint was smaller than one before */
};

/* Small windows and queues; opts may be null. */
void plane_driver_open(struct plane_driver *d, const struct sl_plane_opts *opts);
void plane_driver_close(struct plane_driver *d);
struct sl_plane_opts plane_driver_opts(void);

#define PLANE_DRIVER_FEED UINT64_C(77)
void plane_driver_open_feed(struct plane_driver *d); /* waits until it is */
void plane_driver_command_feed(struct plane_driver *d, enum sl_command_verb verb);
void plane_driver_open_feed_at(struct plane_driver *d, const char *source, const char *sink); /* does not wait */

/* Table table_id as dispatcher token. */
void plane_driver_start(struct plane_driver *d, sl_dispatcher_token token, int64_t table_id, sl_ts start_ts,
                        struct sl_placement placement);
void plane_driver_stop(struct plane_driver *d, sl_dispatcher_token token);
void plane_driver_start_trigger(struct plane_driver *d, sl_dispatcher_token token, sl_ts start_ts);

/* What the core takes for the checkpoint of a dispatcher now. */
sl_ts plane_driver_checkpoint(const struct plane_driver *d, sl_dispatcher_token token);

/* Polls until the condition holds; fails the test after a minute. */
#define plane_driver_until(d, condition)                                          \
    do {                                                                          \
        struct plane_driver_wait wait_ = plane_driver_begin_wait();               \
        while (plane_driver_step(d), !(condition))                                \
            plane_driver_check_wait(&wait_, (d), #condition, __FILE__, __LINE__); \
    } while (0)

struct plane_driver_wait {
    sl_ns end;
};
struct plane_driver_wait plane_driver_begin_wait(void);
void plane_driver_step(struct plane_driver *d);
void plane_driver_check_wait(const struct plane_driver_wait *w, const struct plane_driver *d, const char *what,
                             const char *file, int line);

#endif
