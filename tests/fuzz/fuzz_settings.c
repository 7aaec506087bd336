/* Settings have one normal form; a policy is neither tighter nor looser than itself. */
#include "dialect/slipway/settings.h"
#include "format/json.h"
#include "model/policy.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *canonical(const json_t *value)
{
    g_autoptr(GError) error = NULL;
    char *text = json_canonical(value, &error);
    g_assert_no_error(error);
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const test[] = {"make test", NULL};
    SettingsDefaults defaults = {.file = "slipway.yml", .default_name = "shop", .test = test};
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) settings = settings_parse((const char *) data, size, &defaults, &error);
    if (settings == NULL) {
        g_assert_nonnull(error);
        g_assert_true(strstr(error->message, "slipway.yml:") != NULL);
        return 0;
    }
    g_autofree char *text = canonical(settings);
    g_autoptr(json_t) again = json_parse("again", text, strlen(text), NULL);
    g_autofree char *twice = canonical(again);
    g_assert_cmpstr(text, ==, twice);

    g_autoptr(json_t) policy = policy_extract(settings);
    g_autofree char *loosened = policy_loosened(policy, policy);
    g_assert_null(loosened);
    g_autoptr(json_t) tightened = policy_tighten(policy, policy);
    g_autofree char *a = canonical(policy);
    g_autofree char *b = canonical(tightened);
    g_assert_cmpstr(a, ==, b);
    return 0;
}
