/* A disk port in memory, for measuring what stands above a disk. It never fails and loses nothing.
 */
#ifndef PAWL_BENCH_MEMORY_DISK_H
#define PAWL_BENCH_MEMORY_DISK_H

#include "node/ports.h"

struct memory_disk;

struct memory_disk *memory_disk_new(void);
/* Every file must be closed. */
void memory_disk_free(struct memory_disk *disk);
struct disk_port memory_disk_port(struct memory_disk *disk);

struct memory_disk_figures {
    uint64_t write_count, write_bytes, sync_count;
};
struct memory_disk_figures memory_disk_figures(const struct memory_disk *disk);

#endif
