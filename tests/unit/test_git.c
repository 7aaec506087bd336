/* Who had a hand in a commit, however its message says so. */
#include "base/file.h"
#include "base/process.h"
#include "git/repository.h"

#include <fcntl.h>
#include <string.h>

typedef struct {
    const char *message;
    const char *co_authors; /* addresses, by a blank */
} Case;

static const Case cases[] = {
    {"Change", ""},
    {"Change\n\nCo-authored-by: Bo <bo@example.org>", "bo@example.org"},
    {"Change\n\nCO-AUTHORED-BY: Bo <BO@Example.ORG>", "BO@Example.ORG"},
    {"Change\n\nco-authored-by:bo@example.org", "bo@example.org"},
    {"Change\n\n  Co-Authored-By :   Bo   <bo@example.org>  ", "bo@example.org"},
    {"Change\n\nCo-authored-by: Bo <bo@example.org>\n\nMore words below.", "bo@example.org"},
    {"Change\n\nCo-authored-by: A <a@x.example>, B <b@x.example>", "a@x.example b@x.example"},
    {"Change\n\nCo-developed-by: Bo <bo@example.org>\nSigned-off-by: Cy <cy@example.org>",
     "bo@example.org"},
    {"Change\n\n* Co-authored-by: Bo <bo@example.org>", "bo@example.org"},
    {"Change\n\nSays that Co-authored-by: is a trailer of bo@example.org", ""},
};

static void run(const char *const *argv)
{
    g_auto(ProcessResult) result = {0};
    g_autoptr(GError) error = NULL;
    process_run_checked(&(ProcessSpec){.argv = argv}, &result, &error);
    g_assert_no_error(error);
}

static void test_case(const void *data)
{
    const Case *c = data;
    g_autoptr(GError) error = NULL;
    g_autofree char *folder = file_make_temporary_folder("/tmp", "test-git", &error);
    g_assert_no_error(error);
    run((const char *[]){"git", "init", "-q", folder, NULL});
    run((const char *[]){"git", "-C", folder, "-c", "user.name=ana", "-c",
                         "user.email=ana@example.org", "-c", "commit.gpgsign=false", "commit", "-q",
                         "--allow-empty", "-m", c->message, NULL});
    g_autoptr(GitRepository) repository = git_repository_open(folder, &error);
    g_assert_no_error(error);
    g_autoptr(GitCommit) commit = git_commit_read(repository, "HEAD", &error);
    g_assert_no_error(error);
    g_autoptr(GString) emails = g_string_new(NULL);
    for (guint i = 0; i < commit->co_authors->len; i++) {
        const GitPerson *person = g_ptr_array_index(commit->co_authors, i);
        g_string_append_printf(emails, "%s%s", i > 0 ? " " : "", person->email);
    }
    g_assert_cmpstr(emails->str, ==, c->co_authors);
    g_assert_cmpstr(commit->author.email, ==, "ana@example.org");
    g_assert_cmpstr(commit->subject, ==, "Change");
    file_remove_tree(AT_FDCWD, folder, NULL);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = g_strdup_printf("/git/co_authors/%zu", i);
        g_test_add_data_func(path, &cases[i], test_case);
    }
    return g_test_run();
}
