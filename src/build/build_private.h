/* build_private.h - one build under way; between the files of this room. */
#pragma once

#include "build/build.h"
#include "build/selection.h"
#include "build/upper.h"
#include "build/variables.h"
#include "dockerfile/dockerfile.h"
#include "dockerfile/expand.h"

typedef struct Stage Stage;

typedef struct {
    const BuildSpec *spec;
    ContentStore *store;
    State *state;
    Dockerfile *file;
    char *context;      /* absolute */
    IgnoreFile *ignore; /* NULL: nothing is left out */
    RootTree *context_tree;
    FileIndex *index;
    Variables *given;          /* --build-arg */
    GHashTable *used;          /* names of those that an ARG took */
    Variables *globals;        /* ARG before the first FROM, and the automatic ones */
    GPtrArray *stages;         /* Stage * */
    GPtrArray *secrets;        /* char *: values, to be masked in what steps say */
    GHashTable *secret_values; /* id to value */
    char *scratch;             /* folder for what steps need only now */
    int64_t now;               /* seconds; the build's one clock */
} Build;

struct Stage {
    Build *build;
    guint index;
    char *name; /* lower case; NULL: none */
    const Instruction *from;
    GPtrArray *instructions; /* const Instruction * */
    bool built, building;
    /* as it stands after the steps so far */
    Image *image;
    Variables *args;
    char *last_created; /* RFC 3339, of the newest step */
    bool command_set;   /* CMD stood in this stage */
    guint step, steps;  /* numbers for progress */
    /* the instruction at hand */
    const Dockerfile *source; /* for messages: the file, or a trigger */
    const Instruction *at;
    char **folders; /* of IMAGE's layers, topmost first; NULL: to be asked for */
    RootTree *tree; /* over FOLDERS */
};

/* stage.c */
Stage *stage_find(Build *build, const char *name, guint before);
bool stage_build(Stage *stage, GError **error);
/* The merged view of the stage's image as it stands; borrowed. */
RootTree *stage_tree(Stage *stage, GError **error);
void stage_forget_tree(Stage *stage);
void stage_free(Stage *stage);
/* Prefixes ERROR with "Dockerfile:LINE: " of the instruction at hand. Returns false. */
bool stage_fail(Stage *stage, GError **error);
bool stage_error(Stage *stage, GError **error, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* image_config.c: what instructions leave in the config */
json_t *config_section(Stage *stage);
json_t *config_environment(Stage *stage);
const char *config_text(Stage *stage, const char *key); /* "" when absent */
/* The absolute path that PATH means from WORKDIR. */
char *config_path(Stage *stage, const char *path);
void config_add_history(Stage *stage, const char *created_by, bool empty);
bool config_apply(Stage *stage, const Instruction *in, GError **error);
char *expand_in_stage(Stage *stage, const char *word, GError **error);

/* step.c: a step that makes a layer, from the cache or by WORK */
typedef bool (*StepWork)(Stage *stage, const char *upper, const char *scratch, void *data,
                         GError **error);
typedef struct {
    const char *created_by;
    json_t *inputs;  /* what the result depends on, name to text; taken */
    bool on_scratch; /* --link: neither made from nor looked at with the parent */
    StepWork work;
    void *data;
} Step;
bool step_make_layer(Stage *stage, Step *step, GError **error);
void step_emit(Stage *stage, const char *text, const char *state, int64_t milliseconds);
/* A digest that stands for TEXT in inputs, so that values are not kept. */
json_t *input_digest(const char *text);

/* copy.c, run.c */
bool copy_apply(Stage *stage, const Instruction *in, GError **error);
bool workdir_apply(Stage *stage, const Instruction *in, GError **error);
bool run_apply(Stage *stage, const Instruction *in, GError **error);
/* The tree `from=NAME` means: a stage (built now if need be) or an image. NULL NAME: the context.
 */
RootTree *source_tree(Stage *stage, const char *name, RootTree **owned, GError **error);

/* build_cache.c */
ImageLayer *build_cache_get(Build *build, const char *key, char **made_at, GError **error);
bool build_cache_put(Build *build, const char *key, const ImageLayer *layer, const char *made_at,
                     GError **error);
/* Why PLACE's key differs from last time ("environment changed"), NULL: never seen. */
char *build_cache_explain(Build *build, const char *place, const json_t *inputs, GError **error);
bool build_cache_remember(Build *build, const char *place, const json_t *inputs, GError **error);
