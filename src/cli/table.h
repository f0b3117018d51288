/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_CLI_TABLE_H
#define SL_CLI_TABLE_H

#include "cli/exits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The commands of sluice and their options: one table each. Parsing, help at every level, completion and the check of
 * the man pages are made from them.
 *
 * Option: name, long form, letter (0 = none), what its value is (empty = a flag), environment variable (empty = none),
 * text. A letter, name or variable is used once.
 */
#define SL_CLI_OPTIONS(X)                                                                                            \
    X(SERVER, "server", 's', "URL[,URL...]", "SLUICE_SERVER",                                                        \
      "nodes to ask; the next one is tried when one does not answer (http://127.0.0.1:8300)")                        \
    X(CA, "ca", 0, "FILE", "SLUICE_CA", "certificates that vouch for the nodes; addresses are then https")           \
    X(CERT, "cert", 0, "FILE", "SLUICE_CERT", "certificate to show to the nodes")                                    \
    X(KEY, "key", 0, "FILE", "SLUICE_KEY", "private key of --cert")                                                  \
    X(USER, "user", 'u', "NAME", "SLUICE_USER", "name to log in with")                                               \
    X(PASSWORD_FILE, "password-file", 0, "FILE", "SLUICE_PASSWORD_FILE", "its password: the first line of a file")   \
    X(JSON, "json", 'j', "", "", "print JSON for programs")                                                          \
    X(TIMEOUT, "timeout", 0, "DURATION", "SLUICE_TIMEOUT", "how long one request may take (10s)")                    \
    X(NO_COLOR, "no-color", 0, "", "", "no colours; NO_COLOR in the environment does the same")                      \
    X(VERSION, "version", 0, "", "", "print the version of sluice")                                                  \
    X(HELP, "help", 'h', "", "", "explain the command")                                                              \
    X(DEADLINE, "deadline", 0, "DURATION", "", "when the drain should be done; it is reported late after that")      \
    X(REASON, "reason", 'm', "TEXT", "", "why; kept in the drain's history")                                         \
    X(MAX_LAG, "max-lag", 0, "DURATION", "", "how far feeds may fall behind while work moves")                       \
    X(DRY_RUN, "dry-run", 'n', "", "", "show the plan and what would block it; change nothing")                      \
    X(CANCEL_AT_DEADLINE, "cancel-at-deadline", 0, "", "", "at the deadline give the node its work back")            \
    X(DETACH, "detach", 'd', "", "", "do not wait")                                                                  \
    X(STOP, "stop", 0, "", "", "the node exits by itself when it is safe to stop")                                   \
    X(FAIL_IF_BLOCKED, "fail-if-blocked", 0, "DURATION", "",                                                         \
      "stop waiting when nothing has moved for that long; the drain goes on")                                        \
    X(ALL, "all", 'a', "", "", "also what has ended")                                                                \
    X(SOURCE, "source", 0, "URI", "SLUICE_SOURCE", "where changes come from, such as gen:// or mariadb://")          \
    X(SOURCE_FILE, "source-file", 0, "FILE", "", "read that URI from a file: it is not seen in the process list")    \
    X(SINK, "sink", 0, "URI", "SLUICE_SINK", "where changes go, such as blackhole:// or mysql://")                   \
    X(SINK_FILE, "sink-file", 0, "FILE", "", "read that URI from a file")                                            \
    X(START, "start", 0, "now|snapshot|TS", "", "where to begin: after the present position, with a copy, or there") \
    X(CONFIG, "config", 'c', "FILE", "", "configuration of the feed, a JSON object; - is standard input")            \
    X(SET, "set", 0, "KEY=VALUE", "", "one member of it, such as case_sensitive=true; may come often")               \
    X(FILTER, "filter", 'f', "RULE", "", "tables to take, such as 'shop.*' or '!shop.log'; may come often")          \
    X(KEYSPACE, "keyspace", 0, "NAME", "SLUICE_KEYSPACE", "keyspace of the feed (default)")                          \
    X(CHECKPOINT, "checkpoint", 0, "TS", "", "go on from there instead of the stored checkpoint")                    \
    X(SKIP_DDL, "skip-ddl", 0, "TS", "", "leave out the schema change of this position, for good")                   \
    X(TO, "to", 't', "NODE", "", "where to")                                                                         \
    X(TABLE, "table", 0, "SCHEMA.TABLE", "", "the table")                                                            \
    X(META, "meta", 0, "URI", "SLUICE_META", "the metadata store, such as sqlite:/var/lib/sluice/meta.db")           \
    X(INTERVAL, "interval", 'i', "DURATION", "", "how often to look (1s)")                                           \
    X(ONCE, "once", '1', "", "", "show one picture and exit")                                                        \
    X(WAIT, "wait", 'w', "DURATION", "", "look again for that long, until nothing is wrong")                         \
    X(YES, "yes", 'y', "", "", "do not ask")

