#include "oci/base_image.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/process.h"
#include "format/compress.h"
#include "model/reference.h"
#include "oci/layer_blob.h"
#include "oci/manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define PATH_OF_IMAGE "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define ROOT_LIMIT ((uint64_t) 16 * 1024 * 1024 * 1024)
#define SOURCES_LIMIT ((size_t) 1024 * 1024)

typedef struct {
    const char *id, *keyring, *keyring_package, *components;
    const char *mirror, *security_mirror;
} Distribution;

static const Distribution distributions[] = {
    {"debian", "/usr/share/keyrings/debian-archive-keyring.gpg", "debian-archive-keyring", "main",
     "http://deb.debian.org/debian", "http://security.debian.org/debian-security"},
    {"ubuntu", "/usr/share/keyrings/ubuntu-archive-keyring.gpg", "ubuntu-keyring", "main universe",
     "http://archive.ubuntu.com/ubuntu", "http://security.ubuntu.com/ubuntu"},
};

static const struct {
    const char *distribution, *version, *suite;
} releases[] = {
    {"debian", "11", "bullseye"}, {"debian", "12", "bookworm"}, {"debian", "13", "trixie"},
    {"ubuntu", "22.04", "jammy"}, {"ubuntu", "24.04", "noble"},
};

typedef struct {
    const Distribution *distribution;
    const char *version, *suite;
    bool slim;
    Reference *reference;
} Plan;

static void plan_clear(Plan *plan)
{
    g_clear_pointer(&plan->reference, reference_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Plan, plan_clear)

static bool make_plan(const char *name, Plan *plan, GError **error)
{
    plan->reference = reference_parse(name, error);
    if (plan->reference == NULL)
        return false;
    const Reference *reference = plan->reference;
    g_autofree char *release = g_strdup(reference->tag != NULL ? reference->tag : "");
    plan->slim = g_str_has_suffix(release, "-slim");
    if (plan->slim)
        release[strlen(release) - strlen("-slim")] = '\0';
    for (size_t i = 0; i < G_N_ELEMENTS(releases); i++) {
        g_autofree char *path = g_strconcat("library/", releases[i].distribution, NULL);
        if (!g_str_equal(reference->domain, "docker.io") || !g_str_equal(reference->path, path) ||
            (!g_str_equal(release, releases[i].version) &&
             !g_str_equal(release, releases[i].suite)))
            continue;
        plan->version = releases[i].version;
        plan->suite = releases[i].suite;
        plan->distribution =
            g_str_equal(releases[i].distribution, "debian") ? &distributions[0] : &distributions[1];
        return true;
    }
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                "base image '%s' is unknown; it can be " BASE_IMAGE_NAMES, name);
    return false;
}

/* --- where packages come from --------------------------------------------------------------- */

typedef struct {
    const Plan *plan;
    GPtrArray *lines;   /* "deb URI SUITE COMPONENTS" */
    GHashTable *suites; /* that have a line */
} Sources;

static char *suite_name(const Plan *plan, const char *pocket)
{
    return g_strconcat(plan->suite, pocket, NULL);
}

static const char *const pockets[] = {"", "-updates", "-security"};

/* Takes "deb URI SUITE main" of this machine, when it is one of the release's pockets. */
static void add_source(Sources *sources, const char *uri, const char *suite, const char *components)
{
    const Plan *plan = sources->plan;
    if (!g_str_has_prefix(uri, "http://") && !g_str_has_prefix(uri, "https://"))
        return;
    /* Others publish under a release's name as well; the distribution's own archives say theirs. */
    if (strstr(uri, plan->distribution->id) == NULL || strstr(components, "main") == NULL)
        return;
    for (size_t i = 0; i < G_N_ELEMENTS(pockets); i++) {
        g_autofree char *wanted = suite_name(plan, pockets[i]);
        if (!g_str_equal(wanted, suite) || g_hash_table_contains(sources->suites, wanted))
            continue;
        g_ptr_array_add(sources->lines, g_strdup_printf("deb %s %s %s", uri, suite,
                                                        plan->distribution->components));
        g_hash_table_add(sources->suites, g_steal_pointer(&wanted));
    }
}

