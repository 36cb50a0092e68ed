/* The lanes of a node: what its log thread, its store thread and its readers do with jobs. */
#ifndef PAWL_SIM_LANES_H
#define PAWL_SIM_LANES_H

#include "tests/sim/node.h"

void lanes_begin(struct sim_node *node);
struct jobs_port lanes_port(struct sim_node *node);
/* The process is gone: its jobs are never heard of again. What had not run does not run. */
void lanes_abandon(struct sim_node *node);

#endif
