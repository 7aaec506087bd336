/* project.h - the settings of a project (slipway.yml) as data.
 *
 * The normal form is JSON in which every default has been filled in (dialect/slipway makes it):
 * it is what is stored, hashed and signed. The structs are views for reading, made from it. */
#pragma once

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct {
    char *method, *path, *body; /* body NULL: none */
    int status;
    json_t *json;    /* members that the answer must have; NULL: not looked at */
    json_t *headers; /* {"Name": "value"} to send; NULL: none */
} SmokeCheck;

typedef struct {
    char *tool; /* sql | command | prisma | laravel | alembic | django; NULL: no migration */
    char *folder, *database; /* sql: inside the image; SQLite file inside the container */
    char **command;          /* others */
} MigrateSettings;

typedef struct {
    char *name;
    bool production;
    char *after;              /* environment that must serve the digest first; NULL: none */
    char *target;             /* "local" */
    char *address;            /* what the proxy listens on: "127.0.0.1" or "0.0.0.0" */
    int port, container_port; /* container_port 0: from EXPOSE */
    json_t *env, *volumes;    /* {"NAME": "text"} */
    json_t *secrets;          /* ["NAME"] */
    bool egress;              /* may reach out */
    MigrateSettings migrate;
    char *health_path; /* NULL: the image's HEALTHCHECK or an open port */
    int64_t health_interval_ms, health_timeout_ms, health_start_ms;
    int health_passes;
    double cpus;
    uint64_t memory, pids;
    int replicas;
    GPtrArray *smoke; /* SmokeCheck * */
    char **approvers;
    int approvals;
    bool not_author, not_requester;
    int *steps; /* shares of traffic in 1/10000, ends with 10000 then 0 */
    int64_t hold_ms, watch_ms, slow_ms;
    int errors; /* tolerated, in 1/10000 */
} EnvironmentSettings;

typedef struct {
    json_t *json; /* the normal form */
    char *name, *image;
    char *build_context, *build_file, *build_target;
    json_t *build_args;
    char *root_image; /* NULL: host */
    char **lint, **test;
    GPtrArray *environments; /* EnvironmentSettings *, in order of their `after` */
} Project;

/* A view of normal form JSON (borrowed; it is kept by reference). INVALID when it is not one. */
Project *project_from_json(json_t *json, GError **error);
void project_free(Project *project);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Project, project_free)

/* Borrowed; NULL when there is none of that name. */
const EnvironmentSettings *project_environment(const Project *project, const char *name);

/* The part of the normal form that decides what runs in environment NAME, as canonical JSON text:
 * its hash is the configuration digest that an approval binds. */
char *project_environment_text(const Project *project, const char *name);
