/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/mariadb/binlog_event.h"

#include <libdeflate.h>

#define FORMAT_VERSION 4
#define FORMAT_SERVER_BYTES 50u
#define FORMAT_TAIL_BYTES 5u /* checksum algorithm, checksum */
#define FORMAT_IN_USE 0x01u  /* header flag of a file that is being written: not part of its own checksum */
#define HEADER_FLAGS_AT 17u
#define FILE_NUMBER_MAX 0xffffffu

static enum sl_code event_too_short(struct sl_err *err, const char *what)
{
    return sl_err_set(err, SL_TRUNCATED, "binlog: %s ends too early", what);
}

static void event_read_header(struct sl_binlog_event *e, struct sl_cursor *c)
{
    e->time = sl_cursor_le32(c);
    e->type = sl_cursor_u8(c);
    e->server_id = sl_cursor_le32(c);
    e->size = sl_cursor_le32(c);
    e->next_pos = sl_cursor_le32(c);
    e->flags = sl_cursor_le16(c);
}

static uint32_t event_crc(struct sl_bytes covered)
{
    return libdeflate_crc32(0, covered.ptr, covered.len);
}

static uint32_t event_stored_crc(struct sl_bytes bytes)
{
    struct sl_cursor c =
        sl_cursor_of((struct sl_bytes){ bytes.ptr + bytes.len - SL_BINLOG_CHECKSUM_BYTES, SL_BINLOG_CHECKSUM_BYTES });
    return sl_cursor_le32(&c);
}

enum sl_code sl_binlog_event_parse(struct sl_binlog_event *out, struct sl_bytes bytes,
                                   const struct sl_binlog_format *format, bool verify, struct sl_err *err)
{
    size_t tail = format->has_checksum ? SL_BINLOG_CHECKSUM_BYTES : 0;
    struct sl_cursor c = sl_cursor_of(bytes);
    event_read_header(out, &c);
    if (c.failed || bytes.len < SL_BINLOG_HEADER_BYTES + tail)
        return event_too_short(err, "an event header");
    if (out->size != bytes.len)
        return sl_err_set(err, SL_MALFORMED, "binlog: event type %u says %u bytes, %zu came", out->type, out->size,
                          bytes.len);
    if (verify && tail > 0 && event_crc((struct sl_bytes){ bytes.ptr, bytes.len - tail }) != event_stored_crc(bytes))
        return sl_err_set(err, SL_MALFORMED, "binlog: wrong checksum of an event of type %u that ends at %u", out->type,
                          out->next_pos);
    out->body = sl_cursor_bytes(&c, bytes.len - SL_BINLOG_HEADER_BYTES - tail);
    return SL_OK;
}

/* Its checksum was made before the file was marked as in use. */
static bool format_crc_is_right(struct sl_bytes bytes)
{
    uint8_t header[SL_BINLOG_HEADER_BYTES];
    memcpy(header, bytes.ptr, sizeof header);
    header[HEADER_FLAGS_AT] &= (uint8_t)~FORMAT_IN_USE;
    uint32_t crc = libdeflate_crc32(0, header, sizeof header);
    crc = libdeflate_crc32(crc, bytes.ptr + sizeof header, bytes.len - sizeof header - SL_BINLOG_CHECKSUM_BYTES);
    return crc == event_stored_crc(bytes);
}

static void format_read_version(struct sl_binlog_format *format, struct sl_bytes version)
{
    size_t len = 0;
    while (len < version.len && version.ptr[len] >= ' ' && version.ptr[len] < 0x7f)
        len++;
    /* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): null only if the cursor failed */
    memcpy(format->server_version, version.ptr, len);
    format->server_version[len] = 0;
    format->is_mariadb = strstr(format->server_version, "MariaDB") != NULL;
}

