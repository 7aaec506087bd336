#include "registry/problem.h"

#include "base/error.h"

#include <jansson.h>
#include <stdlib.h>

static const struct {
    const char *code;
    int status;
    const char *message;
} problems[] = {
    [PROBLEM_BLOB_UNKNOWN] = {"BLOB_UNKNOWN", 404, "blob unknown to this repository"},
    [PROBLEM_BLOB_UPLOAD_INVALID] = {"BLOB_UPLOAD_INVALID", 400, "blob upload invalid"},
    [PROBLEM_BLOB_UPLOAD_UNKNOWN] = {"BLOB_UPLOAD_UNKNOWN", 404, "blob upload unknown"},
    [PROBLEM_DIGEST_INVALID] = {"DIGEST_INVALID", 400, "digest does not match the content"},
    [PROBLEM_MANIFEST_BLOB_UNKNOWN] = {"MANIFEST_BLOB_UNKNOWN", 400,
                                       "manifest refers to content unknown to this repository"},
    [PROBLEM_MANIFEST_INVALID] = {"MANIFEST_INVALID", 400, "manifest invalid"},
    [PROBLEM_MANIFEST_UNKNOWN] = {"MANIFEST_UNKNOWN", 404, "manifest unknown"},
    [PROBLEM_NAME_INVALID] = {"NAME_INVALID", 400, "invalid repository name"},
    [PROBLEM_NAME_UNKNOWN] = {"NAME_UNKNOWN", 404, "repository name not known"},
    [PROBLEM_PAGINATION_NUMBER_INVALID] = {"PAGINATION_NUMBER_INVALID", 400,
                                           "n must be a number from 0"},
    [PROBLEM_SIZE_INVALID] = {"SIZE_INVALID", 400, "length does not match the content"},
    [PROBLEM_TAG_INVALID] = {"TAG_INVALID", 400, "invalid tag"},
    [PROBLEM_UNAUTHORIZED] = {"UNAUTHORIZED", 401, "authentication required"},
    [PROBLEM_DENIED] = {"DENIED", 403, "access denied"},
    [PROBLEM_UNSUPPORTED] = {"UNSUPPORTED", 405, "the operation is not supported"},
    [PROBLEM_TOO_MANY_REQUESTS] = {"TOOMANYREQUESTS", 429, "too many requests"},
    [PROBLEM_NOT_FOUND] = {"NOT_FOUND", 404, "no such endpoint"},
    [PROBLEM_UNKNOWN] = {"UNKNOWN", 500, "the registry failed"},
};

void problem_answer_status(HttpRequest *request, Problem problem, int status, const char *message,
                           const char *detail)
{
    json_t *entry =
        json_pack("{s:s, s:s, s:s*}", "code", problems[problem].code, "message",
                  message != NULL ? message : problems[problem].message, "detail", detail);
    json_t *body = json_pack("{s:[o]}", "errors", entry);
    g_autofree char *text = body != NULL ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);
    /* A message that is no UTF-8 (it quotes the client) is not worth failing for. */
    http_answer(request, status, "application/json", text != NULL ? text : "{\"errors\":[]}", -1);
}

void problem_answer(HttpRequest *request, Problem problem, const char *message, const char *detail)
{
    problem_answer_status(request, problem, problems[problem].status, message, detail);
}

void problem_answer_method(HttpRequest *request, const char *allow)
{
    http_answer_header(request, "Allow", allow);
    problem_answer(request, PROBLEM_UNSUPPORTED, NULL, NULL);
}

void problem_answer_error(HttpRequest *request, const GError *error)
{
    bool passing = g_error_matches(error, SLIPWAY_ERROR, SLIPWAY_ERROR_UNAVAILABLE);
    problem_answer_status(request, PROBLEM_UNKNOWN, passing ? 503 : 500, error->message, NULL);
}
