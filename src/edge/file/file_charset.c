/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/file/file_charset.h"

#include "edge/file/file_out.h"

#include <errno.h>
#include <stdlib.h>

enum { CHARSET_UTF8 = -1, CHARSET_UNKNOWN = -2 };

/* Names of iconv; ids end in 0. Ids as MariaDB and MySQL list them in information_schema.collations. */
static const struct charset {
    const char *name;
    uint16_t ids[12];
} charsets[] = {
    { "CP1252", { 5, 8, 15, 31, 47, 48, 49, 94 } },
    { "ISO-8859-2", { 2, 9, 21, 27, 77 } },
    { "CP1250", { 26, 34, 44, 66, 99 } },
    { "CP1251", { 14, 23, 50, 51, 52 } },
    { "KOI8-R", { 7, 74 } },
    { "KOI8-U", { 22, 75 } },
    { "ISO-8859-7", { 25, 70 } },
    { "ISO-8859-8", { 16, 71 } },
    { "ISO-8859-9", { 30, 78 } },
    { "ISO-8859-13", { 20, 41, 42, 79 } },
    { "CP1256", { 57, 67 } },
    { "CP1257", { 29, 58, 59 } },
    { "CP850", { 4, 80 } },
    { "CP852", { 40, 81 } },
    { "CP866", { 36, 68 } },
    { "GBK", { 28, 87 } },
    { "GB2312", { 24, 86 } },
    { "GB18030", { 248, 249, 250 } },
    { "BIG5", { 1, 84 } },
    { "SHIFT_JIS", { 13, 88 } },
    { "CP932", { 95, 96 } },
    { "EUC-JP", { 12, 91 } },
    { "EUC-JP-MS", { 97, 98 } },
    { "EUC-KR", { 19, 85 } },
    { "TIS-620", { 18, 89 } },
    { "UTF-16BE", { 54, 55 } },
    { "UTF-16LE", { 56, 62 } },
    { "UTF-32BE", { 60, 61 } },
    { "UCS-2BE", { 35, 90 } },
};
#define CHARSET_COUNT (sizeof charsets / sizeof charsets[0])
_Static_assert(CHARSET_COUNT <= SL_FILE_CHARSETS_MAX, "a converter for each");

/* Ranges of ids whose charset is one; first and last. */
static const struct {
    uint16_t first, last;
    int index; /* of charsets, or CHARSET_UTF8 */
    uint16_t as;
} charset_ranges[] = {
    { 33, 33, CHARSET_UTF8, 0 },   { 45, 46, CHARSET_UTF8, 0 },     { 63, 63, CHARSET_UTF8, 0 },
    { 11, 11, CHARSET_UTF8, 0 },   { 65, 65, CHARSET_UTF8, 0 },     { 76, 76, CHARSET_UTF8, 0 },
    { 83, 83, CHARSET_UTF8, 0 },   { 192, 247, CHARSET_UTF8, 0 },   { 255, 323, CHARSET_UTF8, 0 },
    { 576, 639, CHARSET_UTF8, 0 }, { 2048, 2559, CHARSET_UTF8, 0 }, { 101, 124, 0, 54 },
    { 672, 703, 0, 54 },           { 2816, 3071, 0, 54 },           { 128, 159, 0, 35 },
    { 640, 671, 0, 35 },           { 2560, 2815, 0, 35 },           { 160, 183, 0, 60 },
    { 736, 767, 0, 60 },           { 3072, 3327, 0, 60 },
};

static int charset_by_id(uint32_t id)
{
    for (size_t i = 0; i < CHARSET_COUNT; i++) {
        for (size_t k = 0; charsets[i].ids[k] != 0; k++) {
            if (charsets[i].ids[k] == id)
                return (int)i;
        }
    }
    return CHARSET_UNKNOWN;
}

static int charset_find(uint32_t collation)
{
    uint32_t id = collation >= 1024 && collation < 2048 ? collation - 1024 : collation; /* MariaDB's NO PAD twins */
    if (id == 0)
        return CHARSET_UTF8;
    for (size_t i = 0; i < sizeof charset_ranges / sizeof charset_ranges[0]; i++) {
        if (id >= charset_ranges[i].first && id <= charset_ranges[i].last)
            return charset_ranges[i].index == CHARSET_UTF8 ? CHARSET_UTF8 : charset_by_id(charset_ranges[i].as);
    }
    return charset_by_id(id);
}

bool sl_file_charset_is_known(uint32_t collation)
{
    return charset_find(collation) != CHARSET_UNKNOWN;
}

void sl_file_charsets_init(struct sl_file_charsets *c)
{
    *c = (struct sl_file_charsets){ .cap = 0 };
}

void sl_file_charsets_deinit(struct sl_file_charsets *c)
{
    for (size_t i = 0; i < CHARSET_COUNT; i++) {
        if (c->is_open[i])
            iconv_close(c->converters[i]);
    }
    free(c->text);
}

static bool charset_open(struct sl_file_charsets *c, int index)
{
    if (!c->is_open[index]) {
        c->converters[index] = iconv_open("UTF-8", charsets[index].name);
        c->is_open[index] = c->converters[index] != (iconv_t)-1; /* NOLINT: what the standard says */
    }
    return c->is_open[index];
}

static bool charset_reserve(struct sl_file_charsets *c, size_t size)
{
    if (size <= c->cap)
        return true;
    char *grown = realloc(c->text, size);
    if (!grown)
        return false;
    c->text = grown;
    c->cap = size;
    return true;
}

enum sl_file_text sl_file_charset_text(struct sl_file_charsets *c, struct sl_str *out, const struct sl_value *v,
                                       uint32_t collation)
{
    int index = charset_find(collation);
    *out = (struct sl_str){ (const char *)v->v.ptr, v->len };
    if (index == CHARSET_UTF8)
        return sl_file_is_utf8(*out) ? SL_FILE_TEXT_GOOD : SL_FILE_TEXT_INVALID;
    if (index == CHARSET_UNKNOWN || !charset_open(c, index))
        return SL_FILE_TEXT_INVALID;
    /* No charset has more than three bytes of UTF-8 for one of its own. */
    if (!charset_reserve(c, (size_t)v->len * 3 + 16))
        return SL_FILE_TEXT_NO_MEMORY;
    char *from = (char *)(uintptr_t)out->ptr, *to = c->text;
    size_t from_left = out->len, to_left = c->cap;
    iconv(c->converters[index], NULL, NULL, NULL, NULL);
    if (iconv(c->converters[index], &from, &from_left, &to, &to_left) == (size_t)-1)
        return SL_FILE_TEXT_INVALID;
    *out = (struct sl_str){ c->text, (size_t)(to - c->text) };
    return SL_FILE_TEXT_GOOD;
}
