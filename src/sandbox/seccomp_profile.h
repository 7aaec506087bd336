/* seccomp_profile.h - which system calls a sandbox may make, written down for libseccomp.
 *
 * Compiling the rules takes tens of milliseconds, so the usual sets are compiled at build time
 * (seccomp_table.c prints them) and this runs only for unusual ones. No GLib here. */
#pragma once

#include <stdint.h>

/* Those of CAPABILITIES that make a difference to the profile. */
uint64_t seccomp_profile_capabilities(uint64_t capabilities);

/* Writes the program for a process that holds at most CAPABILITIES to FD, as an array of struct
 * sock_filter. 0, or a negative errno. */
int seccomp_profile_export(uint64_t capabilities, int fd);
