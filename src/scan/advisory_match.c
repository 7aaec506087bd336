#include "base/clock.h"
#include "format/json.h"
#include "scan/advisory_range.h"
#include "scan/cvss.h"
#include "scan/purl.h"

#include <math.h>
#include <string.h>

/* One package, judged as NAME at VERSION in ECOSYSTEM. */
typedef struct {
    const Package *package;
    char *ecosystem, *name;
    const char *version;
    VersionScheme scheme;
} Subject;

static void subject_clear(Subject *subject)
{
    g_free(subject->ecosystem);
    g_free(subject->name);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Subject, subject_clear)

static void gap_free(gpointer data)
{
    AdvisoryGap *gap = data;
    g_free(gap->ecosystem);
    g_free(gap->reason);
    g_free(gap);
}

void advisory_match_free(AdvisoryMatch *match)
{
    if (match == NULL)
        return;
    g_ptr_array_unref(match->findings);
    g_ptr_array_unref(match->gaps);
    g_free(match);
}

/* Counts PACKAGES more that were not judged for REASON. */
static void add_gap(AdvisoryMatch *match, const char *ecosystem, const char *reason,
                    size_t packages)
{
    for (guint i = 0; i < match->gaps->len; i++) {
        AdvisoryGap *gap = g_ptr_array_index(match->gaps, i);
        if (strcmp(gap->ecosystem, ecosystem) != 0 || strcmp(gap->reason, reason) != 0)
            continue;
        gap->packages += packages;
        return;
    }
    AdvisoryGap *gap = g_new(AdvisoryGap, 1);
    *gap = (AdvisoryGap){g_strdup(ecosystem), packages, g_strdup(reason)};
    g_ptr_array_add(match->gaps, gap);
}

/* "Debian:12", "Alpine:v3.18", "Ubuntu:22.04:LTS"; NULL: no advisories are kept by this name. */
static char *os_ecosystem(const AdvisoryDatabase *database, const Distribution *distribution)
{
    const char *id = distribution->id, *version = distribution->version_id;
    if (id == NULL)
        return NULL;
    if (strcmp(id, "wolfi") == 0)
        return g_strdup("Wolfi");
    if (strcmp(id, "chainguard") == 0)
        return g_strdup("Chainguard");
    if (version == NULL)
        return NULL;
    if (strcmp(id, "debian") == 0)
        return g_strdup_printf("Debian:%.*s", (int) strcspn(version, "."), version);
    if (strcmp(id, "ubuntu") == 0) {
        g_autofree char *lts = g_strdup_printf("Ubuntu:%s:LTS", version);
        if (database == NULL || advisory_has_ecosystem(database, lts))
            return g_steal_pointer(&lts);
        return g_strdup_printf("Ubuntu:%s", version);
    }
    if (strcmp(id, "alpine") == 0) {
        size_t major = strcspn(version, ".");
        size_t minor = version[major] == '.' ? 1 + strcspn(version + major + 1, ".") : 0;
        return g_strdup_printf("Alpine:v%.*s", (int) (major + minor), version);
    }
    return NULL;
}

static const struct {
    const char *type, *ecosystem;
    VersionScheme scheme;
} languages[] = {{"pypi", "PyPI", VERSION_PYPI},
                 {"npm", "npm", VERSION_SEMVER},
                 {"golang", "Go", VERSION_GO},
                 {"cargo", "crates.io", VERSION_SEMVER}};

static char *package_name(const Package *package)
{
    if (strcmp(package->type, "pypi") == 0)
        return purl_normal_pypi_name(package->name);
    return package->group != NULL ? g_strdup_printf("%s/%s", package->group, package->name)
                                  : g_strdup(package->name);
}

