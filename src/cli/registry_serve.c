#include "base/file.h"
#include "cli/commands.h"
#include "net/http_url.h"
#include "registry/bearer.h"
#include "registry/server.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define PEM_LIMIT (1024 * 1024)

typedef struct {
    char *address, *htpasswd, *auth, *certificate, *key;
    int threads;
} Options;

static void options_clear(Options *options)
{
    g_free(options->address);
    g_free(options->htpasswd);
    g_free(options->auth);
    g_free(options->certificate);
    g_free(options->key);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, options_clear)

/* Waits for a signal that asks for the end. */
static void wait_for_end(void)
{
    sigset_t ends;
    int received = 0;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    while (sigwait(&ends, &received) != 0)
        continue;
}

/* The signals that end us must reach sigwait and no thread of the server. */
static void block_ends(void)
{
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    pthread_sigmask(SIG_BLOCK, &ends, NULL);
}

/* Serves with OPTIONS until a signal ends it. */
static int serve(const Options *options, GError **error)
{
    g_autofree char *certificate = NULL, *key = NULL;
    g_autoptr(Htpasswd) users = NULL;
    g_autoptr(Bearer) bearer = NULL;
    if (options->certificate != NULL) {
        certificate = file_read(AT_FDCWD, options->certificate, PEM_LIMIT, NULL, error);
        key =
            certificate != NULL ? file_read(AT_FDCWD, options->key, PEM_LIMIT, NULL, error) : NULL;
        if (key == NULL)
            return EXIT_STATUS_NO;
    }
    if (options->htpasswd != NULL && (users = htpasswd_open(options->htpasswd, error)) == NULL)
        return EXIT_STATUS_NO;
    RegistryHooks hooks = {.context = users,
                           .authorize = users != NULL ? htpasswd_authorize : NULL};
    if (g_strcmp0(options->auth, "bearer") == 0) {
        bearer = bearer_new(users);
        hooks = (RegistryHooks){
            .context = bearer, .authorize = bearer_authorize, .issue = bearer_issue};
    }

    block_ends();
    Registry *registry = registry_start(
        &(RegistryOptions){
            .address = options->address != NULL ? options->address : "127.0.0.1:5000",
            .threads = (unsigned) options->threads,
            .tls_certificate = certificate,
            .tls_key = key,
            .hooks = hooks,
        },
        error);
    if (registry == NULL)
        return EXIT_STATUS_NO;
    const char *url = registry_url(registry);
    if (users == NULL && !http_host_is_loopback(strstr(url, "://") + 3))
        fprintf(stderr,
                "slipway registry serve: anybody who reaches %s may push and delete; "
                "--htpasswd FILE asks for passwords\n",
                url);
    printf("listening on %s\n", url);
    fflush(stdout);
    wait_for_end();
    registry_stop(registry);
    return EXIT_STATUS_DONE;
}

static int run(int argc, char **argv, GError **error)
{
    g_auto(Options) options = {0};
    const GOptionEntry entries[] = {
        {"listen", 'l', 0, G_OPTION_ARG_STRING, &options.address,
         "where to listen (default 127.0.0.1:5000; port 0 takes any free one)", "ADDRESS:PORT"},
        {"htpasswd", 0, 0, G_OPTION_ARG_FILENAME, &options.htpasswd,
         "users and bcrypt hashes; without it everybody may do everything", "FILE"},
        {"auth", 0, 0, G_OPTION_ARG_STRING, &options.auth,
         "how passwords are asked: basic (with each request) or bearer (for a token)",
         "basic|bearer"},
        {"tls-cert", 0, 0, G_OPTION_ARG_FILENAME, &options.certificate,
         "certificate chain (PEM); with it https is served", "FILE"},
        {"tls-key", 0, 0, G_OPTION_ARG_FILENAME, &options.key, "its private key (PEM)", "FILE"},
        {"threads", 0, 0, G_OPTION_ARG_INT, &options.threads, "threads that answer requests", "N"},
        {0},
    };
    if (!command_parse(&command_registry_serve, entries, &argc, &argv, error))
        return EXIT_STATUS_USAGE;
    if (argc > 1)
        return command_usage_error(error, "unexpected operand '%s'", argv[1]);
    if (options.threads < 0 || options.threads > 256)
        return command_usage_error(error, "--threads is from 1 to 256");
    if ((options.certificate == NULL) != (options.key == NULL))
        return command_usage_error(error, "--tls-cert and --tls-key go together");
    if (options.auth != NULL && !g_str_equal(options.auth, "basic") &&
        !g_str_equal(options.auth, "bearer"))
        return command_usage_error(error, "--auth is basic or bearer, not '%s'", options.auth);
    if (options.auth != NULL && options.htpasswd == NULL)
        return command_usage_error(error, "--auth needs --htpasswd FILE");
    return serve(&options, error);
}

const Command command_registry_serve = {
    .name = "registry serve",
    .group = "service",
    .summary = "serve the images of registry.local to any client over HTTP",
    .run = run,
};
