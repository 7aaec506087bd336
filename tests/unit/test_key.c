/* Keys in every form, against what ssh-keygen and openssl say of the same keys. */
#include "base/error.h"
#include "base/file.h"
#include "base/process.h"
#include "crypto/base64.h"
#include "crypto/cosign_key.h"
#include "crypto/dsse.h"
#include "crypto/sshsig.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const KeyKind kinds[] = {KEY_ED25519, KEY_ECDSA_P256, KEY_ECDSA_P384, KEY_ECDSA_P521,
                                KEY_RSA};

static char *folder;

static char *run(const char *const *argv)
{
    g_autoptr(GError) error = NULL;
    ProcessSpec spec = {.argv = argv};
    g_auto(ProcessResult) result = {0};
    bool ok = process_run_checked(&spec, &result, &error);
    g_assert_no_error(error);
    return ok ? g_steal_pointer(&result.output) : g_strdup("");
}

static void test_kind(const void *data)
{
    KeyKind kind = kinds[GPOINTER_TO_SIZE(data)];
    g_autoptr(GError) error = NULL;
    g_autoptr(PrivateKey) key = private_key_generate(kind, &error);
    g_assert_no_error(error);
    g_autoptr(PublicKey) public_key = private_key_public(key);

    g_autofree char *pem = public_key_format_pem(public_key);
    g_autofree char *line = public_key_format_ssh(public_key);
    g_autoptr(PublicKey) from_pem = public_key_parse("pem", pem, &error);
    g_assert_no_error(error);
    g_autoptr(PublicKey) from_line = public_key_parse("line", line, &error);
    g_assert_no_error(error);
    g_assert_true(public_key_equal(public_key, from_pem));
    g_assert_true(public_key_equal(public_key, from_line));
    g_autofree char *a = public_key_fingerprint(from_pem);
    g_autofree char *b = public_key_fingerprint(from_line);
    g_assert_cmpstr(a, ==, b);

    g_autofree char *path = g_strdup_printf("%s/%s.pub", folder, key_kind_name(kind));
    g_assert_true(file_write_atomic(AT_FDCWD, path, line, -1, 0644, &error));
    const char *argv[] = {"ssh-keygen", "-l", "-f", path, NULL};
    g_autofree char *listed = run(argv);
    g_assert_nonnull(strstr(listed, a));

    size_t length;
    g_autofree uint8_t *signature = private_key_sign(key, "hello", 5, &length, &error);
    g_assert_no_error(error);
    g_assert_true(public_key_verify(from_line, "hello", 5, signature, length));
    g_assert_false(public_key_verify(from_line, "hellO", 5, signature, length));
    signature[length - 1] ^= 1;
    g_assert_false(public_key_verify(from_line, "hello", 5, signature, length));

    g_autoptr(SecretText) private_pem = private_key_format_pem(key);
    g_autoptr(PrivateKey) again = private_key_parse("again", private_pem, NULL, &error);
    g_assert_no_error(error);
    g_assert_cmpint(private_key_kind(again), ==, kind);
    g_autoptr(PublicKey) refused = public_key_parse("mine.key", private_pem, &error);
    g_assert_null(refused);
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID);
    g_assert_nonnull(strstr(error->message, "private key"));
}

static void test_cosign(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(PrivateKey) key = private_key_generate(KEY_ECDSA_P256, &error);
    g_autofree char *pem = cosign_key_seal(key, "parole", COSIGN_COST_LOW, &error);
    g_assert_no_error(error);
    g_assert_true(g_str_has_prefix(pem, "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n"));
    g_autoptr(PrivateKey) wrong = private_key_parse("k", pem, "other", &error);
    g_assert_null(wrong);
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED);
    g_clear_error(&error);
    g_autoptr(PrivateKey) again = private_key_parse("k", pem, "parole", &error);
    g_assert_no_error(error);
    g_autoptr(PublicKey) a = private_key_public(key);
    g_autoptr(PublicKey) b = private_key_public(again);
    g_assert_true(public_key_equal(a, b));

    size_t length;
    g_autofree uint8_t *der = private_key_pkcs8(key, &length);
    g_assert_cmpuint(length, ==, 138); /* as cosign writes a P-256 key */
}

#define KEY_BODY(n, r, kdf)                                                                        \
    "{\"kdf\":{\"name\":\"" kdf "\",\"params\":{\"N\":" n ",\"r\":" r                              \
    ",\"p\":1},\"salt\":\"AAAA\"},\"cipher\":{\"name\":\"nacl/secretbox\",\"nonce\":\"AAAA\"},"    \
    "\"ciphertext\":\"AAAA\"}"

