#include "tests/node/wal/check.h"

#include <stdlib.h>
#include <string.h>

#include "node/wal/crc32c.h"

/* RFC 3720, appendix B.4, and the check value of the CRC catalogue. */
static void test_crc32c_of_published_vectors_is_theirs(void **state)
{
    (void)state;
    uint8_t zeros[32], ones[32], up[32], down[32];
    static const uint8_t read_command[48] = {
        0x01, 0xc0, 0, 0, 0, 0, 0,    0, 0,    0, 0, 0,    0, 0, 0, 0,
        0x14, 0,    0, 0, 0, 0, 0x04, 0, 0,    0, 0, 0x14, 0, 0, 0, 0x18,
        0x28, 0,    0, 0, 0, 0, 0,    0, 0x02, 0, 0, 0,    0, 0, 0, 0};
    for (int i = 0; i < 32; i++) {
        zeros[i] = 0;
        ones[i] = 0xff;
        up[i] = (uint8_t)i;
        down[i] = (uint8_t)(31 - i);
    }
    const struct {
        const void *data;
        size_t size;
        uint32_t crc;
    } rows[] = {
        {"", 0, 0},
        {"123456789", 9, 0xe3069283},
        {zeros, 32, 0x8a9136aa},
        {ones, 32, 0x62a8ab43},
        {up, 32, 0x46dd794e},
        {down, 32, 0x113fdb5c},
        {read_command, 48, 0xd9963a56},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(wal_crc32c(0, rows[i].data, rows[i].size), rows[i].crc);
        assert_int_equal(wal_crc32c_table(0, rows[i].data, rows[i].size), rows[i].crc);
    }
}

static void test_crc32c_of_any_size_and_alignment_is_the_table_s(void **state)
{
    (void)state;
    uint8_t bytes[700];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 167 + 13);
    for (size_t begin = 0; begin < 9; begin++)
        for (size_t size = 0; begin + size <= sizeof bytes; size++)
            assert_int_equal(wal_crc32c(7, bytes + begin, size),
                             wal_crc32c_table(7, bytes + begin, size));
}

static void test_crc32c_continued_is_that_of_the_whole(void **state)
{
    (void)state;
    const char text[] = "a record is its header and its body";
    for (size_t cut = 0; cut < sizeof text; cut++)
        assert_int_equal(wal_crc32c(wal_crc32c(0, text, cut), text + cut, sizeof text - cut),
                         wal_crc32c(0, text, sizeof text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crc32c_of_published_vectors_is_theirs),
        cmocka_unit_test(test_crc32c_of_any_size_and_alignment_is_the_table_s),
        cmocka_unit_test(test_crc32c_continued_is_that_of_the_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
