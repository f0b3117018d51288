/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/values.h"

#include <string.h>

/* A part is what the caller gave: it must not be able to name a key of somebody else. */
static bool key_part_is_valid(struct sl_str part)
{
    return part.len > 0 && !memchr(part.ptr, '/', part.len) && sl_str_is_printable_utf8(part);
}

struct key_writer {
    struct sl_text text;
    bool good;
};

static void key_begin(struct key_writer *w, struct sl_key *k)
{
    *w = (struct key_writer){ .good = true };
    sl_text_init(&w->text, k->text, sizeof k->text);
}

static void key_part(struct key_writer *w, struct sl_str part)
{
    w->good = w->good && key_part_is_valid(part);
    if (w->good)
        sl_text_str(&w->text, part);
}

static bool key_end(const struct key_writer *w, struct sl_key *k)
{
    bool good = w->good && !w->text.cut;
    k->len = good ? w->text.len : 0;
    k->text[k->len] = '\0';
    return good;
}

/* root, cluster, tail and perhaps a last part. */
static bool key_write(struct sl_key *k, const char *root, struct sl_str cluster, const char *tail,
                      const struct sl_str *last)
{
    struct key_writer w;
    key_begin(&w, k);
    sl_text_cstr(&w.text, root);
    key_part(&w, cluster);
    sl_text_cstr(&w.text, tail);
    if (last)
        key_part(&w, *last);
    return key_end(&w, k);
}

static bool key_write_feed(struct sl_key *k, struct sl_str cluster, struct sl_str keyspace, const char *tail,
                           const struct sl_str *name)
{
    struct key_writer w;
    key_begin(&w, k);
    sl_text_cstr(&w.text, "/tidb/cdc/");
    key_part(&w, cluster);
    sl_text_cstr(&w.text, "/");
    key_part(&w, keyspace);
    sl_text_cstr(&w.text, tail);
    if (name)
        key_part(&w, *name);
    return key_end(&w, k);
}

bool sl_key_meta(struct sl_key *k, struct sl_str cluster)
{
    return key_write(k, "/tidb/cdc/", cluster, "/__cdc_meta__/", NULL);
}

bool sl_key_captures(struct sl_key *k, struct sl_str cluster)
{
    return key_write(k, "/tidb/cdc/", cluster, "/__cdc_meta__/capture/", NULL);
}

bool sl_key_capture(struct sl_key *k, struct sl_str cluster, const struct sl_node_id *node)
{
    struct sl_str id = sl_node_id_str(node);
    return key_write(k, "/tidb/cdc/", cluster, "/__cdc_meta__/capture/", &id);
}

bool sl_key_owners(struct sl_key *k, struct sl_str cluster)
{
    return key_write(k, "/tidb/cdc/", cluster, "/__cdc_meta__/owner/", NULL);
}

bool sl_key_owner(struct sl_key *k, struct sl_str cluster, uint64_t lease)
{
    char digits[16];
    size_t at = sizeof digits;
    do {
        digits[--at] = "0123456789abcdef"[lease & 15];
        lease >>= 4;
    } while (lease != 0);
    struct sl_str hex = { digits + at, sizeof digits - at };
    return key_write(k, "/tidb/cdc/", cluster, "/__cdc_meta__/owner/", &hex);
}

bool sl_key_feed_infos(struct sl_key *k, struct sl_str cluster, struct sl_str keyspace)
{
    return key_write_feed(k, cluster, keyspace, "/changefeed/info/", NULL);
}

bool sl_key_feed_info(struct sl_key *k, struct sl_str cluster, struct sl_str keyspace, struct sl_str name)
{
    return key_write_feed(k, cluster, keyspace, "/changefeed/info/", &name);
}

bool sl_key_feed_statuses(struct sl_key *k, struct sl_str cluster, struct sl_str keyspace)
{
    return key_write_feed(k, cluster, keyspace, "/changefeed/status/", NULL);
}

bool sl_key_feed_status(struct sl_key *k, struct sl_str cluster, struct sl_str keyspace, struct sl_str name)
{
    return key_write_feed(k, cluster, keyspace, "/changefeed/status/", &name);
}

/* The prefix of our keys about feeds; with a name one of them. */
static bool key_write_source(struct sl_key *k, struct sl_str cluster, struct sl_str keyspace, const struct sl_str *name)
{
    struct key_writer w;
    key_begin(&w, k);
    sl_text_cstr(&w.text, "/tidb/cdc_new/");
    key_part(&w, cluster);
    sl_text_cstr(&w.text, "/sluice/feed/");
    key_part(&w, keyspace);
    sl_text_cstr(&w.text, "/");
    if (name)
        key_part(&w, *name);
    return key_end(&w, k);
}

bool sl_key_feed_sources(struct sl_key *k, struct sl_str cluster, struct sl_str keyspace)
{
    return key_write_source(k, cluster, keyspace, NULL);
}

bool sl_key_feed_source(struct sl_key *k, struct sl_str cluster, struct sl_str keyspace, struct sl_str name)
{
    return key_write_source(k, cluster, keyspace, &name);
}

bool sl_key_drains(struct sl_key *k, struct sl_str cluster)
{
    return key_write(k, "/tidb/cdc_new/", cluster, "/sluice/drain/", NULL);
}

bool sl_key_drain(struct sl_key *k, struct sl_str cluster, struct sl_str drain_id)
{
    return key_write(k, "/tidb/cdc_new/", cluster, "/sluice/drain/", &drain_id);
}

bool sl_key_node_name(struct sl_key *k, struct sl_str cluster, struct sl_str node_name)
{
    return key_write(k, "/tidb/cdc_new/", cluster, "/sluice/name/", &node_name);
}

struct sl_str sl_key_str(const struct sl_key *k)
{
    return (struct sl_str){ k->text, k->len };
}

struct sl_str sl_key_tail(struct sl_str key, struct sl_str prefix)
{
    bool starts = key.len >= prefix.len && (prefix.len == 0 || memcmp(key.ptr, prefix.ptr, prefix.len) == 0);
    return starts ? (struct sl_str){ key.ptr + prefix.len, key.len - prefix.len } : (struct sl_str){ 0 };
}
