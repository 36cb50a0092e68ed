/* A random program over the log, the same for the same seed however far it gets. */
#ifndef PAWL_TESTS_NODE_WAL_TRACE_H
#define PAWL_TESTS_NODE_WAL_TRACE_H

#include "tests/node/wal/world.h"

/* Open, `steps` random steps, a last sync. Stops at the first error that is not PAWL_E_DISK_FULL.
 */
enum pawl_error trace_run(struct world *world, uint64_t seed, uint32_t steps);

#endif
