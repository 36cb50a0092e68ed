/* The cache of compiled definitions, which is all that an engine keeps between decisions.
 *
 * 1. An entry is found by the very bytes of its row: the document, which names itself.
 * 2. Entries go, least recently used first, only before a decision begins; one in use never goes.
 */
#ifndef PAWL_WORKFLOW_CACHE_H
#define PAWL_WORKFLOW_CACHE_H

#include "workflow/engine.h"

/* Empties the engine's buffer for packing, makes room in the cache, and returns the buffer. */
struct buffer *engine_scratch(struct engine *engine);

#endif
