/* The check at the end of every stored value: LMDB's pages have none, and damage must be found
 * before it is served.
 *
 * 1. It is XXH3-64 of the value, under a seed drawn from the value's place: bytes that changed
 *    and values that went astray both show.
 * 2. It proves nothing against people who write files.
 */
#ifndef PAWL_NODE_ROW_CHECK_H
#define PAWL_NODE_ROW_CHECK_H

#include "proto/rows.h"

enum { ROW_CHECK_BYTES = 8 };

struct row_place {
    uint32_t partition;
    uint8_t table;
    struct bytes key; /* at most ROW_KEY_BYTES_MAX */
};

void row_check_compute(const struct row_place *place, struct bytes value,
                       uint8_t out[ROW_CHECK_BYTES]);
/* The value without the check that follows it; false: damaged, also for a key that cannot be. */
bool row_check_open(const struct row_place *place, struct bytes stored, struct bytes *value_out);

#endif