enum sl_code sl_binlog_format_parse(struct sl_binlog_format *format, struct sl_bytes bytes, struct sl_err *err)
{
    *format = (struct sl_binlog_format){ 0 };
    struct sl_binlog_event event = { 0 };
    enum sl_code code = sl_binlog_event_parse(&event, bytes, format, false, err);
    if (code != SL_OK)
        return code;
    struct sl_cursor c = sl_cursor_of(event.body);
    uint16_t version = sl_cursor_le16(&c);
    struct sl_bytes server = sl_cursor_bytes(&c, FORMAT_SERVER_BYTES);
    format->create_time = sl_cursor_le32(&c);
    uint8_t header_bytes = sl_cursor_u8(&c);
    if (c.failed || sl_cursor_left(&c) < FORMAT_TAIL_BYTES)
        return event_too_short(err, "the format description");
    if (version != FORMAT_VERSION || header_bytes != SL_BINLOG_HEADER_BYTES)
        return sl_err_set(err, SL_MALFORMED, "binlog: format version %u is not supported (4 is)", version);
    struct sl_bytes lengths = sl_cursor_bytes(&c, sl_cursor_left(&c) - FORMAT_TAIL_BYTES);
    uint8_t algorithm = sl_cursor_u8(&c);
    if (algorithm > 1)
        return sl_err_set(err, SL_MALFORMED, "binlog: checksum algorithm %u is not known", algorithm);
    for (size_t i = 0; i < lengths.len && i + 1 < sizeof format->post_header_bytes; i++)
        format->post_header_bytes[i + 1] = lengths.ptr[i];
    format_read_version(format, server);
    format->has_checksum = algorithm == 1;
    if (format->has_checksum && !format_crc_is_right(bytes))
        return sl_err_set(err, SL_MALFORMED, "binlog: wrong checksum of the format description");
    format->is_known = true;
    return SL_OK;
}

enum sl_code sl_binlog_rotate_parse(struct sl_binlog_rotate *out, struct sl_bytes body, struct sl_err *err)
{
    struct sl_cursor c = sl_cursor_of(body);
    out->pos = sl_cursor_le(&c, 8);
    if (c.failed || sl_cursor_left(&c) == 0)
        return event_too_short(err, "a rotation");
    out->file = (struct sl_str){ (const char *)c.at, sl_cursor_left(&c) };
    if (!sl_str_is_printable_utf8(out->file))
        return sl_err_set(err, SL_MALFORMED, "binlog: the name of the next file is no text");
    return SL_OK;
}

/* Of an XA id: how it is made, two lengths of a byte each, and the data. */
static struct sl_bytes gtid_read_xid(struct sl_cursor *c)
{
    const uint8_t *start = c->at;
    sl_cursor_skip(c, 4);
    size_t len = sl_cursor_u8(c);
    len += sl_cursor_u8(c);
    sl_cursor_skip(c, len);
    return c->failed ? (struct sl_bytes){ 0 } : (struct sl_bytes){ start, (size_t)(c->at - start) };
}

enum sl_code sl_binlog_gtid_parse(struct sl_binlog_gtid *out, const struct sl_binlog_event *event, struct sl_err *err)
{
    const uint8_t has_commit_id = 0x02;
    struct sl_cursor c = sl_cursor_of(event->body);
    *out = (struct sl_binlog_gtid){ 0 };
    out->gtid.seq = sl_cursor_le(&c, 8);
    out->gtid.domain = sl_cursor_le32(&c);
    out->gtid.server = event->server_id;
    out->flags = sl_cursor_u8(&c);
    if (out->flags & has_commit_id)
        sl_cursor_skip(&c, 8);
    if (out->flags & (SL_GTID_XA_PREPARED | SL_GTID_XA_COMPLETED))
        out->xid = gtid_read_xid(&c);
    return c.failed ? event_too_short(err, "a GTID") : SL_OK;
}

enum sl_code sl_binlog_mysql_gtid_parse(struct sl_binlog_mysql_gtid *out, const struct sl_binlog_event *event,
                                        struct sl_err *err)
{
    struct sl_cursor c = sl_cursor_of(event->body);
    *out = (struct sl_binlog_mysql_gtid){ 0 };
    if (event->type == SL_BINLOG_MYSQL_TAGGED_GTID)
        return SL_OK;
    sl_cursor_skip(&c, 1); /* flags */
    struct sl_bytes uuid = sl_cursor_bytes(&c, sizeof out->uuid);
    out->number = sl_cursor_le(&c, 8);
    if (c.failed)
        return event_too_short(err, "a GTID");
    /* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): null only if the cursor failed */
    memcpy(out->uuid, uuid.ptr, sizeof out->uuid);
    return SL_OK;
}

#define GTID_ENTRY_BYTES 16u

