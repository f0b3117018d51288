/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/nodes.h"

#include <stdlib.h>
#include <string.h>

/* n2 before n10: names that differ in length by digits alone are what people number nodes with. */
static int nodes_cmp(const void *a, const void *b)
{
    const struct sl_cli_node *x = a, *y = b;
    size_t x_len = strlen(x->name), y_len = strlen(y->name);
    size_t x_head = strcspn(x->name, "0123456789"), y_head = strcspn(y->name, "0123456789");
    bool same_head = x_head == y_head && memcmp(x->name, y->name, x_head) == 0;
    if (same_head && x_len != y_len)
        return x_len < y_len ? -1 : 1;
    int by_name = strcmp(x->name, y->name);
    return by_name != 0 ? by_name : strcmp(x->id, y->id);
}

void sl_cli_nodes_take(struct sl_cli *c, struct sl_cli_nodes *list, struct sl_cli_answer *a)
{
    size_t count = sl_cli_item_count(a->json);
    *list = (struct sl_cli_nodes){ .items = sl_cli_alloc(count * sizeof *list->items), .answer = *a };
    *a = (struct sl_cli_answer){ 0 };
    for (size_t i = 0; i < count; i++) {
        struct sl_cli_node *node = &list->items[list->count];
        list->count += sl_cli_node_decode(node, sl_cli_item(list->answer.json, i));
    }
    qsort(list->items, list->count, sizeof *list->items, nodes_cmp);
    for (size_t i = 0; i < list->count; i++)
        sl_cli_client_learn(c->client, list->items[i].address);
}

bool sl_cli_nodes_load(struct sl_cli *c, const char *what, struct sl_cli_nodes *list, int *exit)
{
    struct sl_cli_answer a;
    *list = (struct sl_cli_nodes){ 0 };
    bool ok = sl_cli_get(c, what, "/api/v2/nodes", &a, exit);
    if (ok)
        sl_cli_nodes_take(c, list, &a);
    sl_cli_answer_deinit(&a);
    return ok;
}

void sl_cli_nodes_deinit(struct sl_cli_nodes *list)
{
    free(list->items);
    sl_cli_answer_deinit(&list->answer);
    *list = (struct sl_cli_nodes){ 0 };
}

size_t sl_cli_match(const char *const *names, size_t count, const char *wanted, size_t *matches)
{
    size_t len = strlen(wanted), found = SIZE_MAX;
    *matches = 0;
    for (size_t i = 0; i < count; i++) {
        if (names[i] && strcmp(names[i], wanted) == 0) {
            *matches = 1;
            return i;
        }
        if (names[i] && len > 0 && strncmp(names[i], wanted, len) == 0) {
            (*matches)++;
            found = i;
        }
    }
    return *matches == 1 ? found : SIZE_MAX;
}

static void nodes_say_missing(struct sl_cli *c, const struct sl_cli_nodes *list, const char *what, const char *text,
                              size_t matches)
{
    char why[120];
    struct sl_cli_buf names = { 0 };
    for (size_t i = 0; i < list->count && i < 10; i++)
        sl_cli_addf(&names, "%s%s", i > 0 ? ", " : "it has ", list->items[i].name);
    if (list->count > 10)
        sl_cli_add(&names, " ...");
    if (matches > 1)
        (void)snprintf(why, sizeof why, "the names or ids of %zu nodes begin with '%.50s'", matches, text);
    else
        (void)snprintf(why, sizeof why, "the cluster has no node '%.50s'", text);
    (void)sl_cli_fail(c, SL_CLI_EXIT_FAILED, what, why, names.ptr ? names.ptr : "");
    sl_cli_buf_free(&names);
}

/* A whole id or address stands above the beginning of a name, a name above the beginning of an id. */
static const char *nodes_label(const struct sl_cli_node *n, const char *text)
{
    if (strcmp(n->id, text) == 0 || strcmp(n->address, text) == 0)
        return text;
    bool begins_name = n->name[0] != '\0' && strncmp(n->name, text, strlen(text)) == 0;
    return begins_name ? n->name : n->id;
}

const struct sl_cli_node *sl_cli_nodes_find(struct sl_cli *c, const struct sl_cli_nodes *list, const char *what,
                                            const char *text)
{
    const char **labels = sl_cli_alloc(list->count * sizeof *labels);
    size_t matches;
    for (size_t i = 0; i < list->count; i++)
        labels[i] = nodes_label(&list->items[i], text);
    size_t found = sl_cli_match(labels, list->count, text, &matches);
    free(labels);
    if (found != SIZE_MAX)
        return &list->items[found];
    nodes_say_missing(c, list, what, text, matches);
    return NULL;
}

const char *sl_cli_nodes_name(const struct sl_cli_nodes *list, const char *id)
{
    for (size_t i = 0; list && i < list->count; i++) {
        if (strcmp(list->items[i].id, id) == 0 && list->items[i].name[0] != '\0')
            return list->items[i].name;
    }
    return id;
}
