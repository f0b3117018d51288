/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_BASE_ERR_H
#define SL_BASE_ERR_H

#include "base/check.h"

/*
 * Every code an operation of Sluice can return: name, class, meaning, and what to do about it. The class tells a caller
 * what to do without knowing the code:
 *   FINE    success
 *   RETRY   transient: the same call may work later
 *   CALLER  the caller's input is at fault: the same call will fail again
 *   FATAL   this operation cannot go on; the process can
 */
#define SL_CODES(X)                                                                                           \
    X(OK, FINE, "ok", "")                                                                                     \
    X(NOMEM, RETRY, "memory budget exhausted", "raise the memory budget or take load off the node")           \
    X(LIMIT, CALLER, "a configured limit would be exceeded", "raise the limit named in the detail")           \
    X(TRUNCATED, CALLER, "input ends too early", "the sender is broken or the bytes were cut")                \
    X(MALFORMED, CALLER, "input is not well-formed", "the sender is broken or speaks another protocol")       \
    X(UNKNOWN_TYPE, CALLER, "message type is not known", "the sender is newer than this node; upgrade it")    \
    X(BAD_FIELD, CALLER, "a field has a value it may not have", "the sender is broken; see the field's name") \
    X(MISSING_FIELD, CALLER, "a required field is absent", "the sender is broken; see the field's name")      \
    X(BAD_CONFIG, CALLER, "configuration rejected", "correct the option named in the detail")                 \
    X(NOT_FOUND, CALLER, "no such object", "list the existing ones")                                          \
    X(EXISTS, CALLER, "the object exists already", "use another name or the existing object")                 \
    X(STALE, CALLER, "the sender's epoch or version is old", "the sender must learn the current owner")       \
    X(NOT_OWNER, RETRY, "the sender is not the owner", "ask the owner")                                       \
    X(BUSY, RETRY, "the object is busy with another operation", "wait for it to end")                         \
    X(NOT_READY, RETRY, "not ready yet", "wait and try again")                                                \
    X(REFUSED, CALLER, "refused in the present state", "see the detail")

enum sl_code {
#define SL_CODE_ENUM(name, class, text, remedy) SL_##name,
    SL_CODES(SL_CODE_ENUM)
#undef SL_CODE_ENUM
        SL_CODE_COUNT
};

enum sl_code_class { SL_CLASS_FINE, SL_CLASS_RETRY, SL_CLASS_CALLER, SL_CLASS_FATAL };

/* Static strings, valid for ever. code must be a value of the enum. */
const char *sl_code_name(enum sl_code code);
const char *sl_code_text(enum sl_code code);
const char *sl_code_remedy(enum sl_code code);
enum sl_code_class sl_code_class(enum sl_code code);

/*
 * Where the detail of an error lives: in the caller. Never holds a secret: only sl_err_set writes text, from
 * literals and ids.
 */
struct sl_err {
    enum sl_code code;
    const char *file;
    int line;
    char text[160];
};

/*
 * Fills e (which may be NULL) and returns code, so that "return sl_err_set(e, SL_LIMIT, ...)" reads well. Text is
 * cut, never overrun.
 */
#define sl_err_set(e, code, ...) sl_err_set_at((e), (code), __FILE__, __LINE__, __VA_ARGS__)
enum sl_code sl_err_set_at(struct sl_err *e, enum sl_code code, const char *file, int line, const char *fmt, ...)
    SL_PRINTF(5, 6);

#endif
