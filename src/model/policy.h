/* policy.h - what decides about production, as data: gates, checks, advisories, and of each
 * environment who approves, what comes before it, its smoke tests, watch and rollout.
 *
 * A policy is JSON in the normal form of model/project.h. Pure functions; where policies live and
 * who accepts them is delivery/policy_store.h. */
#pragma once

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>

/* The policy part of project settings in normal form. New reference. */
json_t *policy_extract(const json_t *settings);

/* The policy that holds for a change: FORCE, and where CHANGE is stricter, CHANGE. Never looser
 * than FORCE in any point. New reference. */
json_t *policy_tighten(const json_t *force, const json_t *change);

/* Every point in which CHANGE is looser than FORCE, a line each ("gates.lint: error → off");
 * NULL when there is none. */
char *policy_loosened(const json_t *force, const json_t *change);
