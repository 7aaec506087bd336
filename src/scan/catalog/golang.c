/* Go: the modules a program carries (debug/buildinfo), and those go.mod asks for. */
#include "base/fd.h"
#include "scan/catalog/catalog.h"
#include "scan/catalog/line.h"

#include <elf.h>
#include <sys/mman.h>

#define MAGIC "\xff Go buildinf:"
#define MAGIC_LENGTH 14
#define HEADER_LENGTH 32
#define MARK_LENGTH 16 /* before and after the modules' text */
#define MODULES_MAX ((size_t) 4 << 20)
#define SIZE_MAX_BINARY ((off_t) 2 << 30)

typedef struct {
    const uint8_t *bytes;
    size_t length;
} View;

/* Adds "github.com/x/y" with VERSION. */
static void add(Catalog *catalog, const char *module, const char *version, const char *path)
{
    const char *slash = strrchr(module, '/');
    g_autofree char *group = slash != NULL ? g_strndup(module, (size_t) (slash - module)) : NULL;
    catalog_add(catalog, "golang", group, slash != NULL ? slash + 1 : module, version, path);
}

static bool take_uvarint(View *view, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; shift < 64 && view->length > 0; shift += 7) {
        uint8_t byte = *view->bytes++;
        view->length--;
        *value |= (uint64_t) (byte & 0x7f) << shift;
        if ((byte & 0x80) == 0)
            return true;
    }
    return false;
}

/* Takes a length and so many bytes. */
static bool take_bytes(View *view, View *taken)
{
    uint64_t length = 0;
    if (!take_uvarint(view, &length) || length > view->length || length > MODULES_MAX)
        return false;
    *taken = (View){view->bytes, length};
    view->bytes += length;
    view->length -= length;
    return true;
}

/* Searches the magic at 16-byte boundaries. */
static bool find_magic(View data, View *found)
{
    for (size_t at = 0; at + HEADER_LENGTH <= data.length; at += 16) {
        const uint8_t *hit = memmem(data.bytes + at, data.length - at, MAGIC, MAGIC_LENGTH);
        if (hit == NULL)
            return false;
        size_t offset = (size_t) (hit - data.bytes);
        if (offset % 16 == 0 && offset + HEADER_LENGTH <= data.length) {
            *found = (View){hit, data.length - offset};
            return true;
        }
        at = offset - offset % 16;
    }
    return false;
}

/* The bytes of section NAME, else of the first writable segment; nothing for what is no 64-bit
 * little-endian ELF file. */
static bool find_data(View file, const char *name, View *data)
{
    Elf64_Ehdr header;
    if (file.length < sizeof header)
        return false;
    memcpy(&header, file.bytes, sizeof header);
    if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64 ||
        header.e_ident[EI_DATA] != ELFDATA2LSB)
        return false;

    Elf64_Shdr names = {0};
    uint64_t table = header.e_shoff + (uint64_t) header.e_shstrndx * sizeof names;
    bool sections = header.e_shentsize == sizeof names && header.e_shoff < file.length &&
                    table < file.length && file.length - table >= sizeof names;
    if (sections)
        memcpy(&names, file.bytes + table, sizeof names);
    for (uint64_t i = 0; sections && i < header.e_shnum; i++) {
        Elf64_Shdr section;
        uint64_t at = header.e_shoff + i * sizeof section;
        if (at > file.length || file.length - at < sizeof section)
            break;
        memcpy(&section, file.bytes + at, sizeof section);
        uint64_t text = names.sh_offset + section.sh_name, size = strlen(name) + 1;
        if (text > file.length || file.length - text < size ||
            memcmp(file.bytes + text, name, size) != 0 || section.sh_offset > file.length)
            continue;
        *data = (View){file.bytes + section.sh_offset,
                       MIN(section.sh_size, file.length - section.sh_offset)};
        return true;
    }
    for (uint64_t i = 0; header.e_phentsize == sizeof(Elf64_Phdr) && i < header.e_phnum; i++) {
        Elf64_Phdr segment;
        uint64_t at = header.e_phoff + i * sizeof segment;
        if (at > file.length || file.length - at < sizeof segment)
            break;
        memcpy(&segment, file.bytes + at, sizeof segment);
        if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) == 0 ||
            segment.p_offset > file.length)
            continue;
        *data = (View){file.bytes + segment.p_offset,
                       MIN(segment.p_filesz, file.length - segment.p_offset)};
        return true;
    }
    return false;
}

