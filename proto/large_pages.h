/* Memory for what is read all over, or goes to a disk: in large pages where the kernel has them, so
 * that a read of a place not met for long misses one table less, and a disk is given fewer pieces.
 * Nothing else depends on it.
 */
#ifndef PAWL_PROTO_LARGE_PAGES_H
#define PAWL_PROTO_LARGE_PAGES_H

#include <stddef.h>

#define LARGE_PAGE_BYTES ((size_t)2 << 20)
#define SMALL_PAGE_BYTES ((size_t)4 << 10)

/* Of any content, at the beginning of a page: a large one from LARGE_PAGE_BYTES on. Given back with
 * free. NULL: no memory. */
void *large_pages_alloc(size_t size);

#endif
