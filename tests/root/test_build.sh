#!/bin/sh
# TAP: images from Dockerfiles, through the built program: what steps see, what layers hold, when the
# cache answers, what goes wrong.
. "$(dirname "$0")/build_lib.sh"

build base -t base:1 <<'EOF'
FROM scratch
ADD root.tar /
CMD ["sh"]
EOF
ok "FROM scratch and an archive" $?

mkdir -p "$work/app"
echo one >"$work/app/file"
echo skip >"$work/app/skipped"
echo skipped >"$work/app/.dockerignore"
build app -t app:1 <<'EOF'
ARG TAG=1
FROM base:$TAG AS build
ARG V=arg
ARG W=arg
ENV W=env
WORKDIR /src
COPY . .
RUN echo "$V $W $(id -u)"; ls; stat -c '%U %a' file; touch made
FROM base:1 AS unused
RUN exit 9
FROM base:1
COPY --from=build /src /app
USER app
RUN id; echo $HOME
EOF
ok "stages, arguments, copies and steps" $?
sees "arg env 0"; ok "ENV wins over ARG" $?
says skipped; [ $? = 1 ]; ok "the ignore file hides" $?
sees "uid=1000(app) gid=1001(app) groups=1001(app),1002(extra)"; ok "USER with its groups" $?
sees "/home/app"; ok "HOME is the user's" $?

first=$digest
rebuild "$work/app" && [ "$digest" = "$first" ] && ! grep -q "done.*RUN" "$work/out"
[ "$(grep -c CACHED "$work/out")" = 5 ]; ok "an unchanged build is the cache's" $?
touch "$work/app/file"
rebuild "$work/app" && [ "$digest" = "$first" ]; ok "a touched file changes nothing" $?
chmod 600 "$work/app/file"
rebuild "$work/app" --explain && [ "$digest" != "$first" ] &&
    says "not cached: content of the source files changed"; ok "a changed mode does, and is named" $?
rebuild "$work/app" --explain --build-arg V=other && says "not cached: environment V changed" &&
    sees "other env 0"; ok "so is a changed argument" $?

for place in one two; do
    mkdir -p "$work/$place/context"
    cp -a "$work/base" "$work/$place/"
    echo same >"$work/$place/context/file"
    cat >"$work/$place/context/Dockerfile" <<'EOF'
FROM base:1
COPY file /a/b/
WORKDIR /w
RUN echo x >x; mkdir d; touch d/y; ln x z
EOF
    SLIPWAY_HOME="$work/$place/home" SOURCE_DATE_EPOCH=1600000000 "$slipway" build -q -t base:1 "$work/$place/base" >/dev/null
    SLIPWAY_HOME="$work/$place/home" SOURCE_DATE_EPOCH=1600000000 "$slipway" build -q "$work/$place/context" >"$work/$place/digest"
    sleep 1.1
done
[ -s "$work/one/digest" ] && cmp -s "$work/one/digest" "$work/two/digest"
ok "two states, two folders, two times: one digest" $?

printf 'hunter2-secret\n' >"$work/token"
build hidden --secret "id=tok,src=$work/token" <<'EOF'
FROM base:1
RUN --mount=type=secret,id=tok cat /run/secrets/tok; cp /run/secrets/tok /tmp/x; rm /tmp/x
RUN --mount=type=secret,id=tok,env=TOK echo "${#TOK}"; ls -a /run /run/secrets 2>&1 || true
EOF
sees '\*\*\*' && sees 15; ok "a secret is seen by its step, masked outside" $?
! grep -rq hunter2-secret "$SLIPWAY_HOME"; ok "and lies nowhere in the state" $?

build mounts --output "type=local,dest=$work/tree" <<'EOF'
FROM base:1
RUN --mount=type=cache,target=/var/cache/x echo kept >/var/cache/x/f
RUN --mount=type=cache,target=/var/cache/x cat /var/cache/x/f
RUN --mount=type=bind,source=Dockerfile,target=/mnt/d --mount=type=tmpfs,target=/scratch wc -l </mnt/d; touch /scratch/x
RUN <<A cat
from a document
A
EOF
sees kept && sees 7 && sees "from a document"; ok "cache, bind, tmpfs and here-documents" $?
[ ! -e "$work/tree/var" ] && [ ! -e "$work/tree/mnt" ] && [ ! -e "$work/tree/scratch" ]
ok "mount points leave no trace" $?
[ ! -e "$work/tree/etc/hosts" ] && [ ! -e "$work/tree/etc/resolv.conf" ] && [ ! -e "$work/tree/run" ]
ok "nor do names and certificates" $?