/* "deb [options] URI SUITE COMPONENT…" */
static void read_one_line(Sources *sources, const char *line)
{
    g_autofree char *text = g_strdup(line);
    if (!g_str_has_prefix(g_strstrip(text), "deb "))
        return;
    char *rest = g_strchug(text + 4);
    if (*rest == '[') {
        char *close = strchr(rest, ']');
        rest = close != NULL ? g_strchug(close + 1) : (char *) "";
    }
    g_auto(GStrv) words = g_strsplit_set(rest, " \t", 3);
    if (g_strv_length(words) == 3)
        add_source(sources, words[0], words[1], words[2]);
}

static char *field_of(const char *stanza, const char *name)
{
    g_auto(GStrv) lines = g_strsplit(stanza, "\n", -1);
    for (char **line = lines; *line != NULL; line++)
        if (g_ascii_strncasecmp(*line, name, strlen(name)) == 0 && (*line)[strlen(name)] == ':')
            return g_strstrip(g_strdup(*line + strlen(name) + 1));
    return g_strdup("");
}

/* A deb822 stanza: each of its suites at its first URI. */
static void read_stanza(Sources *sources, const char *stanza)
{
    g_autofree char *types = field_of(stanza, "Types");
    g_autofree char *uris = field_of(stanza, "URIs");
    g_autofree char *suites = field_of(stanza, "Suites");
    g_autofree char *components = field_of(stanza, "Components");
    g_autofree char *enabled = field_of(stanza, "Enabled");
    if (!g_str_has_prefix(types, "deb") || g_str_equal(types, "deb-src") ||
        g_ascii_strcasecmp(enabled, "no") == 0)
        return;
    g_autofree char *uri = g_strndup(uris, strcspn(uris, " \t"));
    g_auto(GStrv) names = g_strsplit_set(suites, " \t", -1);
    for (char **name = names; *name != NULL; name++)
        add_source(sources, uri, *name, components);
}

static void read_sources_file(Sources *sources, const char *path)
{
    g_autofree char *text = file_read(AT_FDCWD, path, SOURCES_LIMIT, NULL, NULL);
    if (text == NULL)
        return;
    bool stanzas = g_str_has_suffix(path, ".sources");
    g_auto(GStrv) parts = g_strsplit(text, stanzas ? "\n\n" : "\n", -1);
    for (char **part = parts; *part != NULL; part++)
        if (stanzas)
            read_stanza(sources, *part);
        else
            read_one_line(sources, *part);
}

/* apt lines for the release: this machine's own where it has them, else the public mirrors. */
static GPtrArray *find_sources(const Plan *plan)
{
    Sources sources = {
        .plan = plan,
        .lines = g_ptr_array_new_with_free_func(g_free),
        .suites = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
    };
    glob_t files = {0};
    glob("/etc/apt/sources.list", 0, NULL, &files);
    glob("/etc/apt/sources.list.d/*.list", GLOB_APPEND, NULL, &files);
    glob("/etc/apt/sources.list.d/*.sources", GLOB_APPEND, NULL, &files);
    for (size_t i = 0; i < files.gl_pathc; i++)
        read_sources_file(&sources, files.gl_pathv[i]);
    globfree(&files);
    for (size_t i = 0; i < G_N_ELEMENTS(pockets); i++) {
        g_autofree char *suite = suite_name(plan, pockets[i]);
        bool security = g_str_equal(pockets[i], "-security");
        const char *mirror =
            security ? plan->distribution->security_mirror : plan->distribution->mirror;
        if (!g_hash_table_contains(sources.suites, suite))
            add_source(&sources, mirror, suite, "main");
    }
    g_hash_table_unref(sources.suites);
    return sources.lines;
}

/* --- the time that is stated ---------------------------------------------------------------- */

