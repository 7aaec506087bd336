#include "cli/record.h"

#include "format/json.h"
#include "sign/signer.h"

#include <pwd.h>
#include <unistd.h>

Ledger *record_open(State *state, GError **error)
{
    if (!signer_ensure_keys(state, error))
        return NULL;
    LedgerSigner signer = {.sign = signer_sign_note, .self = state};
    return ledger_open(state, &signer, error);
}

char *record_actor(void)
{
    const struct passwd *user = getpwuid(getuid());
    return user != NULL ? g_strconcat("local:", user->pw_name, NULL)
                        : g_strdup_printf("local:%u", (unsigned) getuid());
}

bool record_append(State *state, const char *action, const char *object, const char *result,
                   json_t *detail, GError **error)
{
    g_autoptr(json_t) taken = detail;
    g_autoptr(Ledger) ledger = record_open(state, error);
    if (ledger == NULL)
        return false;
    g_autofree char *actor = record_actor();
    LedgerEntry entry = {
        .actor = actor, .action = action, .object = object, .result = result, .detail = taken};
    return ledger_append(ledger, &entry, error) >= 0;
}