static const struct {
    const char *label, *body, *message;
} bodies[] = {
    {"not-json", "x", "'k': '[' or '{' expected near 'x'"},
    {"other-form", "{}", "'k': no key file of cosign's form (scrypt, nacl/secretbox)"},
    {"other-kdf", KEY_BODY("65536", "8", "pbkdf2"),
     "'k': no key file of cosign's form (scrypt, nacl/secretbox)"},
    {"huge-cost", KEY_BODY("1073741824", "8", "scrypt"),
     "'k': scrypt N=1073741824 r=8 p=1 is not accepted; N is 32768, 65536 or 131072, r 8, p 1"},
    {"huge-block", KEY_BODY("65536", "1024", "scrypt"),
     "'k': scrypt N=65536 r=1024 p=1 is not accepted; N is 32768, 65536 or 131072, r 8, p 1"},
    {"short-salt", KEY_BODY("32768", "8", "scrypt"),
     "'k': salt, nonce or ciphertext of a wrong length"},
};

static void test_cosign_body(const void *data)
{
    size_t i = GPOINTER_TO_SIZE(data);
    g_autoptr(GError) error = NULL;
    g_autoptr(PrivateKey) key =
        cosign_key_open("k", bodies[i].body, strlen(bodies[i].body), "", &error);
    g_assert_null(key);
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID);
    g_assert_cmpstr(error != NULL ? error->message : NULL, ==, bodies[i].message);
}

/* A weak RSA key, a curve we do not take, and texts that are no keys. */
static const struct {
    const char *label, *text, *message;
} refused[] = {
    {"empty", "", "'k' is no public key; expected PEM or one line 'ssh-ed25519 AAAA…'"},
    {"words", "hello world", "'k': expected 'TYPE BASE64 [COMMENT]', one key"},
    {"lines", "ssh-ed25519 AAAA\nssh-ed25519 AAAA",
     "'k' has more than one line; expected PEM or one OpenSSH key"},
    {"truncated", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA==",
     "'k': malformed OpenSSH public key of type 'ssh-ed25519'"},
    {"hardware", "sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29t",
     "'k': keys of type 'sk-ssh-ed25519@openssh.com' are not taken; use ssh-ed25519, "
     "ecdsa-sha2-nistp256 or ssh-rsa"},
    {"pem", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
     "'public key': malformed public key"},
    {"certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
     "'k' holds a 'CERTIFICATE'; expected a 'PUBLIC KEY'"},
};

static void test_refused(const void *data)
{
    size_t i = GPOINTER_TO_SIZE(data);
    g_autoptr(GError) error = NULL;
    g_autoptr(PublicKey) key = public_key_parse("k", refused[i].text, &error);
    g_assert_null(key);
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID);
    g_assert_nonnull(error != NULL ? strstr(error->message, refused[i].message) : NULL);
}

static const struct {
    const char *label, *type, *bits;
} ssh_kinds[] = {
    {"ed25519", "ed25519", NULL}, {"p256", "ecdsa", "256"}, {"p384", "ecdsa", "384"},
    {"p521", "ecdsa", "521"},     {"rsa", "rsa", "2048"},
};

static void make_ssh_key(const char *path, const char *type, const char *bits)
{
    const char *argv[] = {"ssh-keygen",       "-q", "-t", type, "-N", "", "-f", path,
                          bits ? "-b" : NULL, bits, NULL};
    g_autofree char *output = run(argv);
}

/* What ssh-keygen signs we verify, and what differs is denied. */
static void test_sshsig(const void *data)
{
    size_t i = GPOINTER_TO_SIZE(data);
    g_autoptr(GError) error = NULL;
    g_autofree char *path = g_strdup_printf("%s/ssh-%s", folder, ssh_kinds[i].label);
    g_autofree char *public_path = g_strconcat(path, ".pub", NULL);
    make_ssh_key(path, ssh_kinds[i].type, ssh_kinds[i].bits);
    g_autoptr(PublicKey) key = public_key_read_file(public_path, &error);
    g_assert_no_error(error);
    g_autofree char *armor = sshsig_sign_with_file(path, "purpose", "message", 7, &error);
    g_assert_no_error(error);
    g_assert_true(sshsig_verify(key, "purpose", "message", 7, armor, &error));
    g_assert_no_error(error);

    g_assert_false(sshsig_verify(key, "purpose", "messagf", 7, armor, &error));
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED);
    g_clear_error(&error);
    g_assert_false(sshsig_verify(key, "another", "message", 7, armor, &error));
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED);
    g_clear_error(&error);
    g_autoptr(PrivateKey) other = private_key_generate(KEY_ED25519, NULL);
    g_autoptr(PublicKey) other_public = private_key_public(other);
    g_assert_false(sshsig_verify(other_public, "purpose", "message", 7, armor, &error));
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED);
    g_autoptr(PublicKey) named = sshsig_key(armor, NULL);
    g_assert_true(public_key_equal(named, key));
}

