/* image_stages.h - the stages between green checks and the first environment: build, inventory and
 * vulnerabilities, provenance and signature, push. */
#pragma once

#include "ship/checks.h"

typedef struct {
    const Source *source;
    const CheckSpec *check; /* checkout, folders, run, sink */
    Delivery *delivery;
    StageContext stage;
    char *digest; /* of the image, once built */
} ImageStages;

/* Builds; sets stages->digest and records the release. */
bool image_stage_build(ImageStages *stages, GError **error);
/* SBOM and vulnerability scan of the built image. */
bool image_stage_scan(ImageStages *stages, const Release *release, GError **error);
/* Provenance and signature by the engine. */
bool image_stage_sign(ImageStages *stages, const Release *release, GError **error);
/* Its names in the embedded registry: the commit, vX.Y.Z when the commit has such a tag. */
bool image_stage_push(ImageStages *stages, const Release *release, GError **error);
