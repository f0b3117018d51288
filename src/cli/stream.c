/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/client_internal.h"

#include <string.h>

/*
 * Server-sent events: lines "data: ..." up to an empty line are one event; lines that begin with ':' only show that
 * the server lives. Nothing is known of event ids: each event carries the whole state.
 */

static size_t stream_on_bytes(char *data, size_t size, size_t count, void *ctx)
{
    struct client_stream *s = ctx;
    size_t len = size * count;
    s->heard_ms = sl_cli_now_ms();
    if (s->taken > 0) {
        s->input.len -= s->taken;
        memmove(s->input.ptr, s->input.ptr + s->taken, s->input.len);
        s->taken = 0;
    }
    if (s->input.len + len > CLIENT_EVENT_BYTES_MAX)
        return 0;
    sl_cli_add_bytes(&s->input, data, len);
    return len;
}

void sl_cli_stream_close(struct sl_cli_client *c)
{
    struct client_stream *s = &c->stream;
    struct curl_slist *headers = NULL;
    if (s->easy) {
        (void)curl_easy_getinfo(s->easy, CURLINFO_PRIVATE, &headers);
        (void)curl_multi_remove_handle(c->multi, s->easy);
        curl_easy_cleanup(s->easy);
        curl_slist_free_all(headers);
    }
    s->easy = NULL;
    s->ended = false;
    s->is_delivered = false;
    s->taken = 0;
    sl_cli_buf_clear(&s->input);
    sl_cli_buf_clear(&s->data);
}

void sl_cli_stream_open(struct sl_cli_client *c, const char *path)
{
    struct client_stream *s = &c->stream;
    sl_cli_stream_close(c);
    struct curl_slist *headers = curl_slist_append(NULL, "Accept: text/event-stream");
    CURL *easy = sl__cli_easy(c, c->first, path, headers);
    bool ok = easy && curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, stream_on_bytes) == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_WRITEDATA, s) == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_FAILONERROR, 1L) == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_PRIVATE, headers) == CURLE_OK &&
              curl_multi_add_handle(c->multi, easy) == CURLM_OK;
    s->heard_ms = sl_cli_now_ms();
    if (ok) {
        s->easy = easy;
        return;
    }
    if (easy)
        curl_easy_cleanup(easy);
    curl_slist_free_all(headers);
}

bool sl_cli_stream_is_open(const struct sl_cli_client *c)
{
    return c->stream.easy && !c->stream.ended;
}

uint64_t sl_cli_stream_heard_ms(const struct sl_cli_client *c)
{
    return c->stream.heard_ms;
}

/* Takes one line off the input; true if it ends an event that has data. */
static bool stream_take_line(struct client_stream *s, size_t len)
{
    const char *line = s->input.ptr + s->taken;
    size_t text_len = len > 0 && line[len - 1] == '\r' ? len - 1 : len;
    bool is_end = text_len == 0;
    if (text_len >= 5 && memcmp(line, "data:", 5) == 0) {
        size_t skip = text_len > 5 && line[5] == ' ' ? 6 : 5;
        sl_cli_add(&s->data, s->data.len > 0 ? "\n" : "");
        sl_cli_add_bytes(&s->data, line + skip, text_len - skip);
    }
    s->taken += len + 1;
    return is_end && s->data.len > 0;
}

static bool stream_take_event(struct client_stream *s, const char **data)
{
    if (s->is_delivered)
        sl_cli_buf_clear(&s->data);
    s->is_delivered = false;
    while (s->taken < s->input.len && !s->is_delivered) {
        const char *line = s->input.ptr + s->taken, *end = memchr(line, '\n', s->input.len - s->taken);
        if (!end)
            break;
        s->is_delivered = stream_take_line(s, (size_t)(end - line));
    }
    *data = s->data.ptr;
    return s->is_delivered;
}

enum sl_cli_stream_state sl_cli_stream_next(struct sl_cli_client *c, uint64_t timeout_ms, const char **data)
{
    uint64_t until_ms = sl_cli_now_ms() + timeout_ms;
    for (;;) {
        CURLcode result;
        if (stream_take_event(&c->stream, data))
            return SL_CLI_STREAM_EVENT;
        (void)sl__cli_is_over(c, NULL, &result);
        uint64_t now_ms = sl_cli_now_ms();
        if (c->stream.easy && c->stream.ended)
            return SL_CLI_STREAM_ENDED;
        if (now_ms >= until_ms)
            return SL_CLI_STREAM_QUIET;
        if (!sl__cli_wait(c, until_ms - now_ms))
            return SL_CLI_STREAM_INTERRUPTED;
    }
}
