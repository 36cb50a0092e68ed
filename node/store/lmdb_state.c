#include <errno.h>
#include <sys/statvfs.h>

#include "node/store/lmdb_store.h"

enum {
    MARK_BYTES = 24,
    SUM_BYTES = 24,
    STATE_BYTES = MARK_BYTES + TABLE_COUNT * SUM_BYTES,
};

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

enum pawl_error lmdb_fail(const struct rows_lmdb *store, int code, const char *what,
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

const struct rows_sum_key lmdb_state_key = {"the state of a store of pawl"};

bool lmdb_value_open(const struct rows_sum_key *key, const struct row_place *place, MDB_val stored,
                     struct bytes *value_out)
{
    return row_digest_open(key, place, lmdb_bytes(stored), value_out);
}

int lmdb_value_put(MDB_cursor *cursor, struct bytes name, struct bytes value,
                   const uint8_t digest[ROW_DIGEST_BYTES], unsigned flags, MDB_val *there_out)
{
    MDB_val key = lmdb_val(name), room = {.mv_size = value.size + ROW_DIGEST_BYTES};
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

int lmdb_state_put(MDB_cursor *cursor, const struct row_place *place, struct bytes value)
{
    uint8_t digest[ROW_DIGEST_BYTES];
    row_digest(&lmdb_state_key, place, value, digest);
    return lmdb_value_put(cursor, place->key, value, digest, 0, NULL);
}

enum pawl_error lmdb_damaged(const char *what, struct pawl_diag *diag)
{
    return diag_fail(diag, PAWL_E_CORRUPT, "the store: %s is damaged", what);
}

static void state_encode(const struct lmdb_state *state, uint8_t out[STATE_BYTES])
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
static bool state_decode(struct bytes bytes, struct lmdb_state *state_out)
{
    bool is_state = bytes.size >= MARK_BYTES && bytes.size <= STATE_BYTES &&
                    (bytes.size - MARK_BYTES) % SUM_BYTES == 0;
    if (!is_state)
        return false;
    *state_out = (struct lmdb_state){
        .mark = {le64_get(bytes.data), le64_get(bytes.data + 8), le64_get(bytes.data + 16)}};
    for (size_t i = 0; i < (bytes.size - MARK_BYTES) / SUM_BYTES; i++) {
        const uint8_t *at = bytes.data + MARK_BYTES + i * SUM_BYTES;
        state_out->sums[i] = (struct rows_sum){le64_get(at), {le64_get(at + 8), le64_get(at + 16)}};
    }
    return true;
}

enum pawl_error lmdb_state_read(const struct rows_lmdb *store, MDB_txn *txn, uint32_t partition,
                                struct lmdb_state *state_out, struct pawl_diag *diag)
{
    uint8_t name[4];
    be32_put(name, partition);
    struct row_place place = {partition, LMDB_STATE_TABLE, bytes_of(name, sizeof name)};
    MDB_val key = lmdb_val(place.key), stored;
    int code = mdb_get(txn, store->states, &key, &stored);
    if (code == MDB_NOTFOUND) {
        *state_out = (struct lmdb_state){0};
        return PAWL_OK;
    }
    if (code != 0)
        return lmdb_fail(store, code, "reading a mark", diag);
    struct bytes value;
    if (!lmdb_value_open(&lmdb_state_key, &place, stored, &value) ||
        !state_decode(value, state_out))
        return lmdb_damaged("a mark", diag);
    return PAWL_OK;
}

int lmdb_state_write(const struct rows_lmdb *store, MDB_txn *txn, uint32_t partition,
                     const struct lmdb_state *state)
{
    uint8_t name[4], encoded[STATE_BYTES];
    be32_put(name, partition);
    state_encode(state, encoded);
    struct row_place place = {partition, LMDB_STATE_TABLE, bytes_of(name, sizeof name)};
    MDB_cursor *cursor;
    int code = mdb_cursor_open(txn, store->states, &cursor);
    if (code != 0)
        return code;
    code = lmdb_state_put(cursor, &place, bytes_of(encoded, sizeof encoded));
    mdb_cursor_close(cursor);
    return code;
}
