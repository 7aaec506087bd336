/* schema.h - the steps that build the state's tables, made from schema/NNN_room.sql at build time.
 *
 * A step that has been released never changes; a change is a new file. */
#pragma once

typedef struct {
    const char *name; /* file name without ".sql"; NULL ends the table */
    const char *sql;
} SchemaStep;

extern const SchemaStep schema_steps[];
