/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/http/body.h"
#include "edge/http/views.h"

#include <stdlib.h>
#include <string.h>

/*
 * A feed's tables: only the node of its maintainer knows them. Whoever is asked asks itself first; the core says which
 * node to ask instead, and there the request goes, over the owner if need be.
 */
#define TABLE_KEYSPACE "default"
enum { TABLE_ROWS_AT_ONCE = 20000, TABLE_LISTS_AT_ONCE_MAX = 16 };

/* ---- whose business it is ---- */

static void table_refuse(struct sl__call *c, const struct sl_reply *reply)
{
    bool is_elsewhere = reply->code == SL_NOT_OWNER;
    struct sl_str node = sl_str_of(reply->detail);
    struct sl_api_status status;
    sl__call_status(c, &status);
    if (is_elsewhere && node.len > 0 && !sl_str_eq(node, status.id) && sl__forward_to_node(c, node))
        return;
    if (is_elsewhere && sl__forward_to_owner(c))
        return;
    if (!is_elsewhere) {
        sl__answer_code(c, reply->code, reply->detail);
    } else if (c->route->flavor == SL__OWN) {
        sl__answer_own(c, 503, "NOT_READY", "the feed has no maintainer at the moment",
                       "wait until it is placed; a stopped feed has none");
    } else {
        sl__answer_cdc(c, 500, "CDC:ErrMaintainerNotFounded", "maintainer not found, ", c->params[0]);
    }
}

static struct sl_request table_request(const struct sl__call *c, enum sl_request_verb verb)
{
    return (struct sl_request){ .verb = verb,
                                .feed = c->params[0],
                                .keyspace = SL_STR(TABLE_KEYSPACE),
                                .actor = sl__call_actor(c),
                                .table_after = INT64_MIN };
}

/* ---- list: all rows, in as many answers as the core needs ---- */

struct table_list {
    struct sl_api *api;
    struct sl__buf rows; /* JSON objects joined by commas, in the shape of the route */
    int64_t after;
    uint64_t count;
    /* of the reference's shape: node and id of each table, sorted before they are shown */
    struct table_place {
        struct sl_node_id node;
        int64_t table_id;
    } *places;
    size_t place_count, place_cap;
};

static bool table_add_place(struct table_list *l, const struct sl_table_view *t)
{
    if (l->place_count == l->place_cap) {
        size_t cap = l->place_cap == 0 ? 256 : l->place_cap * 2;
        struct table_place *grown = realloc(l->places, cap * sizeof *grown);
        if (!grown)
            return false;
        l->places = grown;
        l->place_cap = cap;
    }
    l->places[l->place_count++] = (struct table_place){ t->node, t->table_id };
    return true;
}

static void table_put_span(struct sl_json_out *j, const struct sl_table_view *t)
{
    char id[40];
    struct sl_text text;
    sl_text_init(&text, id, sizeof id);
    sl_text_hex64(&text, t->dispatcher.high);
    sl_text_hex64(&text, t->dispatcher.low);
    sl_json_open(j, '{');
    sl__put_i64(j, "table_id", t->table_id);
    sl__put_text(j, "schema", t->schema_name);
    sl__put_text(j, "table", t->table_name);
    sl__put_cstr(j, "span", id);
    sl__put_text(j, "node", sl_node_id_str(&t->node));
    sl__put_cstr(j, "state", t->state ? t->state : "");
    sl__put_u64(j, "checkpoint_ts", t->checkpoint);
    sl_json_close(j, '}');
}

static bool table_add_span(struct table_list *l, const struct sl_table_view *t)
{
    char memory[1024];
    struct sl_text text;
    struct sl_json_out j;
    sl_text_init(&text, memory, sizeof memory);
    sl_json_out_init(&j, &text);
    j.comma = l->count > 0;
    table_put_span(&j, t);
    l->count++;
    return !text.cut && sl__buf_add(&l->rows, memory, text.len);
}

