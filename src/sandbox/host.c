/* The HOST root: what of this machine a step may see. */
#include "sandbox/plan.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What programs need of /etc to run; everything else there (shadow, keys of hosts and services,
 * tokens of daemons) is hidden. Directories count whole. */
static const char *const visible_etc[] = {
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
    "default",
    "deluser.conf",
    "dpkg",
    "emacs",
    "environment",
    "ethertypes",
    "fonts",
    "fstab",
    "gai.conf",
    "gnutls",
    "group",
    "groff",
    "host.conf",
    "hostname",
    "hosts",
    "inputrc",
    "issue",
    "java",
    "java-11-openjdk",
    "java-17-openjdk",
    "java-21-openjdk",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "legal",
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
    "npmrc",
    "nsswitch.conf",
    "opt",
    "os-release",
    "passwd",
    "perl",
    "php",
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
    "securetty",
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
    "xattr.conf",
    "xdg",
    "xml",
};

/* Below what is visible: keys, and the passwords of package mirrors. */
static const char *const hidden_within[] = {"ssl/private", "pki/tls/private", "apt/auth.conf",
                                            "apt/auth.conf.d"};

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

/* Whatever not everyone on this machine may read is not for a step either. */
static bool is_private(const char *path)
{
    struct stat info;
    if (lstat(path, &info) < 0)
        return true;
    return !S_ISLNK(info.st_mode) && (info.st_mode & S_IROTH) == 0;
}

static char **list_hidden(void)
{
    GPtrArray *hidden = g_ptr_array_new();
    GDir *etc = g_dir_open("/etc", 0, NULL);
    const char *name;
    while (etc != NULL && (name = g_dir_read_name(etc)) != NULL) {
        g_autofree char *path = g_build_filename("/etc", name, NULL);
        if (!is_visible(name) || is_private(path))
            g_ptr_array_add(hidden, g_strdup(name));
    }
    g_clear_pointer(&etc, g_dir_close);
    for (size_t i = 0; i < G_N_ELEMENTS(hidden_within); i++) {
        g_autofree char *path = g_build_filename("/etc", hidden_within[i], NULL);
        struct stat info;
        if (lstat(path, &info) == 0)
            g_ptr_array_add(hidden, g_strdup(hidden_within[i]));
    }
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
