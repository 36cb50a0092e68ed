/* Memory for what is read all over: in large pages where the kernel has them, so that a read of a
 * place not met for long misses one table less, and nothing else depends on it.
 */
#ifndef PAWL_NODE_LARGE_PAGES_H
#define PAWL_NODE_LARGE_PAGES_H

#include <stddef.h>

#define LARGE_PAGE_BYTES ((size_t)2 << 20)

/* Of any content; given back with free. Less than a large page is malloc's. NULL: no memory. */
void *large_pages_alloc(size_t size);

#endif
