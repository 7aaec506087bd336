/* CycloneDX 1.5 and 1.6 as JSON, cyclonedx.org/specification. */
#include "config.h"
#include "scan/licence.h"
#include "scan/sbom_document.h"

#include <string.h>

#define ROOT_REF "slipway:target"

static void add_property(json_t *properties, const char *name, const char *value)
{
    if (value == NULL)
        return;
    g_autofree char *valid = g_utf8_make_valid(value, -1);
    json_array_append_new(properties, json_pack("{s:s, s:s}", "name", name, "value", valid));
}

/* Either one expression, or a licence by id or name. */
static json_t *licences(const char *text)
{
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    g_autofree char *expression = licence_expression(valid);
    if (expression == NULL)
        return json_pack("[{s:{s:s}}]", "license", "name", valid);
    if (licence_is_single(expression))
        return json_pack("[{s:{s:s}}]", "license", "id", expression);
    return json_pack("[{s:s}]", "expression", expression);
}

static json_t *component(const Package *package)
{
    json_t *object = json_object();
    json_object_set_new(object, "bom-ref", json_string(package->purl));
    json_object_set_new(object, "type", json_string("library"));
    if (package->group != NULL)
        json_object_set_new(object, "group", json_string(package->group));
    json_object_set_new(object, "name", json_string(package->name));
    if (package->version != NULL)
        json_object_set_new(object, "version", json_string(package->version));
    if (package->licence != NULL && *package->licence != '\0')
        json_object_set_new(object, "licenses", licences(package->licence));
    json_object_set_new(object, "purl", json_string(package->purl));
    json_t *properties = json_array();
    add_property(properties, "slipway:path", package->path);
    add_property(properties, "slipway:source", package->source);
    add_property(properties, "slipway:source-version", package->source_version);
    add_property(properties, "slipway:ownership-by-file-overlap", package->owner);
    json_object_set_new(object, "properties", properties);
    return object;
}

static json_t *operating_system(const Distribution *distribution)
{
    json_t *object = json_pack("{s:s, s:s, s:s}", "bom-ref", "slipway:operating-system", "type",
                               "operating-system", "name", distribution->id);
    if (distribution->version_id != NULL)
        json_object_set_new(object, "version", json_string(distribution->version_id));
    if (distribution->pretty_name != NULL)
        json_object_set_new(object, "description", json_string(distribution->pretty_name));
    return object;
}

static json_t *metadata(const Inventory *inventory, const char *created)
{
    g_autofree char *name = g_utf8_make_valid(inventory->target, -1);
    json_t *root = json_pack("{s:s, s:s, s:s}", "bom-ref", ROOT_REF, "type",
                             inventory->digest != NULL ? "container" : "application", "name", name);
    g_autofree char *version = sbom_target_version(inventory);
    if (version != NULL)
        json_object_set_new(root, "version", json_string(version));
    return json_pack("{s:s, s:{s:[{s:s, s:s, s:s}]}, s:o}", "timestamp", created, "tools",
                     "components", "type", "application", "name", "slipway", "version",
                     SLIPWAY_VERSION, "component", root);
}

json_t *cyclonedx_document(const Inventory *inventory, const char *created, const char *version)
{
    json_t *components = json_array(), *contained = json_array();
    if (inventory->distribution.id != NULL)
        json_array_append_new(components, operating_system(&inventory->distribution));
    for (guint i = 0; i < inventory->packages->len; i++) {
        const Package *package = g_ptr_array_index(inventory->packages, i);
        json_array_append_new(components, component(package));
        json_array_append_new(contained, json_string(package->purl));
    }
    g_autofree char *uuid = sbom_uuid(inventory);
    json_t *document = json_object();
    g_autofree char *schema =
        g_strdup_printf("http://cyclonedx.org/schema/bom-%s.schema.json", version);
    json_object_set_new(document, "$schema", json_string(schema));
    json_object_set_new(document, "bomFormat", json_string("CycloneDX"));
    json_object_set_new(document, "specVersion", json_string(version));
    json_object_set_new(document, "serialNumber", json_sprintf("urn:uuid:%s", uuid));
    json_object_set_new(document, "version", json_integer(1));
    json_object_set_new(document, "metadata", metadata(inventory, created));
    json_object_set_new(document, "components", components);
    json_object_set_new(document, "dependencies",
                        json_pack("[{s:s, s:o}]", "ref", ROOT_REF, "dependsOn", contained));
    return document;
}
