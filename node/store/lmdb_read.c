#include <assert.h>
#include <stdlib.h>

#include "node/store/lmdb_store.h"

struct rows_snapshot {
    MDB_txn *txn;
    uint32_t partition;
    struct rows_mark mark;
};

enum pawl_error lmdb_snapshot_open(void *self, uint32_t partition,
                                   struct rows_snapshot **snapshot_out)
{
    struct rows_lmdb *store = self;
    assert(partition < store->options.partition_count);
    struct rows_snapshot *snapshot = malloc(sizeof *snapshot);
    if (snapshot == NULL)
        return PAWL_E_NO_MEMORY;
    *snapshot = (struct rows_snapshot){.partition = partition};
    int code = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &snapshot->txn);
    if (code != 0) {
        free(snapshot);
        return lmdb_fail(store, code, "opening a snapshot", NULL);
    }
    struct lmdb_state state;
    enum pawl_error error = lmdb_state_read(store, snapshot->txn, partition, &state, NULL);
    if (error != PAWL_OK) {
        mdb_txn_abort(snapshot->txn);
        free(snapshot);
        return error;
    }
    snapshot->mark = state.mark;
    *snapshot_out = snapshot;
    return PAWL_OK;
}

void lmdb_snapshot_close(void *self, struct rows_snapshot *snapshot)
{
    (void)self;
    mdb_txn_abort(snapshot->txn);
    free(snapshot);
}

struct rows_mark lmdb_snapshot_mark(void *self, const struct rows_snapshot *snapshot)
{
    (void)self;
    return snapshot->mark;
}

enum pawl_error lmdb_get(void *self, struct rows_snapshot *snapshot, enum row_table table,
                         struct bytes key, struct bytes *value_out)
{
    const struct rows_lmdb *store = self;
    if (key.size == 0 || key.size > ROW_KEY_BYTES_MAX)
        return PAWL_E_NOT_FOUND;
    MDB_val wanted = lmdb_val(key), stored;
    int code = mdb_get(snapshot->txn, store->tables[snapshot->partition][table], &wanted, &stored);
    if (code == MDB_NOTFOUND)
        return PAWL_E_NOT_FOUND;
    if (code != 0)
        return lmdb_fail(store, code, "reading a row", NULL);
    struct row_place place = {snapshot->partition, (uint8_t)table, key};
    return lmdb_value_open(&store->options.sum_key, &place, stored, value_out) ? PAWL_OK
                                                                               : PAWL_E_CORRUPT;
}

struct scan {
    MDB_cursor *cursor;
    struct bytes begin, end;
    bool is_backward;
    MDB_val key, value; /* where the cursor stands */
};

static int scan_first(struct scan *scan)
{
    struct bytes from = scan->is_backward ? scan->end : scan->begin;
    if (from.size == 0)
        return mdb_cursor_get(scan->cursor, &scan->key, &scan->value,
                              scan->is_backward ? MDB_LAST : MDB_FIRST);
    scan->key = lmdb_val(from);
    int code = mdb_cursor_get(scan->cursor, &scan->key, &scan->value, MDB_SET_RANGE);
    if (!scan->is_backward)
        return code;
    return mdb_cursor_get(scan->cursor, &scan->key, &scan->value,
                          code == MDB_NOTFOUND ? MDB_LAST : MDB_PREV);
}

static int scan_next(struct scan *scan)
{
    return mdb_cursor_get(scan->cursor, &scan->key, &scan->value,
                          scan->is_backward ? MDB_PREV : MDB_NEXT);
}

static bool scan_is_inside(const struct scan *scan)
{
    struct bytes key = lmdb_bytes(scan->key);
    return bytes_compare(key, scan->begin) >= 0 &&
           (scan->end.size == 0 || bytes_compare(key, scan->end) < 0);
}

static enum pawl_error scan_rows(const struct rows_lmdb *store, struct scan *scan,
                                 struct row_place *place, size_t row_max, struct row *rows_out,
                                 size_t *count_out)
{
    size_t count = 0;
    int code = row_max == 0 ? MDB_NOTFOUND : scan_first(scan);
    while (code == 0 && count < row_max && scan_is_inside(scan)) {
        place->key = rows_out[count].key = lmdb_bytes(scan->key);
        if (!lmdb_value_open(&store->options.sum_key, place, scan->value, &rows_out[count].value))
            return PAWL_E_CORRUPT;
        if (++count < row_max)
            code = scan_next(scan);
    }
    if (code != 0 && code != MDB_NOTFOUND)
        return lmdb_fail(store, code, "scanning rows", NULL);
    *count_out = count;
    return PAWL_OK;
}

enum pawl_error lmdb_scan(void *self, struct rows_snapshot *snapshot, enum row_table table,
                          struct bytes begin, struct bytes end, bool is_backward, size_t row_max,
                          struct row *rows_out, size_t *count_out)
{
    const struct rows_lmdb *store = self;
    struct scan scan = {.begin = begin, .end = end, .is_backward = is_backward};
    MDB_dbi dbi = store->tables[snapshot->partition][table];
    int code = mdb_cursor_open(snapshot->txn, dbi, &scan.cursor);
    if (code != 0)
        return lmdb_fail(store, code, "opening a table", NULL);
    struct row_place place = {.partition = snapshot->partition, .table = (uint8_t)table};
    enum pawl_error error = scan_rows(store, &scan, &place, row_max, rows_out, count_out);
    mdb_cursor_close(scan.cursor);
    return error;
}

enum pawl_error lmdb_sums(void *self, uint32_t partition, struct rows_sum sums_out[TABLE_COUNT])
{
    struct rows_lmdb *store = self;
    assert(partition < store->options.partition_count);
    MDB_txn *txn;
    int code = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn);
    if (code != 0)
        return lmdb_fail(store, code, "reading sums", NULL);
    struct lmdb_state state;
    enum pawl_error error = lmdb_state_read(store, txn, partition, &state, NULL);
    mdb_txn_abort(txn);
    if (error == PAWL_OK)
        memcpy(sums_out, state.sums, sizeof state.sums);
    return error;
}
