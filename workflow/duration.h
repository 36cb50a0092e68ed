/* Durations: ISO 8601 text ("PT1.5S", "P2DT3H") or the language's object ({minutes: 1, seconds:
 * 30}).
 *
 * Years and months are refused: they have no fixed length. A week has 7 days, a day 24 hours.
 */
#ifndef PAWL_WORKFLOW_DURATION_H
#define PAWL_WORKFLOW_DURATION_H

#include "proto/value.h"

#define DURATION_US_MAX ((uint64_t)100 * 366 * 86400 * 1000000)

/* False: problem_out says what is wrong; us_out is untouched. */
bool duration_read(struct bytes value, uint64_t *us_out, const char **problem_out);

#endif