/* Seconds since 1970 of "Date: Thu, 19 Nov 2026 02:12:54 UTC" in a Release file; 0: none. */
static int64_t release_date(const char *text)
{
    const char *at = strstr(text, "\nDate: ");
    struct tm parts = {0};
    if (at == NULL)
        return 0;
    const char *end = strptime(at + strlen("\nDate: "), "%a, %d %b %Y %H:%M:%S", &parts);
    return end != NULL ? (int64_t) timegm(&parts) : 0;
}

static int64_t fetch_release_date(const char *line, const char *folder)
{
    g_auto(GStrv) words = g_strsplit(line, " ", 4);
    g_autofree char *url = g_strdup_printf("%s/dists/%s/InRelease", words[1], words[2]);
    g_autofree char *path = g_build_filename(folder, "InRelease", NULL);
    const char *argv[] = {"/usr/lib/apt/apt-helper", "download-file", url, path, NULL};
    g_auto(ProcessResult) result = {0};
    if (!process_run_checked(&(ProcessSpec){.argv = argv}, &result, NULL))
        return 0;
    g_autofree char *text = file_read(AT_FDCWD, path, SOURCES_LIMIT, NULL, NULL);
    unlink(path);
    return text != NULL ? release_date(text) : 0;
}

/* SOURCE_DATE_EPOCH, else the newest Release file's date, else today's midnight. */
static int64_t choose_epoch(const GPtrArray *sources, const char *folder)
{
    const char *given = g_getenv("SOURCE_DATE_EPOCH");
    gint64 epoch = 0;
    if (given != NULL && g_ascii_string_to_signed(given, 10, 0, G_MAXINT32, &epoch, NULL))
        return epoch;
    for (guint i = 0; i < sources->len; i++)
        epoch = MAX(epoch, fetch_release_date(g_ptr_array_index(sources, i), folder));
    int64_t today = (int64_t) time(NULL) / 86400 * 86400;
    return epoch > 0 ? epoch : today;
}

/* --- making --------------------------------------------------------------------------------- */

