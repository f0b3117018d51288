/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/client_internal.h"
#include "cli/signals.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One request and its answer. */

void sl_cli_answer_deinit(struct sl_cli_answer *a)
{
    json_object_put(a->json);
    free(a->body);
    *a = (struct sl_cli_answer){ 0 };
}

bool sl_cli_answer_is_good(const struct sl_cli_answer *a)
{
    return a->reach == SL_CLI_ANSWERED && a->status >= 200 && a->status < 300;
}

bool sl_cli_answer_is_transient(const struct sl_cli_answer *a)
{
    static const char *const codes[] = { "CDC:ErrOwnerNotFound", "CDC:ErrNotOwner", "CDC:ErrClusterIsUnhealthy" };
    if (a->reach != SL_CLI_ANSWERED)
        return false;
    if (a->status == 502 || a->status == 503)
        return true;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (a->status >= 400 && strcmp(a->code, codes[i]) == 0)
            return true;
    }
    return a->status == 500 && strstr(a->error, "not fully initialized");
}

/* ---- the error of an answer ---- */

static const char *call_string(struct json_object *object, const char *name)
{
    struct json_object *member;
    if (!json_object_object_get_ex(object, name, &member) || !json_object_is_type(member, json_type_string))
        return "";
    return json_object_get_string(member);
}

/* "[CDC:ErrX]text" without what stands in brackets: the code is kept apart. */
static const char *call_text(const char *message)
{
    const char *end = message[0] == '[' ? strchr(message, ']') : NULL;
    return end ? end + 1 : message;
}

static void call_explain(struct sl_cli_answer *a)
{
    if (a->status < 400 && a->status >= 200)
        return;
    const char *message = call_text(call_string(a->json, "error_msg"));
    sl_cli_clean(a->code, sizeof a->code, call_string(a->json, "error_code"));
    if (message[0] != '\0')
        sl_cli_clean(a->error, sizeof a->error, message);
    else if (a->status == 401 || a->status == 403)
        (void)snprintf(a->error, sizeof a->error,
                       "the cluster wants another user or password (--user, --password-file)");
    else if (a->status == 404)
        (void)snprintf(a->error, sizeof a->error, "the node does not know this request: is it of an older version?");
    else
        (void)snprintf(a->error, sizeof a->error, "the node answered with HTTP status %ld", a->status);
}

static void call_parse(struct sl_cli_answer *a)
{
    struct json_tokener *tokener = json_tokener_new_ex(64);
    size_t len = strlen(a->body);
    if (tokener && len > 0 && len < INT32_MAX)
        a->json = json_tokener_parse_ex(tokener, a->body, (int)len);
    json_tokener_free(tokener);
}

/* ---- one try at one server ---- */

static size_t call_on_body(char *data, size_t size, size_t count, void *ctx)
{
    struct sl_cli_buf *body = ctx;
    size_t len = size * count;
    if (body->len + len > CLIENT_BODY_BYTES_MAX)
        return 0; /* ends the transfer with an error */
    sl_cli_add_bytes(body, data, len);
    return len;
}

static CURL *call_prepare(struct sl_cli_client *c, const struct sl_cli_call *call, struct curl_slist *headers,
                          struct sl_cli_buf *body)
{
    CURL *easy = sl__cli_easy(c, c->first, call->path, headers);
    long timeout_ms = (long)(call->timeout_ms > 0 ? call->timeout_ms : c->timeout_ms);
    if (!easy)
        return NULL;
    bool ok = curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, call->method) == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, timeout_ms) == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, call_on_body) == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_WRITEDATA, body) == CURLE_OK &&
              (!call->body || curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, call->body) == CURLE_OK);
    if (ok && curl_multi_add_handle(c->multi, easy) == CURLM_OK)
        return easy;
    curl_easy_cleanup(easy);
    return NULL;
}

/* Only these are certain not to have reached anybody. */
static bool call_was_sent(CURLcode result)
{
    return result != CURLE_COULDNT_CONNECT && result != CURLE_COULDNT_RESOLVE_HOST &&
           result != CURLE_SSL_CONNECT_ERROR && result != CURLE_PEER_FAILED_VERIFICATION &&
           result != CURLE_SSL_CERTPROBLEM && result != CURLE_SSL_CACERT_BADFILE;
}

/* What an error of the connection most often comes from. */
static const char *call_hint(const char *server, CURLcode result)
{
    bool is_tls = strncmp(server, "https:", 6) == 0;
    if (is_tls && result == CURLE_SSL_CONNECT_ERROR)
        return "a node without TLS wants http://, one that knows its clients --cert and --key";
    if (is_tls && result == CURLE_PEER_FAILED_VERIFICATION)
        return "--ca names the authority that made the node's certificate";
    if (!is_tls && (result == CURLE_GOT_NOTHING || result == CURLE_RECV_ERROR || result == CURLE_WEIRD_SERVER_REPLY))
        return "a node with TLS wants https:// and --ca";
    return NULL;
}

