/* library.h - a heavy shared library opened on first use, by the one file that needs it. */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct {
    const char *name; /* NULL ends the table */
    void **at;        /* gets the function's address */
} LibrarySymbol;

typedef struct {
    const char *user;    /* who needs it, for the message: "http client" */
    const char *file;    /* "libcurl.so.4" */
    const char *package; /* that has it */
    const LibrarySymbol *symbols;
    bool opened; /* false at first */
} Library;

/* Opens LIBRARY and resolves all its symbols, once; any thread. UNAVAILABLE says what is missing
 * and which package brings it. */
bool library_open(Library *library, GError **error);
