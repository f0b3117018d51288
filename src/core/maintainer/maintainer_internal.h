/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_CORE_MAINTAINER_MAINTAINER_INTERNAL_H
#define SL_CORE_MAINTAINER_MAINTAINER_INTERNAL_H

#include "core/maintainer/barrier.h"
#include "core/maintainer/bootstrap.h"
#include "core/maintainer/checkpoint.h"
#include "core/maintainer/control.h"
#include "core/maintainer/maintainer.h"

/*
 * What the files of the maintainer's lifecycle share. Who does what:
 *
 *   maintainer.c      life and death, the state setter, the way into every step and the check at its end
 *   bootstrap.c       the generic bootstrapper
 *   feed_bootstrap.c  asking the nodes, loading the tables, post-bootstrap, asking silent nodes again
 *   answer.c          what a node answered, kept until all have
 *   adopt.c           from answers and tables to spans and operators; the answer of a node that came later or fell
 * silent heartbeat.c       watermarks and statuses of dispatch managers checkpoint.c      rounds over the nodes
 *   trigger.c         the table-trigger dispatcher, the one dispatcher that span control does not know
 *   barrier.c         schema changes in front of which dispatchers wait for each other
 *   close.c           removal, with and without the dispatchers
 *   lag.c             how old the oldest change is that is not durable, and what a drain may make of it
 *   status.c          errors, drain progress, the status for the coordinator
 */

/* ---- states ---- */

/*
 * State, name, legal next states. CLOSED leads back to CLOSING for one reason: a hand-over has ended, its Stopped was
 * not reported yet, and now the dispatchers have to be closed as well. Answering "Stopped" then would leave them
 * running.
 */
#define SL__MAINTAINER_STATES(X)                                         \
    X(BOOTSTRAPPING, "bootstrapping", SL__TO(RUNNING) | SL__TO(CLOSING)) \
    X(RUNNING, "running", SL__TO(CLOSING))                               \
    X(CLOSING, "closing", SL__TO(CLOSED))                                \
    X(CLOSED, "closed", SL__TO(CLOSING))

enum sl__maintainer_state {
#define SL__STATE_ENUM(name, text, next) SL__MAINTAINER_##name,
    SL__MAINTAINER_STATES(SL__STATE_ENUM)
#undef SL__STATE_ENUM
        SL__MAINTAINER_STATE_COUNT
};

/* What a CLOSING maintainer waits for. */
enum sl__close_phase {
    SL__CLOSE_NONE,
    SL__CLOSE_MOVES,       /* hand-over: moves in flight, at most handover_timeout_ns */
    SL__CLOSE_TRIGGER,     /* hand-over: the table trigger's end, at most handover_timeout_ns */
    SL__CLOSE_DISPATCHERS, /* cascade: every node's dispatch manager */
};

/* ---- parts ---- */

#define SL__CAPABILITIES (SL_CAP_EXT_REPORTS | SL_CAP_CLOSE_OUTCOME)

struct sl__answer;

/* One error per node, its own ones under the maintainer's node. Rule of reporting: status.c. */
#define SL__ERROR_TIME_BYTES 48
#define SL__ERROR_CODE_BYTES 64
#define SL__ERROR_MESSAGE_BYTES 256
struct sl__error {
    char time[SL__ERROR_TIME_BYTES];
    char code[SL__ERROR_CODE_BYTES];
    char message[SL__ERROR_MESSAGE_BYTES];
    uint32_t reports_left;
};

/* What is known of one member. */
struct sl__node {
    struct sl_mark mark;
    uint64_t incarnation; /* of its dispatch manager, as it answered the bootstrap; 0 = not known */
    uint64_t lag_ms;      /* as it said last; 0 = none, or not known */
    struct sl_copy_progress copy;
    sl_ns heard_at; /* or last seen without spans: silence counts from here */
    enum sl_liveness liveness;
    bool is_closed;            /* cascade: its dispatch manager is gone, or not ours to close */
    struct sl__answer *answer; /* while BOOTSTRAPPING */
    struct sl__error *error;
};

