#!/bin/sh
# lint.sh BUILD: start-up and one Dockerfile, beside hadolint; start-up beside actionlint.
. "$(dirname "$0")/lib.sh"
cat >"$work/Dockerfile" <<'EOF'
FROM debian:bookworm-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc=4:12.2.0-3 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN cc -O2 -o orders orders.c
FROM debian:bookworm-slim
WORKDIR /srv
COPY --from=build /src/orders /srv/orders
ENV PORT=8080 LOG=json
USER 1000
EXPOSE 8080
HEALTHCHECK --interval=5s CMD ["/srv/orders", "--check"]
ENTRYPOINT ["/srv/orders"]
EOF
if have hadolint; then
    pairs "start" --runs 21 "$slipway --version" hadolint "hadolint --version"
    pairs "lint of a Dockerfile" --runs 21 "$slipway lint $work/Dockerfile" hadolint "hadolint $work/Dockerfile"
fi
if have actionlint; then
    pairs "start" --runs 21 "$slipway --version" actionlint "actionlint --version"
fi
