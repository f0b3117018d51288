/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_FILE_FILE_CHARSET_H
#define SL_EDGE_FILE_FILE_CHARSET_H

#include "base/check.h"
#include "port/rows.h"

#include <iconv.h>

/* Text of the MySQL family's charsets as UTF-8. One per writer: keeps its converters and one text. */
#define SL_FILE_CHARSETS_MAX 32u

struct sl_file_charsets {
    iconv_t converters[SL_FILE_CHARSETS_MAX];
    bool is_open[SL_FILE_CHARSETS_MAX];
    char *text;
    size_t cap;
};

enum sl_file_text { SL_FILE_TEXT_GOOD, SL_FILE_TEXT_INVALID, SL_FILE_TEXT_NO_MEMORY };

void sl_file_charsets_init(struct sl_file_charsets *c);
void sl_file_charsets_deinit(struct sl_file_charsets *c);

/* Whether text with this collation id (0 = none: UTF-8) can be converted. */
bool sl_file_charset_is_known(uint32_t collation);

/* GOOD: *out is valid until the next call, or as long as the value. INVALID: the bytes are not of the charset. */
SL_CHECKED enum sl_file_text sl_file_charset_text(struct sl_file_charsets *c, struct sl_str *out,
                                                  const struct sl_value *v, uint32_t collation);

#endif
