/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_FILE_FILE_OPTS_H
#define SL_EDGE_FILE_FILE_OPTS_H

#include "base/check.h"
#include "base/secret.h"
#include "base/units.h"
#include "port/trouble.h"

#define SL_FILE_PATH_MAX 1024u
#define SL_FILE_ID_MAX 64u

enum sl_file_protocol { SL_FILE_CANAL_JSON, SL_FILE_DEBEZIUM, SL_FILE_CSV };

const char *sl_file_protocol_name(enum sl_file_protocol protocol); /* "canal-json" */

/* What the URI of a file sink says. */
struct sl_file_opts {
    char directory[SL_FILE_PATH_MAX];
    char id[SL_FILE_ID_MAX + 1]; /* of the directory's mark; empty: none was made yet */
    enum sl_file_protocol protocol;
    uint64_t file_size; /* a file is closed when it has as many bytes */
    sl_ns flush_ns;     /* or is as old as this */
};

/* False (BAD_URI) without an absolute directory, a protocol, or with a parameter that is not known or out of range. */
SL_CHECKED bool sl_file_opts_parse(struct sl_file_opts *o, struct sl_secret uri, struct sl_trouble *t);

#endif
