/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/client.h"

#include "sim/sim.h"

#include <inttypes.h>
#include <string.h>

#define CLIENT_TICK_NS (100 * SL_MS)
#define CLIENT_AGAIN_NS (300 * SL_MS) /* between questions */
#define CLIENT_PATIENCE_NS (3 * SL_S) /* for an answer */
#define CLIENT_WAY_NS (1 * SL_MS)

static uint32_t client_add(struct sl_sim *sim, const struct sl_sim_wish *wish)
{
    struct sl_sim_client *c = &sim->cluster->client;
    SL_REQUIRE(c->wish_count < SL_SIM_WISHES_MAX);
    c->wishes[c->wish_count] = *wish;
    if (!c->is_ticking)
        sl_sim_engine_push(&sim->engine, sim->engine.now, (struct sl_sim_event){ .kind = SL_SIM_EVENT_CLIENT });
    c->is_ticking = true;
    return c->wish_count++;
}

uint32_t sl_sim_client_create(struct sl_sim *sim, uint32_t feed)
{
    return client_add(sim, &(struct sl_sim_wish){ .kind = SL_SIM_WISH_CREATE, .feed = feed });
}

uint32_t sl_sim_client_drain(struct sl_sim *sim, const struct sl_node_id *target)
{
    sim->cluster->client.drain_count++;
    return client_add(sim, &(struct sl_sim_wish){ .kind = SL_SIM_WISH_DRAIN, .target = *target });
}

uint32_t sl_sim_client_undrain(struct sl_sim *sim, const struct sl_node_id *target)
{
    return client_add(sim, &(struct sl_sim_wish){ .kind = SL_SIM_WISH_UNDRAIN, .target = *target });
}

