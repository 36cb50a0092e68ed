/* Semantic versions, in the order of semver.org 2.0.0 §11; build metadata only tells equal ones
 * apart. */
#ifndef PAWL_WORKFLOW_VERSION_H
#define PAWL_WORKFLOW_VERSION_H

#include "proto/bytes.h"

bool version_is_valid(struct bytes text);
/* <0, 0, >0 for two valid versions; 0 only for the same text. */
int version_compare(struct bytes a, struct bytes b);

#endif
