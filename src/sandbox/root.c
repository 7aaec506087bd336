#include "sandbox/child.h"
#include "sandbox/syscalls.h"
#include "sandbox/text.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

/* How a root comes to be, all in the child's own mount namespace:
 *
 *   open layers and mount sources          (descriptors: nothing below can hide them)
 *   tmpfs over the stage folder            stage/root      where the root is mounted
 *                                          stage/upper,work  for roots whose writes vanish
 *                                          stage/points    mount points that the image lacks
 *   overlay at stage/root                  lowers are named /proc/self/fd/N
 *   missing mount points -> stage/points, which becomes the topmost lower: no trace in UPPER
 *   pivot; the old root stays stacked on top until /proc and /sys are mounted (a user namespace
 *   may mount them only while it sees others)
 *   detach the old root; then dev, masks, the spec's own mounts
 */

typedef struct {
    Plan *plan;
    int error_fd;
    int stage, root, points; /* folders */
    int *lowers;
    size_t lower_count;
    int upper, work;
    int devices[6];
    int old_root; /* once pivoted */
} Root;

static const char *const device_names[6] = {"null", "zero", "full", "random", "urandom", "tty"};

static const char *const masked_paths[] = {
    "/proc/acpi",          "/proc/asound",     "/proc/kcore",       "/proc/keys",
    "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug",
    "/proc/scsi",          "/proc/interrupts", "/sys/firmware",     "/sys/devices/virtual/powercap",
};
static const char *const read_only_paths[] = {
    "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
};

#define LOWERS_MAX 512
static int lower_fds[LOWERS_MAX]; /* of the child's copy: one root a process */

static int open_path(const Root *root, const char *path, const char *step)
{
    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0)
        child_fail(root->error_fd, step, path);
    return fd;
}

static int open_clone(int dirfd, const char *path, bool folder)
{
    return open_tree(dirfd, path,
                     OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (folder ? AT_RECURSIVE : 0));
}

static void open_sources(Root *root)
{
    Plan *plan = root->plan;
    root->lowers = lower_fds;
    for (size_t i = 0; plan->layers != NULL && plan->layers[i] != NULL; i++)
        root->lowers[root->lower_count++] = open_path(root, plan->layers[i], "open layer");
    root->upper = plan->upper != NULL ? open_path(root, plan->upper, "open upper folder") : -1;
    root->work = plan->work != NULL ? open_path(root, plan->work, "open work folder") : -1;
    for (guint i = 0; plan->host_folders != NULL && i < plan->host_folders->len; i++) {
        PlanHostFolder *folder = &g_array_index(plan->host_folders, PlanHostFolder, i);
        folder->fd = open_path(root, folder->path, "open host folder");
    }
    for (guint i = 0; i < plan->mounts->len; i++) {
        PlanMount *mount = &g_array_index(plan->mounts, PlanMount, i);
        if (mount->kind == PLAN_MOUNT_OVERLAY)
            mount->fd = open_path(root, mount->source, "open mount source");
        else if (mount->kind == PLAN_MOUNT_BIND &&
                 (mount->fd = open_clone(AT_FDCWD, mount->source, mount->folder)) < 0)
            child_fail(root->error_fd, "open mount source", mount->source);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(device_names); i++) {
        char name[32];
        Text text = TEXT_ON(name);
        text_add(&text, "/dev/");
        text_add(&text, device_names[i]);
        if ((root->devices[i] = open_clone(AT_FDCWD, name, false)) < 0)
            child_fail(root->error_fd, "open device", name);
    }
}

