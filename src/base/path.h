/* path.h - paths as text; nothing here looks at the disk. */
#pragma once

/* PATH with ".", ".." and doubled slashes removed, without slashes at either end; `..` stops at the
 * root. For the caller to free. */
char *path_clean(const char *path);
