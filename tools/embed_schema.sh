#!/bin/sh
# Writes schema.c from the .sql files given, in the order of their names.
set -eu
out=$1
shift
{
    echo '#include "store/schema.h"'
    echo
    echo '#include <stddef.h>'
    echo
    echo 'const SchemaStep schema_steps[] = {'
    for file in $(printf '%s\n' "$@" | sort); do
        printf '    {"%s",\n' "$(basename "$file" .sql)"
        sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/.*/     "&\\n"/' "$file"
        echo '    },'
    done
    echo '    {NULL, NULL},'
    echo '};'
} > "$out"
