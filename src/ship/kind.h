/* kind.h - what kind of project a folder holds, and how its tests are run by habit. */
#pragma once

#include <glib.h>

/* Test commands for FOLDER, NULL-terminated; empty when no kind is recognised. */
char **kind_test_commands(const char *folder);
