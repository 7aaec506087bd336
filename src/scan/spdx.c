/* SPDX 2.3 as JSON, spdx.github.io/spdx-spec/v2.3. */
#include "config.h"
#include "scan/licence.h"
#include "scan/sbom_document.h"

#include <string.h>

#define ROOT_ID "SPDXRef-Root"

/* "SPDXRef-Package-deb-bash-0123456789ab": readable, of allowed characters, unique by the purl. */
static char *package_id(const Package *package)
{
    g_autofree char *hash = g_compute_checksum_for_string(G_CHECKSUM_SHA256, package->purl, -1);
    g_autoptr(GString) name = g_string_new(NULL);
    for (const char *p = package->name; *p != '\0' && name->len < 60; p++)
        g_string_append_c(name, g_ascii_isalnum(*p) || *p == '.' ? *p : '-');
    return g_strdup_printf("SPDXRef-Package-%s-%s-%.12s", package->type, name->str, hash);
}

/* The licence of PACKAGE; text that is no expression is declared once in EXTRACTED. */
static json_t *licence(const Package *package, json_t *extracted, GHashTable *declared)
{
    if (package->licence == NULL || *package->licence == '\0')
        return json_string("NOASSERTION");
    g_autofree char *text = g_utf8_make_valid(package->licence, -1);
    g_autofree char *expression = licence_expression(text);
    if (expression != NULL)
        return json_string(expression);
    g_autofree char *reference = licence_reference(text);
    if (g_hash_table_add(declared, g_strdup(reference)))
        json_array_append_new(extracted, json_pack("{s:s, s:s, s:s}", "licenseId", reference,
                                                   "extractedText", text, "name", text));
    return json_string(reference);
}

static json_t *package_to_json(const Package *package, const char *id, json_t *declared)
{
    json_t *object = json_object();
    json_object_set_new(object, "SPDXID", json_string(id));
    if (package->group != NULL && strcmp(package->type, "npm") == 0)
        json_object_set_new(object, "name", json_sprintf("%s/%s", package->group, package->name));
    else if (package->group != NULL && strcmp(package->type, "golang") == 0)
        json_object_set_new(object, "name", json_sprintf("%s/%s", package->group, package->name));
    else
        json_object_set_new(object, "name", json_string(package->name));
    if (package->version != NULL)
        json_object_set_new(object, "versionInfo", json_string(package->version));
    json_object_set_new(object, "downloadLocation", json_string("NOASSERTION"));
    json_object_set_new(object, "filesAnalyzed", json_false());
    json_object_set_new(object, "licenseConcluded", json_string("NOASSERTION"));
    json_object_set_new(object, "licenseDeclared", declared);
    json_object_set_new(object, "copyrightText", json_string("NOASSERTION"));
    json_object_set_new(object, "primaryPackagePurpose", json_string("LIBRARY"));
    g_autofree char *path = g_utf8_make_valid(package->path, -1);
    json_object_set_new(object, "sourceInfo", json_sprintf("found in %s", path));
    json_object_set_new(object, "externalRefs",
                        json_pack("[{s:s, s:s, s:s}]", "referenceCategory", "PACKAGE-MANAGER",
                                  "referenceType", "purl", "referenceLocator", package->purl));
    return object;
}

static json_t *root_to_json(const Inventory *inventory, const char *name)
{
    json_t *root = json_object();
    json_object_set_new(root, "SPDXID", json_string(ROOT_ID));
    json_object_set_new(root, "name", json_string(name));
    g_autofree char *version = sbom_target_version(inventory);
    if (version != NULL)
        json_object_set_new(root, "versionInfo", json_string(version));
    json_object_set_new(root, "downloadLocation", json_string("NOASSERTION"));
    json_object_set_new(root, "filesAnalyzed", json_false());
    json_object_set_new(root, "licenseConcluded", json_string("NOASSERTION"));
    json_object_set_new(root, "licenseDeclared", json_string("NOASSERTION"));
    json_object_set_new(root, "copyrightText", json_string("NOASSERTION"));
    json_object_set_new(root, "primaryPackagePurpose",
                        json_string(inventory->digest != NULL ? "CONTAINER" : "APPLICATION"));
    return root;
}

static void relate(json_t *relationships, const char *from, const char *type, const char *to,
                   const char *comment)
{
    json_t *relationship = json_pack("{s:s, s:s, s:s}", "spdxElementId", from, "relationshipType",
                                     type, "relatedSpdxElement", to);
    if (comment != NULL)
        json_object_set_new(relationship, "comment", json_string(comment));
    json_array_append_new(relationships, relationship);
}

static void add_packages(const Inventory *inventory, json_t *packages, json_t *relationships,
                         json_t *extracted)
{
    g_autoptr(GHashTable) ids = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, g_free);
    g_autoptr(GHashTable) declared = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (guint i = 0; i < inventory->packages->len; i++) {
        const Package *package = g_ptr_array_index(inventory->packages, i);
        char *id = package_id(package);
        g_hash_table_insert(ids, package->purl, id);
        json_array_append_new(packages,
                              package_to_json(package, id, licence(package, extracted, declared)));
        relate(relationships, ROOT_ID, "CONTAINS", id, NULL);
    }
    for (guint i = 0; i < inventory->packages->len; i++) {
        const Package *package = g_ptr_array_index(inventory->packages, i);
        const char *owner =
            package->owner != NULL ? g_hash_table_lookup(ids, package->owner) : NULL;
        if (owner != NULL)
            relate(relationships, owner, "OTHER", g_hash_table_lookup(ids, package->purl),
                   "ownership-by-file-overlap: the OS package installed this one's files");
    }
}

json_t *spdx_document(const Inventory *inventory, const char *created)
{
    g_autofree char *name = g_utf8_make_valid(inventory->target, -1);
    g_autofree char *uuid = sbom_uuid(inventory);
    json_t *packages = json_array(), *relationships = json_array(), *extracted = json_array();
    json_array_append_new(packages, root_to_json(inventory, name));
    relate(relationships, "SPDXRef-DOCUMENT", "DESCRIBES", ROOT_ID, NULL);
    add_packages(inventory, packages, relationships, extracted);

    json_t *document = json_object();
    json_object_set_new(document, "spdxVersion", json_string("SPDX-2.3"));
    json_object_set_new(document, "dataLicense", json_string("CC0-1.0"));
    json_object_set_new(document, "SPDXID", json_string("SPDXRef-DOCUMENT"));
    json_object_set_new(document, "name", json_string(name));
    json_object_set_new(document, "documentNamespace",
                        json_sprintf("https://spdx.org/spdxdocs/slipway-%s", uuid));
    json_object_set_new(document, "creationInfo",
                        json_pack("{s:s, s:[s]}", "created", created, "creators",
                                  "Tool: slipway-" SLIPWAY_VERSION));
    json_object_set_new(document, "packages", packages);
    if (json_array_size(extracted) > 0)
        json_object_set(document, "hasExtractedLicensingInfos", extracted);
    json_decref(extracted);
    json_object_set_new(document, "relationships", relationships);
    return document;
}
