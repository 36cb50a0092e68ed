#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "node/store/pool.h"
#include "tests/sim/random.h"

/* Blocks of all sizes, each filled with its own byte for as long as it lives. */
static void test_pool_blocks_never_share_bytes(void **state)
{
    (void)state;
    enum { BLOCKS = 500, STEPS = 50000, BYTES_MAX = 1500 };
    static uint8_t *blocks[BLOCKS];
    static size_t sizes[BLOCKS];
    struct pool pool = {.chunks = NULL};
    struct random random;
    random_seed(&random, 1);
    for (size_t i = 0; i < STEPS; i++) {
        size_t at = (size_t)random_below(&random, BLOCKS);
        uint8_t mark = (uint8_t)at;
        if (blocks[at] == NULL) {
            sizes[at] = (size_t)random_below(&random, BYTES_MAX);
            blocks[at] = pool_alloc(&pool, sizes[at]);
            assert_non_null(blocks[at]);
            assert_int_equal((uintptr_t)blocks[at] % sizeof(uint64_t), 0);
            memset(blocks[at], mark, sizes[at]);
            continue;
        }
        for (size_t k = 0; k < sizes[at]; k++)
            assert_int_equal(blocks[at][k], mark);
        pool_free(&pool, blocks[at], sizes[at]);
        blocks[at] = NULL;
    }
    for (size_t at = 0; at < BLOCKS; at++)
        if (blocks[at] != NULL)
            pool_free(&pool, blocks[at], sizes[at]);
    pool_done(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pool_blocks_never_share_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
