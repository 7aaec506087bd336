/* delivery.h - what the parts of this room share: the state, the record, the store, the units. */
#pragma once

#include "container/unit.h"
#include "ledger/ledger.h"
#include "oci/content.h"

typedef struct {
    State *state;
    ContentStore *store;
    Ledger *ledger;
    LedgerSigner signer;
    UnitManager *units; /* only inside the supervisor; borrowed, else NULL */
} Delivery;

/* Opens all of it on HOME (NULL: the default), making the engine's keys when there are none. One a
 * thread. */
Delivery *delivery_open(const char *home, UnitManager *units, GError **error);
void delivery_close(Delivery *delivery);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Delivery, delivery_close)
