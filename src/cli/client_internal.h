/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_CLI_CLIENT_INTERNAL_H
#define SL_CLI_CLIENT_INTERNAL_H

#include "cli/client.h"
#include "cli/text.h"

#include <curl/curl.h>

#define CLIENT_URL_MAX 300
#define CLIENT_SERVERS_MAX 256
#define CLIENT_BODY_BYTES_MAX (64u << 20)
#define CLIENT_EVENT_BYTES_MAX (4u << 20)
#define CLIENT_CONNECT_MS_MAX 3000
#define CLIENT_BACKOFF_MS 300 /* between rounds over the servers while there is no coordinator */

struct client_stream {
    CURL *easy; /* null: no stream */
    bool ended;
    uint64_t heard_ms;
    struct sl_cli_buf input; /* as it came */
    size_t taken;            /* of the input, by whole lines */
    struct sl_cli_buf data;  /* of the event that is being read, or was delivered last */
    bool is_delivered;
};

struct sl_cli_client {
    CURLM *multi;
    char servers[CLIENT_SERVERS_MAX][CLIENT_URL_MAX + 1];
    size_t server_count, first;
    char *ca, *cert, *key, *user, *password;
    uint64_t timeout_ms;
    struct client_stream stream;
};

/* Of this address, which is added if it is new; SIZE_MAX: it is none, or there is no room. */
size_t sl__cli_server_index(struct sl_cli_client *c, const char *address);
/* A new handle for this server and path with everything that all requests have in common; null: no memory. */
CURL *sl__cli_easy(const struct sl_cli_client *c, size_t server, const char *path, struct curl_slist *headers);
/* Waits for the network or a signal, at most that long; false: interrupted. */
bool sl__cli_wait(struct sl_cli_client *c, uint64_t timeout_ms);
/* Whether this handle's transfer is over, and how. */
bool sl__cli_is_over(struct sl_cli_client *c, const CURL *easy, CURLcode *result);

#endif
