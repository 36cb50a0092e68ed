/* The seams between pawl's logic and the world. pawld and the simulator both implement them.
 *
 * 1. Each slot says which thread calls it and whether it may block.
 * 2. The replica loop calls only clock, entropy and links, which never block. The log thread calls
 *    disk; the store thread and the readers call rows (store/rows.h).
 */
#ifndef PAWL_NODE_PORTS_H
#define PAWL_NODE_PORTS_H

#include "proto/bytes.h"
#include "proto/error.h"

/* Time. Never blocks; any thread. */
struct clock_port {
    void *self;
    uint64_t (*monotonic_us)(void *self); /* never runs back; the origin means nothing */
    uint64_t (*wall_us)(void *self);      /* since 1970 UTC, as the host believes; may jump */
};

/* Random bytes; never blocks; the replica loop. */
struct entropy_port {
    void *self;
    void (*fill)(void *self, void *out, size_t size);
};

/* Frames to peers and clients. Never blocks; the replica loop. A frame is borrowed for the call;
 * one to a peer is its parts, one behind the other. A send may be lost with its connection; a lost
 * connection is reported as an input of the loop. */
struct links_port {
    void *self;
    void (*peer_send)(void *self, uint64_t node, uint8_t type, const struct bytes *parts,
                      size_t part_count);
    /* False: the connection's output is over its limit and the connection is being closed. */
    bool (*client_send)(void *self, uint64_t connection, uint8_t type, struct bytes body);
    void (*client_close)(void *self, uint64_t connection);
};

/* A directory of files, under the real log code. Blocks; one thread at a time. Names have no
 * slashes. Every call returns 0 or an errno value; a failed call may have had any part of its
 * effect. */
struct disk_file; /* the implementation's */
struct disk_port {
    void *self;
    /* Writes that begin and end at multiples of this, from memory aligned to it, cost least; a
     * power of two. 0: no matter. */
    size_t block_bytes;
    /* create: the file must not exist; it begins empty. */
    int (*open)(void *self, const char *name, bool create, struct disk_file **file_out);
    int (*close)(void *self, struct disk_file *file);
    int (*read)(void *self, struct disk_file *file, uint64_t offset, void *out, size_t size,
                size_t *size_out); /* fewer bytes only at the end of the file */
    int (*write)(void *self, struct disk_file *file, uint64_t offset, const void *data,
                 size_t size);
    int (*sync)(void *self, struct disk_file *file); /* fdatasync */
    int (*size)(void *self, struct disk_file *file, uint64_t *bytes_out);
    int (*rename)(void *self, const char *from, const char *to);
    int (*remove)(void *self, const char *name);
    int (*sync_directory)(void *self);
    /* Names in no order; each is called with a name that lives for the call. */
    int (*list)(void *self, void (*each)(void *user, const char *name), void *user);
    int (*free_bytes)(void *self, uint64_t *bytes_out);
};

#endif
