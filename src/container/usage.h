/* usage.h - what units take of the machine: memory and processor time of all their processes. */
#pragma once

#include <glib.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct {
    pid_t pid;      /* of the unit's init; 0: counts nothing */
    int64_t memory; /* resident, bytes; pages that are shared count in each process */
    int64_t cpu_us; /* since the present processes began */
    int processes;
} Usage;

/* Fills in COUNT items, in one pass over /proc: a unit is a pid namespace. */
void usage_read(Usage *usages, size_t count);
