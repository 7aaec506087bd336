/* settings_value.h - single values of slipway.yml, checked where they stand. Private to this
 * folder.
 *
 * A wrong value is a mistake that is noted, and the reading goes on with the default: one run shows
 * all of them. Each settings_take_… gives a new reference. */
#pragma once

#include "format/yaml.h"

#include <jansson.h>

#define SETTINGS_SHARE_WHOLE                                                                       \
    10000 /* shares and rates are kept in 1/10000: the form has no reals                           \
           */

typedef struct {
    const char *file;  /* for messages */
    GString *mistakes; /* a line each */
    int count;
} SettingsReader;

void settings_mistake(SettingsReader *reader, const YamlNode *at, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

/* Notes the keys of MAP that are not in ALLOWED, each with the nearest that is. false when MAP (the
 * block called WHERE) is no mapping at all. */
bool settings_check_keys(SettingsReader *reader, const YamlNode *map, const char *where,
                         const char *const *allowed);

/* No such key, or an empty value. */
bool settings_absent(const YamlNode *node);

/* The value of KEY in MAP, or OTHERWISE (NULL: JSON null) where it is absent. */
json_t *settings_take_text(SettingsReader *reader, const YamlNode *map, const char *key,
                           const char *otherwise);
json_t *settings_take_boolean(SettingsReader *reader, const YamlNode *map, const char *key,
                              bool otherwise);
json_t *settings_take_integer(SettingsReader *reader, const YamlNode *map, const char *key,
                              gint64 otherwise, gint64 low, gint64 high);
/* "10s", kept as text. */
json_t *settings_take_duration(SettingsReader *reader, const YamlNode *map, const char *key,
                               const char *otherwise);
json_t *settings_take_choice(SettingsReader *reader, const YamlNode *map, const char *key,
                             const char *otherwise, const char *const *choices);
/* "10%" or 0.1 → 1000. */
bool settings_parse_share(const YamlNode *node, int *share);
json_t *settings_take_share(SettingsReader *reader, const YamlNode *map, const char *key,
                            int otherwise);
/* "256M" → bytes; 0 where it is absent. */
json_t *settings_take_bytes(SettingsReader *reader, const YamlNode *map, const char *key);
/* A list of texts; a single text is a list of one. */
json_t *settings_take_texts(SettingsReader *reader, const YamlNode *map, const char *key);
/* {"KEY": "text"} */
json_t *settings_take_map(SettingsReader *reader, const YamlNode *map, const char *key);

/* Any value as JSON (1.2 core typing, no reals), for bodies that smoke tests compare. */
json_t *settings_to_json(SettingsReader *reader, const YamlNode *node, int depth);
