/* secret_scan.h - credentials in files. What is reported never holds the secret: at most its first
 * four characters, and those only of secrets of 16 characters and more. */
#pragma once

#include "model/finding.h"
#include "oci/content.h"

#include <stddef.h>

typedef struct {
    size_t files, bytes; /* looked at */
    size_t skipped;      /* binary, over the size limit or unreadable */
} SecretScanSummary;

/* Findings in all files below FOLDER, by path; `.git` and links are not followed. Inline allow
 * comments mark a finding suppressed. SUMMARY may be NULL. */
GPtrArray *secret_scan_folder(const char *folder, SecretScanSummary *summary, GError **error);

/* Findings in the image of manifest DIGEST: every file of every layer, also those that a later
 * layer hides, and its configuration with environment and history ("config.json"). */
GPtrArray *secret_scan_image(ContentStore *store, const char *digest, SecretScanSummary *summary,
                             GError **error);

/* Findings in LENGTH bytes that are called PATH, appended to FINDINGS. */
void secret_scan_bytes(const char *path, const char *bytes, size_t length, GPtrArray *findings);
