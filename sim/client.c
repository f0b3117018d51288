/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/client.h"

#include "sim/oracle_internal.h"
#include "sim/sim.h"

#include <inttypes.h>
#include <string.h>

#define CLIENT_TICK_NS (100 * SL_MS)
#define CLIENT_AGAIN_NS (300 * SL_MS)       /* between questions */
#define CLIENT_PATIENCE_NS (3 * SL_S)       /* for an answer */
#define CLIENT_MOVE_PATIENCE_NS (40 * SL_S) /* a move waits for what it needs, and then says what it waited for */
#define CLIENT_WAY_NS (1 * SL_MS)
#define CLIENT_ZEROS 5 /* how often an old client asks again after it was told 0 */
#define CLIENT_CONFIG_BYTES 4096
#define CLIENT_CAP_MIN 32u

static const char *const wish_texts[SL_SIM_WISH_COUNT] = {
#define WISH_TEXT(name, text, verb) text,
    SL_SIM_WISHES(WISH_TEXT)
#undef WISH_TEXT
};

static const enum sl_request_verb wish_verbs[SL_SIM_WISH_COUNT] = {
#define WISH_VERB(name, text, verb) SL_REQUEST_##verb,
    SL_SIM_WISHES(WISH_VERB)
#undef WISH_VERB
};

const char *sl_sim_wish_text(enum sl_sim_wish_kind kind)
{
    return wish_texts[kind];
}

uint32_t sl_sim_client_wish(struct sl_sim *sim, const struct sl_sim_wish *wish)
{
    struct sl_sim_client *c = &sim->cluster->client;
    if (c->wish_count == SL_SIM_WISHES_MAX)
        return SL_SIM_WISH_NONE;
    if (c->wish_count == c->wish_cap) {
        uint32_t cap = c->wish_cap > 0 ? c->wish_cap * 2 : CLIENT_CAP_MIN;
        c->wishes = sl_sim_resize(&sim->engine, c->wishes, c->wish_cap * sizeof *c->wishes, cap * sizeof *c->wishes);
        c->wish_cap = cap;
    }
    c->wishes[c->wish_count] = *wish;
    c->drain_count += wish->kind == SL_SIM_WISH_DRAIN || wish->kind == SL_SIM_WISH_OLD_DRAIN;
    if (!c->is_ticking)
        sl_sim_engine_push(&sim->engine, sim->engine.now, (struct sl_sim_event){ .kind = SL_SIM_EVENT_CLIENT });
    c->is_ticking = true;
    return c->wish_count++;
}

/* ---- asking ---- */

static void client_ask(struct sl_sim *sim, uint32_t index)
{
    struct sl_sim_client *c = &sim->cluster->client;
    struct sl_sim_wish *w = &c->wishes[index];
    const struct sl_sim_host *h = &sim->hosts[w->host % sim->host_count];
    w->ticket = ++c->ticket_last;
    w->asked_at = sim->engine.now;
    c->asked_count++;
    if (h->state == SL_SIM_HOST_DOWN) { /* connection refused: the next one */
        w->ticket = 0;
        w->host++;
        return;
    }
    sl_sim_engine_push(
        &sim->engine, sim->engine.now + CLIENT_WAY_NS,
        (struct sl_sim_event){
            .kind = SL_SIM_EVENT_REQUEST, .host = h->index, .life = h->process, .a = index, .b = (uint32_t)w->ticket });
}

/* The machine of the node that is safe to stop: whoever stops it looks at the id, not at the machine. */
static void client_stop(struct sl_sim *sim, struct sl_sim_wish *w)
{
    uint32_t host = sl_sim_find_host(sim, sl_node_id_str(&w->target));
    w->is_stopped = true;
    if (host != SL_SIM_HOST_NONE && sl_node_id_eq(&sim->hosts[host].id, &w->target))
        sl_sim_host_kill(&sim->hosts[host]);
}

static void client_look_after(struct sl_sim *sim, uint32_t index)
{
    struct sl_sim_wish *w = &sim->cluster->client.wishes[index];
    if (w->was_safe && !w->is_stopped && w->kept_ns != SL_NEVER && sim->engine.now - w->safe_at >= w->kept_ns)
        client_stop(sim, w);
    if (w->state == SL_SIM_WISH_DONE)
        return;
    sl_ns patience = w->kind == SL_SIM_WISH_MOVE ? CLIENT_MOVE_PATIENCE_NS : CLIENT_PATIENCE_NS;
    if (w->ticket != 0 && sim->engine.now - w->asked_at >= patience) {
        w->ticket = 0;
        w->host++;
    }
    if (w->ticket == 0 && sim->engine.now >= w->ask_next_at)
        client_ask(sim, index);
}

