#!/bin/sh
# TAP: the same Dockerfiles by slipway and by the classic builder of docker, started for this test
# alone: the same files (path, type, mode, owner, link, content) and the same config.
#
# Different by intent, and left out: times, /dev /proc /sys and the files docker puts in containers,
# WORKDIR recorded as its own layer, "/" as the working folder of FROM scratch, and set-user-id bits of
# copied files, which the classic builder loses (BuildKit keeps them, and so do we).
. "$(dirname "$0")/build_lib.sh"
for tool in dockerd docker jq; do
    command -v $tool >/dev/null || skip_all "no $tool"
done
daemon=
stop() {
    if [ -n "$daemon" ]; then
        kill "$daemon" 2>/dev/null
        wait "$daemon" 2>/dev/null
    fi
    rm -rf "$work"
}
trap stop EXIT
export DOCKER_HOST="unix://$work/docker.sock" DOCKER_BUILDKIT=0 DOCKER_CONFIG="$work/docker-config"
docker=/usr/bin/docker
[ -x $docker ] || docker=docker
dockerd --host "$DOCKER_HOST" --data-root "$work/docker" --exec-root "$work/docker-run" --pidfile "$work/docker.pid" \
    --bridge none --iptables=false --storage-driver vfs >"$work/dockerd.log" 2>&1 &
daemon=$!
for i in $(seq 100); do
    $docker version >/dev/null 2>&1 && break
    sleep 0.2
done
$docker version >/dev/null 2>&1 || skip_all "dockerd does not start: $(tail -n 1 "$work/dockerd.log")"

printf 'FROM scratch\nADD root.tar /\n' >"$work/base/Dockerfile"
"$slipway" build -q -t base:1 "$work/base" >/dev/null && $docker build -q -t base:1 "$work/base" >/dev/null
ok "the base by both" $?

# list FOLDER: what is compared of each file.
list() {
    (cd "$1" && find . -mindepth 1 \( -path ./dev -o -path ./proc -o -path ./sys \) -prune -o ! -name .dockerenv \
        ! -path ./etc/hosts ! -path ./etc/hostname ! -path ./etc/resolv.conf ! -path ./etc/mtab -printf '%p %y %m %U:%G %l\n' | sort
        find . -path ./dev -prune -o -type f ! -path './etc/host*' ! -path ./etc/resolv.conf ! -name .dockerenv -exec sha256sum {} + | sort)
}
keys='{Cmd,Entrypoint,Env,ExposedPorts,Healthcheck,Labels,OnBuild,Shell,StopSignal,User,Volumes,WorkingDir} | with_entries(select(.value != null and .value != "" and .value != "/" and .value != {} and .value != []))'

# compare NAME [OPTION…]: the Dockerfile comes from stdin.
compare() {
    name=$1
    shift
    rm -rf "$work/mine" "$work/theirs" "$work/context"
    mkdir -p "$work/theirs" "$work/context/d/sub" "$work/context/e"
    echo a >"$work/context/a.txt"
    echo b >"$work/context/b.md"
    echo x >"$work/context/d/x"
    echo y >"$work/context/d/sub/y"
    chmod 751 "$work/context/d/sub"
    chmod 755 "$work/context/d/x"
    ln -s ../a.txt "$work/context/d/link"
    ln -s a.txt "$work/context/soft"
    echo ignored >"$work/context/e/no"
    echo kept >"$work/context/e/yes"
    printf 'e/*\n!e/yes\n' >"$work/context/.dockerignore"
    tar -C "$work/context/d" --owner=5 --group=6 -czf "$work/context/d.tgz" .
    cat >"$work/context/Dockerfile"
    mine=0
    theirs=0
    "$slipway" build -q -t it:1 --output "type=local,dest=$work/mine" "$@" "$work/context" >"$work/out" 2>&1 || mine=1
    $docker build --network none -q -t it:1 "$@" "$work/context" >"$work/docker.out" 2>&1 || theirs=1
    if [ $mine = 1 ] || [ $theirs = 1 ]; then
        [ $mine = $theirs ] || { tail -n 3 "$work/out" "$work/docker.out" | sed 's/^/# /'; false; }
        ok "$name" $?
        return
    fi
    id=$($docker create it:1 none)
    $docker export "$id" | tar -C "$work/theirs" -xp
    $docker rm "$id" >/dev/null
    list "$work/mine" >"$work/mine.list"
    list "$work/theirs" >"$work/theirs.list"
    "$slipway" inspect it:1 | jq -S ".config.config | $keys" >>"$work/mine.list"
    $docker inspect it:1 | jq -S ".[0].Config | $keys" >>"$work/theirs.list"
    diff "$work/theirs.list" "$work/mine.list" | sed 's/^/# /' >"$work/diff"
    cat "$work/diff"
    [ ! -s "$work/diff" ]
    ok "$name" $?
}

