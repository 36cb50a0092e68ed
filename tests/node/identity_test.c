#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "node/cluster/identity.h"

struct fixture {
    char path[64];
    struct data_dir dir;
    struct arena arena;
};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    snprintf(fixture->path, sizeof fixture->path, "/tmp/pawl-identity-XXXXXX");
    assert_non_null(mkdtemp(fixture->path));
    assert_int_equal(data_dir_open(fixture->path, &fixture->dir, NULL), PAWL_OK);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    (void)unlinkat(fixture->dir.fd, "identity.json", 0);
    (void)unlinkat(fixture->dir.fd, "begun", 0);
    (void)unlinkat(fixture->dir.fd, "lock", 0);
    data_dir_close(&fixture->dir);
    arena_done(&fixture->arena);
    assert_int_equal(unlinkat(AT_FDCWD, fixture->path, AT_REMOVEDIR), 0);
    free(fixture);
    return 0;
}

static struct identity sample(void)
{
    struct identity identity = {.cluster = {{1, 2, 3}}, .node = 2, .member_count = 3};
    static const char *const addresses[] = {"127.0.0.1:1", "127.0.0.1:3", "127.0.0.1:5"};
    for (size_t i = 0; i < 3; i++)
        identity.members[i] = (struct msg_member){.node = i + 1,
                                                  .name = BYTES_LITERAL("n"),
                                                  .peer_address = bytes_string(addresses[i]),
                                                  .client_address = BYTES_LITERAL("127.0.0.1:9")};
    return identity;
}

static void test_identity_of_a_new_directory_is_not_found(void **state)
{
    struct fixture *fixture = *state;
    struct identity identity;
    assert_int_equal(identity_read(&fixture->dir, &fixture->arena, &identity, NULL),
                     PAWL_E_NOT_FOUND);
}

static void test_identity_written_is_read_back_equal(void **state)
{
    struct fixture *fixture = *state;
    const struct identity written = sample();
    struct identity read;
    assert_int_equal(identity_write(&fixture->dir, &written, NULL), PAWL_OK);
    assert_int_equal(identity_read(&fixture->dir, &fixture->arena, &read, NULL), PAWL_OK);
    assert_true(identity_equal(&written, &read));
    assert_true(bytes_equal(read.members[2].client_address, BYTES_LITERAL("127.0.0.1:9")));
}

static void test_identity_cut_anywhere_is_corrupt_never_another_identity(void **state)
{
    struct fixture *fixture = *state;
    const struct identity written = sample();
    struct identity read;
    struct pawl_diag diag;
    assert_int_equal(identity_write(&fixture->dir, &written, NULL), PAWL_OK);
    int fd = openat(fixture->dir.fd, "identity.json", O_RDWR);
    const off_t size = lseek(fd, 0, SEEK_END);
    for (off_t cut = size - 2; cut >= 0; cut--) {
        assert_int_equal(ftruncate(fd, cut), 0);
        assert_int_equal(identity_read(&fixture->dir, &fixture->arena, &read, &diag),
                         PAWL_E_CORRUPT);
    }
    close(fd);
}

static void test_identity_with_any_bit_changed_is_corrupt(void **state)
{
    struct fixture *fixture = *state;
    const struct identity written = sample();
    struct identity read;
    struct pawl_diag diag;
    assert_int_equal(identity_write(&fixture->dir, &written, NULL), PAWL_OK);
    int fd = openat(fixture->dir.fd, "identity.json", O_RDWR);
    const off_t size = lseek(fd, 0, SEEK_END);
    for (off_t at = 0; at < size; at++)
        for (int bit = 0; bit < 8; bit++) {
            uint8_t byte;
            assert_int_equal(pread(fd, &byte, 1, at), 1);
            const uint8_t changed = (uint8_t)(byte ^ (1U << bit));
            assert_int_equal(pwrite(fd, &changed, 1, at), 1);
            const enum pawl_error error =
                identity_read(&fixture->dir, &fixture->arena, &read, &diag);
            /* The case of a hexadecimal digit says nothing. */
            assert_true(error == PAWL_E_CORRUPT ||
                        (error == PAWL_OK && bit == 5 && identity_equal(&written, &read)));
            assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        }
    close(fd);
}

static void test_data_dir_remembers_that_it_has_begun(void **state)
{
    struct fixture *fixture = *state;
    assert_false(data_dir_has_begun(&fixture->dir));
    assert_int_equal(data_dir_begin(&fixture->dir, NULL), PAWL_OK);
    assert_int_equal(data_dir_begin(&fixture->dir, NULL), PAWL_OK);
    assert_true(data_dir_has_begun(&fixture->dir));
    assert_false(data_dir_has_log(&fixture->dir));
}

static void test_data_dir_opened_twice_is_locked(void **state)
{
    struct fixture *fixture = *state;
    struct data_dir other;
    struct pawl_diag diag;
    assert_int_equal(data_dir_open(fixture->path, &other, &diag), PAWL_E_LOCKED);
}

static void test_identity_that_no_node_can_run_with_is_unsound(void **state)
{
    (void)state;
    const struct bytes address = BYTES_LITERAL("127.0.0.1:1");
    const struct identity sound = {
        .cluster = {{1}},
        .node = 2,
        .member_count = 2,
        .members = {{.node = 1, .peer_address = address}, {.node = 2, .peer_address = address}}};
    assert_true(identity_is_sound(&sound));
    struct identity bad[6];
    for (size_t i = 0; i < 6; i++)
        bad[i] = sound;
    bad[0].cluster = (struct id128){0};
    bad[1].node = 3;
    bad[2].members[0].node = 2;
    bad[3].node = bad[3].members[1].node = 0;
    bad[4].members[0].peer_address = (struct bytes){NULL, 0};
    bad[5].members[0].node = UINT64_MAX;
    for (size_t i = 0; i < 6; i++)
        assert_false(identity_is_sound(&bad[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_identity_that_no_node_can_run_with_is_unsound),
        cmocka_unit_test_setup_teardown(test_identity_of_a_new_directory_is_not_found, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_identity_written_is_read_back_equal, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_identity_cut_anywhere_is_corrupt_never_another_identity, setup, teardown),
        cmocka_unit_test_setup_teardown(test_identity_with_any_bit_changed_is_corrupt, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_data_dir_remembers_that_it_has_begun, setup, teardown),
        cmocka_unit_test_setup_teardown(test_data_dir_opened_twice_is_locked, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
