/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"
#include "cli/meta_export.h"
#include "edge/sqlite/sqlite_store.h"

#include <string.h>

/* The metadata store itself, without any node. */

/* The path of --meta sqlite:PATH; null: said why. */
static const char *meta_path(struct sl_cli *c, const char *what)
{
    const char *meta = sl_cli_value(c, SL_CLI_OPT_META);
    if (!meta) {
        (void)sl_cli_fail(c, SL_CLI_EXIT_USAGE, what, "--meta is missing",
                          "give --meta sqlite:PATH, as the nodes have it");
        return NULL;
    }
    if (strncmp(meta, "sqlite:", 7) == 0 && meta[7] != '\0')
        return meta + 7;
    (void)sl_cli_fail(c, SL_CLI_EXIT_USAGE, what, "--meta is not sqlite:PATH", "for etcd use 'etcdctl snapshot'");
    return NULL;
}

static int meta_conclude(struct sl_cli *c, const char *what, enum sl_code code, const struct sl_err *err,
                         const char *done)
{
    if (code != SL_OK)
        return sl_cli_fail(c, SL_CLI_EXIT_FAILED, what, err->text[0] != '\0' ? err->text : sl_code_text(code), "");
    if (!c->is_json)
        (void)fprintf(c->out, "%s\n", done);
    return SL_CLI_EXIT_OK;
}

int sl_cli_meta_backup(struct sl_cli *c)
{
    struct sl_err err = { 0 };
    const char *path = meta_path(c, "meta backup");
    if (!path)
        return SL_CLI_EXIT_USAGE;
    enum sl_code code = sl_sqlite_backup(path, c->args.words[0], &err);
    return meta_conclude(c, "meta backup", code, &err, "the metadata is copied");
}

int sl_cli_meta_restore(struct sl_cli *c)
{
    struct sl_err err = { 0 };
    const char *path = meta_path(c, "meta restore");
    if (!path)
        return SL_CLI_EXIT_USAGE;
    enum sl_code code = sl_sqlite_restore(c->args.words[0], path, &err);
    return meta_conclude(c, "meta restore", code, &err, "the metadata is restored: start the nodes");
}

int sl_cli_meta_export(struct sl_cli *c)
{
    struct sl_err err = { 0 };
    char done[80];
    size_t count = 0;
    const char *path = meta_path(c, "meta export"), *to = sl_cli_value(c, SL_CLI_OPT_TO);
    if (!path)
        return SL_CLI_EXIT_USAGE;
    if (!to || strncmp(to, "etcd://", 7) != 0)
        return sl_cli_fail(c, SL_CLI_EXIT_USAGE, "meta export", "--to is no etcd cluster",
                           "give --to etcd://HOST:PORT");
    char *password = NULL;
    if (!sl_cli_password(c, &password))
        return SL_CLI_EXIT_USAGE;
    const struct sl_cli_export_opts opts = { .path = path,
                                             .endpoints = to,
                                             .ca = sl_cli_value(c, SL_CLI_OPT_CA),
                                             .cert = sl_cli_value(c, SL_CLI_OPT_CERT),
                                             .key = sl_cli_value(c, SL_CLI_OPT_KEY),
                                             .user = sl_cli_value(c, SL_CLI_OPT_USER),
                                             .password = password };
    enum sl_code code = sl_cli_meta_write(&opts, &count, &err);
    sl_cli_password_free(password);
    (void)snprintf(done, sizeof done, "%zu keys are written", count);
    return meta_conclude(c, "meta export", code, &err, done);
}
