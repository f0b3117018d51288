/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_CLI_FEED_BODY_H
#define SL_CLI_FEED_BODY_H

#include "cli/cli.h"

/*
 * What "feed create" sends, from the options: --config as replica_config, then --set and --filter above it, the two
 * URIs, the start. Null: said why. The caller puts it. It holds secrets: it is sent, never shown.
 */
struct json_object *sl_cli_feed_body(struct sl_cli *c);

/*
 * The URI of a source: value, else what --source-file names, else the variable of --source. False: said why, with the
 * remedy if none is given.
 */
SL_CHECKED bool sl_cli_source_uri(struct sl_cli *c, const char *value, const char *remedy, struct sl_cli_buf *uri);

/* Sets a member by a dotted path, "filter.rules": dashes are underscores; a value that is JSON is that, else a text. */
SL_CHECKED bool sl_cli_feed_set(struct json_object *config, const char *assignment, char *problem, size_t size);

#endif
