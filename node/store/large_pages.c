#include "node/store/large_pages.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

void *large_pages_alloc(size_t size)
{
    if (size < LARGE_PAGE_BYTES)
        return malloc(size);
    if (size > SIZE_MAX - LARGE_PAGE_BYTES)
        return NULL;
    const size_t whole = (size + LARGE_PAGE_BYTES - 1) / LARGE_PAGE_BYTES * LARGE_PAGE_BYTES;
    void *pages = aligned_alloc(LARGE_PAGE_BYTES, whole);
    if (pages != NULL) {
        int ignored = madvise(pages, whole, MADV_HUGEPAGE); /* a wish */
        (void)ignored;
    }
    return pages;
}
