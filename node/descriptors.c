#include "node/descriptors.h"

#include <sys/resource.h>

#include "proto/limits.h"

enum { USUAL_DESCRIPTORS = 1024 }; /* when the system does not say */

size_t descriptors_raise(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return USUAL_DESCRIPTORS;
    const rlim_t before = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        limit.rlim_cur = before;
    return (size_t)limit.rlim_cur; /* RLIM_INFINITY is more than anybody uses */
}

size_t descriptors_clients_max(size_t descriptor_count)
{
    const size_t half = descriptor_count / 2;
    return half < CLIENT_CONNECTIONS_MAX ? half : CLIENT_CONNECTIONS_MAX;
}
