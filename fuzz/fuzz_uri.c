/* SPDX-License-Identifier: Apache-2.0 */
/*
 * URIs of sources and sinks, as a user may write them: understood or refused, and what is said of them never holds the
 * password or the value of a parameter.
 */
#define _GNU_SOURCE /* NOLINT(cert-dcl37-c,cert-dcl51-cpp) for memmem */
#include "edge/mariadb/mariadb_conn.h"

#include <stdlib.h>
#include <string.h>

enum { SECRET_BYTES_MIN = 6 }; /* what is shorter may stand in any sentence */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A word that also stands elsewhere in the URI may be said as what it is there, such as the name of a parameter. */
static bool stands_twice(const uint8_t *data, size_t size, const char *word, size_t len)
{
    const uint8_t *first = memmem(data, size, word, len);
    return first && memmem(first + 1, size - (size_t)(first + 1 - data), word, len) != NULL;
}

static void check_unsaid(const struct sl_trouble *t, struct sl_str secret, const uint8_t *data, size_t size)
{
    char word[64];
    if (secret.len < SECRET_BYTES_MIN || secret.len >= sizeof word)
        return;
    memcpy(word, secret.ptr, secret.len);
    word[secret.len] = '\0';
    /* A quote may belong to the sentence. */
    if (strchr(word, '\'') || stands_twice(data, size, word, secret.len))
        return;
    SL_REQUIRE(!strstr(t->detail, word) && !strstr(t->remedy, word));
}

static bool takes_none(void *ctx, const struct sl_uri_param *param)
{
    char value[64];
    uint64_t number;
    bool flag;
    (void)ctx;
    if (sl_uri_decode(value, sizeof value, param->value))
        SL_REQUIRE(memchr(value, '\0', sizeof value) != NULL);
    return sl_uri_u64(&number, param->value, 1000) || sl_uri_bool(&flag, param->value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct sl_mariadb_target target;
    struct sl_secret text = sl_secret_of((struct sl_bytes){ data, size });
    struct sl_trouble t = { .kind = SL_TROUBLE_NONE };
    struct sl_uri uri;
    if (!sl_uri_parse(&uri, text, &t)) {
        SL_REQUIRE(t.code[0] != '\0' && uri.scheme.len == 0);
        return 0;
    }
    struct sl_str rest = uri.query;
    struct sl_uri_param param;
    size_t left = rest.len + 1;
    while (sl_uri_next_param(&rest, &param)) {
        SL_REQUIRE(rest.len < left); /* it ends */
        left = rest.len;
        SL_REQUIRE(param.name.len + param.value.len <= uri.query.len);
    }
    if (!sl_mariadb_target_parse(&target, text, takes_none, NULL, &t)) {
        SL_REQUIRE(t.code[0] != '\0');
        check_unsaid(&t, uri.password, data, size);
    }
    sl_mariadb_target_wipe(&target);
    SL_REQUIRE(target.password[0] == '\0');
    return 0;
}
