/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_HTTP_CLOCK_H
#define SL_EDGE_HTTP_CLOCK_H

#include "base/str.h"

/* Times as clients write and read them. Wall clock in milliseconds since 1970. */
#define SL__TIME_BYTES 40
const char *sl__time_rfc3339(char out[SL__TIME_BYTES], uint64_t wall_ms); /* UTC, milliseconds */
const char *sl__time_local(char out[SL__TIME_BYTES], uint64_t wall_ms);   /* "2006-01-02 15:04:05.000" */
uint64_t sl__time_wall_ms(void);
/* "10m", "1h30m", "5s", "250ms", a bare number is seconds. False: nothing of this. */
bool sl__time_parse_ms(struct sl_str text, uint64_t *ms);

#endif
