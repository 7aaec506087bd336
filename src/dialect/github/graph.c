#include "dialect/github/graph.h"

typedef struct {
    Reader *reader;
    const Pipeline *pipeline;
    GHashTable *state; /* job → 1 under way, 2 done */
    GHashTable *values;
} Walk;

static const PipelineValue *place_of(const Walk *walk, const PipelineJob *job, const char *need)
{
    const PipelineValue *value = g_hash_table_lookup(walk->values, job);
    if (value != NULL && value->kind == PIPELINE_SEQUENCE)
        for (guint i = 0; i < value->items->len; i++) {
            const PipelineValue *item = value->items->pdata[i];
            if (item->text != NULL && g_ascii_strcasecmp(item->text, need) == 0)
                return item;
        }
    return value;
}

/* Depth first; the depth is bounded by the number of jobs of a file of at most 1 MiB, so the walk
 * keeps its own stack. */
typedef struct {
    const PipelineJob *job;
    guint next;
} Frame;

static void visit(Walk *walk, const PipelineJob *start)
{
    g_autoptr(GArray) stack = g_array_new(FALSE, FALSE, sizeof(Frame));
    Frame first = {start, 0};
    g_array_append_val(stack, first);
    g_hash_table_insert(walk->state, (gpointer) start, GINT_TO_POINTER(1));
    while (stack->len > 0) {
        Frame *frame = &g_array_index(stack, Frame, stack->len - 1);
        const PipelineJob *job = frame->job;
        const char *need = job->needs[frame->next];
        if (need == NULL) {
            g_hash_table_insert(walk->state, (gpointer) job, GINT_TO_POINTER(2));
            g_array_set_size(stack, stack->len - 1);
            continue;
        }
        frame->next++;
        const PipelineJob *other = pipeline_find_job(walk->pipeline, need);
        if (other == NULL)
            continue;
        int state = GPOINTER_TO_INT(g_hash_table_lookup(walk->state, other));
        if (state == 1) {
            const PipelineValue *at = place_of(walk, job, need);
            reader_error(walk->reader, "job-needs", at->line, at->column,
                         "Job '%s' depends on job '%s' which creates a cycle in the dependency "
                         "graph.",
                         job->id, need);
        } else if (state == 0) {
            Frame next = {other, 0};
            g_hash_table_insert(walk->state, (gpointer) other, GINT_TO_POINTER(1));
            g_array_append_val(stack, next);
        }
    }
}

void graph_check(Reader *reader, const Pipeline *pipeline, GHashTable *needs_values)
{
    g_autoptr(GHashTable) state = g_hash_table_new(NULL, NULL);
    Walk walk = {reader, pipeline, state, needs_values};
    bool root = false;
    for (guint i = 0; i < pipeline->jobs->len; i++) {
        const PipelineJob *job = pipeline->jobs->pdata[i];
        root = root || job->needs[0] == NULL;
        for (char **need = job->needs; *need != NULL; need++)
            if (pipeline_find_job(pipeline, *need) == NULL) {
                const PipelineValue *at = place_of(&walk, job, *need);
                reader_error(reader, "job-needs", at->line, at->column,
                             "Job '%s' depends on unknown job '%s'.", job->id, *need);
            }
    }
    if (!root && pipeline->jobs->len > 0) {
        const PipelineJob *job = pipeline->jobs->pdata[0];
        reader_error(reader, "job-needs", job->line, job->column,
                     "The workflow must contain at least one job with no dependencies.");
    }
    for (guint i = 0; i < pipeline->jobs->len; i++)
        if (g_hash_table_lookup(state, pipeline->jobs->pdata[i]) == NULL)
            visit(&walk, pipeline->jobs->pdata[i]);
}
