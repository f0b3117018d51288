/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/http/auth.h"

#include <crypt.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    AUTH_USERS_MAX = 256,
    AUTH_LINE_BYTES_MAX = 1024,
    AUTH_HASH_BYTES_MAX = 384,
    AUTH_PASSWORD_BYTES_MAX = 256,
    AUTH_CHECKS_MAX = 4,
    AUTH_REMEMBERED_MAX = 64,
    AUTH_DIGEST_BYTES = 32,
};
#define AUTH_REMEMBER_NS (300 * SL_S)

struct auth_user {
    char name[SL__USER_MAX + 1];
    enum sl__role role;
    char hash[AUTH_HASH_BYTES_MAX];
};

struct auth_remembered { /* a pair of user and password that was right */
    uint8_t digest[AUTH_DIGEST_BYTES];
    sl_ns until;
    enum sl__role role;
};

struct sl__auth {
    uv_loop_t *loop;
    struct auth_user *users;
    uint32_t user_count, check_count, remember_at;
    struct auth_remembered remembered[AUTH_REMEMBERED_MAX];
    uint8_t key[AUTH_DIGEST_BYTES];
    uint64_t file_version; /* a check that began under an older file does not count */
    bool freed;
};

/* One check in the pool: owns all it looks at. */
struct auth_check {
    uv_work_t work;
    struct sl__auth *auth;
    char hash[AUTH_HASH_BYTES_MAX];
    char password[AUTH_PASSWORD_BYTES_MAX + 1];
    uint8_t digest[AUTH_DIGEST_BYTES];
    bool is_user, right;
    enum sl__role role;
    uint64_t file_version;
    sl_ns now;
    sl__auth_done *done;
    void *ctx;
    uint64_t tag;
};

/* ---- the file ---- */

static bool auth_parse_line(char *line, struct auth_user *user)
{
    char *role = strchr(line, ':');
    char *hash = role ? strchr(role + 1, ':') : NULL;
    if (!hash)
        return false;
    *role++ = '\0';
    *hash++ = '\0';
    size_t name_len = strlen(line), hash_len = strlen(hash);
    if (name_len == 0 || name_len > SL__USER_MAX || hash_len == 0 || hash_len >= AUTH_HASH_BYTES_MAX)
        return false;
    if (!sl_str_is_printable_utf8(sl_str_of(line)) || crypt_checksalt(hash) == CRYPT_SALT_INVALID)
        return false;
    memcpy(user->name, line, name_len + 1);
    memcpy(user->hash, hash, hash_len + 1);
    user->role = strcmp(role, "operator") == 0 ? SL__OPERATOR : SL__VIEWER;
    return user->role == SL__OPERATOR || strcmp(role, "viewer") == 0;
}

static bool auth_is_blank(const char *line)
{
    return line[0] == '\0' || line[0] == '#';
}

static enum sl_code auth_read(FILE *f, struct auth_user *users, uint32_t *count, struct sl_err *err)
{
    char line[AUTH_LINE_BYTES_MAX];
    for (uint32_t number = 1; fgets(line, sizeof line, f); number++) {
        size_t len = strlen(line);
        bool whole = len > 0 && line[len - 1] == '\n';
        if (!whole && !feof(f))
            return sl_err_set(err, SL_BAD_CONFIG, "users file, line %u: too long", number);
        line[strcspn(line, "\r\n")] = '\0';
        if (auth_is_blank(line))
            continue;
        if (*count == AUTH_USERS_MAX)
            return sl_err_set(err, SL_BAD_CONFIG, "users file: more than %d users", AUTH_USERS_MAX);
        if (!auth_parse_line(line, &users[*count]))
            return sl_err_set(err, SL_BAD_CONFIG,
                              "users file, line %u: not NAME:ROLE:HASH with role viewer or operator", number);
        for (uint32_t i = 0; i < *count; i++) {
            if (strcmp(users[i].name, users[*count].name) == 0)
                return sl_err_set(err, SL_BAD_CONFIG, "users file, line %u: a user comes twice", number);
        }
        ++*count;
    }
    OPENSSL_cleanse(line, sizeof line);
    if (ferror(f))
        return sl_err_set(err, SL_BAD_CONFIG, "users file cannot be read");
    return *count > 0 ? SL_OK : sl_err_set(err, SL_BAD_CONFIG, "users file holds no user: nobody could do anything");
}

