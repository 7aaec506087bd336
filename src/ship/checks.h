/* checks.h - the checks of the source: lint, tests, secret scan and the repository's own workflow,
 * side by side. What they find becomes evidence about the commit. */
#pragma once

#include "delivery/release.h"
#include "ship/source.h"
#include "ship/stage.h"

typedef struct {
    const Source *source;
    const Release *release; /* project, commit and settings */
    const char *checkout;   /* pristine content of the repository */
    const char *project;    /* the project's folder in it */
    const char *run_folder;
    const char *run;
    EventSink *sink; /* safe to be called from several threads */
    const char *home;
} CheckSpec;

/* Runs all of them to their end. false only when one could not be run at all. */
bool checks_run(const CheckSpec *spec, GError **error);
