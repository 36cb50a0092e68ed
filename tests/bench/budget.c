/* What a step costs, without a clock: the three-step workflow on a cluster without machines
 * (cluster.h), a fixed number of them, everything counted that can be counted.
 *
 *   budget [--concurrency C] [--workflows N] [--payload BYTES] [--json]
 *
 * Prints a name and a number a line; all numbers are per step. It measures from the end of one
 * flush of the leader to the end of a later one, at least N workflows. Under callgrind, with
 * --toggle-collect=budget_measured, the functions budget_* of actor.c hold what each actor
 * executed; scripts/bench budget does that. The same options print the same numbers.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/limits.h"
#include "tests/bench/cluster_client.h"

enum {
    PAYLOAD_MAX = 65536,
    CONCURRENCY_MAX = SESSION_CREDIT_MAX,
    ROUNDS_PER_WORKFLOW = 20, /* about; the first ones are spread over so many */
    ROUND_US = 100,           /* of virtual time, and more with the load: */
    ROUND_US_PER_WORKFLOW = 4,
    ROUNDS_MAX = 10 * 1000 * 1000,
    SEED = 1,
};

struct options {
    unsigned concurrency, workflows, payload_bytes;
    bool is_json;
};

/* Everything that is counted, at one moment. */
struct node_sample {
    uint64_t commits, peer_frames, peer_bytes, client_frames, client_bytes, flushed_rows,
        flush_count, spare_bytes;
    struct memory_disk_figures disk;
};

struct sample {
    uint64_t steps, workflows, client_frames, client_bytes, rounds;
    struct node_sample nodes[CLUSTER_NODES]; /* leader first */
    struct tally tallies[ACTOR_COUNT];
};

struct budget {
    struct options options;
    struct cluster cluster;
    struct cluster_node *nodes[CLUSTER_NODES]; /* leader first */
    uint64_t round_count;
    /* Of the leader's entries in the measured part */
    uint64_t entry_count, row_count, entry_bytes, seen_index;
    struct arena arena;
    size_t printed_count;
};

static _Noreturn void die(const char *what, const char *detail)
{
    fprintf(stderr, "budget: %s: %s\n", what, detail);
    exit(EXIT_FAILURE);
}

/* ---- running ---- */

static void look_at_entries(struct budget *budget)
{
    const struct replica *leader = budget->nodes[0]->replica;
    const uint64_t last_index = replica_status(leader).commit_index;
    for (; budget->seen_index < last_index; budget->seen_index++) {
        struct entry entry;
        const struct bytes payload = replica_entry_payload(leader, budget->seen_index + 1);
        arena_reset(&budget->arena);
        if (payload.size == 0 || entry_decode(payload, &budget->arena, &entry) != PAWL_OK)
            die("an entry cannot be read", "");
        budget->entry_count++;
        budget->row_count += entry.write_count;
        budget->entry_bytes += payload.size;
    }
}

static void run_round(struct budget *budget)
{
    if (++budget->round_count > ROUNDS_MAX)
        die("the cluster stands still", "");
    cluster_round(&budget->cluster);
}

static uint64_t flush_count(const struct budget *budget)
{
    return budget->nodes[0]->flush_count;
}

/* Until `workflows` more have ended, and on to the end of a flush. */
__attribute__((noinline)) static void run_until_flush(struct budget *budget, uint64_t workflows)
{
    const uint64_t wanted = budget->cluster.client->ended + workflows;
    uint64_t flushes = flush_count(budget);
    while (budget->cluster.client->ended < wanted || flush_count(budget) == flushes) {
        if (budget->cluster.client->ended < wanted)
            flushes = flush_count(budget);
        run_round(budget);
        look_at_entries(budget);
    }
}

/* A name of its own, for the profiler to begin and end with. */
__attribute__((noinline)) static void budget_measured(struct budget *budget)
{
    run_until_flush(budget, budget->options.workflows);
    __asm__ volatile("# measured");
}

