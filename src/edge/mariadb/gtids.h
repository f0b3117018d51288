/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_MARIADB_GTIDS_H
#define SL_EDGE_MARIADB_GTIDS_H

#include "edge/mariadb/binlog_event.h"

/*
 * A position that every server of the same data understands: of each replication domain the last transaction. The text is
 * MariaDB's, "domain-server-number" joined by commas, here always ascending by domain, so that equal positions have equal
 * texts. Values; nothing allocates.
 */
#define SL_GTIDS_MAX 16u
#define SL_GTIDS_TEXT_MAX ((size_t)SL_GTIDS_MAX * 44)

struct sl_gtids {
    struct sl_gtid at[SL_GTIDS_MAX]; /* ascending by domain */
    uint32_t count;
    bool is_over; /* there were more domains: it says nothing */
};

/* Becomes the last one of its domain. */
void sl_gtids_put(struct sl_gtids *g, struct sl_gtid gtid);
/* Those of newer, and of older in the domains that newer does not have. */
void sl_gtids_complete(struct sl_gtids *newer, const struct sl_gtids *older);
/* Null: none of the domain. Valid until the next change. */
const struct sl_gtid *sl_gtids_of(const struct sl_gtids *g, uint32_t domain);
/* Any order, blanks behind commas. False, *out empty: it is not of that form, or has more than SL_GTIDS_MAX domains. */
SL_CHECKED bool sl_gtids_parse(struct sl_gtids *out, struct sl_str text);
/* Empty if is_over. out: SL_GTIDS_TEXT_MAX bytes. */
struct sl_str sl_gtids_format(char *out, const struct sl_gtids *g);
struct sl_str sl_gtid_format(char *out, struct sl_gtid gtid);

#endif
