/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_SIM_BUFFER_H
#define SL_SIM_BUFFER_H

#include "base/check.h"
#include "base/str.h"

/* Text that grows, for files and reports. Zero-initialised is empty; always ends in NUL once something was added. */
struct sl_sim_buffer {
    char *ptr;
    size_t len, cap;
};

void sl_sim_buffer_deinit(struct sl_sim_buffer *b);
void sl_sim_buffer_clear(struct sl_sim_buffer *b);
void sl_sim_buffer_add(struct sl_sim_buffer *b, struct sl_str s);
void sl_sim_buffer_format(struct sl_sim_buffer *b, const char *fmt, ...) SL_PRINTF(2, 3);
struct sl_str sl_sim_buffer_text(const struct sl_sim_buffer *b);

/* The whole file, appended. False: it cannot be read. */
SL_CHECKED bool sl_sim_buffer_read(struct sl_sim_buffer *b, const char *path);
SL_CHECKED bool sl_sim_buffer_write(const struct sl_sim_buffer *b, const char *path);

/* Takes the next line (without its end) from *rest. False: there is none. */
bool sl_sim_next_line(struct sl_str *rest, struct sl_str *line);

#endif
