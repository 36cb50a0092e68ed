/* The rows port over sorted maps in memory: the store of a simulated node.
 *
 * 1. The state is the last flush. Pages of rows are shared between flushes and never change, so
 *    a snapshot, a clone and a crash cost nothing.
 * 2. A crash loses no flush that was reported and keeps none that was not begun: to crash is to
 *    go on with the same map.
 * 3. One thread.
 */
#ifndef PAWL_NODE_ROWS_MAP_H
#define PAWL_NODE_ROWS_MAP_H

#include "node/store/rows_port.h"

struct rows_map;

struct rows_map_options {
    uint32_t partition_count; /* partitions are 0 to partition_count - 1 */
    struct rows_sum_key sum_key;
};

/* NULL: no memory. */
struct rows_map *rows_map_new(const struct rows_map_options *options);
/* Every snapshot must be closed. */
void rows_map_free(struct rows_map *map);
struct rows_port rows_map_port(struct rows_map *map);
/* Another map with the same content, as it is now. NULL: no memory. */
struct rows_map *rows_map_clone(const struct rows_map *map);

/* What befalls the next flush. */
enum rows_map_fault {
    ROWS_MAP_SOUND,
    ROWS_MAP_DISK_FULL, /* PAWL_E_DISK_FULL; nothing is written */
    ROWS_MAP_LOST,      /* PAWL_E_IO; nothing is written, as after a crash before it was durable */
    ROWS_MAP_UNHEARD,   /* PAWL_E_IO; all is written, as after a crash just when it was durable */
};
void rows_map_fail_next(struct rows_map *map, enum rows_map_fault fault);

#endif
