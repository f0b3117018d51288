/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/mariadb/ddl_token.h"

#include <string.h>

static bool token_is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Bytes of characters beyond ASCII are part of names. */
static bool token_is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$' ||
           (unsigned char)c >= 0x80;
}

static bool lexer_sees(const struct sl_ddl_lexer *x, const char *text)
{
    size_t len = strlen(text);
    return (size_t)(x->end - x->at) >= len && memcmp(x->at, text, len) == 0;
}

static void lexer_skip_line(struct sl_ddl_lexer *x)
{
    while (x->at < x->end && *x->at != '\n')
        x->at++;
}

static void lexer_skip_comment(struct sl_ddl_lexer *x)
{
    for (x->at += 2; x->at < x->end; x->at++) {
        if (lexer_sees(x, "*/")) {
            x->at += 2;
            return;
        }
    }
}

/* Version numbers behind the mark say from which server on; every server that is replicated is newer. */
static void lexer_open_executed(struct sl_ddl_lexer *x, size_t mark_len)
{
    x->at += mark_len;
    while (x->at < x->end && *x->at >= '0' && *x->at <= '9')
        x->at++;
    x->open_comments++;
}

/* True: something was skipped. */
static bool lexer_skip_one(struct sl_ddl_lexer *x)
{
    if (token_is_space(*x->at)) {
        x->at++;
    } else if (lexer_sees(x, "/*M!")) {
        lexer_open_executed(x, 4);
    } else if (lexer_sees(x, "/*!")) {
        lexer_open_executed(x, 3);
    } else if (lexer_sees(x, "/*")) {
        lexer_skip_comment(x);
    } else if (x->open_comments > 0 && lexer_sees(x, "*/")) {
        x->at += 2;
        x->open_comments--;
    } else if (*x->at == '#' || (lexer_sees(x, "--") && (x->end - x->at == 2 || token_is_space(x->at[2])))) {
        lexer_skip_line(x);
    } else {
        return false;
    }
    return true;
}

static void lexer_read_quoted(struct sl_ddl_lexer *x, enum sl_ddl_token_kind kind)
{
    char quote = *x->at++;
    const char *start = x->at;
    while (x->at < x->end) {
        if (*x->at == '\\' && kind == SL_DDL_TOKEN_STRING && x->at + 1 < x->end)
            x->at += 2;
        else if (*x->at == quote && x->at + 1 < x->end && x->at[1] == quote)
            x->at += 2;
        else if (*x->at == quote)
            break;
        else
            x->at++;
    }
    bool is_closed = x->at < x->end;
    x->token = (struct sl_ddl_token){ .kind = is_closed ? kind : SL_DDL_TOKEN_END,
                                      .text = { start, (size_t)(x->at - start) },
                                      .quote = quote };
    x->at += is_closed ? 1 : 0;
}

void sl_ddl_next(struct sl_ddl_lexer *x)
{
    while (x->at < x->end && lexer_skip_one(x))
        continue;
    if (x->at == x->end) {
        x->token = (struct sl_ddl_token){ .kind = SL_DDL_TOKEN_END };
        return;
    }
    const char *start = x->at;
    if (*start == '`' || (*start == '"' && x->is_ansi)) {
        lexer_read_quoted(x, SL_DDL_TOKEN_QUOTED);
    } else if (*start == '\'' || *start == '"') {
        lexer_read_quoted(x, SL_DDL_TOKEN_STRING);
    } else if (token_is_name(*start)) {
        while (x->at < x->end && token_is_name(*x->at))
            x->at++;
        x->token = (struct sl_ddl_token){ SL_DDL_TOKEN_WORD, { start, (size_t)(x->at - start) }, 0 };
    } else {
        x->at++;
        x->token = (struct sl_ddl_token){ SL_DDL_TOKEN_SIGN, { start, 1 }, 0 };
    }
}

void sl_ddl_lexer_init(struct sl_ddl_lexer *x, struct sl_str statement, bool is_ansi)
{
    *x = (struct sl_ddl_lexer){ .at = statement.ptr, .end = statement.ptr + statement.len, .is_ansi = is_ansi };
    sl_ddl_next(x);
}

bool sl_ddl_is(const struct sl_ddl_lexer *x, const char *word)
{
    size_t len = strlen(word);
    if (x->token.kind != SL_DDL_TOKEN_WORD || x->token.text.len != len)
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = x->token.text.ptr[i];
        if ((c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c) != word[i])
            return false;
    }
    return true;
}

bool sl_ddl_is_sign(const struct sl_ddl_lexer *x, char sign)
{
    return x->token.kind == SL_DDL_TOKEN_SIGN && x->token.text.ptr[0] == sign;
}

bool sl_ddl_take(struct sl_ddl_lexer *x, const char *word)
{
    bool is_it = sl_ddl_is(x, word);
    if (is_it)
        sl_ddl_next(x);
    return is_it;
}

bool sl_ddl_take_sign(struct sl_ddl_lexer *x, char sign)
{
    bool is_it = sl_ddl_is_sign(x, sign);
    if (is_it)
        sl_ddl_next(x);
    return is_it;
}
