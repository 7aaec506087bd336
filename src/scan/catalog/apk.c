/* apk's installed database: one letter, a colon, a value; an empty line ends a package. */
#include "scan/catalog/catalog.h"
#include "scan/catalog/line.h"

typedef struct {
    const char *name, *version, *architecture, *origin, *licence;
} ApkPackage;

static void finish(Catalog *catalog, const char *path, const ApkPackage *read)
{
    if (read->name == NULL && read->version == NULL)
        return;
    if (read->name == NULL || read->version == NULL) {
        catalog_add_unreadable(catalog, path, "a package without name (P) or version (V)");
        return;
    }
    Package *package = catalog_add(catalog, "apk", NULL, read->name, read->version, path);
    package->architecture = g_strdup(read->architecture);
    package->source = g_strdup(read->origin != NULL ? read->origin : read->name);
    package->source_version = g_strdup(read->version);
    package->licence = g_strdup(read->licence);
}

void apk_read_installed(Catalog *catalog, const char *path, char *text)
{
    ApkPackage read = {0};
    const char *folder = "";
    for (char *line; (line = line_take(&text)) != NULL;) {
        if (*line == '\0') {
            finish(catalog, path, &read);
            read = (ApkPackage){0};
            continue;
        }
        if (line[1] != ':')
            continue;
        const char *value = line + 2;
        switch (line[0]) {
        case 'P':
            read.name = value;
            break;
        case 'V':
            read.version = value;
            break;
        case 'A':
            read.architecture = value;
            break;
        case 'o':
            read.origin = value;
            break;
        case 'L':
            read.licence = value;
            break;
        case 'F':
            folder = value;
            break;
        case 'R':
            if (read.name != NULL) {
                g_autofree char *file = g_build_filename(folder, value, NULL);
                catalog_own(catalog, file, read.name);
            }
            break;
        default:
            break;
        }
    }
    finish(catalog, path, &read);
}