/* What we sign ssh-keygen verifies. */
static void test_sshsig_made(const void *data)
{
    KeyKind kind = kinds[GPOINTER_TO_SIZE(data)];
    g_autoptr(GError) error = NULL;
    g_autoptr(PrivateKey) key = private_key_generate(kind, &error);
    g_autoptr(PublicKey) public_key = private_key_public(key);
    g_autofree char *armor = sshsig_sign(key, "purpose", "message", 7, &error);
    g_assert_no_error(error);
    g_assert_true(sshsig_verify(public_key, "purpose", "message", 7, armor, &error));
    g_assert_no_error(error);

    g_autofree char *line = public_key_format_ssh(public_key);
    g_autofree char *allowed = g_strdup_printf("ana %s\n", line);
    g_autofree char *allowed_path = g_strdup_printf("%s/allowed-%s", folder, key_kind_name(kind));
    g_autofree char *signature_path = g_strdup_printf("%s/sig-%s", folder, key_kind_name(kind));
    g_assert_true(file_write_atomic(AT_FDCWD, allowed_path, allowed, -1, 0600, NULL));
    g_assert_true(file_write_atomic(AT_FDCWD, signature_path, armor, -1, 0600, NULL));
    const char *argv[] = {"ssh-keygen", "-Y", "verify",  "-f", allowed_path,   "-I",
                          "ana",        "-n", "purpose", "-s", signature_path, NULL};
    ProcessSpec spec = {.argv = argv, .input = "message", .input_length = 7};
    g_auto(ProcessResult) result = {0};
    g_assert_true(process_run_checked(&spec, &result, &error));
    g_assert_no_error(error);
}

/* Every byte of an armored signature counts: no altered one is accepted. */
static void test_sshsig_altered(void)
{
    g_autoptr(PrivateKey) key = private_key_generate(KEY_ECDSA_P256, NULL);
    g_autoptr(PublicKey) public_key = private_key_public(key);
    g_autofree char *armor = sshsig_sign(key, "purpose", "message", 7, NULL);
    size_t accepted = 0, length = strlen(armor);
    for (size_t i = 0; i < length; i++) {
        char before = armor[i];
        armor[i] = before == 'A' ? 'B' : 'A';
        accepted += sshsig_verify(public_key, "purpose", "message", 7, armor, NULL);
        armor[i] = before;
    }
    g_assert_cmpuint(accepted, ==, 0);
}

/* Runs ssh-agent in the foreground at SOCKET; -1 when it does not come up. */
static pid_t start_agent(const char *socket)
{
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        int null = open("/dev/null", O_RDWR);
        dup2(null, STDOUT_FILENO);
        execlp("ssh-agent", "ssh-agent", "-D", "-a", socket, NULL);
        _exit(127);
    }
    for (int i = 0; i < 500 && access(socket, F_OK) != 0; i++)
        g_usleep(10000);
    return access(socket, F_OK) == 0 ? pid : -1;
}

/* A .pub file alone: the private half is in the agent. */
static void test_agent(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *socket = g_build_filename(folder, "agent", NULL);
    g_autofree char *path = g_build_filename(folder, "in-agent", NULL);
    g_autofree char *public_path = g_strconcat(path, ".pub", NULL);
    make_ssh_key(path, "ed25519", NULL);
    pid_t agent = start_agent(socket);
    g_assert_cmpint(agent, >, 0);
    g_setenv("SSH_AUTH_SOCK", socket, TRUE);
    const char *argv[] = {"ssh-add", "-q", path, NULL};
    g_autofree char *added = run(argv);
    g_assert_cmpint(unlink(path), ==, 0);

    g_autofree char *armor = sshsig_sign_with_file(public_path, "purpose", "message", 7, &error);
    g_assert_no_error(error);
    g_autoptr(PublicKey) key = public_key_read_file(public_path, &error);
    g_assert_true(sshsig_verify(key, "purpose", "message", 7, armor, &error));
    g_assert_no_error(error);
    kill(agent, SIGTERM);
    waitpid(agent, NULL, 0);
    g_unsetenv("SSH_AUTH_SOCK");
    g_autofree char *none = sshsig_sign_with_file(public_path, "purpose", "message", 7, &error);
    g_assert_null(none);
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_UNAVAILABLE);
}

