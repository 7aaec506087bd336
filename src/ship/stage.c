#include "ship/stage.h"

#include "base/clock.h"
#include "base/crash.h"
#include "delivery/evidence.h"
#include "format/json.h"

static void boundary(const char *name, const char *when)
{
    g_autofree char *text = g_strdup_printf("ship.%s.%s", name, when);
    crash_boundary(text);
}

bool stage_begin(const StageContext *context, const char *name, json_t **detail, GError **error)
{
    Database *database = context->delivery->state->database;
    *detail = NULL;
    g_autoptr(Statement) row = database_prepare(
        database, error, "SELECT result, detail FROM run_stage WHERE run = ? AND name = ?", "ss",
        context->run, name);
    if (row == NULL)
        return false;
    if (statement_step(row, NULL) && g_strcmp0(statement_text(row, 0), "passed") == 0) {
        size_t length;
        const char *text = statement_blob(row, 1, &length);
        *detail = text != NULL ? json_parse("stage", text, length, error) : json_object();
        if (*detail == NULL)
            return false;
        json_t *event = json_copy(*detail);
        json_object_set_new(event, "job", json_string(name));
        json_object_set_new(event, "result", json_string("passed"));
        json_object_set_new(event, "again", json_true());
        event_emit(context->sink, "job.ended", event);
        return true;
    }
    if (!statement_end(row, error))
        return false;
    g_clear_pointer(&row, statement_free);
    if (!database_run(database, error,
                      "INSERT INTO run_stage(run, name, started_at) VALUES(?, ?, ?) "
                      "ON CONFLICT DO UPDATE SET started_at = excluded.started_at, result = NULL",
                      "ssi", context->run, name, clock_now_ns()))
        return false;
    event_emit(context->sink, "job.started",
               json_pack("{s:s, s:s}", "run", context->run, "job", name));
    boundary(name, "intent");
    return true;
}

static bool write_end(const StageContext *context, const char *name, const char *result,
                      const json_t *detail, GError **error)
{
    g_autofree char *text = detail != NULL ? json_compact(detail) : NULL;
    return database_run(context->delivery->state->database, error,
                        "UPDATE run_stage SET ended_at = ?, result = ?, detail = ? "
                        "WHERE run = ? AND name = ?",
                        "issss", clock_now_ns(), result, text, context->run, name);
}

/* Only what has been committed is told. */
static void announce_end(const StageContext *context, const char *name, const char *result,
                         const json_t *detail)
{
    json_t *event = detail != NULL ? json_copy((json_t *) detail) : json_object();
    json_object_set_new(event, "run", json_string(context->run));
    json_object_set_new(event, "job", json_string(name));
    json_object_set_new(event, "result", json_string(result));
    event_emit(context->sink, "job.ended", event);
    boundary(name, "done");
}

bool stage_end(const StageContext *context, const char *name, const char *result,
               const json_t *detail, GError **error)
{
    if (!write_end(context, name, result, detail, error))
        return false;
    announce_end(context, name, result, detail);
    return true;
}

static int64_t write_outcome(const StageContext *context, const StageOutcome *outcome,
                             const char *result, GError **error)
{
    g_autofree char *key = g_strdup_printf("run.%s.%s", context->run, outcome->kind);
    if (outcome->also != NULL && !outcome->also(outcome->self, error))
        return -1;
    json_t *detail = json_deep_copy(outcome->detail);
    json_object_set_new(detail, "project", json_string(context->project));
    int64_t entry = evidence_record(context->delivery, outcome->kind, outcome->object, result,
                                    detail, key, error);
    return entry >= 0 && write_end(context, outcome->stage, result, outcome->detail, error) ? entry
                                                                                            : -1;
}

bool stage_conclude(const StageContext *context, const StageOutcome *outcome, GError **error)
{
    Database *database = context->delivery->state->database;
    const char *result = outcome->passed ? "passed" : "failed";
    if (!database_begin(database, error))
        return false;
    int64_t entry = write_outcome(context, outcome, result, error);
    if (entry < 0) {
        database_rollback(database);
        return false;
    }
    if (!database_commit(database, error))
        return false;
    event_emit(context->sink, "evidence",
               json_pack("{s:s, s:s, s:s, s:I}", "kind", outcome->kind, "result", result, "object",
                         outcome->object, "entry", (json_int_t) entry));
    announce_end(context, outcome->stage, result, outcome->detail);
    return true;
}
