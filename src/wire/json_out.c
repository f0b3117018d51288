/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/json_out.h"

void sl_json_out_init(struct sl_json_out *j, struct sl_text *text)
{
    *j = (struct sl_json_out){ .text = text };
}

bool sl_json_out_is_good(const struct sl_json_out *j)
{
    return !j->text->cut && !j->bad;
}

static void json_put_char(struct sl_json_out *j, char c)
{
    sl_text_str(j->text, (struct sl_str){ &c, 1 });
}

/* What every value and key begins with. */
static void json_begin(struct sl_json_out *j)
{
    if (j->comma)
        json_put_char(j, ',');
    j->comma = true;
}

void sl_json_open(struct sl_json_out *j, char bracket)
{
    json_begin(j);
    json_put_char(j, bracket);
    j->comma = false;
}

void sl_json_close(struct sl_json_out *j, char bracket)
{
    json_put_char(j, bracket);
    j->comma = true;
}

void sl_json_key(struct sl_json_out *j, const char *key)
{
    json_begin(j);
    json_put_char(j, '"');
    sl_text_cstr(j->text, key);
    sl_text_cstr(j->text, "\":");
    j->comma = false;
}

static bool json_is_plain(char c)
{
    return (uint8_t)c >= 0x20 && c != '"' && c != '\\';
}

static void json_put_escape(struct sl_json_out *j, char c)
{
    static const char hex[] = "0123456789abcdef";
    if (c == '"' || c == '\\') {
        char escape[2] = { '\\', c };
        sl_text_str(j->text, (struct sl_str){ escape, sizeof escape });
        return;
    }
    char escape[6] = { '\\', 'u', '0', '0', hex[(uint8_t)c >> 4], hex[(uint8_t)c & 15] };
    sl_text_str(j->text, (struct sl_str){ escape, sizeof escape });
}

void sl_json_str(struct sl_json_out *j, struct sl_str s)
{
    json_begin(j);
    json_put_char(j, '"');
    for (size_t at = 0; at < s.len;) {
        /* A run ends at ASCII only, so it never ends inside a character. */
        size_t end = at;
        while (end < s.len && json_is_plain(s.ptr[end]))
            end++;
        struct sl_str run = { s.ptr + at, end - at };
        j->bad = j->bad || !sl_str_is_printable_utf8(run);
        sl_text_str(j->text, run);
        if (end < s.len)
            json_put_escape(j, s.ptr[end++]);
        at = end;
    }
    json_put_char(j, '"');
}

void sl_json_u64(struct sl_json_out *j, uint64_t v)
{
    json_begin(j);
    sl_text_u64(j->text, v);
}

void sl_json_bool(struct sl_json_out *j, bool v)
{
    json_begin(j);
    sl_text_cstr(j->text, v ? "true" : "false");
}

void sl_json_null(struct sl_json_out *j)
{
    json_begin(j);
    sl_text_cstr(j->text, "null");
}
