#!/bin/sh
# install-dependencies.sh TARGET: puts the locked dependencies into the folder TARGET. They come
# from the language's registry where one answers, else from Debian's packages; it says which.
set -eu
target=$1
if python3 -m pip --version >/dev/null 2>&1 &&
    python3 -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --retries 1 --timeout 15 \
        --target "$target" -r requirements.lock; then
    echo "dependencies: from the Python package index, as requirements.lock pins them"
elif python3 -c 'import bottle' 2>/dev/null; then
    mkdir -p "$target"
    echo "dependencies: from Debian's packages (python3-bottle), no package index answered"
else
    echo "dependencies: neither a package index nor python3-bottle is there" >&2
    exit 1
fi
