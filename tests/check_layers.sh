#!/bin/sh
# TAP: each room of src/, with the folders inside it, includes only what tests/layers.txt grants it.
# A line there: FLOOR ROOM: ROOM ROOM …; a grant must lie on a lower floor.
root=${1:-$(dirname "$0")/..}
n=0
for dir in "$root"/src/*/; do
    layer=$(basename "$dir")
    n=$((n + 1))
    floor=$(sed -n "s/^\([0-9]*\) $layer:.*/\1/p" "$root/tests/layers.txt")
    granted=$(sed -n "s/^[0-9]* $layer://p" "$root/tests/layers.txt")
    if [ -z "$floor" ]; then
        echo "not ok $n - $layer has no line in tests/layers.txt"
        continue
    fi
    upward=$(for room in $granted; do
        sed -n "s/^\([0-9]*\) $room:.*/\1/p" "$root/tests/layers.txt" |
            while read -r f; do [ "$f" -lt "$floor" ] || echo "# $layer is granted $room, which is not below it"; done
    done)
    wrong=$upward$(find "$dir" -name '*.[ch]' -exec grep -n '^#include "' /dev/null {} + |
        sed -n 's/^\([^:]*:[0-9]*\):#include "\([^/"]*\)\/.*/\1 \2/p' |
        while read -r where used; do
            case " $layer $granted " in *" $used "*) ;; *) echo "# ${where#"$root"/}: $layer may not use $used" ;; esac
        done)
    if [ -z "$wrong" ]; then echo "ok $n - $layer"; else echo "$wrong"; echo "not ok $n - $layer"; fi
done
echo "1..$n"
