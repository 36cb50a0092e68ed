/* Definitions: an Open Workflow (formerly Serverless Workflow) DSL 1.0.3 document, compiled into a
 * flat array of tasks.
 *
 * 1. Everything that can be wrong is found here, at deploy, with line and column and what was
 * expected.
 * 2. What pawl does not run is refused with a clear message, never ignored.
 * 3. Tasks are addressed by index in the array and by JSON pointer ("/do/0/reserve/try/1/charge").
 * 4. A compiled definition is immutable and lives in one arena of its own.
 */
#ifndef PAWL_WORKFLOW_DEFINITION_H
#define PAWL_WORKFLOW_DEFINITION_H

#include "proto/arena.h"
#include "proto/value.h"

struct definition;

/* Warnings of an accepted document: a list a linter prints. */
struct definition_warning {
    struct pawl_diag diag;
};

/* Read, check and compile YAML or JSON text. PAWL_E_INVALID, PAWL_E_UNSUPPORTED, PAWL_E_LIMIT with
 * diag. Give back with definition_free. warnings_out (may be NULL) live in the definition. */
MUST_USE enum pawl_error definition_read(struct bytes source, struct definition **definition_out,
                                         struct pawl_diag *diag);
/* From the canonical value that definition_value returned (a stored row). */
MUST_USE enum pawl_error definition_load(struct bytes value, struct definition **definition_out,
                                         struct pawl_diag *diag);
void definition_free(struct definition *definition);

struct bytes definition_namespace(const struct definition *definition);
struct bytes definition_name(const struct definition *definition);
struct bytes definition_version(const struct definition *definition);
/* The whole document as a value: what is stored, hashed and compared. */
struct bytes definition_value(const struct definition *definition);
const struct definition_warning *definition_warnings(const struct definition *definition,
                                                     size_t *count_out);

#endif
