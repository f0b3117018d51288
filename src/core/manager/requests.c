/* SPDX-License-Identifier: Apache-2.0 */
#include "core/common/mem_tags.h"
#include "core/manager/manager_internal.h"

/* What clients ask about the tables of a feed: the maintainer knows, so the node that hosts it answers. */

#define REQUESTS_TABLES_DEFAULT 1000u
#define REQUESTS_TABLES_MAX 4096u

static void requests_answer(uint64_t ticket, enum sl_code code, const char *detail, struct sl_outbox *out)
{
    struct sl_reply reply = { .ticket = ticket, .code = code };
    struct sl_text text;
    sl_text_init(&text, reply.detail, sizeof reply.detail);
    sl_text_cstr(&text, detail);
    sl_out_reply(out, &reply);
}

static const char *requests_detail(enum sl_code code)
{
    return code == SL_NOT_READY ? "the feed's maintainer is starting or ending" : sl_code_text(code);
}

static void requests_list(struct sl_manager *m, const struct sl_maintainer *maintainer, const struct sl_request *r,
                          struct sl_outbox *out)
{
    uint32_t max = r->table_max == 0 ? REQUESTS_TABLES_DEFAULT : sl_u32_min(r->table_max, REQUESTS_TABLES_MAX);
    struct sl_table_view *rows = sl_mem_alloc(m->opts.mem, SL_TAG_MANAGER, max * sizeof *rows);
    struct sl_reply reply = { .ticket = r->ticket, .tables = rows };
    reply.code =
        rows ? sl_maintainer_list_tables(maintainer, r->table_after, rows, max, &reply.table_count, &reply.has_more)
             : SL_NOMEM;
    if (reply.code == SL_OK)
        sl_out_reply(out, &reply);
    else
        requests_answer(r->ticket, reply.code, requests_detail(reply.code), out);
    sl_mem_free(m->opts.mem, SL_TAG_MANAGER, rows, max * sizeof *rows);
}

static void requests_count(const struct sl_maintainer *maintainer, const struct sl_request *r, struct sl_outbox *out)
{
    struct sl_reply reply = { .ticket = r->ticket };
    reply.code = sl_maintainer_dispatcher_count(maintainer, &reply.dispatcher_count);
    if (reply.code == SL_OK)
        sl_out_reply(out, &reply);
    else
        requests_answer(r->ticket, reply.code, requests_detail(reply.code), out);
}

static void requests_move(struct sl_manager *m, struct sl_maintainer *maintainer, const struct sl_request *r,
                          struct sl_outbox *out)
{
    sl_node_ref node = sl_members_find_prefix(m->opts.members, r->node);
    if (node == SL_NODE_NONE) {
        requests_answer(r->ticket, SL_NOT_FOUND, "no such node, or more than one begins so", out);
        return;
    }
    enum sl_code code = sl_maintainer_move_table(maintainer, m->now, r->table_id, node, out);
    if (code == SL_OK)
        requests_answer(r->ticket, SL_OK, "", out);
    else if (code == SL_NOT_FOUND)
        requests_answer(r->ticket, code, "the feed has no such table", out);
    else if (code == SL_BUSY)
        requests_answer(r->ticket, code, "the table is being moved, created or removed", out);
    else if (code == SL_REFUSED)
        requests_answer(r->ticket, code, "the node takes no work now: it drains, stops, or has just joined", out);
    else
        requests_answer(r->ticket, code, requests_detail(code), out);
}

/* By name: who asks does not know the number that belongs to it. */
static uint32_t requests_find(const struct sl_manager *m, const struct sl_request *r)
{
    for (uint32_t h = sl__set_next(m, 0); h != 0; h = sl__set_next(m, h)) {
        const struct sl_maintainer *maintainer = sl__set_entry(m, h)->maintainer;
        const struct sl_feed_id *id = sl_maintainer_feed(maintainer);
        bool in_space =
            r->keyspace.len == 0 || sl_str_eq(r->keyspace, (struct sl_str){ id->keyspace, id->keyspace_len });
        if (in_space && sl_str_eq(sl_feed_id_name(id), r->feed) && !sl_maintainer_is_closed(maintainer))
            return h;
    }
    return 0;
}

bool sl_manager_on_request(struct sl_manager *m, sl_ns now, const struct sl_request *r, struct sl_outbox *out)
{
    bool is_ours =
        r->verb == SL_REQUEST_TABLE_LIST || r->verb == SL_REQUEST_TABLE_MOVE || r->verb == SL_REQUEST_DISPATCHER_COUNT;
    uint32_t handle = is_ours ? requests_find(m, r) : 0;
    if (handle == 0)
        return false;
    sl__manager_begin(m, now);
    struct sl_maintainer *maintainer = sl__set_entry(m, handle)->maintainer;
    if (r->verb == SL_REQUEST_TABLE_LIST)
        requests_list(m, maintainer, r, out);
    else if (r->verb == SL_REQUEST_DISPATCHER_COUNT)
        requests_count(maintainer, r, out);
    else
        requests_move(m, maintainer, r, out);
    sl__set_refresh(m, handle);
    return true;
}
