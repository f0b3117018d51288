/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_WIRE_VALUES_H
#define SL_WIRE_VALUES_H

#include "base/secret.h"
#include "base/units.h"
#include "wire/ids.h"
#include "wire/message.h"

/*
 * Keys and values of the metadata store (docs/metadata.md). The layout under /tidb/ is the protocol's; foreign writers
 * may add JSON members we do not know, so a value that we change keeps every member that we do not touch. What does not
 * parse is reported and left alone, never overwritten.
 *
 * A parse that fails leaves *out zero and says SL_LIMIT (too large), SL_MALFORMED (not JSON), SL_BAD_FIELD (a member
 * is missing or has a value it may not have) or SL_NOMEM. A member that is absent or null is zero, unknown members are
 * passed over, of a member that comes twice the last one counts. A format that fails leaves *out empty: SL_NOMEM (the
 * arena is full), SL_BAD_FIELD (a text is not UTF-8). No result and no code ever holds bytes of a secret.
 */
#define SL_VALUE_BYTES_MAX 8192           /* every value but a feed's info */
#define SL_FEED_INFO_BYTES_MAX (1u << 20) /* the store's own limit is 1.5 MiB for a whole transaction */

/* ---- keys. Each writes at most SL_KEY_MAX bytes and a NUL; false (the key is empty) if it does not fit, or if a part
 * is empty, not printable or holds a '/', with which it could name somebody else's key. ---- */
#define SL_KEY_MAX 511
struct sl_key {
    size_t len;
    char text[SL_KEY_MAX + 1];
};
bool sl_key_meta(struct sl_key *k, struct sl_str cluster);     /* prefix of captures, owners and what else is there */
bool sl_key_captures(struct sl_key *k, struct sl_str cluster); /* prefix */
bool sl_key_capture(struct sl_key *k, struct sl_str cluster, const struct sl_node_id *node);
bool sl_key_owners(struct sl_key *k, struct sl_str cluster);                             /* prefix */
bool sl_key_owner(struct sl_key *k, struct sl_str cluster, uint64_t lease);              /* lease in lower hex */
bool sl_key_feed_infos(struct sl_key *k, struct sl_str cluster, struct sl_str keyspace); /* prefix */
bool sl_key_feed_info(struct sl_key *k, struct sl_str cluster, struct sl_str keyspace, struct sl_str name);
bool sl_key_feed_statuses(struct sl_key *k, struct sl_str cluster, struct sl_str keyspace);
bool sl_key_feed_status(struct sl_key *k, struct sl_str cluster, struct sl_str keyspace, struct sl_str name);
bool sl_key_feed_sources(struct sl_key *k, struct sl_str cluster, struct sl_str keyspace); /* prefix; ours, as drains */
bool sl_key_feed_source(struct sl_key *k, struct sl_str cluster, struct sl_str keyspace, struct sl_str name);
bool sl_key_drains(struct sl_key *k, struct sl_str cluster); /* prefix, below /tidb/cdc_new/<cluster>/sluice/ */
bool sl_key_drain(struct sl_key *k, struct sl_str cluster, struct sl_str drain_id);
bool sl_key_node_name(struct sl_key *k, struct sl_str cluster,
                      struct sl_str node_name); /* leased, makes names unique */
struct sl_str sl_key_str(const struct sl_key *k);
/* What follows prefix in key; empty if key does not start with it. */
struct sl_str sl_key_tail(struct sl_str key, struct sl_str prefix);

/* ---- capture: {id,address,version,git-hash,deploy-path,start-timestamp,is-new-arch} +
 * {"sluice":{name,node-epoch,stopped}} */
#define SL_ADDRESS_MAX 255
#define SL_NODE_NAME_MAX 64
struct sl_capture {
    struct sl_node_id id;
    char address[SL_ADDRESS_MAX + 1], name[SL_NODE_NAME_MAX + 1], version[64];
    uint64_t start_timestamp_s, node_epoch;
    bool is_new_arch, is_sluice;
    bool stopped; /* a clean stop: the node may be taken out of membership at once when its key goes */
};
SL_CHECKED enum sl_code sl_capture_parse(struct sl_capture *out, struct sl_bytes json);
/* Writes into the arena. */
SL_CHECKED enum sl_code sl_capture_format(struct sl_bytes *out, const struct sl_capture *c, struct sl_arena *arena);

/* ---- feed info and status ---- */
#define SL_FEED_STATES(X) \
    X(NORMAL, "normal")   \
    X(WARNING, "warning") \
    X(FAILED, "failed") X(STOPPED, "stopped") X(FINISHED, "finished") X(REMOVED, "removed") X(PENDING, "pending")
enum sl_feed_state {
#define SL_FEED_STATE_ENUM(name, text) SL_FEED_##name,
    SL_FEED_STATES(SL_FEED_STATE_ENUM)
#undef SL_FEED_STATE_ENUM
};
const char *sl_feed_state_name(enum sl_feed_state s);

