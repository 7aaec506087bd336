#include "scan/sbom.h"

#include "base/clock.h"
#include "base/error.h"
#include "scan/sbom_document.h"

#include <string.h>

static const char *const names[] = {[SBOM_SPDX_JSON] = "spdx-json",
                                    [SBOM_CYCLONEDX_JSON] = "cyclonedx-json",
                                    [SBOM_CYCLONEDX_1_5_JSON] = "cyclonedx-1.5-json",
                                    [SBOM_PURL] = "purl"};

bool sbom_format_parse(const char *text, SbomFormat *format, GError **error)
{
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        if (strcmp(names[i], text) != 0)
            continue;
        *format = (SbomFormat) i;
        return true;
    }
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                "unknown format '%s': spdx-json, cyclonedx-json, cyclonedx-1.5-json or purl", text);
    return false;
}

char *sbom_uuid(const Inventory *inventory)
{
    g_autoptr(GChecksum) checksum = g_checksum_new(G_CHECKSUM_SHA1);
    g_checksum_update(checksum, (const guchar *) inventory->target, -1);
    for (guint i = 0; i < inventory->packages->len; i++) {
        const Package *package = g_ptr_array_index(inventory->packages, i);
        g_checksum_update(checksum, (const guchar *) package->purl,
                          (gssize) strlen(package->purl) + 1);
        g_checksum_update(checksum, (const guchar *) package->path,
                          (gssize) strlen(package->path) + 1);
    }
    const char *hex = g_checksum_get_string(checksum);
    /* Version 5, variant 10xx (RFC 9562). */
    int variant = g_ascii_xdigit_value(hex[16]) % 4 + 8;
    return g_strdup_printf("%.8s-%.4s-5%.3s-%x%.3s-%.12s", hex, hex + 8, hex + 13, variant,
                           hex + 17, hex + 20);
}

char *sbom_target_version(const Inventory *inventory)
{
    return inventory->digest != NULL ? g_strdup(inventory->digest) : NULL;
}

static char *write_purls(const Inventory *inventory)
{
    GString *out = g_string_new(NULL);
    for (guint i = 0; i < inventory->packages->len; i++) {
        const Package *package = g_ptr_array_index(inventory->packages, i);
        g_string_append_printf(out, "%s\n", package->purl);
    }
    return g_string_free(out, FALSE);
}

static int64_t document_time(int64_t time)
{
    if (time >= 0)
        return time;
    const char *epoch = g_getenv("SOURCE_DATE_EPOCH");
    gint64 seconds = 0;
    if (epoch != NULL && g_ascii_string_to_signed(epoch, 10, 0, G_MAXINT32, &seconds, NULL))
        return seconds;
    return clock_now_ns() / 1000000000;
}

char *sbom_write(const Inventory *inventory, SbomFormat format, int64_t time)
{
    if (format == SBOM_PURL)
        return write_purls(inventory);
    g_autofree char *created = clock_format_seconds(document_time(time));
    json_t *document =
        format == SBOM_SPDX_JSON
            ? spdx_document(inventory, created)
            : cyclonedx_document(inventory, created, format == SBOM_CYCLONEDX_JSON ? "1.6" : "1.5");
    char *text = json_dumps(document, JSON_INDENT(1));
    json_decref(document);
    g_autofree char *line = g_strdup_printf("%s\n", text);
    free(text); /* jansson's, made by malloc */
    return g_steal_pointer(&line);
}
