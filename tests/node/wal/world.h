/* A log on a simulated disk, and beside it a model that says what the log must hold.
 *
 * 1. The model is the list of records in the order of their appends, and how many of them were
 * synced.
 * 2. After any crash, what the log holds is what the first k records add up to, for one k from the
 * synced count to the whole: nothing synced is missing, nothing else is there, nothing is out of
 * order.
 * 3. Checks return NULL, or a sentence that says what is wrong, so that a test of mutants can want
 * one.
 */
#ifndef PAWL_TESTS_NODE_WAL_WORLD_H
#define PAWL_TESTS_NODE_WAL_WORLD_H

#include "node/wal/wal.h"
#include "tests/sim/disk.h"
#include "tests/sim/random.h"

enum { WORLD_PARTITIONS = 3, WORLD_RECORDS_MAX = 512 };

struct model_record {
    enum wal_record_kind kind;
    uint32_t partition;
    uint64_t index, term, vote;
    uint32_t bytes;
    bool is_zeros; /* a payload of zeros, which looks like sectors never written */
};

struct world {
    struct sim_disk *disk;
    struct wal_options options;
    struct wal *wal; /* NULL: closed */
    struct arena arena;
    struct wal_recovery recovery;
    struct pawl_diag diag;
    struct model_record records[WORLD_RECORDS_MAX];
    size_t count, synced;
    uint64_t cut[WORLD_PARTITIONS];
    uint64_t salts; /* of opens so far */
};

void world_init(struct world *world, uint64_t seed, uint64_t segment_bytes, uint32_t spares);
void world_done(struct world *world);
/* The same history over a copy of the disk, the log closed. */
void world_clone(struct world *to, const struct world *from);

enum pawl_error world_open(struct world *world);
void world_close(struct world *world);
enum pawl_error world_append(struct world *world, const struct model_record *record);
/* One more entry of the partition, in its last term (or 1). */
enum pawl_error world_append_entry(struct world *world, uint32_t partition, uint32_t bytes);
/* On PAWL_E_DISK_FULL the model forgets the group, too. */
enum pawl_error world_sync(struct world *world);
enum pawl_error world_cut(struct world *world, uint32_t partition, uint64_t index);

/* The last index and term of a partition in the model, over all its records. */
uint64_t world_last_index(const struct world *world, uint32_t partition);
uint64_t world_last_term(const struct world *world, uint32_t partition);

/* Of a freshly opened healthy log: fact 2 above; then the model takes over what was found. */
const char *world_check(struct world *world);
/* Of an open log: every entry reads back as the model says, one by one and in windows. */
const char *world_check_reads(struct world *world);
/* Go on: one small entry (which leaves what is behind it as it is), then some in each partition;
 * after both the log is opened again and checked. */
const char *world_go_on(struct world *world);

#endif
