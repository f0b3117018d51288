/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_CLI_TEXT_H
#define SL_CLI_TEXT_H

#include "base/check.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Text for people: a buffer that grows, numbers and durations as people write them, and tables. Pure but for the heap;
 * no memory ends the program with a line on standard error.
 */

/* What is built is NUL-terminated. Zero-initialised is empty. */
struct sl_cli_buf {
    char *ptr;
    size_t len, cap;
};
void sl_cli_buf_free(struct sl_cli_buf *b); /* empty again */
void sl_cli_buf_clear(struct sl_cli_buf *b);
void sl_cli_add(struct sl_cli_buf *b, const char *text);
void sl_cli_add_bytes(struct sl_cli_buf *b, const char *ptr, size_t len);
void sl_cli_addf(struct sl_cli_buf *b, const char *fmt, ...) SL_PRINTF(2, 3);
void sl_cli_add_fill(struct sl_cli_buf *b, char c, size_t count);

/* Memory or the end of the program. */
void *sl_cli_alloc(size_t size); /* zeroed */
char *sl_cli_copy(const char *text);

/*
 * Copies text of others so that it can be shown: control characters (C1 too) and invalid UTF-8 become \xNN, so that no
 * name can move the cursor or forge a line; what does not fit is cut, not inside a character.
 */
void sl_cli_clean(char *to, size_t size, const char *text);
/* Columns on a terminal: code points that are not combining; colour sequences count nothing. */
size_t sl_cli_width(const char *text);
/* Adds text cut to at most width columns, the last one then "~". */
void sl_cli_add_cut(struct sl_cli_buf *b, const char *text, size_t width);

void sl_cli_add_count(struct sl_cli_buf *b, uint64_t v); /* 12,345 */
void sl_cli_add_ms(struct sl_cli_buf *b, uint64_t ms);   /* 340 ms, 5.0 s, 2 m 05 s, 3 h 07 m, 4 d 02 h */
void sl_cli_add_age(struct sl_cli_buf *b, uint64_t ms);  /* the same in one word: 340ms 5s 2m05s 3h07m 4d02h */
/* "90", "90s", "1m30s", "500ms", "2h", "1d": a number without unit is seconds. False: not that, or more than 10 years. */
SL_CHECKED bool sl_cli_parse_ms(const char *text, uint64_t *ms);
SL_CHECKED bool sl_cli_parse_u64(const char *text, uint64_t *v);

/* A table with a head; columns are as wide as their widest cell, two blanks between. */
#define SL_CLI_COLUMNS_MAX 16
struct sl_cli_table {
    size_t columns;
    bool right[SL_CLI_COLUMNS_MAX]; /* numbers stand at the right */
    char **cells;
    size_t cell_count, cell_cap;
};
/* head: columns separated by '|'; a leading '>' makes a column right-aligned. */
void sl_cli_table_init(struct sl_cli_table *t, const char *head);
void sl_cli_table_deinit(struct sl_cli_table *t);
void sl_cli_table_cell(struct sl_cli_table *t, const char *text);           /* copied, cleaned */
void sl_cli_table_count(struct sl_cli_table *t, bool is_known, uint64_t v); /* "-" if not known */
/* width 0: as wide as it gets; else lines are cut there. */
void sl_cli_table_render(const struct sl_cli_table *t, size_t width, struct sl_cli_buf *out);

/*
 * Copies a URI with its secrets replaced by "xxxxx": the password before '@' and the values of query members whose
 * name holds password, secret or token. For showing; the result is clean.
 */
void sl_cli_mask_uri(char *to, size_t size, const char *uri);
/* Overwrites the same in place, for what stands in the process list. */
void sl_cli_blot_uri(char *uri);

#endif
