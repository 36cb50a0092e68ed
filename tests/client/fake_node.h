/* A node that leads, attaches everyone, and runs workflows of one step: the definition's name is
 * the step's type, the workflow's input its input, the step's output the result. Real sockets, its
 * own thread, nothing durable. */
#ifndef PAWL_TESTS_CLIENT_FAKE_NODE_H
#define PAWL_TESTS_CLIENT_FAKE_NODE_H

#include <stdint.h>

#include "proto/error.h"

struct fake_node;

struct fake_options {
    uint32_t busy_every;  /* every n-th request is told BUSY first; 0: none */
    uint32_t close_every; /* the connection is closed instead of every n-th answer; 0: none */
    enum pawl_error start_error; /* every start is refused with it; 0: none */
};

struct fake_counts {
    uint64_t starts, reports, goodbyes, attaches, stale;
};

/* port 0: any; port_out tells. */
struct fake_node *fake_node_new(const struct fake_options *options, uint16_t port,
                                uint16_t *port_out);
void fake_node_free(struct fake_node *node);
struct fake_counts fake_node_counts(struct fake_node *node);

#endif
