/* The digest of a row: it proves the row where it is stored, and sums of rows are made of it.
 *
 * 1. It is XXH3-128 of the value, under a seed that the cluster's key and the row's place make:
 *    bytes that changed and values that went astray both show.
 * 2. LMDB's pages have no checks; a stored value ends with its digest, so that damage is found
 *    before it is served. It finds damage and mistakes of programs, not lies of people.
 */
#ifndef PAWL_NODE_ROW_DIGEST_H
#define PAWL_NODE_ROW_DIGEST_H

#include "node/store/rows_port.h"

enum { ROW_DIGEST_BYTES = 16 };

struct row_place {
    uint32_t partition;
    uint8_t table;
    struct bytes key; /* at most ROW_KEY_BYTES_MAX */
};

void row_digest(const struct rows_sum_key *key, const struct row_place *place, struct bytes value,
                uint8_t out[ROW_DIGEST_BYTES]);
/* The value without the digest that follows it; false: damaged, also for a key that cannot be. */
bool row_digest_open(const struct rows_sum_key *key, const struct row_place *place,
                     struct bytes stored, struct bytes *value_out);

#endif
