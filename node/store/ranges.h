/* The key ranges of one table inside which every absence is known.
 *
 * 1. Ranges are half open, ascending, apart (two that touch are one) and never empty.
 * 2. An end of size 0 is the table's end; a begin of size 0 is its beginning.
 * 3. Adding never fails for want of count: past MEMORY_RANGES_MAX the caller drops the one used
 *    longest ago.
 */
#ifndef PAWL_NODE_RANGES_H
#define PAWL_NODE_RANGES_H

#include "proto/bytes.h"

struct range {
    struct bytes begin, end; /* the list's own copies */
    uint64_t used;           /* when, by the caller's clock */
    uint64_t deleted_index;  /* the newest deletion whose only trace is this range */
};

/* Zeroed: an empty list. */
struct range_list {
    struct range *range;
    size_t count, capacity;
};

/* Whether key stands before end (size 0: always). */
static inline bool key_is_before_end(struct bytes key, struct bytes end)
{
    return end.size == 0 || bytes_compare(key, end) < 0;
}

/* The range that holds key, or NULL. Void after the next change of the list. */
struct range *ranges_find(const struct range_list *list, struct bytes key);
/* The position of the first range that ends after key; count: none. */
size_t ranges_rank(const struct range_list *list, struct bytes key);
/* Cover [begin, end) too, joining what it meets. False: no memory, nothing changed. */
bool ranges_add(struct range_list *list, struct bytes begin, struct bytes end, uint64_t used);
/* Take key, which is covered, out of its range. What is left before it or after it stays covered
 * only if asked for. With no memory the whole range goes. */
struct range_keep {
    bool before, after;
};
void ranges_cut(struct range_list *list, struct bytes key, struct range_keep keep);
void ranges_remove(struct range_list *list, size_t at);
/* The position of the range used longest ago; the list is not empty. */
size_t ranges_oldest(const struct range_list *list);
void ranges_done(struct range_list *list);
/* Assert every invariant. */
void ranges_check(const struct range_list *list);

#endif