#define SL_ERROR_TEXT_MAX 255
struct sl_feed_error {
    bool present;
    char code[64], message[SL_ERROR_TEXT_MAX + 1], addr[SL_ADDRESS_MAX + 1];
};
struct sl_feed_record {   /* the few members of an info value that the control plane reads */
    struct sl_feed_id id; /* name and keyspace of the key, with which the value must agree; high = low = 0 when the
                             value has no id yet */
    enum sl_feed_state state;
    uint64_t epoch;
    sl_ts start_ts, target_ts;
    struct sl_feed_error error; /* "error", or "warning" if there is none; URIs in the message are masked */
};
SL_CHECKED enum sl_code sl_feed_record_parse(struct sl_feed_record *out, struct sl_str keyspace, struct sl_str name,
                                             struct sl_secret json);

struct sl_feed_edit { /* what to change; every other byte of the value stays as it is */
    bool set_epoch, set_state, set_error;
    uint64_t epoch;
    enum sl_feed_state state;
    struct sl_feed_error error; /* present = false removes it; a "warning" goes in both cases */
};
SL_CHECKED enum sl_code sl_feed_record_edit(struct sl_secret *out, struct sl_secret json,
                                            const struct sl_feed_edit *edit, struct sl_arena *arena);

enum sl_feed_progress { SL_PROGRESS_NONE = 1, SL_PROGRESS_REMOVING = 2, SL_PROGRESS_STOPPING = 3 };
struct sl_feed_status {
    sl_ts checkpoint;
    enum sl_feed_progress progress;
};
SL_CHECKED enum sl_code sl_feed_status_parse(struct sl_feed_status *out, struct sl_bytes json);
/* Keeps every other byte of old (which may be empty: then all members of the protocol are written). */
SL_CHECKED enum sl_code sl_feed_status_format(struct sl_bytes *out, const struct sl_feed_status *s, struct sl_bytes old,
                                              struct sl_arena *arena);

/*
 * ---- a feed's source: {version,feed-high,feed-low,source-uri}, under a key of ours beside the protocol's ----
 * The id says which feed of that name is meant: who removes a feed without knowing the key leaves the value behind.
 */
struct sl_feed_source {
    uint64_t version; /* 1 */
    uint64_t feed_high, feed_low;
    struct sl_secret uri; /* not empty; lives in the arena after a parse */
};
SL_CHECKED enum sl_code sl_feed_source_parse(struct sl_feed_source *out, struct sl_secret json, struct sl_arena *arena);
SL_CHECKED enum sl_code sl_feed_source_format(struct sl_secret *out, const struct sl_feed_source *s,
                                              struct sl_arena *arena);

/* ---- drain intent ---- */
#define SL_DRAIN_PHASES(X)                                                                                           \
    X(PENDING, "pending")       /* durable; waits for capabilities, a foreign peer, an older drain */                \
    X(EVACUATING, "evacuating") /* the target is pushed; work moves away */                                          \
    X(STOPPING, "stopping")     /* durable before STOPPING is sent; no way back */                                   \
    X(SAFE, "safe")             /* the proof holds: safe to stop, for good */                                        \
    X(CLEARING, "clearing") /* the node left (or the drain was cancelled): the target is being cleared everywhere */ \
    X(DONE, "done")                                                                                                  \
    X(CANCELLED, "cancelled")                                                                                        \
    X(FAILED, "failed") /* the target left before it was safe */
enum sl_drain_phase {
#define SL_DRAIN_PHASE_ENUM(name, text) SL_DRAIN_##name,
    SL_DRAIN_PHASES(SL_DRAIN_PHASE_ENUM)
#undef SL_DRAIN_PHASE_ENUM
};
const char *sl_drain_phase_name(enum sl_drain_phase p);

#define SL_DRAIN_ID_MAX 36
#define SL_REASON_MAX 200
#define SL_ACTOR_MAX 64
struct sl_intent {
    char id[SL_DRAIN_ID_MAX + 1];
    struct sl_node_id target;
    char target_name[SL_NODE_NAME_MAX + 1]; /* when the drain began, for people; may be empty */
    uint64_t target_node_epoch;             /* the process life meant; 0 = not known yet */
    uint64_t epoch;                         /* of the drain target; raised at each take-over */
    enum sl_drain_phase phase, ended_from;  /* ended_from: phase when clearing began */
    bool cancelled, proof_reference, stop_node, cancel_at_deadline;
    char reason[SL_REASON_MAX + 1], actor[SL_ACTOR_MAX + 1];
    uint64_t created_wall_ms, deadline_wall_ms, ended_wall_ms; /* 0 = none */
    uint64_t lag_budget_ms;                                    /* 0 = default */
};
SL_CHECKED enum sl_code sl_intent_parse(struct sl_intent *out, struct sl_bytes json);
/* Keeps every member of old (which may be empty) that this version does not know, unless the value gets too large so. */
SL_CHECKED enum sl_code sl_intent_format(struct sl_bytes *out, const struct sl_intent *i, struct sl_bytes old,
                                         struct sl_arena *arena);

#endif