struct sl__schema {
    uint64_t request_next; /* numbers of this maintainer begin at a place of its own: see maintainer.c */
    uint64_t request;      /* the one that is under way; 0 = none */
    sl_ns retry_at;
    uint32_t failures; /* in a row */
    /* Tables that could not be added for lack of memory: asked for again, and the checkpoint waits for them. */
    sl_ts missing_from, missing_to; /* their smallest and largest commit ts; missing_from is SL_TS_MAX if none */
};

struct sl__trigger {
    struct sl_dispatcher_id id;
    bool is_stopped; /* as its node said last */
    bool is_removed; /* for a hand-over: nothing on its way can make it again */
    sl_ns post_at;   /* next post-bootstrap request; SL_NEVER = answered, or not yet its time */
    sl_ns remove_at; /* next Remove; SL_NEVER = none wanted */
};

struct sl__closing {
    enum sl__close_phase phase;
    bool cascade, removed;
    sl_ns give_up_at; /* of the phase; SL_NEVER without limit */
    sl_ns resend_at;  /* SL__CLOSE_DISPATCHERS */
};

struct sl__round {
    sl_ns not_before;
    sl_ts limit; /* of the last round: another one is a reason for a new round */
    bool is_wanted;
};

struct sl__report {
    sl_ns at; /* of the last status taken */
    bool is_dirty, was_taken, closed_was_taken;
    uint32_t empty_targets; /* bit per place in the set: nothing was left to move there */
};

struct sl__unlisted_item {
    struct sl_span_report report; /* of a whole table */
    sl_node_ref node;
};

struct sl__unlisted {
    struct sl__unlisted_item *items;
    uint32_t count, cap;
};

struct sl_maintainer {
    struct sl_maintainer_opts opts; /* id points to the field below; no config */
    struct sl_feed_id id;
    struct sl_node_id self;
    uint8_t *config; /* of bootstrap requests; secret */
    size_t config_len;
    uint8_t *source; /* URI; secret */
    size_t source_len;
    enum sl__maintainer_state state;
    bool is_started, is_new, is_bootstrapped, low_latency, prompt;
    bool has_members; /* nobody was a member when it was made of whom it has not been told */
    sl_ns now;
    struct sl_control *control; /* from the end of the bootstrap on */
    struct sl_bootstrap bootstrap;
    struct sl__node *nodes; /* by ref */
    struct sl__schema schema;
    struct sl__unlisted unlisted;
    struct sl__barrier barrier;
    struct sl__trigger trigger;
    struct sl_checkpoint checkpoint;
    sl_ts last_synced;
    struct sl__round round;
    sl_ns silence_at; /* next look for silent nodes */
    struct sl_target_set targets;
    struct sl_drain_target reported;         /* of targets, for peers that know one */
    sl_node_ref target_refs[SL_TARGETS_MAX]; /* the members of these ids, or none */
    uint64_t lag_at_start_ms;                /* when the targets changed last */
    struct sl__closing closing;
    struct sl__report report;
};

/* ---- maintainer.c ---- */

void sl__maintainer_set_state(struct sl_maintainer *m, enum sl__maintainer_state state, struct sl_outbox *out);
struct sl__node *sl__maintainer_node(const struct sl_maintainer *m, sl_node_ref ref);
static inline sl_node_ref sl__maintainer_self(const struct sl_maintainer *m)
{
    return sl_members_self(m->opts.members);
}
/* A response may carry this epoch: rule R of the reference, whose zero only counts in interoperation. */
bool sl__maintainer_response_fits(const struct sl_maintainer *m, uint64_t epoch);
/* The node said something as our dispatch manager. */
void sl__maintainer_heard(struct sl_maintainer *m, sl_node_ref from);
void sl__maintainer_note_liveness(struct sl_maintainer *m, sl_node_ref from, Pb__NodeLiveness liveness);
/* Finds the drain targets among the members and tells the control, for which a target elsewhere is none. */
void sl__maintainer_sync_targets(struct sl_maintainer *m, struct sl_outbox *out);
void sl__maintainer_tell_targets(const struct sl_maintainer *m, struct sl_control *control, struct sl_outbox *out);
/* A table came into being at this ts. */
void sl__maintainer_add_table(struct sl_maintainer *m, struct sl_table table, sl_ts commit_ts, struct sl_outbox *out);
struct sl_str sl__maintainer_node_str(const struct sl_maintainer *m, sl_node_ref ref);

