/* crash.h - named boundaries between a recorded intent and its outcome.
 *
 * The crash tests set SLIPWAY_CRASH_LOG to a file that collects the name of every boundary passed,
 * and SLIPWAY_CRASH_AT to "NAME" or "NAME:N" to be killed (SIGKILL) at its first or Nth passing.
 * Without these variables a boundary costs one look at a static flag. */
#pragma once

void crash_boundary(const char *name);
