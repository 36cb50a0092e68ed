#include "node/store/row_tree.h"

#include <assert.h>
#include <stdlib.h>

#include "node/store/memory_rows.h"

enum { FANOUT = 32, HEIGHT_MAX = 32 };

struct tree_node {
    struct tree_node *before, *after; /* neighbours of a leaf */
    unsigned count;
    unsigned level; /* 0: leaf */
    uint64_t prefix[FANOUT];
    struct memory_row *row[FANOUT]; /* of an inner node: the first row under each child */
    struct tree_node *child[];      /* FANOUT of an inner node, none of a leaf */
};

/* The way from the root to a leaf's parent. */
struct tree_path {
    unsigned depth;
    struct {
        struct tree_node *node;
        unsigned at;
    } step[HEIGHT_MAX];
};

uint64_t row_prefix(struct bytes key)
{
    uint8_t first[8] = {0};
    if (key.size > 0)
        memcpy(first, key.data, key.size < 8 ? key.size : 8);
    return be64_get(first);
}

static struct tree_node *node_new(unsigned level)
{
    struct tree_node *node;
    size_t child_bytes = level > 0 ? FANOUT * sizeof node->child[0] : 0;
    node = malloc(sizeof *node + child_bytes);
    if (node == NULL)
        return NULL;
    node->before = node->after = NULL;
    node->count = 0;
    node->level = level;
    return node;
}

static bool is_below(const struct tree_node *node, unsigned at, struct bytes key, uint64_t prefix)
{
    if (node->prefix[at] != prefix)
        return node->prefix[at] < prefix;
    return bytes_compare(memory_row_key(node->row[at]), key) < 0;
}

/* How many of the node's rows are below key. Keys mostly rise: new ones come at the end and old
 * ones leave at the beginning. */
