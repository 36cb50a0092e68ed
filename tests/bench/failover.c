/* How long a cluster acknowledges nothing when its leader is killed.
 *
 *   failover --cluster SCRIPT --directory DIR --nodes LIST [--kills N] [--concurrency C]
 *            [--payload BYTES] [--json]
 *
 * DIR was made by SCRIPT (scripts/cluster): nK.pid names the process of node K, the K-th of LIST.
 * Under load the leader is killed (SIGKILL), and the gap is the longest time between two
 * acknowledged steps that ended after that. Then the node is started again, and when it has caught
 * up, the next leader is killed. Exit status 1: something was lost.
 */
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "client/pawl.h"
#include "tests/bench/load.h"

enum {
    KILLS_MAX = 1000,
    ADDRESS_BYTES = 128,
    LOOK_US = 20000,    /* between two looks at a node */
    WATCH_US = 2000000, /* a gap ends within it, or with it */
    PATIENCE_US = 120000000,
};

struct options {
    const char *cluster, *directory, *nodes;
    char addresses[SERVERS_MAX][ADDRESS_BYTES];
    unsigned node_count, kills, concurrency, payload_bytes;
    bool is_json;
};

/* Written by the library's thread at each acknowledged step. */
struct flow {
    pthread_mutex_t mutex;
    uint64_t last_us;
    uint64_t since_us; /* gaps that ended before do not count */
    uint64_t gap_us;
};

struct kill_result {
    unsigned node;
    uint64_t gap_us;
    uint64_t at_ms; /* since 1970, to be found in the logs of the nodes */
};

/* ---- the flow of acknowledged steps ---- */

static void flow_step(void *user, uint64_t at_us)
{
    struct flow *flow = user;
    pthread_mutex_lock(&flow->mutex);
    if (at_us > flow->since_us && at_us - flow->last_us > flow->gap_us)
        flow->gap_us = at_us - flow->last_us;
    flow->last_us = at_us;
    pthread_mutex_unlock(&flow->mutex);
}

static void flow_watch(struct flow *flow)
{
    pthread_mutex_lock(&flow->mutex);
    flow->since_us = load_now_us();
    flow->gap_us = 0;
    pthread_mutex_unlock(&flow->mutex);
}

static uint64_t flow_gap_us(struct flow *flow)
{
    pthread_mutex_lock(&flow->mutex);
    const uint64_t gap_us = flow->gap_us;
    pthread_mutex_unlock(&flow->mutex);
    return gap_us;
}

/* ---- nodes ---- */

struct status {
    bool is_leader, is_active;
    uint64_t commit_index;
};

static uint64_t number_at(const char *json, const char *key)
{
    const char *at = strstr(json, key);
    return at == NULL ? 0 : strtoull(at + strlen(key), NULL, 10);
}

/* False: this node does not answer. */
static bool ask(const struct options *options, unsigned node, struct status *status_out)
{
    char name[16];
    struct pawl *pawl;
    struct pawl_answer *answer = NULL;
    const struct pawl_options one = {
        .size = sizeof one, .nodes = options->addresses[node - 1], .timeout_ms = 1000};
    snprintf(name, sizeof name, "n%u", node);
    if (pawl_open(&one, &pawl, NULL) != PAWL_OK)
        load_die("cannot open", options->addresses[node - 1]);
    bool is_told = pawl_status(pawl, &answer, NULL) == PAWL_OK;
    const char *said = is_told ? pawl_answer_text(answer, "name") : NULL;
    is_told = said != NULL && strcmp(said, name) == 0; /* another node may have answered for it */
    if (is_told) {
        const char *role = pawl_answer_text(answer, "role");
        const char *json = pawl_answer_json(answer);
        status_out->is_leader = role != NULL && strcmp(role, "leader") == 0;
        status_out->is_active = json != NULL && strstr(json, "\"active\":true") != NULL;
        status_out->commit_index = json != NULL ? number_at(json, "\"commitIndex\":") : 0;
    }
    pawl_answer_free(answer);
    pawl_close(pawl);
    return is_told;
}

static unsigned find_leader(const struct options *options)
{
    const uint64_t end_us = load_now_us() + PATIENCE_US;
    struct status status;
    while (load_now_us() < end_us) {
        for (unsigned node = 1; node <= options->node_count; node++)
            if (ask(options, node, &status) && status.is_leader && status.is_active)
                return node;
        usleep(LOOK_US);
    }
    load_die("no node leads", options->directory);
}

static long pid_of(const struct options *options, unsigned node)
{
    char path[4096];
    long pid = 0;
    snprintf(path, sizeof path, "%s/n%u.pid", options->directory, node);
    FILE *file = fopen(path, "r");
    if (file == NULL || fscanf(file, "%ld", &pid) != 1 || pid <= 1)
        load_die("a node has no process", path);
    fclose(file);
    return pid;
}

static void start(const struct options *options, unsigned node)
{
    char number[16];
    int status = 0;
    snprintf(number, sizeof number, "%u", node);
    const pid_t child = fork();
    if (child == 0) {
        execl(options->cluster, options->cluster, "start", options->directory, number,
              (char *)NULL);
        _exit(127);
    }
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
        load_die("a node cannot be started", number);
}

/* Everything that was committed when it began to catch up is committed there too. */
static void wait_until_even(const struct options *options, unsigned node)
{
    const uint64_t end_us = load_now_us() + PATIENCE_US;
    struct status leader, status;
    while (!ask(options, find_leader(options), &leader))
        continue;
    while (load_now_us() < end_us) {
        if (ask(options, node, &status) && status.commit_index >= leader.commit_index)
            return;
        usleep(LOOK_US);
    }
    load_die("a node does not catch up", options->addresses[node - 1]);
}

