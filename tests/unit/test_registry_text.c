/* The texts the registry reads: paths, ranges, challenges, manifests. */
#include "base/error.h"
#include "registry/challenge.h"
#include "registry/endpoint.h"
#include "registry/fallback.h"
#include "registry/pushed_manifest.h"
#include "registry/range.h"

#include <string.h>

#define A "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define IMAGE "application/vnd.oci.image.manifest.v1+json"
#define INDEX "application/vnd.oci.image.index.v1+json"

static const struct {
    const char *path;
    EndpointKind kind;
    const char *repository, *reference;
} endpoints[] = {
    {"/v2", ENDPOINT_PING, NULL, NULL},
    {"/v2/", ENDPOINT_PING, NULL, NULL},
    {"/v2/_catalog", ENDPOINT_CATALOG, NULL, NULL},
    {"/v2/a/blobs/" A, ENDPOINT_BLOB, "a", A},
    {"/v2/a/b/c/blobs/" A, ENDPOINT_BLOB, "a/b/c", A},
    {"/v2/a/blobs/uploads/", ENDPOINT_UPLOADS, "a", NULL},
    {"/v2/a/blobs/uploads", ENDPOINT_UPLOADS, "a", NULL},
    {"/v2/a/blobs/uploads/id", ENDPOINT_UPLOAD, "a", "id"},
    {"/v2/a/manifests/v1", ENDPOINT_MANIFEST, "a", "v1"},
    {"/v2/a/tags/list", ENDPOINT_TAGS, "a", NULL},
    {"/v2/a/referrers/" A, ENDPOINT_REFERRERS, "a", A},
    /* the last place counts */
    {"/v2/blobs/blobs/" A, ENDPOINT_BLOB, "blobs", A},
    {"/v2/manifests/manifests/manifests", ENDPOINT_MANIFEST, "manifests", "manifests"},
    {"/v2/a/blobs/uploads/blobs/uploads/id", ENDPOINT_UPLOAD, "a/blobs/uploads", "id"},
    {"/v2/a/tags/list/tags/list", ENDPOINT_TAGS, "a/tags/list", NULL},
    {"/v2/a/manifests/x/blobs/" A, ENDPOINT_BLOB, "a/manifests/x", A},
    /* nothing */
    {"/", ENDPOINT_UNKNOWN, NULL, NULL},
    {"/v1/", ENDPOINT_UNKNOWN, NULL, NULL},
    {"/v2x", ENDPOINT_UNKNOWN, NULL, NULL},
    {"/v2/a", ENDPOINT_UNKNOWN, NULL, NULL},
    {"/v2/manifests/v1", ENDPOINT_UNKNOWN, NULL, NULL},
    {"/v2//manifests/v1", ENDPOINT_UNKNOWN, NULL, NULL},
    {"/v2/tags/list", ENDPOINT_UNKNOWN, NULL, NULL},
    {"/v2/a/xblobs/" A, ENDPOINT_UNKNOWN, NULL, NULL},
};

static void test_endpoints(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(endpoints); i++) {
        g_test_message("%s", endpoints[i].path);
        g_auto(Endpoint) endpoint = {0};
        endpoint_parse(endpoints[i].path, &endpoint);
        g_assert_cmpint(endpoint.kind, ==, endpoints[i].kind);
        g_assert_cmpstr(endpoint.repository, ==, endpoints[i].repository);
        g_assert_cmpstr(endpoint.reference, ==, endpoints[i].reference);
    }
}

