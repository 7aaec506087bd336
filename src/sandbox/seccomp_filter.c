#include "sandbox/seccomp_filter.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "sandbox/seccomp_profile.h"

#include <errno.h>
#include <sys/mman.h>

#include "seccomp_compiled.h" /* made at build time */

#define PROGRAM_LIMIT (BPF_MAXINSNS * sizeof(struct sock_filter))

static struct sock_fprog *compile(uint64_t capabilities, GError **error)
{
    autofd int fd = memfd_create("seccomp", MFD_CLOEXEC);
    if (fd < 0) {
        error_set_errno(error, errno, "export", "seccomp filter");
        return NULL;
    }
    int result = seccomp_profile_export(capabilities, fd);
    if (result != 0 || lseek(fd, 0, SEEK_SET) < 0) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INTERNAL, "build seccomp filter: %s",
                    g_strerror(result != 0 ? -result : errno));
        return NULL;
    }
    size_t length;
    char *bytes = file_read_fd(fd, PROGRAM_LIMIT, &length, error);
    if (bytes == NULL)
        return NULL;
    struct sock_fprog *program = g_new(struct sock_fprog, 1);
    *program = (struct sock_fprog){.len = (unsigned short) (length / sizeof(struct sock_filter)),
                                   .filter = (struct sock_filter *) (void *) bytes};
    return program;
}

const struct sock_fprog *seccomp_filter_default(uint64_t capabilities, GError **error)
{
    static GMutex lock;
    static GHashTable *made; /* capabilities that free something → program */
    capabilities = seccomp_profile_capabilities(capabilities);
    for (size_t i = 0; i < G_N_ELEMENTS(compiled); i++)
        if (compiled[i].capabilities == capabilities)
            return &compiled[i].program;

    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&lock);
    if (made == NULL)
        made = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    struct sock_fprog *program = g_hash_table_lookup(made, &capabilities);
    if (program == NULL && (program = compile(capabilities, error)) != NULL)
        g_hash_table_insert(made, g_memdup2(&capabilities, sizeof capabilities), program);
    return program;
}