compare "files into a folder" <<'EOF'
FROM base:1
COPY a.txt b.md /into/
COPY a.txt /as
COPY *.txt /glob/
COPY soft /soft
EOF
compare "folders" <<'EOF'
FROM base:1
COPY d /new
COPY d /opt/there
COPY d/ /slash/
COPY . /all/
EOF
compare "owners" <<'EOF'
FROM base:1
COPY --chown=app d /a
COPY --chown=7:8 a.txt /b/c/d
COPY --chown=app:extra b.md /e
EOF
compare "archives" <<'EOF'
FROM base:1
ADD d.tgz /unpacked
ADD a.txt /plain
ADD d.tgz /opt/there/
EOF
compare "links in the destination" <<'EOF'
FROM base:1
RUN mkdir /real && ln -s real /named && ln -s /real/deep /far && mkdir /real/deep
COPY a.txt /named/
COPY d /far
EOF
compare "stages" <<'EOF'
FROM base:1 AS one
RUN mkdir -p /out/x && echo 1 >/out/x/f && chown -R 5:6 /out && chmod 711 /out/x
FROM base:1
COPY --from=one /out /got
COPY --from=0 /out/x/f /file
EOF
compare "steps that delete and replace" <<'EOF'
FROM base:1
COPY d /d
RUN rm /d/x && rm -r /opt/there && mkdir /opt/there && echo n >/opt/there/n
RUN rm -r /d/sub && echo file >/d/sub && mv /root/../tmp /moved && mkdir -m 1777 /tmp
EOF
compare "modes and owners of folders" <<'EOF'
FROM base:1
RUN chmod 700 /opt && chown 3:4 /etc && mkdir -p /p/q/r && chmod 2775 /p/q && touch /p/q/r/s && chmod 4711 /p/q/r/s
EOF
compare "working folders" <<'EOF'
FROM base:1
WORKDIR /a/b
WORKDIR c
RUN echo here >f
COPY a.txt .
COPY d ./e
WORKDIR /
EOF
compare "variables" --build-arg GIVEN=outside <<'EOF'
ARG BASE=base:1
FROM $BASE
ARG GIVEN=inside
ARG PLAIN=default
ENV ONE=$GIVEN TWO="a $PLAIN" THREE=${NONE:-fallback} FOUR='$ONE'
ENV ONE=changed FIVE=$ONE
ENV LEGACY some text here
RUN echo "$ONE $TWO $THREE $FOUR $FIVE $LEGACY $GIVEN" >/values
LABEL plain=1 "quoted key"="quoted value" var=$ONE
EOF
compare "config" <<'EOF'
FROM base:1
EXPOSE 80 443/tcp 53/udp
VOLUME /data ["/never"]
USER app:extra
STOPSIGNAL SIGINT
HEALTHCHECK --interval=5s --timeout=1m30s --retries=4 CMD ["ls", "/"]
ENTRYPOINT ["sh", "-c"]
CMD echo hi
EOF
compare "shell and its commands" <<'EOF'
FROM base:1
SHELL ["/bin/sh", "-ec"]
RUN echo set >/set
CMD run me
ENTRYPOINT enter here
HEALTHCHECK CMD ls /x || exit 1
EOF
compare "an entrypoint clears the command of the base" <<'EOF'
FROM base:1 AS parent
CMD ["one"]
ENTRYPOINT ["two"]
FROM parent
ENTRYPOINT ["three"]
EOF
compare "triggers" <<'EOF'
FROM base:1
ONBUILD COPY a.txt /onbuild
ONBUILD RUN echo x
EOF
compare "exec form and quotes" <<'EOF'
FROM base:1
RUN ["sh", "-c", "echo \"$0\" 'a  b' > /exec", "zero"]
RUN echo "two  words" 'single $HOME' \
    # a comment
    continued > /quotes
COPY ["a.txt", "/with space/"]
EOF
compare "hard links and special files" <<'EOF'
FROM base:1
RUN echo h >/h1 && ln /h1 /h2 && ln -s /nowhere /dangling
FROM base:1
COPY --from=0 /h1 /h2 /x/
EOF
compare "users" <<'EOF'
FROM base:1
WORKDIR /w
RUN chown app /w
USER app
RUN id >who && echo "$HOME" >>who
USER 1234
RUN cd /tmp && id >who2
USER 0
COPY a.txt /w/
EOF
compare "several sources need a folder" <<'EOF'
FROM base:1
COPY a.txt b.md /both
EOF
compare "a folder onto a file" <<'EOF'
FROM base:1
COPY d /etc/passwd
EOF
finish
