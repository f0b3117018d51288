/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_CLI_EXITS_H
#define SL_CLI_EXITS_H

/*
 * Exit codes of sluice. 0 of a command that waits for a drain means "proved safe to stop" and nothing else: what a
 * script does next is to stop a machine. The table of the man pages is made from this one.
 */
#define SL_CLI_EXITS(X)                                                                                             \
    X(OK, 0, "done; of a command that waits for a drain: the node is proved safe to stop")                          \
    X(FAILED, 1, "any other failure")                                                                               \
    X(USAGE, 2, "the command line is wrong; nothing was asked of the cluster")                                      \
    X(DEADLINE, 3, "the deadline of the drain passed before the node was safe to stop")                             \
    X(CANCELLED, 4, "the drain was cancelled: the node takes work again")                                           \
    X(BLOCKED, 5,                                                                                                   \
      "blocked: the dry run shows that it cannot work, the cluster refused it because nothing could take the "      \
      "work, or with --fail-if-blocked the drain made no progress for that long")                                   \
    X(REFERENCE, 6, "drained, but the node cannot report on itself (proof=reference): look before you stop it")     \
    X(DETACHED, 10, "detached: the drain is accepted and goes on in the cluster; the node is not yet safe to stop") \
    X(DRY_RUN, 11, "a dry run of what would work; nothing was changed")

enum sl_cli_exit {
#define SL_CLI_EXIT_ENUM(name, code, text) SL_CLI_EXIT_##name = (code),
    SL_CLI_EXITS(SL_CLI_EXIT_ENUM)
#undef SL_CLI_EXIT_ENUM
};

#endif
