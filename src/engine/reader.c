/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/engine_internal.h"

#define READER_WAIT_NS (100 * SL_MS) /* of one read without changes */
#define READER_STACK_BYTES (256u << 10)

static bool reader_goes_on(const struct sl_reader_slot *r)
{
    return r->state == SL_READER_STARTING || r->state == SL_READER_RUNNING;
}

/* Everybody who depends on the reader is told, and ends. */
static void reader_fail(struct sl_reader_slot *r, const struct sl_trouble *t)
{
    while (r->members.head)
        sl__flow_abandon(r->members.head, t);
    sl__reader_stop(r);
    sl__hub_stop_idle(r->hub);
}

static void reader_note(struct sl_reader_slot *r, const struct sl_trouble *t)
{
    for (struct sl_plane_feed *f = r->hub->feeds; f; f = f->next) {
        f->trouble = *t;
        f->is_noted = true;
        sl__plane_feed_touch(f);
    }
}

/* True: again, after a while. */
static void reader_on_trouble(struct sl_reader_slot *r, const struct sl_trouble *t, sl_ns *retry_ns)
{
    const struct sl_plane_opts *opts = &r->hub->plane->opts;
    if (!reader_goes_on(r) || t->kind == SL_TROUBLE_ENDED)
        return;
    if (t->kind != SL_TROUBLE_PASSING) {
        reader_fail(r, t);
        return;
    }
    reader_note(r, t);
    sl_ns end = sl__now() + *retry_ns;
    *retry_ns = sl_ns_min(*retry_ns * 2, opts->retry_ns_max);
    for (sl_ns left = end - sl__now(); left > 0 && reader_goes_on(r); left = end - sl__now())
        sl__cond_wait(&r->changed, &r->hub->mutex, left);
}

static bool reader_open(struct sl_reader_slot *r, struct sl_trouble *t)
{
    struct sl_hub *h = r->hub;
    struct sl_source_open o = { .uri = sl_secret_of(h->uri), .config = sl_secret_of(h->filter), .from = r->routed };
    struct sl_reader *source = NULL;
    r->state = SL_READER_RUNNING;
    if (!h->driver)
        return sl_trouble_set(t, SL_TROUBLE_LASTING, "NO_SOURCE", "create the feed with a source",
                              "the feed has no source that this node knows");
    pthread_mutex_unlock(&h->mutex);
    bool is_open = h->driver->open(&source, &o, t);
    pthread_mutex_lock(&h->mutex);
    if (is_open)
        r->source = source;
    return is_open;
}

static void reader_close(struct sl_reader_slot *r)
{
    struct sl_reader *source = r->source;
    if (!source)
        return;
    r->source = NULL;
    pthread_mutex_unlock(&r->hub->mutex);
    source->driver->close(source);
    pthread_mutex_lock(&r->hub->mutex);
}

/* Back-pressure: waits until enough of what was read is durable. */
static void reader_wait_for_room(struct sl_reader_slot *r)
{
    sl_ns since = sl__now(), slow_ns = r->hub->plane->opts.slow_ns;
    while (r->state == SL_READER_RUNNING && r->queued_bytes >= r->queued_bytes_max) {
        bool is_patient = !r->is_shared || sl__now() - since < slow_ns;
        struct sl_plane_lane *slow = is_patient ? NULL : sl__hub_slow_lane(r->hub);
        if (!slow || !sl__plane_lane_detach(slow))
            sl__cond_wait(&r->changed, &r->hub->mutex, slow_ns / 4);
    }
}

static bool reader_read(struct sl_reader_slot *r, struct sl_trouble *t)
{
    struct sl_hub *h = r->hub;
    struct sl_reader *source = r->source;
    pthread_mutex_unlock(&h->mutex);
    struct sl_batch *batch = sl_batch_new();
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): sl_trouble_set is false, so an opened reader has a source */
    bool is_read = batch && source->driver->read(source, batch, h->plane->opts.batch_bytes_max, READER_WAIT_NS, t);
    pthread_mutex_lock(&h->mutex);
    bool is_routed = is_read && reader_goes_on(r) && sl__hub_route(r, batch);
    if (is_routed)
        return true;
    sl_batch_unref(batch);
    if (!batch || (is_read && reader_goes_on(r)))
        sl_trouble_set(t, SL_TROUBLE_PASSING, "NO_MEMORY", "take load off the node", "no memory for a batch of rows");
    return is_read && !reader_goes_on(r);
}

static void *reader_main(void *arg)
{
    struct sl_reader_slot *r = arg;
    struct sl_hub *h = r->hub;
    sl_ns retry_ns = h->plane->opts.retry_ns;
    pthread_mutex_lock(&h->mutex);
    while (reader_goes_on(r)) {
        struct sl_trouble t = { 0 };
        bool is_fine = r->source || reader_open(r, &t);
        if (is_fine)
            reader_wait_for_room(r);
        if (is_fine && reader_goes_on(r)) {
            is_fine = reader_read(r, &t);
            retry_ns = is_fine ? h->plane->opts.retry_ns : retry_ns;
        }
        if (!is_fine) {
            reader_close(r);
            reader_on_trouble(r, &t, &retry_ns);
        } else if (reader_goes_on(r) && sl__hub_can_merge(r)) {
            sl__hub_merge(r);
        }
    }
    reader_close(r);
    if (r->is_shared)
        sl__hub_drop_window(h);
    r->state = SL_READER_OVER;
    h->readers_active--;
    sl__plane_wake(h->plane); /* who waits for a reader goes on in the loop thread, which can join this one */
    pthread_mutex_unlock(&h->mutex);
    return NULL;
}

bool sl__thread_start(pthread_t *thread, void *(*main)(void *), void *arg)
{
    pthread_attr_t attr;
    if (pthread_attr_init(&attr) != 0)
        return false;
    pthread_attr_setstacksize(&attr, READER_STACK_BYTES);
    bool is_started = pthread_create(thread, &attr, main, arg) == 0;
    pthread_attr_destroy(&attr);
    return is_started;
}

bool sl__reader_start(struct sl_reader_slot *r, sl_ts from)
{
    SL_REQUIRE(r->state == SL_READER_OFF && r->members.count == 0);
    r->state = SL_READER_STARTING;
    r->routed = from;
    if (!sl__thread_start(&r->thread, reader_main, r)) {
        r->state = SL_READER_OFF;
        return false;
    }
    r->hub->readers_active++;
    return true;
}

void sl__reader_stop(struct sl_reader_slot *r)
{
    if (!reader_goes_on(r))
        return;
    r->state = SL_READER_STOPPING;
    if (r->source)
        r->source->driver->interrupt(r->source);
    pthread_cond_signal(&r->changed);
}

/* Its thread has let go of the mutex for good: this does not block. */
void sl__reader_join(struct sl_reader_slot *r)
{
    SL_REQUIRE(r->state == SL_READER_OVER);
    pthread_join(r->thread, NULL);
    r->state = SL_READER_OFF;
}