/* Fills SUBJECT; false, with a reason, for what cannot be looked up. */
static bool resolve(const AdvisoryDatabase *database, const Inventory *inventory,
                    const Package *package, Subject *subject, const char **reason)
{
    *subject = (Subject){.package = package, .version = package->version};
    if (strcmp(package->type, "deb") == 0 || strcmp(package->type, "apk") == 0) {
        subject->ecosystem = os_ecosystem(database, &inventory->distribution);
        subject->name = g_strdup(package->source);
        subject->version = package->source_version;
        subject->scheme = strcmp(package->type, "deb") == 0 ? VERSION_DEBIAN : VERSION_ALPINE;
        *reason = "unknown distribution or release: its packages cannot be looked up";
        return subject->ecosystem != NULL;
    }
    *reason = "no advisories are known for this kind of package";
    for (size_t i = 0; i < G_N_ELEMENTS(languages); i++) {
        if (strcmp(languages[i].type, package->type) != 0)
            continue;
        subject->ecosystem = g_strdup(languages[i].ecosystem);
        subject->scheme = languages[i].scheme;
        subject->name = package_name(package);
        return true;
    }
    return false;
}

static bool is_cve(const char *id)
{
    return g_str_has_prefix(id, "CVE-");
}

/* What one record says of one package: a set of ids that mean one flaw. */
typedef struct {
    GPtrArray *ids; /* borrowed from the database */
    const RecordRow *record;
    GPtrArray *fixed; /* borrowed; distinct */
    uint32_t score;
    Severity severity;
    const char *vector;
} Match;

static void match_free(gpointer data)
{
    Match *match = data;
    g_ptr_array_unref(match->ids);
    g_ptr_array_unref(match->fixed);
    g_free(match);
}

static bool has_text(const GPtrArray *texts, const char *text)
{
    for (guint i = 0; i < texts->len; i++)
        if (strcmp(g_ptr_array_index(texts, i), text) == 0)
            return true;
    return false;
}

static void add_text(GPtrArray *texts, const char *text)
{
    if (*text != '\0' && !has_text(texts, text))
        g_ptr_array_add(texts, (gpointer) text);
}

static void rate(const AdvisoryDatabase *database, const AffectedRow *row, Match *match)
{
    const char *own = advisory_string(database, row->vector);
    double score = 0;
    match->score = match->record->score;
    match->severity = (Severity) MIN(match->record->severity, SEVERITY_CRITICAL);
    match->vector = advisory_string(database, match->record->vector);
    if (*own != '\0' && cvss_score(own, &score, NULL)) {
        match->score = (uint32_t) lround(score * 10);
        match->severity = cvss_severity(score);
        match->vector = own;
    }
}

/* Takes MATCH: it swallows those that share an id with it. */
static void join(GPtrArray *matches, Match *match)
{
    for (guint i = 0; i < matches->len;) {
        Match *other = g_ptr_array_index(matches, i);
        bool shared = false;
        for (guint k = 0; k < other->ids->len && !shared; k++)
            shared = has_text(match->ids, g_ptr_array_index(other->ids, k));
        if (!shared) {
            i++;
            continue;
        }
        for (guint k = 0; k < other->ids->len; k++)
            add_text(match->ids, g_ptr_array_index(other->ids, k));
        for (guint k = 0; k < other->fixed->len; k++)
            add_text(match->fixed, g_ptr_array_index(other->fixed, k));
        if (other->severity > match->severity) {
            match->severity = other->severity;
            match->score = other->score;
            match->vector = other->vector;
        }
        g_ptr_array_remove_index(matches, i);
    }
    g_ptr_array_add(matches, match);
}

static Match *new_match(const AdvisoryDatabase *database, const AffectedRow *row, const char *fixed)
{
    Match *match = g_new0(Match, 1);
    match->ids = g_ptr_array_new();
    match->fixed = g_ptr_array_new();
    match->record = advisory_record(database, row->record);
    if (fixed != NULL)
        g_ptr_array_add(match->fixed, (gpointer) fixed);
    rate(database, row, match);
    return match;
}

/* A distribution's advisory mends several flaws: each is a finding of its own. Any other record is
 * one flaw under several ids. */