static int table_place_order(const void *a, const void *b)
{
    const struct table_place *x = a, *y = b;
    int by_node = sl_str_cmp(sl_node_id_str(&x->node), sl_node_id_str(&y->node));
    if (by_node != 0)
        return by_node;
    return x->table_id < y->table_id ? -1 : x->table_id > y->table_id;
}

static void table_render_nodes(struct sl_json_out *j, const void *ctx)
{
    const struct table_list *l = ctx;
    uint64_t nodes = 0;
    for (size_t i = 0; i < l->place_count; i++)
        nodes += i == 0 || !sl_node_id_eq(&l->places[i].node, &l->places[i - 1].node);
    sl_json_open(j, '{');
    sl__put_u64(j, "total", nodes);
    sl_json_key(j, "items");
    sl_json_open(j, '[');
    for (size_t i = 0; i < l->place_count; i++) {
        const struct table_place *p = &l->places[i];
        if (i == 0 || !sl_node_id_eq(&p->node, &p[-1].node)) {
            sl_json_open(j, '{');
            sl__put_text(j, "node_id", sl_node_id_str(&p->node));
            sl_json_key(j, "table_ids");
            sl_json_open(j, '[');
        }
        if (i == 0 || p[-1].table_id != p->table_id || !sl_node_id_eq(&p->node, &p[-1].node))
            sl__json_i64(j, p->table_id);
        if (i + 1 == l->place_count || !sl_node_id_eq(&p->node, &p[1].node)) {
            sl_json_close(j, ']');
            sl_json_close(j, '}');
        }
    }
    sl_json_close(j, ']');
    sl_json_close(j, '}');
}

static void table_render_spans(struct sl_json_out *j, const void *ctx)
{
    const struct table_list *l = ctx;
    sl_json_open(j, '{');
    sl__put_u64(j, "total", l->count);
    sl_json_key(j, "items");
    sl_json_open(j, '[');
    if (l->count > 0)
        sl__json_raw(j, sl__buf_str(&l->rows));
    sl_json_close(j, ']');
    sl_json_close(j, '}');
}

/* state_data is one allocation that ends with the call; what hangs on it ends here. */
static void table_list_end(void *ctx)
{
    struct table_list *l = ctx;
    sl__buf_deinit(&l->rows);
    free(l->places);
    l->api->table_list_count--;
}

static void table_list_show(struct sl__call *c, struct table_list *l)
{
    if (c->route->flavor == SL__OWN) {
        sl__answer_json(c, 200, table_render_spans, l);
        return;
    }
    if (l->place_count > 0)
        qsort(l->places, l->place_count, sizeof *l->places, table_place_order);
    sl__answer_json(c, 200, table_render_nodes, l);
}

static void table_list_ask(struct sl__call *c);

static void table_list_on_reply(struct sl__call *c, const struct sl_reply *reply)
{
    struct table_list *l = c->state_data;
    bool ok = true;
    if (reply->code != SL_OK) {
        table_refuse(c, reply);
        return;
    }
    for (uint32_t i = 0; i < reply->table_count && ok; i++) {
        const struct sl_table_view *t = &reply->tables[i];
        /* Table 0 is the feed's own stream of schema changes; clients expect it (reference behaviour). */
        ok = c->route->flavor == SL__OWN ? table_add_span(l, t) : table_add_place(l, t);
        l->after = t->table_id;
    }
    if (ok && reply->has_more && reply->table_count > 0) {
        table_list_ask(c);
        return;
    }
    if (ok)
        table_list_show(c, l);
    else
        sl__answer_code(c, SL_NOMEM, "the answer is larger than an answer may be");
}

static void table_list_ask(struct sl__call *c)
{
    const struct table_list *l = c->state_data;
    struct sl_request request = table_request(c, SL_REQUEST_TABLE_LIST);
    request.table_after = l->after;
    request.table_max = TABLE_ROWS_AT_ONCE;
    sl__call_submit(c, &request, table_list_on_reply);
}

