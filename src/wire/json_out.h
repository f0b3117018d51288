/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_WIRE_JSON_OUT_H
#define SL_WIRE_JSON_OUT_H

#include "base/str.h"

/*
 * Writes JSON piece by piece into a bounded text, without a tree. Exact for all of uint64_t. Whoever calls keeps the
 * grammar: a key before each value of an object.
 *
 *     sl_json_open(&j, '{');
 *     sl_json_key(&j, "epoch");
 *     sl_json_u64(&j, 7);
 *     sl_json_close(&j, '}');         {"epoch":7}
 */
struct sl_json_out {
    struct sl_text *text; /* of the caller; text->cut: it did not fit, the text is of no use */
    bool comma;           /* before the next key or value */
    bool bad;             /* a string was not UTF-8, the text is of no use */
};

void sl_json_out_init(struct sl_json_out *j, struct sl_text *text);
bool sl_json_out_is_good(const struct sl_json_out *j); /* neither cut nor bad */

void sl_json_open(struct sl_json_out *j, char bracket);   /* '{' or '[' */
void sl_json_close(struct sl_json_out *j, char bracket);  /* '}' or ']' */
void sl_json_key(struct sl_json_out *j, const char *key); /* a word that needs no escape */
void sl_json_str(struct sl_json_out *j, struct sl_str s); /* quoted and escaped */
void sl_json_u64(struct sl_json_out *j, uint64_t v);
void sl_json_bool(struct sl_json_out *j, bool v);
void sl_json_null(struct sl_json_out *j);

#endif
