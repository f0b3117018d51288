/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_APP_LOG_H
#define SL_APP_LOG_H

#include "base/err.h"
#include "core/common/event.h"

/*
 * The log: one line per event, logfmt or JSON, with time and node. Lines wait in memory for a thread that writes them,
 * so a reader that is slow or a disk that hangs does not hold up the loop; what does not fit is dropped and counted,
 * and the next line that fits says so (LOG_LOST).
 */
enum sl_app_event {
#define SL_EVENT(id, level, text) SL_APP_##id,
#include "app/events.def"
#undef SL_EVENT
    SL_APP_EVENT_COUNT
};

enum sl_log_format { SL_LOG_LOGFMT, SL_LOG_JSON };

#define SL_LOG_LINE_BYTES_MAX 4096u

struct sl_log;

struct sl_log_opts {
    const char *path; /* null: standard error */
    const char *node; /* name; copied */
    enum sl_log_format format;
    enum sl_event_level level;
    size_t waiting_bytes_max; /* 0: 4 MiB */
};

/* SL_NOMEM; SL_BAD_CONFIG: the file cannot be opened, err says why. *out is null then. */
SL_CHECKED enum sl_code sl_log_open(struct sl_log **out, const struct sl_log_opts *opts, struct sl_err *err);
/* Writes what waits, for two seconds at most, and ends. Null allowed. */
void sl_log_close(struct sl_log *log);

/* An event of the core, and one of the process. Loop thread. At least one field. */
void sl_log_core(struct sl_log *log, const struct sl_event *e);
#define sl_log_app(log, id, ...)                                             \
    sl_log_app_fields((log), (id), (const struct sl_field[]){ __VA_ARGS__ }, \
                      (uint32_t)(sizeof((const struct sl_field[]){ __VA_ARGS__ }) / sizeof(struct sl_field)))
void sl_log_app_fields(struct sl_log *log, enum sl_app_event id, const struct sl_field *fields, uint32_t count);
/* An event of a table of somebody else. name and text are static. */
void sl_log_other(struct sl_log *log, enum sl_event_level level, const char *name, const char *text,
                  const struct sl_field *fields, uint32_t count);

void sl_log_set_level(struct sl_log *log, enum sl_event_level level);
void sl_log_set_format(struct sl_log *log, enum sl_log_format format);
enum sl_event_level sl_log_level(const struct sl_log *log);
/* The node's name, when it is known only after the log was opened. */
void sl_log_set_node(struct sl_log *log, const char *node);
/* path as in the options. On an error the old file goes on. */
SL_CHECKED enum sl_code sl_log_reopen(struct sl_log *log, const char *path, struct sl_err *err);

/* "debug", "info", "warn", "error". False: none of them. */
bool sl_log_level_of(struct sl_str name, enum sl_event_level *out);

/* One line without its end, for tests; wall: ns since 1970. */
void sl_log_format(struct sl_text *line, enum sl_log_format format, uint64_t wall, struct sl_str node,
                   enum sl_event_level level, const char *name, const char *text, const struct sl_field *fields,
                   uint32_t count);

#endif
