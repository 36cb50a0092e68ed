/* Inside the store over LMDB: what opening, flushing and reading share.
 *
 * Only the files of rows_lmdb include this; rows_lmdb.h says what the store promises.
 */
#ifndef PAWL_NODE_LMDB_STORE_H
#define PAWL_NODE_LMDB_STORE_H

#include <lmdb.h>

#include "node/store/row_digest.h"
#include "node/store/rows_lmdb.h"

enum { LMDB_STATE_TABLE = 0xff }; /* in the digests of marks, sums and the format */

struct rows_lmdb {
    struct rows_lmdb_options options; /* path is not kept */
    MDB_env *env;
    MDB_dbi states;
    MDB_dbi tables[][TABLE_COUNT]; /* of each partition */
};

/* What the store knows of a partition beside its rows. */
struct lmdb_state {
    struct rows_mark mark;
    struct rows_sum sums[TABLE_COUNT];
};

static inline MDB_val lmdb_val(struct bytes bytes)
{
    return (MDB_val){.mv_size = bytes.size, .mv_data = (void *)(uintptr_t)bytes.data};
}

static inline struct bytes lmdb_bytes(MDB_val val)
{
    return bytes_of(val.mv_data, val.mv_size);
}

/* ---- lmdb_state.c: values with their digests, errors, marks and sums ---- */

/* Marks and the format are read before the cluster's key is known to be right. */
extern const struct rows_sum_key lmdb_state_key;

/* What LMDB said, as an error of the store. */
enum pawl_error lmdb_fail(const struct rows_lmdb *store, int code, const char *what,
                          struct pawl_diag *diag);
enum pawl_error lmdb_damaged(const char *what, struct pawl_diag *diag);
/* The value without its digest; false: damaged. */
bool lmdb_value_open(const struct rows_sum_key *key, const struct row_place *place, MDB_val stored,
                     struct bytes *value_out);
/* Put a value with its digest; flags as mdb_cursor_put takes them. *there_out: under
 * MDB_NOOVERWRITE, what stands there instead (MDB_KEYEXIST). */
int lmdb_value_put(MDB_cursor *cursor, struct bytes name, struct bytes value,
                   const uint8_t digest[ROW_DIGEST_BYTES], unsigned flags, MDB_val *there_out);
int lmdb_state_put(MDB_cursor *cursor, const struct row_place *place, struct bytes value);
/* A partition that was never flushed is at its beginning. */
enum pawl_error lmdb_state_read(const struct rows_lmdb *store, MDB_txn *txn, uint32_t partition,
                                struct lmdb_state *state_out, struct pawl_diag *diag);
int lmdb_state_write(const struct rows_lmdb *store, MDB_txn *txn, uint32_t partition,
                     const struct lmdb_state *state);

/* ---- lmdb_flush.c ---- */

enum pawl_error lmdb_flush(void *self, uint32_t partition, const struct rows_mark *mark,
                           const struct row_write *writes, size_t write_count,
                           struct pawl_diag *diag);

/* ---- lmdb_read.c ---- */

enum pawl_error lmdb_snapshot_open(void *self, uint32_t partition,
                                   struct rows_snapshot **snapshot_out);
void lmdb_snapshot_close(void *self, struct rows_snapshot *snapshot);
struct rows_mark lmdb_snapshot_mark(void *self, const struct rows_snapshot *snapshot);
enum pawl_error lmdb_get(void *self, struct rows_snapshot *snapshot, enum row_table table,
                         struct bytes key, struct bytes *value_out);
enum pawl_error lmdb_scan(void *self, struct rows_snapshot *snapshot, enum row_table table,
                          struct bytes begin, struct bytes end, bool is_backward, size_t row_max,
                          struct row *rows_out, size_t *count_out);
enum pawl_error lmdb_sums(void *self, uint32_t partition, struct rows_sum sums_out[TABLE_COUNT]);

/* ---- rows_lmdb.c ---- */

/* LMDB leaves pages that it took and gave back unwritten, also the last ones. With them the file is
 * whole, and one that is too short when it is opened has lost something. After every commit. */
void lmdb_file_complete(const struct rows_lmdb *store);

#endif
