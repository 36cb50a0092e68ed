#include "node/store/rows_lmdb.h"

#include <assert.h>
#include <errno.h>
#include <lmdb.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "node/store/near.h"
#include "node/store/rows_sum.h"

enum {
    FORMAT = 4,
    STATE_TABLE = 0xff, /* in the digests of marks and sums */
    FINGERPRINT_BYTES = 16,
    FORMAT_BYTES = 4 + FINGERPRINT_BYTES,
    MARK_BYTES = 24,
    SUM_BYTES = 24,
    STATE_BYTES = MARK_BYTES + TABLE_COUNT * SUM_BYTES,
};

struct rows_lmdb {
    struct rows_lmdb_options options; /* path is not kept */
    MDB_env *env;
    MDB_dbi states;
    MDB_dbi tables[][TABLE_COUNT]; /* of each partition */
};

struct rows_snapshot {
    MDB_txn *txn;
    uint32_t partition;
    struct rows_mark mark;
};

struct state {
    struct rows_mark mark;
    struct rows_sum sums[TABLE_COUNT];
};

static MDB_val val_of(struct bytes bytes)
{
    return (MDB_val){.mv_size = bytes.size, .mv_data = (void *)(uintptr_t)bytes.data};
}

static struct bytes val_bytes(MDB_val val)
{
    return bytes_of(val.mv_data, val.mv_size);
}

/* LMDB reports a short write as EIO, so the file system is asked. */
static bool is_disk_full(const struct rows_lmdb *store, int code)
{
    const uint64_t nearly_nothing = (uint64_t)4 << 20; /* above the largest single write */
    if (code == ENOSPC || code == EDQUOT || code == EFBIG || code == MDB_MAP_FULL)
        return true;
    mdb_filehandle_t file;
    struct statvfs space;
    if (code != EIO || mdb_env_get_fd(store->env, &file) != 0 || fstatvfs(file, &space) != 0)
        return false;
    return (uint64_t)space.f_bavail * space.f_frsize < nearly_nothing;
}

static enum pawl_error fail(const struct rows_lmdb *store, int code, const char *what,
                            struct pawl_diag *diag)
{
    enum pawl_error error = PAWL_E_IO;
    if (is_disk_full(store, code))
        error = PAWL_E_DISK_FULL;
    else if (code == ENOMEM)
        error = PAWL_E_NO_MEMORY;
    else if (code == MDB_READERS_FULL)
        error = PAWL_E_BUSY;
    else if (code == MDB_INVALID || code == MDB_CORRUPTED || code == MDB_PAGE_NOTFOUND ||
             code == MDB_VERSION_MISMATCH || code == MDB_INCOMPATIBLE)
        error = PAWL_E_CORRUPT;
    return diag_fail(diag, error, "the store: %s: %s", what, mdb_strerror(code));
}

/* Marks and the format are read before the cluster's key is known to be right. */
static const struct rows_sum_key state_key = {"the state of a store of pawl"};

/* The value without its digest; false: damaged. */
static bool value_open(const struct rows_sum_key *key, const struct row_place *place,
                       MDB_val stored, struct bytes *value_out)
{
    return row_digest_open(key, place, val_bytes(stored), value_out);
}

/* Put a value with its digest; flags as mdb_cursor_put takes them. *there_out: under
 * MDB_NOOVERWRITE, what stands there instead (MDB_KEYEXIST). */
static int value_put(MDB_cursor *cursor, struct bytes name, struct bytes value,
                     const uint8_t digest[ROW_DIGEST_BYTES], unsigned flags, MDB_val *there_out)
{
    MDB_val key = val_of(name), room = {.mv_size = value.size + ROW_DIGEST_BYTES};
    int code = mdb_cursor_put(cursor, &key, &room, flags | MDB_RESERVE);
    if (code == MDB_KEYEXIST && there_out != NULL)
        *there_out = room;
    if (code != 0)
        return code;
    uint8_t *out = room.mv_data;
    if (value.size > 0)
        memcpy(out, value.data, value.size);
    memcpy(out + value.size, digest, ROW_DIGEST_BYTES);
    return 0;
}

static int state_put(MDB_cursor *cursor, const struct row_place *place, struct bytes value)
{
    uint8_t digest[ROW_DIGEST_BYTES];
    row_digest(&state_key, place, value, digest);
    return value_put(cursor, place->key, value, digest, 0, NULL);
}

