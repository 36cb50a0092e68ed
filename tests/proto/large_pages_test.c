/* Memory in large pages, also where the kernel has none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <sys/mman.h>

#include "proto/large_pages.h"

int __real_madvise(void *begin, size_t size, int advice);
int __wrap_madvise(void *begin, size_t size, int advice);

static bool is_refused;
static size_t advised_bytes;

int __wrap_madvise(void *begin, size_t size, int advice)
{
    advised_bytes += size;
    if (!is_refused)
        return __real_madvise(begin, size, advice);
    errno = EINVAL;
    return -1;
}

static void expect_pages(size_t size, size_t page, size_t advised)
{
    advised_bytes = 0;
    uint8_t *pages = large_pages_alloc(size);
    assert_non_null(pages);
    assert_int_equal((uintptr_t)pages % page, 0);
    assert_int_equal(advised_bytes, advised);
    memset(pages, 7, size);
    free(pages);
}

static void test_large_pages_begin_at_a_page_of_their_size(void **state)
{
    (void)state;
    expect_pages(1, SMALL_PAGE_BYTES, 0);
    expect_pages(LARGE_PAGE_BYTES - 1, SMALL_PAGE_BYTES, 0);
    expect_pages(LARGE_PAGE_BYTES, LARGE_PAGE_BYTES, LARGE_PAGE_BYTES);
    expect_pages(LARGE_PAGE_BYTES + 1, LARGE_PAGE_BYTES, 2 * LARGE_PAGE_BYTES);
}

static void test_large_pages_of_a_kernel_that_has_none_are_memory_all_the_same(void **state)
{
    (void)state;
    is_refused = true;
    expect_pages(LARGE_PAGE_BYTES, LARGE_PAGE_BYTES, LARGE_PAGE_BYTES);
    is_refused = false;
}

static void test_large_pages_of_more_than_there_can_be_are_refused(void **state)
{
    (void)state;
    assert_null(large_pages_alloc(SIZE_MAX));
    assert_null(large_pages_alloc(SIZE_MAX - LARGE_PAGE_BYTES + 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_large_pages_begin_at_a_page_of_their_size),
        cmocka_unit_test(test_large_pages_of_a_kernel_that_has_none_are_memory_all_the_same),
        cmocka_unit_test(test_large_pages_of_more_than_there_can_be_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
