/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/http/mask.h"

#include <ctype.h>
#include <string.h>

#define MASK_TEXT "xxxxx"
enum { MASK_KEY_BYTES_MAX = 128, MASK_URI_BYTES_MAX = 16384 };

static bool mask_key_has(struct sl_str key, const char *word)
{
    size_t len = strlen(word);
    for (size_t at = 0; at + len <= key.len; at++) {
        size_t i = 0;
        while (i < len && tolower((unsigned char)key.ptr[at + i]) == word[i])
            i++;
        if (i == len)
            return true;
    }
    return false;
}

bool sl__mask_is_secret_key(struct sl_str key)
{
    static const char *const words[] = { "password",    "passwd",      "passphrase",  "secret",    "token",
                                         "credential",  "access-key",  "access_key",  "accesskey", "account-key",
                                         "account_key", "private-key", "private_key", "api-key",   "api_key",
                                         "signature",   "auth" };
    /* Names that hold one of the words and tell nothing. */
    static const char *const harmless[] = { "auth-type", "auth_type", "author" };
    for (size_t i = 0; i < sizeof harmless / sizeof harmless[0]; i++) {
        if (mask_key_has(key, harmless[i]))
            return false;
    }
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (mask_key_has(key, words[i]))
            return true;
    }
    /* Short names that clients of storage services use. */
    return (key.len == 3 && (memcmp(key.ptr, "sig", 3) == 0 || memcmp(key.ptr, "pwd", 3) == 0)) ||
           (key.len == 8 && memcmp(key.ptr, "sas-code", 8) == 0);
}

static size_t mask_find(struct sl_str s, size_t from, size_t end, char c)
{
    while (from < end && s.ptr[from] != c)
        from++;
    return from;
}

/* "host:3306", "b1:9092,b2:9092/topic", "[::1]:3306": what follows a colon is a port. */
static bool mask_is_ports(struct sl_str s, size_t from, size_t end)
{
    if (from < end && s.ptr[from] == '[')
        return true;
    bool in_port = false;
    for (size_t i = from; i < end && s.ptr[i] != '/'; i++) {
        char c = s.ptr[i];
        if (c == ':' || c == ',')
            in_port = c == ':';
        else if (in_port && !isdigit((unsigned char)c))
            return false;
    }
    return true;
}

/*
 * secret_from..secret_to is the password before the host; both are 0 without one. A password may hold what should have
 * been escaped: the last '@' before the parameters counts, and if there is none but the place of a port holds no
 * number, the last one at all.
 */
static void mask_authority(struct sl_str s, size_t from, size_t *secret_from, size_t *secret_to)
{
    size_t end = from;
    size_t at = SIZE_MAX;
    for (; end < s.len && s.ptr[end] != '?' && s.ptr[end] != '#'; end++) {
        if (s.ptr[end] == '@')
            at = end;
    }
    if (at == SIZE_MAX && !mask_is_ports(s, from, end)) {
        for (at = s.len; at > end && (at == s.len || s.ptr[at] != '@');)
            at--;
        at = at > end ? at : end;
    }
    *secret_from = *secret_to = 0;
    if (at == SIZE_MAX)
        return;
    size_t colon = mask_find(s, from, at, ':');
    if (colon < at) {
        *secret_from = colon + 1;
        *secret_to = at;
    }
}

static int mask_hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "%70assword" is a password too. */
static bool mask_is_secret_parameter(struct sl_str name)
{
    char plain[MASK_KEY_BYTES_MAX];
    size_t len = 0;
    for (size_t i = 0; i < name.len; i++) {
        if (len == sizeof plain)
            return true; /* nobody's name of an option */
        char c = name.ptr[i];
        if (c == '%' && i + 2 < name.len && mask_hex(name.ptr[i + 1]) >= 0 && mask_hex(name.ptr[i + 2]) >= 0) {
            c = (char)(mask_hex(name.ptr[i + 1]) * 16 + mask_hex(name.ptr[i + 2]));
            i += 2;
        }
        plain[len++] = c;
    }
    return sl__mask_is_secret_key((struct sl_str){ plain, len });
}

static bool mask_parameters(struct sl__buf *out, struct sl_str s, size_t from)
{
    while (from < s.len) {
        size_t end = from;
        while (end < s.len && s.ptr[end] != '&' && s.ptr[end] != ';')
            end++;
        size_t equals = mask_find(s, from, end, '=');
        bool hide = equals < end && mask_is_secret_parameter((struct sl_str){ s.ptr + from, equals - from });
        size_t shown = hide ? equals + 1 : end;
        if (!sl__buf_add(out, s.ptr + from, shown - from) || (hide && !sl__buf_add(out, MASK_TEXT, strlen(MASK_TEXT))))
            return false;
        if (end < s.len && !sl__buf_add(out, s.ptr + end, 1))
            return false;
        from = end + 1;
    }
    return true;
}

static bool mask_write(struct sl__buf *out, struct sl_str s)
{
    size_t scheme = 0;
    while (scheme + 3 <= s.len && memcmp(s.ptr + scheme, "://", 3) != 0)
        scheme++;
    size_t from = scheme + 3 <= s.len ? scheme + 3 : 0;
    size_t secret_from, secret_to;
    mask_authority(s, from, &secret_from, &secret_to);
    size_t query = mask_find(s, from, s.len, '?');
    size_t head_end = query < s.len ? query + 1 : s.len;
    head_end = head_end < secret_to ? secret_to : head_end;
    if (secret_to > 0) {
        if (!sl__buf_add(out, s.ptr, secret_from) || !sl__buf_add(out, MASK_TEXT, strlen(MASK_TEXT)) ||
            !sl__buf_add(out, s.ptr + secret_to, head_end - secret_to))
            return false;
    } else if (!sl__buf_add(out, s.ptr, head_end)) {
        return false;
    }
    return mask_parameters(out, s, head_end);
}

bool sl__mask_uri(struct sl__buf *out, struct sl_secret uri)
{
    struct sl_bytes bytes = sl_secret_reveal(uri);
    return mask_write(out, (struct sl_str){ (const char *)bytes.ptr, bytes.len });
}

bool sl__mask_equals(struct sl_secret uri, struct sl_str shown)
{
    struct sl__buf masked = { .bytes_max = MASK_URI_BYTES_MAX };
    bool same = sl__mask_uri(&masked, uri) && sl_str_eq(sl__buf_str(&masked), shown);
    sl__buf_deinit(&masked);
    return same;
}
