#include "model/pipeline.h"

#include <string.h>

static void free_value(gpointer value)
{
    pipeline_value_free(value);
}

PipelineValue *pipeline_value_new(PipelineValueKind kind, int line, int column)
{
    PipelineValue *value = g_new0(PipelineValue, 1);
    value->kind = kind;
    value->line = line;
    value->column = column;
    if (kind == PIPELINE_MAPPING)
        value->keys = g_ptr_array_new_with_free_func(free_value);
    if (kind == PIPELINE_MAPPING || kind == PIPELINE_SEQUENCE)
        value->items = g_ptr_array_new_with_free_func(free_value);
    return value;
}

PipelineValue *pipeline_value_new_text(const char *text, int line, int column)
{
    PipelineValue *value = pipeline_value_new(PIPELINE_STRING, line, column);
    value->text = g_strdup(text);
    value->expression = strstr(text, "${{") != NULL;
    return value;
}

void pipeline_value_free(PipelineValue *value)
{
    if (value == NULL)
        return;
    g_free(value->text);
    g_clear_pointer(&value->keys, g_ptr_array_unref);
    g_clear_pointer(&value->items, g_ptr_array_unref);
    g_free(value);
}

const PipelineValue *pipeline_value_get(const PipelineValue *value, const char *key)
{
    if (value == NULL || value->kind != PIPELINE_MAPPING)
        return NULL;
    for (guint i = 0; i < value->keys->len; i++) {
        const PipelineValue *name = value->keys->pdata[i];
        if (g_ascii_strcasecmp(name->text, key) == 0)
            return value->items->pdata[i];
    }
    return NULL;
}

const char *pipeline_value_text(const PipelineValue *value)
{
    return value != NULL ? value->text : NULL;
}

size_t pipeline_value_length(const PipelineValue *value)
{
    return value != NULL && value->items != NULL ? value->items->len : 0;
}

PipelineStep *pipeline_step_new(PipelineStepKind kind)
{
    PipelineStep *step = g_new0(PipelineStep, 1);
    step->kind = kind;
    return step;
}

void pipeline_step_free(PipelineStep *step)
{
    if (step == NULL)
        return;
    PipelineValue *values[] = {
        step->name,
        step->condition,
        step->run,
        step->with,
        step->env,
        step->continue_on_error,
        step->shell,
        step->working_directory,
        step->timeout_minutes,
    };
    for (size_t i = 0; i < G_N_ELEMENTS(values); i++)
        pipeline_value_free(values[i]);
    g_free(step->id);
    g_free(step->uses);
    g_strfreev(step->targets);
    g_clear_pointer(&step->children, g_ptr_array_unref);
    g_free(step);
}

static void free_step(gpointer step)
{
    pipeline_step_free(step);
}

PipelineJob *pipeline_job_new(const char *id)
{
    PipelineJob *job = g_new0(PipelineJob, 1);
    job->id = g_strdup(id);
    job->steps = g_ptr_array_new_with_free_func(free_step);
    return job;
}

void pipeline_job_free(PipelineJob *job)
{
    if (job == NULL)
        return;
    PipelineValue *values[] = {
        job->name,        job->condition,       job->runs_on,
        job->environment, job->concurrency,     job->permissions,
        job->env,         job->outputs,         job->defaults,
        job->strategy,    job->timeout_minutes, job->cancel_timeout_minutes,
        job->container,   job->services,        job->continue_on_error,
        job->with,        job->secrets,
    };
    for (size_t i = 0; i < G_N_ELEMENTS(values); i++)
        pipeline_value_free(values[i]);
    g_free(job->id);
    g_free(job->uses);
    g_strfreev(job->needs);
    g_ptr_array_unref(job->steps);
    g_free(job);
}

PipelineTrigger *pipeline_trigger_new(const char *name)
{
    PipelineTrigger *trigger = g_new0(PipelineTrigger, 1);
    trigger->name = g_strdup(name);
    return trigger;
}

void pipeline_trigger_free(PipelineTrigger *trigger)
{
    if (trigger == NULL)
        return;
    g_free(trigger->name);
    pipeline_value_free(trigger->settings);
    g_free(trigger);
}

static void free_trigger(gpointer trigger)
{
    pipeline_trigger_free(trigger);
}

static void free_job(gpointer job)
{
    pipeline_job_free(job);
}

Pipeline *pipeline_new(const char *file)
{
    Pipeline *pipeline = g_new0(Pipeline, 1);
    pipeline->file = g_strdup(file);
    pipeline->triggers = g_ptr_array_new_with_free_func(free_trigger);
    pipeline->jobs = g_ptr_array_new_with_free_func(free_job);
    return pipeline;
}

void pipeline_free(Pipeline *pipeline)
{
    if (pipeline == NULL)
        return;
    PipelineValue *values[] = {
        pipeline->run_name,     pipeline->permissions,  pipeline->env,
        pipeline->defaults,     pipeline->concurrency,  pipeline->call_inputs,
        pipeline->call_outputs, pipeline->call_secrets, pipeline->dispatch_inputs,
    };
    for (size_t i = 0; i < G_N_ELEMENTS(values); i++)
        pipeline_value_free(values[i]);
    g_free(pipeline->file);
    g_free(pipeline->name);
    g_ptr_array_unref(pipeline->triggers);
    g_clear_pointer(&pipeline->job_index, g_hash_table_unref);
    g_ptr_array_unref(pipeline->jobs);
    g_free(pipeline);
}

void pipeline_index(Pipeline *pipeline)
{
    pipeline->job_index = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (guint i = 0; i < pipeline->jobs->len; i++) {
        PipelineJob *job = pipeline->jobs->pdata[i];
        g_hash_table_insert(pipeline->job_index, g_ascii_strdown(job->id, -1), job);
    }
}

const PipelineJob *pipeline_find_job(const Pipeline *pipeline, const char *id)
{
    g_autofree char *lower = g_ascii_strdown(id, -1);
    return g_hash_table_lookup(pipeline->job_index, lower);
}

const PipelineTrigger *pipeline_find_trigger(const Pipeline *pipeline, const char *event)
{
    for (guint i = 0; i < pipeline->triggers->len; i++) {
        const PipelineTrigger *trigger = pipeline->triggers->pdata[i];
        if (g_ascii_strcasecmp(trigger->name, event) == 0)
            return trigger;
    }
    return NULL;
}