static enum pawl_error damaged(const char *what, struct pawl_diag *diag)
{
    return diag_fail(diag, PAWL_E_CORRUPT, "the store: %s is damaged", what);
}

static void state_encode(const struct state *state, uint8_t out[STATE_BYTES])
{
    le64_put(out, state->mark.index);
    le64_put(out + 8, state->mark.term);
    le64_put(out + 16, state->mark.clock_us);
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        uint8_t *at = out + MARK_BYTES + i * SUM_BYTES;
        le64_put(at, state->sums[i].count);
        le64_put(at + 8, state->sums[i].sum[0]);
        le64_put(at + 16, state->sums[i].sum[1]);
    }
}

/* A record of a release with fewer tables is shorter; the tables it does not know are empty. */
static bool state_decode(struct bytes bytes, struct state *state_out)
{
    bool is_state = bytes.size >= MARK_BYTES && bytes.size <= STATE_BYTES &&
                    (bytes.size - MARK_BYTES) % SUM_BYTES == 0;
    if (!is_state)
        return false;
    *state_out = (struct state){
        .mark = {le64_get(bytes.data), le64_get(bytes.data + 8), le64_get(bytes.data + 16)}};
    for (size_t i = 0; i < (bytes.size - MARK_BYTES) / SUM_BYTES; i++) {
        const uint8_t *at = bytes.data + MARK_BYTES + i * SUM_BYTES;
        state_out->sums[i] = (struct rows_sum){le64_get(at), {le64_get(at + 8), le64_get(at + 16)}};
    }
    return true;
}

/* A partition that was never flushed is at its beginning. */
static enum pawl_error state_read(const struct rows_lmdb *store, MDB_txn *txn, uint32_t partition,
                                  struct state *state_out, struct pawl_diag *diag)
{
    uint8_t name[4];
    be32_put(name, partition);
    struct row_place place = {partition, STATE_TABLE, bytes_of(name, sizeof name)};
    MDB_val key = val_of(place.key), stored;
    int code = mdb_get(txn, store->states, &key, &stored);
    if (code == MDB_NOTFOUND) {
        *state_out = (struct state){0};
        return PAWL_OK;
    }
    if (code != 0)
        return fail(store, code, "reading a mark", diag);
    struct bytes value;
    if (!value_open(&state_key, &place, stored, &value) || !state_decode(value, state_out))
        return damaged("a mark", diag);
    return PAWL_OK;
}

static int state_write(const struct rows_lmdb *store, MDB_txn *txn, uint32_t partition,
                       const struct state *state)
{
    uint8_t name[4], encoded[STATE_BYTES];
    be32_put(name, partition);
    state_encode(state, encoded);
    struct row_place place = {partition, STATE_TABLE, bytes_of(name, sizeof name)};
    MDB_cursor *cursor;
    int code = mdb_cursor_open(txn, store->states, &cursor);
    if (code != 0)
        return code;
    code = state_put(cursor, &place, bytes_of(encoded, sizeof encoded));
    mdb_cursor_close(cursor);
    return code;
}

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
    struct state state;
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
        return fail(flush->store, code, "opening a table", diag);
    MDB_val key, value;
    code = mdb_cursor_get(flush->cursor, &key, &value, MDB_LAST);
    flush->is_empty = code == MDB_NOTFOUND;
    if (flush->is_empty)
        return PAWL_OK;
    if (code != 0)
        return fail(flush->store, code, "reading a table", diag);
    if (key.mv_size > sizeof flush->last_key)
        return damaged("a key", diag);
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
    if (!value_open(&flush->store->options.sum_key, place, stored, &old))
        return damaged("a row", diag);
    rows_sum_remove(flush_sum(flush), old.data + old.size);
    return PAWL_OK;
}

static enum pawl_error flush_delete(struct flush *flush, const struct row_place *place,
                                    struct pawl_diag *diag)
{
    MDB_val key = val_of(place->key), stored;
    int code = mdb_cursor_get(flush->cursor, &key, &stored, MDB_SET_KEY);
    if (code == MDB_NOTFOUND)
        return PAWL_OK;
    if (code != 0)
        return fail(flush->store, code, "reading a row", diag);
    TRY(flush_take_out(flush, place, stored, diag));
    code = mdb_cursor_del(flush->cursor, 0);
    return code == 0 ? PAWL_OK : fail(flush->store, code, "deleting a row", diag);
}

