/* Ids: fresh random ids of requests. Each block of them is expanded from a seed of the system's,
 * for a draw from the system is a system call.
 *
 * 1. One thread only.
 * 2. A forked child has a copy of what is left, so whoever draws must be in the process that began:
 *    a handle refuses every call in a child.
 */
#ifndef PAWL_CLIENT_IDS_H
#define PAWL_CLIENT_IDS_H

#include "proto/bytes.h"

struct ids {
    struct id128 drawn[256];
    size_t left; /* drawn and not yet used; zeroed: none */
};

struct id128 ids_random(struct ids *ids);
/* A UUID of version 7 (RFC 9562): it begins with the time, so that new ids are neighbours in the
 * cluster's tables. */
struct id128 ids_timed(struct ids *ids);

#endif