static unsigned rank_of(const struct tree_node *node, struct bytes key, uint64_t prefix)
{
    if (node->count == 0 || is_below(node, node->count - 1, key, prefix))
        return node->count;
    if (!is_below(node, 0, key, prefix))
        return 0;
    unsigned low = 1, high = node->count - 1;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (is_below(node, middle, key, prefix))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The child under which key stands or would stand. */
static unsigned child_of(const struct tree_node *node, struct bytes key, uint64_t prefix)
{
    unsigned rank = rank_of(node, key, prefix);
    if (rank == 0)
        return 0;
    bool is_first_of_child = rank < node->count && node->prefix[rank] == prefix &&
                             bytes_equal(memory_row_key(node->row[rank]), key);
    return is_first_of_child ? rank : rank - 1;
}

static void entries_move(struct tree_node *to, unsigned to_at, struct tree_node *from,
                         unsigned from_at, unsigned count)
{
    memmove(to->prefix + to_at, from->prefix + from_at, count * sizeof from->prefix[0]);
    memmove(to->row + to_at, from->row + from_at, count * sizeof from->row[0]);
    if (from->level > 0)
        memmove(to->child + to_at, from->child + from_at, count * sizeof from->child[0]);
}

static void entry_name(struct tree_node *node, unsigned at, struct memory_row *row)
{
    node->row[at] = row;
    node->prefix[at] = row->prefix;
}

static void entry_open(struct tree_node *node, unsigned at)
{
    assert(node->count < FANOUT);
    entries_move(node, at + 1, node, at, node->count - at);
    node->count++;
}

static void entry_close(struct tree_node *node, unsigned at)
{
    node->count--;
    entries_move(node, at, node, at + 1, node->count - at);
}

static void leaf_chain_after(struct tree_node *left, struct tree_node *right)
{
    right->before = left;
    right->after = left->after;
    if (left->after != NULL)
        left->after->before = right;
    left->after = right;
}

static void leaf_unchain(struct tree_node *leaf)
{
    if (leaf->before != NULL)
        leaf->before->after = leaf->after;
    if (leaf->after != NULL)
        leaf->after->before = leaf->before;
}

/* Split a full child. Keys mostly rise, so a node that is split by a key past its end stays full.
 */
static bool child_split(struct tree_node *parent, unsigned at, const struct memory_row *row)
{
    struct tree_node *left = parent->child[at];
    struct tree_node *right = node_new(left->level);
    if (right == NULL)
        return false;
    bool is_past_end = is_below(left, FANOUT - 1, memory_row_key(row), row->prefix);
    unsigned keep = is_past_end ? FANOUT - 1 : FANOUT / 2;
    entries_move(right, 0, left, keep, FANOUT - keep);
    right->count = FANOUT - keep;
    left->count = keep;
    if (left->level == 0)
        leaf_chain_after(left, right);
    entry_open(parent, at + 1);
    entry_name(parent, at + 1, right->row[0]);
    parent->child[at + 1] = right;
    return true;
}

/* A root with room below it. */
static bool root_prepare(struct row_tree *tree, const struct memory_row *row)
{
    if (tree->root == NULL)
        return (tree->root = node_new(0)) != NULL;
    if (tree->root->count < FANOUT)
        return true;
    struct tree_node *root = node_new(tree->root->level + 1);
    if (root == NULL)
        return false;
    root->count = 1;
    entry_name(root, 0, tree->root->row[0]);
    root->child[0] = tree->root;
    tree->root = root;
    return child_split(root, 0, row);
}

static void path_add(struct tree_path *path, struct tree_node *node, unsigned at)
{
    assert(path->depth < HEIGHT_MAX);
    path->step[path->depth].node = node;
    path->step[path->depth].at = at;
    path->depth++;
}

/* After a new first row of a leaf: name it above. */
static void path_name(const struct tree_path *path, struct memory_row *row)
{
    for (unsigned i = path->depth; i-- > 0;) {
        entry_name(path->step[i].node, path->step[i].at, row);
        if (path->step[i].at > 0)
            return;
    }
}

bool row_tree_insert(struct row_tree *tree, struct memory_row *row)
{
    struct bytes key = memory_row_key(row);
    if (!root_prepare(tree, row))
        return false;
    struct tree_path path = {.depth = 0};
    struct tree_node *node = tree->root;
    while (node->level > 0) {
        unsigned at = child_of(node, key, row->prefix);
        if (node->child[at]->count == FANOUT) {
            if (!child_split(node, at, row))
                return false;
            at = child_of(node, key, row->prefix);
        }
        path_add(&path, node, at);
        node = node->child[at];
    }
    unsigned at = rank_of(node, key, row->prefix);
    assert(at == node->count || !bytes_equal(memory_row_key(node->row[at]), key));
    entry_open(node, at);
    entry_name(node, at, row);
    if (at == 0)
        path_name(&path, row);
    return true;
}

/* Take the right one of two neighbours into the left one; false: they would not fit well. */
static bool children_join(struct tree_node *parent, unsigned at)
{
    struct tree_node *left = parent->child[at], *right = parent->child[at + 1];
    if (left->count + right->count > FANOUT * 3 / 4)
        return false;
    entries_move(left, left->count, right, 0, right->count);
    left->count += right->count;
    if (right->level == 0)
        leaf_unchain(right);
    entry_close(parent, at + 1);
    free(right);
    return true;
}

static void child_settle(struct tree_node *parent, unsigned at)
{
    struct tree_node *child = parent->child[at];
    if (child->count == 0) {
        if (child->level == 0)
            leaf_unchain(child);
        entry_close(parent, at);
        free(child);
        return;
    }
    entry_name(parent, at, child->row[0]);
    if (child->count >= FANOUT / 4)
        return;
    if (at + 1 < parent->count && children_join(parent, at))
        return;
    if (at > 0)
        (void)children_join(parent, at - 1);
}

static void root_settle(struct row_tree *tree)
{
    while (tree->root->level > 0 && tree->root->count == 1) {
        struct tree_node *root = tree->root;
        tree->root = root->child[0];
        free(root);
    }
    if (tree->root->count == 0) {
        free(tree->root);
        tree->root = NULL;
    }
}

void row_tree_erase(struct row_tree *tree, const struct memory_row *row)
{
    struct bytes key = memory_row_key(row);
    struct tree_path path = {.depth = 0};
    struct tree_node *node = tree->root;
    while (node->level > 0) {
        unsigned at = child_of(node, key, row->prefix);
        path_add(&path, node, at);
        node = node->child[at];
    }
    unsigned at = rank_of(node, key, row->prefix);
    assert(at < node->count && node->row[at] == row);
    entry_close(node, at);
    for (unsigned i = path.depth; i-- > 0;)
        child_settle(path.step[i].node, path.step[i].at);
    root_settle(tree);
}

struct tree_cursor row_tree_seek(const struct row_tree *tree, struct bytes key)
{
    uint64_t prefix = row_prefix(key);
    struct tree_node *node = tree->root;
    if (node == NULL)
        return (struct tree_cursor){NULL, 0};
    while (node->level > 0)
        node = node->child[child_of(node, key, prefix)];
    unsigned at = rank_of(node, key, prefix);
    if (at < node->count)
        return (struct tree_cursor){node, at};
    return (struct tree_cursor){node->after, 0};
}

struct memory_row *row_tree_at(struct tree_cursor cursor)
{
    return cursor.leaf == NULL ? NULL : cursor.leaf->row[cursor.at];
}

void row_tree_next(struct tree_cursor *cursor)
{
    if (++cursor->at < cursor->leaf->count)
        return;
    *cursor = (struct tree_cursor){cursor->leaf->after, 0};
}

void row_tree_around(const struct row_tree *tree, const struct memory_row *row,
                     struct memory_row **before_out, struct memory_row **after_out)
{
    struct tree_cursor cursor = row_tree_seek(tree, memory_row_key(row));
    assert(row_tree_at(cursor) == row);
    const struct tree_node *leaf = cursor.leaf, *left = leaf->before;
    *before_out = left == NULL ? NULL : left->row[left->count - 1];
    if (cursor.at > 0)
        *before_out = leaf->row[cursor.at - 1];
    row_tree_next(&cursor);
    *after_out = row_tree_at(cursor);
}

static void node_free(struct tree_node *node)
{
    for (unsigned i = 0; node->level > 0 && i < node->count; i++)
        node_free(node->child[i]);
    free(node);
}

void row_tree_done(struct row_tree *tree)
{
    if (tree->root != NULL)
        node_free(tree->root);
    tree->root = NULL;
}

static size_t node_check(const struct tree_node *node, const struct tree_node **leaf_before)
{
    assert(node->count > 0 && node->count <= FANOUT);
    size_t row_count = 0;
    for (unsigned i = 0; i < node->count; i++) {
        assert(node->prefix[i] == row_prefix(memory_row_key(node->row[i])));
        assert(i == 0 || is_below(node, i - 1, memory_row_key(node->row[i]), node->prefix[i]));
        if (node->level == 0)
            continue;
        assert(node->child[i]->level == node->level - 1);
        assert(node->child[i]->row[0] == node->row[i]);
        row_count += node_check(node->child[i], leaf_before);
    }
    if (node->level > 0)
        return row_count;
    assert(node->before == *leaf_before);
    assert(node->before == NULL || node->before->after == node);
    assert(node->before == NULL || is_below(node->before, node->before->count - 1,
                                            memory_row_key(node->row[0]), node->prefix[0]));
    *leaf_before = node;
    return node->count;
}

size_t row_tree_check(const struct row_tree *tree)
{
    const struct tree_node *last = NULL;
    size_t row_count = tree->root == NULL ? 0 : node_check(tree->root, &last);
    assert(last == NULL || last->after == NULL);
    return row_count;
}