/* What the field's slim images leave out. Copyright files stay: licences ask for them. */
static const char *const slim_options[] = {
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-include=/usr/share/doc/*/copyright",
    "--dpkgopt=path-exclude=/usr/share/groff/*",
    "--dpkgopt=path-exclude=/usr/share/info/*",
    "--dpkgopt=path-exclude=/usr/share/linda/*",
    "--dpkgopt=path-exclude=/usr/share/lintian/overrides/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
    "--dpkgopt=path-include=/usr/share/locale/locale.alias",
    "--dpkgopt=path-exclude=/usr/share/man/*",
    "--dpkgopt=path-include=/usr/share/man/man[1-9]",
};

/* Settings for apt inside of a layer, under the names the field's images use. */
static const char settings_hook[] =
    "--customize-hook=set -e; d=\"$1\"/etc/apt/apt.conf.d; "
    "printf 'DPkg::Post-Invoke { \"rm -f /var/cache/apt/archives/*.deb "
    "/var/cache/apt/archives/partial/*.deb /var/cache/apt/*.bin || true\"; };\\n"
    "APT::Update::Post-Invoke { \"rm -f /var/cache/apt/archives/*.deb "
    "/var/cache/apt/archives/partial/*.deb /var/cache/apt/*.bin || true\"; };\\n"
    "Dir::Cache::pkgcache \"\"; Dir::Cache::srcpkgcache \"\";\\n' > \"$d/docker-clean\"; "
    "printf 'Acquire::GzipIndexes \"true\";\\n' > \"$d/docker-gzip-indexes\"; "
    "printf 'Acquire::Languages \"none\";\\n' > \"$d/docker-no-languages\"; "
    "printf 'Apt::AutoRemove::SuggestsImportant \"false\";\\n' > "
    "\"$d/docker-autoremove-suggests\"; "
    "printf '#!/bin/sh\\nexit 101\\n' > \"$1\"/usr/sbin/policy-rc.d; "
    "chmod 755 \"$1\"/usr/sbin/policy-rc.d";

/* mmdebstrap in a pid namespace of its own where that can be had, so that all it has started ends
 * with it, whatever becomes of us. */
static bool can_contain(void)
{
    const char *argv[] = {"unshare",      "--fork", "--pid", "--kill-child",
                          "--mount-proc", "true",   NULL};
    g_auto(ProcessResult) result = {0};
    return geteuid() == 0 && process_run_checked(&(ProcessSpec){.argv = argv}, &result, NULL);
}

static GPtrArray *make_command(const Plan *plan, const GPtrArray *sources)
{
    static const char *const contained[] = {"unshare", "--fork", "--pid", "--kill-child",
                                            "--mount-proc"};
    GPtrArray *argv = g_ptr_array_new_with_free_func(g_free);
    for (size_t i = 0; can_contain() && i < G_N_ELEMENTS(contained); i++)
        g_ptr_array_add(argv, g_strdup(contained[i]));
    g_ptr_array_add(argv, g_strdup("mmdebstrap"));
    g_ptr_array_add(argv, g_strdup("--variant=minbase"));
    g_ptr_array_add(argv, g_strdup("--format=tar"));
    g_ptr_array_add(argv, g_strdup_printf("--keyring=%s", plan->distribution->keyring));
    for (size_t i = 0; plan->slim && i < G_N_ELEMENTS(slim_options); i++)
        g_ptr_array_add(argv, g_strdup(slim_options[i]));
    g_ptr_array_add(argv, g_strdup(settings_hook));
    g_ptr_array_add(argv, g_strdup(plan->suite));
    g_ptr_array_add(argv, g_strdup("-"));
    for (guint i = 0; i < sources->len; i++)
        g_ptr_array_add(argv, g_strdup(g_ptr_array_index(sources, i)));
    g_ptr_array_add(argv, NULL);
    return argv;
}

/* The root as a tar, in an unlinked file; -1 with an error. */
static int bootstrap(const Plan *plan, const GPtrArray *sources, int64_t epoch, const char *folder,
                     GError **error)
{
    g_autofree char *path = g_build_filename(folder, "root.tar", NULL);
    autofd int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 || unlink(path) < 0) {
        error_set_errno(error, errno, "create", path);
        return -1;
    }
    g_autoptr(GPtrArray) argv = make_command(plan, sources);
    g_auto(GStrv) environment = g_get_environ();
    g_autofree char *stated = g_strdup_printf("%" G_GINT64_FORMAT, epoch);
    environment = g_environ_setenv(environment, "SOURCE_DATE_EPOCH", stated, TRUE);
    environment = g_environ_setenv(environment, "TMPDIR", folder, TRUE);
    environment = g_environ_setenv(environment, "LC_ALL", "C.UTF-8", TRUE);
    environment = g_environ_unsetenv(environment, "G_DEBUG");
    environment = g_environ_unsetenv(environment, "G_SLICE");
    ProcessSpec spec = {
        .argv = (const char *const *) argv->pdata,
        .environment = (const char *const *) environment,
        .stdout_fd = fd,
        .inherit_stderr = isatty(STDERR_FILENO),
    };
    g_auto(ProcessResult) result = {0};
    if (!process_run_checked(&spec, &result, error)) {
        if (error != NULL && g_error_matches(*error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND))
            g_prefix_error(error,
                           "base images are made by mmdebstrap (apt-get install mmdebstrap): ");
        return -1;
    }
    if (lseek(fd, 0, SEEK_SET) < 0) {
        error_set_errno(error, errno, "read", path);
        return -1;
    }
    return steal_fd(&fd);
}

/* false for what belongs to the machine or the moment and not to the distribution. */
static bool keep_entry(const TarEntry *entry, void *data)
{
    static const char *const exact[] = {"etc/resolv.conf", "etc/hostname", "etc/machine-id",
                                        "var/lib/dbus/machine-id", "var/cache/ldconfig/aux-cache"};
    static const char *const below[] = {
        "dev/", "tmp/", "run/", "var/log/", "var/lib/apt/lists/", "var/cache/apt/"};
    for (size_t i = 0; i < G_N_ELEMENTS(exact); i++)
        if (g_str_equal(entry->path, exact[i]))
            return false;
    /* Old copies that dpkg and debconf keep for a fall back. */
    if (g_str_has_suffix(entry->path, "-old") &&
        (g_str_has_prefix(entry->path, "var/lib/dpkg/") ||
         g_str_has_prefix(entry->path, "var/cache/debconf/")))
        return false;
    for (size_t i = 0; i < G_N_ELEMENTS(below); i++)
        if (g_str_has_prefix(entry->path, below[i]))
            return entry->kind == TAR_FOLDER && !g_str_has_prefix(entry->path, "dev/");
    return true;
}

