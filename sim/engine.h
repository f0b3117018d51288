/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_SIM_ENGINE_H
#define SL_SIM_ENGINE_H

#include "base/check.h"
#include "base/heap.h"
#include "base/slab.h"
#include "base/str.h"
#include "base/units.h"

/*
 * Virtual time, and the three things that make a run repeatable:
 *
 *   order       events leave the queue by (time, order of arrival); nothing else decides
 *   randomness  a draw is a pure function of (seed, stream, object, n): removing one fault does not shift the others
 *   digest      a hash chain over everything nodes were given and gave back; equal seeds must give equal digests
 *
 * And the one verdict: the first violation of an invariant ends the run.
 */
#define SL_SIM_EVENTS(X)                                                         \
    X(DELIVER)      /* a message reaches its host: a = message */                \
    X(TICK)         /* a node's deadline: a = serial of the timer */             \
    X(EXIT)         /* a process ends by itself */                               \
    X(PLANE_FEED)   /* a = feed slot, b = serial */                              \
    X(PLANE_GROUP)  /* progress of the followers: a = feed slot, b = serial */   \
    X(PLANE_SPAN)   /* a = dispatcher, b = serial */                             \
    X(PLANE_HOSTED) /* node-wide counts are reported */                          \
    X(SCHEMA)       /* a schema load is answered: a = pending load */            \
    X(FAULT)        /* a = fault */                                              \
    X(STORE)        /* a delivery of the store reaches its host: a = delivery */ \
    X(STORE_DUE)    /* something is due at the store: a = serial of the timer */ \
    X(REQUEST)      /* a request reaches a host: a = wish, b = ticket */         \
    X(CLIENT)       /* the operator looks after its wishes */                    \
    X(SINK)         /* a change of the schema at the sink: a = feed, b = which */

enum sl_sim_event_kind {
#define SL_SIM_EVENT_ENUM(name) SL_SIM_EVENT_##name,
    SL_SIM_EVENTS(SL_SIM_EVENT_ENUM)
#undef SL_SIM_EVENT_ENUM
};

/* host and life: the event is void if that process is gone; life 0 = belongs to no process. */
struct sl_sim_event {
    uint16_t kind, host;
    uint32_t life;
    uint32_t a, b;
};

/* Names of random choices. The order is part of every seed's meaning: add at the end. */
enum sl_sim_stream {
    SL_SIM_DRAW_DELAY,
    SL_SIM_DRAW_LOSS,
    SL_SIM_DRAW_COPY,
    SL_SIM_DRAW_SPIKE,
    SL_SIM_DRAW_RESET,
    SL_SIM_DRAW_UNUSED, /* not drawn any more */
    SL_SIM_DRAW_TICK,
    SL_SIM_DRAW_OPEN,
    SL_SIM_DRAW_CLOSE,
    SL_SIM_DRAW_MISHAP,
    SL_SIM_DRAW_SCHEMA,
    SL_SIM_DRAW_STORE,
    SL_SIM_DRAW_NODE,
    SL_SIM_DRAW_FAULT,
    SL_SIM_DRAW_SWARM,
    SL_SIM_DRAW_CLOCK,
    SL_SIM_DRAW_GARBAGE,
    SL_SIM_DRAW_DDL,
};

struct sl_sim_violation {
    const char *oracle; /* static; a null pointer = none */
    sl_ns at;
    char text[320];
};

struct sl_sim_engine {
    struct sl_mem mem;
    struct sl_heap queue;
    struct sl_slab events;
    sl_ns now;
    uint64_t seed, digest, event_count;
    struct sl_sim_violation violation;
};

#define SL_SIM_EVENT_COUNT_MAX 64000000u

void sl_sim_engine_init(struct sl_sim_engine *e, uint64_t seed);
void sl_sim_engine_deinit(struct sl_sim_engine *e);

/* Queues an event for at (not before now: an earlier time is now). */
void sl_sim_engine_push(struct sl_sim_engine *e, sl_ns at, struct sl_sim_event event);

/* Takes the next event due at or before limit and moves the clock to it. False: there is none; the clock stands still.
 */
bool sl_sim_engine_take(struct sl_sim_engine *e, sl_ns limit, struct sl_sim_event *event);

/* Moves the clock to at when no event is due before it. */
void sl_sim_engine_advance(struct sl_sim_engine *e, sl_ns at);

/* Draws. object separates equals (links, hosts), n counts what was drawn for it. */
uint64_t sl_sim_draw(const struct sl_sim_engine *e, enum sl_sim_stream stream, uint64_t object, uint64_t n);
bool sl_sim_chance(const struct sl_sim_engine *e, enum sl_sim_stream stream, uint64_t object, uint64_t n,
                   uint32_t per_million);
/* low .. low + width, both ends included. */
sl_ns sl_sim_between(const struct sl_sim_engine *e, enum sl_sim_stream stream, uint64_t object, uint64_t n, sl_ns low,
                     sl_ns width);

/* Adds to the digest. */
void sl_sim_digest_u64(struct sl_sim_engine *e, uint64_t a, uint64_t b);
void sl_sim_digest_bytes(struct sl_sim_engine *e, struct sl_bytes bytes);

/* Records the first violation; later ones are consequences and are dropped. */
void sl_sim_violate(struct sl_sim_engine *e, const char *oracle, const char *fmt, ...) SL_PRINTF(3, 4);

/* Memory that a simulation cannot do without: aborts instead of returning a null pointer. */
void *sl_sim_alloc(struct sl_sim_engine *e, size_t size);
void *sl_sim_resize(struct sl_sim_engine *e, void *ptr, size_t old_size, size_t new_size);
void sl_sim_free(struct sl_sim_engine *e, void *ptr, size_t size);

#endif
