/* A simulated disk: struct disk_port in memory, with everything that a real disk may do to a
 * program.
 *
 * 1. What was written is volatile until its file is synced: a power cut keeps or loses each
 * 512-byte sector, the file's size, and each change of the directory, on its own.
 * 2. A process kill (close the files, open them again) loses nothing; only a power cut does.
 * 3. Two disks with the same seed and the same calls do the same.
 * 4. Faults are injected by call, by space and into bytes at rest. Being slow is left to the
 * simulator.
 */
#ifndef PAWL_SIM_DISK_H
#define PAWL_SIM_DISK_H

#include "node/ports.h"

struct sim_disk;

/* An empty disk without limits; NULL: no memory. */
struct sim_disk *sim_disk_new(uint64_t seed);
void sim_disk_free(struct sim_disk *disk);
/* The same disk again, with its volatile part and its faults. No file may be open. NULL: no memory.
 */
struct sim_disk *sim_disk_clone(const struct sim_disk *disk);
struct disk_port sim_disk_port(struct sim_disk *disk);

/* --- power cuts; files that are still open must only be closed after one --- */

/* Keep or lose each volatile thing at random, and take the injected faults away. */
void sim_disk_crash(struct sim_disk *disk);
/* The same with a chosen subset: keep is asked for each volatile thing, numbered from 0. */
void sim_disk_crash_keeping(struct sim_disk *disk, bool (*keep)(void *user, size_t number),
                            void *user);
/* How many things are volatile: sectors, sizes, directory changes. */
size_t sim_disk_volatile_count(const struct sim_disk *disk);
/* The power fails during a later call that changes something: `calls` such calls from now on
 * succeed; the next one takes effect as far as it can without becoming durable; it and all calls
 * after it return EIO, until sim_disk_crash. */
void sim_disk_crash_after(struct sim_disk *disk, uint64_t calls);
/* False again after a crash. */
bool sim_disk_is_dark(const struct sim_disk *disk);

/* --- faults of calls --- */

enum sim_disk_call {
    SIM_DISK_OPEN = 1 << 0,
    SIM_DISK_READ = 1 << 1,
    SIM_DISK_WRITE = 1 << 2,
    SIM_DISK_SYNC = 1 << 3,
    SIM_DISK_RENAME = 1 << 4, /* and remove */
    SIM_DISK_SYNC_DIRECTORY = 1 << 5,
    SIM_DISK_LIST = 1 << 6,
    SIM_DISK_ANY = (1 << 7) - 1,
};

/* The nth call (from 1) of these kinds from now on fails once with error; a failed write may leave
 * any part of itself, at random; a failed sync leaves everything volatile. */
void sim_disk_fail_at(struct sim_disk *disk, unsigned calls, uint64_t nth, int error);
/* Has the fault struck? */
bool sim_disk_has_failed(const struct sim_disk *disk);
/* Full: nothing gets new blocks; what has blocks can be written over. */
void sim_disk_set_full(struct sim_disk *disk, bool is_full);
/* At most this many bytes of blocks in all; 0: no limit. */
void sim_disk_set_capacity(struct sim_disk *disk, uint64_t bytes);
/* Take away all faults of calls; space limits stay. */
void sim_disk_heal(struct sim_disk *disk);

/* --- bytes at rest; each returns false when there is no such file or place --- */

bool sim_disk_flip(struct sim_disk *disk, const char *name, uint64_t offset, unsigned bit);
bool sim_disk_zero_sector(struct sim_disk *disk, const char *name, uint64_t sector);
/* Shorten a file, or take it away. */
bool sim_disk_shorten(struct sim_disk *disk, const char *name, uint64_t bytes);
bool sim_disk_lose(struct sim_disk *disk, const char *name);
/* Put a file there, durable, in place of one of that name. */
bool sim_disk_put(struct sim_disk *disk, const char *name, struct bytes content);
/* A file as it would be read now; until the next call on the disk. data NULL: no such file. */
struct bytes sim_disk_content(const struct sim_disk *disk, const char *name);

struct sim_disk_figures {
    uint64_t changes; /* calls so far that change something, of all kinds */
    uint64_t writes, syncs, directory_syncs;
    size_t open_count; /* files */
};
struct sim_disk_figures sim_disk_figures(const struct sim_disk *disk);

#endif
