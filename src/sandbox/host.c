/* The HOST root: what of this machine a step may see. */
#include "sandbox/plan.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What programs need of /etc to run; everything else there (shadow, keys of hosts and services,
 * tokens of daemons) is hidden. Directories count whole. */
static const char *const visible_etc[] = {
    "ImageMagick-6",
    "X11",
    "adduser.conf",
    "alternatives",
    "apache2",
    "apt",
    "bash.bashrc",
    "bash_completion.d",
    "ca-certificates",
    "ca-certificates.conf",
    "crypto-policies",
    "debconf.conf",
    "debian_version",
    "debuginfod",
    "default",
    "deluser.conf",
    "dpkg",
    "emacs",
    "environment",
    "ethertypes",
    "fonts",
    "fstab",
    "gai.conf",
    "gdb",
    "gemrc",
    "gitconfig",
    "glvnd",
    "gnutls",
    "groff",
    "group",
    "host.conf",
    "hostname",
    "hosts",
    "inputrc",
    "iproute2",
    "issue",
    "java",
    "java-11-openjdk",
    "java-17-openjdk",
    "java-21-openjdk",
    "java-8-openjdk",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "libaudit.conf",
    "locale.alias",
    "locale.conf",
    "locale.gen",
    "localtime",
    "login.defs",
    "lsb-release",
    "magic",
    "magic.mime",
    "mailcap",
    "manpath.config",
    "maven",
    "mime.types",
    "mke2fs.conf",
    "networks",
    "npmrc",
    "nsswitch.conf",
    "opt",
    "os-release",
    "pam.conf",
    "pam.d",
    "passwd",
    "perl",
    "php",
    "pip.conf",
    "pki",
    "profile",
    "profile.d",
    "protocols",
    "python3",
    "python3.11",
    "python3.12",
    "python3.13",
    "resolv.conf",
    "rpc",
    "ruby",
    "security",
    "services",
    "sgml",
    "shells",
    "skel",
    "ssl",
    "subgid",
    "subuid",
    "sysctl.conf",
    "sysctl.d",
    "terminfo",
    "timezone",
    "ucf.conf",
    "vim",
    "wgetrc",
    "xattr.conf",
    "xdg",
    "xml",
};

/* Passwords of package mirrors, which some make readable for all. */
static const char *const hidden_within[] = {"apt/auth.conf", "apt/auth.conf.d"};

#define DEPTH_LIMIT 8

static void host_folder_clear(void *data)
{
    PlanHostFolder *folder = data;
    g_free(folder->path);
    g_strfreev(folder->hidden);
}

static void host_entry_clear(void *data)
{
    PlanHostEntry *entry = data;
    g_free(entry->path);
    g_free(entry->link);
}

static bool is_visible(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(visible_etc); i++)
        if (strcmp(visible_etc[i], name) == 0)
            return true;
    return false;
}

static bool is_hidden_within(const char *path)
{
    for (size_t i = 0; i < G_N_ELEMENTS(hidden_within); i++)
        if (strcmp(hidden_within[i], path) == 0)
            return true;
    return false;
}

/* Whatever not everyone on this machine may read is not for a step either: keys, old passwords. */
static bool is_private(const struct stat *info)
{
    return (info->st_mode & S_IROTH) == 0 ||
           (S_ISDIR(info->st_mode) && (info->st_mode & S_IXOTH) == 0);
}

/* Adds to HIDDEN what is not to be seen of folder PREFIX of /etc, open as FD (taken). */
static void collect_hidden(GPtrArray *hidden, int fd, const char *prefix, int depth)
{
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (dir == NULL) {
        if (fd >= 0)
            close(fd);
        return;
    }
    const struct dirent *entry;
    while ((entry = readdir(dir)) != NULL) {
        const char *name = entry->d_name;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
            continue;
        g_autofree char *path = g_strconcat(prefix, name, NULL);
        bool hide = depth == 0 ? !is_visible(name) : is_hidden_within(path);
        struct stat info;
        if (!hide && entry->d_type == DT_LNK)
            continue;
        if (hide || depth == DEPTH_LIMIT ||
            fstatat(dirfd(dir), name, &info, AT_SYMLINK_NOFOLLOW) < 0 ||
            (!S_ISLNK(info.st_mode) && is_private(&info))) {
            g_ptr_array_add(hidden, g_steal_pointer(&path));
        } else if (S_ISDIR(info.st_mode)) {
            g_autofree char *below = g_strconcat(path, "/", NULL);
            collect_hidden(
                hidden, openat(dirfd(dir), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC),
                below, depth + 1);
        }
    }
    closedir(dir);
}

static char **list_hidden(void)
{
    GPtrArray *hidden = g_ptr_array_new();
    collect_hidden(hidden, open("/etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC), "", 0);
    g_ptr_array_add(hidden, NULL);
    return (char **) g_ptr_array_free(hidden, FALSE);
}

static void add_folder(Plan *plan, const char *path, char **hidden)
{
    PlanHostFolder folder = {.path = g_strdup(path), .hidden = hidden, .fd = -1};
    g_array_append_val(plan->host_folders, folder);
}

static void add_entry(Plan *plan, const char *path, const char *link, mode_t mode)
{
    PlanHostEntry entry = {.path = g_strdup(path), .link = g_strdup(link), .mode = mode};
    g_array_append_val(plan->host_entries, entry);
}

/* /bin and its like are links into /usr where the two are merged, else folders of their own. */
static void add_program_folders(Plan *plan)
{
    static const char *const names[] = {"/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"};
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *link = g_file_read_link(names[i], NULL);
        if (link != NULL)
            add_entry(plan, names[i], link, 0);
        else if (g_file_test(names[i], G_FILE_TEST_IS_DIR))
            add_folder(plan, names[i], NULL);
    }
}

void plan_add_host_root(Plan *plan)
{
    static const struct {
        const char *path;
        mode_t mode;
    } empty[] = {
        {"/root", 0700},      {"/home", 0755},    {"/tmp", 01777},      {"/run", 0755},
        {"/srv", 0755},       {"/mnt", 0755},     {"/media", 0755},     {"/var", 0755},
        {"/var/tmp", 01777},  {"/var/lib", 0755}, {"/var/cache", 0755}, {"/var/log", 0755},
        {"/run/lock", 01777},
    };
    plan->host_folders = g_array_new(FALSE, TRUE, sizeof(PlanHostFolder));
    g_array_set_clear_func(plan->host_folders, host_folder_clear);
    plan->host_entries = g_array_new(FALSE, TRUE, sizeof(PlanHostEntry));
    g_array_set_clear_func(plan->host_entries, host_entry_clear);

    add_folder(plan, "/usr", NULL);
    if (g_file_test("/opt", G_FILE_TEST_IS_DIR))
        add_folder(plan, "/opt", NULL);
    add_folder(plan, "/etc", list_hidden());
    add_program_folders(plan);
    for (size_t i = 0; i < G_N_ELEMENTS(empty); i++)
        add_entry(plan, empty[i].path, NULL, empty[i].mode);
}
