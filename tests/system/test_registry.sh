#!/bin/sh
# TAP: the distribution API, endpoint by endpoint, with the statuses, headers and codes of version
# 1.1. Drives the built program with curl.
command -v curl >/dev/null || { echo "1..0 # SKIP curl is missing"; exit 0; }
. "$(dirname "$0")/registry.sh"
serve

printf '{"architecture":"amd64","os":"linux"}' >"$work/config"
head -c 2048 /dev/urandom >"$work/layer"
head -c 300000 /dev/urandom >"$work/large"
: >"$work/empty"
config=$(sha256 "$work/config")
layer=$(sha256 "$work/layer")
large=$(sha256 "$work/large")
empty=$(sha256 "$work/empty")
absent=sha256:0000000000000000000000000000000000000000000000000000000000000000

# --- ping, routes, methods
expect 200 ping GET /v2/
same "ping: version header" "$(header Docker-Distribution-API-Version)" registry/2.0
same "ping: body" "$(cat "$work/body")" '{}'
expect 200 "ping without slash" GET /v2
expect 405 "ping: wrong method" POST /v2/
same "ping: allowed methods" "$(header Allow)" "GET, HEAD"
expect 404 "unknown path" GET /v2/a/b/c
same "unknown path: JSON" "$(header Content-Type)" application/json
expect 404 "outside of v2" GET /
expect 405 "blob: wrong method" PUT "/v2/a/blobs/$layer"
expect 405 "tags: wrong method" DELETE /v2/a/tags/list
expect 400 "name with capitals" GET "/v2/Abc/manifests/v1"
same "name with capitals: code" "$(code)" NAME_INVALID
expect 400 "name with dots at the end" POST "/v2/abc./blobs/uploads/"
expect 400 "malformed escape" GET "/v2/a%2/tags/list"
expect 404 "traversal" GET "/v2/../../etc/passwd" --path-as-is

