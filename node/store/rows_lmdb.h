/* The rows port over LMDB: the checkpoint of a real node.
 *
 * 1. One environment in one directory; each (partition, table) is a named database, so that
 *    tables whose keys rise are appended to. The marks and sums of all partitions are a database
 *    of their own.
 * 2. A flush is one transaction, synced when it returns. No MDB_NOSYNC, no MDB_WRITEMAP.
 * 3. Every value ends with the digest of its row, so that damage is found where it is read.
 * 4. A directory must not be opened twice in one process, nor used after a fork.
 *
 * Source: lmdb.h of LMDB 0.9.24.
 */
#ifndef PAWL_NODE_ROWS_LMDB_H
#define PAWL_NODE_ROWS_LMDB_H

#include "node/store/rows_port.h"

struct rows_lmdb;

struct rows_lmdb_options {
    const char *path;     /* a directory that exists */
    uint64_t map_bytes;   /* address space set aside, the most the file can grow to; 0: 64 GiB */
    uint32_t readers_max; /* snapshots open at once; 0: 256 */
    uint32_t
        partition_count; /* partitions are 0 to partition_count - 1; may grow from open to open */
    struct rows_sum_key sum_key;
};

/* Open, or make in an empty directory. Readers that died with their process are cleared away.
 * Blocks. PAWL_E_CORRUPT: not a store, or a damaged one. PAWL_E_WRONG_CLUSTER: made under another
 * sum_key. PAWL_E_UNSUPPORTED: of a newer format. PAWL_E_DISK_FULL. PAWL_E_IO: no such directory,
 * no permission, ... */
MUST_USE enum pawl_error rows_lmdb_open(const struct rows_lmdb_options *options,
                                        struct rows_lmdb **store_out, struct pawl_diag *diag);
/* Every snapshot must be closed. */
void rows_lmdb_close(struct rows_lmdb *store);

/* As rows_port.h; besides, snapshot_open gives PAWL_E_BUSY when readers_max are open, and every
 * read PAWL_E_CORRUPT when what it meets is damaged. A snapshot pins what it shows: one that stays
 * open for seconds makes the file grow. */
struct rows_port rows_lmdb_port(struct rows_lmdb *store);

/* Clear away readers that died with their process; the number of them. Any thread. */
int rows_lmdb_clear_readers(struct rows_lmdb *store);

#endif
