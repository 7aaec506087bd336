/* ignore.h - the entries of a .slipwayignore: what is accepted, why, by whom and until when.
 * The format is described in docs/formats/slipwayignore.md. */
#pragma once

#include "model/finding.h"

typedef struct IgnoreList IgnoreList;

/* Parses TEXT; NAME is for messages. INVALID with "NAME:LINE: …" for a line that is no entry. */
IgnoreList *ignore_list_parse(const char *name, const char *text, GError **error);
void ignore_list_free(IgnoreList *list);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IgnoreList, ignore_list_free)

/* Sets `suppressed` on what LIST covers on the day TODAY ("2026-11-21"), and appends a finding for
 * every entry that is incomplete, expired, about to expire, or (when RAN is not NULL and says that
 * its rules were looked for) unused. An incomplete entry covers nothing when STRICT; an expired one
 * never covers anything. */
void ignore_list_apply(IgnoreList *list, GPtrArray *findings, const char *today, bool strict,
                       bool (*ran)(const char *rule_glob));
