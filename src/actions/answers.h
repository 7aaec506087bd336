/* answers.h - the rows of the table; each is a file of its own. Private. */
#pragma once

#include "pipeline/action.h"

extern const Action action_cache, action_cache_restore, action_cache_save;
extern const Action action_checkout;
extern const Action action_download_artifact, action_upload_artifact;
extern const Action action_setup_go, action_setup_java, action_setup_node, action_setup_python;

/* Runs SCRIPT (bash) in the job with WORDS (NULL-terminated) as $1 …; a status other than 0 is an
 * error that says WHAT could not be done. */
bool answers_run_script(ActionCall *call, const char *script, const char *const *words,
                        const char *what, GError **error);
