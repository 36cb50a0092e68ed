/* Sums of rows: what nodes compare to find silent differences.
 *
 * 1. A row's hash is XXH3-128 of its value, under a seed that the cluster's key, the table and the
 *    row's key make. It finds damage and mistakes of programs, not lies of people.
 * 2. A table's sum is the sum of its rows' hashes mod 2^128: it does not depend on order or on
 *    the past.
 */
#ifndef PAWL_NODE_ROWS_SUM_H
#define PAWL_NODE_ROWS_SUM_H

#include "node/store/rows_port.h"

void rows_sum_add(struct rows_sum *sum, const struct rows_sum_key *key, enum row_table table,
                  const struct row *row);
/* The row must have been added before, as it is. */
void rows_sum_remove(struct rows_sum *sum, const struct rows_sum_key *key, enum row_table table,
                     const struct row *row);
bool rows_sum_equal(const struct rows_sum *a, const struct rows_sum *b);

/* Count afresh from the rows of a snapshot: the scrub's half of the comparison. Blocks; any thread.
 * Errors of the port's scan. */
MUST_USE enum pawl_error rows_sums_count(const struct rows_port *rows,
                                         struct rows_snapshot *snapshot,
                                         const struct rows_sum_key *key,
                                         struct rows_sum sums_out[TABLE_COUNT]);

#endif
