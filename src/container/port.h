/* port.h - a published TCP port, and who holds it when it is taken. */
#pragma once

#include <glib.h>

/* A socket bound to ADDRESS ("127.0.0.1:8080", "0.0.0.0:8080", "[::1]:8080"), which does not listen
 * yet. -1 with INVALID for a malformed address and UNAVAILABLE, with the holder's name where /proc
 * tells it, for a port that is taken. */
int port_bind(const char *address, GError **error);
