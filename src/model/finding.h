/* finding.h - the one finding: what a linter, a scanner or a reader has to say about a place. */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef enum {
    SEVERITY_UNKNOWN,
    SEVERITY_NEGLIGIBLE,
    SEVERITY_STYLE,
    SEVERITY_INFO, /* lint: info; scans: low */
    SEVERITY_LOW,
    SEVERITY_WARNING, /* lint: warning; scans: medium */
    SEVERITY_MEDIUM,
    SEVERITY_ERROR, /* lint: error; scans: high */
    SEVERITY_HIGH,
    SEVERITY_CRITICAL,
} Severity;

const char *severity_name(Severity severity);
bool severity_parse(const char *text, Severity *severity);

typedef struct {
    char *rule;     /* our id, or the field's where we mean the same: "DL3008", "github-pat" */
    char **aliases; /* ids of the same thing elsewhere; NULL-terminated, may be NULL */
    Severity severity;
    char *path;                             /* relative to what was looked at */
    int line, column, end_line, end_column; /* from 1; 0: unknown */
    char *message;
    char *fingerprint; /* stable over line moves; may be NULL */
    char *mend;        /* what to do; may be NULL */
    char *detail;      /* JSON object text with what only this kind has; may be NULL */
    char *suppressed;  /* reason, when an ignore entry or pragma covers it; NULL: it counts */
} Finding;

Finding *finding_new(const char *rule, Severity severity, const char *path, int line, int column,
                     const char *message);
void finding_free(Finding *finding);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Finding, finding_free)

/* An array of Finding * that owns them. */
GPtrArray *findings_new(void);
/* By path, line, column, rule. */
void findings_sort(GPtrArray *findings);
