/* hash_files.h - hashFiles(): one hash over the files of a workspace that patterns name. */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* The hex sha256 over the binary sha256 of each matched file of WORKSPACE, walked depth first with
 * children in byte order; "" when none matches. PATTERNS: one a line; `#` comments, `!` excludes;
 * `*` and `?` stay in a folder, `**` spans folders. Takes at most 120 s, else UNAVAILABLE. */
char *hash_files(const char *workspace, const char *patterns, bool follow_links, GError **error);

/* The function as expressions call it: WORKSPACE and COUNT texts, the first of which may be
 * "--follow-symbolic-links". */
char *hash_files_call(const char *workspace, const char *const *texts, size_t count,
                      GError **error);
