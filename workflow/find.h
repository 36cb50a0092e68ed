/* Finding a run: its header, and which run a workflow id names. */
#ifndef PAWL_WORKFLOW_FIND_H
#define PAWL_WORKFLOW_FIND_H

#include "workflow/changes.h"
#include "workflow/state.h"

/* The header of a run. PAWL_E_NOT_FOUND, PAWL_E_NOT_LOADED, PAWL_E_CORRUPT, PAWL_E_NO_MEMORY. */
MUST_USE enum pawl_error find_instance(const struct changes *rows, struct id128 run,
                                       struct instance *row_out);
/* How it has ended. The same errors. */
MUST_USE enum pawl_error find_ending(const struct changes *rows, struct id128 run,
                                     struct ending *ending_out);
/* The newest run that was started under a workflow id. Errors as above. */
MUST_USE enum pawl_error find_named(const struct changes *rows, struct bytes namespace_name,
                                    struct bytes workflow_id, struct id128 *run_out);
/* The newest run of a workflow id, whether it was given or is that of a request. */
MUST_USE enum pawl_error find_workflow(const struct changes *rows, struct bytes namespace_name,
                                       struct bytes workflow_id, struct id128 *run_out);

#endif
