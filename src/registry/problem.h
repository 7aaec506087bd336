/* problem.h - the error answers of the distribution API. */
#pragma once

#include "net/http_server.h"

typedef enum {
    PROBLEM_BLOB_UNKNOWN,
    PROBLEM_BLOB_UPLOAD_INVALID,
    PROBLEM_BLOB_UPLOAD_UNKNOWN,
    PROBLEM_DIGEST_INVALID,
    PROBLEM_MANIFEST_BLOB_UNKNOWN,
    PROBLEM_MANIFEST_INVALID,
    PROBLEM_MANIFEST_UNKNOWN,
    PROBLEM_NAME_INVALID,
    PROBLEM_NAME_UNKNOWN,
    PROBLEM_PAGINATION_NUMBER_INVALID,
    PROBLEM_SIZE_INVALID,
    PROBLEM_TAG_INVALID,
    PROBLEM_UNAUTHORIZED,
    PROBLEM_DENIED,
    PROBLEM_UNSUPPORTED,
    PROBLEM_TOO_MANY_REQUESTS,
    PROBLEM_NOT_FOUND, /* no such endpoint */
    PROBLEM_UNKNOWN,   /* our own fault or a full disk */
} Problem;

/* Answers with PROBLEM's status and {"errors":[{code,message,detail}]}. MESSAGE NULL: the code's
 * own words; DETAIL is the text the trouble is about and may be NULL. */
void problem_answer(HttpRequest *request, Problem problem, const char *message, const char *detail);

/* The same with another status: 413 and 416 share their codes with others. */
void problem_answer_status(HttpRequest *request, Problem problem, int status, const char *message,
                           const char *detail);

/* 405 with the methods in ALLOW. */
void problem_answer_method(HttpRequest *request, const char *allow);

/* What ERROR of a lower room means for a client: UNAVAILABLE is 503, the rest 500. */
void problem_answer_error(HttpRequest *request, const GError *error);
