/* seccomp_filter.h - which system calls a sandbox may make, as a program for the kernel. */
#pragma once

#include <glib.h>
#include <linux/filter.h>
#include <stdint.h>

/* The default profile for a process that holds at most CAPABILITIES. Made once a process for each
 * set that matters and never freed; any thread may call. NULL with INTERNAL. */
const struct sock_fprog *seccomp_filter_default(uint64_t capabilities, GError **error);
