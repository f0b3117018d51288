/* SPDX-License-Identifier: Apache-2.0 */
#include "app/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { LOG_WAITING_BYTES_MAX = 4 << 20, LOG_CLOSE_SECONDS = 2, LOG_NODE_BYTES = 80 };

struct log_row {
    const char *name, *text;
    enum sl_event_level level;
};

static const struct log_row log_rows[SL_APP_EVENT_COUNT] = {
#define SL_EVENT(id, severity, description) { .name = #id, .text = (description), .level = SL_LEVEL_##severity },
#include "app/events.def"
#undef SL_EVENT
};

struct sl_log {
    enum sl_log_format format;
    enum sl_event_level level;
    char node[LOG_NODE_BYTES];
    pthread_t thread;
    pthread_cond_t wake, done;
    pthread_mutex_t lock; /* of all below */
    char *waiting, *writing;
    size_t waiting_len, waiting_max;
    uint64_t lost_count;
    int fd, next_fd; /* next_fd: to be used from the next line on; -1 none */
    bool is_closing, has_ended;
};

/* ---- the thread that writes ---- */

/* False: the rest is lost. */
static bool log_write(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, text, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        text += n;
        len -= (size_t)n;
    }
    return true;
}

static void log_use_next_fd(struct sl_log *log)
{
    if (log->next_fd < 0)
        return;
    if (log->fd != STDERR_FILENO)
        close(log->fd);
    log->fd = log->next_fd;
    log->next_fd = -1;
}

static void *log_run(void *ctx)
{
    struct sl_log *log = ctx;
    pthread_mutex_lock(&log->lock);
    while (!log->is_closing || log->waiting_len > 0) {
        if (log->waiting_len == 0) {
            pthread_cond_wait(&log->wake, &log->lock);
            continue;
        }
        char *text = log->waiting;
        size_t len = log->waiting_len;
        log->waiting = log->writing;
        log->writing = text;
        log->waiting_len = 0;
        log_use_next_fd(log);
        int fd = log->fd;
        pthread_mutex_unlock(&log->lock);
        bool ok = log_write(fd, text, len);
        pthread_mutex_lock(&log->lock);
        log->lost_count += ok ? 0 : 1;
    }
    log->has_ended = true;
    pthread_cond_signal(&log->done);
    pthread_mutex_unlock(&log->lock);
    return NULL;
}

/* ---- lines ---- */

static uint64_t log_wall(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec;
}

/* With the lock. False: no room. */
static bool log_append(struct sl_log *log, const char *line, size_t len)
{
    if (len > log->waiting_max - log->waiting_len)
        return false;
    memcpy(log->waiting + log->waiting_len, line, len);
    log->waiting_len += len;
    return true;
}

/* With the lock: room for the line that says how many there was none for. */
static void log_append_lost(struct sl_log *log)
{
    char line[SL_LOG_LINE_BYTES_MAX];
    struct sl_text text;
    struct sl_field count = sl_f_u64("count", log->lost_count);
    const struct log_row *row = &log_rows[SL_APP_LOG_LOST];
    sl_text_init(&text, line, sizeof line - 1);
    sl_log_format(&text, log->format, log_wall(), sl_str_of(log->node), row->level, row->name, row->text, &count, 1);
    line[text.len] = '\n';
    if (log_append(log, line, text.len + 1))
        log->lost_count = 0;
}

void sl_log_other(struct sl_log *log, enum sl_event_level level, const char *name, const char *text,
                  const struct sl_field *fields, uint32_t count)
{
    char line[SL_LOG_LINE_BYTES_MAX];
    struct sl_text out;
    if (level < log->level)
        return;
    sl_text_init(&out, line, sizeof line - 1);
    sl_log_format(&out, log->format, log_wall(), sl_str_of(log->node), level, name, text, fields, count);
    line[out.len] = '\n';
    pthread_mutex_lock(&log->lock);
    if (log->lost_count > 0)
        log_append_lost(log);
    if (log->lost_count > 0 || !log_append(log, line, out.len + 1))
        log->lost_count++;
    pthread_cond_signal(&log->wake);
    pthread_mutex_unlock(&log->lock);
}

