/* pipeline_source.h - the file and the repository that `plan` and `run` are about. */
#pragma once

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>

typedef struct {
    char *path; /* to open */
    char *file; /* relative to the repository's root, for messages and contexts */
    char *text;
    size_t length;
    char *root;         /* of the repository, or the file's folder where there is none */
    char *commit, *ref; /* NULL: no repository, or one without a commit */
    char *repository;   /* "owner/name" of its origin; NULL: none */
    char *actor;        /* the commit's author's name; NULL: none */
    char *message;
} PipelineSource;

/* Opens PATH, or where it is NULL the only file in .github/workflows of the repository around the
 * present folder. */
bool pipeline_source_open(PipelineSource *source, const char *path, GError **error);
void pipeline_source_clear(PipelineSource *source);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(PipelineSource, pipeline_source_clear)

/* "K=V" pairs as an object; usage errors name OPTION. */
json_t *pipeline_pairs(const char *const *pairs, const char *option, GError **error);
/* The payload of an event: FILE's JSON, or what can be told of a push to SOURCE. */
json_t *pipeline_event(const PipelineSource *source, const char *event, const char *file,
                       const json_t *inputs, GError **error);
