#include "cli/image_target.h"

#include "base/error.h"
#include "model/reference.h"

#include <string.h>

#define PREFIX_LENGTH 12

void image_target_free(ImageTarget *target)
{
    if (target == NULL)
        return;
    g_free(target->repository);
    g_free(target->digest);
    g_free(target);
}

static bool is_digest(const char *text)
{
    const char *hex = g_str_has_prefix(text, "sha256:") ? text + strlen("sha256:") : text;
    return strlen(hex) >= PREFIX_LENGTH && hex[strspn(hex, "0123456789abcdef")] == '\0';
}

/* The repository that holds DIGEST; registry.local's before others. */
static char *find_repository(ContentStore *store, const char *digest, GError **error)
{
    g_autoptr(Statement) rows =
        database_prepare(content_state(store)->database, error,
                         "SELECT repository FROM manifest WHERE digest = ? "
                         "ORDER BY repository LIKE 'registry.local/%' DESC, repository",
                         "s", digest);
    if (rows == NULL)
        return NULL;
    g_autoptr(GError) trouble = NULL;
    g_autofree char *first =
        statement_step(rows, &trouble) ? g_strdup(statement_text(rows, 0)) : NULL;
    if (trouble == NULL && first != NULL && statement_step(rows, &trouble) &&
        g_str_has_prefix(statement_text(rows, 0), REFERENCE_LOCAL_DOMAIN "/"))
        g_set_error(&trouble, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "'%s' is in several repositories ('%s', '%s' …); name one: '%s@%s'", digest,
                    first, statement_text(rows, 0), first, digest);
    if (trouble == NULL && first == NULL)
        g_set_error(&trouble, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND,
                    "'%s' has no name yet; give one: `slipway tag %s NAME`, or NAME@%s", digest,
                    digest, digest);
    if (trouble == NULL)
        return g_steal_pointer(&first);
    g_propagate_error(error, g_steal_pointer(&trouble));
    return NULL;
}

static char *repository_of(ContentStore *store, const char *text, const char *digest,
                           GError **error)
{
    if (is_digest(text))
        return find_repository(store, digest, error);
    g_autoptr(Reference) reference = reference_parse(text, error);
    return reference != NULL ? reference_repository(reference) : NULL;
}

ImageTarget *image_target_find(ContentStore *store, const char *text, GError **error)
{
    g_autofree char *digest = image_resolve(store, text, error);
    g_autofree char *repository = digest != NULL ? repository_of(store, text, digest, error) : NULL;
    if (repository == NULL)
        return NULL;
    ImageTarget *target = g_new(ImageTarget, 1);
    *target = (ImageTarget){g_steal_pointer(&repository), g_steal_pointer(&digest)};
    return target;
}
