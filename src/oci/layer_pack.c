#include "oci/layer_pack.h"

#include "base/error.h"
#include "base/fd.h"
#include "format/tar.h"
#include "oci/overlay.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define COPY_SIZE ((size_t) 256 * 1024)
#define DEPTH_LIMIT 1000

/* A folder on the way from the root to where the walk stands. */
typedef struct Level Level;
struct Level {
    Level *above;
    const char *path; /* "" for the root */
    int fd;
    struct stat st;
    GArray *lowers;        /* int: the same folder in the layers below, topmost first */
    bool written;          /* its entry is in the tar */
    bool hides_lower;      /* opaque */
    struct timespec mtime; /* to state */
    GPtrArray *xattrs;
};

typedef struct {
    TarWriter *writer;
    const LayerPack *pack;
    GHashTable *first_paths; /* "device:inode" of hard-linked files → path */
    char *buffer;
    int depth;
} Packer;

static char *join(const char *folder, const char *name)
{
    return *folder != '\0' ? g_strconcat(folder, "/", name, NULL) : g_strdup(name);
}

static int open_child_folder(int fd, const char *name)
{
    return openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static void close_fds(GArray *fds)
{
    for (guint i = 0; i < fds->len; i++)
        close(g_array_index(fds, int, i));
    g_array_unref(fds);
}

/* --- what lies below ------------------------------------------------------------------------ */

/* What the layers below show as NAME in LEVEL: its fd-holding layer's index, or -1 for nothing. */
static int find_lower(const Level *level, const char *name, struct stat *st)
{
    if (level->hides_lower)
        return -1;
    for (guint i = 0; i < level->lowers->len; i++)
        if (fstatat(g_array_index(level->lowers, int, i), name, st, AT_SYMLINK_NOFOLLOW) == 0)
            return overlay_is_whiteout(st) ? -1 : (int) i;
    return -1;
}

/* The folders that are merged as NAME of LEVEL. */
static GArray *lower_folders(const Level *level, const char *name)
{
    GArray *fds = g_array_new(FALSE, FALSE, sizeof(int));
    if (level->hides_lower)
        return fds;
    for (guint i = 0; i < level->lowers->len; i++) {
        int parent = g_array_index(level->lowers, int, i);
        int fd = open_child_folder(parent, name);
        if (fd >= 0) {
            g_array_append_val(fds, fd);
            if (overlay_is_opaque(fd))
                break;
        } else if (errno != ENOENT) {
            break; /* a file or a whiteout ends the merge */
        }
    }
    return fds;
}

static bool same_owner_and_mode(const struct stat *a, const struct stat *b)
{
    return a->st_mode == b->st_mode && a->st_uid == b->st_uid && a->st_gid == b->st_gid;
}

static bool same_xattrs(const GPtrArray *a, const GPtrArray *b)
{
    guint count = a != NULL ? a->len : 0;
    if (count != (b != NULL ? b->len : 0))
        return false;
    for (guint i = 0; i < count; i++) {
        const TarXattr *wanted = g_ptr_array_index(a, i);
        bool found = false;
        for (guint j = 0; j < count && !found; j++) {
            const TarXattr *other = g_ptr_array_index(b, j);
            found = g_str_equal(wanted->name, other->name) && wanted->length == other->length &&
                    memcmp(wanted->value, other->value, wanted->length) == 0;
        }
        if (!found)
            return false;
    }
    return true;
}

static bool same_bytes(int a, int b)
{
    char left[16 * 1024], right[16 * 1024];
    for (off_t at = 0;;) {
        ssize_t n = pread(a, left, sizeof left, at);
        if (n < 0 || pread(b, right, sizeof right, at) != n || memcmp(left, right, (size_t) n) != 0)
            return false;
        if (n == 0)
            return true;
        at += n;
    }
}

/* A file that is here only because it was opened for writing. Two writes within a second are told
 * apart by their times' nanoseconds where there are any, else by the bytes. */
static bool is_unchanged_file(const Level *level, const char *name, int fd, const struct stat *st,
                              const GPtrArray *xattrs)
{
    struct stat lower;
    int layer = find_lower(level, name, &lower);
    if (layer < 0 || st->st_nlink > 1 || !S_ISREG(lower.st_mode) ||
        !same_owner_and_mode(st, &lower) || st->st_size != lower.st_size ||
        st->st_mtim.tv_sec != lower.st_mtim.tv_sec || st->st_mtim.tv_nsec != lower.st_mtim.tv_nsec)
        return false;
    autofd int other = openat(g_array_index(level->lowers, int, (guint) layer), name,
                              O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (other < 0)
        return false;
    g_autoptr(GPtrArray) theirs = overlay_read_xattrs(other, NULL);
    return same_xattrs(xattrs, theirs) && (st->st_mtim.tv_nsec != 0 || same_bytes(fd, other));
}

static bool is_unchanged_link(const Level *level, const char *name, const char *target,
                              const struct stat *st)
{
    struct stat lower;
    int layer = find_lower(level, name, &lower);
    if (layer < 0 || !S_ISLNK(lower.st_mode) || !same_owner_and_mode(st, &lower))
        return false;
    char theirs[PATH_MAX];
    ssize_t n =
        readlinkat(g_array_index(level->lowers, int, (guint) layer), name, theirs, sizeof theirs);
    return n == (ssize_t) strlen(target) && memcmp(theirs, target, (size_t) n) == 0;
}

/* --- writing -------------------------------------------------------------------------------- */

static struct timespec clamped(const Packer *packer, struct timespec time)
{
    int64_t limit = packer->pack->clamp_time;
    bool later = limit >= 0 && (time.tv_sec > limit || (time.tv_sec == limit && time.tv_nsec > 0));
    return later ? (struct timespec){.tv_sec = limit} : time;
}

static void clamp_source(const Packer *packer, const Level *level, const char *name,
                         const struct stat *st)
{
    struct timespec wanted = clamped(packer, st->st_mtim);
    if (!packer->pack->clamp_source || memcmp(&wanted, &st->st_mtim, sizeof wanted) == 0)
        return;
    struct timespec times[2] = {wanted, wanted};
    utimensat(level->fd, name, times, AT_SYMLINK_NOFOLLOW);
}

static TarEntry entry_of(const struct stat *st, TarKind kind, const char *path,
                         struct timespec mtime)
{
    return (TarEntry){
        .kind = kind,
        .path = (char *) path,
        .mode = st->st_mode & 07777,
        .uid = st->st_uid,
        .gid = st->st_gid,
        .size = kind == TAR_FILE ? st->st_size : 0,
        .mtime = mtime.tv_sec,
        .mtime_ns = mtime.tv_nsec,
    };
}

/* The folder entries from the root down to LEVEL that are not in the tar yet. The root is none. */
static bool write_folders(Packer *packer, Level *level, GError **error)
{
    if (level->written)
        return true;
    if (level->above != NULL && !write_folders(packer, level->above, error))
        return false;
    level->written = true;
    TarEntry entry = entry_of(&level->st, TAR_FOLDER, level->path, level->mtime);
    entry.xattrs = level->xattrs;
    return tar_writer_entry(packer->writer, &entry, error);
}

static bool write_whiteout(Packer *packer, Level *level, const char *name, GError **error)
{
    g_autofree char *hidden = g_strconcat(OVERLAY_WHITEOUT_PREFIX, name, NULL);
    g_autofree char *path = join(level->path, hidden);
    TarEntry entry = {.kind = TAR_FILE, .path = path, .mode = 0644};
    return write_folders(packer, level, error) && tar_writer_entry(packer->writer, &entry, error);
}

static bool write_content(Packer *packer, int fd, const char *path, int64_t size, GError **error)
{
    while (size > 0) {
        ssize_t n = read(fd, packer->buffer, (size_t) MIN(size, (int64_t) COPY_SIZE));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set_errno(error, errno, "read", path);
        if (n == 0) {
            g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_UNAVAILABLE,
                        "'%s' became shorter while it was read", path);
            return false;
        }
        if (!tar_writer_data(packer->writer, packer->buffer, (size_t) n, error))
            return false;
        size -= n;
    }
    return true;
}

/* true and *DONE: PATH is one more name of a file that is in the tar already. */
static bool write_hardlink(Packer *packer, Level *level, const char *path, const struct stat *st,
                           bool *done, GError **error)
{
    *done = false;
    if (st->st_nlink < 2)
        return true;
    g_autofree char *key =
        g_strdup_printf("%lu:%lu", (unsigned long) st->st_dev, (unsigned long) st->st_ino);
    const char *first = g_hash_table_lookup(packer->first_paths, key);
    if (first == NULL) {
        g_hash_table_insert(packer->first_paths, g_steal_pointer(&key), g_strdup(path));
        return true;
    }
    *done = true;
    TarEntry entry = entry_of(st, TAR_HARDLINK, path, clamped(packer, st->st_mtim));
    entry.link = (char *) first;
    return write_folders(packer, level, error) && tar_writer_entry(packer->writer, &entry, error);
}

static bool pack_file(Packer *packer, Level *level, const char *name, const char *path,
                      const struct stat *st, GError **error)
{
    bool done;
    if (!write_hardlink(packer, level, path, st, &done, error) || done)
        return done;
    autofd int fd = openat(level->fd, name, O_RDONLY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC);
    if (fd < 0 && errno == EPERM)
        fd = openat(level->fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return error_set_errno(error, errno, "open", path);
    g_autoptr(GPtrArray) xattrs = overlay_read_xattrs(fd, NULL);
    if (is_unchanged_file(level, name, fd, st, xattrs))
        return true;
    TarEntry entry = entry_of(st, TAR_FILE, path, clamped(packer, st->st_mtim));
    entry.xattrs = xattrs;
    if (!write_folders(packer, level, error) || !tar_writer_entry(packer->writer, &entry, error) ||
        !write_content(packer, fd, path, st->st_size, error))
        return false;
    clamp_source(packer, level, name, st);
    return true;
}

static bool pack_special(Packer *packer, Level *level, const char *name, const char *path,
                         const struct stat *st, GError **error)
{
    TarKind kind = S_ISLNK(st->st_mode)    ? TAR_SYMLINK
                   : S_ISCHR(st->st_mode)  ? TAR_CHARACTER
                   : S_ISFIFO(st->st_mode) ? TAR_FIFO
                                           : TAR_BLOCK;
    TarEntry entry = entry_of(st, kind, path, clamped(packer, st->st_mtim));
    char target[PATH_MAX];
    if (kind == TAR_SYMLINK) {
        ssize_t n = readlinkat(level->fd, name, target, sizeof target - 1);
        if (n < 0)
            return error_set_errno(error, errno, "read link", path);
        target[n] = '\0';
        if (is_unchanged_link(level, name, target, st))
            return true;
        entry.link = target;
        entry.mode = 0777;
    } else if (kind != TAR_FIFO) {
        entry.device_major = major(st->st_rdev);
        entry.device_minor = minor(st->st_rdev);
    }
    if (!write_folders(packer, level, error) || !tar_writer_entry(packer->writer, &entry, error))
        return false;
    clamp_source(packer, level, name, st);
    return true;
}

/* --- walking -------------------------------------------------------------------------------- */

static int by_bytes(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *) a, *(const char *const *) b);
}

