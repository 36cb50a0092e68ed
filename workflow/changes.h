/* Changes: the rows one decision has written so far, laid over the view it reads.
 *
 * 1. A read sees the decision's own writes first, then the view.
 * 2. The changes come out in the order in which their rows were first touched.
 * 3. A row that is born and dies within one decision does not come out.
 */
#ifndef PAWL_WORKFLOW_CHANGES_H
#define PAWL_WORKFLOW_CHANGES_H

#include "proto/codec.h"
#include "proto/rows.h"

struct change {
    struct row_write write;
    bool is_new; /* the view has no such row */
};

struct changes {
    const struct view *view;
    struct arena *arena;
    struct change *rows; /* in the arena */
    size_t count, capacity;
    uint32_t *slots; /* of many rows: hash -> place in rows plus 1; 0: free */
    size_t slot_count;
    size_t bytes; /* of the values written */
};

/* A row as the decision sees it. PAWL_E_NOT_FOUND, PAWL_E_NOT_LOADED, PAWL_E_NO_MEMORY (no key). */
MUST_USE enum pawl_error changes_get(const struct changes *changes, enum row_table table,
                                     struct bytes key, struct bytes *value_out);
/* The same, decoded; damage is PAWL_E_CORRUPT. */
MUST_USE enum pawl_error changes_get_row(const struct changes *changes, enum row_table table,
                                         struct bytes key, const struct schema *schema,
                                         void *row_out);
/* Write a row. key and value live as long as the arena. PAWL_E_NO_MEMORY. */
MUST_USE enum pawl_error changes_put(struct changes *changes, enum row_table table,
                                     struct bytes key, struct bytes value);
/* The same for a row that is known to be in neither view nor changes. */
MUST_USE enum pawl_error changes_put_new(struct changes *changes, enum row_table table,
                                         struct bytes key, struct bytes value);
MUST_USE enum pawl_error changes_put_row(struct changes *changes, enum row_table table,
                                         struct bytes key, const struct schema *schema,
                                         const void *row, bool is_new);
MUST_USE enum pawl_error changes_delete(struct changes *changes, enum row_table table,
                                        struct bytes key);
/* The writes that remain, in the arena. */
MUST_USE enum pawl_error changes_writes(const struct changes *changes,
                                        struct row_write **writes_out, size_t *count_out);

#endif