static void table_list_start(struct sl__call *c)
{
    bool has_room = c->api->table_list_count < TABLE_LISTS_AT_ONCE_MAX;
    struct table_list *l = has_room ? calloc(1, sizeof *l) : NULL;
    if (!l) {
        sl__answer_overload(c);
        return;
    }
    l->api = c->api;
    l->api->table_list_count++;
    l->rows.bytes_max = c->api->opts.response_bytes_max;
    l->after = INT64_MIN;
    c->state_data = l;
    c->state_free = table_list_end;
    table_list_ask(c);
}

void sl__on_feed_tables(struct sl__call *c)
{
    table_list_start(c);
}

void sl__on_feed_spans(struct sl__call *c)
{
    table_list_start(c);
}

/* ---- count ---- */

static void dispatchers_render(struct sl_json_out *j, const void *ctx)
{
    sl_json_open(j, '{');
    sl__put_u64(j, "count", *(const uint32_t *)ctx);
    sl_json_close(j, '}');
}

static void dispatchers_on_reply(struct sl__call *c, const struct sl_reply *reply)
{
    if (reply->code == SL_OK)
        sl__answer_json(c, 200, dispatchers_render, &reply->dispatcher_count);
    else
        table_refuse(c, reply);
}

void sl__on_feed_dispatchers(struct sl__call *c)
{
    struct sl_request request = table_request(c, SL_REQUEST_DISPATCHER_COUNT);
    sl__call_submit(c, &request, dispatchers_on_reply);
}

/* ---- move ---- */

static void move_table_on_reply(struct sl__call *c, const struct sl_reply *reply)
{
    if (reply->code == SL_NOT_OWNER)
        table_refuse(c, reply);
    else if (reply->code == SL_NOT_FOUND)
        sl__answer_cdc(c, 500, "CDC:ErrTableIsNotFounded", "table is not found: ", sl_str_of(reply->detail));
    else if (reply->code != SL_OK)
        sl__answer_cdc(c, 500, "CDC:ErrTableNotSupportMove", "table cannot be moved: ", sl_str_of(reply->detail));
    else if (c->route->flavor == SL__REF_V1)
        sl__answer_empty(c, 202);
    else
        sl__answer_done(c);
}

static bool table_parse_id(struct sl_str s, int64_t *out)
{
    uint64_t v = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9' || v > (uint64_t)INT64_MAX / 10 - 1)
            return false;
        v = v * 10 + (uint64_t)(s.ptr[i] - '0');
    }
    *out = (int64_t)v;
    return s.len > 0;
}

static bool move_table_read(const struct sl__call *c, int64_t *table_id, struct sl_str *node)
{
    uint64_t id;
    if (c->route->flavor != SL__REF_V1) {
        *node = sl__call_query(c, "targetNodeID");
        return table_parse_id(sl__call_query(c, "tableID"), table_id) && node->len > 0;
    }
    if (!sl__body_u64(c, "table_id", &id) || id > INT64_MAX || !sl__body_text(c, "capture_id", node))
        return false;
    *table_id = (int64_t)id;
    return node->len > 0 && sl__body_has(c, "table_id");
}

void sl__on_move_table(struct sl__call *c)
{
    struct sl_request request = table_request(c, SL_REQUEST_TABLE_MOVE);
    sl__call_about(c, c->params[0]);
    if (!move_table_read(c, &request.table_id, &request.node)) {
        sl__answer_bad(c, c->route->flavor == SL__REF_V1 ? "table_id must be a number, capture_id a node"
                                                         : "tableID must be a number, targetNodeID a node");
        return;
    }
    request.node = sl__call_node(c, request.node);
    sl__call_submit(c, &request, move_table_on_reply);
}

void sl__on_no_split(struct sl__call *c)
{
    sl__answer_cdc(c, 400, "CDC:ErrAPIInvalidParam", "not supported: tables are not split", SL_STR(""));
}

void sl__on_rebalance(struct sl__call *c)
{
    sl__answer_empty(c, 202);
}
