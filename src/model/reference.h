/* reference.h - the name of an image, by Docker's rules: [domain/]path[:tag][@digest].
 *
 * Parsing normalises: "debian" is docker.io/library/debian, "ana/web" docker.io/ana/web. What
 * stands before the first slash is a domain when it holds a dot, a colon or a capital, or is
 * "localhost". "registry.local/…" is a name in this machine's own store, never a host that is
 * asked. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#define REFERENCE_LOCAL_DOMAIN "registry.local"

typedef struct {
    char *domain; /* "docker.io", "localhost:5000" */
    char *path;   /* "library/debian" */
    char *tag;    /* NULL: none was given */
    char *digest; /* NULL: none was given */
} Reference;

/* Parses TEXT. INVALID with a message that quotes TEXT and says which part is wrong. */
Reference *reference_parse(const char *text, GError **error);

/* "domain/path". */
char *reference_repository(const Reference *reference);
/* "domain/path:tag"; the tag is "latest" where none was given, the digest is left out. */
char *reference_name(const Reference *reference);
/* The whole canonical text, with the tag and digest that were given. */
char *reference_format(const Reference *reference);
/* The shortest text that parses to the same: "debian:bookworm". */
char *reference_familiar(const Reference *reference);

bool reference_is_local(const Reference *reference);

/* [A-Za-z0-9_][A-Za-z0-9._-]{0,127} */
bool reference_is_tag(const char *text);
/* Lower-case components of a repository path, at most 255 bytes. */
bool reference_is_path(const char *text);

void reference_free(Reference *reference);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Reference, reference_free)
