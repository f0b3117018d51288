/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_FILE_FILE_OUT_H
#define SL_EDGE_FILE_FILE_OUT_H

#include "base/str.h"

/*
 * Text on its way into a file, of any length through a fixed buffer. After a failure (error: an errno) nothing more is
 * written; whoever asks looks at the end.
 */
#define SL_FILE_OUT_BUFFER 65536u

struct sl_file_out {
    int fd;          /* of the caller */
    int error;       /* 0 = none so far */
    uint64_t length; /* of the file, with what is in the buffer */
    uint64_t hash;   /* fd -1: nothing is written, only a digest is made */
    size_t used;
    bool comma; /* JSON: before the next key or value */
    char buffer[SL_FILE_OUT_BUFFER];
};

void sl_file_out_init(struct sl_file_out *o, int fd, uint64_t length);
bool sl_file_out_flush(struct sl_file_out *o);
void sl_file_out_put(struct sl_file_out *o, const void *data, size_t size);
void sl_file_out_cstr(struct sl_file_out *o, const char *text);
void sl_file_out_u64(struct sl_file_out *o, uint64_t v);
void sl_file_out_i64(struct sl_file_out *o, int64_t v);
void sl_file_out_double(struct sl_file_out *o, double v, bool is_float);
void sl_file_out_base64(struct sl_file_out *o, const uint8_t *data, size_t size);

/* JSON with the grammar kept by the caller, as wire/json_out.h, which is for bounded texts. */
void sl_file_json_open(struct sl_file_out *o, char bracket);
void sl_file_json_close(struct sl_file_out *o, char bracket);
void sl_file_json_value(struct sl_file_out *o); /* a value follows, put by other functions */
void sl_file_json_key(struct sl_file_out *o, struct sl_str key);
void sl_file_json_str(struct sl_file_out *o, struct sl_str s);  /* bytes that are not UTF-8 become '?' */
void sl_file_json_utf8(struct sl_file_out *o, struct sl_str s); /* known to be UTF-8 */
void sl_file_json_raw(struct sl_file_out *o, const char *literal);

/* UTF-8 of any characters, control ones too. */
bool sl_file_is_utf8(struct sl_str s);

#endif
