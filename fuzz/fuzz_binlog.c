/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log of a source, as hostile bytes: a run of events, each with its length before it (two bytes), fed to one stream;
 * rows are decoded with every value. The first byte turns checksums off, because few inputs would pass them.
 */
#include "edge/mariadb/binlog_value.h"

#include <stdlib.h>

#define VALUES_MAX 4096
#define MEMORY_MAX ((size_t)1 << 22)

struct memory {
    uint8_t bytes[1 << 16];
    size_t used;
};

static uint8_t *memory_alloc(void *ctx, size_t size)
{
    struct memory *m = ctx;
    if (size > sizeof m->bytes - m->used)
        return NULL;
    uint8_t *at = m->bytes + m->used;
    m->used += size;
    return at;
}

static void read_rows(const struct sl_binlog_rows *rows, struct sl_inflate_buffer *inflated)
{
    static struct sl_value values[VALUES_MAX];
    static struct memory memory;
    struct sl_value_memory m = { &memory, memory_alloc, inflated };
    struct sl_cursor c = sl_cursor_of(rows->rows);
    enum sl_code code = SL_OK;
    memory.used = 0;
    while (code == SL_OK && sl_cursor_left(&c) > 0) {
        size_t before = sl_cursor_left(&c);
        if (rows->op != SL_ROW_INSERT)
            code = sl_binlog_image_read(values, &c, rows->table, rows->before_present, rows->before_count, &m, NULL);
        if (code == SL_OK && rows->op != SL_ROW_DELETE)
            code = sl_binlog_image_read(values, &c, rows->table, rows->after_present, rows->after_count, &m, NULL);
        if (sl_cursor_left(&c) == before)
            return; /* rows of no bytes have no end */
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sl_cursor c = sl_cursor_of((struct sl_bytes){ data, size });
    struct sl_inflate_buffer inflated = { .bytes_max = MEMORY_MAX };
    const struct sl_binlog_stream_opts opts = { .verifies_checksums = sl_cursor_u8(&c) & 1,
                                                .inflate_bytes_max = MEMORY_MAX,
                                                .table_count_max = 64 };
    struct sl_binlog_stream stream;
    struct sl_binlog_item item;
    enum sl_code code = sl_binlog_stream_init(&stream, &opts);
    while (code == SL_OK && (sl_binlog_stream_has_more(&stream) || sl_cursor_left(&c) > 0)) {
        if (sl_binlog_stream_has_more(&stream)) {
            code = sl_binlog_stream_more(&stream, &item, NULL);
        } else {
            struct sl_bytes event = sl_cursor_bytes(&c, sl_cursor_le16(&c));
            if (c.failed)
                break;
            code = sl_binlog_stream_feed(&stream, event, &item, NULL);
        }
        if (code == SL_OK && item.kind == SL_BINLOG_ROWS)
            read_rows(&item.rows, &inflated);
    }
    sl_binlog_stream_deinit(&stream);
    sl_inflate_buffer_deinit(&inflated);
    return 0;
}
