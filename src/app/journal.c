/* SPDX-License-Identifier: Apache-2.0 */
#include "app/journal.h"

#include "base/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define JOURNAL_MAGIC "SLJRNL\0\1" /* the last byte is the version */
#define JOURNAL_MAGIC_BYTES (sizeof JOURNAL_MAGIC - 1)
enum { JOURNAL_HEAD_BYTES = 8, JOURNAL_KEPT = 3, JOURNAL_RECORD_BYTES_MAX = 256 << 20, JOURNAL_BUF_KEPT = 1 << 20 };

struct sl_journal {
    int fd;
    uint64_t bytes, bytes_max;
    struct sl_buf pending; /* whole records that were not written yet */
    const char *end;
    bool has_ended;
};

static uint32_t journal_checksum(const void *bytes, size_t len)
{
    return (uint32_t)sl_hash_bytes(len, bytes, len);
}

/* ---- writing ---- */

/* Where a record begins in the buffer; its head is filled in when its end is known. */
static size_t journal_begin(struct sl_journal *j, enum sl_journal_kind kind)
{
    size_t at = j->pending.len;
    uint8_t byte = (uint8_t)kind;
    sl_buf_u32(&j->pending, 0);
    sl_buf_u32(&j->pending, 0);
    sl_buf_add(&j->pending, &byte, 1);
    return at;
}

static void journal_put_u32(uint8_t *at, uint32_t v)
{
    for (unsigned i = 0; i < 4; i++)
        at[i] = (uint8_t)(v >> 8 * i);
}

static void journal_stop(struct sl_journal *j, const char *why)
{
    j->end = why;
    j->has_ended = true;
    sl_buf_deinit(&j->pending);
    close(j->fd);
    j->fd = -1;
}

static void journal_finish(struct sl_journal *j, size_t at)
{
    struct sl_buf *b = &j->pending;
    if (b->failed) {
        journal_stop(j, "no memory");
        return;
    }
    size_t len = b->len - at - JOURNAL_HEAD_BYTES;
    journal_put_u32(b->ptr + at, (uint32_t)len);
    journal_put_u32(b->ptr + at + 4, journal_checksum(b->ptr + at + JOURNAL_HEAD_BYTES, len));
}

/*
 * In the loop's thread, on purpose: an input is in the file before the core sees it, so that a crash leaves it there. It
 * goes to the page cache; who journals to a disk that stands still has a node that stands still.
 */
static void journal_write(struct sl_journal *j)
{
    const uint8_t *at = j->pending.ptr;
    size_t left = j->pending.len;
    if (j->bytes + left > j->bytes_max) {
        journal_stop(j, "it has reached --journal-max");
        return;
    }
    while (left > 0) {
        ssize_t n = write(j->fd, at, left);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            journal_stop(j, errno == ENOSPC ? "no room on the disk" : "the file cannot be written");
            return;
        }
        at += n;
        left -= (size_t)n;
        j->bytes += (uint64_t)n;
    }
    if (j->pending.cap > JOURNAL_BUF_KEPT)
        sl_buf_deinit(&j->pending);
    sl_buf_reset(&j->pending);
}

void sl_journal_step(struct sl_journal *j, sl_ns now, struct sl_bytes input)
{
    if (j->has_ended)
        return;
    size_t at = journal_begin(j, SL_JOURNAL_STEP);
    sl_buf_varint(&j->pending, (uint64_t)now);
    sl_buf_add(&j->pending, input.ptr, input.len);
    journal_finish(j, at);
    if (!j->has_ended)
        journal_write(j);
}

void sl_journal_done(struct sl_journal *j, uint64_t digest)
{
    if (j->has_ended)
        return;
    size_t at = journal_begin(j, SL_JOURNAL_DONE);
    sl_buf_varint(&j->pending, digest);
    journal_finish(j, at);
}

const char *sl_journal_take_end(struct sl_journal *j)
{
    const char *end = j->end;
    j->end = NULL;
    return end;
}

/* path.2 becomes path.3 and so on; what does not exist yet is no trouble. */
static void journal_rotate(const char *path)
{
    size_t size = strlen(path) + 8;
    char *from = malloc(size), *to = malloc(size);
    for (int i = JOURNAL_KEPT; from && to && i > 0; i--) {
        if (i == 1)
            snprintf(from, size, "%s", path);
        else
            snprintf(from, size, "%s.%d", path, i - 1);
        snprintf(to, size, "%s.%d", path, i);
        if (rename(from, to) != 0 && errno != ENOENT)
            break;
    }
    free(from);
    free(to);
}

