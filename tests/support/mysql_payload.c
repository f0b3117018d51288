/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/mysql_payload.h"

#include "base/check.h"

#include <string.h>
#include <zstd.h>

static size_t payload_number(uint8_t *out, uint64_t v)
{
    static const struct {
        uint64_t below;
        uint8_t mark, width;
    } forms[] = { { 0x10000, 0xfc, 2 }, { 0x1000000, 0xfd, 3 }, { UINT64_MAX, 0xfe, 8 } };
    size_t form = 0;
    out[0] = (uint8_t)v;
    if (v < 0xfb)
        return 1;
    while (v >= forms[form].below)
        form++;
    out[0] = forms[form].mark;
    for (size_t i = 0; i < forms[form].width; i++)
        out[1 + i] = (uint8_t)(v >> 8 * i);
    return 1u + forms[form].width;
}

size_t mysql_payload_field(uint8_t *out, uint8_t type, uint64_t number)
{
    size_t len = payload_number(out + 2, number);
    out[0] = type;
    out[1] = (uint8_t)len;
    return 2 + len;
}

size_t mysql_payload_compress(uint8_t *out, size_t cap, struct sl_bytes bytes, int level)
{
    ZSTD_CCtx *zstd = ZSTD_createCCtx();
    SL_REQUIRE(zstd && !ZSTD_isError(ZSTD_CCtx_setParameter(zstd, ZSTD_c_compressionLevel, level)));
    ZSTD_inBuffer in = { bytes.ptr, bytes.len, 0 };
    ZSTD_outBuffer to = { out, cap, 0 };
    size_t left = ZSTD_compressStream2(zstd, &to, &in, ZSTD_e_continue); /* first, so that it cannot know the size */
    SL_REQUIRE(!ZSTD_isError(left) && in.pos == in.size);
    left = ZSTD_compressStream2(zstd, &to, &in, ZSTD_e_end);
    SL_REQUIRE(left == 0);
    ZSTD_freeCCtx(zstd);
    return to.pos;
}

size_t mysql_payload_write(uint8_t *out, size_t cap, struct sl_bytes events, int level)
{
    const size_t header_max = 40;
    uint8_t *frame = out + header_max;
    SL_REQUIRE(cap > header_max);
    size_t size = mysql_payload_compress(frame, cap - header_max, events, level);
    size_t len = mysql_payload_field(out, 2, 0);
    len += mysql_payload_field(out + len, 3, events.len);
    len += mysql_payload_field(out + len, 1, size);
    out[len++] = 0;
    memmove(out + len, frame, size);
    return len + size;
}

size_t mysql_payload_event(uint8_t *out, size_t cap, uint8_t type, const void *body, size_t size)
{
    const size_t header = 19;
    size_t total = header + size;
    SL_REQUIRE(cap >= total);
    memset(out, 0, header);
    out[4] = type;
    out[5] = 7; /* server id */
    for (size_t i = 0; i < 4; i++)
        out[9 + i] = (uint8_t)(total >> 8 * i);
    if (size > 0)
        memcpy(out + header, body, size);
    return total;
}
