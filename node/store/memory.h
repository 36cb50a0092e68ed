/* The leader's rows in memory, over the store: clean copies, the window (committed, not flushed)
 * and the head (its own entries, not committed). Who does not lead decides nothing and keeps none.
 *
 * 1. Every version of a row carries the index that wrote it. Committing is a moved mark,
 *    dropping the head removes versions above it, a flush makes the newest version up to G a
 *    clean copy.
 * 2. A read never guesses: a row is found, known to be absent, or PAWL_E_NOT_LOADED with what is
 *    missing noted.
 * 3. Absence is known inside covered ranges and for keys that were loaded or deleted one by one.
 * 4. A load is labelled with the index of its snapshot; one that is older than what memory has
 *    forgotten is refused.
 * 5. Clean copies are bounded (clean_bytes_max) and evicted oldest use first; of a flush that
 * brings more, only what was read before and the newest become any. Window and head never are
 * evicted.
 * 6. table_place.h says of each table whether it is here at all, found by whole keys only, or in
 *    order. Only the last kind knows covered ranges and can be scanned; a scan of another table is
 *    always PAWL_E_NOT_LOADED.
 *
 * One thread: the replica loop. No I/O. One struct per partition.
 */
#ifndef PAWL_NODE_MEMORY_H
#define PAWL_NODE_MEMORY_H

#include "proto/arena.h"
#include "proto/rows.h"

struct memory;

struct memory_options {
    size_t clean_bytes_max; /* keys, values and bookkeeping of clean copies */
    uint64_t hash_seed; /* secret where strangers choose keys; decides nothing that can be seen */
};

/* Over a store that was never flushed; memory_reset says otherwise. NULL: no memory. */
struct memory *memory_new(const struct memory_options *options);
void memory_free(struct memory *memory);
/* Forget everything; the store has everything up to flushed_index, and no more was committed as far
 * as memory knows. When that is 0 the store is empty, and every absence is known. PAWL_E_NO_MEMORY:
 * end the process. */
MUST_USE enum pawl_error memory_reset(struct memory *memory, uint64_t flushed_index);

/* Change the bound of clean copies; takes effect with the next flush or load. */
void memory_clean_bound(struct memory *memory, size_t clean_bytes_max);

/* What a decide wanted and memory does not hold. */
struct memory_missing {
    enum row_table table;
    bool is_range;
    struct bytes begin; /* the key, or the range's begin; in the arena given to memory_view */
    struct bytes end;   /* size 0: the table's end */
};

enum memory_level { MEMORY_COMMITTED, MEMORY_HEAD };

/* A view for one command. Values are borrowed from memory until the next change to it. What was
 * missed is noted in missing, in order: what one decision asks for at once can be loaded at once.
 * Past MISSES_MAX no more is noted. */
enum { MISSES_MAX = 512 };
struct memory_reader {
    struct memory *memory;
    enum memory_level level;
    struct arena *arena; /* holds missing and its keys */
    struct memory_missing *missing;
    size_t missing_count, missing_capacity;
    uint64_t newest_index; /* of the rows got; what is missed is as old as the store */
};
struct view memory_view(struct memory_reader *reader);

/* One entry's writes, all at its index; indexes rise. A leader writes its own as head when it
 * appends (index > committed), what it inherits when that is committed (then memory_commit). Values
 * are copied. PAWL_E_INVALID: a table or key that cannot be; nothing is written. PAWL_E_NO_MEMORY:
 * end the process. */
MUST_USE enum pawl_error memory_write(struct memory *memory, uint64_t index,
                                      const struct row_write *writes, size_t write_count);
/* Versions up to index are committed: window. */
void memory_commit(struct memory *memory, uint64_t index);
/* The store now has everything up to index: those versions become clean copies. */
void memory_flushed(struct memory *memory, uint64_t index);

/* The outcome of loading `missing` from a snapshot as of label: rows found in the range (for a key:
 * one or none). covered_end: up to where the range was read whole (exclusive; size 0: to its end);
 * a range that holds more rows than were loaded is covered only that far. The loader may widen what
 * was missed: a key to a range around it, so that the next absences are known too. PAWL_E_STALE:
 * load again, nothing changed. PAWL_E_NO_MEMORY: end the process. */
MUST_USE enum pawl_error memory_loaded(struct memory *memory, uint64_t label,
                                       const struct memory_missing *missing, const struct row *rows,
                                       size_t row_count, struct bytes covered_end);

struct memory_figures {
    size_t row_count, version_count;
    size_t clean_bytes, dirty_bytes; /* dirty: window and head */
};
struct memory_figures memory_figures(const struct memory *memory);
/* Assert every invariant. */
void memory_check(const struct memory *memory);

#endif
