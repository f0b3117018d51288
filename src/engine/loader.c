/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/engine_internal.h"

#include <stdlib.h>
#include <string.h>

/* Questions to sources that may take a while: which tables there are, and which ts is now. One at a time. */
#define LOAD_NAMES_BYTES_MAX (1u << 30)

struct load {
    struct sl_mail mail; /* first */
    bool is_head;
    struct sl_feed_id feed;
    uint64_t request;
    sl_ts ts;
    uint8_t *secrets; /* source, then config */
    size_t source_len, config_len;
    enum sl_code code;
    struct sl_trouble trouble;
    struct sl_table *tables; /* names hold offsets until the answer is delivered */
    char *names;
    uint32_t count, cap;
    size_t names_len, names_cap;
};

static void load_free(struct load *l)
{
    free(l->secrets);
    free(l->tables);
    free(l->names);
    free(l);
}

static enum sl_code load_ask(struct sl_plane *p, struct load *l, struct sl_secret source, struct sl_secret config)
{
    struct sl_bytes s = sl_secret_reveal(source), c = sl_secret_reveal(config);
    if (l)
        l->secrets = malloc(s.len + c.len + 1);
    if (!l || !l->secrets) {
        free(l);
        return SL_NOMEM;
    }
    l->source_len = s.len;
    l->config_len = c.len;
    if (s.len > 0)
        memcpy(l->secrets, s.ptr, s.len);
    if (c.len > 0)
        memcpy(l->secrets + s.len, c.ptr, c.len);
    if (sl_mailbox_put(&p->asked, &l->mail))
        return SL_OK;
    load_free(l);
    return SL_LIMIT;
}

enum sl_code sl_plane_load_schema(struct sl_plane *p, const struct sl_plane_schema_load *load)
{
    struct load *l = calloc(1, sizeof *l);
    if (l) {
        l->feed = load->feed;
        l->request = load->request;
        l->ts = load->ts;
    }
    return load_ask(p, l, load->source, load->config);
}

enum sl_code sl_plane_load_head(struct sl_plane *p, uint64_t request, struct sl_secret source)
{
    struct load *l = calloc(1, sizeof *l);
    if (l) {
        l->is_head = true;
        l->request = request;
    }
    return load_ask(p, l, source, (struct sl_secret){ 0 });
}

/* ---- in the thread ---- */

/* Offset in names, or SIZE_MAX without memory. */
static size_t load_name(struct load *l, struct sl_str name)
{
    while (l->names_cap - l->names_len < name.len) {
        size_t cap = l->names_cap == 0 ? 4096 : l->names_cap * 2;
        char *grown = cap <= LOAD_NAMES_BYTES_MAX ? realloc(l->names, cap) : NULL;
        if (!grown)
            return SIZE_MAX;
        l->names = grown;
        l->names_cap = cap;
    }
    size_t at = l->names_len;
    if (name.len > 0)
        memcpy(l->names + at, name.ptr, name.len);
    l->names_len += name.len;
    return at;
}

static bool load_each(void *ctx, const struct sl_source_table *table)
{
    struct load *l = ctx;
    size_t schema_at = load_name(l, table->schema), table_at = load_name(l, table->table);
    if (l->count == l->cap) {
        uint32_t cap = l->cap == 0 ? 64 : l->cap * 2;
        struct sl_table *grown = realloc(l->tables, cap * sizeof *grown);
        if (!grown)
            schema_at = SIZE_MAX;
        else
            l->tables = grown;
        l->cap = grown ? cap : l->cap;
    }
    if (schema_at == SIZE_MAX || table_at == SIZE_MAX)
        return sl_trouble_set(&l->trouble, SL_TROUBLE_PASSING, "NO_MEMORY", "take load off the node",
                              "no memory for the list of tables");
    l->tables[l->count++] = (struct sl_table){ .table_id = table->table_id,
                                               .schema_id = table->schema_id,
                                               .schema_name = { NULL, table->schema.len },
                                               .table_name = { NULL, table->table.len } };
    return true;
}

/* Names follow each other in the order of the tables. */
static void load_point_names(struct load *l)
{
    const char *at = l->names;
    for (uint32_t i = 0; i < l->count; i++) {
        l->tables[i].schema_name.ptr = at;
        at += l->tables[i].schema_name.len;
        l->tables[i].table_name.ptr = at;
        at += l->tables[i].table_name.len;
    }
}

static bool load_is_over(void *ctx)
{
    return sl_mailbox_is_closed(ctx);
}

static void load_run(struct sl_plane *p, struct load *l)
{
    struct sl_source_open o = { .uri = sl_secret_of((struct sl_bytes){ l->secrets, l->source_len }),
                                .config = sl_secret_of((struct sl_bytes){ l->secrets + l->source_len, l->config_len }),
                                .from = l->ts,
                                .is_over = load_is_over,
                                .ctx = &p->asked };
    const struct sl_source_driver *driver = sl_source_find(p->opts.sources, o.uri, &l->trouble);
    bool is_done = driver != NULL;
    if (is_done)
        is_done = l->is_head ? driver->head(&l->ts, o.uri, &l->trouble) : driver->list(&o, load_each, l, &l->trouble);
    if (is_done && l->trouble.kind == SL_TROUBLE_NONE)
        l->code = SL_OK;
    else
        l->code = driver && l->trouble.kind == SL_TROUBLE_PASSING ? SL_NOT_READY : SL_BAD_CONFIG;
}

void *sl__loader_main(void *arg)
{
    struct sl_plane *p = arg;
    for (;;) {
        struct sl_mail *mail = sl_mailbox_wait(&p->asked, SL_NEVER);
        if (!mail)
            return NULL;
        while (mail) {
            struct load *l = (struct load *)mail;
            mail = mail->next;
            if (!sl_mailbox_is_closed(&p->asked))
                load_run(p, l);
            if (sl_mailbox_put(&p->answered, &l->mail))
                sl__plane_wake(p);
            else
                load_free(l);
        }
    }
}

/* ---- in the loop ---- */

static void load_deliver(struct sl_plane *p, struct load *l)
{
    if (l->is_head) {
        sl_ts ts = l->code == SL_OK ? l->ts : SL_TS_NONE;
        if (p->client.on_head)
            p->client.on_head(p->client.ctx, l->request, l->code, ts, &l->trouble);
        return;
    }
    load_point_names(l);
    struct sl_in_schema schema = { .feed = l->feed, .request = l->request, .code = l->code };
    if (l->code == SL_OK) {
        schema.tables = l->tables;
        schema.table_count = l->count;
    } else if (p->client.on_note) {
        p->client.on_note(p->client.ctx, &l->feed, &l->trouble);
    }
    p->client.on_schema(p->client.ctx, &schema);
}

static void load_take_answers(struct sl_plane *p, bool is_delivered)
{
    struct sl_mail *mail = sl_mailbox_take(&p->answered);
    while (mail) {
        struct load *l = (struct load *)mail;
        mail = mail->next;
        if (is_delivered)
            load_deliver(p, l);
        load_free(l);
    }
}

void sl__loader_deliver(struct sl_plane *p)
{
    load_take_answers(p, true);
}

void sl__loader_drop(struct sl_plane *p)
{
    struct sl_mail *mail = sl_mailbox_take(&p->asked);
    while (mail) {
        struct load *l = (struct load *)mail;
        mail = mail->next;
        load_free(l);
    }
    load_take_answers(p, false);
}