# --- uploads: four ways
expect 201 "upload: one POST" POST "/v2/a/blobs/uploads/?digest=$layer" --data-binary "@$work/layer"
same "upload: location" "$(header Location)" "/v2/a/blobs/$layer"
same "upload: digest" "$(header Docker-Content-Digest)" "$layer"
expect 202 "upload: start" POST /v2/a/blobs/uploads/
same "upload: empty range" "$(header Range)" 0-0
check "upload: id" test -n "$(header Docker-Upload-UUID)"
expect 202 "upload: start without slash" POST /v2/a/blobs/uploads
session=$(start a)
expect 201 "upload: POST and PUT" PUT "$session?digest=$config" --data-binary "@$work/config"
expect 404 "upload: a session ends with its PUT" GET "$session"
session=$(start a)
expect 202 "upload: PATCH as a stream" PATCH "$session" -H 'Transfer-Encoding: chunked' --data-binary "@$work/large"
same "upload: range after PATCH" "$(header Range)" 0-299999
expect 201 "upload: closing PUT" PUT "$url$(header Location)?digest=$large"
session=$(start a)
head -c 1000 "$work/layer" >"$work/first"
tail -c +1001 "$work/layer" >"$work/rest"
expect 202 "upload: first chunk" PATCH "$session" -H 'Content-Range: 0-999' --data-binary "@$work/first"
expect 416 "upload: chunk out of order" PATCH "$session" -H 'Content-Range: 1500-2547' --data-binary "@$work/rest"
same "upload: true range after 416" "$(header Range)" 0-999
check "upload: location after 416" test -n "$(header Location)"
expect 416 "upload: chunk again" PATCH "$session" -H 'Content-Range: 0-999' --data-binary "@$work/first"
expect 416 "upload: chunk of another length" PATCH "$session" -H 'Content-Range: 1000-1500' --data-binary "@$work/rest"
expect 416 "upload: chunk of another length, streamed" PATCH "$session" -H 'Content-Range: 1000-1500' -H 'Transfer-Encoding: chunked' --data-binary "@$work/rest"
expect 416 "upload: malformed chunk range" PATCH "$session" -H 'Content-Range: x' --data-binary "@$work/rest"
expect 416 "upload: PUT out of order" PUT "$session?digest=$layer" -H 'Content-Range: 5-1052' --data-binary "@$work/rest"
expect 204 "upload: status" GET "$session"
same "upload: status range" "$(header Range)" 0-999
expect 202 "upload: second chunk" PATCH "$session" -H 'Content-Range: 1000-2047' --data-binary "@$work/rest"
expect 201 "upload: chunks finished" PUT "$session?digest=$layer"
session=$(start a)
expect 202 "upload: chunk before a PUT with the last one" PATCH "$session" --data-binary "@$work/first"
expect 201 "upload: PUT with the last chunk" PUT "$session?digest=$layer" -H 'Content-Range: 1000-2047' --data-binary "@$work/rest"
session=$(start a)
expect 204 "upload: cancel" DELETE "$session"
expect 404 "upload: cancelled" GET "$session"
same "upload: cancelled: code" "$(code)" BLOB_UPLOAD_UNKNOWN
expect 404 "upload: unknown session" PATCH /v2/a/blobs/uploads/8c9b3f6e-6c70-4a4e-9d6e-1f0b2c3d4e5f --data-binary x
expect 404 "upload: no id at all" PATCH /v2/a/blobs/uploads/.. --path-as-is --data-binary x
session=$(start a)
expect 404 "upload: a session is its repository's" PATCH "$(echo "$session" | sed 's,/v2/a/,/v2/b/,')" --data-binary x
expect 400 "upload: PUT without digest" PUT "$session"
expect 400 "upload: malformed digest" PUT "$session?digest=sha256:XYZ"
expect 400 "upload: capital digits" PUT "$session?digest=$(echo "$layer" | tr a-f A-F | sed s/SHA/sha/)"
expect 400 "upload: other bytes" PUT "$session?digest=$absent" --data-binary "@$work/layer"
same "upload: other bytes: code" "$(code)" DIGEST_INVALID
expect 404 "upload: dropped after other bytes" GET "$session"
expect 400 "upload: one POST, other bytes" POST "/v2/a/blobs/uploads/?digest=$absent" --data-binary "@$work/layer"
expect 201 "upload: empty blob in one POST" POST "/v2/a/blobs/uploads/?digest=$empty"
session=$(start a)
expect 201 "upload: empty blob by PUT" PUT "$session?digest=$empty"
expect 200 "empty blob" GET "/v2/a/blobs/$empty"
same "empty blob: length" "$(header Content-Length)" 0
expect 405 "upload: wrong method" GET /v2/a/blobs/uploads/

# --- sha512
layer512=$(sha512 "$work/layer")
session=$(start a '?digest-algorithm=sha512')
expect 202 "sha512: chunk" PATCH "$session" --data-binary "@$work/layer"
expect 201 "sha512: finish" PUT "$session?digest=$layer512"
same "sha512: digest" "$(header Docker-Content-Digest)" "$layer512"
expect 200 "sha512: blob" GET "/v2/a/blobs/$layer512"
check "sha512: bytes" cmp "$work/body" "$work/layer"
session=$(start a)
expect 201 "sha512: not foreseen" PUT "$session?digest=$(sha512 "$work/config")" --data-binary "@$work/config"
expect 400 "unknown algorithm" POST "/v2/a/blobs/uploads/?digest-algorithm=md5"

# --- blobs, ranges, conditions
expect 200 "blob" GET "/v2/a/blobs/$layer"
check "blob: bytes" cmp "$work/body" "$work/layer"
same "blob: etag" "$(header ETag)" "\"$layer\""
same "blob: ranges" "$(header Accept-Ranges)" bytes
expect 200 "blob: HEAD" HEAD "/v2/a/blobs/$layer"
same "blob: HEAD length" "$(header Content-Length)" 2048
same "blob: HEAD digest" "$(header Docker-Content-Digest)" "$layer"
expect 304 "blob: known to the client" GET "/v2/a/blobs/$layer" -H "If-None-Match: \"$layer\""
expect 404 "blob: unknown" GET "/v2/a/blobs/$absent"
same "blob: unknown: code" "$(code)" BLOB_UNKNOWN
expect 404 "blob: no digest" GET "/v2/a/blobs/sha256:x"
for row in '0-99 206 0-99/2048' '100- 206 100-2047/2048' '-48 206 2000-2047/2048' \
    '2000-5000 206 2000-2047/2048' '0-0 206 0-0/2048' '-9999 206 0-2047/2048' \
    '2048- 416 */2048' '500-0 416 */2048' 'x-y 416 */2048' '-0 416 */2048'; do
    set -- $row
    expect "$2" "range $1" GET "/v2/a/blobs/$layer" -H "Range: bytes=$1"
    same "range $1: content range" "$(header Content-Range)" "bytes $3"
