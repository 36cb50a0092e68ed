/* A crew: many workers, each on a connection of its own. */
#ifndef PAWL_BENCH_CREW_H
#define PAWL_BENCH_CREW_H

#include "client/pawl.h"

enum { CREW_MAX = 1800 };

struct crew_options {
    const char *nodes;
    struct pawl *first;    /* the handle of the first worker; NULL: that is one of its own too */
    unsigned worker_count; /* 1 to CREW_MAX */
    unsigned concurrency;  /* steps at once, of all workers together; each has one at least */
    void (*prepare)(struct pawl_worker *worker, void *user); /* before it starts: what it handles */
    void *user;
};

struct crew;

/* Every worker starts, and every handle has reached the leader when this returns. */
struct crew *crew_open(const struct crew_options *options);
/* Take no more steps, and wait until what was taken is acknowledged. */
void crew_stop(struct crew *crew);
/* The handle of the first worker stays open if it was given. */
void crew_close(struct crew *crew);

#endif