static enum pawl_error flush_put(struct flush *flush, const struct row_place *place,
                                 struct bytes value, bool is_past_end, struct pawl_diag *diag)
{
    uint8_t digest[ROW_DIGEST_BYTES];
    MDB_val there;
    row_digest(&flush->store->options.sum_key, place, value, digest);
    int code = value_put(flush->cursor, place->key, value, digest,
                         is_past_end ? MDB_APPEND : MDB_NOOVERWRITE, &there);
    if (code == MDB_KEYEXIST && !is_past_end) {
        TRY(flush_take_out(flush, place, there, diag));
        code = value_put(flush->cursor, place->key, value, digest, 0, NULL);
    }
    if (code != 0)
        return fail(flush->store, code, "writing a row", diag);
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
    TRY(state_read(flush->store, flush->txn, flush->partition, &flush->state, diag));
    for (size_t i = 0; i < write_count; i++) {
        if (i + WRITES_AHEAD < write_count) {
            bytes_near(writes[i + WRITES_AHEAD].key, NEAR_BYTES);
            bytes_near(writes[i + WRITES_AHEAD].value, NEAR_BYTES);
        }
        TRY(flush_write(flush, &writes[i], diag));
    }
    flush->state.mark = *mark;
    int code = state_write(flush->store, flush->txn, flush->partition, &flush->state);
    return code == 0 ? PAWL_OK : fail(flush->store, code, "writing a mark", diag);
}

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

/* LMDB leaves pages that it took and gave back unwritten, also the last ones. With them the file is
 * whole, and one that is too short when it is opened has lost something. */
static void file_complete(const struct rows_lmdb *store)
{
    mdb_filehandle_t file;
    uint64_t needed = file_bytes_needed(store);
    if (file_bytes(store) < needed && mdb_env_get_fd(store->env, &file) == 0) {
        int ignored = ftruncate(file, (off_t)needed);
        (void)ignored;
    }
}

static enum pawl_error lmdb_flush(void *self, uint32_t partition, const struct rows_mark *mark,
                                  const struct row_write *writes, size_t write_count,
                                  struct pawl_diag *diag)
{
    struct rows_lmdb *store = self;
    assert(partition < store->options.partition_count);
    struct flush flush = {.store = store, .partition = partition};
    int code = mdb_txn_begin(store->env, NULL, 0, &flush.txn);
    if (code != 0)
        return fail(store, code, "beginning a flush", diag);
    enum pawl_error error = flush_writes(&flush, mark, writes, write_count, diag);
    flush_leave_table(&flush);
    if (error != PAWL_OK) {
        mdb_txn_abort(flush.txn);
        return error;
    }
    code = mdb_txn_commit(flush.txn);
    if (code != 0)
        return fail(store, code, "committing a flush", diag);
    file_complete(store);
    return PAWL_OK;
}

static enum pawl_error lmdb_snapshot_open(void *self, uint32_t partition,
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
        return fail(store, code, "opening a snapshot", NULL);
    }
    struct state state;
    enum pawl_error error = state_read(store, snapshot->txn, partition, &state, NULL);
    if (error != PAWL_OK) {
        mdb_txn_abort(snapshot->txn);
        free(snapshot);
        return error;
    }
    snapshot->mark = state.mark;
    *snapshot_out = snapshot;
    return PAWL_OK;
}

static void lmdb_snapshot_close(void *self, struct rows_snapshot *snapshot)
{
    (void)self;
    mdb_txn_abort(snapshot->txn);
    free(snapshot);
}

static struct rows_mark lmdb_snapshot_mark(void *self, const struct rows_snapshot *snapshot)
{
    (void)self;
    return snapshot->mark;
}

