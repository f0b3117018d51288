/* SPDX-License-Identifier: Apache-2.0 */
#include "base/array.h"
#include "edge/sqlite/sqlite_internal.h"

#include <stdlib.h>
#include <string.h>

/* Bytes of rows, in blocks that never move. */
struct sqlite_rows_block {
    struct sqlite_rows_block *next;
    size_t used, size;
    uint8_t bytes[];
};

#define BLOCK_BYTES ((size_t)16 << 10)

static void *rows_bytes(struct sqlite_rows *rows, const void *from, size_t size)
{
    struct sqlite_rows_block *block = rows->blocks;
    if (!block || block->size - block->used < size) {
        size_t room = size > BLOCK_BYTES ? size : BLOCK_BYTES;
        block = malloc(sizeof *block + room);
        if (!block)
            return NULL;
        *block = (struct sqlite_rows_block){ .next = rows->blocks, .size = room };
        rows->blocks = block;
    }
    void *to = block->bytes + block->used;
    if (size > 0)
        memcpy(to, from, size);
    block->used += size;
    rows->bytes += size;
    return to;
}

void sl__sqlite_rows_drop(struct sqlite_rows *rows)
{
    while (rows->blocks) {
        struct sqlite_rows_block *next = rows->blocks->next;
        free(rows->blocks);
        rows->blocks = next;
    }
    free(rows->events);
    free(rows->pairs);
    *rows = (struct sqlite_rows){ 0 };
}

/* Columns 0 .. 4 of the row: key, value, create revision, mod revision, lease. */
static bool rows_pair(struct sqlite_rows *rows, sqlite3_stmt *s, struct sl_store_pair *pair)
{
    const void *key = sqlite3_column_blob(s, 0), *value = sqlite3_column_blob(s, 1);
    size_t key_size = (size_t)sqlite3_column_bytes(s, 0), value_size = (size_t)sqlite3_column_bytes(s, 1);
    *pair = (struct sl_store_pair){ .create_revision = sqlite3_column_int64(s, 2),
                                    .mod_revision = sqlite3_column_int64(s, 3),
                                    .lease = (sl_lease_id)sqlite3_column_int64(s, 4) };
    /* A column that could not be read for lack of memory looks empty. */
    if ((!key && key_size > 0) || (!value && value_size > 0))
        return false;
    pair->key = (struct sl_str){ rows_bytes(rows, key, key_size), key_size };
    pair->value = (struct sl_bytes){ rows_bytes(rows, value, value_size), value_size };
    return pair->key.ptr && pair->value.ptr;
}

bool sl__sqlite_rows_add_pair(struct sqlite_rows *rows, sqlite3_stmt *s)
{
    struct sl_store_pair *pairs = sl_array_room(rows->pairs, rows->count, &rows->cap, 16, sizeof *pairs);
    if (!pairs)
        return false;
    rows->pairs = pairs;
    if (!rows_pair(rows, s, &pairs[rows->count]))
        return false;
    rows->count++;
    return true;
}

bool sl__sqlite_rows_add_event(struct sqlite_rows *rows, sqlite3_stmt *s, bool deleted)
{
    struct sl_store_event *events = sl_array_room(rows->events, rows->count, &rows->cap, 16, sizeof *events);
    if (!events)
        return false;
    rows->events = events;
    if (!rows_pair(rows, s, &events[rows->count].pair))
        return false;
    struct sl_store_event *e = &rows->events[rows->count++];
    e->deleted = deleted;
    if (deleted)
        e->pair = (struct sl_store_pair){ .key = e->pair.key, .mod_revision = e->pair.mod_revision };
    return true;
}
