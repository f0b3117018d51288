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
 * A URI: value, else what --source-file or --sink-file (from_file) names, else the variable of the option; empty if none
 * is given. False: said why.
 */
SL_CHECKED bool sl_cli_feed_uri(struct sl_cli *c, const char *value, enum sl_cli_option o, enum sl_cli_option from_file,
                                struct sl_cli_buf *uri);

/* Sets a member by a dotted path, "filter.rules": dashes are underscores; a value that is JSON is that, else a text. */
SL_CHECKED bool sl_cli_feed_set(struct json_object *config, const char *assignment, char *problem, size_t size);

#endif
