#include "base/error.h"
#include "cli/commands.h"
#include "report/report.h"
#include "scan/advisory.h"
#include "scan/secret_scan.h"
#include "scan/target.h"
#include "store/state.h"

#include <stdio.h>
#include <string.h>

typedef struct {
    bool secrets, vulnerabilities;
} ScanKinds;

static bool parse_kinds(const char *text, ScanKinds *kinds, GError **error)
{
    g_auto(GStrv) words = g_strsplit(text != NULL ? text : "secrets,vulns", ",", -1);
    for (char **word = words; *word != NULL; word++) {
        if (strcmp(*word, "secrets") == 0) {
            kinds->secrets = true;
        } else if (strcmp(*word, "vulns") == 0) {
            kinds->vulnerabilities = true;
        } else {
            command_usage_error(error, "--only '%s': secrets or vulns", *word);
            return false;
        }
    }
    return true;
}

static bool scan_secrets(const ScanTarget *target, GPtrArray *findings, GError **error)
{
    SecretScanSummary summary;
    GPtrArray *found = scan_target_secrets(target, &summary, error);
    if (found == NULL)
        return false;
    if (summary.skipped > 0)
        fprintf(stderr, "slipway scan: %zu files could not be read or are over the limit\n",
                summary.skipped);
    g_ptr_array_extend_and_steal(findings, found);
    return true;
}

/* Without a database all packages are gaps, which the report says; a damaged one is an error. */
static bool scan_vulnerabilities(const ScanTarget *target, GPtrArray *findings, bool *covered,
                                 GError **error)
{
    g_autoptr(Inventory) inventory = scan_target_inventory(target, error);
    if (inventory == NULL)
        return false;
    g_autofree char *home = state_default_home();
    g_autoptr(GError) missing = NULL;
    g_autoptr(AdvisoryDatabase) database = advisory_database_open(home, &missing);
    if (database == NULL && !g_error_matches(missing, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND)) {
        g_propagate_error(error, g_steal_pointer(&missing));
        return false;
    }
    g_autoptr(AdvisoryMatch) match = advisory_match(database, inventory);
    advisory_report_gaps(match, findings);
    *covered = match->gaps->len == 0;
    fprintf(stderr, "slipway scan: %u packages found, %zu judged\n", inventory->packages->len,
            match->packages);
    g_ptr_array_extend_and_steal(findings, g_steal_pointer(&match->findings));
    match->findings = findings_new();
    return true;
}

/* The ignore file of a folder is its own; of an image, the one where the command runs. */
static bool apply_ignores(const ScanTarget *target, GPtrArray *findings, GError **error)
{
    return report_apply_ignores(findings, target->folder != NULL ? target->folder : ".", false,
                                error);
}

static int run(int argc, char **argv, GError **error)
{
    g_autofree char *only = NULL, *fail_on = NULL, *format_name = NULL, *uncovered = NULL;
    const GOptionEntry entries[] = {
        {"only", 0, 0, G_OPTION_ARG_STRING, &only,
         "what to look for: secrets,vulns (default: both)", "KINDS"},
        {"fail-on", 0, 0, G_OPTION_ARG_STRING, &fail_on,
         "lowest severity that ends with status 1 (default: any)", "SEVERITY"},
        {"uncovered", 0, 0, G_OPTION_ARG_STRING, &uncovered,
         "packages that could not be judged end with status 1 (deny, the default) or not (allow)",
         "RULE"},
        {"format", 0, 0, G_OPTION_ARG_STRING, &format_name, "text (default), json or sarif",
         "FORMAT"},
        {0}};
    if (!command_parse(&command_scan, entries, &argc, &argv, error))
        return EXIT_STATUS_USAGE;
    if (argc != 2)
        return command_usage_error(
            error, "one TARGET is needed: dir:PATH, oci:DIR, docker-archive:FILE or an image");
    bool allow_uncovered = g_strcmp0(uncovered, "allow") == 0;
    if (uncovered != NULL && !allow_uncovered && strcmp(uncovered, "deny") != 0)
        return command_usage_error(error, "--uncovered '%s': deny or allow", uncovered);
    ReportFormat format = REPORT_TEXT;
    Severity threshold = SEVERITY_UNKNOWN;
    ScanKinds kinds = {0};
    if (format_name != NULL && !report_format_parse(format_name, &format, error))
        return EXIT_STATUS_USAGE;
    if (fail_on != NULL && !severity_parse(fail_on, &threshold))
        return command_usage_error(error, "--fail-on '%s': critical, high, medium or low", fail_on);
    if (!parse_kinds(only, &kinds, error))
        return EXIT_STATUS_USAGE;

    g_auto(ScanTarget) target = {0};
    if (!scan_target_open(argv[1], &target, error))
        return EXIT_STATUS_NO;
    g_autoptr(GPtrArray) findings = findings_new();
    bool covered = true;
    if (kinds.secrets && !scan_secrets(&target, findings, error))
        return EXIT_STATUS_NO;
    if (kinds.vulnerabilities && !scan_vulnerabilities(&target, findings, &covered, error))
        return EXIT_STATUS_NO;
    if (!apply_ignores(&target, findings, error))
        return EXIT_STATUS_NO;
    report_write(stdout, format, "slipway scan", findings);
    /* What could not be judged is no clean result, whatever the threshold. */
    bool failed = report_count(findings, threshold) > 0 || (!covered && !allow_uncovered);
    return failed ? EXIT_STATUS_NO : EXIT_STATUS_DONE;
}

const Command command_scan = {
    .name = "scan",
    .group = "check",
    .operands = "TARGET",
    .summary = "find secrets and known vulnerabilities in a folder or an image",
    .run = run,
};
