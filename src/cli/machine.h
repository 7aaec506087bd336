/* machine.h - what this machine offers slipway, looked at and not assumed. */
#pragma once

#include <glib.h>

typedef enum {
    MACHINE_OK,
    MACHINE_ABSENT,  /* and something is less without it */
    MACHINE_MISSING, /* and slipway cannot do its work without it */
} MachineState;

typedef struct {
    const char *name;
    MachineState state;
    char *detail; /* what was found, or what is lost */
    char *mend;   /* a command or a sentence; NULL when there is nothing to mend */
} MachineCheck;

/* Looks at everything, in the order in which it is to be read. */
GPtrArray *machine_look(void);