enum sl_code sl__auth_reload(struct sl__auth *a, const char *file, struct sl_err *err)
{
    uint32_t count = 0;
    struct auth_user *users = calloc(AUTH_USERS_MAX, sizeof *users);
    FILE *f = users ? fopen(file, "re") : NULL;
    enum sl_code code = SL_OK;
    if (!users)
        return sl_err_set(err, SL_NOMEM, "no memory for users");
    if (!f)
        code = sl_err_set(err, SL_BAD_CONFIG, "users file cannot be opened: %s", file);
    else
        code = auth_read(f, users, &count, err);
    if (f)
        fclose(f);
    if (code != SL_OK) {
        free(users);
        return code;
    }
    free(a->users);
    a->users = users;
    a->user_count = count;
    a->file_version++;
    memset(a->remembered, 0, sizeof a->remembered);
    return SL_OK;
}

enum sl_code sl__auth_new(struct sl__auth **out, uv_loop_t *loop, const char *file, struct sl_err *err)
{
    *out = NULL;
    struct sl__auth *a = calloc(1, sizeof *a);
    if (!a || RAND_bytes(a->key, sizeof a->key) != 1) {
        free(a);
        return sl_err_set(err, SL_NOMEM, "no memory for users");
    }
    a->loop = loop;
    enum sl_code code = sl__auth_reload(a, file, err);
    if (code != SL_OK) {
        free(a);
        return code;
    }
    *out = a;
    return SL_OK;
}

static void auth_destroy(struct sl__auth *a)
{
    free(a->users);
    OPENSSL_cleanse(a, sizeof *a);
    free(a);
}

void sl__auth_free(struct sl__auth *a)
{
    if (!a)
        return;
    a->freed = true;
    if (a->check_count == 0)
        auth_destroy(a);
}

/* ---- checks ---- */

static void auth_work(uv_work_t *work)
{
    struct auth_check *check = work->data;
    struct crypt_data *data = calloc(1, sizeof *data);
    const char *made = data ? crypt_r(check->password, check->hash, data) : NULL;
    size_t len = made ? strlen(made) : 0;
    check->right = made && len == strlen(check->hash) && made[0] != '*' && CRYPTO_memcmp(made, check->hash, len) == 0 &&
                   check->is_user;
    if (data)
        OPENSSL_cleanse(data, sizeof *data);
    free(data);
}

static void auth_remember(struct sl__auth *a, const struct auth_check *check)
{
    struct auth_remembered *r = &a->remembered[a->remember_at++ % AUTH_REMEMBERED_MAX];
    memcpy(r->digest, check->digest, sizeof r->digest);
    r->until = check->now + AUTH_REMEMBER_NS;
    r->role = check->role;
}

static void auth_worked(uv_work_t *work, int status)
{
    struct auth_check *check = work->data;
    struct sl__auth *a = check->auth;
    bool right = status == 0 && check->right && check->file_version == a->file_version;
    a->check_count--;
    if (right)
        auth_remember(a, check);
    if (!a->freed)
        check->done(check->ctx, check->tag, right, check->role);
    else if (a->check_count == 0)
        auth_destroy(a);
    OPENSSL_cleanse(check, sizeof *check);
    free(check);
}

/* A hash nobody has, so that an unknown user costs the same time as a wrong password. */
static const char *auth_any_hash(const struct sl__auth *a)
{
    return a->users[0].hash;
}

static enum sl__auth_verdict auth_start(struct sl__auth *a, struct auth_check *check)
{
    if (a->check_count >= AUTH_CHECKS_MAX)
        return SL__AUTH_BUSY;
    struct auth_check *own = malloc(sizeof *own);
    if (!own)
        return SL__AUTH_BUSY;
    *own = *check;
    own->work.data = own;
    if (uv_queue_work(a->loop, &own->work, auth_work, auth_worked) != 0) {
        free(own);
        return SL__AUTH_BUSY;
    }
    a->check_count++;
    return SL__AUTH_LATER;
}