/* A passphrase is ssh-keygen's business: it asks on the terminal or through SSH_ASKPASS. */
static void test_passphrase(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = g_build_filename(folder, "with-passphrase", NULL);
    g_autofree char *public_path = g_strconcat(path, ".pub", NULL);
    g_autofree char *ask = g_build_filename(folder, "ask", NULL);
    const char *argv[] = {"ssh-keygen", "-q", "-t", "ed25519", "-N", "parole", "-f", path, NULL};
    g_autofree char *made = run(argv);
    g_assert_true(file_write_atomic(AT_FDCWD, ask, "#!/bin/sh\necho parole\n", -1, 0700, NULL));
    g_setenv("SSH_ASKPASS", ask, TRUE);
    g_setenv("SSH_ASKPASS_REQUIRE", "force", TRUE);
    g_autofree char *armor = sshsig_sign_with_file(path, "purpose", "message", 7, &error);
    g_assert_no_error(error);
    g_autoptr(PublicKey) key = public_key_read_file(public_path, &error);
    g_assert_true(sshsig_verify(key, "purpose", "message", 7, armor, &error));
    g_assert_no_error(error);
    g_unsetenv("SSH_ASKPASS");
    g_unsetenv("SSH_ASKPASS_REQUIRE");
}

static void test_pae(void)
{
    size_t length;
    g_autofree uint8_t *pae = dsse_pae("http://example.com/HelloWorld", "hello world", 11, &length);
    g_autofree char *text = g_strndup((char *) pae, length);
    g_assert_cmpstr(text, ==, "DSSEv1 29 http://example.com/HelloWorld 11 hello world");
}

static void test_dsse(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(PrivateKey) key = private_key_generate(KEY_ECDSA_P256, &error);
    g_autoptr(PublicKey) public_key = private_key_public(key);
    json_t *json = dsse_sign(DSSE_IN_TOTO, "{}", 2, key, &error);
    g_assert_no_error(error);
    g_autoptr(DsseEnvelope) envelope = dsse_parse(json, &error);
    g_assert_no_error(error);
    g_assert_true(dsse_verify(envelope, public_key));
    envelope->payload[0] = '[';
    g_assert_false(dsse_verify(envelope, public_key));
    envelope->payload[0] = '{';
    envelope->payload_type[0] = 'b';
    g_assert_false(dsse_verify(envelope, public_key));
    json_object_del(json, "signatures");
    g_autoptr(DsseEnvelope) none = dsse_parse(json, &error);
    g_assert_null(none);
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID);
    json_decref(json);
}

static const struct {
    const char *text, *decoded; /* NULL: refused */
} base64_rows[] = {
    {"", ""},       {"Zg==", "f"},  {"Zm8=", "fo"},     {"Zm9v", "foo"}, {"Zh==", NULL},
    {"Zg=", NULL},  {"Zg", NULL},   {"Z===", NULL},     {"====", NULL},  {"Zm9v\n", NULL},
    {"Zm-v", NULL}, {"Zm 9", NULL}, {"Zg==Zg==", NULL},
};

static void test_base64(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(base64_rows); i++) {
        size_t length = 0;
        g_autofree uint8_t *bytes = base64_decode(base64_rows[i].text, -1, &length, NULL);
        g_assert_cmpstr((char *) bytes, ==, base64_rows[i].decoded);
    }
}

static void add(const char *format, const char *label, size_t i, GTestDataFunc function)
{
    g_autofree char *path = g_strdup_printf("/%s/%s", format, label);
    g_test_add_data_func(path, GSIZE_TO_POINTER(i), function);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    signal(SIGPIPE, SIG_IGN); /* as the program does: ssh-keygen may end before it has read all */
    folder = file_make_temporary_folder(g_get_tmp_dir(), "slipway-keys", NULL);
    g_assert_nonnull(folder);

    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
        add("key", key_kind_name(kinds[i]), i, test_kind);
        add("sshsig-made", key_kind_name(kinds[i]), i, test_sshsig_made);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(ssh_kinds); i++)
        add("sshsig", ssh_kinds[i].label, i, test_sshsig);
    for (size_t i = 0; i < G_N_ELEMENTS(bodies); i++)
        add("cosign-body", bodies[i].label, i, test_cosign_body);
    for (size_t i = 0; i < G_N_ELEMENTS(refused); i++)
        add("refused", refused[i].label, i, test_refused);
    g_test_add_func("/cosign", test_cosign);
    g_test_add_func("/sshsig/altered", test_sshsig_altered);
    g_test_add_func("/sshsig/agent", test_agent);
    g_test_add_func("/sshsig/passphrase", test_passphrase);
    g_test_add_func("/dsse/pae", test_pae);
    g_test_add_func("/dsse/envelope", test_dsse);
    g_test_add_func("/base64", test_base64);
    int status = g_test_run();
    file_remove_tree(AT_FDCWD, folder, NULL);
    g_free(folder);
    return status;
}
