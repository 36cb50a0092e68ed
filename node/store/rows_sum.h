/* Sums of rows: what nodes compare to find silent differences. A table's sum is the sum of its
 * rows' digests mod 2^128: it does not depend on order or on the past.
 */
#ifndef PAWL_NODE_ROWS_SUM_H
#define PAWL_NODE_ROWS_SUM_H

#include "node/store/row_digest.h"

void rows_sum_add(struct rows_sum *sum, const uint8_t digest[ROW_DIGEST_BYTES]);
/* The row must have been added before, as it is. */
void rows_sum_remove(struct rows_sum *sum, const uint8_t digest[ROW_DIGEST_BYTES]);
bool rows_sum_equal(const struct rows_sum *a, const struct rows_sum *b);

/* Count afresh from the rows of a snapshot: the scrub's half of the comparison. Blocks; any thread.
 * Errors of the port's scan. */
MUST_USE enum pawl_error rows_sums_count(const struct rows_port *rows,
                                         struct rows_snapshot *snapshot, uint32_t partition,
                                         const struct rows_sum_key *key,
                                         struct rows_sum sums_out[TABLE_COUNT]);

#endif