/* "Basic <base64 of user:password>" into text; its length, or 0. */
static size_t auth_decode(struct sl_str header, char *text, size_t cap)
{
    static const char scheme[] = "Basic ";
    if (header.len <= strlen(scheme) || header.len - strlen(scheme) > cap / 3 * 4)
        return 0;
    for (size_t i = 0; i < strlen(scheme); i++) {
        if ((header.ptr[i] | 0x20) != (scheme[i] | 0x20))
            return 0;
    }
    struct sl_str code = { header.ptr + strlen(scheme), header.len - strlen(scheme) };
    if (code.len % 4 != 0)
        return 0;
    int len = EVP_DecodeBlock((unsigned char *)text, (const unsigned char *)code.ptr, (int)code.len);
    if (len <= 0)
        return 0;
    len -= code.ptr[code.len - 1] == '=';
    len -= code.ptr[code.len - 2] == '=';
    return len > 0 ? (size_t)len : 0;
}

static bool auth_look_up(struct sl__auth *a, const struct auth_check *check, sl_ns now, enum sl__role *role)
{
    for (uint32_t i = 0; i < AUTH_REMEMBERED_MAX; i++) {
        const struct auth_remembered *r = &a->remembered[i];
        if (r->until > now && CRYPTO_memcmp(r->digest, check->digest, sizeof r->digest) == 0) {
            *role = r->role;
            return true;
        }
    }
    return false;
}

/* text = "user:password" of len bytes. False: not of this form, or too long. */
static bool auth_split(const struct sl__auth *a, const char *text, size_t len, char *user, struct auth_check *check)
{
    const char *colon = memchr(text, ':', len);
    size_t user_len = colon ? (size_t)(colon - text) : 0;
    size_t password_len = colon ? len - user_len - 1 : 0;
    if (user_len == 0 || user_len > SL__USER_MAX || password_len > AUTH_PASSWORD_BYTES_MAX || memchr(text, '\0', len))
        return false;
    memcpy(user, text, user_len);
    user[user_len] = '\0';
    memcpy(check->password, colon + 1, password_len);
    check->password[password_len] = '\0';
    const char *hash = auth_any_hash(a);
    for (uint32_t i = 0; i < a->user_count; i++) {
        if (strcmp(a->users[i].name, user) == 0) {
            check->is_user = true;
            check->role = a->users[i].role;
            hash = a->users[i].hash;
        }
    }
    memcpy(check->hash, hash, strlen(hash) + 1);
    return true;
}

enum sl__auth_verdict sl__auth_check(struct sl__auth *a, struct sl_secret header, sl_ns now, enum sl__role *role,
                                     char *user, sl__auth_done *done, void *ctx, uint64_t tag)
{
    char text[(SL__USER_MAX + AUTH_PASSWORD_BYTES_MAX + 1) * 2] = { 0 };
    struct auth_check check = { .auth = a, .now = now, .done = done, .ctx = ctx, .tag = tag };
    struct sl_bytes bytes = sl_secret_reveal(header);
    enum sl__auth_verdict verdict = SL__AUTH_NO;
    unsigned digest_len = 0;
    check.file_version = a->file_version;
    user[0] = '\0';
    size_t len = auth_decode((struct sl_str){ (const char *)bytes.ptr, bytes.len }, text, sizeof text);
    if (len > 0 && auth_split(a, text, len, user, &check) &&
        HMAC(EVP_sha256(), a->key, sizeof a->key, (const unsigned char *)text, len, check.digest, &digest_len))
        verdict = auth_look_up(a, &check, now, role) ? SL__AUTH_YES : auth_start(a, &check);
    if (verdict == SL__AUTH_NO)
        user[0] = '\0';
    OPENSSL_cleanse(text, sizeof text);
    OPENSSL_cleanse(&check, sizeof check);
    return verdict;
}
