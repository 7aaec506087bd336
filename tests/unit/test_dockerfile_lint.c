#include "lint/dockerfile_lint.h"

#include <string.h>

typedef struct {
    const char *rule, *text;
    const char *places; /* "line:column" of each finding; "": quiet */
} Case;

static const Case cases[] = {
    {"DL1000", "FROM a\nNONSENSE", "2:1"},
    {"DL3000", "FROM a:1\nWORKDIR x", "2:9"},
    {"DL3000", "FROM a:1\nWORKDIR '/x'", ""},
    {"DL3002", "FROM a:1\nUSER 0:0", "2:1"},
    {"DL3003", "FROM a:1\nRUN make && \\\n  cd /x", "3:3"},
    {"DL3004", "FROM a:1\nRUN if true; then sudo x; fi", "2:19"},
    {"DL3004", "FROM a:1\nRUN echo $(sudo id)", "2:12"},
    {"DL3004", "FROM a:1\nRUN echo 'sudo x'", ""},
    {"DL3006", "FROM ghcr.io:443/a", "1:6"},
    {"DL3006", "ARG V\nFROM a:$V", ""},
    {"DL3007", "FROM a:latest@sha256:00", ""},
    {"DL3008", "FROM a:1\nRUN apt-get install -y -t stable curl=1 jq", "2:5"},
    {"DL3008", "FROM a:1\nRUN [\"apt-get\", \"install\", \"jq\"]", "2:5"},
    {"DL3008", "FROM a:1\nRUN <<E\napt-get install jq\nE", "2:5"},
    {"DL3009", "FROM a:1\nRUN apt-get update; rm -r /var/lib/apt/lists/*", ""},
    {"DL3012", "FROM a:1\nHEALTHCHECK CMD a\nHEALTHCHECK NONE", "3:1"},
    {"DL3013", "FROM a:1\nRUN python3 -m pip install -U flask==2 six", "2:5"},
    {"DL3016", "FROM a:1\nRUN npm i -g left-pad", "2:5"},
    {"DL3018", "FROM a:1\nRUN apk add -t .deps gcc~12", ""},
    {"DL3020", "FROM a:1\nADD a.txt /", "2:1"},
    {"DL3022", "FROM a:1\nCOPY --from=1 a /", "2:1"},
    {"DL3025", "FROM a:1\nENTRYPOINT run me", "2:1"},
    {"DL3044", "FROM a:1\nENV A=1 B='$A'", ""},
    {"DL3044", "FROM a:1\nENV A=1 B=$A", "2:1"},
    {"DL3045", "FROM a:1 AS x\nWORKDIR /w\nFROM x\nCOPY a b", ""},
    {"DL3059", "FROM a:1\nRUN a\nRUN --network=none b", ""},
    {"DL3061", "RUN a\nFROM b:1", "1:1"},
    {"DL3064", "FROM a:1\nARG DB_PASSWORD", "2:5"},
    {"secretsusedinargorenv", "FROM a:1\nENV TOKEN=x", "2:5"},
    {"DL4006", "FROM a:1\nRUN a || b", ""},
    {"DL4006", "FROM a:1\nSHELL [\"/bin/bash\", \"-o\", \"pipefail\", \"-c\"]\nRUN a | b", ""},
    {"DL4006", "FROM a:1\n# hadolint ignore=DL4006\nRUN a | b", ""},
    {"DL4006", "FROM a:1\n# hadolint ignore=DL4006,what\nRUN a | b", "3:5"},
    {"DL4006", "# hadolint global ignore=DL4006\nFROM a:1\nRUN a | b", ""},
    {"NoEmptyContinuation", "FROM a:1\nRUN a \\\n\n b", "2:1"},
    {"FromAsCasing", "FROM a:1 as b", "1:1"},
    {"UndefinedArgInFrom", "FROM a:$V", "1:6"},
};

static void test_case(const void *data)
{
    const Case *c = data;
    const char *rules[] = {c->rule, NULL};
    DockerfileLintOptions options = {rules};
    g_autoptr(GPtrArray) findings = findings_new();
    dockerfile_lint("D", c->text, strlen(c->text), &options, findings);
    g_autoptr(GString) places = g_string_new(NULL);
    for (guint i = 0; i < findings->len; i++) {
        const Finding *f = findings->pdata[i];
        g_string_append_printf(places, "%s%d:%d", i > 0 ? " " : "", f->line, f->column);
    }
    g_assert_cmpstr(places->str, ==, c->places);
}

/* Names, their case and their lines survive what shells let people write. */
static void test_usual(void)
{
    static const char text[] = "FROM debian:12\nUSER app\nCMD [\"a\"]\n";
    DockerfileLintOptions options = {NULL};
    g_autoptr(GPtrArray) findings = findings_new();
    dockerfile_lint("D", text, strlen(text), &options, findings);
    g_assert_cmpuint(findings->len, ==, 1);
    g_assert_cmpstr(((Finding *) findings->pdata[0])->rule, ==, "DL3066");
}

/* No options at all are the usual rules too: the path of a commit asks so. */
static void test_no_options(void)
{
    static const char text[] = "FROM debian:12 AS base\nFROM base\nCMD [\"a\"]\n";
    g_autoptr(GPtrArray) usual = findings_new(), none = findings_new();
    DockerfileLintOptions options = {NULL};
    dockerfile_lint("D", text, strlen(text), &options, usual);
    dockerfile_lint("D", text, strlen(text), NULL, none);
    g_assert_cmpuint(none->len, ==, usual->len);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = g_strdup_printf("/dockerfile_lint/%s/%zu", cases[i].rule, i);
        g_test_add_data_func(path, &cases[i], test_case);
    }
    g_test_add_func("/dockerfile_lint/usual", test_usual);
    g_test_add_func("/dockerfile_lint/no_options", test_no_options);
    return g_test_run();
}
