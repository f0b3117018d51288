/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_MARIADB_BINLOG_TEMPORAL_H
#define SL_EDGE_MARIADB_BINLOG_TEMPORAL_H

#include "base/cursor.h"

/*
 * Dates, times and decimals of the log, spelled as the server spells them. Each function writes into the caller's text
 * (not NUL-terminated) and returns how many bytes.
 */
#define SL_DECIMAL_TEXT_MAX 80u
#define SL_TEMPORAL_TEXT_MAX 48u

size_t sl_decimal_bytes(unsigned precision, unsigned scale);
/* packed has sl_decimal_bytes; 0 if a group of digits is out of range. */
size_t sl_decimal_format(char text[SL_DECIMAL_TEXT_MAX], struct sl_bytes packed, unsigned precision, unsigned scale);

size_t sl_date_format(char text[SL_TEMPORAL_TEXT_MAX], uint32_t packed);
/* digits: of the fraction, 0 to 6. A failed cursor gives a text of no meaning. */
size_t sl_time_format(char text[SL_TEMPORAL_TEXT_MAX], struct sl_cursor *c, unsigned digits);
size_t sl_datetime_format(char text[SL_TEMPORAL_TEXT_MAX], struct sl_cursor *c, unsigned digits);
/* In UTC. */
size_t sl_timestamp_format(char text[SL_TEMPORAL_TEXT_MAX], struct sl_cursor *c, unsigned digits);

/* As MySQL packs them in JSON, with six digits of a fraction. 0 if there is no such time. */
size_t sl_packed_time_format(char text[SL_TEMPORAL_TEXT_MAX], int64_t packed);
size_t sl_packed_datetime_format(char text[SL_TEMPORAL_TEXT_MAX], int64_t packed, bool is_date);

#endif
