/* Problems: RFC 7807 objects {type, status, instance, title, detail}, and the standard types of the
 * language.
 *
 * The language's own texts spell its standard types in three ways (two hosts, two paths). All of
 * them, and the bare last segment, become the spelling of 1.0.3:
 * https://serverlessworkflow.io/spec/1.0.0/errors/<name>.
 */
#ifndef PAWL_WORKFLOW_PROBLEM_H
#define PAWL_WORKFLOW_PROBLEM_H

#include "proto/arena.h"
#include "proto/value.h"

enum problem_kind {
    PROBLEM_CONFIGURATION,
    PROBLEM_VALIDATION,
    PROBLEM_EXPRESSION,
    PROBLEM_AUTHENTICATION,
    PROBLEM_AUTHORIZATION,
    PROBLEM_TIMEOUT,
    PROBLEM_COMMUNICATION,
    PROBLEM_RUNTIME,
    PROBLEM_OUTCOME_UNKNOWN, /* pawl's: an at-most-once step whose worker is gone */
};

struct problem {
    struct bytes type; /* canonical */
    int64_t status;
    struct bytes instance; /* pointer of the task */
    struct bytes title, detail;
};

/* A standard problem without instance and detail. */
struct problem problem_of(enum problem_kind kind);
/* The canonical spelling of a type; text itself when it is none of the standard ones. Static or
 * text. */
struct bytes problem_type_canonical(struct bytes text);
/* What is standard about a canonical type: its status and title; false: not a standard type. */
bool problem_standard(struct bytes type, int64_t *status_out, struct bytes *title_out);
bool problem_is(struct bytes type, enum problem_kind kind);
/* As a value; fields that are empty are left out, type and status never. */
void problem_pack(const struct problem *problem, struct buffer *out);

#endif