static void add_record(const AdvisoryDatabase *database, const AffectedRow *row, const char *fixed,
                       GPtrArray *matches)
{
    const RecordRow *record = advisory_record(database, row->record);
    const char *id = advisory_string(database, record->id);
    uint32_t flaws = 0;
    for (uint32_t i = 0; record->alias_count == 0 && i < record->upstream_count; i++) {
        const char *cve = advisory_list_string(database, record->upstream + i);
        if (!is_cve(cve))
            continue;
        Match *match = new_match(database, row, fixed);
        g_ptr_array_add(match->ids, (gpointer) cve);
        join(matches, match);
        flaws++;
    }
    if (flaws > 0)
        return;
    Match *match = new_match(database, row, fixed);
    add_text(match->ids, id);
    for (uint32_t i = 0; i < record->alias_count; i++)
        add_text(match->ids, advisory_list_string(database, record->aliases + i));
    join(matches, match);
}

static int by_text(gconstpointer a, gconstpointer b)
{
    const char *x = *(const char *const *) a, *y = *(const char *const *) b;
    int order = is_cve(y) - is_cve(x); /* CVEs first */
    return order != 0 ? order : strcmp(x, y);
}

static char *detail(const AdvisoryDatabase *database, const Subject *subject, const Match *match)
{
    json_t *fixed = json_array();
    for (guint i = 0; i < match->fixed->len; i++)
        json_array_append_new(fixed, json_string(g_ptr_array_index(match->fixed, i)));
    const SourceRow *source = advisory_source(database, match->record->source);
    json_t *object = json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:o, s:s, s:s, s:s}", "package", subject->package->name,
        "version", subject->package->version, "purl", subject->package->purl, "source_package",
        subject->name, "source_version", subject->version, "fixed", fixed, "ecosystem",
        subject->ecosystem, "advisory", advisory_string(database, match->record->id), "database",
        advisory_string(database, source->name));
    if (match->score > 0)
        json_object_set_new(object, "score", json_real(match->score / 10.0));
    if (*match->vector != '\0')
        json_object_set_new(object, "vector", json_string(match->vector));
    char *text = json_compact(object);
    json_decref(object);
    return text;
}

static Finding *finding_of(const AdvisoryDatabase *database, const Subject *subject, Match *match)
{
    g_ptr_array_sort(match->ids, by_text);
    const char *primary = g_ptr_array_index(match->ids, 0);
    const char *summary = advisory_string(database, match->record->summary);
    g_autofree char *message =
        g_strdup_printf("%s %s%s%s", subject->package->name, subject->package->version,
                        *summary != '\0' ? ": " : " is affected", summary);
    Finding *finding = finding_new(primary, match->severity, subject->package->path, 0, 0, message);
    g_autoptr(GStrvBuilder) aliases = g_strv_builder_new();
    for (guint i = 1; i < match->ids->len; i++)
        g_strv_builder_add(aliases, g_ptr_array_index(match->ids, i));
    const char *advisory = advisory_string(database, match->record->id);
    if (!has_text(match->ids, advisory))
        g_strv_builder_add(aliases, advisory);
    finding->aliases = g_strv_builder_end(aliases);
    if (match->fixed->len > 0) {
        g_autoptr(GString) versions = g_string_new(NULL);
        for (guint i = 0; i < match->fixed->len; i++)
            g_string_append_printf(versions, "%s%s", i > 0 ? " or " : "",
                                   (const char *) g_ptr_array_index(match->fixed, i));
        finding->mend = g_strdup_printf("update %s to %s", subject->package->name, versions->str);
    }
    g_autofree char *key = g_strdup_printf("%s\n%s", primary, subject->package->purl);
    g_autofree char *hash = g_compute_checksum_for_string(G_CHECKSUM_SHA256, key, -1);
    finding->fingerprint = g_strndup(hash, 32);
    finding->detail = detail(database, subject, match);
    return finding;
}

