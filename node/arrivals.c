#include "node/arrivals.h"

#include <string.h>

static uint64_t end_us(const struct arrival *arrival)
{
    return arrival->since_us + (uint64_t)HELLO_MS_MAX * 1000;
}

bool arrivals_add(struct arrivals *arrivals, uint64_t connection, uint64_t now_us)
{
    if (arrivals->count == CONNECTIONS_MAX)
        return false;
    arrivals->waiting[arrivals->count++] =
        (struct arrival){.connection = connection, .since_us = now_us};
    return true;
}

static void take_out(struct arrivals *arrivals, size_t place)
{
    struct arrival *at = &arrivals->waiting[place];
    arrivals->count--;
    memmove(at, at + 1, (arrivals->count - place) * sizeof *at);
}

void arrivals_remove(struct arrivals *arrivals, uint64_t connection)
{
    size_t begin = 0, end = arrivals->count;
    while (begin < end) {
        const size_t middle = begin + (end - begin) / 2;
        if (arrivals->waiting[middle].connection < connection)
            begin = middle + 1;
        else
            end = middle;
    }
    if (begin < arrivals->count && arrivals->waiting[begin].connection == connection)
        take_out(arrivals, begin);
}

uint64_t arrivals_take_late(struct arrivals *arrivals, uint64_t now_us)
{
    if (arrivals->count == 0 || end_us(&arrivals->waiting[0]) > now_us)
        return 0;
    const uint64_t connection = arrivals->waiting[0].connection;
    take_out(arrivals, 0);
    return connection;
}

uint64_t arrivals_deadline_us(const struct arrivals *arrivals)
{
    return arrivals->count == 0 ? UINT64_MAX : end_us(&arrivals->waiting[0]);
}
