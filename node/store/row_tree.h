/* The rows of one table in the order of their keys: a B+ tree of pointers.
 *
 * 1. Keys are compared by their first eight bytes as a number, kept in the nodes, then whole.
 * 2. Leaves are chained. An inner node names the first row under each child.
 * 3. A row is in the tree at most once; a row's key does not change while it is there.
 * 4. A node that becomes empty is freed, one that becomes small joins its neighbour.
 */
#ifndef PAWL_NODE_ROW_TREE_H
#define PAWL_NODE_ROW_TREE_H

#include "proto/bytes.h"

struct memory_row;
struct tree_node;

/* Zeroed: an empty tree. */
struct row_tree {
    struct tree_node *root;
};

struct tree_cursor {
    struct tree_node *leaf; /* NULL: past the end */
    unsigned at;
};

/* The first eight bytes of a key, zeros after its end, as a number that sorts as the key does. */
uint64_t row_prefix(struct bytes key);

/* The row must not be in the tree. False: no memory, the tree holds what it held. */
bool row_tree_insert(struct row_tree *tree, struct memory_row *row);
/* The row must be in the tree. Cursors are void afterwards. */
void row_tree_erase(struct row_tree *tree, const struct memory_row *row);
/* At the first row whose key is not below key. */
struct tree_cursor row_tree_seek(const struct row_tree *tree, struct bytes key);
/* The row at the cursor, NULL past the end. */
struct memory_row *row_tree_at(struct tree_cursor cursor);
void row_tree_next(struct tree_cursor *cursor);
/* The neighbours of a row that is in the tree; NULL: none. */
void row_tree_around(const struct row_tree *tree, const struct memory_row *row,
                     struct memory_row **before_out, struct memory_row **after_out);
/* The nodes are freed, the rows are not. */
void row_tree_done(struct row_tree *tree);
/* Assert every invariant; the number of rows. */
size_t row_tree_check(const struct row_tree *tree);

#endif