/* ---- feed_bootstrap.c ---- */

void sl__feed_bootstrap_begin(struct sl_maintainer *m);
/* Whatever is due: requests, loading tables, post-bootstrap, silent nodes. */
void sl__feed_bootstrap_run(struct sl_maintainer *m, struct sl_outbox *out);
sl_ns sl__feed_bootstrap_deadline(const struct sl_maintainer *m);
enum sl_refusal sl__feed_bootstrap_on_response(struct sl_maintainer *m, sl_node_ref from,
                                               const Pb__MaintainerBootstrapResponse *r, struct sl_outbox *out);
void sl__feed_bootstrap_on_schema(struct sl_maintainer *m, const struct sl_in_schema *schema, struct sl_outbox *out);
void sl__feed_bootstrap_drop_node(struct sl_maintainer *m, sl_node_ref ref);
/* A table added at this ts could not be taken over: the tables are loaded again. */
void sl__feed_bootstrap_want_tables(struct sl_maintainer *m, sl_ts commit_ts, enum sl_code code, struct sl_outbox *out);

/* ---- answer.c ---- */

struct sl__answer_operator {
    struct sl_span_report report;
    Pb__ScheduleAction action;
};

/* Only the default mode; keys follow in the same block. */
struct sl__answer {
    size_t bytes;
    sl_ts checkpoint;
    uint32_t span_count, operator_count;
    struct sl_span_report *spans;
    struct sl__answer_operator *operators;
};

/* SL_NOMEM leaves *out null. */
SL_CHECKED enum sl_code sl__answer_new(struct sl__answer **out, struct sl_mem *mem,
                                       const Pb__MaintainerBootstrapResponse *r);
void sl__answer_free(struct sl__answer *a, struct sl_mem *mem);
/* The report points into the message. */
struct sl_span_report sl__answer_report(const Pb__BootstrapTableSpan *span);

/* ---- adopt.c ---- */

/* Builds m->control of the answers and the tables. On an error there is none, as before. */
SL_CHECKED enum sl_code sl__maintainer_adopt(struct sl_maintainer *m, const struct sl_table *tables,
                                             uint32_t table_count, struct sl_outbox *out);
/* While RUNNING: the answer of a node that joined later, or of one that was asked again. */
void sl__maintainer_merge(struct sl_maintainer *m, sl_node_ref from, const Pb__MaintainerBootstrapResponse *r,
                          struct sl_outbox *out);

/*
 * Removes a dispatcher that should not be: nobody knows it, or its id belongs to a span that runs elsewhere. The removal
 * concerns this copy only. SL_OK also when that is under way already.
 */
enum sl_code sl__maintainer_remove_stray(struct sl_maintainer *m, struct sl_control *control, sl_node_ref node,
                                         const struct sl_span_report *report, struct sl_outbox *out);

/* ---- unlisted.c ---- */