bool sl_journal_open(struct sl_journal **out, const char *path, uint64_t bytes_max, const struct sl_params *p,
                     struct sl_complaint *c)
{
    struct sl_journal *j = calloc(1, sizeof *j);
    *out = NULL;
    if (!j)
        return sl_complain(c, SL_EXIT_FAILED, "no memory");
    journal_rotate(path);
    j->bytes_max = bytes_max;
    j->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);
    if (j->fd < 0) {
        free(j);
        return sl_complain(c, SL_EXIT_FILES, "--journal %s: %s", path, strerror(errno));
    }
    sl_buf_add(&j->pending, JOURNAL_MAGIC, JOURNAL_MAGIC_BYTES);
    size_t at = journal_begin(j, SL_JOURNAL_NODE);
    sl_params_encode(&j->pending, p);
    journal_finish(j, at);
    if (!j->has_ended)
        journal_write(j);
    if (j->has_ended) {
        sl_complain(c, SL_EXIT_FILES, "--journal %s: %s", path, j->end);
        sl_journal_close(j);
        return false;
    }
    *out = j;
    return true;
}

void sl_journal_close(struct sl_journal *j)
{
    if (!j)
        return;
    if (!j->has_ended && j->pending.len > 0)
        journal_write(j);
    if (j->fd >= 0)
        close(j->fd);
    sl_buf_deinit(&j->pending);
    free(j);
}

/* ---- reading ---- */

struct sl_journal_reader {
    FILE *file;
    uint8_t *record;
    size_t cap;
};

bool sl_journal_reader_open(struct sl_journal_reader **out, const char *path, struct sl_complaint *c)
{
    char magic[JOURNAL_MAGIC_BYTES];
    *out = NULL;
    FILE *file = fopen(path, "rbe");
    if (!file)
        return sl_complain(c, SL_EXIT_FILES, "%s: %s", path, strerror(errno));
    struct sl_journal_reader *r = calloc(1, sizeof *r);
    size_t len = fread(magic, 1, sizeof magic, file);
    if (!r || len != sizeof magic || memcmp(magic, JOURNAL_MAGIC, sizeof magic) != 0) {
        free(r);
        fclose(file);
        return sl_complain(c, SL_EXIT_REPLAY, "%s: not a journal that this version reads", path);
    }
    r->file = file;
    *out = r;
    return true;
}

void sl_journal_reader_close(struct sl_journal_reader *r)
{
    if (!r)
        return;
    fclose(r->file);
    free(r->record);
    free(r);
}

static uint32_t journal_get_u32(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static bool journal_take_varint(struct sl_bytes *b, uint64_t *out)
{
    *out = 0;
    for (unsigned shift = 0; shift < 64 && b->len > 0; shift += 7) {
        uint8_t byte = *b->ptr++;
        b->len--;
        *out |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return true;
    }
    return false;
}

static bool journal_parse(struct sl_journal_record *out, struct sl_bytes payload)
{
    uint64_t now = 0;
    switch (out->kind) {
    case SL_JOURNAL_NODE:
        return sl_params_decode(&out->params, payload);
    case SL_JOURNAL_STEP:
        if (!journal_take_varint(&payload, &now) || now > INT64_MAX)
            return false;
        out->now = (sl_ns)now;
        out->input = payload;
        return true;
    case SL_JOURNAL_DONE:
        return journal_take_varint(&payload, &out->digest) && payload.len == 0;
    }
    return false;
}

enum sl_journal_next sl_journal_reader_next(struct sl_journal_reader *r, struct sl_journal_record *out)
{
    uint8_t head[JOURNAL_HEAD_BYTES];
    size_t got = fread(head, 1, sizeof head, r->file);
    if (got != sizeof head)
        return got == 0 ? SL_JOURNAL_END : SL_JOURNAL_CUT;
    uint32_t len = journal_get_u32(head);
    if (len == 0 || len > JOURNAL_RECORD_BYTES_MAX)
        return SL_JOURNAL_DAMAGED;
    if (len > r->cap) {
        uint8_t *record = realloc(r->record, len);
        if (!record)
            return SL_JOURNAL_DAMAGED;
        r->record = record;
        r->cap = len;
    }
    if (fread(r->record, 1, len, r->file) != len)
        return SL_JOURNAL_CUT;
    if (journal_checksum(r->record, len) != journal_get_u32(head + 4))
        return SL_JOURNAL_DAMAGED;
    *out = (struct sl_journal_record){ .kind = (enum sl_journal_kind)r->record[0] };
    return journal_parse(out, (struct sl_bytes){ r->record + 1, len - 1 }) ? SL_JOURNAL_RECORD : SL_JOURNAL_DAMAGED;
}
