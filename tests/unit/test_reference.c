#include "base/error.h"
#include "model/reference.h"

#include <string.h>

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

typedef struct {
    const char *text;
    const char *canonical; /* NULL: refused */
    const char *name;
    const char *familiar;
} Case;

static const Case cases[] = {
    {"debian", "docker.io/library/debian", "docker.io/library/debian:latest", "debian"},
    {"debian:bookworm-slim", "docker.io/library/debian:bookworm-slim",
     "docker.io/library/debian:bookworm-slim", "debian:bookworm-slim"},
    {"ana/web:1", "docker.io/ana/web:1", "docker.io/ana/web:1", "ana/web:1"},
    {"index.docker.io/debian", "docker.io/library/debian", "docker.io/library/debian:latest",
     "debian"},
    {"docker.io/debian", "docker.io/library/debian", "docker.io/library/debian:latest", "debian"},
    {"registry.local/orders:v1.2.3", "registry.local/orders:v1.2.3", "registry.local/orders:v1.2.3",
     "registry.local/orders:v1.2.3"},
    {"localhost/x", "localhost/x", "localhost/x:latest", "localhost/x"},
    {"localhost:5000/a/b:T_1.x-y", "localhost:5000/a/b:T_1.x-y", "localhost:5000/a/b:T_1.x-y",
     "localhost:5000/a/b:T_1.x-y"},
    {"[::1]:5000/a", "[::1]:5000/a", "[::1]:5000/a:latest", "[::1]:5000/a"},
    {"HOST/a", "HOST/a", "HOST/a:latest", "HOST/a"},
    {"u/a__b-c.d---e", "docker.io/u/a__b-c.d---e", "docker.io/u/a__b-c.d---e:latest",
     "u/a__b-c.d---e"},
    {"debian@sha256:" HEX64, "docker.io/library/debian@sha256:" HEX64,
     "docker.io/library/debian:latest", "debian@sha256:" HEX64},
    {"x.org/a:1@sha256:" HEX64, "x.org/a:1@sha256:" HEX64, "x.org/a:1", "x.org/a:1@sha256:" HEX64},
    {"", NULL, NULL, NULL},
    {HEX64, NULL, NULL, NULL},
    {"Debian", NULL, NULL, NULL},
    {"a//b", NULL, NULL, NULL},
    {"a/", NULL, NULL, NULL},
    {"/a", NULL, NULL, NULL},
    {"a___b", NULL, NULL, NULL},
    {"a-", NULL, NULL, NULL},
    {"-a", NULL, NULL, NULL},
    {"a:", NULL, NULL, NULL},
    {"a:.x", NULL, NULL, NULL},
    {"a:b:c", NULL, NULL, NULL},
    {"a@sha256:1", NULL, NULL, NULL},
    {"a@b@c", NULL, NULL, NULL},
    {"x-.org/a", NULL, NULL, NULL},
    {"x.org:/a", NULL, NULL, NULL},
    {"x.org:5y/a", NULL, NULL, NULL},
    {"../../etc/passwd", NULL, NULL, NULL},
    {"a b", NULL, NULL, NULL},
};

static void test_case(const void *data)
{
    const Case *c = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(Reference) reference = reference_parse(c->text, &error);
    if (reference == NULL) {
        g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID);
        g_assert_null(c->canonical);
        return;
    }
    g_autofree char *canonical = reference_format(reference);
    g_autofree char *name = reference_name(reference);
    g_autofree char *familiar = reference_familiar(reference);
    g_assert_cmpstr(canonical, ==, c->canonical);
    g_assert_cmpstr(name, ==, c->name);
    g_assert_cmpstr(familiar, ==, c->familiar);

    g_autoptr(Reference) again = reference_parse(familiar, NULL);
    g_assert_nonnull(again);
    if (again == NULL)
        return;
    g_autofree char *same = reference_format(again);
    g_assert_cmpstr(same, ==, canonical);
}

static void test_local(void)
{
    g_autoptr(Reference) local = reference_parse("registry.local/x", NULL);
    g_autoptr(Reference) other = reference_parse("registry.localx/x", NULL);
    g_assert_true(reference_is_local(local));
    g_assert_false(reference_is_local(other));
}

static void test_limits(void)
{
    g_autofree char *tag = g_strnfill(128, 'a');
    g_autofree char *long_tag = g_strnfill(129, 'a');
    g_assert_true(reference_is_tag(tag));
    g_assert_false(reference_is_tag(long_tag));
    g_autofree char *path = g_strnfill(255 - strlen("x.org/"), 'a');
    g_autofree char *fits = g_strconcat("x.org/", path, NULL);
    g_autofree char *over = g_strconcat("x.org/a", path, NULL);
    g_autoptr(Reference) reference = reference_parse(fits, NULL);
    g_assert_nonnull(reference);
    g_assert_null(reference_parse(over, NULL));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = g_strdup_printf("/reference/%zu", i);
        g_test_add_data_func(path, &cases[i], test_case);
    }
    g_test_add_func("/reference/local", test_local);
    g_test_add_func("/reference/limits", test_limits);
    return g_test_run();
}
