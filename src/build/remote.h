/* remote.h - ADD of what is not in the context: http(s) files and git trees. */
#pragma once

#include "build/build_private.h"

bool remote_is_one(const char *source);

/* Fetches SOURCE and adds it to SELECTION. */
bool remote_add(Stage *stage, const Instruction *in, const char *source, const char *destination,
                bool into, Selection *selection, const SelectionRules *rules, GError **error);
