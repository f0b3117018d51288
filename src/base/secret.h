/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_BASE_SECRET_H
#define SL_BASE_SECRET_H

#include "base/str.h"

/*
 * Bytes that must not be shown: sink URIs, passwords, feed configurations that contain them. A type of its own, so
 * that no formatter, event field or error text accepts it; who needs the bytes calls sl_secret_reveal, and a reader
 * can search for that name. A view: owns nothing.
 */
struct sl_secret {
    struct sl_bytes hidden;
};

static inline struct sl_secret sl_secret_of(struct sl_bytes b)
{
    return (struct sl_secret){ b };
}
static inline struct sl_bytes sl_secret_reveal(struct sl_secret s)
{
    return s.hidden;
}

#endif
