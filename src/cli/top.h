/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_CLI_TOP_H
#define SL_CLI_TOP_H

#include "cli/cli.h"
#include "cli/nodes.h"

/* What one picture of the cluster is made of. */
struct sl_cli_top {
    const struct sl_cli_nodes *nodes;
    struct json_object *feeds, *drains; /* answers of the API; null = not known */
    const char *server, *contact;       /* contact: why it is not fresh; empty = it is */
    const char *clock;
    size_t width, height;
    bool has_colour;
    bool fills; /* the height, with a line about keys at the bottom; else there are only as many lines as needed */
};
/* At most height lines of at most width columns; the last is without newline if it fills. Pure. */
void sl_cli_top_render(struct sl_cli_buf *b, const struct sl_cli_top *t);

#endif
