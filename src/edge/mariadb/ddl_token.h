/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_MARIADB_DDL_TOKEN_H
#define SL_EDGE_MARIADB_DDL_TOKEN_H

#include "base/str.h"

/*
 * Words of a statement. Comments are left out, but for those that the server executes (between slash, star, exclamation
 * mark): their content counts.
 */
enum sl_ddl_token_kind {
    SL_DDL_TOKEN_END,
    SL_DDL_TOKEN_WORD,   /* a keyword, or a name without quotes */
    SL_DDL_TOKEN_QUOTED, /* a name in quotes; text is between them, doubled quotes still doubled */
    SL_DDL_TOKEN_STRING,
    SL_DDL_TOKEN_SIGN, /* one character */
};

struct sl_ddl_token {
    enum sl_ddl_token_kind kind;
    struct sl_str text;
    char quote;
};

struct sl_ddl_lexer {
    const char *at, *end;
    bool is_ansi;
    uint32_t open_comments;    /* executed ones */
    struct sl_ddl_token token; /* the present one */
};

void sl_ddl_lexer_init(struct sl_ddl_lexer *x, struct sl_str statement, bool is_ansi);
void sl_ddl_next(struct sl_ddl_lexer *x);

/* Whether the present token is this keyword (given in capitals), or this sign. */
bool sl_ddl_is(const struct sl_ddl_lexer *x, const char *word);
bool sl_ddl_is_sign(const struct sl_ddl_lexer *x, char sign);
/* The same, and goes on to the next one if it is. */
bool sl_ddl_take(struct sl_ddl_lexer *x, const char *word);
bool sl_ddl_take_sign(struct sl_ddl_lexer *x, char sign);

#endif
