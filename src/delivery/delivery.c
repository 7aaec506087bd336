#include "delivery/delivery.h"

#include "sign/signer.h"

Delivery *delivery_open(const char *home, UnitManager *units, GError **error)
{
    g_autoptr(Delivery) delivery = g_new0(Delivery, 1);
    delivery->units = units;
    delivery->state = state_open(home, error);
    if (delivery->state == NULL || !signer_ensure_keys(delivery->state, error))
        return NULL;
    delivery->store = content_store_open(delivery->state, error);
    if (delivery->store == NULL)
        return NULL;
    delivery->signer = (LedgerSigner){.sign = signer_sign_note, .self = delivery->state};
    delivery->ledger = ledger_open(delivery->state, &delivery->signer, error);
    return delivery->ledger != NULL ? g_steal_pointer(&delivery) : NULL;
}

void delivery_close(Delivery *delivery)
{
    if (delivery == NULL)
        return;
    ledger_close(delivery->ledger);
    content_store_free(delivery->store);
    state_close(delivery->state);
    g_free(delivery);
}
