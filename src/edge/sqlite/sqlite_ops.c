/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/sqlite/sqlite_internal.h"

#include <string.h>
#include <sys/random.h>

/* A pointer for an empty blob too: a null one would be bound as NULL. */
static void ops_bind_blob(sqlite3_stmt *s, int index, const void *ptr, size_t size)
{
    sqlite3_bind_blob64(s, index, size > 0 ? ptr : "", size, SQLITE_STATIC);
}

static void ops_bind_key(sqlite3_stmt *s, int index, struct sl_str key)
{
    ops_bind_blob(s, index, key.ptr, key.len);
}

/* Steps a statement that gives at most one row. rc: ROW, DONE or an error. */
static int ops_done(sqlite3_stmt *s)
{
    int rc = sqlite3_step(s);
    sqlite3_reset(s);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* ---- keys ---- */

/* One change at the revision of the running transaction. */
static int ops_log(struct sqlite_db *d, struct sl_str key, struct sl_bytes value, sl_revision create_revision,
                   sl_lease_id lease, bool deleted)
{
    int rc = SQLITE_OK;
    sqlite3_stmt *s = sl__sqlite_use(d, STMT_LOG_ADD, &rc);
    if (!s)
        return rc;
    sqlite3_bind_int64(s, 1, d->revision);
    ops_bind_key(s, 2, key);
    ops_bind_blob(s, 3, value.ptr, value.len);
    sqlite3_bind_int64(s, 4, create_revision);
    sqlite3_bind_int64(s, 5, (sqlite3_int64)lease);
    sqlite3_bind_int64(s, 6, deleted);
    d->is_meta_dirty = true;
    return ops_done(s);
}

static int ops_put(struct sqlite_db *d, const struct sl_store_action *a)
{
    int rc = SQLITE_OK;
    sqlite3_stmt *s = sl__sqlite_use(d, STMT_KV_PUT, &rc);
    if (!s)
        return rc;
    ops_bind_key(s, 1, a->key);
    ops_bind_blob(s, 2, a->value.ptr, a->value.len);
    sqlite3_bind_int64(s, 3, d->revision);
    sqlite3_bind_int64(s, 4, (sqlite3_int64)a->lease);
    rc = sqlite3_step(s);
    sl_revision create_revision = rc == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
    if (rc == SQLITE_ROW)
        rc = sqlite3_step(s);
    sqlite3_reset(s);
    return rc == SQLITE_DONE ? ops_log(d, a->key, a->value, create_revision, a->lease, false) : rc;
}

static int ops_delete(struct sqlite_db *d, struct sl_str key)
{
    int rc = SQLITE_OK;
    sqlite3_stmt *s = sl__sqlite_use(d, STMT_KV_DELETE, &rc);
    if (!s)
        return rc;
    ops_bind_key(s, 1, key);
    rc = ops_done(s);
    if (rc != SQLITE_OK || sqlite3_changes(d->handle) == 0)
        return rc;
    return ops_log(d, key, (struct sl_bytes){ 0 }, 0, 0, true);
}

/* Zeros for a key that is not there. */
static int ops_revisions(struct sqlite_db *d, struct sl_str key, sl_revision *created, sl_revision *modified)
{
    int rc = SQLITE_OK;
    *created = *modified = 0;
    sqlite3_stmt *s = sl__sqlite_use(d, STMT_KV_REVISIONS, &rc);
    if (!s)
        return rc;
    ops_bind_key(s, 1, key);
    rc = sqlite3_step(s);
    if (rc == SQLITE_ROW) {
        *created = sqlite3_column_int64(s, 0);
        *modified = sqlite3_column_int64(s, 1);
    }
    sqlite3_reset(s);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int ops_value_equals(struct sqlite_db *d, struct sl_str key, struct sl_bytes value, bool *equals)
{
    int rc = SQLITE_OK;
    *equals = false;
    sqlite3_stmt *s = sl__sqlite_use(d, STMT_KV_VALUE, &rc);
    if (!s)
        return rc;
    ops_bind_key(s, 1, key);
    rc = sqlite3_step(s);
    if (rc == SQLITE_ROW) {
        struct sl_bytes mine = { sqlite3_column_blob(s, 0), (size_t)sqlite3_column_bytes(s, 0) };
        *equals = sl_bytes_eq(mine, value);
    }
    sqlite3_reset(s);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* The least text that is greater than all with this prefix, in place; false: there is none. */
static bool ops_prefix_end(uint8_t *text, size_t *len)
{
    while (*len > 0 && text[*len - 1] == 0xff)
        (*len)--;
    if (*len == 0)
        return false;
    text[*len - 1]++;
    return true;
}

int sl__sqlite_range(struct sqlite_db *d, struct sl_str key, bool exact, struct sqlite_rows *rows)
{
    uint8_t end[SQLITE_KEY_BYTES_MAX];
    size_t end_len = key.len;
    int rc = SQLITE_OK;
    SL_REQUIRE(key.len <= sizeof end);
    if (key.len > 0)
        memcpy(end, key.ptr, key.len);
    bool is_bounded = !exact && ops_prefix_end(end, &end_len);
    enum sqlite_statement many = is_bounded ? STMT_KV_BETWEEN : STMT_KV_FROM;
    sqlite3_stmt *s = sl__sqlite_use(d, exact ? STMT_KV_GET : many, &rc);
    if (!s)
        return rc;
    ops_bind_key(s, 1, key);
    if (is_bounded)
        ops_bind_blob(s, 2, end, end_len);
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        if (rows->bytes > SQLITE_RANGE_BYTES_MAX || !sl__sqlite_rows_add_pair(rows, s)) {
            rc = SQLITE_NOMEM;
            break;
        }
    }
    sqlite3_reset(s);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* ---- leases ---- */

static int ops_lease_ttl(struct sqlite_db *d, sl_lease_id lease, sl_ns *ttl_ns)
{
    int rc = SQLITE_OK;
    *ttl_ns = 0;
    sqlite3_stmt *s = sl__sqlite_use(d, STMT_LEASE_GET, &rc);
    if (!s)
        return rc;
    sqlite3_bind_int64(s, 1, (sqlite3_int64)lease);
    rc = sqlite3_step(s);
    if (rc == SQLITE_ROW)
        *ttl_ns = sqlite3_column_int64(s, 0);
    sqlite3_reset(s);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* The first key that hangs on the lease, into memory; *len 0 if none does. */
static int ops_key_of_lease(struct sqlite_db *d, sl_lease_id lease, uint8_t *memory, size_t *len)
{
    int rc = SQLITE_OK;
    *len = 0;
    sqlite3_stmt *s = sl__sqlite_use(d, STMT_KV_OF_LEASE, &rc);
    if (!s)
        return rc;
    sqlite3_bind_int64(s, 1, (sqlite3_int64)lease);
    rc = sqlite3_step(s);
    size_t size = rc == SQLITE_ROW ? (size_t)sqlite3_column_bytes(s, 0) : 0;
    if (rc == SQLITE_ROW && (size == 0 || size > SQLITE_KEY_BYTES_MAX))
        rc = SQLITE_CORRUPT;
    if (rc == SQLITE_ROW) {
        memcpy(memory, sqlite3_column_blob(s, 0), size);
        *len = size;
    }
    sqlite3_reset(s);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* Its keys go in one revision, ascending. */
static int ops_end_lease(struct sqlite_db *d, sl_lease_id lease)
{
    uint8_t key[SQLITE_KEY_BYTES_MAX];
    size_t len = 0;
    bool changed = false;
    int rc = SQLITE_OK;
    sqlite3_stmt *s = sl__sqlite_use(d, STMT_LEASE_DELETE, &rc);
    if (!s)
        return rc;
    sqlite3_bind_int64(s, 1, (sqlite3_int64)lease);
    rc = ops_done(s);
    while (rc == SQLITE_OK) {
        rc = ops_key_of_lease(d, lease, key, &len);
        if (rc != SQLITE_OK || len == 0)
            break;
        d->revision += changed ? 0 : 1;
        changed = true;
        rc = ops_delete(d, (struct sl_str){ (const char *)key, len });
    }
    return rc;
}

static int ops_first_lease(struct sqlite_db *d, sl_lease_id *lease, sl_ns *ends_at)
{
    int rc = SQLITE_OK;
    *lease = 0;
    *ends_at = SL_NEVER;
    sqlite3_stmt *s = sl__sqlite_use(d, STMT_LEASE_FIRST, &rc);
    if (!s)
        return rc;
    rc = sqlite3_step(s);
    if (rc == SQLITE_ROW) {
        *lease = (sl_lease_id)sqlite3_column_int64(s, 0);
        *ends_at = sqlite3_column_int64(s, 1);
    }
    sqlite3_reset(s);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int sl__sqlite_first_lease_end(struct sqlite_db *d, sl_ns *ends_at)
{
    sl_lease_id lease = 0;
    return ops_first_lease(d, &lease, ends_at);
}

static int ops_end_leases_until(struct sqlite_db *d, sl_ns time)
{
    for (;;) {
        sl_lease_id lease = 0;
        sl_ns ends_at = SL_NEVER;
        int rc = ops_first_lease(d, &lease, &ends_at);
        if (rc != SQLITE_OK || lease == 0 || ends_at > time)
            return rc;
        rc = ops_end_lease(d, lease);
        if (rc != SQLITE_OK)
            return rc;
    }
}

int sl__sqlite_end_due_leases(struct sqlite_db *d)
{
    return ops_end_leases_until(d, d->now);
}

int sl__sqlite_wipe_leases(struct sqlite_db *d)
{
    return ops_end_leases_until(d, SL_NEVER);
}

static int ops_grant(struct sqlite_db *d, const struct sl_store_op *op, struct sl_store_result *r)
{
    if (op->ttl_ns <= 0) {
        r->outcome = SL_STORE_REFUSED;
        return SQLITE_OK;
    }
    for (;;) {
        int rc = SQLITE_OK;
        uint64_t id = 0;
        if (getrandom(&id, sizeof id, 0) != (ssize_t)sizeof id)
            return SQLITE_IOERR;
        id >>= 1; /* positive, as in etcd */
        sqlite3_stmt *s = sl__sqlite_use(d, STMT_LEASE_ADD, &rc);
        if (!s)
            return rc;
        sqlite3_bind_int64(s, 1, (sqlite3_int64)id);
        sqlite3_bind_int64(s, 2, op->ttl_ns);
        sqlite3_bind_int64(s, 3, sl_ns_after(d->now, op->ttl_ns));
        rc = id == 0 ? SQLITE_OK : ops_done(s);
        if (rc != SQLITE_OK)
            return rc;
        if (id == 0 || sqlite3_changes(d->handle) == 0)
            continue;
        r->lease = id;
        r->ttl_ns = op->ttl_ns;
        d->beat++;
        d->is_meta_dirty = true;
        return SQLITE_OK;
    }
}

static int ops_keepalive(struct sqlite_db *d, const struct sl_store_op *op, struct sl_store_result *r)
{
    int rc = SQLITE_OK;
    sqlite3_stmt *s = sl__sqlite_use(d, STMT_LEASE_KEEP, &rc);
    if (!s)
        return rc;
    sqlite3_bind_int64(s, 1, (sqlite3_int64)op->lease);
    sqlite3_bind_int64(s, 2, d->now);
    rc = sqlite3_step(s);
    if (rc == SQLITE_ROW) {
        r->lease = op->lease;
        r->ttl_ns = sqlite3_column_int64(s, 0);
        d->beat++;
        d->is_meta_dirty = true;
        rc = sqlite3_step(s);
    } else if (rc == SQLITE_DONE) {
        r->outcome = SL_STORE_LEASE_GONE;
    }
    sqlite3_reset(s);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int ops_revoke(struct sqlite_db *d, const struct sl_store_op *op, struct sl_store_result *r)
{
    sl_ns ttl_ns = 0;
    int rc = ops_lease_ttl(d, op->lease, &ttl_ns);
    if (rc != SQLITE_OK)
        return rc;
    if (ttl_ns == 0) {
        r->outcome = SL_STORE_LEASE_GONE;
        return SQLITE_OK;
    }
    return ops_end_lease(d, op->lease);
}

/* ---- transactions of the port ---- */

static int ops_compare(struct sqlite_db *d, const struct sl_store_compare *c, bool *holds)
{
    sl_revision created = 0, modified = 0;
    if (c->kind == SL_COMPARE_VALUE)
        return ops_value_equals(d, c->key, c->value, holds);
    int rc = ops_revisions(d, c->key, &created, &modified);
    *holds = (c->kind == SL_COMPARE_MOD_REVISION ? modified : created) == c->revision;
    return rc;
}

static int ops_compares_hold(struct sqlite_db *d, const struct sl_store_op *op, bool *hold)
{
    *hold = true;
    for (uint32_t i = 0; i < op->compare_count && *hold; i++) {
        int rc = ops_compare(d, &op->compares[i], hold);
        if (rc != SQLITE_OK)
            return rc;
    }
    return SQLITE_OK;
}

static bool ops_names_a_key_twice(const struct sl_store_action *actions, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t j = i + 1; j < count; j++) {
            if (sl_str_eq(actions[i].key, actions[j].key))
                return true;
        }
    }
    return false;
}

/* What must hold before anything is written: the leases are there, and whether anything changes at all. */
static int ops_prepare(struct sqlite_db *d, const struct sl_store_action *actions, uint32_t count, bool *changes,
                       enum sl_store_outcome *outcome)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct sl_store_action *a = &actions[i];
        sl_revision created = 0, modified = 0;
        sl_ns ttl_ns = 0;
        int rc = SQLITE_OK;
        if (a->kind == SL_ACTION_DELETE) {
            rc = ops_revisions(d, a->key, &created, &modified);
            *changes = *changes || created > 0;
        } else {
            *changes = true;
            rc = a->lease != 0 ? ops_lease_ttl(d, a->lease, &ttl_ns) : SQLITE_OK;
            if (rc == SQLITE_OK && a->lease != 0 && ttl_ns == 0)
                *outcome = SL_STORE_LEASE_GONE;
        }
        if (rc != SQLITE_OK || *outcome != SL_STORE_OK)
            return rc;
    }
    return SQLITE_OK;
}

static int ops_txn(struct sqlite_db *d, const struct sl_store_op *op, struct sl_store_result *r)
{
    bool holds = false, changes = false;
    int rc = ops_compares_hold(d, op, &holds);
    if (rc != SQLITE_OK)
        return rc;
    const struct sl_store_action *actions = holds ? op->then : op->otherwise;
    uint32_t count = holds ? op->then_count : op->otherwise_count;
    rc = ops_prepare(d, actions, count, &changes, &r->outcome);
    if (rc != SQLITE_OK || r->outcome != SL_STORE_OK)
        return rc;
    if (ops_names_a_key_twice(actions, count)) {
        r->outcome = SL_STORE_REFUSED;
        return SQLITE_OK;
    }
    d->revision += changes ? 1 : 0;
    for (uint32_t i = 0; i < count && rc == SQLITE_OK; i++)
        rc = actions[i].kind == SL_ACTION_PUT ? ops_put(d, &actions[i]) : ops_delete(d, actions[i].key);
    r->succeeded = holds;
    return rc;
}

/* ---- watches ---- */

static void ops_watch(const struct sqlite_db *d, const struct sl_store_op *op, struct sl_store_result *r)
{
    if (op->from_revision == 0 || op->from_revision >= d->compacted)
        return;
    r->outcome = SL_STORE_COMPACTED;
    r->compacted_revision = d->compacted;
}

static bool ops_has_prefix(sqlite3_stmt *s, struct sl_str prefix)
{
    const void *key = sqlite3_column_blob(s, 0);
    size_t size = (size_t)sqlite3_column_bytes(s, 0);
    return size >= prefix.len && (prefix.len == 0 || (key && memcmp(key, prefix.ptr, prefix.len) == 0));
}

/* Reads until a revision ends at which there are enough bytes; *through: the last revision that is complete. */
static int ops_read_log(sqlite3_stmt *s, struct sl_str prefix, size_t bytes_max, sl_revision *through,
                        struct sqlite_rows *rows)
{
    int rc = SQLITE_OK;
    sl_revision revision = 0;
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        sl_revision next = sqlite3_column_int64(s, 3);
        bool is_full = rows->bytes + rows->count * sizeof *rows->events >= bytes_max;
        if (is_full && next != revision) {
            *through = revision;
            return SQLITE_DONE;
        }
        revision = next;
        if (ops_has_prefix(s, prefix) && !sl__sqlite_rows_add_event(rows, s, sqlite3_column_int(s, 5) != 0))
            return SQLITE_NOMEM;
    }
    return rc;
}

int sl__sqlite_changes(struct sqlite_db *d, struct sl_str prefix, sl_revision from, size_t bytes_max,
                       struct sl_store_watch_batch *batch, struct sqlite_rows *rows)
{
    int rc = SQLITE_OK;
    *batch = (struct sl_store_watch_batch){ .revision = d->revision };
    if (from < d->compacted) {
        batch->ended = true;
        batch->why = SL_STORE_COMPACTED;
        batch->compacted_revision = d->compacted;
        return SQLITE_OK;
    }
    sqlite3_stmt *s = sl__sqlite_use(d, STMT_LOG_FROM, &rc);
    if (!s)
        return rc;
    sqlite3_bind_int64(s, 1, from);
    rc = ops_read_log(s, prefix, bytes_max, &batch->revision, rows);
    sqlite3_reset(s);
    batch->events = rows->events;
    batch->event_count = rows->count;
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* ---- the door ---- */

bool sl__sqlite_op_writes(enum sl_store_verb verb)
{
    switch (verb) {
    case SL_STORE_RANGE:
    case SL_STORE_WATCH:
    case SL_STORE_UNWATCH:
        return false;
    case SL_STORE_TXN:
    case SL_STORE_GRANT:
    case SL_STORE_KEEPALIVE:
    case SL_STORE_REVOKE:
        return true;
    }
    SL_UNREACHABLE();
}

static int ops_perform(struct sqlite_db *d, const struct sl_store_op *op, struct sl_store_result *r,
                       struct sqlite_rows *rows)
{
    int rc = SQLITE_OK;
    switch (op->verb) {
    case SL_STORE_RANGE:
        rc = sl__sqlite_range(d, op->key, op->exact, rows);
        r->pairs = rows->pairs;
        r->pair_count = rows->count;
        return rc;
    case SL_STORE_TXN:
        return ops_txn(d, op, r);
    case SL_STORE_GRANT:
        return ops_grant(d, op, r);
    case SL_STORE_KEEPALIVE:
        return ops_keepalive(d, op, r);
    case SL_STORE_REVOKE:
        return ops_revoke(d, op, r);
    case SL_STORE_WATCH:
        ops_watch(d, op, r);
        return SQLITE_OK;
    case SL_STORE_UNWATCH:
        return SQLITE_OK;
    }
    SL_UNREACHABLE();
}

static bool ops_keys_are_legal(const struct sl_store_action *actions, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (actions[i].key.len == 0 || actions[i].key.len > SQLITE_KEY_BYTES_MAX)
            return false;
    }
    return true;
}

static bool ops_is_legal(const struct sl_store_op *op)
{
    return op->key.len <= SQLITE_KEY_BYTES_MAX && op->compare_count <= SL_STORE_COMPARES_MAX &&
           op->then_count <= SL_STORE_ACTIONS_MAX && op->otherwise_count <= SL_STORE_ACTIONS_MAX &&
           ops_keys_are_legal(op->then, op->then_count) && ops_keys_are_legal(op->otherwise, op->otherwise_count) &&
           sl_store_op_bytes(op) <= SQLITE_OP_BYTES_MAX;
}

int sl__sqlite_perform(struct sqlite_db *d, const struct sl_store_op *op, struct sl_store_result *result,
                       struct sqlite_rows *rows)
{
    int rc = SQLITE_OK;
    *result = (struct sl_store_result){ .id = op->id, .verb = op->verb };
    if (ops_is_legal(op))
        rc = ops_perform(d, op, result, rows);
    else
        result->outcome = SL_STORE_REFUSED;
    result->revision = d->revision;
    return rc;
}