enum sl_cli_option {
#define SL_CLI_OPTION_ENUM(name, text, letter, value, env, help) SL_CLI_OPT_##name,
    SL_CLI_OPTIONS(SL_CLI_OPTION_ENUM)
#undef SL_CLI_OPTION_ENUM
        SL_CLI_OPTION_COUNT
};

struct sl_cli_option_row {
    const char *name, *value, *env, *help;
    char letter;
};
extern const struct sl_cli_option_row sl_cli_options[SL_CLI_OPTION_COUNT];

#define SL_CLI_BIT(option) (UINT64_C(1) << SL_CLI_OPT_##option)
/* What every command takes. */
#define SL_CLI_GLOBAL                                                                              \
    (SL_CLI_BIT(SERVER) | SL_CLI_BIT(CA) | SL_CLI_BIT(CERT) | SL_CLI_BIT(KEY) | SL_CLI_BIT(USER) | \
     SL_CLI_BIT(PASSWORD_FILE) | SL_CLI_BIT(JSON) | SL_CLI_BIT(TIMEOUT) | SL_CLI_BIT(NO_COLOR) | SL_CLI_BIT(HELP))
#define SL_CLI_WAIT (SL_CLI_BIT(FAIL_IF_BLOCKED))
#define SL_CLI_FEED_NEW                                                                                            \
    (SL_CLI_BIT(SOURCE) | SL_CLI_BIT(SOURCE_FILE) | SL_CLI_BIT(SINK) | SL_CLI_BIT(SINK_FILE) | SL_CLI_BIT(START) | \
     SL_CLI_BIT(CONFIG) | SL_CLI_BIT(SET) | SL_CLI_BIT(FILTER) | SL_CLI_BIT(KEYSPACE))

/*
 * Command: words, arguments (in brackets: may be missing), options of its own, handler, one line, more for its help.
 */
