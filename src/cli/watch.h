/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_CLI_WATCH_H
#define SL_CLI_WATCH_H

#include "cli/cli.h"
#include "cli/nodes.h"

/*
 * Waits for a drain: events of any node that answers, else asking again and again. The drain belongs to the cluster:
 * nothing here changes it, and its end is believed only from the cluster.
 */
struct sl_cli_watch_opts {
    const char *id;                   /* of the drain, whole */
    const struct sl_cli_nodes *nodes; /* for their names */
    struct json_object *first;        /* the drain as it was last seen; not owned; may be null */
    uint64_t fail_if_blocked_ms;      /* 0 = wait for ever */
    uint64_t deadline_in_ms;          /* relative to now, as asked for; 0 = what the drain says */
    bool waits_for_exit;              /* --stop: also until the node has left, a while */
    bool prints_changes;              /* with --json: one object for each change, not only the last */
};

/* What a drain in this state means for one who waits; -1: wait on. Pure. */
struct sl_cli_watch_clock {
    bool deadline_passed, blocked_too_long, exit_waited;
};
int sl_cli_watch_verdict(const struct sl_cli_drain *d, const struct sl_cli_watch_opts *opts,
                         const struct sl_cli_watch_clock *clock);

/* Returns the exit code; everything is said. */
int sl_cli_watch_run(struct sl_cli *c, const struct sl_cli_watch_opts *opts);
/* Says how a drain ended, or that it is left alone, for this exit code; prints the result with --json. */
void sl_cli_watch_conclude(struct sl_cli *c, int exit, const struct sl_cli_drain *d, struct json_object *json);

#endif