done
request GET "/v2/a/blobs/$layer" -H 'Range: bytes=100-199' >/dev/null
tail -c +101 "$work/layer" | head -c 100 >"$work/part"
check "range: bytes" cmp "$work/body" "$work/part"
expect 200 "several ranges: the whole" GET "/v2/a/blobs/$layer" -H 'Range: bytes=0-1,5-6'

# --- isolation and mounts
expect 404 "isolation: unseen in another repository" GET "/v2/b/blobs/$layer"
expect 404 "isolation: HEAD" HEAD "/v2/b/blobs/$layer"
expect 201 "mount" POST "/v2/b/blobs/uploads/?mount=$layer&from=a"
same "mount: location" "$(header Location)" "/v2/b/blobs/$layer"
expect 200 "mount: seen now" GET "/v2/b/blobs/$layer"
expect 202 "mount: source lacks it" POST "/v2/c/blobs/uploads/?mount=$config&from=b"
expect 404 "mount: not seen after that" GET "/v2/c/blobs/$config"
expect 202 "mount: source unknown" POST "/v2/c/blobs/uploads/?mount=$config&from=nowhere"
expect 201 "mount: anonymous" POST "/v2/c/blobs/uploads/?mount=$config"
expect 202 "mount: anonymous, nowhere" POST "/v2/c/blobs/uploads/?mount=$absent"
expect 202 "mount: malformed digest" POST "/v2/c/blobs/uploads/?mount=x&from=a"

