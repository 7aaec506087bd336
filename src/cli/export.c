#include "base/error.h"
#include "base/fd.h"
#include "cli/commands.h"
#include "cli/local_store.h"
#include "model/reference.h"
#include "oci/export.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* The name to carry: the operand's own, when it is one. */
static char *carried_name(const char *operand)
{
    g_autoptr(Reference) reference = reference_parse(operand, NULL);
    bool is_name = reference != NULL && reference->digest == NULL &&
                   (reference->tag != NULL || strchr(operand, '/') != NULL);
    return is_name ? reference_name(reference) : NULL;
}

/* Into OUTPUT, whole or not at all; "-" is stdout. */
static bool export_archive(ContentStore *store, const char *digest, const char *name,
                           ExportFormat format, const char *output, GError **error)
{
    if (g_str_equal(output, "-")) {
        FdSink sink = fd_sink(STDOUT_FILENO);
        return image_export(store, digest, name, format, &sink.sink, error);
    }
    g_autofree char *temporary = g_strconcat(output, ".XXXXXX", NULL);
    autofd int fd = g_mkstemp_full(temporary, O_WRONLY | O_CLOEXEC, 0644);
    if (fd < 0)
        return error_set_errno(error, errno, "create", temporary);
    FdSink sink = fd_sink(fd);
    bool ok = image_export(store, digest, name, format, &sink.sink, error) &&
              (rename(temporary, output) == 0 || error_set_errno(error, errno, "write", output));
    if (!ok)
        unlink(temporary);
    return ok;
}

static int run(int argc, char **argv, GError **error)
{
    g_autofree char *format = NULL;
    g_autofree char *output = NULL;
    const GOptionEntry entries[] = {
        {"format", 0, 0, G_OPTION_ARG_STRING, &format,
         "oci (default), oci-dir, or docker: what docker load reads", "FORMAT"},
        {"output", 'o', 0, G_OPTION_ARG_FILENAME, &output, "file or folder; - is stdout", "FILE"},
        {0},
    };
    if (!command_parse(&command_export, entries, &argc, &argv, error))
        return EXIT_STATUS_USAGE;
    if (argc != 2 || output == NULL)
        return command_usage_error(error, "expects one image and --output FILE");
    bool docker = g_strcmp0(format, "docker") == 0;
    bool folder = g_strcmp0(format, "oci-dir") == 0;
    if (format != NULL && !docker && !folder && !g_str_equal(format, "oci"))
        return command_usage_error(error, "--format is oci, oci-dir or docker, not '%s'", format);

    g_auto(LocalStore) store = {0};
    if (!local_store_open(&store, error))
        return EXIT_STATUS_NO;
    g_autofree char *digest = image_resolve(store.content, argv[1], error);
    if (digest == NULL)
        return EXIT_STATUS_NO;
    g_autofree char *name = carried_name(argv[1]);
    folder = folder || (!docker && g_file_test(output, G_FILE_TEST_IS_DIR));
    bool ok = folder ? image_export_folder(store.content, digest, name, output, error)
                     : export_archive(store.content, digest, name,
                                      docker ? EXPORT_DOCKER : EXPORT_OCI, output, error);
    return ok ? EXIT_STATUS_DONE : EXIT_STATUS_NO;
}

const Command command_export = {
    .name = "export",
    .group = "image",
    .operands = "IMAGE",
    .summary = "write an image as an OCI layout or as what docker load reads",
    .run = run,
};
