/* The rows of a memory by the hashes of their places: open addressing, probed one slot after the
 * other, the hashes beside the rows, so that a search touches no row but the one it finds.
 *
 * 1. At most half of the slots are taken.
 * 2. From a row's home slot to the slot where it stands none is free.
 */
#ifndef PAWL_NODE_ROW_INDEX_H
#define PAWL_NODE_ROW_INDEX_H

#include "proto/rows.h"

struct memory_row;

/* Zeroed: an empty index. */
struct row_index {
    struct row_slot {
        uint64_t hash;
        struct memory_row *row; /* NULL: free */
    } * slots;
    size_t slot_count; /* a power of two, or 0 */
    size_t row_count;
};

/* NULL: no such row. */
struct memory_row *row_index_find(const struct row_index *index, uint64_t hash,
                                  enum row_table table, struct bytes key);
/* A search for this hash comes soon. */
void row_index_expect(const struct row_index *index, uint64_t hash);
/* Room for one more row. False: no memory, the index holds what it held. */
bool row_index_reserve(struct row_index *index);
/* A row that is not in the index, after row_index_reserve. */
void row_index_add(struct row_index *index, struct memory_row *row);
/* The row must be in the index. */
void row_index_remove(struct row_index *index, const struct memory_row *row);
/* The slots are freed, the rows are not. */
void row_index_done(struct row_index *index);
/* Assert every invariant. */
void row_index_check(const struct row_index *index);

#endif
