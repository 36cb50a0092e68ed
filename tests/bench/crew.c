#include "tests/bench/crew.h"

#include <stdlib.h>

#include "tests/bench/load.h"

enum { STOP_MS = 10000 };

struct member {
    struct pawl *pawl;
    struct pawl_worker *worker;
};

struct crew {
    struct crew_options options;
    struct member members[CREW_MAX];
};

static struct pawl *handle_open(const struct crew *crew)
{
    struct pawl *pawl;
    struct pawl_diag diag = {0};
    const struct pawl_options options = {.size = sizeof options,
                                         .nodes = crew->options.nodes,
                                         .namespace_name = "bench",
                                         .name = "bench-crew"};
    if (pawl_open(&options, &pawl, &diag) != PAWL_OK)
        load_die("cannot work", diag.text);
    return pawl;
}

static struct pawl_worker *worker_open(const struct crew *crew, struct pawl *pawl)
{
    struct pawl_worker *worker;
    struct pawl_diag diag = {0};
    const unsigned count = crew->options.worker_count;
    const struct pawl_worker_options options = {.size = sizeof options,
                                                .concurrency =
                                                    (crew->options.concurrency + count - 1) / count,
                                                .is_inline = true};
    if (pawl_worker_new(pawl, &options, &worker, &diag) != PAWL_OK)
        load_die("cannot work", diag.text);
    crew->options.prepare(worker, crew->options.user);
    if (pawl_worker_start(worker, &diag) != PAWL_OK)
        load_die("cannot work", diag.text);
    return worker;
}

/* An answer says that the handle has reached the leader. */
static void handle_wait(struct pawl *pawl)
{
    struct pawl_answer *answer = NULL;
    struct pawl_diag diag = {0};
    if (pawl_status(pawl, &answer, &diag) != PAWL_OK)
        load_die("a worker does not reach the cluster", diag.text);
    pawl_answer_free(answer);
}

struct crew *crew_open(const struct crew_options *options)
{
    struct crew *crew = calloc(1, sizeof *crew);
    if (crew == NULL)
        load_die("out of memory", "");
    crew->options = *options;
    for (unsigned i = 0; i < options->worker_count; i++) {
        struct member *member = &crew->members[i];
        const bool is_given = i == 0 && options->first != NULL;
        member->pawl = is_given ? options->first : handle_open(crew);
        member->worker = worker_open(crew, member->pawl);
    }
    for (unsigned i = 0; i < options->worker_count; i++)
        handle_wait(crew->members[i].pawl);
    return crew;
}

void crew_stop(struct crew *crew)
{
    for (unsigned i = 0; i < crew->options.worker_count; i++)
        (void)pawl_worker_stop(crew->members[i].worker, STOP_MS);
}

void crew_close(struct crew *crew)
{
    for (unsigned i = 0; i < crew->options.worker_count; i++) {
        pawl_worker_free(crew->members[i].worker);
        if (crew->members[i].pawl != crew->options.first)
            pawl_close(crew->members[i].pawl);
    }
    free(crew);
}