uint32_t sl_sim_client_resign(struct sl_sim *sim)
{
    return client_add(sim, &(struct sl_sim_wish){ .kind = SL_SIM_WISH_RESIGN });
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
    if (w->was_safe && !w->is_kept && !w->is_stopped)
        client_stop(sim, w);
    if (w->state == SL_SIM_WISH_DONE)
        return;
    if (w->ticket != 0 && sim->engine.now - w->asked_at >= CLIENT_PATIENCE_NS) {
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

static enum sl_request_verb client_verb(const struct sl_sim_wish *w)
{
    switch (w->kind) {
    case SL_SIM_WISH_CREATE:
        return SL_REQUEST_FEED_CREATE;
    case SL_SIM_WISH_DRAIN:
        return w->state == SL_SIM_WISH_WANTED ? SL_REQUEST_DRAIN : SL_REQUEST_DRAIN_SHOW;
    case SL_SIM_WISH_UNDRAIN:
        return SL_REQUEST_UNDRAIN;
    case SL_SIM_WISH_RESIGN:
        return SL_REQUEST_RESIGN;
    }
    SL_UNREACHABLE();
}

void sl_sim_client_arrive(struct sl_sim_host *h, uint32_t wish, uint32_t ticket)
{
    struct sl_sim *sim = h->sim;
    const struct sl_sim_wish *w = &sim->cluster->client.wishes[wish];
    char config[4096];
    if ((uint32_t)w->ticket != ticket)
        return; /* it has asked somebody else meanwhile */
    struct sl_input in = { .kind = SL_IN_REQUEST };
    struct sl_request *r = &in.u.request;
    *r = (struct sl_request){ .verb = client_verb(w),
                              .ticket = w->ticket,
                              .keyspace = SL_STR("default"),
                              .reason = SL_STR("simulated"),
                              .actor = SL_STR("operator") };
    if (w->kind == SL_SIM_WISH_CREATE) {
        const struct sl_sim_feed *f = &sim->catalog.feeds[w->feed];
        size_t len = sl_sim_catalog_config(&sim->catalog, w->feed, 0, config, sizeof config);
        r->feed = sl_feed_id_name(&f->id);
        r->config = sl_secret_of((struct sl_bytes){ (const uint8_t *)config, len });
        r->checkpoint = f->start_ts;
    } else if (w->state == SL_SIM_WISH_FOLLOWED) {
        r->drain = sl_str_of(w->drain);
    } else {
        r->node = sl_node_id_str(&w->target);
    }
    sl_sim_log_note(&sim->log, h->id.text, "request %d, ticket %" PRIu64, (int)r->verb, r->ticket);
    sl_sim_host_step(h, &in);
}

/* ---- answers ---- */

static void client_done(struct sl_sim *sim, struct sl_sim_wish *w)
{
    w->state = SL_SIM_WISH_DONE;
    w->done_at = sim->engine.now;
    if (w->kind == SL_SIM_WISH_DRAIN)
        sim->stats.drains_done++;
}

static void client_take_drain(struct sl_sim *sim, struct sl_sim_wish *w, const struct sl_drain_view *v)
{
    snprintf(w->drain, sizeof w->drain, "%s", v->intent.id);
    w->target = v->intent.target; /* it may have been named by a prefix */
    w->phase = v->intent.phase;
    w->state = SL_SIM_WISH_FOLLOWED;
    snprintf(w->why, sizeof w->why, "%s: %s %.140s", sl_drain_phase_name(v->intent.phase), sl_blocker_name(v->blocker),
             v->blocker_detail);
    w->why_at = sim->engine.now;
    if (v->safe_to_stop) {
        sl_sim_judge_safe(sim, &v->intent.target, v->intent.target_node_epoch);
        if (!w->was_safe) {
            w->safe_at = sim->engine.now;
            sim->stats.drains_safe++;
        }
        w->was_safe = true;
    }
    if (v->intent.phase == SL_DRAIN_DONE || v->intent.phase == SL_DRAIN_CANCELLED || v->intent.phase == SL_DRAIN_FAILED)
        client_done(sim, w);
}

/* The drain or the node is gone; or what is asked for will never be. */
static bool client_is_final(const struct sl_sim_wish *w, enum sl_code code)
{
    if (w->kind == SL_SIM_WISH_CREATE)
        return code == SL_EXISTS;
    if (w->kind == SL_SIM_WISH_DRAIN)
        return code == SL_NOT_FOUND || (w->state == SL_SIM_WISH_WANTED && code == SL_REFUSED);
    return sl_code_class(code) == SL_CLASS_CALLER;
}

static void client_take(struct sl_sim *sim, struct sl_sim_wish *w, const struct sl_reply *r)
{
    if (w->kind == SL_SIM_WISH_DRAIN && r->drain_count == 1)
        client_take_drain(sim, w, &r->drains[0]);
    else if (r->code == SL_OK && w->kind != SL_SIM_WISH_DRAIN)
        client_done(sim, w);
    else if (client_is_final(w, r->code))
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

void sl_sim_client_on_reply(struct sl_sim_host *h, const struct sl_reply *reply)
{
    struct sl_sim *sim = h->sim;
    struct sl_sim_client *c = &sim->cluster->client;
    sl_sim_digest_u64(&sim->engine, reply->ticket, (uint64_t)reply->code);
    sl_sim_oracle_secret(&sim->oracle, (struct sl_bytes){ (const uint8_t *)reply->detail, strlen(reply->detail) },
                         "an answer");
    sl_sim_log_note(&sim->log, h->id.text, "answer to ticket %" PRIu64 ": %s %s", reply->ticket,
                    sl_code_name(reply->code), reply->detail);
    c->answered_count++;
    for (uint32_t i = 0; i < c->wish_count; i++) {
        struct sl_sim_wish *w = &c->wishes[i];
        if (w->ticket != reply->ticket)
            continue;
        w->ticket = 0;
        w->code = reply->code;
        w->ask_next_at = sim->engine.now + CLIENT_AGAIN_NS;
        if (reply->code == SL_NOT_OWNER || reply->code == SL_NOT_READY) {
            c->sent_away_count++;
            if (reply->code == SL_NOT_OWNER)
                client_turn(sim, w, sl_str_of(reply->detail));
        } else {
            client_take(sim, w, reply);
        }
        return;
    }
}

bool sl_sim_client_is_content(const struct sl_sim *sim, char *why, size_t why_size)
{
    const struct sl_sim_client *c = &sim->cluster->client;
    static const char *const kinds[] = { "create", "drain", "undrain", "resign" };
    for (uint32_t i = 0; i < c->wish_count; i++) {
        const struct sl_sim_wish *w = &c->wishes[i];
        if (w->state == SL_SIM_WISH_DONE)
            continue;
        snprintf(why, why_size, "wish %" PRIu32 ", %s %s: %s", i, kinds[w->kind], w->target.text, w->why);
        return false;
    }
    return true;
}