static int make_folder(const Root *root, int dirfd, const char *name)
{
    if (mkdirat(dirfd, name, 0755) < 0 && errno != EEXIST)
        child_fail(root->error_fd, "make staging folder", name);
    int fd = openat(dirfd, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        child_fail(root->error_fd, "open staging folder", name);
    return fd;
}

static void mount_stage(Root *root)
{
    const char *stage = root->plan->stage;
    if (mount("slipway", stage, "tmpfs", MS_NODEV, "mode=0755") < 0)
        child_fail(root->error_fd, "mount staging tmpfs", stage);
    root->stage = open_path(root, stage, "open staging tmpfs");
    if (fchdir(root->stage) < 0)
        child_fail(root->error_fd, "enter staging tmpfs", stage);
    root->points = make_folder(root, root->stage, "points");
}

/* More lowers than fit the one page of mount(2) go in one by one (kernel 6.5 and later). */
static int mount_overlay_stepwise(const int *lowers, size_t count, int upper, int work,
                                  bool own_ids, const char *at)
{
    int context = fsopen("overlay", FSOPEN_CLOEXEC);
    if (context < 0)
        return -1;
    char name[40];
    for (size_t i = 0; i < count; i++) {
        Text text = TEXT_ON(name);
        text_add_fd_path(&text, lowers[i]);
        if (fsconfig(context, FSCONFIG_SET_STRING, "lowerdir+", name, 0) < 0)
            return -1;
    }
    const struct {
        const char *key;
        int fd;
    } folders[] = {{"upperdir", upper}, {"workdir", work}};
    for (size_t i = 0; i < 2 && upper >= 0; i++) {
        Text text = TEXT_ON(name);
        text_add_fd_path(&text, folders[i].fd);
        if (fsconfig(context, FSCONFIG_SET_STRING, folders[i].key, name, 0) < 0)
            return -1;
    }
    const char *const off[] = {"index", "metacopy", "redirect_dir"};
    for (size_t i = 0; i < (own_ids ? 2 : 3); i++)
        if (fsconfig(context, FSCONFIG_SET_STRING, off[i], "off", 0) < 0)
            return -1;
    if (own_ids && fsconfig(context, FSCONFIG_SET_FLAG, "userxattr", NULL, 0) < 0)
        return -1;
    if (fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return -1;
    int tree = fsmount(context, FSMOUNT_CLOEXEC, MOUNT_ATTR_NODEV);
    if (tree < 0)
        return -1;
    int result = move_mount(tree, "", AT_FDCWD, at, MOVE_MOUNT_F_EMPTY_PATH);
    close(tree);
    close(context);
    return result;
}

/* Mounts the overlay AT; UPPER -1: read-only. Returns -1 with errno. */
static int mount_overlay(const Plan *plan, const int *lowers, size_t count, int upper, int work,
                         bool keep_work, const char *at)
{
    char options[4096];
    Text text = TEXT_ON(options);
    text_add(&text, "index=off,metacopy=off");
    /* userxattr implies that redirects are neither made nor followed, and refuses to be told so */
    text_add(&text, plan->user_xattrs ? ",userxattr" : ",redirect_dir=off");
    if (upper >= 0) {
        text_add(&text, ",upperdir=");
        text_add_fd_path(&text, upper);
        text_add(&text, ",workdir=");
        text_add_fd_path(&text, work);
    }
    text_add(&text, ",lowerdir=");
    for (size_t i = 0; i < count; i++) {
        text_add(&text, i > 0 ? ":" : "");
        text_add_fd_path(&text, lowers[i]);
    }
    bool is_volatile = upper >= 0 && !keep_work;
    size_t before = text.length;
    if (is_volatile)
        text_add(&text, ",volatile"); /* unmounting does not sync the upper file system */
    if (text.full)
        return mount_overlay_stepwise(lowers, count, upper, work, plan->user_xattrs, at);

    unsigned long flags = MS_NODEV | (upper < 0 ? MS_RDONLY : 0);
    int result = mount("overlay", at, "overlay", flags, options);
    if (result < 0 && errno == EINVAL && is_volatile) { /* kernels before 5.10 */
        options[before] = '\0';
        result = mount("overlay", at, "overlay", flags, options);
    }
    return result;
}

/* Follows PATH below folder ROOT without leaving it and without trusting any link in it. OUT gets
 * the path free of links, relative, without a leading slash ("" is ROOT itself); what does not
 * exist is appended as it stands. Returns 1 when it exists (*INFO is filled in), 0 when not, -1
 * with errno. */
static int resolve(int root, const char *path, char out[PATH_MAX], struct stat *info)
{
    char rest[PATH_MAX], target[PATH_MAX];
    size_t length = strlen(path);
    if (length >= PATH_MAX)
        return errno = ENAMETOOLONG, -1;
    memcpy(rest, path, length + 1);
    size_t out_length = 0;
    int links = 0;
    bool exists = true;
    out[0] = '\0';
    if (fstatat(root, "", info, AT_EMPTY_PATH) < 0)
        return -1;

    char *at = rest;
    while (*(at += strspn(at, "/")) != '\0') {
        size_t n = strcspn(at, "/");
        if (n == 1 && at[0] == '.') {
            at += n;
            continue;
        }
        size_t parent = out_length;
        if (n == 2 && at[0] == '.' && at[1] == '.') {
            while (out_length > 0 && out[--out_length] != '/')
                continue;
            out[out_length] = '\0';
            at += n;
            exists = fstatat(root, out, info, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) == 0;
            continue;
        }
        if (out_length + n + 2 > PATH_MAX)
            return errno = ENAMETOOLONG, -1;
        if (out_length > 0)
            out[out_length++] = '/';
        memcpy(out + out_length, at, n);
        out_length += n;
        out[out_length] = '\0';
        at += n;
        if (!exists)
            continue;
        if (fstatat(root, out, info, AT_SYMLINK_NOFOLLOW) < 0) {
            if (errno != ENOENT)
                return -1;
            exists = false;
        } else if (S_ISLNK(info->st_mode)) {
            ssize_t got = readlinkat(root, out, target, sizeof target - 1);
            if (got < 0)
                return -1;
            size_t left = strlen(at);
            if (++links > 40 || (size_t) got + left + 1 > sizeof target)
                return errno = ELOOP, -1;
            memcpy(target + got, at, left + 1);
            memcpy(rest, target, (size_t) got + left + 1);
            at = rest;
            out_length = rest[0] == '/' ? 0 : parent;
            out[out_length] = '\0';
            if (fstatat(root, out, info, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) < 0)
                return -1;
        }
    }
    return exists ? 1 : 0;
}

/* Gives NAME below POINTS the attributes it has below MERGED, where it exists there: the topmost
 * lower decides how a merged folder looks. */
static void clone_attributes(int merged, int points, const char *name)
{
    struct stat info;
    int flags = AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW;
    if (fstatat(merged, name, &info, flags) < 0 || !S_ISDIR(info.st_mode))
        return;
    const struct timespec times[2] = {info.st_atim, info.st_mtim};
    const char *at = name[0] != '\0' ? name : ".";
    (void) !fchownat(points, at, info.st_uid, info.st_gid, AT_SYMLINK_NOFOLLOW);
    (void) !fchmodat(points, at, info.st_mode & 07777, 0);
    (void) !utimensat(points, at, times, AT_SYMLINK_NOFOLLOW);
}

/* Makes the link-free PATH below DIRFD with its parents. MERGED >= 0: folders look as they do
 * there. */
static int make_point(int dirfd, const char *path, bool folder, int merged)
{
    char name[PATH_MAX];
    size_t length = strlen(path);
    for (size_t i = 1; i <= length; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        memcpy(name, path, i);
        name[i] = '\0';
        bool last = path[i] == '\0';
        if (last && !folder) {
            int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
            if (fd < 0)
                return -1;
            close(fd);
        } else if (mkdirat(dirfd, name, 0755) < 0 && errno != EEXIST) {
            return -1;
        }
    }
    for (size_t i = length + 1; merged >= 0 && i-- > 0;) {
        if (path[i] != '/' && i != 0)
            continue;
        memcpy(name, path, i);
        name[i] = '\0';
        clone_attributes(merged, dirfd, name);
    }
    return 0;
}

/* Makes TARGET below ROOT where it is missing. INTO: where to make it (ROOT itself, or the folder
 * that becomes the topmost lower). Returns whether something was made. */
static bool ensure_target(const Root *root, int merged, int into, const char *target, bool folder)
{
    char path[PATH_MAX];
    struct stat info;
    int found = resolve(merged, target, path, &info);
    if (found > 0 && S_ISDIR(info.st_mode) != folder)
        found = (errno = folder ? ENOTDIR : EISDIR, -1);
    if (found < 0)
        child_fail(root->error_fd, "find mount target", target);
    if (found > 0)
        return false;
    if (make_point(into, path, folder, into == merged ? -1 : merged) < 0)
        child_fail(root->error_fd, "make mount target", target);
    return true;
}

static bool ensure_targets(const Root *root, int merged, int into)
{
    static const char *const basic[] = {"/proc", "/sys", "/dev"};
    bool made = false;
    for (size_t i = 0; i < G_N_ELEMENTS(basic); i++) {
        struct stat info;
        if (fstatat(merged, basic[i] + 1, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISLNK(info.st_mode)) {
            errno = ELOOP;
            child_fail(root->error_fd, "the image has a link at", basic[i]);
        }
        made |= ensure_target(root, merged, into, basic[i], true);
    }
    for (guint i = 0; i < root->plan->mounts->len; i++) {
        const PlanMount *mount = &g_array_index(root->plan->mounts, PlanMount, i);
        if (strncmp(mount->target, "/dev/", 5) != 0 && strncmp(mount->target, "/proc/", 6) != 0 &&
            strncmp(mount->target, "/sys/", 5) != 0)
            made |= ensure_target(root, merged, into, mount->target, mount->folder);
    }
    return made;
}

/* Mounts the layers at stage/root, with the points as topmost lower where some were needed. */
static void mount_layers(Root *root, bool with_points, int upper, int work)
{
    int lowers[LOWERS_MAX + 2];
    size_t count = 0;
    if (with_points)
        lowers[count++] = root->points;
    for (size_t i = 0; i < root->lower_count; i++)
        lowers[count++] = root->lowers[i];
    if (!with_points && (count == 0 || upper < 0))
        lowers[count++] = root->points; /* without an upper an overlay needs two lowers */
    if (mount_overlay(root->plan, lowers, count, upper, work, root->plan->keep_work, "root") < 0) {
        /* A volatile mount leaves its mark, and the kernel's word for that is EINVAL. */
        int errnum = errno;
        bool used = work >= 0 && faccessat(work, "work/incompat/volatile", F_OK, 0) == 0;
        errno = used ? ENOTEMPTY : errnum;
        child_fail(root->error_fd, "mount overlay root", used ? root->plan->work : NULL);
    }
    root->root = make_folder(root, root->stage, "root");
}

/* Makes in root->points what the image lacks of mount points. */
static bool find_missing_points(Root *root)
{
    if (root->lower_count == 0)
        return ensure_targets(root, root->points, root->points);
    int merged = root->lowers[0];
    if (root->lower_count > 1) {
        mount_layers(root, false, -1, -1);
        merged = root->root;
    }
    bool made = ensure_targets(root, merged, root->points);
    if (made)
        clone_attributes(merged, root->points, "");
    if (root->lower_count > 1) {
        close(root->root);
        if (umount2("root", MNT_DETACH) < 0)
            child_fail(root->error_fd, "unmount overlay root", NULL);
    }
    return made;
}

static void mount_image_root(Root *root)
{
    Plan *plan = root->plan;
    close(make_folder(root, root->stage, "root"));
    if (plan->upper == NULL && !plan->read_only) { /* its writes vanish, points may be among them */
        root->upper = make_folder(root, root->stage, "upper");
        root->work = make_folder(root, root->stage, "work");
        if (root->lower_count > 0)
            clone_attributes(root->lowers[0], root->upper, "");
        mount_layers(root, false, root->upper, root->work);
        ensure_targets(root, root->root, root->root);
        return;
    }
    bool with_points = find_missing_points(root) && root->lower_count > 0;
    mount_layers(root, with_points, root->upper, root->work);
    /* What an upper of an earlier run has whited out still hides its point. */
    if (root->upper >= 0)
        ensure_targets(root, root->root, root->root);
}

/* A copy-on-write view of FOLDER at stage/AT, its writes in stage/AT.upper. */
static void mount_copy_on_write(const Root *root, const char *at, int lower, char *const *hidden)
{
    char name[300];
    Text text = TEXT_ON(name);
    text_add(&text, at);
    size_t length = text.length;
    text_add(&text, ".upper");
    int upper = make_folder(root, root->stage, name);
    text.length = length;
    text_add(&text, ".work");
    int work = make_folder(root, root->stage, name);
    clone_attributes(lower, upper, "");

    int lowers[2] = {lower, -1};
    size_t count = 1;
    if (hidden != NULL && hidden[0] != NULL) {
        text.length = length;
        text_add(&text, ".hidden");
        int veil = make_folder(root, root->stage, name);
        for (size_t i = 0; hidden[i] != NULL; i++) {
            if (make_point(veil, hidden[i], true, lower) < 0 ||
                unlinkat(veil, hidden[i], AT_REMOVEDIR) < 0 ||
                mknodat(veil, hidden[i], S_IFCHR, 0) < 0) /* 0:0, a whiteout */
                child_fail(root->error_fd, "hide host file", hidden[i]);
        }
        clone_attributes(lower, veil, "");
        lowers[0] = veil;
        lowers[count++] = lower;
    }
    text.length = length;
    name[length] = '\0';
    close(make_folder(root, root->stage, name));
    if (mount_overlay(root->plan, lowers, count, upper, work, false, name) < 0)
        child_fail(root->error_fd, "mount overlay", at);
    close(upper);
    close(work);
}

static void mount_host_root(Root *root)
{
    Plan *plan = root->plan;
    close(make_folder(root, root->stage, "root"));
    if (mount("slipway", "root", "tmpfs", MS_NODEV, "mode=0755") < 0)
        child_fail(root->error_fd, "mount host root", NULL);
    root->root = make_folder(root, root->stage, "root");
    for (guint i = 0; i < plan->host_folders->len; i++) {
        PlanHostFolder *folder = &g_array_index(plan->host_folders, PlanHostFolder, i);
        const char *name = folder->path + 1;
        close(make_folder(root, root->root, name));
        mount_copy_on_write(root, name, folder->fd, folder->hidden);
        char target[64];
        Text text = TEXT_ON(target);
        text_add(&text, "root/");
        text_add(&text, name);
        if (mount(name, target, NULL, MS_MOVE, NULL) < 0)
            child_fail(root->error_fd, "place host folder", folder->path);
    }
    for (guint i = 0; i < plan->host_entries->len; i++) {
        const PlanHostEntry *entry = &g_array_index(plan->host_entries, PlanHostEntry, i);
        int made = entry->link != NULL ? symlinkat(entry->link, root->root, entry->path + 1)
                                       : mkdirat(root->root, entry->path + 1, entry->mode);
        if (made < 0 && errno != EEXIST)
            child_fail(root->error_fd, "make in host root", entry->path);
        if (entry->link == NULL && fchmodat(root->root, entry->path + 1, entry->mode, 0) < 0)
            child_fail(root->error_fd, "set mode in host root", entry->path);
    }
    ensure_targets(root, root->root, root->root);
}

/* Files that live in memory and overlays become detached trees while the stage is in reach. */
static void prepare_mounts(Root *root)
{
    for (guint i = 0; i < root->plan->mounts->len; i++) {
        PlanMount *mount = &g_array_index(root->plan->mounts, PlanMount, i);
        char name[32];
        Text text = TEXT_ON(name);
        text_add(&text, "mount");
        text_add_number(&text, i);
        if (mount->kind == PLAN_MOUNT_FILE) {
            int fd = openat(root->stage, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
            size_t length = strlen(mount->content);
            if (fd < 0 || write(fd, mount->content, length) != (ssize_t) length)
                child_fail(root->error_fd, "write", mount->target);
            close(fd);
        } else if (mount->kind == PLAN_MOUNT_OVERLAY) {
            mount_copy_on_write(root, name, mount->fd, NULL);
            close(mount->fd);
        } else {
            continue;
        }
        if ((mount->fd = open_clone(root->stage, name, mount->folder)) < 0)
            child_fail(root->error_fd, "clone mount", mount->target);
        if (mount->kind == PLAN_MOUNT_OVERLAY)
            umount2(name, MNT_DETACH);
    }
}

static void pivot(Root *root)
{
    root->old_root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root->old_root < 0 || fchdir(root->root) < 0 || sys_pivot_root(".", ".") < 0)
        child_fail(root->error_fd, "pivot root", NULL);
    if (chdir("/") < 0)
        child_fail(root->error_fd, "enter root", NULL);
}

/* Places the detached tree FD at TARGET of the new root. */
static void place(const Root *root, int fd, const char *target, bool folder)
{
    int flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_SYMLINKS;
    int result = move_mount(fd, "", AT_FDCWD, target, (unsigned) flags);
    if (result < 0 && errno == ENOENT) {
        int here = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        ensure_target(root, here, here, target, folder);
        close(here);
        result = move_mount(fd, "", AT_FDCWD, target, (unsigned) flags);
    }
    if (result < 0)
        child_fail(root->error_fd, "mount at", target);
    close(fd);
}

/* A fresh proc or sysfs at NAME; where a user namespace may not mount it (it owns no network, or
 * the machine is a container with masks in its own), the machine's. */
static void mount_kernel(const Root *root, const char *type, const char *name, bool read_only)
{
    const unsigned long flags = MS_NOSUID | MS_NOEXEC | MS_NODEV;
    char path[16];
    Text text = TEXT_ON(path);
    text_add(&text, "/");
    text_add(&text, name);
    if (mount(type, path, type, flags | (read_only ? MS_RDONLY : 0), NULL) == 0)
        return;
    int tree = errno == EPERM ? open_clone(root->old_root, name, true) : -1;
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC |
                                                MOUNT_ATTR_NODEV |
                                                (read_only ? MOUNT_ATTR_RDONLY : 0)};
    if (tree < 0 ||
        mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attributes, sizeof attributes) < 0 ||
        move_mount(tree, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) < 0)
        child_fail(root->error_fd, "mount", path);
    close(tree);
}

static void mount_dev(const Root *root)
{
    if (mount("tmpfs", "/dev", "tmpfs", MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k") < 0)
        child_fail(root->error_fd, "mount /dev", NULL);
    int dev = open("/dev", O_PATH | O_DIRECTORY | O_CLOEXEC);
    for (size_t i = 0; i < G_N_ELEMENTS(device_names); i++) {
        int fd = openat(dev, device_names[i], O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
        if (fd < 0 ||
            move_mount(root->devices[i], "", dev, device_names[i], MOVE_MOUNT_F_EMPTY_PATH) < 0)
            child_fail(root->error_fd, "mount device", device_names[i]);
        close(fd);
        close(root->devices[i]);
    }
    static const char *const links[][2] = {
        {"/proc/self/fd", "fd"},       {"/proc/self/fd/0", "stdin"}, {"/proc/self/fd/1", "stdout"},
        {"/proc/self/fd/2", "stderr"}, {"pts/ptmx", "ptmx"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(links); i++)
        if (symlinkat(links[i][0], dev, links[i][1]) < 0)
            child_fail(root->error_fd, "make link in /dev", links[i][1]);
    mkdirat(dev, "pts", 0755);
    mkdirat(dev, "shm", 0755);
    mkdirat(dev, "mqueue", 0755);
    close(dev);

    const unsigned long flags = MS_NOSUID | MS_NOEXEC | MS_NODEV;
    /* Group 5 is tty on every distribution; not every user namespace has such a group. */
    static const char *const pts[] = {"newinstance,ptmxmode=0666,mode=0620,gid=5",
                                      "newinstance,ptmxmode=0666,mode=0620"};
    const unsigned long pts_flags = MS_NOSUID | MS_NOEXEC;
    if (mount("devpts", "/dev/pts", "devpts", pts_flags, pts[0]) < 0 &&
        (errno != EINVAL || mount("devpts", "/dev/pts", "devpts", pts_flags, pts[1]) < 0))
        child_fail(root->error_fd, "mount /dev/pts", NULL);
    if (mount("shm", "/dev/shm", "tmpfs", flags, "mode=1777,size=65536k") < 0)
        child_fail(root->error_fd, "mount /dev/shm", NULL);
    /* Kernels without POSIX queues have no such file system. */
    if (mount("mqueue", "/dev/mqueue", "mqueue", flags, NULL) < 0 && errno != ENODEV)
        child_fail(root->error_fd, "mount /dev/mqueue", NULL);
    /* The tmpfs itself carries no devices: they are mounts of their own. */
    if (mount(NULL, "/dev", NULL, MS_REMOUNT | MS_BIND | MS_NOSUID | MS_NODEV | MS_STRICTATIME,
              NULL) < 0)
        child_fail(root->error_fd, "make /dev nodev", NULL);
}

static void mask_paths(const Root *root)
{
    for (size_t i = 0; i < G_N_ELEMENTS(masked_paths); i++) {
        const char *path = masked_paths[i];
        if (mount("/dev/null", path, NULL, MS_BIND, NULL) == 0 || errno == ENOENT)
            continue;
        if (errno != ENOTDIR || mount("mask", path, "tmpfs",
                                      MS_RDONLY | MS_NOSUID | MS_NOEXEC | MS_NODEV, "size=4k") < 0)
            child_fail(root->error_fd, "mask", path);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(read_only_paths); i++) {
        const char *path = read_only_paths[i];
        if (mount(path, path, NULL, MS_BIND | MS_REC, NULL) < 0) {
            if (errno == ENOENT)
                continue;
            child_fail(root->error_fd, "make read-only", path);
        }
        if (mount(NULL, path, NULL,
                  MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NOEXEC | MS_NODEV, NULL) < 0)
            child_fail(root->error_fd, "make read-only", path);
    }
}

static void mount_tmpfs(const Root *root, const PlanMount *mount_)
{
    unsigned long flags = MS_NODEV | MS_NOSUID | (mount_->no_exec ? MS_NOEXEC : 0) |
                          (mount_->read_only ? MS_RDONLY : 0);
    int result = mount("tmpfs", mount_->target, "tmpfs", flags, mount_->options);
    if (result < 0 && errno == ENOENT) {
        int here = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        ensure_target(root, here, here, mount_->target, true);
        close(here);
        result = mount("tmpfs", mount_->target, "tmpfs", flags, mount_->options);
    }
    if (result < 0)
        child_fail(root->error_fd, "mount tmpfs at", mount_->target);
}

static void mount_spec(const Root *root)
{
    for (guint i = 0; i < root->plan->mounts->len; i++) {
        const PlanMount *one = &g_array_index(root->plan->mounts, PlanMount, i);
        if (one->kind == PLAN_MOUNT_TMPFS) {
            mount_tmpfs(root, one);
            continue;
        }
        struct mount_attr attributes = {.attr_set = MOUNT_ATTR_NODEV |
                                                    (one->read_only ? MOUNT_ATTR_RDONLY : 0) |
                                                    (one->no_exec ? MOUNT_ATTR_NOEXEC : 0) |
                                                    (one->no_suid ? MOUNT_ATTR_NOSUID : 0)};
        if (mount_setattr(one->fd, "", AT_EMPTY_PATH | (one->folder ? AT_RECURSIVE : 0),
                          &attributes, sizeof attributes) < 0)
            child_fail(root->error_fd, "set mount flags of", one->target);
        place(root, one->fd, one->target, one->folder);
    }
}

static void make_read_only(const Root *root)
{
    const unsigned long flags = MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NODEV;
    if (mount(NULL, "/", NULL, flags, NULL) < 0)
        child_fail(root->error_fd, "make root read-only", NULL);
    for (guint i = 0; root->plan->host_folders != NULL && i < root->plan->host_folders->len; i++) {
        const char *path = g_array_index(root->plan->host_folders, PlanHostFolder, i).path;
        if (mount(NULL, path, NULL, flags, NULL) < 0)
            child_fail(root->error_fd, "make read-only", path);
    }
}

void root_enter(Plan *plan, int error_fd)
{
    Root root = {.plan = plan, .error_fd = error_fd, .upper = -1, .work = -1};
    umask(0);
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        child_fail(error_fd, "make mounts private", NULL);
    open_sources(&root);
    mount_stage(&root);
    if (plan->host_folders != NULL)
        mount_host_root(&root);
    else
        mount_image_root(&root);
    prepare_mounts(&root);

    pivot(&root);
    mount_kernel(&root, "proc", "proc", false);
    mount_kernel(&root, "sysfs", "sys", true);
    /* Before a path with `..` is walked: it would climb into what is stacked on the root. */
    if (fchdir(root.old_root) < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
        child_fail(error_fd, "detach old root", NULL);
    mount_dev(&root);
    mask_paths(&root);
    mount_spec(&root);
    if (plan->read_only)
        make_read_only(&root);
    umask(0022);
}
