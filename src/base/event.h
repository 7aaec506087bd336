/* event.h - the stream of events of one run: who emits does not know who reads.
 *
 * An event is a JSON object {"time","type","run",...}. The terminal view, the JSON lines and the
 * run's log file are sinks. */
#pragma once

#include <jansson.h>

typedef struct EventSink EventSink;
struct EventSink {
    void (*emit)(EventSink *sink, json_t *event); /* borrows EVENT */
};

/* Emits an event of TYPE with FIELDS (taken; may be NULL): adds "time" and "type" before them.
 * SINK may be NULL: then nobody listens. */
void event_emit(EventSink *sink, const char *type, json_t *fields);
