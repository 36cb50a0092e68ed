#include "node/store/rows_lmdb.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node/store/lmdb_store.h"

enum {
    FORMAT = 4,
    FINGERPRINT_BYTES = 16,
    FORMAT_BYTES = 4 + FINGERPRINT_BYTES,
};

/* The bytes that the file must have for every page that is in use. */
static uint64_t file_bytes_needed(const struct rows_lmdb *store)
{
    MDB_envinfo info;
    MDB_stat stat;
    mdb_env_info(store->env, &info);
    mdb_env_stat(store->env, &stat);
    return ((uint64_t)info.me_last_pgno + 1) * stat.ms_psize;
}

static uint64_t file_bytes(const struct rows_lmdb *store)
{
    mdb_filehandle_t file;
    struct stat stat;
    bool is_known = mdb_env_get_fd(store->env, &file) == 0 && fstat(file, &stat) == 0;
    return is_known ? (uint64_t)stat.st_size : 0;
}

void lmdb_file_complete(const struct rows_lmdb *store)
{
    mdb_filehandle_t file;
    uint64_t needed = file_bytes_needed(store);
    if (file_bytes(store) < needed && mdb_env_get_fd(store->env, &file) == 0) {
        int ignored = ftruncate(file, (off_t)needed);
        (void)ignored;
    }
}

static enum pawl_error tables_open(struct rows_lmdb *store, MDB_txn *txn, struct pawl_diag *diag)
{
    int code = mdb_dbi_open(txn, "states", MDB_CREATE, &store->states);
    for (uint32_t partition = 0; partition < store->options.partition_count; partition++) {
        for (unsigned table = 0; code == 0 && table < TABLE_COUNT; table++) {
            char name[32];
            snprintf(name, sizeof name, "%08x.%02u", (unsigned)partition, table);
            code = mdb_dbi_open(txn, name, MDB_CREATE, &store->tables[partition][table]);
        }
    }
    return code == 0 ? PAWL_OK : lmdb_fail(store, code, "opening the tables", diag);
}

/* The format's number, and a trace of the key of the sums that does not tell it. */
static void format_encode(const struct rows_lmdb *store, uint8_t out[FORMAT_BYTES])
{
    const struct rows_sum_key *key = &store->options.sum_key;
    le32_put(out, FORMAT);
    crypto_generichash(out + 4, FINGERPRINT_BYTES, NULL, 0, key->byte, sizeof key->byte);
}

static enum pawl_error format_compare(struct bytes found, const uint8_t own[FORMAT_BYTES],
                                      struct pawl_diag *diag)
{
    if (found.size != FORMAT_BYTES)
        return lmdb_damaged("its format", diag);
    if (le32_get(found.data) != FORMAT)
        return diag_fail(diag, PAWL_E_UNSUPPORTED,
                         "the store: its format is %u and this release reads %u",
                         (unsigned)le32_get(found.data), (unsigned)FORMAT);
    if (memcmp(found.data, own, FORMAT_BYTES) != 0)
        return diag_fail(diag, PAWL_E_WRONG_CLUSTER, "the store belongs to another cluster");
    return PAWL_OK;
}

static enum pawl_error format_check(struct rows_lmdb *store, MDB_txn *txn, struct pawl_diag *diag)
{
    uint8_t own[FORMAT_BYTES];
    format_encode(store, own);
    struct row_place place = {UINT32_MAX, LMDB_STATE_TABLE, BYTES_LITERAL("format")};
    MDB_cursor *cursor;
    int code = mdb_cursor_open(txn, store->states, &cursor);
    if (code != 0)
        return lmdb_fail(store, code, "reading its format", diag);
    MDB_val key = lmdb_val(place.key), stored;
    code = mdb_cursor_get(cursor, &key, &stored, MDB_SET_KEY);
    bool is_new = code == MDB_NOTFOUND;
    if (is_new)
        code = lmdb_state_put(cursor, &place, bytes_of(own, sizeof own));
    mdb_cursor_close(cursor);
    if (code != 0)
        return lmdb_fail(store, code, "its format", diag);
    if (is_new)
        return PAWL_OK;
    struct bytes found;
    if (!lmdb_value_open(&lmdb_state_key, &place, stored, &found))
        return lmdb_damaged("its format", diag);
    return format_compare(found, own, diag);
}

static enum pawl_error content_open(struct rows_lmdb *store, struct pawl_diag *diag)
{
    if (file_bytes(store) != 0 && file_bytes(store) < file_bytes_needed(store))
        return diag_fail(diag, PAWL_E_CORRUPT, "the store: the file has lost its end");
    MDB_txn *txn;
    int code = mdb_txn_begin(store->env, NULL, 0, &txn);
    if (code != 0)
        return lmdb_fail(store, code, "reading it", diag);
    enum pawl_error error = tables_open(store, txn, diag);
    if (error == PAWL_OK)
        error = format_check(store, txn, diag);
    if (error != PAWL_OK) {
        mdb_txn_abort(txn);
        return error;
    }
    code = mdb_txn_commit(txn);
    if (code != 0)
        return lmdb_fail(store, code, "preparing it", diag);
    lmdb_file_complete(store);
    return PAWL_OK;
}

static enum pawl_error env_open(struct rows_lmdb *store, const char *path, struct pawl_diag *diag)
{
    const struct rows_lmdb_options *options = &store->options;
    unsigned database_count = options->partition_count * TABLE_COUNT + 1;
    int code = mdb_env_set_mapsize(store->env, (size_t)options->map_bytes);
    if (code == 0)
        code = mdb_env_set_maxreaders(store->env, options->readers_max);
    if (code == 0)
        code = mdb_env_set_maxdbs(store->env, database_count);
    if (code == 0)
        code = mdb_env_open(store->env, path, MDB_NOTLS | MDB_NOMEMINIT, 0600);
    if (code != 0)
        return lmdb_fail(store, code, path, diag);
    (void)rows_lmdb_clear_readers(store);
    return content_open(store, diag);
}

enum pawl_error rows_lmdb_open(const struct rows_lmdb_options *options,
                               struct rows_lmdb **store_out, struct pawl_diag *diag)
{
    struct rows_lmdb *store;
    store = calloc(1, sizeof *store + options->partition_count * sizeof store->tables[0]);
    if (store == NULL)
        return PAWL_E_NO_MEMORY;
    store->options = *options;
    store->options.path = NULL;
    if (options->map_bytes == 0)
        store->options.map_bytes = (uint64_t)64 << 30;
    if (options->readers_max == 0)
        store->options.readers_max = 256;
    if (mdb_env_create(&store->env) != 0) {
        free(store);
        return PAWL_E_NO_MEMORY;
    }
    enum pawl_error error = env_open(store, options->path, diag);
    if (error != PAWL_OK) {
        rows_lmdb_close(store);
        return error;
    }
    *store_out = store;
    return PAWL_OK;
}

void rows_lmdb_close(struct rows_lmdb *store)
{
    mdb_env_close(store->env);
    free(store);
}

struct rows_port rows_lmdb_port(struct rows_lmdb *store)
{
    return (struct rows_port){
        .self = store,
        .flush = lmdb_flush,
        .snapshot_open = lmdb_snapshot_open,
        .snapshot_close = lmdb_snapshot_close,
        .snapshot_mark = lmdb_snapshot_mark,
        .get = lmdb_get,
        .scan = lmdb_scan,
        .sums = lmdb_sums,
    };
}

int rows_lmdb_clear_readers(struct rows_lmdb *store)
{
    int dead = 0;
    return mdb_reader_check(store->env, &dead) == 0 ? dead : 0;
}
