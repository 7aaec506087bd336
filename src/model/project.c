#include "model/project.h"

#include "base/clock.h"
#include "base/error.h"

#include <string.h>

static char *copy_string(const json_t *object, const char *key)
{
    return g_strdup(json_string_value(json_object_get(object, key)));
}

static char **copy_strings(const json_t *array)
{
    GPtrArray *strings = g_ptr_array_new();
    size_t i;
    json_t *item;
    json_array_foreach(array, i, item) g_ptr_array_add(strings, g_strdup(json_string_value(item)));
    g_ptr_array_add(strings, NULL);
    return (char **) g_ptr_array_free(strings, FALSE);
}

static int64_t milliseconds(const json_t *object, const char *key)
{
    int64_t value = 0;
    const char *text = json_string_value(json_object_get(object, key));
    if (text != NULL)
        clock_parse_duration(text, &value, NULL);
    return value;
}

static int integer(const json_t *object, const char *key)
{
    return (int) json_integer_value(json_object_get(object, key));
}

static bool array_has(const json_t *array, const char *text)
{
    size_t i;
    json_t *item;
    json_array_foreach(array, i,
                       item) if (g_strcmp0(json_string_value(item), text) == 0) return true;
    return false;
}

static void smoke_free(gpointer data)
{
    SmokeCheck *check = data;
    g_free(check->method);
    g_free(check->path);
    g_free(check->body);
    json_decref(check->json);
    json_decref(check->headers);
    g_free(check);
}

static SmokeCheck *smoke_from_json(const json_t *json)
{
    SmokeCheck *check = g_new0(SmokeCheck, 1);
    check->method = copy_string(json, "method");
    check->path = copy_string(json, "path");
    check->body = copy_string(json, "body");
    check->status = integer(json, "status");
    check->json = json_incref(json_object_get(json, "json"));
    check->headers = json_incref(json_object_get(json, "headers"));
    return check;
}

static void environment_free(gpointer data)
{
    EnvironmentSettings *e = data;
    g_free(e->name);
    g_free(e->after);
    g_free(e->target);
    g_free(e->address);
    json_decref(e->env);
    json_decref(e->volumes);
    json_decref(e->secrets);
    g_free(e->migrate.tool);
    g_free(e->migrate.folder);
    g_free(e->migrate.database);
    g_strfreev(e->migrate.command);
    g_free(e->health_path);
    g_clear_pointer(&e->smoke, g_ptr_array_unref);
    g_strfreev(e->approvers);
    g_free(e->steps);
    g_free(e);
}

static int *steps_from_json(const json_t *array)
{
    size_t count = json_array_size(array);
    int *steps = g_new0(int, count + 1);
    for (size_t i = 0; i < count; i++)
        steps[i] = (int) json_integer_value(json_array_get(array, i));
    return steps;
}