/* ---- one kill ---- */

static uint64_t wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void wait_for_flow(struct flow *flow)
{
    const uint64_t end_us = load_now_us() + PATIENCE_US;
    usleep(WATCH_US);
    while (flow_gap_us(flow) == 0) {
        if (load_now_us() > end_us)
            load_die("nothing is acknowledged any more", "");
        usleep(LOOK_US);
    }
}

static struct kill_result kill_leader(const struct options *options, struct flow *flow)
{
    const unsigned node = find_leader(options);
    const long pid = pid_of(options, node);
    const uint64_t at_ms = wall_ms();
    flow_watch(flow);
    if (kill((pid_t)pid, SIGKILL) != 0)
        load_die("the leader cannot be killed", options->addresses[node - 1]);
    wait_for_flow(flow);
    const struct kill_result result = {.node = node, .gap_us = flow_gap_us(flow), .at_ms = at_ms};
    start(options, node);
    wait_until_even(options, node);
    return result;
}

/* ---- reporting ---- */

static int compare(const void *a, const void *b)
{
    const uint64_t x = ((const struct kill_result *)a)->gap_us;
    const uint64_t y = ((const struct kill_result *)b)->gap_us;
    return x < y ? -1 : x > y;
}

static double ms_at(const struct kill_result *sorted, unsigned count, double share)
{
    return (double)sorted[(size_t)((double)(count - 1) * share)].gap_us / 1000;
}

static void print_kills(const struct options *options, const struct kill_result *kills)
{
    printf("[");
    for (unsigned i = 0; i < options->kills; i++)
        printf("%s{\"node\":%u,\"at_ms\":%" PRIu64 ",\"gap_ms\":%.1f}", i == 0 ? "" : ",",
               kills[i].node, kills[i].at_ms, (double)kills[i].gap_us / 1000);
    printf("]");
}

static void report(const struct options *options, const struct kill_result *kills, uint64_t lost)
{
    const unsigned count = options->kills;
    struct kill_result *sorted = malloc(count * sizeof *sorted);
    if (sorted == NULL)
        load_die("out of memory", "");
    memcpy(sorted, kills, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, compare);
    const double least = ms_at(sorted, count, 0), median = ms_at(sorted, count, 0.5),
                 p90 = ms_at(sorted, count, 0.9), most = ms_at(sorted, count, 1);
    if (options->is_json) {
        printf("{\"kills\":%u,\"concurrency\":%u,\"gap_ms\":{\"min\":%.1f,\"median\":%.1f,"
               "\"p90\":%.1f,\"max\":%.1f},\"lost\":%" PRIu64 ",\"each\":",
               count, options->concurrency, least, median, p90, most, lost);
        print_kills(options, kills);
        printf("}\n");
    } else {
        printf("%u leaders killed at c=%u: gap min %.0f, median %.0f, p90 %.0f, max %.0f ms; "
               "%" PRIu64 " lost\n ",
               count, options->concurrency, least, median, p90, most, lost);
        for (unsigned i = 0; i < count; i++)
            printf(" %.0f", (double)sorted[i].gap_us / 1000);
        printf("\n");
    }
    free(sorted);
}

/* ---- beginning ---- */

static void read_addresses(struct options *options)
{
    const char *at = options->nodes;
    while (at != NULL && *at != '\0' && options->node_count < SERVERS_MAX) {
        const size_t size = strcspn(at, ",");
        snprintf(options->addresses[options->node_count++], ADDRESS_BYTES, "%.*s", (int)size, at);
        at = at[size] == ',' ? at + size + 1 : NULL;
    }
}

static struct options read_options(int argc, char **argv)
{
    struct options options = {.kills = 30, .concurrency = 64, .payload_bytes = 200};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0)
            options.is_json = true;
        else if (i + 1 == argc)
            load_die("an option lacks its value", argv[i]);
        else if (strcmp(argv[i], "--cluster") == 0)
            options.cluster = argv[++i];
        else if (strcmp(argv[i], "--directory") == 0)
            options.directory = argv[++i];
        else if (strcmp(argv[i], "--nodes") == 0)
            options.nodes = argv[++i];
        else if (strcmp(argv[i], "--kills") == 0)
            options.kills = (unsigned)strtoul(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--concurrency") == 0)
            options.concurrency = (unsigned)strtoul(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--payload") == 0)
            options.payload_bytes = (unsigned)strtoul(argv[++i], NULL, 10);
        else
            load_die("unknown option", argv[i]);
    }
    read_addresses(&options);
    if (options.cluster == NULL || options.directory == NULL || options.node_count < 3 ||
        options.kills == 0 || options.kills > KILLS_MAX || options.concurrency == 0 ||
        options.payload_bytes > PAYLOAD_MAX)
        load_die("an option is missing or out of range", "");
    return options;
}

int main(int argc, char **argv)
{
    static struct kill_result kills[KILLS_MAX];
    const struct options options = read_options(argc, argv);
    struct flow flow = {.mutex = PTHREAD_MUTEX_INITIALIZER, .last_us = load_now_us()};
    const struct load_options load_options = {.nodes = options.nodes,
                                              .concurrency = options.concurrency,
                                              .payload_bytes = options.payload_bytes,
                                              .on_acknowledged = flow_step,
                                              .user = &flow};
    struct load *load = load_new(&load_options);
    load_begin(load);
    usleep(WATCH_US);
    for (unsigned i = 0; i < options.kills; i++)
        kills[i] = kill_leader(&options, &flow);
    const uint64_t lost = load_end(load);
    report(&options, kills, lost);
    load_free(load);
    return lost == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
