/* The real disk port: files in one directory.
 *
 * 1. Everything is relative to one directory descriptor, so renaming the directory's parents is
 * harmless.
 * 2. Interrupted and short calls are continued; what returns 0 was done whole.
 * 3. A file that is opened again is read from the disk, not from pages that a failed sync in an
 * earlier life may have left in memory as if they were written.
 */
#ifndef PAWL_NODE_DISK_POSIX_H
#define PAWL_NODE_DISK_POSIX_H

#include "node/ports.h"

struct disk_posix;

/* The directory must exist. PAWL_E_IO, PAWL_E_NO_MEMORY. */
MUST_USE enum pawl_error disk_posix_open(const char *path, struct disk_posix **disk_out,
                                         struct pawl_diag *diag);
void disk_posix_close(struct disk_posix *disk);
/* The port; lives as long as disk. */
struct disk_port disk_posix_port(struct disk_posix *disk);

#endif
