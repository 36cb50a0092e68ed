#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/store/row_digest.h"

enum { VALUE_BYTES = 20 };

static const struct rows_sum_key key = {"of one cluster"};

static void test_row_digest_own_value_opens_in_its_place_only(void **state)
{
    (void)state;
    const struct row_place place = {1, 2, BYTES_LITERAL("key")};
    const struct row_place others[] = {
        {2, 2, BYTES_LITERAL("key")},
        {1, 3, BYTES_LITERAL("key")},
        {1, 2, BYTES_LITERAL("kez")},
        {1, 2, BYTES_LITERAL("ke")},
    };
    for (size_t size = 0; size <= VALUE_BYTES; size++) {
        uint8_t stored[VALUE_BYTES + ROW_DIGEST_BYTES] = "this is some value";
        struct bytes value = bytes_of(stored, size),
                     whole = bytes_of(stored, size + ROW_DIGEST_BYTES);
        struct bytes opened;
        row_digest(&key, &place, value, stored + size);
        assert_true(row_digest_open(&key, &place, whole, &opened));
        assert_true(bytes_equal(opened, value));
        for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
            assert_false(row_digest_open(&key, &others[i], whole, &opened));
    }
}

static void test_row_digest_any_changed_or_lost_byte_shows(void **state)
{
    (void)state;
    const struct row_place place = {0, 5, BYTES_LITERAL("key")};
    uint8_t stored[VALUE_BYTES + ROW_DIGEST_BYTES] = "this is some value";
    struct bytes opened;
    row_digest(&key, &place, bytes_of(stored, VALUE_BYTES), stored + VALUE_BYTES);
    for (size_t i = 0; i < sizeof stored; i++) {
        stored[i] ^= 0x10;
        assert_false(row_digest_open(&key, &place, bytes_of(stored, sizeof stored), &opened));
        stored[i] ^= 0x10;
        assert_false(row_digest_open(&key, &place, bytes_of(stored, i), &opened));
    }
    assert_true(row_digest_open(&key, &place, bytes_of(stored, sizeof stored), &opened));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_row_digest_own_value_opens_in_its_place_only),
        cmocka_unit_test(test_row_digest_any_changed_or_lost_byte_shows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
