/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_BASE_STR_H
#define SL_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A view of text; does not own, need not end in NUL. Valid as long as what it points into. */
struct sl_str {
    const char *ptr;
    size_t len;
};

/* A view of bytes, same rules. */
struct sl_bytes {
    const uint8_t *ptr;
    size_t len;
};

#define SL_STR(literal) ((struct sl_str){ "" literal, sizeof(literal) - 1 })

struct sl_str sl_str_of(const char *nul_terminated); /* NULL gives the empty view */
bool sl_str_eq(struct sl_str a, struct sl_str b);
int sl_str_cmp(struct sl_str a, struct sl_str b); /* byte-wise, shorter first */
bool sl_bytes_eq(struct sl_bytes a, struct sl_bytes b);

/* Whether s is valid UTF-8 without NUL and other control characters below 0x20: fit for a name, an id, a log line. */
bool sl_str_is_printable_utf8(struct sl_str s);

/* Makes a NUL-terminated text fit for people: control characters but tab and line ends become blanks, and so does each byte
 * that is not UTF-8. Its length stays. */
void sl_str_clean(char *text);

/*
 * Builds text into the caller's memory. Never overruns: what does not fit is cut (never inside a number, an escape
 * or a UTF-8 character) and remembered in "cut"; after a cut nothing more is added, so the text is always a
 * beginning of the whole. Always NUL-terminated when cap > 0.
 */
struct sl_text {
    char *ptr;
    size_t cap, len;
    bool cut;
};

void sl_text_init(struct sl_text *t, char *memory, size_t cap);
void sl_text_str(struct sl_text *t, struct sl_str s);
void sl_text_cstr(struct sl_text *t, const char *s);
void sl_text_u64(struct sl_text *t, uint64_t v);
void sl_text_i64(struct sl_text *t, int64_t v);
void sl_text_hex64(struct sl_text *t, uint64_t v); /* 16 digits */
/* Adds s as a logfmt value: quoted when it has spaces, quotes, '=', control characters or invalid UTF-8, or is empty;
 * control characters and invalid bytes become \xNN, so that no input can forge a line or a terminal sequence. */
void sl_text_logfmt(struct sl_text *t, struct sl_str s);

#endif