void sl_sim_client_on_tick(struct sl_sim *sim)
{
    for (uint32_t i = 0; i < sim->cluster->client.wish_count; i++)
        client_look_after(sim, i);
    sl_sim_engine_push(&sim->engine, sim->engine.now + CLIENT_TICK_NS,
                       (struct sl_sim_event){ .kind = SL_SIM_EVENT_CLIENT });
}

/* What has to be refused, whoever is asked: a node, a drain, a feed that nobody knows, and a record that is none. */
static void client_fill_bad(const struct sl_sim_wish *w, struct sl_request *r)
{
    static const enum sl_request_verb verbs[] = { SL_REQUEST_DRAIN,      SL_REQUEST_UNDRAIN,     SL_REQUEST_DRAIN_SHOW,
                                                  SL_REQUEST_FEED_PAUSE, SL_REQUEST_FEED_CREATE, SL_REQUEST_FEED_MOVE,
                                                  SL_REQUEST_FEED_UPDATE };
    r->verb = verbs[w->bad % (sizeof verbs / sizeof verbs[0])];
    r->node = SL_STR("nobody");
    r->feed = SL_STR("nothing");
    r->drain = r->verb == SL_REQUEST_DRAIN_SHOW ? SL_STR("no-such-drain") : SL_STR("");
    r->config = sl_secret_of((struct sl_bytes){ (const uint8_t *)"{\"sink-uri\":", 12 });
    r->deadline_ms = UINT64_MAX;
}

static void client_fill(struct sl_sim *sim, const struct sl_sim_wish *w, struct sl_request *r,
                        char config[CLIENT_CONFIG_BYTES])
{
    const struct sl_sim_feed *f = &sim->catalog.feeds[w->feed];
    *r = (struct sl_request){ .verb = wish_verbs[w->kind],
                              .ticket = w->ticket,
                              .keyspace = SL_STR("default"),
                              .reason = SL_STR("simulated"),
                              .actor = SL_STR("operator"),
                              .feed = sl_feed_id_name(&f->id),
                              .table_id = w->table_id,
                              .deadline_ms = w->deadline_ms,
                              .lag_budget_ms = w->lag_budget_ms,
                              .stop_node = w->stop_node,
                              .cancel_at_deadline = w->cancel_at_deadline,
                              .dry_run = w->kind == SL_SIM_WISH_DRY_RUN };
    if (w->kind == SL_SIM_WISH_DRAIN && w->state == SL_SIM_WISH_FOLLOWED) {
        r->verb = SL_REQUEST_DRAIN_SHOW;
        r->drain = sl_str_of(w->drain);
    } else {
        r->node = sl_node_id_str(&w->target);
    }
    if (w->kind == SL_SIM_WISH_CREATE || w->kind == SL_SIM_WISH_UPDATE) {
        size_t len = sl_sim_catalog_config(&sim->catalog, w->feed, 0, config, CLIENT_CONFIG_BYTES);
        r->config = sl_secret_of((struct sl_bytes){ (const uint8_t *)config, len });
        r->checkpoint = w->kind == SL_SIM_WISH_CREATE ? f->start_ts : SL_TS_NONE;
    }
    if (w->kind == SL_SIM_WISH_BAD)
        client_fill_bad(w, r);
}

void sl_sim_client_arrive(struct sl_sim_host *h, uint32_t wish, uint32_t ticket)
{
    struct sl_sim *sim = h->sim;
    const struct sl_sim_wish *w = &sim->cluster->client.wishes[wish];
    char config[CLIENT_CONFIG_BYTES];
    if ((uint32_t)w->ticket != ticket)
        return; /* it has asked somebody else meanwhile */
    struct sl_input in = { .kind = SL_IN_REQUEST };
    client_fill(sim, w, &in.u.request, config);
    sl_sim_log_note(&sim->log, h->id.text, "request '%s', ticket %" PRIu64, sl_sim_wish_text(w->kind), w->ticket);
    sl_sim_host_step(h, &in);
}

/* ---- answers ---- */

static void client_done(struct sl_sim *sim, struct sl_sim_wish *w)
{
    w->state = SL_SIM_WISH_DONE;
    w->done_at = sim->engine.now;
    sim->stats.drains_done += w->kind == SL_SIM_WISH_DRAIN || w->kind == SL_SIM_WISH_OLD_DRAIN;
}

