#include "format/json.h"
#include "oci/layer.h"
#include "scan/secret_scan.h"

#include <string.h>

/* A base layer's findings come once, whichever layers hold the same file. */
static void take_new(GPtrArray *findings, GPtrArray *found, GHashTable *seen)
{
    for (guint i = 0; i < found->len; i++) {
        Finding *finding = g_ptr_array_index(found, i);
        char *key = g_strdup_printf("%s\n%s\n%d\n%s", finding->rule, finding->path, finding->line,
                                    finding->fingerprint);
        if (g_hash_table_add(seen, key))
            g_ptr_array_add(findings, g_steal_pointer(&g_ptr_array_index(found, i)));
    }
}

GPtrArray *secret_scan_image(ContentStore *store, const char *digest, SecretScanSummary *summary,
                             GError **error)
{
    g_autoptr(Image) image = image_load(store, digest, error);
    if (image == NULL)
        return NULL;
    g_auto(GStrv) folders = layer_folders(store, image, error);
    if (folders == NULL)
        return NULL;
    SecretScanSummary total = {0};
    g_autoptr(GPtrArray) findings = findings_new();
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (char **folder = folders; *folder != NULL; folder++) {
        SecretScanSummary one;
        g_autoptr(GPtrArray) found = secret_scan_folder(*folder, &one, error);
        if (found == NULL)
            return NULL;
        take_new(findings, found, seen);
        total.files += one.files;
        total.bytes += one.bytes;
        total.skipped += one.skipped;
    }
    /* Environment, labels and the commands of the history. */
    g_autofree char *config = json_dumps(image->config, JSON_INDENT(1));
    if (config != NULL)
        secret_scan_bytes("config.json", config, strlen(config), findings);
    if (summary != NULL)
        *summary = total;
    findings_sort(findings);
    return g_steal_pointer(&findings);
}
