/* yaml.h - a YAML document as nodes with positions. Scalars are not typed here: `on` stays the
 * text "on"; who reads a file says which schema types its plain scalars.
 *
 * Refused with line and column: bad grammar, a tab in indentation, duplicate keys (exact text),
 * undefined or recursive aliases, depth over 100, more than one million events. */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef enum { YAML_SCALAR, YAML_SEQUENCE, YAML_MAPPING } YamlKind;

typedef struct YamlNode YamlNode;
struct YamlNode {
    YamlKind kind;
    bool plain;        /* scalar without quotes and not a block: the only ones a schema types */
    bool alias_target; /* carries an anchor: may be reached more than once */
    const char *tag;   /* as written ("!!str" resolved: "tag:yaml.org,2002:str"); NULL: none */
    const char *text;  /* scalar, NUL-terminated */
    size_t length;     /* of text, or number of items or pairs */
    int line, column;  /* from 1; see below */
    YamlNode **keys;   /* mapping */
    YamlNode **items;  /* sequence items or mapping values */
};

/* Line and column are where the value begins, behind its tag and anchor; a block scalar (| or >)
 * begins with its first line of content, an alias is its anchor's node and has the place of that.
 */

typedef struct YamlDocument YamlDocument;

/* Parses LENGTH bytes of TEXT; NAME is for messages ("slipway.yml:3:7: …"). All documents of the
 * stream; an empty stream has none. */
YamlDocument *yaml_parse(const char *name, const char *text, size_t length, GError **error);
size_t yaml_document_count(const YamlDocument *document);
/* The root of document INDEX; borrowed, lives as long as DOCUMENT. */
const YamlNode *yaml_root(const YamlDocument *document, size_t index);
void yaml_free(YamlDocument *document);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(YamlDocument, yaml_free)

/* The value of KEY in MAPPING (exact text); NULL when there is none or MAPPING is no mapping. */
const YamlNode *yaml_get(const YamlNode *mapping, const char *key);

/* YAML 1.2 core typing of a scalar. A quoted scalar is never null, boolean or number. */
bool yaml_is_null(const YamlNode *node);
bool yaml_as_boolean(const YamlNode *node, bool *value);
bool yaml_as_integer(const YamlNode *node, gint64 *value);
bool yaml_as_number(const YamlNode *node, double *value);
