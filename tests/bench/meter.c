#include "tests/bench/meter.h"

#include <lmdb.h>
#include <stddef.h>

/* The linker sends each call of NAME to __wrap_NAME; __real_NAME is the library's. */
#define WRAP(result, name, parameters, arguments, counter)                                         \
    result __real_##name parameters;                                                               \
    result __wrap_##name parameters;                                                               \
    result __wrap_##name parameters                                                                \
    {                                                                                              \
        total.counter++;                                                                           \
        return __real_##name arguments;                                                            \
    }

static struct meter total;

WRAP(void *, malloc, (size_t size), (size), allocations)
WRAP(void *, calloc, (size_t count, size_t size), (count, size), allocations)
WRAP(void *, realloc, (void *block, size_t size), (block, size), allocations)
WRAP(int, mdb_put, (MDB_txn * txn, MDB_dbi dbi, MDB_val *key, MDB_val *data, unsigned flags),
     (txn, dbi, key, data, flags), lmdb_puts)
WRAP(int, mdb_cursor_put, (MDB_cursor * cursor, MDB_val *key, MDB_val *data, unsigned flags),
     (cursor, key, data, flags), lmdb_puts)
WRAP(int, mdb_del, (MDB_txn * txn, MDB_dbi dbi, MDB_val *key, MDB_val *data), (txn, dbi, key, data),
     lmdb_deletes)
WRAP(int, mdb_cursor_del, (MDB_cursor * cursor, unsigned flags), (cursor, flags), lmdb_deletes)
WRAP(int, mdb_get, (MDB_txn * txn, MDB_dbi dbi, MDB_val *key, MDB_val *data), (txn, dbi, key, data),
     lmdb_gets)
WRAP(int, mdb_cursor_get, (MDB_cursor * cursor, MDB_val *key, MDB_val *data, MDB_cursor_op op),
     (cursor, key, data, op), lmdb_gets)
WRAP(int, mdb_txn_commit, (MDB_txn * txn), (txn), lmdb_commits)

struct meter meter_read(void)
{
    return total;
}

void meter_add(struct meter *sum, const struct meter *begin, const struct meter *end)
{
    sum->allocations += end->allocations - begin->allocations;
    sum->lmdb_puts += end->lmdb_puts - begin->lmdb_puts;
    sum->lmdb_deletes += end->lmdb_deletes - begin->lmdb_deletes;
    sum->lmdb_gets += end->lmdb_gets - begin->lmdb_gets;
    sum->lmdb_commits += end->lmdb_commits - begin->lmdb_commits;
}