static EnvironmentSettings *environment_from_json(const char *name, const json_t *json)
{
    EnvironmentSettings *e = g_new0(EnvironmentSettings, 1);
    const json_t *health = json_object_get(json, "health");
    const json_t *resources = json_object_get(json, "resources");
    const json_t *approve = json_object_get(json, "approve");
    const json_t *rollout = json_object_get(json, "rollout");
    const json_t *watch = json_object_get(json, "watch");
    const json_t *migrate = json_object_get(json, "migrate");

    e->name = g_strdup(name);
    e->production = json_is_true(json_object_get(json, "production"));
    e->after = copy_string(json, "after");
    e->target = copy_string(json, "target");
    e->address = copy_string(json, "address");
    e->port = integer(json, "port");
    e->container_port = integer(json, "container_port");
    e->env = json_incref(json_object_get(json, "env"));
    e->volumes = json_incref(json_object_get(json, "volumes"));
    e->secrets = json_incref(json_object_get(json, "secrets"));
    e->egress = json_is_true(json_object_get(json, "egress"));
    e->migrate.tool = copy_string(migrate, "tool");
    e->migrate.folder = copy_string(migrate, "dir");
    e->migrate.database = copy_string(migrate, "database");
    e->migrate.command = copy_strings(json_object_get(migrate, "command"));
    e->health_path = copy_string(health, "get");
    e->health_interval_ms = milliseconds(health, "interval");
    e->health_timeout_ms = milliseconds(health, "timeout");
    e->health_start_ms = milliseconds(health, "start");
    e->health_passes = integer(health, "passes");
    e->cpus = (double) integer(resources, "millicpus") / 1000.0;
    e->memory = (uint64_t) json_integer_value(json_object_get(resources, "memory"));
    e->pids = (uint64_t) json_integer_value(json_object_get(resources, "pids"));
    e->replicas = integer(json, "replicas");
    e->smoke = g_ptr_array_new_with_free_func(smoke_free);
    size_t i;
    json_t *check;
    json_array_foreach(json_object_get(json, "smoke"), i, check)
        g_ptr_array_add(e->smoke, smoke_from_json(check));
    e->approvers = copy_strings(json_object_get(approve, "by"));
    e->approvals = integer(approve, "count");
    e->not_author = array_has(json_object_get(approve, "not"), "author");
    e->not_requester = array_has(json_object_get(approve, "not"), "requester");
    e->steps = steps_from_json(json_object_get(rollout, "steps"));
    e->hold_ms = milliseconds(rollout, "hold");
    e->watch_ms = milliseconds(watch, "for");
    e->slow_ms = milliseconds(watch, "slow");
    e->errors = integer(watch, "errors");
    return e;
}

Project *project_from_json(json_t *json, GError **error)
{
    const json_t *build = json_object_get(json, "build");
    const json_t *environments = json_object_get(json, "environments");
    if (json_string_value(json_object_get(json, "project")) == NULL || !json_is_object(build) ||
        !json_is_object(environments)) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "project settings: not in their normal form");
        return NULL;
    }
    Project *project = g_new0(Project, 1);
    project->json = json_incref(json);
    project->name = copy_string(json, "project");
    project->image = copy_string(json, "image");
    project->build_context = copy_string(build, "context");
    project->build_file = copy_string(build, "file");
    project->build_target = copy_string(build, "target");
    project->build_args = json_incref(json_object_get(build, "args"));
    project->root_image = copy_string(json, "root");
    project->lint = copy_strings(json_object_get(json, "lint"));
    project->test = copy_strings(json_object_get(json, "test"));
    project->environments = g_ptr_array_new_with_free_func(environment_free);
    const char *name;
    json_t *value;
    json_object_foreach(json_object_get(json, "environments"), name, value)
        g_ptr_array_add(project->environments, environment_from_json(name, value));
    return project;
}

void project_free(Project *project)
{
    if (project == NULL)
        return;
    json_decref(project->json);
    g_free(project->name);
    g_free(project->image);
    g_free(project->build_context);
    g_free(project->build_file);
    g_free(project->build_target);
    json_decref(project->build_args);
    g_free(project->root_image);
    g_strfreev(project->lint);
    g_strfreev(project->test);
    g_clear_pointer(&project->environments, g_ptr_array_unref);
    g_free(project);
}

const EnvironmentSettings *project_environment(const Project *project, const char *name)
{
    for (guint i = 0; i < project->environments->len; i++) {
        const EnvironmentSettings *e = g_ptr_array_index(project->environments, i);
        if (g_str_equal(e->name, name))
            return e;
    }
    return NULL;
}

char *project_environment_text(const Project *project, const char *name)
{
    const json_t *environments = json_object_get(project->json, "environments");
    json_t *environment = json_object_get(environments, name);
    if (environment == NULL)
        return NULL;
    char *dumped = json_dumps(environment, JSON_COMPACT | JSON_SORT_KEYS);
    char *text = g_strdup(dumped);
    free(dumped);
    return text;
}
