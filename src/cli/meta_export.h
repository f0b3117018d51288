/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_CLI_META_EXPORT_H
#define SL_CLI_META_EXPORT_H

#include "base/err.h"

#include <stddef.h>

/* From a metadata file of SQLite into an etcd cluster. */
struct sl_cli_export_opts {
    const char *path, *endpoints;
    const char *ca, *cert, *key, *user, *password; /* null = none */
};

/*
 * Writes every key that hangs on no lease, in transactions that each demand that none of its keys exists. Blocks. *count
 * is what was written, also on failure: EXISTS (a key is there: the store is not empty), NOT_READY (etcd does not
 * answer), the codes of sl_sqlite_export and sl_etcd_store_open.
 */
SL_CHECKED enum sl_code sl_cli_meta_write(const struct sl_cli_export_opts *opts, size_t *count, struct sl_err *err);

#endif
