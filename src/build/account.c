#include "build/account.h"

#include "base/error.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

void account_clear(Account *account)
{
    g_clear_pointer(&account->home, g_free);
    g_clear_pointer(&account->groups, g_free);
}

static bool is_number(const char *text, uint32_t *number)
{
    char *end;
    guint64 value = g_ascii_strtoull(text, &end, 10);
    *number = (uint32_t) value;
    return g_ascii_isdigit(text[0]) && *end == '\0' && value < UINT32_MAX;
}

/* The fields of the line of TEXT whose first field is NAME, or whose third is NUMBER when NAME is
 * NULL. */
static char **find_line(const char *text, const char *name, uint32_t number)
{
    g_auto(GStrv) lines = g_strsplit(text != NULL ? text : "", "\n", -1);
    for (char **line = lines; *line != NULL; line++) {
        g_auto(GStrv) fields = g_strsplit(*line, ":", -1);
        uint32_t id;
        if (g_strv_length(fields) < 3 || !is_number(fields[2], &id))
            continue;
        if (name != NULL ? g_str_equal(fields[0], name) : id == number)
            return g_steal_pointer(&fields);
    }
    return NULL;
}

static bool not_found(const char *kind, const char *name, GError **error)
{
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND,
                "unable to find %s %s: no matching entries in the image's %s file", kind, name,
                g_str_equal(kind, "user") ? "passwd" : "group");
    return false;
}

static void collect_groups(const char *text, const char *user, Account *account)
{
    GArray *ids = g_array_new(FALSE, FALSE, sizeof(gid_t));
    g_auto(GStrv) lines = g_strsplit(text != NULL ? text : "", "\n", -1);
    for (char **line = lines; *line != NULL; line++) {
        g_auto(GStrv) fields = g_strsplit(*line, ":", -1);
        uint32_t id;
        if (g_strv_length(fields) < 4 || !is_number(fields[2], &id))
            continue;
        g_auto(GStrv) members = g_strsplit(fields[3], ",", -1);
        if (g_strv_contains((const char *const *) members, user))
            g_array_append_val(ids, id);
    }
    account->group_count = ids->len;
    account->groups = (gid_t *) g_array_free(ids, FALSE);
}

static bool resolve_group(const char *text, const char *group, gid_t *gid, GError **error)
{
    uint32_t number;
    if (is_number(group, &number)) {
        *gid = number;
        return true;
    }
    g_auto(GStrv) line = find_line(text, group, 0);
    if (line == NULL)
        return not_found("group", group, error);
    *gid = (gid_t) strtoul(line[2], NULL, 10);
    return true;
}

static char *read_table(RootTree *root, const char *path, GError **error)
{
    GError *problem = NULL;
    char *text = root_tree_read(root, path, &problem);
    if (problem != NULL)
        g_propagate_error(error, problem);
    else if (text == NULL)
        text = g_strdup("");
    return text;
}

bool account_resolve(RootTree *root, const char *text, bool chown, Account *account, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(*text != '\0' ? text : "0", ":", 2);
    g_autofree char *passwd = read_table(root, "etc/passwd", error);
    g_autofree char *group = passwd != NULL ? read_table(root, "etc/group", error) : NULL;
    if (group == NULL)
        return false;
    const char *user = *parts[0] != '\0' ? parts[0] : "0";
    uint32_t number = 0;
    bool numeric = is_number(user, &number);
    g_auto(GStrv) line = find_line(passwd, numeric ? NULL : user, number);
    if (line == NULL && !numeric)
        return not_found("user", user, error);
    bool full = line != NULL && g_strv_length(line) >= 6;
    *account = (Account){
        .uid = line != NULL ? (uid_t) strtoul(line[2], NULL, 10) : number,
        .gid = full && !(chown && numeric) ? (gid_t) strtoul(line[3], NULL, 10)
               : chown                     ? number
                                           : 0u,
        .home = g_strdup(full && *line[5] != '\0'      ? line[5]
                         : line == NULL && number == 0 ? "/root"
                                                       : "/"),
    };
    if (parts[1] != NULL && *parts[1] != '\0')
        return resolve_group(group, parts[1], &account->gid, error);
    if (line != NULL)
        collect_groups(group, line[0], account);
    return true;
}
