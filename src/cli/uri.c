/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/text.h"

#include <string.h>
#include <strings.h>

/* A piece of a URI that is a secret. */
struct uri_secret {
    size_t at, len;
};

/* "user:password@" of the authority; the last '@' before the path counts, as passwords hold unescaped ones. */
static bool uri_password(const char *uri, struct uri_secret *out)
{
    const char *start = strstr(uri, "://");
    if (!start)
        return false;
    start += 3;
    size_t len = strcspn(start, "/?#"), at = len;
    while (at > 0 && start[at - 1] != '@')
        at--;
    const char *colon = memchr(start, ':', at);
    if (at == 0 || !colon)
        return false;
    out->at = (size_t)(colon + 1 - uri);
    out->len = (size_t)(start + at - 1 - (colon + 1));
    return true;
}

static bool uri_is_secret_name(const char *name, size_t len)
{
    static const char *const parts[] = { "password", "passwd", "secret", "token", "credential" };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        size_t part = strlen(parts[i]);
        for (size_t at = 0; at + part <= len; at++) {
            if (strncasecmp(name + at, parts[i], part) == 0)
                return true;
        }
    }
    return false;
}

/* The next secret value of the query at or after *from, which then stands behind it. */
static bool uri_query_secret(const char *uri, size_t *from, struct uri_secret *out)
{
    while (uri[*from] != '\0') {
        const char *name = uri + *from;
        size_t len = strcspn(name, "&"), name_len = strcspn(name, "=&");
        *from += len + (name[len] != '\0');
        if (name_len < len && uri_is_secret_name(name, name_len)) {
            *out = (struct uri_secret){ (size_t)(name - uri) + name_len + 1, len - name_len - 1 };
            return true;
        }
    }
    return false;
}

static size_t uri_query_start(const char *uri)
{
    size_t at = strcspn(uri, "?");
    return at + (uri[at] == '?');
}

#define URI_SECRETS_MAX 32
/* In the order in which they begin. In what only looks like a URI they may overlap. */
static size_t uri_secrets(const char *uri, struct uri_secret *out)
{
    struct uri_secret password;
    size_t count = 0, from = uri_query_start(uri), at = 0;
    bool has_password = uri_password(uri, &password);
    while (count < URI_SECRETS_MAX - 1 && uri_query_secret(uri, &from, &out[count]))
        count++;
    if (!has_password)
        return count;
    while (at < count && out[at].at < password.at)
        at++;
    memmove(&out[at + 1], &out[at], (count - at) * sizeof *out);
    out[at] = password;
    return count + 1;
}

void sl_cli_mask_uri(char *to, size_t size, const char *uri)
{
    struct uri_secret secrets[URI_SECRETS_MAX];
    size_t count = uri_secrets(uri, secrets), at = 0;
    struct sl_cli_buf masked = { 0 };
    for (size_t i = 0; i < count; i++) {
        size_t end = secrets[i].at + secrets[i].len;
        if (secrets[i].at >= at) {
            sl_cli_add_bytes(&masked, uri + at, secrets[i].at - at);
            sl_cli_add(&masked, "xxxxx");
        }
        at = end > at ? end : at;
    }
    /* More secrets than there is room for: the rest is not worth the risk. */
    sl_cli_add(&masked, count < URI_SECRETS_MAX - 1 ? uri + at : "...");
    sl_cli_clean(to, size, masked.ptr);
    sl_cli_buf_free(&masked);
}

void sl_cli_blot_uri(char *uri)
{
    struct uri_secret secrets[URI_SECRETS_MAX];
    size_t count = uri_secrets(uri, secrets);
    for (size_t i = 0; i < count; i++)
        memset(uri + secrets[i].at, 'x', secrets[i].len);
    if (count >= URI_SECRETS_MAX - 1)
        memset(uri, 'x', strlen(uri));
}
