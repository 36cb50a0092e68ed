/* The handle: one thread that owns the network and the core, and a queue by which every other
 * thread reaches it.
 *
 * 1. Only the library's thread touches wire, core and calls.
 * 2. A submission is made under the mutex; the thread is woken only when it sleeps.
 * 3. Outputs of a step are carried out before the next step; frames leave once in a turn.
 */
#ifndef PAWL_CLIENT_HANDLE_H
#define PAWL_CLIENT_HANDLE_H

#include <pthread.h>

#include "client/answer.h"
#include "client/core.h"
#include "client/ids.h"
#include "wire/wire.h"

/* Something to do on the library's thread, once. Embedded in what it is about. */
struct submission {
    struct submission *next;
    void (*run)(struct pawl *pawl, struct submission *submission);
};

/* One request on its way. Its memory belongs to `answered`, which is called once. A mutating
 * request without an id gets one. */
struct call {
    struct submission submission;
    struct call *next, *previous; /* of those the core has */
    struct client_request request;
    struct buffer body;
    uint32_t timeout_ms; /* 0: none */
    void (*answered)(struct pawl *pawl, struct call *call, struct pawl_answer *answer);
};

enum { CONNECTIONS_KEPT = 16 };

struct pawl {
    const bool *is_own; /* true; a page that the system empties in a forked child */
    pthread_t thread;
    char *namespace_name;
    uint32_t timeout_ms;
    int wake_fd;

    pthread_mutex_t mutex;
    struct submission *first, *last;
    bool is_asleep;
    bool is_closing;
    struct pawl_worker *worker; /* the worker clears it */

    /* The library's thread. */
    struct wire *wire;
    struct client_core *core;
    struct ids ids;
    struct pawl_answer answer; /* the one that is being given */
    struct call *calls;
    struct call *stalled;               /* reports that the core had no room for */
    uint64_t dialled[CONNECTIONS_KEPT]; /* connections, not dials; 0: a free place */
    uint32_t failed_slots[CONNECTIONS_KEPT];
    size_t failed_slot_count;
};

/* PAWL_E_CLOSED in a forked child. */
MUST_USE enum pawl_error handle_enter(struct pawl *pawl);
/* False: it is closing; the submission was not taken. */
MUST_USE bool handle_submit(struct pawl *pawl, struct submission *submission);
/* On the library's thread: step the core and do what it says. */
enum pawl_error handle_step(struct pawl *pawl, struct client_input input);
/* The run of a call's submission. */
void call_run(struct pawl *pawl, struct submission *submission);
uint64_t handle_now_ms(void);
bool handle_is_own_thread(const struct pawl *pawl);

#endif
