/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_HTTP_AUTH_H
#define SL_EDGE_HTTP_AUTH_H

#include "base/err.h"
#include "base/secret.h"
#include "base/units.h"
#include "edge/http/router.h"

#include <uv.h>

/*
 * Who may use the API. A file with one user per line, "NAME:ROLE:HASH": role viewer or operator, hash as crypt(5) makes
 * it (yescrypt: mkpasswd -m yescrypt). Lines that are empty or begin with '#' are passed over.
 *
 * Such a hash takes tens of milliseconds to check, on purpose. So it is checked in a thread of libuv's pool, a few at a
 * time; what was right is remembered for a while as a keyed digest, never the password. Wrong ones are not remembered:
 * each costs the guesser that time, and more than a few at once are turned away.
 */
#define SL__USER_MAX 64

struct sl__auth;

/* SL_BAD_CONFIG: the file cannot be read or has a bad line (its number is in err, never its text); SL_NOMEM. */
SL_CHECKED enum sl_code sl__auth_new(struct sl__auth **out, uv_loop_t *loop, const char *file, struct sl_err *err);
/* Takes the file's present content; on an error nothing changes. */
SL_CHECKED enum sl_code sl__auth_reload(struct sl__auth *a, const char *file, struct sl_err *err);
/* Checks that are still running are waited for by the loop; their callbacks are not called. Null allowed. */
void sl__auth_free(struct sl__auth *a);

enum sl__auth_verdict {
    SL__AUTH_YES,
    SL__AUTH_NO,
    SL__AUTH_LATER, /* done is called with the outcome, not from inside */
    SL__AUTH_BUSY,  /* too many checks at once */
};
typedef void sl__auth_done(void *ctx, uint64_t tag, bool right, enum sl__role role);

/* header = the value of "Authorization", or empty. On YES role and user (NUL-terminated, SL__USER_MAX + 1 bytes). On
 * LATER user is filled in too. */
enum sl__auth_verdict sl__auth_check(struct sl__auth *a, struct sl_secret header, sl_ns now, enum sl__role *role,
                                     char *user, sl__auth_done *done, void *ctx, uint64_t tag);

#endif
