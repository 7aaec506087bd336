/* manual.h - the man page slipway(1), made from the table of commands. */
#pragma once

/* Prints the page to stdout, as roff with the man macros. */
void manual_print(void);