mkdir -p "$work/copies/d/sub" "$work/copies/p/q"
echo a >"$work/copies/d/a.txt"; echo b >"$work/copies/d/b.md"; echo c >"$work/copies/d/sub/c.md"
echo q >"$work/copies/p/q/f"; ln -s a.txt "$work/copies/d/link"
rm -rf "$work/tree"
build copies --output "type=local,dest=$work/tree" <<'EOF'
FROM base:1
ENV T=there
COPY --chown=app --chmod=u=rwX,go= d /x
COPY --exclude=**/*.md d /y/
COPY --parents p/./q/f /z/
COPY --link d/*.md /opt/$T/
COPY <<"RAW" <<COOKED /docs/
$T
RAW
$T
COOKED
WORKDIR rel
EOF
ok "COPY with its flags" $?
( cd "$work/tree" && stat -c '%n %u:%g %a' x x/a.txt x/sub opt/there rel && readlink x/link && ls y y/sub && cat z/q/f docs/RAW docs/COOKED && ls opt/there ) >"$work/got" 2>&1
cat >"$work/wanted" <<'EOF'
x 1000:1001 700
x/a.txt 1000:1001 600
x/sub 1000:1001 700
opt/there 0:0 755
rel 0:0 755
a.txt
y:
a.txt
link
sub

y/sub:
q
$T
there
b.md
EOF
sed -i 's/^opt\/there 0:0 7[0-9]*/opt\/there 0:0 755/' "$work/got"
diff "$work/wanted" "$work/got" | sed 's/^/# /' >"$work/diff"; cat "$work/diff"; [ ! -s "$work/diff" ]
ok "and the tree they make" $?

build parent -t parent:1 <<'EOF'
FROM base:1
ONBUILD RUN echo triggered
ONBUILD COPY Dockerfile /trigger
EOF
build child <<'EOF'
FROM parent:1
RUN ls /trigger
EOF
sees triggered && sees /trigger; ok "ONBUILD runs in the child" $?

refuse() { # DESCRIPTION MESSAGE [OPTION…]; the Dockerfile is $work/file
    what=$1
    message=$2
    shift 2
    if build refused "$@" <"$work/file"; then
        echo "# it built"
        false
    else
        says "$message"
    fi
    ok "$what" $?
}
printf 'FROM base:1\nRUN echo last words; exit 7\n' >"$work/file"; refuse "a failing step" "Dockerfile:2: process \"/bin/sh -c echo last words; exit 7\" did not complete successfully: exit code: 7"
printf 'FROM base:1\nCOPY nope /\n' >"$work/file"; refuse "a missing source" 'Dockerfile:2: "/nope": not found'
printf 'FROM base:1\nCOPY ../../etc/passwd /\n' >"$work/file"; refuse "a source outside the context" '"/etc/passwd": not found'
printf 'FROM nowhere:1\n' >"$work/file"; refuse "an unknown base" "Dockerfile:1: image 'nowhere:1' is not here"
printf 'FROM base:1\n' >"$work/file"; refuse "an unknown stage" 'target stage "x" could not be found' --target x
printf 'FROM base:1\n RUN --flag x\n' >"$work/file"; refuse "a syntax error has its place" "Dockerfile:2:6: unknown flag: --flag"
printf 'FROM base:1\nRUN --network=host true\n' >"$work/file"; refuse "the host's network is not for the asking" "Dockerfile:2: network.host is not allowed"
printf 'FROM base:1\nRUN touch /dev/x; ln -s /proc /x; cat /proc/kcore\n' >"$work/file"; refuse "the kernel's memory is masked" "exit code: 1"

mkdir -p "$work/refused"; printf 'FROM base:1\nRUN sleep 30\n' >"$work/refused/Dockerfile"
"$slipway" build "$work/refused" >/dev/null 2>&1 &
pid=$!
sleep 1
kill -9 "$pid"
wait "$pid" 2>/dev/null
sleep 0.5
mkdir -p "$work/refused"; ! grep -q "$SLIPWAY_HOME" /proc/mounts; ok "kill -9 leaves no mount" $?
build after <<'EOF'
FROM base:1
RUN echo alive
EOF
sees alive; ok "and the next build is unharmed" $?

printf 'FROM base:1\nRUN sleep 1; echo x >/x\nRUN cat /x >/y\n' >"$work/refused/Dockerfile"
for i in 1 2 3; do
    SOURCE_DATE_EPOCH=1 "$slipway" build -q "$work/refused" >"$work/same.$i" 2>&1 &
done
wait
cmp -s "$work/same.1" "$work/same.2" && cmp -s "$work/same.1" "$work/same.3" && grep -q ^sha256 "$work/same.1"
ok "three builds at once agree" $?
finish
