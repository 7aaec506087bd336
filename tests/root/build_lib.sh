# build_lib.sh - what the tests of the builder share; sourced. Speaks TAP.
#
# Makes, under one temporary folder, a state and root.tar: a small root file system of this machine's
# own shell and tools, so that nothing needs a network.

count=0
failed=0
ok() { # DESCRIPTION STATUS-OF-LAST
    count=$((count + 1))
    if [ "$2" = 0 ]; then
        echo "ok $count - $1"
    else
        failed=$((failed + 1))
        echo "not ok $count - $1"
    fi
}
skip_all() {
    echo "1..0 # SKIP $1"
    exit 0
}
finish() {
    echo "1..$count"
    [ "$failed" = 0 ]
}
says() { grep -q -e "$1" "$work/out" || { echo "# no '$1' in:"; tail -n 15 "$work/out" | sed 's/^/# /'; return 1; }; }

slipway=$SLIPWAY_PROGRAM
[ "$(id -u)" = 0 ] || skip_all "not root"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export SLIPWAY_HOME="$work/home"
unset SOURCE_DATE_EPOCH

make_root() {
    root=$work/root
    mkdir -p "$root/etc" "$root/tmp" "$root/usr/bin" "$root/lib" "$root/lib64" "$root/opt/there" "$root/root"
    ln -s usr/bin "$root/bin"
    chmod 1777 "$root/tmp"
    chmod 750 "$root/opt/there"
    for tool in sh cat ls id mkdir touch ln rm mv chmod chown stat env sleep sort tr wc cp readlink dirname; do
        path=$(readlink -f "$(command -v $tool)")
        cp "$path" "$root/usr/bin/$tool"
        ldd "$path" | grep -o '/[^ )]*' | while read -r library; do
            mkdir -p "$root$(dirname "$library")"
            cp -L "$library" "$root$library"
        done
    done
    printf 'root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001:app:/home/app:/bin/sh\n' >"$root/etc/passwd"
    printf 'root:x:0:\napp:x:1001:\nextra:x:1002:app\n' >"$root/etc/group"
    tar -C "$root" --sort=name --numeric-owner --owner=0 --group=0 --mtime=@1000000000 -cf "$work/root.tar" .
}

# build FOLDER [OPTION…]: its Dockerfile comes from stdin; output in $work/out, digest in $digest.
build() {
    folder=$work/$1
    shift
    mkdir -p "$folder"
    cat >"$folder/Dockerfile"
    rebuild "$folder" "$@"
}
rebuild() {
    folder=$1
    shift
    digest=$("$slipway" build "$@" "$folder" 2>"$work/out")
}
# sees COMMAND-OUTPUT: a line of a step's output.
sees() { says "^  $1\$"; }

make_root
mkdir -p "$work/base"
cp "$work/root.tar" "$work/base/"
