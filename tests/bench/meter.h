/* What the program has asked of its libraries, counted: heap allocations and LMDB calls made by
 * the code that is linked in (the linker wraps them; what shared libraries do inside is not seen).
 * Single-threaded.
 */
#ifndef PAWL_BENCH_METER_H
#define PAWL_BENCH_METER_H

#include <stdint.h>

struct meter {
    uint64_t allocations; /* malloc, calloc, realloc */
    uint64_t lmdb_puts, lmdb_deletes, lmdb_gets, lmdb_commits;
};

/* Since the beginning of the process. */
struct meter meter_read(void);
/* What lies between two readings is added to sum. */
void meter_add(struct meter *sum, const struct meter *begin, const struct meter *end);

#endif