static enum pawl_error lmdb_get(void *self, struct rows_snapshot *snapshot, enum row_table table,
                                struct bytes key, struct bytes *value_out)
{
    const struct rows_lmdb *store = self;
    if (key.size == 0 || key.size > ROW_KEY_BYTES_MAX)
        return PAWL_E_NOT_FOUND;
    MDB_val wanted = val_of(key), stored;
    int code = mdb_get(snapshot->txn, store->tables[snapshot->partition][table], &wanted, &stored);
    if (code == MDB_NOTFOUND)
        return PAWL_E_NOT_FOUND;
    if (code != 0)
        return fail(store, code, "reading a row", NULL);
    struct row_place place = {snapshot->partition, (uint8_t)table, key};
    return value_open(&store->options.sum_key, &place, stored, value_out) ? PAWL_OK
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
    scan->key = val_of(from);
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
    struct bytes key = val_bytes(scan->key);
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
        place->key = rows_out[count].key = val_bytes(scan->key);
        if (!value_open(&store->options.sum_key, place, scan->value, &rows_out[count].value))
            return PAWL_E_CORRUPT;
        if (++count < row_max)
            code = scan_next(scan);
    }
    if (code != 0 && code != MDB_NOTFOUND)
        return fail(store, code, "scanning rows", NULL);
    *count_out = count;
    return PAWL_OK;
}

static enum pawl_error lmdb_scan(void *self, struct rows_snapshot *snapshot, enum row_table table,
                                 struct bytes begin, struct bytes end, bool is_backward,
                                 size_t row_max, struct row *rows_out, size_t *count_out)
{
    const struct rows_lmdb *store = self;
    struct scan scan = {.begin = begin, .end = end, .is_backward = is_backward};
    MDB_dbi dbi = store->tables[snapshot->partition][table];
    int code = mdb_cursor_open(snapshot->txn, dbi, &scan.cursor);
    if (code != 0)
        return fail(store, code, "opening a table", NULL);
    struct row_place place = {.partition = snapshot->partition, .table = (uint8_t)table};
    enum pawl_error error = scan_rows(store, &scan, &place, row_max, rows_out, count_out);
    mdb_cursor_close(scan.cursor);
    return error;
}

static enum pawl_error lmdb_sums(void *self, uint32_t partition,
                                 struct rows_sum sums_out[TABLE_COUNT])
{
    struct rows_lmdb *store = self;
    assert(partition < store->options.partition_count);
    MDB_txn *txn;
    int code = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn);
    if (code != 0)
        return fail(store, code, "reading sums", NULL);
    struct state state;
    enum pawl_error error = state_read(store, txn, partition, &state, NULL);
    mdb_txn_abort(txn);
    if (error == PAWL_OK)
        memcpy(sums_out, state.sums, sizeof state.sums);
    return error;
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
    return code == 0 ? PAWL_OK : fail(store, code, "opening the tables", diag);
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
        return damaged("its format", diag);
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
    struct row_place place = {UINT32_MAX, STATE_TABLE, BYTES_LITERAL("format")};
    MDB_cursor *cursor;
    int code = mdb_cursor_open(txn, store->states, &cursor);
    if (code != 0)
        return fail(store, code, "reading its format", diag);
    MDB_val key = val_of(place.key), stored;
    code = mdb_cursor_get(cursor, &key, &stored, MDB_SET_KEY);
    bool is_new = code == MDB_NOTFOUND;
    if (is_new)
        code = state_put(cursor, &place, bytes_of(own, sizeof own));
    mdb_cursor_close(cursor);
    if (code != 0)
        return fail(store, code, "its format", diag);
    if (is_new)
        return PAWL_OK;
    struct bytes found;
    if (!value_open(&state_key, &place, stored, &found))
        return damaged("its format", diag);
    return format_compare(found, own, diag);
}

static enum pawl_error content_open(struct rows_lmdb *store, struct pawl_diag *diag)
{
    if (file_bytes(store) != 0 && file_bytes(store) < file_bytes_needed(store))
        return diag_fail(diag, PAWL_E_CORRUPT, "the store: the file has lost its end");
    MDB_txn *txn;
    int code = mdb_txn_begin(store->env, NULL, 0, &txn);
    if (code != 0)
        return fail(store, code, "reading it", diag);
    enum pawl_error error = tables_open(store, txn, diag);
    if (error == PAWL_OK)
        error = format_check(store, txn, diag);
    if (error != PAWL_OK) {
        mdb_txn_abort(txn);
        return error;
    }
    code = mdb_txn_commit(txn);
    if (code != 0)
        return fail(store, code, "preparing it", diag);
    file_complete(store);
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
        return fail(store, code, path, diag);
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