void sl_log_core(struct sl_log *log, const struct sl_event *e)
{
    sl_log_other(log, sl_event_level(e->id), sl_event_name(e->id), sl_event_text(e->id), e->fields, e->field_count);
}

void sl_log_app_fields(struct sl_log *log, enum sl_app_event id, const struct sl_field *fields, uint32_t count)
{
    const struct log_row *row = &log_rows[id];
    sl_log_other(log, row->level, row->name, row->text, fields, count);
}

void sl_log_set_level(struct sl_log *log, enum sl_event_level level)
{
    log->level = level;
}

void sl_log_set_format(struct sl_log *log, enum sl_log_format format)
{
    log->format = format;
}

enum sl_event_level sl_log_level(const struct sl_log *log)
{
    return log->level;
}

/* ---- life ---- */

static int log_open_file(const char *path, struct sl_err *err)
{
    if (!path || path[0] == '\0')
        return STDERR_FILENO;
    /* Not to wait for a reader of a named pipe: the loop's thread is here. Writing may wait, it has a thread. */
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, S_IRUSR | S_IWUSR | S_IRGRP);
    if (fd >= 0)
        (void)fcntl(fd, F_SETFL, O_APPEND);
    else
        sl_err_set(err, SL_BAD_CONFIG, "--log-file %.80s: %s", path, strerror(errno));
    return fd;
}

void sl_log_set_node(struct sl_log *log, const char *node)
{
    struct sl_text text;
    sl_text_init(&text, log->node, sizeof log->node);
    sl_text_cstr(&text, node);
}

enum sl_code sl_log_reopen(struct sl_log *log, const char *path, struct sl_err *err)
{
    int fd = log_open_file(path, err);
    if (fd < 0)
        return SL_BAD_CONFIG;
    pthread_mutex_lock(&log->lock);
    if (log->next_fd >= 0 && log->next_fd != STDERR_FILENO)
        close(log->next_fd);
    log->next_fd = fd;
    pthread_mutex_unlock(&log->lock);
    return SL_OK;
}

static void log_free(struct sl_log *log)
{
    pthread_cond_destroy(&log->wake);
    pthread_cond_destroy(&log->done);
    pthread_mutex_destroy(&log->lock);
    log_use_next_fd(log);
    if (log->fd > STDERR_FILENO)
        close(log->fd);
    free(log->waiting);
    free(log->writing);
    free(log);
}

enum sl_code sl_log_open(struct sl_log **out, const struct sl_log_opts *opts, struct sl_err *err)
{
    *out = NULL;
    struct sl_log *log = calloc(1, sizeof *log);
    if (!log)
        return sl_err_set(err, SL_NOMEM, "no memory for the log");
    log->format = opts->format;
    log->level = opts->level;
    log->next_fd = -1;
    log->waiting_max = opts->waiting_bytes_max > 0 ? opts->waiting_bytes_max : LOG_WAITING_BYTES_MAX;
    log->waiting = malloc(log->waiting_max);
    log->writing = malloc(log->waiting_max);
    sl_log_set_node(log, opts->node);
    pthread_mutex_init(&log->lock, NULL);
    pthread_cond_init(&log->wake, NULL);
    pthread_cond_init(&log->done, NULL);
    log->fd = log_open_file(opts->path, err);
    if (log->fd < 0) {
        log_free(log);
        return SL_BAD_CONFIG;
    }
    if (!log->waiting || !log->writing || pthread_create(&log->thread, NULL, log_run, log) != 0) {
        log_free(log);
        return sl_err_set(err, SL_NOMEM, "no memory for the log");
    }
    *out = log;
    return SL_OK;
}

void sl_log_close(struct sl_log *log)
{
    if (!log)
        return;
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += LOG_CLOSE_SECONDS;
    pthread_mutex_lock(&log->lock);
    log->is_closing = true;
    pthread_cond_signal(&log->wake);
    int code = 0;
    while (!log->has_ended && code == 0)
        code = pthread_cond_timedwait(&log->done, &log->lock, &until);
    bool has_ended = log->has_ended;
    pthread_mutex_unlock(&log->lock);
    if (!has_ended) {
        /* It hangs in a write: what it holds is left to the end of the process. */
        pthread_detach(log->thread);
        return;
    }
    pthread_join(log->thread, NULL);
    log_free(log);
}
