#include "wire/reaper.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <time.h>

static struct reap_item *next_item(struct reaper *reaper)
{
    while (reaper->first == NULL && !reaper->is_stopping)
        pthread_cond_wait(&reaper->changed, &reaper->mutex);
    struct reap_item *item = reaper->first;
    if (item == NULL)
        return NULL;
    reaper->first = item->next;
    if (reaper->first == NULL)
        reaper->last = NULL;
    return item;
}

static void *reaper_run(void *self)
{
    struct reaper *reaper = self;
    pthread_mutex_lock(&reaper->mutex);
    for (struct reap_item *item; (item = next_item(reaper)) != NULL;) {
        pthread_mutex_unlock(&reaper->mutex);
        item->reap(item);
        pthread_mutex_lock(&reaper->mutex);
        assert(reaper->live_count > 0);
        reaper->live_count--;
        if (reaper->live_count == 0)
            pthread_cond_broadcast(&reaper->changed);
    }
    pthread_mutex_unlock(&reaper->mutex);
    return NULL;
}

bool reaper_init(struct reaper *reaper)
{
    *reaper = (struct reaper){0};
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&reaper->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&reaper->mutex, NULL);
    sigset_t all, before; /* signals belong to the program */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool is_started = pthread_create(&reaper->thread, NULL, reaper_run, reaper) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (is_started)
        return true;
    pthread_cond_destroy(&reaper->changed);
    pthread_mutex_destroy(&reaper->mutex);
    return false;
}

static struct timespec deadline_after(uint32_t timeout_ms)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += timeout_ms / 1000;
    at.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    return at;
}

bool reaper_done(struct reaper *reaper, uint32_t timeout_ms)
{
    struct timespec deadline = deadline_after(timeout_ms);
    pthread_mutex_lock(&reaper->mutex);
    while (reaper->live_count > 0)
        if (pthread_cond_timedwait(&reaper->changed, &reaper->mutex, &deadline) == ETIMEDOUT)
            break;
    bool is_empty = reaper->live_count == 0;
    if (is_empty) {
        reaper->is_stopping = true;
        pthread_cond_broadcast(&reaper->changed);
    }
    pthread_mutex_unlock(&reaper->mutex);
    if (!is_empty)
        return false;
    pthread_join(reaper->thread, NULL);
    pthread_cond_destroy(&reaper->changed);
    pthread_mutex_destroy(&reaper->mutex);
    return true;
}

void reaper_expect(struct reaper *reaper)
{
    pthread_mutex_lock(&reaper->mutex);
    reaper->live_count++;
    pthread_mutex_unlock(&reaper->mutex);
}

void reaper_take(struct reaper *reaper, struct reap_item *item)
{
    pthread_mutex_lock(&reaper->mutex);
    item->next = NULL;
    if (reaper->last != NULL)
        reaper->last->next = item;
    else
        reaper->first = item;
    reaper->last = item;
    pthread_cond_broadcast(&reaper->changed);
    pthread_mutex_unlock(&reaper->mutex);
}
