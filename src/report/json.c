#include "report/writer.h"

#include <string.h>

json_t *finding_detail(const Finding *finding)
{
    json_t *detail = finding->detail != NULL ? json_loads(finding->detail, 0, NULL) : NULL;
    if (json_is_object(detail))
        return detail;
    json_decref(detail);
    return json_object();
}

/* Text from outside may be any bytes; JSON is UTF-8. */
static json_t *text(const char *value)
{
    if (value == NULL)
        return json_null();
    g_autofree char *valid = g_utf8_make_valid(value, -1);
    return json_string(valid);
}

static json_t *finding_to_json(const Finding *finding)
{
    json_t *object = json_object();
    json_object_set_new(object, "rule", text(finding->rule));
    json_t *aliases = json_array();
    for (char **alias = finding->aliases; alias != NULL && *alias != NULL; alias++)
        json_array_append_new(aliases, text(*alias));
    json_object_set_new(object, "aliases", aliases);
    json_object_set_new(object, "severity", json_string(severity_name(finding->severity)));
    json_object_set_new(object, "path", text(finding->path));
    json_object_set_new(object, "line", json_integer(finding->line));
    json_object_set_new(object, "column", json_integer(finding->column));
    json_object_set_new(object, "end_line", json_integer(finding->end_line));
    json_object_set_new(object, "end_column", json_integer(finding->end_column));
    json_object_set_new(object, "message", text(finding->message));
    json_object_set_new(object, "fingerprint", text(finding->fingerprint));
    json_object_set_new(object, "mend", text(finding->mend));
    json_object_set_new(object, "suppressed", text(finding->suppressed));

    json_t *detail = finding_detail(finding);
    json_object_update_missing(object, detail);
    json_decref(detail);
    return object;
}

void json_report_write(FILE *out, const GPtrArray *findings)
{
    fputc('[', out);
    for (guint i = 0; i < findings->len; i++) {
        json_t *object = finding_to_json(g_ptr_array_index(findings, i));
        fputs(i == 0 ? "\n  " : ",\n  ", out);
        json_dumpf(object, out, JSON_COMPACT | JSON_REAL_PRECISION(6));
        json_decref(object);
    }
    fputs(findings->len > 0 ? "\n]\n" : "]\n", out);
}