static const struct {
    const char *header;
    RangeKind kind;
    int64_t offset, length;
} ranges[] = {
    {NULL, RANGE_WHOLE, 0, 100},
    {"bytes=0-9", RANGE_PART, 0, 10},
    {"Bytes=0-9", RANGE_PART, 0, 10},
    {"bytes=90-", RANGE_PART, 90, 10},
    {"bytes=90-200", RANGE_PART, 90, 10},
    {"bytes=-10", RANGE_PART, 90, 10},
    {"bytes=-1000", RANGE_PART, 0, 100},
    {"bytes=99-99", RANGE_PART, 99, 1},
    {"bytes=0-1,3-4", RANGE_WHOLE, 0, 100},
    {"lines=0-1", RANGE_WHOLE, 0, 100},
    {"bytes=100-", RANGE_UNSATISFIABLE, 0, 100},
    {"bytes=50-0", RANGE_UNSATISFIABLE, 0, 100},
    {"bytes=-0", RANGE_UNSATISFIABLE, 0, 100},
    {"bytes=-", RANGE_UNSATISFIABLE, 0, 100},
    {"bytes=", RANGE_UNSATISFIABLE, 0, 100},
    {"bytes=a-b", RANGE_UNSATISFIABLE, 0, 100},
    {"bytes=0-9x", RANGE_UNSATISFIABLE, 0, 100},
    {"bytes=+1-2", RANGE_UNSATISFIABLE, 0, 100},
    {"bytes=0-99999999999999999999", RANGE_UNSATISFIABLE, 0, 100},
};

static void test_ranges(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(ranges); i++) {
        g_test_message("%s", ranges[i].header != NULL ? ranges[i].header : "none");
        int64_t offset = -1, length = -1;
        g_assert_cmpint(range_parse(ranges[i].header, 100, &offset, &length), ==, ranges[i].kind);
        g_assert_cmpint(offset, ==, ranges[i].offset);
        g_assert_cmpint(length, ==, ranges[i].length);
    }
    int64_t offset = 0, length = 0;
    g_assert_cmpint(range_parse("bytes=0-", 0, &offset, &length), ==, RANGE_UNSATISFIABLE);

    int64_t first = 0, last = 0;
    g_assert_true(range_parse_chunk("5-9", &first, &last) && first == 5 && last == 9);
    g_assert_true(range_parse_chunk("bytes 5-9/10", &first, &last) && first == 5 && last == 9);
    static const char *const bad[] = {"", "5", "5-", "-5", "9-5", "5-9x", "a-b", "bytes=5-9"};
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
        g_assert_false(range_parse_chunk(bad[i], &first, &last));
}

/* Challenges as "scheme name=value name=value | scheme …", names sorted. */
static char *describe(const char *header)
{
    g_autoptr(GPtrArray) challenges = g_ptr_array_new_with_free_func(challenge_free);
    challenge_parse(header, challenges);
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < challenges->len; i++) {
        const Challenge *challenge = g_ptr_array_index(challenges, i);
        g_string_append_printf(text, "%s%s", i > 0 ? " | " : "", challenge->scheme);
        GList *names = g_list_sort(g_hash_table_get_keys(challenge->values), (GCompareFunc) strcmp);
        for (GList *name = names; name != NULL; name = name->next)
            g_string_append_printf(text, " %s=%s", (char *) name->data,
                                   (char *) g_hash_table_lookup(challenge->values, name->data));
        g_list_free(names);
    }
    return g_string_free(text, FALSE);
}

