/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_CLI_NODES_H
#define SL_CLI_NODES_H

#include "cli/cli.h"
#include "cli/model.h"

/* The nodes of the cluster by name, and how people name them. */
struct sl_cli_nodes {
    struct sl_cli_node *items;
    size_t count;
    struct sl_cli_answer answer;
};

/* Asks for them; their addresses become servers to ask. False: said why, *exit is set; deinit in any case. */
SL_CHECKED bool sl_cli_nodes_load(struct sl_cli *c, const char *what, struct sl_cli_nodes *list, int *exit);
/* The same from an answer that is there already; takes it over. */
void sl_cli_nodes_take(struct sl_cli *c, struct sl_cli_nodes *list, struct sl_cli_answer *a);
void sl_cli_nodes_deinit(struct sl_cli_nodes *list);

/*
 * The one called so: whole id, name or address, else the only one whose name or id begins so. Null: said why (the
 * command ends with SL_CLI_EXIT_FAILED).
 */
const struct sl_cli_node *sl_cli_nodes_find(struct sl_cli *c, const struct sl_cli_nodes *list, const char *what,
                                            const char *text);
/* The name of a node with this id; the id itself if there is none. list may be null. */
const char *sl_cli_nodes_name(const struct sl_cli_nodes *list, const char *id);

/*
 * Index of the only text that is or begins with the wanted one; SIZE_MAX if there is none or several, and *matches says
 * how many. names[i] may be null.
 */
size_t sl_cli_match(const char *const *names, size_t count, const char *wanted, size_t *matches);

#endif
