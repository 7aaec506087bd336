#include "base/library.h"

#include "base/error.h"

#include <dlfcn.h>

/* The name of what could not be found; NULL when all was. */
static const char *resolve(Library *library)
{
    void *handle = dlopen(library->file, RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL)
        return library->file;
    for (const LibrarySymbol *symbol = library->symbols; symbol->name != NULL; symbol++) {
        *symbol->at = dlsym(handle, symbol->name);
        if (*symbol->at == NULL)
            return symbol->name;
    }
    return NULL;
}

bool library_open(Library *library, GError **error)
{
    static GMutex lock;
    G_GNUC_UNUSED g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&lock);
    if (library->opened)
        return true;
    const char *missing = resolve(library);
    library->opened = missing == NULL;
    if (!library->opened)
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_UNAVAILABLE,
                    "%s: %s is missing; install the package %s", library->user, missing,
                    library->package);
    return library->opened;
}
