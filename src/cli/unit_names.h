/* unit_names.h - which units the operand of ps, logs, exec and top means, and how they are shown.
 */
#pragma once

#include "container/unit.h"

/* The unit called NAME, or all of environment NAME; Unit *, never empty. NULL with NOT_FOUND. */
GPtrArray *unit_names_find(UnitManager *manager, const char *name, GError **error);

const char *unit_names_status(UnitStatus status);

/* The value of label KEY, or "-". */
const char *unit_names_label(const Unit *unit, const char *key);

/* "3m12s", "5h07m", "2d03h". */
char *unit_names_duration(int64_t seconds);

/* The manager of the default state folder. */
UnitManager *unit_names_open(GError **error);
