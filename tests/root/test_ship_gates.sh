#!/bin/sh
# TAP: production cannot be talked round.
. "$(dirname "$0")/ship_lib.sh"
make_repository
mkdir -p "$repository/.github/workflows"
cat >"$repository/.github/workflows/ci.yml" <<'EOF'
on: push
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: ./test.sh
EOF
commit "A workflow"
status 5 "$slipway" ship "$repository"; ok "the first ship adopts the policy" $?
first=$(waiting)
good=$(serving staging)
key=$work/keys

status 1 "$slipway" approve "$first" --as ana --key "$key/ana" && says author; ok "the author may not approve" $?
status 1 "$slipway" approve "$first" --as cy --key "$key/cy" && says "user add"; ok "nobody unknown may" $?
status 1 "$slipway" approve "$first" --as bo --key "$key/cy"; ok "nor with a key that is not enrolled" $?
status 0 approve "$first"; ok "bo may" $?
status 1 "$slipway" approve "$first" --as bo --key "$key/bo"; ok "not a second time" $?

printf '%s\n' '#!/bin/sh' 'echo "1 passed, 0 failed"' >"$repository/test.sh"
write_settings 0 1
sed -i -e 's/^test: .*/test: ["true"]/' "$repository/slipway.yml"
git -C "$repository" rm -rq --cached .github; rm -rf "$repository/.github"
commit "Fewer tests, looser policy, no workflow"
status 1 "$slipway" ship "$repository" && says "tests"; ok "looser checks in the change do not count" $?
git -C "$repository" revert --no-edit HEAD >/dev/null 2>&1

docker_build() { "$slipway" build -q -t registry.local/shop:v9.9.9 "$repository"; }
mode "" sneaked
status 0 docker_build; ok "an image built by hand can have any tag" $?
status 1 "$slipway" deploy production registry.local/shop:v9.9.9 && says "no record"; ok "but was not built by ship" $?
git -C "$repository" checkout --quiet Dockerfile

mode "" two
commit "Second" cy@example.org
status 1 "$slipway" ship "$repository" && says "cy@example.org"; ok "an author who is nobody stops production" $?
status 0 "$slipway" user add cy --email cy@example.org --external; ok "who can be declared external" $?
status 5 "$slipway" ship "$repository"; ok "then a person is asked" $?
status 5 "$slipway" deploy production "$good"; ok "what serves can be asked for again, but a person is asked again" $?
status 1 "$slipway" approve "$first" --as bo --key "$key/bo"; ok "an approval for another digest does not count" $?

mode "" three
commit "By bo" bo@example.org
mode "" four
commit "By ana, on top of bo's"
status 5 "$slipway" ship "$repository" && status 1 "$slipway" approve "$(waiting)" --as bo --key "$key/bo" && says author
ok "who wrote a commit below the last one is an author too" $?

rm -rf "$repository" "$work/state/runs"
cd /
status 0 "$slipway" user add di --email di@example.org --key "$key/cy.pub"
status 5 "$slipway" deploy production; ok "from a fresh process, without repository and run folder, the same is asked" $?
status 0 "$slipway" approve "$(waiting)" --as di --key "$key/cy"; ok "and a person's yes is enough" $?
finish