# --- manifests
manifest "$work/m" "$work/config" "$work/layer"
m=$(sha256 "$work/m")
expect 201 "manifest: push" PUT /v2/a/manifests/v1 -H "$oci_manifest" --data-binary "@$work/m"
same "manifest: digest" "$(header Docker-Content-Digest)" "$m"
same "manifest: location" "$(header Location)" "/v2/a/manifests/$m"
same "manifest: no subject" "$(header OCI-Subject)" ""
expect 201 "manifest: push again" PUT /v2/a/manifests/v1 -H "$oci_manifest" --data-binary "@$work/m"
expect 201 "manifest: push by digest" PUT "/v2/a/manifests/$m" -H "$oci_manifest" --data-binary "@$work/m"
expect 400 "manifest: another digest" PUT "/v2/a/manifests/$absent" -H "$oci_manifest" --data-binary "@$work/m"
same "manifest: another digest: code" "$(code)" DIGEST_INVALID
expect 200 "manifest: by tag" GET /v2/a/manifests/v1
check "manifest: bytes" cmp "$work/body" "$work/m"
same "manifest: type" "$(header Content-Type)" application/vnd.oci.image.manifest.v1+json
expect 200 "manifest: by digest" GET "/v2/a/manifests/$m"
expect 200 "manifest: whatever Accept says" GET /v2/a/manifests/v1 -H 'Accept: text/plain'
expect 200 "manifest: HEAD" HEAD /v2/a/manifests/v1
same "manifest: HEAD length" "$(header Content-Length)" "$(size "$work/m")"
expect 304 "manifest: known to the client" GET /v2/a/manifests/v1 -H "If-None-Match: \"$m\""
expect 404 "manifest: unknown tag" GET /v2/a/manifests/nope
same "manifest: unknown tag: code" "$(code)" MANIFEST_UNKNOWN
expect 404 "manifest: unknown repository" GET /v2/nowhere/manifests/v1
same "manifest: unknown repository: code" "$(code)" NAME_UNKNOWN
expect 404 "manifest: HEAD of an unknown one" HEAD /v2/a/manifests/nope
expect 404 "isolation: manifest of another repository" GET "/v2/b/manifests/$m"
expect 400 "manifest: bad tag" PUT /v2/a/manifests/.v1 -H "$oci_manifest" --data-binary "@$work/m"
expect 400 "manifest: no JSON" PUT /v2/a/manifests/bad -H "$oci_manifest" --data-binary '{'
same "manifest: no JSON: code" "$(code)" MANIFEST_INVALID
expect 400 "manifest: list" PUT /v2/a/manifests/bad -H "$oci_manifest" --data-binary '[]'
expect 400 "manifest: another type inside" PUT /v2/a/manifests/bad -H "$oci_index" --data-binary "@$work/m"
expect 400 "manifest: two things at once" PUT /v2/a/manifests/bad -H "$oci_manifest" --data-binary '{"schemaVersion":2,"manifests":[],"layers":[]}'
expect 400 "manifest: schema 1" PUT /v2/a/manifests/bad -H 'Content-Type: application/vnd.docker.distribution.manifest.v1+prettyjws' --data-binary '{"schemaVersion":1}'
expect 400 "manifest: unknown blobs" PUT /v2/c/manifests/v1 -H "$oci_manifest" --data-binary "@$work/m"
same "manifest: unknown blobs: code" "$(code)" MANIFEST_BLOB_UNKNOWN
check "manifest: unknown blobs: which" grep -q "$layer" "$work/body"
manifest "$work/short" "$work/config" "$work/layer" ',"annotations":{"pad":"'
{ tr -d '\n' <"$work/short" | sed 's/}$//'; head -c 3900000 /dev/zero | tr '\0' x; printf '"}}'; } >"$work/pad"
expect 201 "manifest: of 3.9 MB" PUT /v2/a/manifests/pad -H "$oci_manifest" --data-binary "@$work/pad"
head -c 4194305 /dev/zero | tr '\0' ' ' >"$work/toolarge"
expect 413 "manifest: too large" PUT /v2/a/manifests/large -H "$oci_manifest" -H 'Expect:' --data-binary "@$work/toolarge"
expect 413 "manifest: too large, streamed" PUT /v2/a/manifests/large -H "$oci_manifest" -H 'Transfer-Encoding: chunked' --data-binary "@$work/toolarge"
printf '{"schemaVersion":2,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"%s","size":%s},"layers":[]}' "$config" "$(size "$work/config")" >"$work/untyped"
expect 201 "manifest: told by its form" PUT /v2/a/manifests/untyped -H 'Content-Type:' --data-binary "@$work/untyped"
request GET /v2/a/manifests/untyped >/dev/null
same "manifest: told by its form: type" "$(header Content-Type)" application/vnd.oci.image.manifest.v1+json
expect 201 "manifest: Content-Type with parameters" PUT /v2/a/manifests/untyped -H "$oci_manifest; charset=utf-8" --data-binary "@$work/untyped"
printf '{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json","config":{"mediaType":"application/vnd.docker.container.image.v1+json","digest":"%s","size":%s},"layers":[{"mediaType":"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip","digest":"%s","size":9,"urls":["https://example.com/layer"]}]}' "$config" "$(size "$work/config")" "$absent" >"$work/docker"
expect 201 "manifest: Docker's, with a foreign layer" PUT /v2/a/manifests/docker -H 'Content-Type: application/vnd.docker.distribution.manifest.v2+json' --data-binary "@$work/docker"
expect 201 "manifest: unknown JSON" PUT /v2/a/manifests/other -H 'Content-Type: application/vnd.example+json' --data-binary '{"a":1}'
printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"%s","size":%s}]}' "$m" "$(size "$work/m")" >"$work/index"
expect 201 "index" PUT /v2/a/manifests/index -H "$oci_index" --data-binary "@$work/index"
expect 400 "index: unknown child" PUT /v2/b/manifests/index -H "$oci_index" --data-binary "@$work/index"
m512=$(sha512 "$work/m")
expect 201 "manifest: by sha512" PUT "/v2/a/manifests/$m512" -H "$oci_manifest" --data-binary "@$work/m"
same "manifest: by sha512: digest" "$(header Docker-Content-Digest)" "$m512"
expect 200 "manifest: read by sha512" GET "/v2/a/manifests/$m512"

# --- tags of one push, and the list
for blob in "$config" "$layer"; do
    request POST "/v2/t/blobs/uploads/?mount=$blob&from=a" >/dev/null
