/* The daemon: the thread that owns the loop, the sockets' events and the finished jobs.
 *
 * 1. Without an identity it waits and says for what; with one it runs a replica. The change happens
 * in place.
 * 2. SIGTERM and SIGINT end it cleanly; kill -9 at any moment loses nothing that was acknowledged.
 */
#ifndef PAWL_NODE_DAEMON_H
#define PAWL_NODE_DAEMON_H

#include "proto/bytes.h"
#include "proto/error.h"

struct daemon_options {
    const char *data_path;
    const char *name;
    const char *peer_address; /* host:port to listen on, and what the others dial */
    const char *client_address;
};

/* Run until stop_fd is readable. Errors are those that keep it from starting, with what to do in
 * diag; later ones that cannot be survived end the process. */
MUST_USE enum pawl_error daemon_run(const struct daemon_options *options, int stop_fd,
                                    struct pawl_diag *diag);

#endif
