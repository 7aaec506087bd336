#include "registry/credential.h"

#include "base/error.h"
#include "base/file.h"
#include "base/process.h"
#include "format/json.h"

#include <fcntl.h>
#include <string.h>

#define FILE_LIMIT (1024 * 1024)
#define HUB_DOMAIN "docker.io"
#define HUB_KEY "https://index.docker.io/v1/"

void credential_free(Credential *credential)
{
    if (credential == NULL)
        return;
    g_free(credential->user);
    if (credential->password != NULL)
        explicit_bzero(credential->password, strlen(credential->password));
    g_free(credential->password);
    g_free(credential->identity_token);
    g_free(credential);
}

static char **candidate_files(void)
{
    GPtrArray *files = g_ptr_array_new();
    const char *docker = g_getenv("DOCKER_CONFIG");
    const char *named = g_getenv("REGISTRY_AUTH_FILE");
    g_ptr_array_add(files, docker != NULL
                               ? g_build_filename(docker, "config.json", NULL)
                               : g_build_filename(g_get_home_dir(), ".docker/config.json", NULL));
    if (named != NULL)
        g_ptr_array_add(files, g_strdup(named));
    g_ptr_array_add(files,
                    g_build_filename(g_get_user_runtime_dir(), "containers/auth.json", NULL));
    g_ptr_array_add(files, g_build_filename(g_get_user_config_dir(), "containers/auth.json", NULL));
    g_ptr_array_add(files, NULL);
    return (char **) g_ptr_array_free(files, FALSE);
}

/* The document of FILE; NULL without error where there is no such file. */
static json_t *read_config(const char *file, GError **error)
{
    g_autoptr(GError) trouble = NULL;
    size_t length = 0;
    g_autofree char *text = file_read(AT_FDCWD, file, FILE_LIMIT, &length, &trouble);
    if (text != NULL)
        return json_parse(file, text, length, error);
    if (!g_error_matches(trouble, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND))
        g_propagate_error(error, g_steal_pointer(&trouble));
    return NULL;
}

/* The entry of TABLE for DOMAIN: the key of the longest matching namespace first, then the host in
 * the spellings that are found in such files. */
static json_t *find_entry(const json_t *table, const char *domain, const char *path)
{
    g_autofree char *key = g_strconcat(domain, "/", path, NULL);
    for (;;) {
        json_t *entry = json_object_get(table, key);
        char *slash = strrchr(key, '/');
        if (entry != NULL || slash == NULL)
            return entry;
        *slash = '\0';
        if (strchr(key, '/') == NULL)
            break;
    }
    static const char *const forms[] = {"%s",          "https://%s",     "http://%s",
                                        "https://%s/", "https://%s/v1/", "https://%s/v2/"};
    for (size_t i = 0; i < G_N_ELEMENTS(forms); i++) {
        g_autoptr(GString) form = g_string_new(forms[i]);
        g_string_replace(form, "%s", domain, 1);
        json_t *entry = json_object_get(table, form->str);
        if (entry != NULL)
            return entry;
    }
    return g_str_equal(domain, HUB_DOMAIN) ? json_object_get(table, HUB_KEY) : NULL;
}

/* {"auth": base64 of user:password}, {"username", "password"} or {"identitytoken"}. */
static Credential *read_entry(const json_t *entry, const char *file, const char *domain,
                              GError **error)
{
    g_autoptr(Credential) credential = g_new0(Credential, 1);
    const char *token = json_get_string(entry, "identitytoken");
    const char *coded = json_get_string(entry, "auth");
    if (token != NULL && token[0] != '\0') {
        credential->identity_token = g_strdup(token);
        return g_steal_pointer(&credential);
    }
    if (coded == NULL || coded[0] == '\0') {
        credential->user = g_strdup(json_get_string(entry, "username"));
        credential->password = g_strdup(json_get_string(entry, "password"));
        return credential->user != NULL && credential->password != NULL
                   ? g_steal_pointer(&credential)
                   : NULL;
    }
    gsize length = 0;
    g_autofree guchar *bytes = g_base64_decode(coded, &length);
    g_autofree char *both = g_strndup((const char *) bytes, length);
    char *colon = strchr(both, ':');
    if (colon == NULL) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "%s: auth of '%s' is not base64 of user:password", file, domain);
        return NULL;
    }
    credential->user = g_strndup(both, (size_t) (colon - both));
    credential->password = g_strdup(colon + 1);
    explicit_bzero(both, strlen(both));
    return g_steal_pointer(&credential);
}

/* Asks docker-credential-HELPER. NULL without error: it knows none. */
static Credential *ask_helper(const char *helper, const char *domain, GError **error)
{
    g_autofree char *program = g_strconcat("docker-credential-", helper, NULL);
    const char *server = g_str_equal(domain, HUB_DOMAIN) ? HUB_KEY : domain;
    const char *const argv[] = {program, "get", NULL};
    g_auto(ProcessResult) result = {0};
    if (strchr(helper, '/') != NULL) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "credential helper '%s' is no program name", helper);
        return NULL;
    }
    if (!process_run(&(ProcessSpec){.argv = argv, .input = server, .input_length = -1}, &result,
                     error))
        return NULL;
    if (result.status != 0) { /* "credentials not found" is said on stdout with status 1 */
        if (strstr(result.output, "not found") != NULL)
            return NULL;
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_UNAVAILABLE, "'%s get': %s", program,
                    g_strstrip(result.errors[0] != '\0' ? result.errors : result.output));
        return NULL;
    }
    g_autoptr(json_t) answer = json_parse(program, result.output, result.output_length, error);
    const char *user = json_get_string(answer, "Username");
    const char *secret = json_get_string(answer, "Secret");
    if (answer == NULL || user == NULL || secret == NULL)
        return NULL;
    Credential *credential = g_new0(Credential, 1);
    if (g_str_equal(user, "<token>")) {
        credential->identity_token = g_strdup(secret);
    } else {
        credential->user = g_strdup(user);
        credential->password = g_strdup(secret);
    }
    return credential;
}

static Credential *find_in(const json_t *config, const char *file, const char *domain,
                           const char *path, GError **error)
{
    const json_t *chosen = find_entry(json_object_get(config, "credHelpers"), domain, path);
    const char *store = json_get_string(config, "credsStore");
    g_autoptr(GError) trouble = NULL;
    Credential *credential = NULL;
    if (json_is_string(chosen))
        credential = ask_helper(json_string_value(chosen), domain, &trouble);
    else if (store != NULL && store[0] != '\0')
        credential = ask_helper(store, domain, &trouble);
    if (credential != NULL)
        return credential;
    if (trouble != NULL) {
        g_propagate_error(error, g_steal_pointer(&trouble));
        return NULL;
    }
    const json_t *entry = find_entry(json_object_get(config, "auths"), domain, path);
    return entry != NULL ? read_entry(entry, file, domain, error) : NULL;
}

Credential *credential_find(const char *domain, const char *path, GError **error)
{
    g_auto(GStrv) files = candidate_files();
    for (size_t i = 0; files[i] != NULL; i++) {
        g_autoptr(GError) trouble = NULL;
        g_autoptr(json_t) config = read_config(files[i], &trouble);
        Credential *credential =
            config != NULL ? find_in(config, files[i], domain, path, &trouble) : NULL;
        if (credential != NULL)
            return credential;
        if (trouble != NULL) {
            g_propagate_error(error, g_steal_pointer(&trouble));
            return NULL;
        }
    }
    return NULL;
}
