/* Who this node is: written once, when its cluster is formed, and never changed by a start.
 *
 * 1. A data directory belongs to one process at a time (a lock) and to one node of one cluster (the
 * identity).
 * 2. State comes only from the data directory: there is no flag for "new" or "existing".
 * 3. A node that has begun to run leaves a mark, so that a log or an identity that is missing later
 * is not taken for one that never was.
 */
#ifndef PAWL_NODE_CLUSTER_IDENTITY_H
#define PAWL_NODE_CLUSTER_IDENTITY_H

#include "proto/client_messages.h"
#include "proto/limits.h"

struct identity {
    struct id128 cluster; /* none: not formed yet */
    uint64_t node;
    struct msg_member members[MEMBERS_MAX]; /* texts in the arena */
    size_t member_count;
};

struct data_dir {
    int fd; /* of the directory */
    int lock_fd;
};

/* Make the directory if it is missing (its parent must exist), lock it. PAWL_E_LOCKED: another
 * process holds it; PAWL_E_IO. */
MUST_USE enum pawl_error data_dir_open(const char *path, struct data_dir *dir_out,
                                       struct pawl_diag *diag);
void data_dir_close(struct data_dir *dir);
/* Leave the mark, durably; again is harmless. PAWL_E_IO. */
MUST_USE enum pawl_error data_dir_begin(const struct data_dir *dir, struct pawl_diag *diag);
bool data_dir_has_begun(const struct data_dir *dir);
/* There is at least one segment of a log. */
bool data_dir_has_log(const struct data_dir *dir);

/* PAWL_E_NOT_FOUND: no cluster yet. PAWL_E_CORRUPT: the file is not what was written; PAWL_E_IO. */
MUST_USE enum pawl_error identity_read(const struct data_dir *dir, struct arena *arena,
                                       struct identity *identity_out, struct pawl_diag *diag);
/* Durable, all or nothing. PAWL_E_IO. */
MUST_USE enum pawl_error identity_write(const struct data_dir *dir, const struct identity *identity,
                                        struct pawl_diag *diag);
/* Whether a node can run with it: a cluster, members with an address and an id of their own, this
 * node among them. */
bool identity_is_sound(const struct identity *identity);
/* The same cluster, the same node, the same members. */
bool identity_equal(const struct identity *a, const struct identity *b);

#endif