/* Elect, deploy, open the workflows one after the other, and let the caches fill. */
static void warm_up(struct budget *budget)
{
    const unsigned concurrency = budget->options.concurrency;
    struct cluster *cluster = &budget->cluster;
    cluster_client_begin(cluster->client, concurrency, budget->options.payload_bytes);
    while (!cluster->client->is_deployed)
        run_round(budget);
    cluster->round_us = ROUND_US + ROUND_US_PER_WORKFLOW * concurrency;
    budget->seen_index = replica_status(budget->nodes[0]->replica).commit_index;
    for (unsigned i = 0, opened = 0; opened < concurrency; i++) {
        const unsigned due = (i + 1) * concurrency / ROUNDS_PER_WORKFLOW;
        cluster_client_start(cluster->client, (due < concurrency ? due : concurrency) - opened);
        opened = due;
        run_round(budget);
        look_at_entries(budget);
    }
    run_until_flush(budget, 2 * concurrency);
    budget->entry_count = budget->row_count = budget->entry_bytes = 0;
}

static void order_nodes(struct budget *budget)
{
    size_t next = 1;
    budget->nodes[0] = cluster_leader(&budget->cluster);
    for (size_t i = 0; i < CLUSTER_NODES; i++)
        if (&budget->cluster.nodes[i] != budget->nodes[0])
            budget->nodes[next++] = &budget->cluster.nodes[i];
    cluster_name_actors(&budget->cluster);
}

static struct sample take_sample(const struct budget *budget)
{
    const struct cluster_client *client = budget->cluster.client;
    struct sample sample = {.steps = client->acknowledged,
                            .workflows = client->ended,
                            .client_frames = client->frames,
                            .client_bytes = client->bytes,
                            .rounds = budget->round_count};
    for (size_t i = 0; i < CLUSTER_NODES; i++) {
        const struct cluster_node *node = budget->nodes[i];
        sample.nodes[i] =
            (struct node_sample){.commits = replica_status(node->replica).commit_index,
                                 .peer_frames = node->peer_frames,
                                 .peer_bytes = node->peer_bytes,
                                 .client_frames = node->client_frames,
                                 .client_bytes = node->client_bytes,
                                 .flushed_rows = node->flushed_rows,
                                 .flush_count = node->flush_count,
                                 .spare_bytes = node->spare_bytes,
                                 .disk = memory_disk_figures(node->disk)};
    }
    memcpy(sample.tallies, budget->cluster.tallies, sizeof sample.tallies);
    return sample;
}

/* ---- printing ---- */

static void print(struct budget *budget, const char *part, const char *name, double value)
{
    const char *dot = part[0] != '\0' ? "." : "";
    if (budget->options.is_json)
        printf("%s\n  \"%s%s%s\": %.4f", budget->printed_count > 0 ? "," : "{", part, dot, name,
               value);
    else
        printf("%s%s%s %.4f\n", part, dot, name, value);
    budget->printed_count++;
}

struct figure {
    const char *name;
    uint64_t begin, end;
};

static void print_all(struct budget *budget, const char *part, double steps,
                      const struct figure *figures, size_t count)
{
    for (size_t i = 0; i < count; i++)
        print(budget, part, figures[i].name, (double)(figures[i].end - figures[i].begin) / steps);
}

static void print_node(struct budget *budget, const char *part, double steps,
                       const struct node_sample *begin, const struct node_sample *end)
{
    const struct figure figures[] = {
        {"log_bytes", begin->disk.write_bytes - begin->spare_bytes,
         end->disk.write_bytes - end->spare_bytes},
        {"disk_writes", begin->disk.write_count, end->disk.write_count},
        {"disk_syncs", begin->disk.sync_count, end->disk.sync_count},
        {"peer_frames", begin->peer_frames, end->peer_frames},
        {"peer_bytes", begin->peer_bytes, end->peer_bytes},
        {"client_frames", begin->client_frames, end->client_frames},
        {"client_bytes", begin->client_bytes, end->client_bytes},
        {"flushes", begin->flush_count, end->flush_count},
        {"flushed_rows", begin->flushed_rows, end->flushed_rows},
    };
    print_all(budget, part, steps, figures, sizeof figures / sizeof figures[0]);
}

