/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events are told from the turn, not where they happen: whoever hears of one may then change the membership or close the
 * transport, without pulling away what is being worked on.
 */
#include "edge/peer/transport_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EVENTS_MAX = 1024, EVENT_TEXT_BYTES = 300 };

struct sl__transport_note {
    struct sl__transport_note *next;
    enum sl_transport_event_kind kind;
    struct sl_node_id peer;
    char address[SL_ADDRESS_MAX + 1];
    char text[EVENT_TEXT_BYTES];
};

static const struct {
    const char *name, *level;
} event_rows[SL_TRANSPORT_EVENT_COUNT] = {
#define EVENT_ROW(name, level, text) [SL_TRANSPORT_##name] = { #name, level },
    SL_TRANSPORT_EVENTS(EVENT_ROW)
#undef EVENT_ROW
};

const char *sl_transport_event_name(enum sl_transport_event_kind kind)
{
    SL_REQUIRE((uint32_t)kind < SL_TRANSPORT_EVENT_COUNT);
    return event_rows[kind].name;
}

const char *sl_transport_event_level(enum sl_transport_event_kind kind)
{
    SL_REQUIRE((uint32_t)kind < SL_TRANSPORT_EVENT_COUNT);
    return event_rows[kind].level;
}

void sl__transport_event(struct sl_transport *t, enum sl_transport_event_kind kind, const struct sl_node_id *peer,
                         const char *address, const char *fmt, ...)
{
    va_list args;
    if (t->torn_down || t->client.on_event == NULL || t->note_count == EVENTS_MAX) {
        return;
    }
    struct sl__transport_note *note = calloc(1, sizeof *note);
    if (note == NULL) {
        return;
    }
    note->kind = kind;
    if (peer != NULL) {
        note->peer = *peer;
    }
    (void)snprintf(note->address, sizeof note->address, "%s", address);
    va_start(args, fmt);
    (void)vsnprintf(note->text, sizeof note->text, fmt, args);
    va_end(args);
    if (t->note_last == NULL) {
        t->note_first = note;
    } else {
        t->note_last->next = note;
    }
    t->note_last = note;
    t->note_count++;
    sl_turn_wake(t->turn);
}

static struct sl__transport_note *event_take(struct sl_transport *t)
{
    struct sl__transport_note *note = t->note_first;
    t->note_first = note->next;
    t->note_last = note->next == NULL ? NULL : t->note_last;
    t->note_count--;
    return note;
}

void sl__transport_say_events(struct sl_transport *t)
{
    while (t->note_first != NULL && !t->torn_down) {
        struct sl__transport_note *note = event_take(t);
        struct sl_transport_event event = {
            .kind = note->kind, .peer = note->peer, .address = sl_str_of(note->address), .text = sl_str_of(note->text)
        };
        t->client.on_event(t->client.ctx, &event);
        free(note);
    }
}

void sl__transport_drop_events(struct sl_transport *t)
{
    while (t->note_first != NULL) {
        free(event_take(t));
    }
}