static void call_conclude(struct sl_cli_client *c, CURL *easy, CURLcode result, struct sl_cli_buf *body,
                          struct sl_cli_answer *a)
{
    if (result == CURLE_OK) {
        a->reach = SL_CLI_ANSWERED;
        (void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &a->status);
        a->body = body->ptr ? body->ptr : sl_cli_copy("");
        *body = (struct sl_cli_buf){ 0 };
        call_parse(a);
        call_explain(a);
        return;
    }
    a->reach = SL_CLI_UNREACHED;
    a->was_sent = a->was_sent || call_was_sent(result);
    a->hint = call_hint(c->servers[c->first], result);
    (void)snprintf(a->error, sizeof a->error, "%s: %s", c->servers[c->first], curl_easy_strerror(result));
}

static void call_once(struct sl_cli_client *c, const struct sl_cli_call *call, struct sl_cli_answer *a)
{
    struct sl_cli_buf body = { 0 };
    struct curl_slist *headers = curl_slist_append(NULL, "Accept: application/json");
    struct curl_slist *all = headers ? curl_slist_append(headers, "Content-Type: application/json") : NULL;
    CURL *easy = all ? call_prepare(c, call, all, &body) : NULL;
    CURLcode result = CURLE_FAILED_INIT;
    a->reach = easy ? SL_CLI_INTERRUPTED : SL_CLI_UNREACHED;
    if (!easy)
        (void)snprintf(a->error, sizeof a->error,
                       "no request could be made: no memory, or a file of --ca, --cert, --key");
    while (easy && sl__cli_wait(c, 1000)) {
        if (sl__cli_is_over(c, easy, &result)) {
            call_conclude(c, easy, result, &body, a);
            break;
        }
    }
    if (easy) {
        a->was_sent = a->was_sent || a->reach == SL_CLI_INTERRUPTED;
        if (call->is_idempotent && a->reach == SL_CLI_UNREACHED)
            a->was_sent = false;
        (void)curl_multi_remove_handle(c->multi, easy);
        curl_easy_cleanup(easy);
    }
    curl_slist_free_all(headers);
    sl_cli_buf_free(&body);
}

/* ---- over all servers ---- */

static void call_round(struct sl_cli_client *c, const struct sl_cli_call *call, struct sl_cli_answer *a)
{
    bool was_sent = false;
    for (size_t i = 0; i < c->server_count; i++) {
        sl_cli_answer_deinit(a);
        call_once(c, call, a);
        was_sent = was_sent || a->was_sent;
        a->was_sent = was_sent;
        if (a->reach != SL_CLI_UNREACHED || (was_sent && !call->is_idempotent))
            return;
        sl_cli_client_rotate(c);
    }
}

static bool call_pause(struct sl_cli_client *c, uint64_t until_ms)
{
    for (uint64_t now = sl_cli_now_ms(); now < until_ms; now = sl_cli_now_ms()) {
        if (!sl__cli_wait(c, until_ms - now))
            return false;
    }
    return true;
}

/* The node asked for becomes the first one for a moment. */
static void call_at(struct sl_cli_client *c, const struct sl_cli_call *call, struct sl_cli_answer *a)
{
    size_t kept = c->first, index = sl__cli_server_index(c, call->at);
    a->reach = SL_CLI_UNREACHED;
    if (index == SIZE_MAX) {
        (void)snprintf(a->error, sizeof a->error, "%.200s is no address", call->at);
        return;
    }
    c->first = index;
    call_once(c, call, a);
    c->first = kept;
}

void sl_cli_client_call(struct sl_cli_client *c, const struct sl_cli_call *call, struct sl_cli_answer *a)
{
    uint64_t give_up_ms = sl_cli_now_ms() + (call->timeout_ms > 0 ? call->timeout_ms : c->timeout_ms);
    *a = (struct sl_cli_answer){ 0 };
    if (call->at) {
        call_at(c, call, a);
        return;
    }
    for (;;) {
        call_round(c, call, a);
        bool may_wait = !call->is_single && sl_cli_now_ms() + CLIENT_BACKOFF_MS < give_up_ms;
        if (!sl_cli_answer_is_transient(a) || !may_wait)
            return;
        if (!call_pause(c, sl_cli_now_ms() + CLIENT_BACKOFF_MS)) {
            a->reach = SL_CLI_INTERRUPTED;
            return;
        }
    }
}
