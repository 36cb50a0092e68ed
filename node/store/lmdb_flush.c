#include <assert.h>

#include "node/store/lmdb_store.h"
#include "node/store/near.h"
#include "node/store/rows_sum.h"

/* One flush under way, at one table. */
struct flush {
    struct rows_lmdb *store;
    MDB_txn *txn;
    MDB_cursor *cursor; /* of the table; NULL: none yet */
    uint32_t partition;
    uint8_t table;
    bool is_empty; /* the table was, when the flush came to it */
    uint8_t last_key[ROW_KEY_BYTES_MAX];
    size_t last_key_size;
    struct lmdb_state state;
};

static void flush_leave_table(struct flush *flush)
{
    if (flush->cursor != NULL)
        mdb_cursor_close(flush->cursor);
    flush->cursor = NULL;
}

static enum pawl_error flush_enter_table(struct flush *flush, uint8_t table, struct pawl_diag *diag)
{
    if (flush->cursor != NULL && flush->table == table)
        return PAWL_OK;
    flush_leave_table(flush);
    flush->table = table;
    int code =
        mdb_cursor_open(flush->txn, flush->store->tables[flush->partition][table], &flush->cursor);
    if (code != 0)
        return lmdb_fail(flush->store, code, "opening a table", diag);
    MDB_val key, value;
    code = mdb_cursor_get(flush->cursor, &key, &value, MDB_LAST);
    flush->is_empty = code == MDB_NOTFOUND;
    if (flush->is_empty)
        return PAWL_OK;
    if (code != 0)
        return lmdb_fail(flush->store, code, "reading a table", diag);
    if (key.mv_size > sizeof flush->last_key)
        return lmdb_damaged("a key", diag);
    memcpy(flush->last_key, key.mv_data, key.mv_size);
    flush->last_key_size = key.mv_size;
    return PAWL_OK;
}

/* No row of the table stands at key or after it. */
static bool flush_is_past_end(const struct flush *flush, struct bytes key)
{
    return flush->is_empty ||
           bytes_compare(key, bytes_of(flush->last_key, flush->last_key_size)) > 0;
}

static struct rows_sum *flush_sum(struct flush *flush)
{
    return &flush->state.sums[flush->table];
}

/* The row that is there leaves the sum; damage is found now or never. */
static enum pawl_error flush_take_out(struct flush *flush, const struct row_place *place,
                                      MDB_val stored, struct pawl_diag *diag)
{
    struct bytes old;
    if (!lmdb_value_open(&flush->store->options.sum_key, place, stored, &old))
        return lmdb_damaged("a row", diag);
    rows_sum_remove(flush_sum(flush), old.data + old.size);
    return PAWL_OK;
}

static enum pawl_error flush_delete(struct flush *flush, const struct row_place *place,
                                    struct pawl_diag *diag)
{
    MDB_val key = lmdb_val(place->key), stored;
    int code = mdb_cursor_get(flush->cursor, &key, &stored, MDB_SET_KEY);
    if (code == MDB_NOTFOUND)
        return PAWL_OK;
    if (code != 0)
        return lmdb_fail(flush->store, code, "reading a row", diag);
    TRY(flush_take_out(flush, place, stored, diag));
    code = mdb_cursor_del(flush->cursor, 0);
    return code == 0 ? PAWL_OK : lmdb_fail(flush->store, code, "deleting a row", diag);
}

static enum pawl_error flush_put(struct flush *flush, const struct row_place *place,
                                 struct bytes value, bool is_past_end, struct pawl_diag *diag)
{
    uint8_t digest[ROW_DIGEST_BYTES];
    MDB_val there;
    row_digest(&flush->store->options.sum_key, place, value, digest);
    int code = lmdb_value_put(flush->cursor, place->key, value, digest,
                              is_past_end ? MDB_APPEND : MDB_NOOVERWRITE, &there);
    if (code == MDB_KEYEXIST && !is_past_end) {
        TRY(flush_take_out(flush, place, there, diag));
        code = lmdb_value_put(flush->cursor, place->key, value, digest, 0, NULL);
    }
    if (code != 0)
        return lmdb_fail(flush->store, code, "writing a row", diag);
    rows_sum_add(flush_sum(flush), digest);
    return PAWL_OK;
}

static enum pawl_error flush_write(struct flush *flush, const struct row_write *write,
                                   struct pawl_diag *diag)
{
    assert(write->table < TABLE_COUNT);
    assert(write->key.size > 0 && write->key.size <= ROW_KEY_BYTES_MAX);
    TRY(flush_enter_table(flush, write->table, diag));
    const struct row_place place = {flush->partition, write->table, write->key};
    const bool is_past_end = flush_is_past_end(flush, write->key);
    if (!write->is_deleted)
        return flush_put(flush, &place, write->value, is_past_end, diag);
    return is_past_end ? PAWL_OK : flush_delete(flush, &place, diag);
}

enum { WRITES_AHEAD = 4, NEAR_BYTES = 256 };

/* The writes are in order; their bytes stand where their entries are. */
static enum pawl_error flush_writes(struct flush *flush, const struct rows_mark *mark,
                                    const struct row_write *writes, size_t write_count,
                                    struct pawl_diag *diag)
{
    TRY(lmdb_state_read(flush->store, flush->txn, flush->partition, &flush->state, diag));
    for (size_t i = 0; i < write_count; i++) {
        if (i + WRITES_AHEAD < write_count) {
            bytes_near(writes[i + WRITES_AHEAD].key, NEAR_BYTES);
            bytes_near(writes[i + WRITES_AHEAD].value, NEAR_BYTES);
        }
        TRY(flush_write(flush, &writes[i], diag));
    }
    flush->state.mark = *mark;
    int code = lmdb_state_write(flush->store, flush->txn, flush->partition, &flush->state);
    return code == 0 ? PAWL_OK : lmdb_fail(flush->store, code, "writing a mark", diag);
}

enum pawl_error lmdb_flush(void *self, uint32_t partition, const struct rows_mark *mark,
                           const struct row_write *writes, size_t write_count,
                           struct pawl_diag *diag)
{
    struct rows_lmdb *store = self;
    assert(partition < store->options.partition_count);
    struct flush flush = {.store = store, .partition = partition};
    int code = mdb_txn_begin(store->env, NULL, 0, &flush.txn);
    if (code != 0)
        return lmdb_fail(store, code, "beginning a flush", diag);
    enum pawl_error error = flush_writes(&flush, mark, writes, write_count, diag);
    flush_leave_table(&flush);
    if (error != PAWL_OK) {
        mdb_txn_abort(flush.txn);
        return error;
    }
    code = mdb_txn_commit(flush.txn);
    if (code != 0)
        return lmdb_fail(store, code, "committing a flush", diag);
    lmdb_file_complete(store);
    return PAWL_OK;
}