/* The names in the folder FD, in byte order. */
static GPtrArray *list_names(int fd, const char *path, GError **error)
{
    int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = copy >= 0 ? fdopendir(copy) : NULL;
    if (dir == NULL) {
        error_set_errno(error, errno, "list", path);
        if (copy >= 0)
            close(copy);
        return NULL;
    }
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    struct dirent *entry;
    while ((entry = readdir(dir)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            g_ptr_array_add(names, g_strdup(entry->d_name));
    closedir(dir);
    g_ptr_array_sort(names, by_bytes);
    return names;
}

/* Whiteouts for all that an opaque folder hides and does not have itself. */
static bool write_hidden(Packer *packer, Level *level, GError **error)
{
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GPtrArray) hidden = g_ptr_array_new();
    for (guint i = 0; i < level->lowers->len; i++) {
        int fd = g_array_index(level->lowers, int, i);
        g_autoptr(GPtrArray) names = list_names(fd, level->path, error);
        if (names == NULL)
            return false;
        for (guint n = 0; n < names->len; n++) {
            const char *name = g_ptr_array_index(names, n);
            struct stat st;
            if (g_hash_table_contains(seen, name))
                continue;
            char *key = g_strdup(name);
            g_hash_table_add(seen, key);
            bool is_there =
                fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && !overlay_is_whiteout(&st);
            if (is_there && fstatat(level->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                g_ptr_array_add(hidden, key);
        }
    }
    g_ptr_array_sort(hidden, by_bytes);
    for (guint i = 0; i < hidden->len; i++)
        if (!write_whiteout(packer, level, g_ptr_array_index(hidden, i), error))
            return false;
    return true;
}

static bool pack_level(Packer *packer, Level *level, GError **error);

static bool pack_folder(Packer *packer, Level *above, const char *name, const char *path,
                        const struct stat *st, GError **error)
{
    autofd int fd = open_child_folder(above->fd, name);
    if (fd < 0)
        return error_set_errno(error, errno, "open", path);
    struct stat lower;
    bool was_there = find_lower(above, name, &lower) >= 0 && S_ISDIR(lower.st_mode);
    g_autoptr(GPtrArray) xattrs = overlay_read_xattrs(fd, NULL);
    Level level = {
        .above = above,
        .path = path,
        .fd = fd,
        .st = *st,
        .lowers = lower_folders(above, name),
        .mtime = clamped(packer, st->st_mtim),
        .xattrs = xattrs,
    };
    bool changed = !was_there || !same_owner_and_mode(st, &lower);
    if (!changed && level.lowers->len > 0) {
        g_autoptr(GPtrArray) theirs =
            overlay_read_xattrs(g_array_index(level.lowers, int, 0), NULL);
        changed = !same_xattrs(xattrs, theirs);
    }
    /* One that only its children changed keeps its old time: when they did is nobody's content. */
    if (!changed)
        level.mtime = lower.st_mtim;
    bool ok = !changed || write_folders(packer, &level, error);
    if (ok && overlay_is_opaque(fd)) {
        ok = write_hidden(packer, &level, error);
        level.hides_lower = true;
    }
    if (ok && packer->depth == DEPTH_LIMIT) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "'%s': nested deeper than %d folders", path, DEPTH_LIMIT);
        ok = false;
    }
    packer->depth++;
    ok = ok && pack_level(packer, &level, error);
    packer->depth--;
    close_fds(level.lowers);
    if (ok)
        clamp_source(packer, above, name, st);
    return ok;
}

static bool pack_one(Packer *packer, Level *level, const char *name, const struct stat *st,
                     GError **error)
{
    g_autofree char *path = join(level->path, name);
    if (S_ISDIR(st->st_mode))
        return pack_folder(packer, level, name, path, st, error);
    if (S_ISREG(st->st_mode))
        return pack_file(packer, level, name, path, st, error);
    if (S_ISSOCK(st->st_mode))
        return true;
    return pack_special(packer, level, name, path, st, error);
}

static bool pack_level(Packer *packer, Level *level, GError **error)
{
    g_autoptr(GPtrArray) names = list_names(level->fd, level->path, error);
    if (names == NULL)
        return false;
    g_autofree struct stat *stats = g_new(struct stat, names->len + 1);
    for (guint i = 0; i < names->len; i++) {
        const char *name = g_ptr_array_index(names, i);
        if (fstatat(level->fd, name, &stats[i], AT_SYMLINK_NOFOLLOW) < 0)
            return error_set_errno(error, errno, "look at", name);
        struct stat lower;
        if (overlay_is_whiteout(&stats[i]) && find_lower(level, name, &lower) >= 0 &&
            !write_whiteout(packer, level, name, error))
            return false;
    }
    for (guint i = 0; i < names->len; i++)
        if (!overlay_is_whiteout(&stats[i]) &&
            !pack_one(packer, level, g_ptr_array_index(names, i), &stats[i], error))
            return false;
    return true;
}

static GArray *open_lowers(const char *const *lowers, GError **error)
{
    GArray *fds = g_array_new(FALSE, FALSE, sizeof(int));
    for (size_t i = 0; lowers != NULL && lowers[i] != NULL; i++) {
        int fd = open(lowers[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0) {
            error_set_errno(error, errno, "open layer", lowers[i]);
            close_fds(fds);
            return NULL;
        }
        g_array_append_val(fds, fd);
    }
    return fds;
}

static bool pack_root(Packer *packer, GError **error)
{
    const LayerPack *pack = packer->pack;
    autofd int fd = open(pack->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return error_set_errno(error, errno, "open", pack->folder);
    Level root = {.path = "", .fd = fd, .written = true};
    root.lowers = open_lowers(pack->lowers, error);
    if (root.lowers == NULL)
        return false;
    bool ok = pack_level(packer, &root, error);
    close_fds(root.lowers);
    return ok && tar_writer_finish(packer->writer, error);
}

bool layer_pack(const LayerPack *pack, GError **error)
{
    g_autoptr(TarWriter) writer = tar_writer_new(pack->sink);
    Packer packer = {
        .writer = writer,
        .pack = pack,
        .first_paths = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free),
        .buffer = g_malloc(COPY_SIZE),
    };
    bool ok = pack_root(&packer, error);
    g_hash_table_unref(packer.first_paths);
    g_free(packer.buffer);
    return ok;
}