#define SL_CLI_COMMANDS(X)                                                                                             \
    X("node list", "", 0, sl_cli_node_list, "nodes of the cluster and what runs on them", "")                          \
    X("node show", "NODE", 0, sl_cli_node_show, "one node", "")                                                        \
    X("node drain", "NODE",                                                                                            \
      SL_CLI_BIT(DEADLINE) | SL_CLI_BIT(REASON) | SL_CLI_BIT(MAX_LAG) | SL_CLI_BIT(DRY_RUN) |                          \
          SL_CLI_BIT(CANCEL_AT_DEADLINE) | SL_CLI_BIT(DETACH) | SL_CLI_BIT(STOP) | SL_CLI_WAIT,                        \
      sl_cli_node_drain, "move all work off a node and prove that it is safe to stop",                                 \
      "Waits until the node is safe to stop. Ctrl-C detaches and never cancels: the drain belongs to the cluster.\n"   \
      "Asking again with the same options joins the running drain.")                                                   \
    X("node undrain", "NODE", 0, sl_cli_node_undrain, "cancel a node's drain: it takes work again",                    \
      "Works until the node is told to stop; after that there is no way back, only a restart.")                        \
    X("drain list", "", SL_CLI_BIT(ALL), sl_cli_drain_list, "drains that run, with --all also those that ended", "")   \
    X("drain show", "DRAIN", 0, sl_cli_drain_show, "one drain: what is left, and why it is not safe yet", "")          \
    X("drain watch", "DRAIN", SL_CLI_WAIT, sl_cli_drain_watch, "wait for a drain, as 'node drain' does", "")           \
    X("feed create", "NAME", SL_CLI_FEED_NEW, sl_cli_feed_create, "start to replicate",                                \
      "A URI that holds a password is better given by --source-file, --sink-file or the environment.")                 \
    X("feed list", "", SL_CLI_BIT(KEYSPACE), sl_cli_feed_list, "feeds, their state and how far they are", "")          \
    X("feed show", "FEED", SL_CLI_BIT(KEYSPACE), sl_cli_feed_show, "one feed", "")                                     \
    X("feed pause", "FEED", SL_CLI_BIT(KEYSPACE), sl_cli_feed_pause, "stop a feed; it keeps its checkpoint", "")       \
    X("feed resume", "FEED", SL_CLI_BIT(CHECKPOINT) | SL_CLI_BIT(SKIP_DDL) | SL_CLI_BIT(KEYSPACE), sl_cli_feed_resume, \
      "go on with a paused or failed feed", "")                                                                        \
    X("feed remove", "FEED", SL_CLI_BIT(YES) | SL_CLI_BIT(KEYSPACE), sl_cli_feed_remove,                               \
      "forget a feed and its checkpoint", "")                                                                          \
    X("feed move", "FEED", SL_CLI_BIT(TO) | SL_CLI_BIT(KEYSPACE), sl_cli_feed_move,                                    \
      "move the maintainer of a feed to the node given by --to",                                                       \
      "A feed that has just been created or resumed is moved when it runs.")                                           \
    X("feed resync", "FEED", SL_CLI_BIT(TABLE) | SL_CLI_BIT(KEYSPACE), sl_cli_feed_resync,                             \
      "copy the table given by --table afresh, while the others go on",                                                \
      "The table at the sink is emptied, or made anew if it is defined otherwise than at the source.")                 \
    X("feed repoint", "FEED",                                                                                          \
      SL_CLI_BIT(SOURCE) | SL_CLI_BIT(SOURCE_FILE) | SL_CLI_BIT(DRY_RUN) | SL_CLI_BIT(KEYSPACE), sl_cli_feed_repoint,  \
      "move a paused feed to another server with its source's data, such as a promoted replica",                       \
      "Nothing is lost and nothing comes twice: every position is found by its GTID, or it is refused. Pause the "     \
      "feed\n"                                                                                                         \
      "first and resume it afterwards.")                                                                               \
    X("source check", "[URI]", SL_CLI_BIT(SOURCE_FILE), sl_cli_source_check,                                           \
      "let a node connect to a source and list its tables",                                                            \
      "Without URI it is read from --source-file or SLUICE_SOURCE.")                                                   \
    X("cluster status", "", SL_CLI_BIT(WAIT), sl_cli_cluster_status,                                                   \
      "the cluster in a few lines; fails if something is wrong", "")                                                   \
    X("cluster stop", "", SL_CLI_BIT(YES), sl_cli_cluster_stop,                                                        \
      "stop every node: flush, checkpoint, exit, without moving work", "")                                             \
    X("cluster restart-plan", "", 0, sl_cli_restart_plan,                                                              \
      "the order and the commands to restart all nodes one by one", "")                                                \
    X("meta backup", "FILE", SL_CLI_BIT(META), sl_cli_meta_backup, "copy the metadata, also while the cluster runs",   \
      "For metadata in SQLite; etcd has its own snapshots.")                                                           \
    X("meta restore", "FILE", SL_CLI_BIT(META), sl_cli_meta_restore, "make the metadata from a backup",                \
      "Stop all nodes and move the old file away first.")                                                              \
    X("meta export", "", SL_CLI_BIT(META) | SL_CLI_BIT(TO), sl_cli_meta_export,                                        \
      "write the metadata of SQLite into the etcd cluster of --to",                                                    \
      "Stop all nodes first and start them with --meta etcd://... after it. Existing keys are never overwritten.")     \
    X("top", "", SL_CLI_BIT(INTERVAL) | SL_CLI_BIT(ONCE), sl_cli_top, "live view of the cluster; q quits", "")         \
    X("completion", "SHELL", 0, sl_cli_completion, "print the completion of a shell: bash",                            \
      "For bash: source <(sluice completion bash)")                                                                    \
    X("version", "", 0, sl_cli_version, "print the version of sluice", "")                                             \
    X("help", "[COMMAND...]", 0, sl_cli_help, "explain a command", "")

struct sl_cli;
struct sl_cli_command {
    const char *path, *args;
    uint64_t options; /* SL_CLI_BIT, without the global ones */
    int (*run)(struct sl_cli *c);
    const char *summary, *more;
};
extern const struct sl_cli_command sl_cli_commands[];
extern const size_t sl_cli_command_count;

/* Arguments a command needs, and takes at most (SIZE_MAX: any number). */
size_t sl_cli_args_min(const struct sl_cli_command *cmd);
size_t sl_cli_args_max(const struct sl_cli_command *cmd);

#define SL_CLI_DECLARE(path, args, options, handler, summary, more) int handler(struct sl_cli *c);
SL_CLI_COMMANDS(SL_CLI_DECLARE)
#undef SL_CLI_DECLARE

#endif