done
expect 201 "push with tags" PUT "/v2/t/manifests/$m?tag=t2&tag=t1&tag=T3" -H "$oci_manifest" --data-binary "@$work/m"
same "push with tags: answer" "$(header OCI-Tag)" "t2, t1, T3"
expect 400 "push with tags: one is none" PUT "/v2/t/manifests/$m?tag=ok&tag=.no" -H "$oci_manifest" --data-binary "@$work/m"
expect 414 "push with tags: too many" PUT "/v2/t/manifests/$m?$(seq -f 'tag=n%g' -s '&' 101)" -H "$oci_manifest" --data-binary "@$work/m"
tags() { sed 's/.*"tags":\[\(.*\)\]}/\1/; s/"//g' "$work/body"; }
expect 200 "tags" GET /v2/t/tags/list
same "tags: in the order of bytes" "$(cat "$work/body")" '{"name":"t","tags":["T3","t1","t2"]}'
expect 200 "tags: a page" GET '/v2/t/tags/list?n=2'
same "tags: a page's content" "$(tags)" "T3,t1"
same "tags: link" "$(header Link)" '</v2/t/tags/list?n=2&last=t1>; rel="next"'
expect 200 "tags: next page" GET '/v2/t/tags/list?n=2&last=t1'
same "tags: next page's content" "$(tags)" t2
same "tags: no link at the end" "$(header Link)" ""
expect 200 "tags: last that is none" GET '/v2/t/tags/list?last=t0'
same "tags: behind one that is none" "$(tags)" "t1,t2"
expect 200 "tags: none asked" GET '/v2/t/tags/list?n=0'
same "tags: none asked: content" "$(tags)" ""
same "tags: none asked: no link" "$(header Link)" ""
expect 400 "tags: negative" GET '/v2/t/tags/list?n=-1'
expect 400 "tags: no number" GET '/v2/t/tags/list?n=x'
expect 404 "tags: unknown repository" GET /v2/nowhere/tags/list
expect 200 "tags: none there" GET /v2/c/tags/list
same "tags: none there: content" "$(cat "$work/body")" '{"name":"c","tags":[]}'
expect 200 catalog GET /v2/_catalog
same "catalog: content" "$(cat "$work/body")" '{"repositories":["a","b","c","t"]}'
expect 200 "catalog: a page" GET '/v2/_catalog?n=1&last=a'
same "catalog: link" "$(header Link)" '</v2/_catalog?n=1&last=b>; rel="next"'

# --- repositories called like the API's own words
for name in blobs manifests tags/list/x a/blobs/uploads v2/referrers; do
    expect 201 "repository '$name': blob" POST "/v2/$name/blobs/uploads/?digest=$config" --data-binary "@$work/config"
    expect 201 "repository '$name': manifest" PUT "/v2/$name/manifests/manifests" -H "$oci_manifest" --data-binary "@$work/untyped"
    expect 200 "repository '$name': tags" GET "/v2/$name/tags/list"
done

