/* Work: what one evaluation may spend, and how it fails.
 *
 * 1. Every allocation and every charge goes through here, so that limits are kept in one place.
 * 2. A function that returns false (or NULL) has said why in `failure`; nothing else is touched.
 * 3. `failure` PAWL_E_EXPRESSION is an error a program can catch: its value is in `error`.
 * PAWL_E_LIMIT ends the evaluation.
 * 4. A unit of fuel is at most about 50 ns: 4 elements looked at, 64 bytes copied, 2 turns of the
 * machine, a quarter of a real number written as text or read from it.
 */
#ifndef PAWL_WORKFLOW_EXPRESSION_WORK_H
#define PAWL_WORKFLOW_EXPRESSION_WORK_H

#include "proto/arena.h"
#include "workflow/expression/datum.h"

enum {
    WORK_ELEMENTS_PER_UNIT = 4,
    WORK_BYTES_PER_UNIT = 64,
    WORK_UNITS_PER_REAL = 4,
    WORK_VIEWS_MAX = 8
};

struct work {
    struct arena *arena;
    uint64_t fuel;
    uint64_t now_us;
    enum pawl_error failure;
    const char *limit; /* which limit was passed, for people */
    struct datum error;
    uint32_t edit_count; /* edits begun */
    uint32_t small;      /* elements not yet charged */
    /* Views that were opened, so that looking into a large one again is cheap; the oldest makes
     * room. */
    struct {
        const uint8_t *encoded;
        struct datum opened;
    } view[WORK_VIEWS_MAX];
    uint32_t view_count;
};

/* Spend; false: PAWL_E_LIMIT. */
bool work_charge(struct work *work, uint64_t units);
bool work_charge_bytes(struct work *work, size_t byte_count);
/* Elements are cheap and many, so they are counted and charged by the unit. */
static inline bool work_charge_elements(struct work *work, uint64_t count)
{
    uint64_t small = work->small + count;
    if (small < WORK_ELEMENTS_PER_UNIT) {
        work->small = (uint32_t)small;
        return true;
    }
    work->small = (uint32_t)(small % WORK_ELEMENTS_PER_UNIT);
    return work_charge(work, small / WORK_ELEMENTS_PER_UNIT);
}

/* Zeroed memory of the arena; NULL: PAWL_E_LIMIT. Its bytes are not charged. */
void *work_alloc(struct work *work, size_t size);
/* The same, charged by its size. */
void *work_alloc_charged(struct work *work, size_t size);

/* Fail; always false, so that `return work_limit(...)` reads as one step. */
bool work_limit(struct work *work, const char *limit);
/* Fail with an error value that a program can catch. */
bool work_raise(struct work *work, struct datum error);

/* Fail with a message made of parts: %s a C string, %t the type of a datum, %v a datum as "type
 * (text)" cut as jq cuts it, %j the text of a datum cut the same way, %a a string datum as it is.
 * The arguments for %t, %v, %j and %a are pointers to datums. */
bool work_fail(struct work *work, const char *format, ...);

#endif
