#include "proto/large_pages.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

void *large_pages_alloc(size_t size)
{
    const size_t page = size < LARGE_PAGE_BYTES ? SMALL_PAGE_BYTES : LARGE_PAGE_BYTES;
    if (size > SIZE_MAX - page)
        return NULL;
    const size_t whole = (size + page - 1) / page * page;
    void *pages = aligned_alloc(page, whole);
    if (pages != NULL && page == LARGE_PAGE_BYTES) {
        int ignored = madvise(pages, whole, MADV_HUGEPAGE); /* a wish */
        (void)ignored;
    }
    return pages;
}
