/* The reaper: the one thread that waits for nng and frees what nng has used, so that no callback
 * has to.
 *
 * 1. Items are reaped in the order of reaper_take, each once.
 * 2. live_count counts what will be given to the reaper sooner or later: born with reaper_expect,
 *    gone when reaped.
 */
#ifndef PAWL_WIRE_REAPER_H
#define PAWL_WIRE_REAPER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Embedded in what is reaped. reap runs on the reaper's thread and may free the item. */
struct reap_item {
    struct reap_item *next;
    void (*reap)(struct reap_item *item);
};

struct reaper {
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct reap_item *first, *last;
    size_t live_count;
    bool is_stopping;
};

/* False: no thread could be started. */
bool reaper_init(struct reaper *reaper);
/* Wait until live_count is 0, at most timeout_ms, then end the thread. False: something is still
 * alive; the reaper and everything it serves must stay where they are. */
bool reaper_done(struct reaper *reaper, uint32_t timeout_ms);

void reaper_expect(struct reaper *reaper);
void reaper_take(struct reaper *reaper, struct reap_item *item);

#endif