static void judge(const AdvisoryDatabase *database, const Subject *subject, GPtrArray *findings)
{
    const KeyRow *key = advisory_find_key(database, subject->ecosystem, subject->name);
    g_autoptr(GPtrArray) matches = g_ptr_array_new_with_free_func(match_free);
    for (uint32_t i = 0; key != NULL && i < key->affected_count; i++) {
        const AffectedRow *row = advisory_affected(database, key->affected + i);
        const char *fixed = NULL;
        if (advisory_covers(database, row, subject->scheme, subject->version, &fixed))
            add_record(database, row, fixed, matches);
    }
    for (guint i = 0; i < matches->len; i++) {
        g_ptr_array_add(findings, finding_of(database, subject, g_ptr_array_index(matches, i)));
    }
}

/* A package that the distribution installed is judged as the distribution's: it backports fixes
 * without changing the version. A program of one's own without a version is not judged at all. */
static bool is_judged_elsewhere(const Package *package)
{
    return package->owner != NULL ||
           (strcmp(package->type, "golang") == 0 && package->version == NULL);
}

static void judge_package(const AdvisoryDatabase *database, const Inventory *inventory,
                          const Package *package, AdvisoryMatch *match)
{
    g_auto(Subject) subject = {0};
    const char *reason = NULL;
    if (!resolve(database, inventory, package, &subject, &reason)) {
        add_gap(match, subject.ecosystem != NULL ? subject.ecosystem : package->type, reason, 1);
    } else if (database == NULL) {
        add_gap(match, subject.ecosystem, "no advisories were imported", 1);
    } else if (!advisory_has_ecosystem(database, subject.ecosystem)) {
        add_gap(match, subject.ecosystem, "the imported advisories have nothing of it", 1);
    } else if (subject.version == NULL || !version_is_valid(subject.scheme, subject.version)) {
        g_autofree char *why =
            g_strdup_printf("version '%s' of '%s' has no place in its order",
                            subject.version != NULL ? subject.version : "", package->name);
        add_gap(match, subject.ecosystem, why, 1);
    } else {
        judge(database, &subject, match->findings);
        match->packages++;
    }
}

AdvisoryMatch *advisory_match(const AdvisoryDatabase *database, const Inventory *inventory)
{
    AdvisoryMatch *match = g_new0(AdvisoryMatch, 1);
    match->findings = findings_new();
    match->gaps = g_ptr_array_new_with_free_func(gap_free);
    match->database_built = database != NULL ? advisory_database_built(database) : 0;
    for (guint i = 0; i < inventory->packages->len; i++) {
        const Package *package = g_ptr_array_index(inventory->packages, i);
        if (!is_judged_elsewhere(package))
            judge_package(database, inventory, package, match);
    }
    for (guint i = 0; i < inventory->unreadable->len; i++) {
        const Finding *finding = g_ptr_array_index(inventory->unreadable, i);
        g_autofree char *why = g_strdup_printf("'%s': %s", finding->path, finding->message);
        add_gap(match, "unknown", why, 0);
    }
    if (inventory->packages->len == 0)
        add_gap(match, "unknown", "no packages were found", 0);
    findings_sort(match->findings);
    return match;
}

void advisory_report_gaps(const AdvisoryMatch *match, GPtrArray *findings)
{
    for (guint i = 0; i < match->gaps->len; i++) {
        const AdvisoryGap *gap = g_ptr_array_index(match->gaps, i);
        g_autofree char *message =
            gap->packages > 0
                ? g_strdup_printf("%zu package%s of %s: %s", gap->packages,
                                  gap->packages == 1 ? "" : "s", gap->ecosystem, gap->reason)
                : g_strdup(gap->reason);
        Finding *finding =
            finding_new("not-covered", SEVERITY_UNKNOWN, gap->ecosystem, 0, 0, message);
        finding->mend =
            g_strdup("import advisories for it, or let the policy say uncovered: allow");
        g_ptr_array_add(findings, finding);
    }
}
