#!/bin/sh
# install_packages.sh SUDO LIST…: installs what of the Debian packages in the LIST files (one name a
# line) is not there yet. SUDO is the word before apt-get, empty for root.
set -eu
sudo=$1
shift
missing=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' $(cat "$@") 2>/dev/null |
    awk '$2 == "installed" { have[$1] = 1; next }
        FILENAME != "-" && !($1 in have) { print $1 }' - "$@")
[ -n "$missing" ] || exit 0
echo "installing:" $missing
$sudo apt-get update -qq
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $missing >/dev/null