# --- referrers
referrer() { # FILE TYPE SUBJECT
    printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","artifactType":"%s","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"%s","size":%s},"layers":[],"subject":{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"%s","size":9},"annotations":{"k":"v"}}' "$2" "$config" "$(size "$work/config")" "$3" >"$1"
}
referrer "$work/r1" application/vnd.example+one "$m"
referrer "$work/r2" application/vnd.example+two "$m"
referrer "$work/r3" application/vnd.example+one "$absent"
expect 200 "referrers: none" GET "/v2/t/referrers/$m"
same "referrers: none: content" "$(cat "$work/body")" '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}'
same "referrers: type" "$(header Content-Type)" application/vnd.oci.image.index.v1+json
expect 200 "referrers: unknown repository" GET "/v2/nowhere/referrers/$m"
expect 400 "referrers: bad digest" GET /v2/t/referrers/sha256:x
expect 201 "referrers: push one" PUT "/v2/t/manifests/$(sha256 "$work/r1")" -H "$oci_manifest" --data-binary "@$work/r1"
same "referrers: subject" "$(header OCI-Subject)" "$m"
expect 201 "referrers: push two" PUT "/v2/t/manifests/$(sha256 "$work/r2")" -H "$oci_manifest" --data-binary "@$work/r2"
expect 201 "referrers: the subject need not be there" PUT /v2/t/manifests/early -H "$oci_manifest" --data-binary "@$work/r3"
listed() { grep -o '"digest":"[^"]*"' "$work/body" | wc -l | tr -d ' '; }
expect 200 "referrers: two" GET "/v2/t/referrers/$m"
same "referrers: two: count" "$(listed)" 2
check "referrers: annotations" grep -q '"annotations":{"k":"v"}' "$work/body"
check "referrers: artifact type" grep -q '"artifactType":"application/vnd.example+two"' "$work/body"
same "referrers: no filter said" "$(header OCI-Filters-Applied)" ""
expect 200 "referrers: filter" GET "/v2/t/referrers/$m?artifactType=application%2Fvnd.example%2Bone"
same "referrers: filter: count" "$(listed)" 1
same "referrers: filter said" "$(header OCI-Filters-Applied)" artifactType
expect 200 "referrers: filter with a bare plus" GET "/v2/t/referrers/$m?artifactType=application/vnd.example+one"
same "referrers: filter with a bare plus: count" "$(listed)" 1
expect 200 "referrers: filter without a match" GET "/v2/t/referrers/$m?artifactType=none/such"
same "referrers: filter without a match: count" "$(listed)" 0
expect 200 "referrers: a page" GET "/v2/t/referrers/$m?n=1"
same "referrers: a page: count" "$(listed)" 1
next=$(header Link | sed 's/<\(.*\)>.*/\1/')
expect 200 "referrers: next page" GET "$next"
same "referrers: next page: count" "$(listed)" 1
expect 200 "referrers: of one that came later" GET "/v2/t/referrers/$absent"
same "referrers: of one that came later: count" "$(listed)" 1
expect 202 "referrers: delete one" DELETE "/v2/t/manifests/$(sha256 "$work/r1")"
request GET "/v2/t/referrers/$m" >/dev/null
same "referrers: gone at once" "$(listed)" 1

# --- deleting
expect 405 "delete: blob in use" DELETE "/v2/t/blobs/$layer"
expect 202 "delete: tag" DELETE /v2/t/manifests/t1
expect 404 "delete: tag is gone" GET /v2/t/manifests/t1
expect 404 "delete: tag again" DELETE /v2/t/manifests/t1
expect 200 "delete: the manifest stays" GET "/v2/t/manifests/$m"
expect 202 "delete: manifest" DELETE "/v2/t/manifests/$m"
expect 404 "delete: manifest is gone" GET "/v2/t/manifests/$m"
expect 404 "delete: its tags went with it" GET /v2/t/manifests/t2
expect 404 "delete: manifest again" DELETE "/v2/t/manifests/$m"
expect 200 "delete: not in other repositories" GET "/v2/a/manifests/$m"
expect 202 "delete: blob" DELETE "/v2/t/blobs/$layer"
expect 404 "delete: blob is gone" HEAD "/v2/t/blobs/$layer"
expect 404 "delete: blob again" DELETE "/v2/t/blobs/$layer"
expect 200 "delete: blob is still elsewhere" GET "/v2/a/blobs/$layer"
expect 202 "overwrite: blob for a moving tag" POST /v2/t/blobs/uploads/
upload t "$work/layer"
expect 201 "tag: first" PUT /v2/t/manifests/moving -H "$oci_manifest" --data-binary "@$work/m"
expect 201 "tag: moved" PUT /v2/t/manifests/moving -H "$oci_manifest" --data-binary "@$work/untyped"
request HEAD /v2/t/manifests/moving >/dev/null
same "tag: moved: digest" "$(header Docker-Content-Digest)" "$(sha256 "$work/untyped")"
expect 200 "tag: the old manifest stays" GET "/v2/t/manifests/$m"

# --- early answers, kept connections
same "100-continue: refused before the body" \
    "$(curl -s -o /dev/null -w '%{http_code}' -H 'Expect: 100-continue' -T "$work/toolarge" "$url/v2/a/blobs/uploads/8c9b3f6e-6c70-4a4e-9d6e-1f0b2c3d4e5f?digest=$layer")" 404
same "connection is kept" \
    "$(curl -s -o /dev/null -o /dev/null -w '%{num_connects} ' "$url/v2/" "$url/v2/t/tags/list")" "1 0 "

