#include "base/event.h"

#include "base/clock.h"

#include <glib.h>

void event_emit(EventSink *sink, const char *type, json_t *fields)
{
    if (sink != NULL) {
        g_autofree char *time = clock_format_ns(clock_now_ns());
        json_t *event = json_pack("{s:s, s:s}", "time", time, "type", type);
        if (fields != NULL)
            json_object_update(event, fields);
        sink->emit(sink, event);
        json_decref(event);
    }
    json_decref(fields);
}
