/* shim.h - the parent of one unit: makes its sandbox, restarts it, writes its log and state, and
 * answers on its socket. It outlives the supervisor; the unit does not outlive the shim.
 *
 * Operations of the socket: status, socket {count} (descriptors of the unit's network), exec {argv,
 * timeout_ms, limit}, signal {signal}, stop, wait {timeout_ms}. */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* Runs the unit of FOLDER, whose spec comes on stdin (unit_spec_format), until it has ended for
 * good. READY (taken) gets one line: {"ok":true} when the unit has started, or why it has not. */
bool shim_run(const char *folder, int ready, GError **error);
