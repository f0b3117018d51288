/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/client_internal.h"
#include "cli/signals.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

uint64_t sl_cli_now_ms(void)
{
    struct timespec t;
    SL_REQUIRE(clock_gettime(CLOCK_MONOTONIC, &t) == 0);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* ---- servers ---- */

/* "http://host:port" without a slash at the end; false if it is no address. */
static bool client_normalize(const char *text, size_t len, bool is_tls, char out[CLIENT_URL_MAX + 1])
{
    while (len > 0 && text[len - 1] == '/')
        len--;
    bool has_scheme = len > 7 && (strncasecmp(text, "http://", 7) == 0 || strncasecmp(text, "https://", 8) == 0);
    const char *scheme = is_tls ? "https://" : "http://";
    int written = snprintf(out, CLIENT_URL_MAX + 1, "%s%.*s", has_scheme ? "" : scheme, (int)len, text);
    if (len == 0 || written < 0 || written > CLIENT_URL_MAX)
        return false;
    return !strpbrk(out, " \t\r\n@?#\\") && !strpbrk(strstr(out, "://") + 3, "/");
}

/* SIZE_MAX: not an address, or no room. */
static size_t client_add_server(struct sl_cli_client *c, const char *text, size_t len)
{
    char url[CLIENT_URL_MAX + 1];
    bool is_tls = c->ca || (c->server_count > 0 && strncasecmp(c->servers[0], "https://", 8) == 0);
    if (!client_normalize(text, len, is_tls, url))
        return SIZE_MAX;
    for (size_t i = 0; i < c->server_count; i++) {
        if (strcasecmp(c->servers[i], url) == 0)
            return i;
    }
    if (c->server_count == CLIENT_SERVERS_MAX)
        return SIZE_MAX;
    memcpy(c->servers[c->server_count], url, sizeof url);
    return c->server_count++;
}

static bool client_add_servers(struct sl_cli_client *c, const char *list, char *problem, size_t size)
{
    for (const char *p = list;;) {
        size_t len = strcspn(p, ",");
        if (client_add_server(c, p, len) == SIZE_MAX) {
            (void)snprintf(problem, size, "'%.*s' is no address: give http://HOST:PORT", (int)(len > 80 ? 80 : len), p);
            return false;
        }
        if (p[len] == '\0')
            return true;
        p += len + 1;
    }
}

size_t sl__cli_server_index(struct sl_cli_client *c, const char *address)
{
    return client_add_server(c, address, strlen(address));
}

void sl_cli_client_learn(struct sl_cli_client *c, const char *address)
{
    (void)client_add_server(c, address, strlen(address)); /* what is no address is no server */
}

const char *sl_cli_client_server(const struct sl_cli_client *c)
{
    return c->servers[c->first];
}

void sl_cli_client_rotate(struct sl_cli_client *c)
{
    c->first = (c->first + 1) % c->server_count;
}

/* ---- life ---- */

struct sl_cli_client *sl_cli_client_new(const struct sl_cli_client_opts *opts, char *problem, size_t problem_size)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0) {
        (void)snprintf(problem, problem_size, "libcurl does not start");
        return NULL;
    }
    struct sl_cli_client *c = sl_cli_alloc(sizeof *c);
    c->multi = curl_multi_init();
    c->ca = opts->ca ? sl_cli_copy(opts->ca) : NULL;
    c->cert = opts->cert ? sl_cli_copy(opts->cert) : NULL;
    c->key = opts->key ? sl_cli_copy(opts->key) : NULL;
    c->user = opts->user ? sl_cli_copy(opts->user) : NULL;
    c->password = opts->password ? sl_cli_copy(opts->password) : NULL;
    c->timeout_ms = opts->timeout_ms;
    if (c->multi && client_add_servers(c, opts->servers, problem, problem_size))
        return c;
    sl_cli_client_free(c);
    return NULL;
}

void sl_cli_client_free(struct sl_cli_client *c)
{
    if (!c)
        return;
    sl_cli_stream_close(c);
    sl_cli_buf_free(&c->stream.input);
    sl_cli_buf_free(&c->stream.data);
    if (c->multi)
        (void)curl_multi_cleanup(c->multi);
    free(c->ca);
    free(c->cert);
    free(c->key);
    free(c->user);
    free(c->password);
    free(c);
    curl_global_cleanup();
}

/* ---- what all requests share ---- */

CURL *sl__cli_easy(const struct sl_cli_client *c, size_t server, const char *path, struct curl_slist *headers)
{
    CURL *easy = curl_easy_init();
    if (!easy)
        return NULL;
    struct sl_cli_buf url = { 0 };
    sl_cli_addf(&url, "%s%s", c->servers[server], path);
    bool ok = curl_easy_setopt(easy, CURLOPT_URL, url.ptr) == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_NOPROXY, "*") == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
              /* One port serves HTTP and gRPC: only HTTP/1.1 is certain to reach the API. */
              curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CLIENT_CONNECT_MS_MAX) == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers) == CURLE_OK &&
              (!c->ca || curl_easy_setopt(easy, CURLOPT_CAINFO, c->ca) == CURLE_OK) &&
              curl_easy_setopt(easy, CURLOPT_SSLCERT, c->cert) == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_SSLKEY, c->key) == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_USERNAME, c->user) == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_PASSWORD, c->password) == CURLE_OK;
    sl_cli_buf_free(&url);
    if (ok)
        return easy;
    curl_easy_cleanup(easy);
    return NULL;
}

bool sl__cli_wait(struct sl_cli_client *c, uint64_t timeout_ms)
{
    struct curl_waitfd signals = { .fd = sl_cli_signals_fd(), .events = CURL_WAIT_POLLIN };
    unsigned count = signals.fd >= 0 ? 1 : 0;
    int running = 0;
    if (sl_cli_signals_seen())
        return false;
    (void)curl_multi_poll(c->multi, &signals, count, (int)(timeout_ms < 1000 ? timeout_ms : 1000), NULL);
    (void)curl_multi_perform(c->multi, &running);
    return !sl_cli_signals_seen();
}

bool sl__cli_is_over(struct sl_cli_client *c, const CURL *easy, CURLcode *result)
{
    int left = 0;
    const CURLMsg *message;
    while ((message = curl_multi_info_read(c->multi, &left)) != NULL) {
        if (message->msg != CURLMSG_DONE)
            continue;
        if (message->easy_handle == c->stream.easy)
            c->stream.ended = true;
        if (message->easy_handle == easy) {
            *result = message->data.result;
            return true;
        }
    }
    return false;
}

void sl_cli_add_path(struct sl_cli_buf *b, const char *component)
{
    for (const char *p = component; *p != '\0'; p++) {
        unsigned char byte = (unsigned char)*p;
        bool is_plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
                        byte == '-' || byte == '_' || byte == '.' || byte == '~';
        if (is_plain)
            sl_cli_add_bytes(b, p, 1);
        else
            sl_cli_addf(b, "%%%02X", byte);
    }
}