static void client_is_safe(struct sl_sim *sim, struct sl_sim_wish *w)
{
    if (w->was_safe)
        return;
    w->was_safe = true;
    w->safe_at = sim->engine.now;
    sim->stats.drains_safe++;
}

static void client_take_drain(struct sl_sim *sim, struct sl_sim_wish *w, const struct sl_drain_view *v)
{
    snprintf(w->drain, sizeof w->drain, "%s", v->intent.id);
    w->target = v->intent.target; /* it may have been named by a prefix */
    w->phase = v->intent.phase;
    w->blocker = v->blocker;
    w->state = SL_SIM_WISH_FOLLOWED;
    snprintf(w->why, sizeof w->why, "%s: %s %.140s", sl_drain_phase_name(v->intent.phase), sl_blocker_name(v->blocker),
             v->blocker_detail);
    snprintf(w->detail, sizeof w->detail, "%s", v->blocker_detail);
    w->why_at = sim->engine.now;
    if (v->safe_to_stop) {
        sl_sim_judge_safe(sim, &v->intent.target, v->intent.target_node_epoch);
        client_is_safe(sim, w);
    }
    if (v->intent.phase == SL_DRAIN_DONE || v->intent.phase == SL_DRAIN_CANCELLED || v->intent.phase == SL_DRAIN_FAILED)
        client_done(sim, w);
}

/* The last process that had this id. */
static uint32_t client_life(const struct sl_sim *sim, const struct sl_node_id *id)
{
    uint32_t member = sl_sim_members_find(sim, id);
    return member == SL_SIM_MEMBER_NONE ? 0 : sim->members.items[member].process;
}

/* Else 0 was said of the process before it: nobody could know yet that another one had taken its id. */
static bool client_has_stopped(struct sl_sim *sim, uint32_t life)
{
    return sl_sim_oracle_process(&sim->oracle, life)->is_stopping;
}

/* What the protocol's DrainNode promises: doubts are numbers, 0 is final, NOT_FOUND is for who is gone. */
static void client_take_old(struct sl_sim *sim, struct sl_sim_host *h, struct sl_sim_wish *w, const struct sl_reply *r)
{
    uint32_t life = client_life(sim, &w->target);
    snprintf(w->why, sizeof w->why, "%s, %" PRIu32 " remain", sl_code_name(r->code), r->remaining);
    w->why_at = sim->engine.now;
    sl_sim_judge_old_answer(sim, h, &w->target, r, w->zero_life != 0 && w->zero_life == life);
    if (r->code != SL_OK) {
        client_done(sim, w);
        return;
    }
    if (r->remaining == 0) {
        if (w->state == SL_SIM_WISH_WANTED)
            w->asks_left = CLIENT_ZEROS;
        w->state = SL_SIM_WISH_FOLLOWED;
        if (life != 0 && client_has_stopped(sim, life))
            w->zero_life = life;
        client_is_safe(sim, w);
    }
    if (w->state == SL_SIM_WISH_FOLLOWED && w->asks_left-- == 0)
        client_done(sim, w);
}

/* The drain or the node is gone; or what is asked for will never be. */
static bool client_is_final(const struct sl_sim_wish *w, enum sl_code code)
{
    if (w->kind == SL_SIM_WISH_CREATE)
        return code == SL_EXISTS;
    if (w->kind == SL_SIM_WISH_DRAIN)
        return code == SL_NOT_FOUND || (w->state == SL_SIM_WISH_WANTED && code == SL_REFUSED);
    /* Nobody insists on a move: the feed may be stopped. */
    bool is_move = w->kind == SL_SIM_WISH_MOVE || w->kind == SL_SIM_WISH_MOVE_TABLE;
    return sl_code_class(code) == SL_CLASS_CALLER || (is_move && code == SL_BUSY);
}

static void client_take(struct sl_sim *sim, struct sl_sim_host *h, struct sl_sim_wish *w, const struct sl_reply *r)
{
    if (w->kind == SL_SIM_WISH_OLD_DRAIN)
        client_take_old(sim, h, w, r);
    else if (w->kind == SL_SIM_WISH_DRAIN && r->drain_count == 1)
        client_take_drain(sim, w, &r->drains[0]);
    else if (r->code == SL_OK && w->kind == SL_SIM_WISH_BAD)
        sl_sim_judge_refusal(sim, h, w->bad);
    else if ((r->code == SL_OK && w->kind != SL_SIM_WISH_DRAIN) || client_is_final(w, r->code))
        client_done(sim, w);
    else
        snprintf(w->why, sizeof w->why, "%s: %.200s", sl_code_name(r->code), r->detail);
}