static ImageLayer *pack_root(ContentStore *store, int fd, int64_t epoch, GError **error)
{
    FdSource file = fd_source(fd);
    g_autoptr(Decompressor) plain = decompressor_new(&file.source, ROOT_LIMIT, error);
    if (plain == NULL)
        return NULL;
    LayerOptions options = {.clamp_time = epoch};
    return layer_from_tar(store, decompressor_source(plain), &options, keep_entry, NULL, error);
}

static Image *make_image(const Plan *plan, const ImageLayer *layer, int64_t epoch)
{
    g_autofree char *created = clock_format_seconds(epoch);
    g_autofree char *command = g_strdup_printf("slipway base %s:%s%s", plan->distribution->id,
                                               plan->suite, plan->slim ? "-slim" : "");
    Image *image = image_new();
    image_add_layer(image, layer);
    json_object_set_new(image->config, "created", json_string(created));
    json_object_set_new(image->config, "config",
                        json_pack("{s:[s], s:[s]}", "Env", PATH_OF_IMAGE, "Cmd", "bash"));
    json_object_set_new(image->config, "history",
                        json_pack("[{s:s, s:s}]", "created", created, "created_by", command));
    return image;
}

/* Tags the image by its version and by its suite: debian:12-slim is debian:bookworm-slim. */
static bool tag_both(ContentStore *store, const Plan *plan, const char *digest, GError **error)
{
    const char *const releases_of[] = {plan->version, plan->suite};
    g_autofree char *repository = reference_repository(plan->reference);
    for (size_t i = 0; i < G_N_ELEMENTS(releases_of); i++) {
        g_autofree char *name =
            g_strdup_printf("%s:%s%s", repository, releases_of[i], plan->slim ? "-slim" : "");
        if (!image_tag(store, name, digest, error))
            return false;
    }
    return true;
}

static char *make_in(ContentStore *store, const Plan *plan, const char *folder, GError **error)
{
    g_autoptr(GPtrArray) sources = find_sources(plan);
    int64_t epoch = choose_epoch(sources, folder);
    autofd int fd = bootstrap(plan, sources, epoch, folder, error);
    g_autoptr(ImageLayer) layer = fd >= 0 ? pack_root(store, fd, epoch, error) : NULL;
    if (layer == NULL)
        return NULL;
    g_autoptr(Image) image = make_image(plan, layer, epoch);
    if (!image_store(store, image, error) || !tag_both(store, plan, image->manifest_digest, error))
        return NULL;
    return g_strdup(image->manifest_digest);
}

char *base_image_make(ContentStore *store, const char *name, bool force, GError **error)
{
    g_auto(Plan) plan = {0};
    if (!make_plan(name, &plan, error))
        return NULL;
    g_autofree char *full_name = reference_name(plan.reference);
    char *present = force ? NULL : image_resolve(store, full_name, NULL);
    if (present != NULL)
        return present;
    if (access(plan.distribution->keyring, R_OK) < 0) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND,
                    "'%s': the keys of %s's archive are not here; apt-get install %s",
                    plan.distribution->keyring, plan.distribution->id,
                    plan.distribution->keyring_package);
        return NULL;
    }
    g_autofree char *work = state_folder(content_state(store), error, "cache", "base", NULL);
    g_autofree char *folder = work != NULL ? file_make_temporary_folder(work, "root", error) : NULL;
    if (folder == NULL)
        return NULL;
    /* mmdebstrap's helpers work here as other users. */
    bool reachable = chmod(folder, 0711) == 0;
    char *digest = reachable ? make_in(store, &plan, folder, error) : NULL;
    file_remove_tree(AT_FDCWD, folder, NULL);
    return digest;
}