/* Lets a dispatcher of a table that is not there yet run on. False: it has to be removed. */
bool sl__unlisted_keep(struct sl_maintainer *m, sl_node_ref node, const struct sl_span_report *report);
bool sl__unlisted_has(const struct sl_maintainer *m, sl_node_ref node, struct sl_dispatcher_id id);
uint32_t sl__unlisted_count(const struct sl_maintainer *m, sl_node_ref node);
void sl__unlisted_forget(struct sl_maintainer *m, sl_node_ref node, struct sl_dispatcher_id id);
void sl__unlisted_drop_node(struct sl_maintainer *m, sl_node_ref node);
void sl__unlisted_clear(struct sl_maintainer *m);
/* The table has come: its dispatcher becomes a replicating span. SL_NOT_FOUND: there is none. */
SL_CHECKED enum sl_code sl__unlisted_adopt(struct sl_maintainer *m, int64_t table_id);
/* Removes those whose table did not come. */
void sl__unlisted_run(struct sl_maintainer *m, struct sl_outbox *out);

/* ---- heartbeat.c ---- */

/* A dispatcher that has ended, in a bootstrap answer: as if its Stopped status had come. */
void sl__maintainer_take_end(struct sl_maintainer *m, sl_node_ref from, const Pb__BootstrapTableSpan *span,
                             struct sl_outbox *out);
enum sl_refusal sl__maintainer_on_heartbeat(struct sl_maintainer *m, sl_node_ref from, const Pb__HeartBeatRequest *h,
                                            struct sl_outbox *out);

/* ---- lag.c ---- */

uint64_t sl__lag_worst_ms(const struct sl_maintainer *m);
/* The targets changed: what the feed's lag is now is what it is compared with. */
void sl__lag_begin(struct sl_maintainer *m);
void sl__lag_note(struct sl_maintainer *m, sl_node_ref from, uint64_t lag_ms);

/* ---- checkpoint.c ---- */

/* A round, if one is wanted and it is time. */
void sl__maintainer_round(struct sl_maintainer *m);
/* A round at once: what held the checkpoint back may be gone. */
void sl__maintainer_round_now(struct sl_maintainer *m);
sl_ns sl__maintainer_round_deadline(const struct sl_maintainer *m);

/* ---- trigger.c ---- */

void sl__trigger_init(struct sl_maintainer *m);
void sl__trigger_on_status(struct sl_maintainer *m, Pb__ComponentState state);
enum sl_refusal sl__trigger_on_post_response(struct sl_maintainer *m, sl_node_ref from,
                                             const Pb__MaintainerPostBootstrapResponse *r, struct sl_outbox *out);
void sl__trigger_run(struct sl_maintainer *m, struct sl_outbox *out);
sl_ns sl__trigger_deadline(const struct sl_maintainer *m);

/* ---- close.c ---- */

enum sl_refusal sl__close_on_remove(struct sl_maintainer *m, bool cascade, bool removed, uint64_t epoch,
                                    struct sl_outbox *out);
enum sl_refusal sl__close_on_response(struct sl_maintainer *m, sl_node_ref from, const Pb__MaintainerCloseResponse *r,
                                      struct sl_outbox *out);
/* Sends what is due and goes to the next phase, or to CLOSED, when nothing is left to wait for. */
void sl__close_run(struct sl_maintainer *m, struct sl_outbox *out);
sl_ns sl__close_deadline(const struct sl_maintainer *m);

/* ---- status.c ---- */

/* An error of a node, or of the maintainer under its own node. Lack of memory forgets it: whoever has it says it again.
 */
void sl__status_note_error(struct sl_maintainer *m, sl_node_ref ref, struct sl_str time, struct sl_str code,
                           struct sl_str message, struct sl_outbox *out);
void sl__status_note_own_error(struct sl_maintainer *m, const char *code, const char *message, struct sl_outbox *out);
void sl__status_note_peer_error(struct sl_maintainer *m, sl_node_ref ref, const Pb__RunningError *e,
                                struct sl_outbox *out);
/* What was wrong is right again, or the node left. */
void sl__status_drop_error(struct sl_maintainer *m, sl_node_ref ref);
/* Marks the status dirty when the drain target became empty, or stopped being so. */
void sl__status_note_progress(struct sl_maintainer *m);

#endif
