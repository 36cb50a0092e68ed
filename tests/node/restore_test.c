/* What a node makes of a log that it opens. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "node/replica.h"
#include "node/store/rows_map.h"
#include "tests/sim/disk.h"

enum { ENTRIES = 3 };

static void append(struct wal *wal, const struct wal_record *record)
{
    assert_int_equal(wal_append(wal, record), PAWL_OK);
}

/* Restore a node whose log has its term and these entries. */
static enum pawl_error restore(uint64_t node_term, const uint64_t terms[ENTRIES], uint8_t last_kind,
                               struct pawl_diag *diag)
{
    struct sim_disk *disk = sim_disk_new(1);
    struct rows_map *map = rows_map_new(&(struct rows_map_options){.partition_count = 1});
    const struct rows_port rows = rows_map_port(map);
    const struct wal_options options = {
        .disk = sim_disk_port(disk), .node = 1, .salt = 1, .segment_bytes = 16384};
    struct arena arena = {0};
    struct wal_recovery recovery;
    struct wal *wal;
    assert_int_equal(wal_open(&options, &arena, &recovery, &wal, NULL), PAWL_OK);
    append(wal, &(struct wal_record){.kind = WAL_HARD_STATE, .term = node_term});
    for (size_t i = 0; i < ENTRIES; i++)
        append(wal, &(struct wal_record){
                        .kind = WAL_ENTRY,
                        .entry = {.index = i + 1,
                                  .term = terms[i],
                                  .kind = i + 1 < ENTRIES ? RAFT_ENTRY_NOOP : last_kind}});
    assert_int_equal(wal_sync(wal, NULL), PAWL_OK);
    wal_close(wal);
    assert_int_equal(wal_open(&options, &arena, &recovery, &wal, NULL), PAWL_OK);
    struct replica_restored restored;
    const enum pawl_error error = replica_restore(wal, &recovery, &rows, &arena, &restored, diag);
    wal_close(wal);
    arena_done(&arena);
    rows_map_free(map);
    sim_disk_free(disk);
    return error;
}

static void test_restore_of_a_log_that_cannot_be_says_which_entry(void **state)
{
    static const struct {
        uint64_t node_term, terms[ENTRIES];
        uint8_t last_kind;
        const char *says; /* NULL: the log is sound */
    } cases[] = {
        {2, {1, 1, 2}, RAFT_ENTRY_NOOP, NULL},
        {2, {1, 2, 1}, RAFT_ENTRY_NOOP, "entry 3 cannot be: its term is 1 after 2"},
        {2,
         {1, 3, 3},
         RAFT_ENTRY_NOOP,
         "entry 2 cannot be: its term is 3 after 1, the node's is 2"},
        {2, {1, 2, 2}, 9, "entry 3 cannot be"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct pawl_diag diag = {0};
        const enum pawl_error error =
            restore(cases[i].node_term, cases[i].terms, cases[i].last_kind, &diag);
        assert_int_equal(error, cases[i].says == NULL ? PAWL_OK : PAWL_E_CORRUPT);
        if (cases[i].says != NULL)
            assert_non_null(strstr(diag.text, cases[i].says));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_restore_of_a_log_that_cannot_be_says_which_entry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
