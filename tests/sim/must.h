/* Memory of the simulator itself: there is enough of it, or the run ends. */
#ifndef PAWL_SIM_MUST_H
#define PAWL_SIM_MUST_H

#include <stdio.h>
#include <stdlib.h>

/* Zeroed. */
static inline void *must_alloc(size_t size)
{
    void *block = calloc(1, size == 0 ? 1 : size);
    if (block == NULL) {
        fputs("sim: out of memory\n", stderr);
        exit(3);
    }
    return block;
}

static inline void *must_resize(void *block, size_t size)
{
    void *larger = realloc(block, size);
    if (larger == NULL) {
        fputs("sim: out of memory\n", stderr);
        exit(3);
    }
    return larger;
}

#endif