/* To the owner if the answer named it, else to the next host. */
static void client_turn(struct sl_sim *sim, struct sl_sim_wish *w, struct sl_str owner)
{
    uint32_t host = sl_sim_find_host(sim, owner);
    w->host = host != SL_SIM_HOST_NONE && owner.len > 0 ? host : w->host + 1;
}

/* What the API answers with NOT_READY it asks again by itself, and passes on what another node owns; to an old client
 * without such a node it has to say a number. */
static bool client_is_sent_away(struct sl_sim *sim, struct sl_sim_wish *w, const struct sl_reply *r)
{
    bool is_old = w->kind == SL_SIM_WISH_OLD_DRAIN;
    if (r->code != SL_NOT_OWNER && (r->code != SL_NOT_READY || is_old))
        return false;
    if (is_old && r->detail[0] == '\0')
        return false;
    sim->cluster->client.sent_away_count++;
    if (r->code == SL_NOT_OWNER)
        client_turn(sim, w, sl_str_of(r->detail));
    return true;
}

void sl_sim_client_on_reply(struct sl_sim_host *h, const struct sl_reply *reply)
{
    struct sl_sim *sim = h->sim;
    struct sl_sim_client *c = &sim->cluster->client;
    sl_sim_digest_u64(&sim->engine, reply->ticket, (uint64_t)reply->code);
    sl_sim_oracle_secret(&sim->oracle, (struct sl_bytes){ (const uint8_t *)reply->detail, strlen(reply->detail) },
                         "an answer");
    sl_sim_log_note(&sim->log, h->id.text, "answer to ticket %" PRIu64 ": %s %s, %" PRIu32 " remain", reply->ticket,
                    sl_code_name(reply->code), reply->detail, reply->remaining);
    c->answered_count++;
    for (uint32_t i = 0; i < c->wish_count; i++) {
        struct sl_sim_wish *w = &c->wishes[i];
        if (w->ticket != reply->ticket)
            continue;
        w->ticket = 0;
        w->code = reply->code;
        w->ask_next_at = sim->engine.now + CLIENT_AGAIN_NS;
        if (!client_is_sent_away(sim, w, reply))
            client_take(sim, h, w, reply);
        return;
    }
}

/* ---- what is left to wish for ---- */

bool sl_sim_client_asked(const struct sl_sim *sim, enum sl_sim_wish_kind kind, uint32_t feed)
{
    const struct sl_sim_client *c = &sim->cluster->client;
    for (uint32_t i = 0; i < c->wish_count; i++) {
        if (c->wishes[i].kind == kind && c->wishes[i].feed == feed)
            return true;
    }
    return false;
}

const struct sl_sim_wish *sl_sim_client_drain(const struct sl_sim *sim, const struct sl_node_id *target)
{
    const struct sl_sim_client *c = &sim->cluster->client;
    for (uint32_t i = c->wish_count; i > 0; i--) {
        if (c->wishes[i - 1].kind == SL_SIM_WISH_DRAIN && sl_node_id_eq(&c->wishes[i - 1].target, target))
            return &c->wishes[i - 1];
    }
    return NULL;
}

static bool client_is_fulfilled(const struct sl_sim_wish *w, bool may_block)
{
    if (w->state == SL_SIM_WISH_DONE)
        return true;
    if (w->kind == SL_SIM_WISH_MOVE_TABLE) /* nobody insists: the feed may be stopped, or gone */
        return true;
    if (w->kind == SL_SIM_WISH_DRAIN)
        return w->state == SL_SIM_WISH_FOLLOWED && (w->was_safe || (may_block && w->blocker != SL_BLOCKED_NONE));
    return w->kind == SL_SIM_WISH_OLD_DRAIN && may_block && w->why[0] != '\0';
}

bool sl_sim_client_is_content(const struct sl_sim *sim, bool may_block, char *why, size_t why_size)
{
    const struct sl_sim_client *c = &sim->cluster->client;
    for (uint32_t i = 0; i < c->wish_count; i++) {
        const struct sl_sim_wish *w = &c->wishes[i];
        if (client_is_fulfilled(w, may_block))
            continue;
        snprintf(why, why_size, "wish %" PRIu32 ", %s %s: %s", i, sl_sim_wish_text(w->kind), w->target.text, w->why);
        return false;
    }
    return true;
}
