/* proxy_process.h - the proxy's process: HTTP/1.1 from one listening socket to the backends of
 * the route in force, until it is told to stop. It opens no database. */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* Serves with what is in FOLDER: listen.json {"name","address"}, route.json, sock. LISTENER is
 * bound but does not listen yet; READY gets a byte when it does. Both are taken. */
bool proxy_process_run(const char *folder, int listener, int ready, GError **error);