static bool actor_has_store(enum actor actor)
{
    const enum work work = (enum work)((int)actor % WORK_COUNT);
    return actor != ACTOR_CLIENT && (work == WORK_STORE || work == WORK_READ);
}

static void print_actor(struct budget *budget, enum actor actor, double steps,
                        const struct tally *begin, const struct tally *end)
{
    const struct figure figures[] = {
        {"calls", begin->call_count, end->call_count},
        {"allocations", begin->meter.allocations, end->meter.allocations},
        {"lmdb_puts", begin->meter.lmdb_puts, end->meter.lmdb_puts},
        {"lmdb_deletes", begin->meter.lmdb_deletes, end->meter.lmdb_deletes},
        {"lmdb_gets", begin->meter.lmdb_gets, end->meter.lmdb_gets},
    };
    print_all(budget, actor_name(actor), steps, figures, actor_has_store(actor) ? 5 : 2);
}

static void report(struct budget *budget, const struct sample *begin, const struct sample *end)
{
    static const char *const parts[CLUSTER_NODES] = {"leader", "follower1", "follower2"};
    const double steps = (double)(end->steps - begin->steps);
    print(budget, "", "steps", steps);
    print(budget, "", "workflows", (double)(end->workflows - begin->workflows));
    print(budget, "", "rounds", (double)(end->rounds - begin->rounds));
    print(budget, "", "entries", (double)budget->entry_count / steps);
    print(budget, "", "rows", (double)budget->row_count / steps);
    print(budget, "", "entry_bytes", (double)budget->entry_bytes / steps);
    for (size_t i = 0; i < CLUSTER_NODES; i++)
        print_node(budget, parts[i], steps, &begin->nodes[i], &end->nodes[i]);
    const struct figure client[] = {
        {"client_frames", begin->client_frames, end->client_frames},
        {"client_bytes", begin->client_bytes, end->client_bytes},
    };
    print_all(budget, "client", steps, client, 2);
    for (enum actor actor = 0; actor < ACTOR_COUNT; actor++)
        print_actor(budget, actor, steps, &begin->tallies[actor], &end->tallies[actor]);
    if (budget->options.is_json)
        puts("\n}");
}

/* ---- beginning ---- */

static struct options read_options(int argc, char **argv)
{
    struct options options = {.concurrency = 64, .workflows = 300, .payload_bytes = 200};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0)
            options.is_json = true;
        else if (i + 1 == argc)
            die("an option lacks its value", argv[i]);
        else if (strcmp(argv[i], "--concurrency") == 0)
            options.concurrency = (unsigned)strtoul(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--workflows") == 0)
            options.workflows = (unsigned)strtoul(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--payload") == 0)
            options.payload_bytes = (unsigned)strtoul(argv[++i], NULL, 10);
        else
            die("unknown option", argv[i]);
    }
    if (options.concurrency == 0 || options.concurrency > CONCURRENCY_MAX ||
        options.workflows == 0 || options.payload_bytes > PAYLOAD_MAX)
        die("an option is out of range", "");
    return options;
}

int main(int argc, char **argv)
{
    static struct budget budget;
    budget.options = read_options(argc, argv);
    cluster_open(&budget.cluster, SEED);
    order_nodes(&budget);
    warm_up(&budget);
    const struct sample begin = take_sample(&budget);
    budget_measured(&budget);
    const struct sample end = take_sample(&budget);
    report(&budget, &begin, &end);
    cluster_close(&budget.cluster);
    arena_done(&budget.arena);
    return EXIT_SUCCESS;
}