enum sl_code sl_binlog_gtid_list_parse(struct sl_binlog_gtid_list *out, struct sl_bytes body, struct sl_err *err)
{
    const uint32_t count_mask = 0x0fffffff; /* the rest are flags */
    struct sl_cursor c = sl_cursor_of(body);
    out->count = sl_cursor_le32(&c) & count_mask;
    out->entries = sl_cursor_bytes(&c, (size_t)out->count * GTID_ENTRY_BYTES);
    return c.failed ? event_too_short(err, "a GTID list") : SL_OK;
}

struct sl_gtid sl_binlog_gtid_list_at(const struct sl_binlog_gtid_list *list, uint32_t index)
{
    SL_REQUIRE(index < list->count);
    struct sl_cursor c =
        sl_cursor_of((struct sl_bytes){ list->entries.ptr + (size_t)index * GTID_ENTRY_BYTES, GTID_ENTRY_BYTES });
    struct sl_gtid gtid;
    gtid.domain = sl_cursor_le32(&c);
    gtid.server = sl_cursor_le32(&c);
    gtid.seq = sl_cursor_le(&c, 8);
    return gtid;
}

/* Up to the first variable that this list does not know: what comes behind it cannot be found. */
static void query_read_status(struct sl_binlog_query *out, struct sl_bytes status)
{
    struct sl_cursor c = sl_cursor_of(status);
    while (!c.failed && sl_cursor_left(&c) > 0) {
        switch (sl_cursor_u8(&c)) {
        case 0: /* flags of the session */
            sl_cursor_skip(&c, 4);
            break;
        case 1:
            out->sql_mode = sl_cursor_le(&c, 8);
            break;
        case 3: /* auto increment */
            sl_cursor_skip(&c, 4);
            break;
        case 4: /* client, connection, server */
            out->client_collation = sl_cursor_le16(&c);
            sl_cursor_skip(&c, 4);
            break;
        case 5: /* time zone */
        case 6: /* catalogue */
            sl_cursor_skip(&c, sl_cursor_u8(&c));
            break;
        default:
            return;
        }
    }
}

enum sl_code sl_binlog_query_parse(struct sl_binlog_query *out, const struct sl_binlog_event *event, struct sl_err *err)
{
    struct sl_cursor c = sl_cursor_of(event->body);
    *out = (struct sl_binlog_query){ .is_compressed = event->type == SL_BINLOG_QUERY_COMPRESSED };
    sl_cursor_skip(&c, 8); /* thread, seconds */
    size_t database_len = sl_cursor_u8(&c);
    out->error = sl_cursor_le16(&c);
    size_t status_len = sl_cursor_le16(&c);
    struct sl_bytes status = sl_cursor_bytes(&c, status_len);
    struct sl_bytes database = sl_cursor_bytes(&c, database_len);
    sl_cursor_skip(&c, 1);
    if (c.failed)
        return event_too_short(err, "a statement");
    query_read_status(out, status);
    out->database = (struct sl_str){ (const char *)database.ptr, database.len };
    out->sql = (struct sl_str){ (const char *)c.at, sl_cursor_left(&c) };
    return SL_OK;
}

uint64_t sl_binlog_lenenc(struct sl_cursor *c)
{
    uint8_t first = sl_cursor_u8(c);
    switch (first) {
    case 0xfb:
    case 0xff:
        c->failed = true;
        return 0;
    case 0xfc:
        return sl_cursor_le(c, 2);
    case 0xfd:
        return sl_cursor_le(c, 3);
    case 0xfe:
        return sl_cursor_le(c, 8);
    default:
        return first;
    }
}

enum sl_code sl_binlog_file_number(uint32_t *out, struct sl_str file, struct sl_err *err)
{
    size_t dot = file.len;
    while (dot > 0 && file.ptr[dot - 1] != '.')
        dot--;
    uint32_t number = 0;
    bool is_good = dot > 0 && dot < file.len;
    for (size_t i = dot; is_good && i < file.len; i++) {
        is_good = file.ptr[i] >= '0' && file.ptr[i] <= '9' && number <= FILE_NUMBER_MAX / 10;
        number = number * 10 + (uint32_t)(file.ptr[i] - '0');
    }
    if (!is_good || number > FILE_NUMBER_MAX)
        return sl_err_set(err, SL_MALFORMED, "binlog: file name without a number below 2^24");
    *out = number;
    return SL_OK;
}