/* Lines of tab-separated words: "dep path version sum"; "=>" replaces the line above. */
static void read_modules(Catalog *catalog, const char *path, char *text)
{
    g_autofree char *module = NULL, *version = NULL;
    for (char *line; (line = line_take(&text)) != NULL;) {
        g_auto(GStrv) words = g_strsplit(line, "\t", 4);
        if (words[0] == NULL || words[1] == NULL)
            continue;
        bool replaces = strcmp(words[0], "=>") == 0;
        if (!replaces && strcmp(words[0], "dep") != 0 && strcmp(words[0], "mod") != 0)
            continue;
        if (!replaces && module != NULL)
            add(catalog, module, version, path);
        g_free(module);
        g_free(version);
        module = g_strdup(words[1]);
        /* "(devel)" says nothing. */
        version =
            words[2] != NULL && *words[2] != '(' && *words[2] != '\0' ? g_strdup(words[2]) : NULL;
    }
    if (module != NULL)
        add(catalog, module, version, path);
}

static void read_build_info(Catalog *catalog, const char *path, View info)
{
    uint8_t flags = info.bytes[15];
    if ((flags & 2) == 0)
        return; /* before Go 1.18 it holds pointers into the running program */
    View rest = {info.bytes + HEADER_LENGTH, info.length - HEADER_LENGTH};
    View version = {0}, modules = {0};
    if (!take_bytes(&rest, &version)) {
        catalog_add_unreadable(catalog, path, "Go build information is cut short");
        return;
    }
    /* "go1.22.3 X:boringcrypto" */
    g_autofree char *text = g_strndup((const char *) version.bytes, version.length);
    const char *number = g_str_has_prefix(text, "go") ? text + 2 : text;
    g_autofree char *plain = g_strndup(number, strcspn(number, " -"));
    add(catalog, "stdlib", plain, path);
    if (!take_bytes(&rest, &modules))
        return;
    bool marked =
        modules.length > 2 * MARK_LENGTH && modules.bytes[modules.length - MARK_LENGTH - 1] == '\n';
    size_t mark = marked ? MARK_LENGTH : 0;
    g_autofree char *lines =
        g_strndup((const char *) modules.bytes + mark, modules.length - 2 * mark);
    read_modules(catalog, path, lines);
}

void golang_read_binary(Catalog *catalog, const TreeFile *file)
{
    off_t size = 0;
    autofd int fd = tree_open(file, &size, NULL);
    if (fd < 0 || size < (off_t) sizeof(Elf64_Ehdr) || size > SIZE_MAX_BINARY)
        return;
    char magic[SELFMAG];
    if (pread(fd, magic, sizeof magic, 0) != SELFMAG || memcmp(magic, ELFMAG, SELFMAG) != 0)
        return;
    void *map = mmap(NULL, (size_t) size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED)
        return;
    View all = {map, (size_t) size}, data = {0}, info = {0};
    if (find_data(all, ".go.buildinfo", &data) && find_magic(data, &info))
        read_build_info(catalog, file->path, info);
    munmap(map, (size_t) size);
}

/* One line of require: "path version [// indirect]". */
static void read_require(Catalog *catalog, const char *path, char *line)
{
    g_auto(GStrv) words = g_strsplit_set(line, " \t", 3);
    if (words[0] != NULL && words[1] != NULL && *words[1] == 'v')
        add(catalog, words[0], words[1], path);
}

void golang_read_mod(Catalog *catalog, const char *path, char *text)
{
    bool inside = false;
    for (char *line; (line = line_take(&text)) != NULL;) {
        char *comment = strstr(line, "//");
        if (comment != NULL)
            *comment = '\0';
        line = g_strstrip(line);
        if (g_str_has_prefix(line, "require ("))
            inside = true;
        else if (*line == ')')
            inside = false;
        else if (inside)
            read_require(catalog, path, line);
        else if (g_str_has_prefix(line, "require "))
            read_require(catalog, path, g_strchug(line + strlen("require ")));
    }
}
