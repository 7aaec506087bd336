#include "cli/build_output.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/process.h"
#include "build/build.h"
#include "cli/commands.h"
#include "oci/export.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    char *type, *destination, *name;
} Output;

static void output_clear(Output *output)
{
    g_free(output->type);
    g_free(output->destination);
    g_free(output->name);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Output, output_clear)

static bool parse(const char *spec, Output *output, GError **error)
{
    static const char *const types[] = {"oci", "docker", "tar", "local", "image", NULL};
    g_auto(GStrv) fields = g_strsplit(spec, ",", -1);
    *output = (Output){0};
    for (char **field = fields; *field != NULL; field++) {
        const char *equals = strchr(*field, '=');
        const char *value = equals != NULL ? equals + 1 : "";
        if (equals == NULL && fields[1] == NULL) {
            output->type = g_strdup("local");
            output->destination = g_strdup(*field);
        } else if (g_str_has_prefix(*field, "type=")) {
            output->type = g_strdup(value);
        } else if (g_str_has_prefix(*field, "dest=")) {
            output->destination = g_strdup(value);
        } else if (g_str_has_prefix(*field, "name=")) {
            output->name = g_strdup(value);
        } else {
            command_usage_error(error,
                                "--output: unknown '%s', expected type=, dest= or name=", *field);
            return false;
        }
    }
    bool known = output->type != NULL && g_strv_contains(types, output->type);
    if (known && (output->destination != NULL || g_str_equal(output->type, "image")))
        return true;
    command_usage_error(error, "--output '%s': expected type=oci|docker|tar|local,dest=PATH", spec);
    return false;
}

bool build_output_check(const char *spec, GError **error)
{
    g_auto(Output) output = {0};
    return parse(spec, &output, error);
}

static bool write_archive(ContentStore *store, const Image *image, const char *name,
                          ExportFormat format, const char *path, GError **error)
{
    bool to_stdout = g_str_equal(path, "-");
    g_autofree char *temporary = g_strconcat(path, ".XXXXXX", NULL);
    autofd int fd =
        to_stdout ? dup(STDOUT_FILENO) : g_mkstemp_full(temporary, O_WRONLY | O_CLOEXEC, 0644);
    if (fd < 0)
        return error_set_errno(error, errno, "create", path);
    FdSink sink = fd_sink(fd);
    bool ok = image_export(store, image->manifest_digest, name, format, &sink.sink, error);
    if (to_stdout)
        return ok;
    ok = ok && (rename(temporary, path) == 0 || error_set_errno(error, errno, "write", path));
    if (!ok)
        unlink(temporary);
    return ok;
}

static bool write_tar(ContentStore *store, const Image *image, const char *path, GError **error)
{
    g_autofree char *parent =
        state_folder(content_state(store), error, "cache", "build", "outputs", NULL);
    g_autofree char *folder =
        parent != NULL ? file_make_temporary_folder(parent, "tree", error) : NULL;
    if (folder == NULL)
        return false;
    const char *argv[] = {"tar",      "--create", "--sort=name", "--numeric-owner",
                          "--xattrs", "--file",   path,          "--directory",
                          folder,     ".",        NULL};
    ProcessSpec spec = {.argv = argv, .input_length = -1};
    g_auto(ProcessResult) result = {0};
    bool ok =
        build_write_tree(store, image, folder, error) && process_run_checked(&spec, &result, error);
    file_remove_tree(AT_FDCWD, folder, NULL);
    return ok;
}

bool build_output_write(ContentStore *store, const Image *image, const char *spec,
                        const char *const *tags, GError **error)
{
    g_auto(Output) output = {0};
    if (!parse(spec, &output, error))
        return false;
    const char *name = output.name != NULL ? output.name : tags != NULL ? tags[0] : NULL;
    const char *path = output.destination;
    if (g_str_equal(output.type, "local"))
        return build_write_tree(store, image, path, error);
    if (g_str_equal(output.type, "tar"))
        return write_tar(store, image, path, error);
    if (g_str_equal(output.type, "image"))
        return output.name == NULL || image_tag(store, output.name, image->manifest_digest, error);
    if (g_str_equal(output.type, "oci") && g_file_test(path, G_FILE_TEST_IS_DIR))
        return image_export_folder(store, image->manifest_digest, name, path, error);
    return write_archive(store, image, name,
                         g_str_equal(output.type, "oci") ? EXPORT_OCI : EXPORT_DOCKER, path, error);
}