static void test_challenges(void)
{
    static const struct {
        const char *header, *result;
    } rows[] = {
        {"Basic realm=\"x\"", "basic realm=x"},
        {"BEARER Realm=\"https://a/t\",service=\"s\",scope=\"repository:a:pull,push\"",
         "bearer realm=https://a/t scope=repository:a:pull,push service=s"},
        {"Bearer realm=\"a\", service=b, Basic realm=\"c\"",
         "bearer realm=a service=b | basic realm=c"},
        {"Basic realm=\"c\", Bearer realm=\"a\"", "basic realm=c | bearer realm=a"},
        {"Bearer realm=\"a \\\"b\\\" c\"", "bearer realm=a \"b\" c"},
        {"Negotiate, Basic realm=x", "negotiate | basic realm=x"},
        {"Bearer realm = \"a\" , error=\"insufficient_scope\"",
         "bearer error=insufficient_scope realm=a"},
        {"Bearer realm=\"open", "bearer realm=open"},
        {"", ""},
        {",,", ""},
        {"=x", ""},
        {"Bearer =x", "bearer"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *result = describe(rows[i].header);
        g_assert_cmpstr(result, ==, rows[i].result);
    }
}

typedef struct {
    const char *label, *type, *text;
    const char *media_type; /* NULL: refused */
    const char *artifact_type, *subject;
    guint blobs, manifests, foreign;
} ManifestCase;

#define DESCRIPTOR(digest) "{\"mediaType\":\"t\",\"digest\":\"" digest "\",\"size\":1}"
#define FOREIGN                                                                                    \
    "{\"mediaType\":\"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip\",\"digest\":\"" B \
    "\",\"size\":1,\"urls\":[\"https://x\"]}"

static const ManifestCase manifests[] = {
    {"image", IMAGE,
     "{\"schemaVersion\":2,\"config\":" DESCRIPTOR(A) ",\"layers\":[" DESCRIPTOR(B) "]}", IMAGE,
     "t", NULL, 2, 0, 0},
    {"type-by-document", NULL,
     "{\"schemaVersion\":2,\"mediaType\":\"" IMAGE "\",\"config\":" DESCRIPTOR(A) ",\"layers\":[]}",
     IMAGE, "t", NULL, 1, 0, 0},
    {"type-by-config", NULL, "{\"schemaVersion\":2,\"config\":" DESCRIPTOR(A) "}", IMAGE, "t", NULL,
     1, 0, 0},
    {"type-by-manifests", "", "{\"schemaVersion\":2,\"manifests\":[" DESCRIPTOR(A) "]}", INDEX,
     NULL, NULL, 0, 1, 0},
    {"artifact-type", IMAGE,
     "{\"schemaVersion\":2,\"artifactType\":\"x/y\",\"config\":" DESCRIPTOR(A) ",\"layers\":[]}",
     IMAGE, "x/y", NULL, 1, 0, 0},
    {"subject", INDEX, "{\"schemaVersion\":2,\"manifests\":[],\"subject\":" DESCRIPTOR(B) "}",
     INDEX, NULL, B, 0, 0, 0},
    {"null-subject", IMAGE,
     "{\"schemaVersion\":2,\"config\":" DESCRIPTOR(A) ",\"layers\":null,\"subject\":null}", IMAGE,
     "t", NULL, 1, 0, 0},
    {"foreign", IMAGE,
     "{\"schemaVersion\":2,\"config\":" DESCRIPTOR(A) ",\"layers\":[" FOREIGN "]}", IMAGE, "t",
     NULL, 1, 0, 1},
    {"unknown-type", "application/vnd.example+json", "{\"layers\":7}",
     "application/vnd.example+json", NULL, NULL, 0, 0, 0},
    {"parameters", IMAGE "; charset=utf-8", "{\"schemaVersion\":2,\"config\":" DESCRIPTOR(A) "}",
     IMAGE, "t", NULL, 1, 0, 0},

    {"empty", IMAGE, "", NULL, NULL, NULL, 0, 0, 0},
    {"no-json", IMAGE, "{", NULL, NULL, NULL, 0, 0, 0},
    {"list", IMAGE, "[]", NULL, NULL, NULL, 0, 0, 0},
    {"twice", IMAGE, "{\"schemaVersion\":2,\"schemaVersion\":2,\"config\":" DESCRIPTOR(A) "}", NULL,
     NULL, NULL, 0, 0, 0},
    {"no-type", NULL, "{\"schemaVersion\":2}", NULL, NULL, NULL, 0, 0, 0},
    {"other-type", IMAGE, "{\"schemaVersion\":2,\"mediaType\":\"" INDEX "\",\"manifests\":[]}",
     NULL, NULL, NULL, 0, 0, 0},
    {"type-no-text", IMAGE, "{\"schemaVersion\":2,\"mediaType\":7,\"config\":" DESCRIPTOR(A) "}",
     NULL, NULL, NULL, 0, 0, 0},
    {"both", IMAGE, "{\"schemaVersion\":2,\"config\":" DESCRIPTOR(A) ",\"manifests\":[]}", NULL,
     NULL, NULL, 0, 0, 0},
    {"both-of-unknown-type", "application/vnd.example+json", "{\"layers\":[],\"manifests\":[]}",
     NULL, NULL, NULL, 0, 0, 0},
    {"index-as-image", IMAGE, "{\"schemaVersion\":2,\"manifests\":[]}", NULL, NULL, NULL, 0, 0, 0},
    {"image-as-index", INDEX, "{\"schemaVersion\":2,\"config\":" DESCRIPTOR(A) "}", NULL, NULL,
     NULL, 0, 0, 0},
    {"schema-1", "application/vnd.docker.distribution.manifest.v1+prettyjws",
     "{\"schemaVersion\":1}", NULL, NULL, NULL, 0, 0, 0},
    {"schema-version", IMAGE, "{\"schemaVersion\":1,\"config\":" DESCRIPTOR(A) "}", NULL, NULL,
     NULL, 0, 0, 0},
    {"no-config", IMAGE, "{\"schemaVersion\":2,\"layers\":[]}", NULL, NULL, NULL, 0, 0, 0},
    {"layers-no-list", IMAGE, "{\"schemaVersion\":2,\"config\":" DESCRIPTOR(A) ",\"layers\":{}}",
     NULL, NULL, NULL, 0, 0, 0},
    {"bad-digest", IMAGE, "{\"schemaVersion\":2,\"config\":" DESCRIPTOR("sha256:x") "}", NULL, NULL,
     NULL, 0, 0, 0},
    {"negative-size", IMAGE,
     "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"t\",\"digest\":\"" A "\",\"size\":-1}}",
     NULL, NULL, NULL, 0, 0, 0},
    {"size-no-number", IMAGE,
     "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"t\",\"digest\":\"" A "\",\"size\":\"1\"}}",
     NULL, NULL, NULL, 0, 0, 0},
    {"no-media-type", IMAGE, "{\"schemaVersion\":2,\"config\":{\"digest\":\"" A "\",\"size\":1}}",
     NULL, NULL, NULL, 0, 0, 0},
    {"subject-no-descriptor", IMAGE,
     "{\"schemaVersion\":2,\"config\":" DESCRIPTOR(A) ",\"subject\":\"" B "\"}", NULL, NULL, NULL,
     0, 0, 0},
};

static void test_manifest(const void *data)
{
    const ManifestCase *c = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(PushedManifest) manifest =
        pushed_manifest_parse(c->text, strlen(c->text), c->type, &error);

    g_assert_cmpstr(manifest != NULL ? manifest->media_type : NULL, ==, c->media_type);
    if (manifest == NULL) {
        g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID);
        return;
    }
    g_assert_cmpstr(manifest->artifact_type, ==, c->artifact_type);
    g_assert_cmpstr(manifest->subject, ==, c->subject);
    g_assert_cmpuint(manifest->blobs->len, ==, c->blobs);
    g_assert_cmpuint(manifest->manifests->len, ==, c->manifests);
    g_assert_cmpuint(manifest->foreign->len, ==, c->foreign);
}

static void test_fallback(void)
{
    g_autofree char *plain = fallback_tag(A);
    g_assert_cmpstr(plain, ==,
                    "sha256-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    g_autofree char *hex = g_strnfill(128, 'c');
    g_autofree char *digest = g_strconcat("sha512:", hex, NULL);
    g_autofree char *cut = fallback_tag(digest);
    g_assert_cmpuint(strlen(cut), ==, strlen("sha512-") + 64);
    g_autofree char *odd = fallback_tag("sha256+b64:a/b");
    g_assert_cmpstr(odd, ==, "sha256-b64-a-b");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();

    g_test_add_func("/registry/endpoints", test_endpoints);
    g_test_add_func("/registry/ranges", test_ranges);
    g_test_add_func("/registry/challenges", test_challenges);
    g_test_add_func("/registry/fallback", test_fallback);
    for (size_t i = 0; i < G_N_ELEMENTS(manifests); i++) {
        g_autofree char *path = g_strdup_printf("/registry/manifest/%s", manifests[i].label);
        g_test_add_data_func(path, &manifests[i], test_manifest);
    }
    return g_test_run();
}
