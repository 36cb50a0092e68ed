/* Descriptors: what the system lets this process keep open, shared between clients and the rest. */
#ifndef PAWL_NODE_DESCRIPTORS_H
#define PAWL_NODE_DESCRIPTORS_H

#include <stddef.h>

/* Ask for as many as the system lets this process have; how many it has then. */
size_t descriptors_raise(void);
/* How many client connections leave enough of so many descriptors for peers, log and store: at most
 * half of them, and at most CLIENT_CONNECTIONS_MAX. Two per segment of the log are open, and the
 * log grows for as long as a member is down: without a descriptor for the next one a node ends. */
size_t descriptors_clients_max(size_t descriptor_count);

#endif