# --- the end, and what outlives it
session=$(start a)
request PATCH "$session" --data-binary "@$work/first" >/dev/null
address=${url#http://}
check "SIGTERM ends it in peace" stop
serve "$address"
expect 204 "an upload outlives the server" GET "$session"
same "an upload outlives the server: range" "$(header Range)" 0-999
expect 202 "an upload goes on" PATCH "$session" -H 'Content-Range: 1000-2047' --data-binary "@$work/rest"
expect 201 "an upload is finished by another server" PUT "$session?digest=$layer"
"$SLIPWAY_PROGRAM" registry serve --listen "$address" >/dev/null 2>"$work/taken"
same "port in use: status" $? 6
check "port in use: message" grep -q "$address.*in use" "$work/taken"
"$SLIPWAY_PROGRAM" registry serve --listen nonsense >/dev/null 2>&1
same "malformed address: status" $? 1
check "SIGTERM again" stop

# --- passwords
# bcrypt of "secret", at the lowest cost
echo 'ana:$2y$04$T5hA6JNVCM0PzMvKXQpfPOSqwlw1RgyKfEpBMePSSgcERSNycC5dW' >"$work/users"
serve 127.0.0.1:0 --htpasswd "$work/users"
expect 401 "password: none" GET /v2/
same "password: none: challenge" "$(header WWW-Authenticate)" 'Basic realm="slipway"'
same "password: none: code" "$(code)" UNAUTHORIZED
for row in 'GET /v2/_catalog' 'GET /v2/a/tags/list' "GET /v2/a/manifests/v1" "GET /v2/a/blobs/$layer" \
    "GET /v2/a/referrers/$m" 'POST /v2/a/blobs/uploads/' "DELETE /v2/a/blobs/$layer" \
    'PUT /v2/a/manifests/v9' 'DELETE /v2/a/manifests/v1' "POST /v2/z/blobs/uploads/?mount=$layer&from=a" \
    'PATCH /v2/a/blobs/uploads/8c9b3f6e-6c70-4a4e-9d6e-1f0b2c3d4e5f'; do
    set -- $row
    expect 401 "password: none: $1 $(echo "$2" | cut -c1-24)" "$1" "$2"
done
expect 401 "password: wrong" GET /v2/ -u ana:wrong
expect 401 "password: unknown user" GET /v2/ -u eve:secret
expect 401 "password: no base64" GET /v2/ -H 'Authorization: Basic !!'
expect 401 "password: another scheme" GET /v2/ -H 'Authorization: Bearer x'
expect 200 "password: right" GET /v2/ -u ana:secret
expect 200 "password: right, remembered" GET /v2/a/tags/list -u ana:secret
expect 202 "password: push" POST /v2/a/blobs/uploads/ -u ana:secret
for _ in 1 2 3 4 5 6 7 8; do request GET /v2/ -u ana:guess >/dev/null; done
expect 401 "password: guessing is stopped" GET /v2/ -u ben:guess
check "password: guessing is stopped: message" grep -q "wait a minute" "$work/body"
expect 200 "password: who is known goes on" GET /v2/ -u ana:secret
stop
serve 127.0.0.1:0 --htpasswd "$work/users" --auth bearer
host=${url#http://}
expect 401 "token: none" GET /v2/
same "token: none: challenge" "$(header WWW-Authenticate)" "Bearer realm=\"$url/token\",service=\"slipway\""
expect 401 "token: none: push" POST /v2/a/blobs/uploads/
same "token: none: push: challenge" "$(header WWW-Authenticate)" "Bearer realm=\"$url/token\",service=\"slipway\",scope=\"repository:a:pull,push\""
expect 401 "token: without a password" GET "/token?service=slipway&scope=repository:a:pull"
same "token: without a password: challenge" "$(header WWW-Authenticate)" 'Basic realm="slipway"'
expect 401 "token: wrong password" GET "/token?scope=repository:a:pull" -u ana:wrong
expect 405 "token: POST" POST /token
expect 200 "token: for pulls" GET "/token?service=slipway&scope=repository:a:pull" -u ana:secret
pull=$(sed 's/.*"token":"\([^"]*\)".*/\1/' "$work/body")
expect 200 "token: ping" GET /v2/ -H "Authorization: Bearer $pull"
expect 200 "token: pull" GET /v2/a/tags/list -H "Authorization: Bearer $pull"
expect 401 "token: another repository" GET /v2/t/tags/list -H "Authorization: Bearer $pull"
expect 401 "token: push by a token for pulls" POST /v2/a/blobs/uploads/ -H "Authorization: Bearer $pull"
check "token: push by a token for pulls: wider scope" grep -q 'insufficient_scope' "$work/head"
expect 401 "token: mount needs the source" POST "/v2/t/blobs/uploads/?mount=$large&from=a" -H "Authorization: Bearer $pull"
expect 401 "token: changed" GET /v2/ -H "Authorization: Bearer ${pull}x"
expect 401 "token: changed claims" GET /v2/ -H "Authorization: Bearer $(echo "$pull" | sed 's/\./.e/')"
expect 401 "token: no signature" GET /v2/ -H "Authorization: Bearer $(echo "$pull" | sed 's/\.[^.]*$/./')"
expect 401 "token: algorithm none" GET /v2/ -H 'Authorization: Bearer eyJhbGciOiJub25lIn0.e30.'
expect 401 "token: password where a token is asked" GET /v2/ -u ana:secret
expect 200 "token: two scopes" GET "/token?scope=repository:t:pull,push%20repository:a:pull" -u ana:secret
both=$(sed 's/.*"token":"\([^"]*\)".*/\1/' "$work/body")
expect 201 "token: mount with both" POST "/v2/t/blobs/uploads/?mount=$large&from=a" -H "Authorization: Bearer $both"
expect 200 "token: push alone" GET "/token?scope=repository:z:push" -u ana:secret
alone=$(sed 's/.*"token":"\([^"]*\)".*/\1/' "$work/body")
expect 202 "token: mount of what may not be seen starts an upload" POST "/v2/z/blobs/uploads/?mount=$large&from=a" -H "Authorization: Bearer $alone"
expect 202 "token: nor is it found anonymously" POST "/v2/z/blobs/uploads/?mount=$large" -H "Authorization: Bearer $alone"
expect 401 "token: catalog" GET /v2/_catalog -H "Authorization: Bearer $both"
expect 200 "token: for the catalog" GET "/token?scope=registry:catalog:*" -u ana:secret
expect 200 "token: catalog by its own" GET /v2/_catalog -H "Authorization: Bearer $(sed 's/.*"token":"\([^"]*\)".*/\1/' "$work/body")"
SLIPWAY_HOME="$work/client" "$SLIPWAY_PROGRAM" pull -q --creds ana:secret "$host/a:v1" >"$work/digest" 2>"$work/errors"
same "token: slipway pull" "$(cat "$work/digest")" "$m"
SLIPWAY_HOME="$work/client" "$SLIPWAY_PROGRAM" push -q --creds ana:secret "$host/a:v1" "$host/b:new" >"$work/digest" 2>"$work/errors"
same "token: slipway push" "$(cat "$work/digest")" "$m"
if command -v skopeo >/dev/null; then
    check "token: skopeo" skopeo inspect --tls-verify=false --creds ana:secret "docker://$host/b:new"
else
    skip "token: skopeo" "it is not installed"
fi
stop
echo 'ana:plain' >>"$work/users"
"$SLIPWAY_PROGRAM" registry serve --listen 127.0.0.1:0 --htpasswd "$work/users" >/dev/null 2>"$work/errors"
same "password file: malformed: status" $? 1
check "password file: malformed: line" grep -q "users:2: expected user:hash" "$work/errors"

# --- TLS
if command -v openssl >/dev/null; then
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
        -addext 'subjectAltName=DNS:localhost,IP:127.0.0.1' -keyout "$work/key" -out "$work/certificate" 2>/dev/null
    serve 127.0.0.1:0 --tls-cert "$work/certificate" --tls-key "$work/key"
    expect 200 "TLS: manifest" GET /v2/a/manifests/v1 --cacert "$work/certificate"
    check "TLS: bytes" cmp "$work/body" "$work/m"
    expect 200 "TLS: blob" GET "/v2/a/blobs/$large" --cacert "$work/certificate"
    check "TLS: blob bytes" cmp "$work/body" "$work/large"
    expect 000 "TLS: unknown certificate" GET /v2/
    stop
else
    skip TLS "openssl is missing"
fi
echo "1..$count"
