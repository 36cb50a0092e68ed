#include "tests/bench/cluster.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/bench/cluster_client.h"
#include "tests/sim/must.h"

enum {
    SEGMENT_BYTES = 16 << 20, /* as in pawld */
    SPARE_SEGMENTS = 2,
    MAP_BYTES = 1 << 30,
    ELECTION_ROUND_US = 1000,
    ELECTION_ROUNDS_MAX = 10000,
    TURN_INPUTS_MAX = 512, /* as in pawld */
    LOG_JOBS_MAX = 256,
};

static const struct id128 cluster_id = {{'b', 'u', 'd', 'g', 'e', 't'}};
static const uint64_t wall_origin_us = 1700000000000000;

static void must(enum pawl_error error, const char *what, const struct pawl_diag *diag)
{
    if (error == PAWL_OK)
        return;
    fprintf(stderr, "budget: %s: %s: %s\n", what, pawl_error_name(error), diag->text);
    exit(EXIT_FAILURE);
}

/* ---- ports ---- */

static uint64_t monotonic_us(void *self)
{
    const struct cluster_node *node = self;
    return node->cluster->now_us;
}

static uint64_t wall_us(void *self)
{
    const struct cluster_node *node = self;
    return wall_origin_us + node->cluster->now_us;
}

static void entropy_fill(void *self, void *out, size_t size)
{
    struct cluster_node *node = self;
    random_fill(&node->random, out, size);
}

static void peer_send(void *self, uint64_t to, uint8_t type, const struct bytes *parts,
                      size_t part_count)
{
    struct cluster_node *node = self;
    node->peer_frames++;
    for (size_t i = 0; i < part_count; i++)
        node->peer_bytes += parts[i].size;
    mailbox_put(&node->cluster->nodes[to - 1].from_peers, node->id, type, parts, part_count);
}

static bool client_send(void *self, uint64_t connection, uint8_t type, struct bytes body)
{
    struct cluster_node *node = self;
    node->client_frames++;
    node->client_bytes += body.size;
    mailbox_put(&node->cluster->client->inbox, connection, type, &body, 1);
    return true;
}

static void client_close(void *self, uint64_t connection)
{
    (void)self;
    (void)connection;
    fputs("budget: a node closed the client's connection\n", stderr);
    exit(EXIT_FAILURE);
}

static void jobs_put(struct cluster_jobs *jobs, struct job *job_take)
{
    job_take->next = NULL;
    *jobs->last_next = job_take;
    jobs->last_next = &job_take->next;
}

static struct job *jobs_take(struct cluster_jobs *jobs)
{
    struct job *job = jobs->first;
    if (job == NULL)
        return NULL;
    jobs->first = job->next;
    if (jobs->first == NULL)
        jobs->last_next = &jobs->first;
    return job;
}

static void submit(void *self, struct job *job_take)
{
    struct cluster_node *node = self;
    switch (job_take->kind) {
    case JOB_LOG_APPEND:
    case JOB_LOG_READ:
    case JOB_LOG_CUT:
        jobs_put(&node->waiting[WORK_LOG], job_take);
        return;
    case JOB_FLUSH:
        jobs_put(&node->waiting[WORK_STORE], job_take);
        return;
    case JOB_LOAD:
    case JOB_QUERY:
        jobs_put(&node->waiting[WORK_READ], job_take);
        return;
    }
}

/* ---- turns ---- */

static void input_add(struct cluster_node *node, const struct replica_input *input)
{
    if (node->input_count == node->input_capacity) {
        node->input_capacity = node->input_capacity * 2 + 256;
        node->inputs = must_resize(node->inputs, node->input_capacity * sizeof *node->inputs);
    }
    node->inputs[node->input_count++] = *input;
}

static void frames_add(struct cluster_node *node, struct mailbox *mailbox,
                       enum replica_input_kind kind)
{
    const struct post *post = mailbox_take(mailbox);
    for (size_t i = 0; i < post->count; i++)
        input_add(node, &(struct replica_input){.kind = kind,
                                                .source = post->mails[i].source,
                                                .type = post->mails[i].type,
                                                .body = mail_body(post, &post->mails[i])});
}

static void gather(struct cluster_node *node)
{
    node->input_count = 0;
    frames_add(node, &node->from_peers, REPLICA_PEER_FRAME);
    for (struct job *job; (job = jobs_take(&node->done)) != NULL;)
        input_add(node, &(struct replica_input){.kind = REPLICA_JOB_DONE, .job = job});
    frames_add(node, &node->from_clients, REPLICA_CLIENT_FRAME);
}

static void take_turns(void *self)
{
    struct cluster_node *node = self;
    size_t begin = 0;
    do {
        const size_t rest = node->input_count - begin;
        const size_t count = rest < TURN_INPUTS_MAX ? rest : TURN_INPUTS_MAX;
        replica_turn(node->replica, count > 0 ? node->inputs + begin : NULL, count);
        begin += count;
    } while (begin < node->input_count);
}

/* ---- jobs ---- */

static void run_log(void *self)
{
    struct cluster_node *node = self;
    struct job *jobs[LOG_JOBS_MAX];
    size_t count = 0, done;
    while (count < LOG_JOBS_MAX && (jobs[count] = jobs_take(&node->waiting[WORK_LOG])) != NULL)
        count++;
    const enum pawl_error error = jobs_run_log(node->wal, jobs, count, &done);
    must(error, "the log", &jobs[error == PAWL_OK ? 0 : done]->diag);
    for (size_t i = 0; i < count; i++)
        jobs_put(&node->done, jobs[i]);
}

static void run_spare(void *self)
{
    struct cluster_node *node = self;
    struct pawl_diag diag;
    const uint64_t before = memory_disk_figures(node->disk).write_bytes;
    must(wal_prepare(node->wal, &diag), "the log's next segment", &diag);
    node->spare_bytes += memory_disk_figures(node->disk).write_bytes - before;
}

static void run_flush(void *self)
{
    struct cluster_node *node = self;
    struct job *job = jobs_take(&node->waiting[WORK_STORE]);
    const struct rows_port rows = rows_lmdb_port(node->store);
    node->flush_count++;
    must(job_run_flush(&rows, job), "the store", &job->diag);
    node->flushed_rows += job->flush.write_count;
    job->flush.free_bytes = UINT64_MAX;
    jobs_put(&node->done, job);
}

static void run_read(void *self)
{
    struct cluster_node *node = self;
    struct job *job = jobs_take(&node->waiting[WORK_READ]);
    const struct rows_port rows = rows_lmdb_port(node->store);
    job_run_read(&rows, node->engine, job);
    jobs_put(&node->done, job);
}

static void node_do(struct cluster_node *node, enum work work, void (*act)(void *self))
{
    actor_do((enum actor)((int)node->first_actor + (int)work), act, node, node->cluster->tallies);
}

static void run_jobs(struct cluster_node *node)
{
    if (node->waiting[WORK_LOG].first != NULL) {
        node_do(node, WORK_LOG, run_log);
        node_do(node, WORK_SPARE, run_spare);
    }
    while (node->waiting[WORK_STORE].first != NULL)
        node_do(node, WORK_STORE, run_flush);
    while (node->waiting[WORK_READ].first != NULL)
        node_do(node, WORK_READ, run_read);
}

/* A turn costs nothing when nothing has come and nothing is due. */
static bool has_turn(const struct cluster_node *node)
{
    return node->input_count > 0 || replica_deadline_us(node->replica) <= node->cluster->now_us;
}

void cluster_round(struct cluster *cluster)
{
    cluster->now_us += cluster->round_us;
    for (size_t i = 0; i < CLUSTER_NODES; i++)
        gather(&cluster->nodes[i]);
    cluster_client_round(cluster->client);
    for (size_t i = 0; i < CLUSTER_NODES; i++)
        if (has_turn(&cluster->nodes[i]))
            node_do(&cluster->nodes[i], WORK_TURN, take_turns);
    for (size_t i = 0; i < CLUSTER_NODES; i++)
        run_jobs(&cluster->nodes[i]);
}

/* ---- beginning and end ---- */

static void open_disks(struct cluster_node *node, struct arena *arena,
                       struct replica_restored *restored)
{
    struct pawl_diag diag;
    struct wal_recovery recovery;
    node->disk = memory_disk_new();
    const struct wal_options log = {
        .disk = memory_disk_port(node->disk),
        .cluster = cluster_id,
        .node = node->id,
        .salt = random_u64(&node->random),
        .segment_bytes = SEGMENT_BYTES,
        .spare_segments = SPARE_SEGMENTS,
    };
    must(wal_open(&log, arena, &recovery, &node->wal, &diag), "the log", &diag);
    while (wal_figures(node->wal).spare_count < SPARE_SEGMENTS)
        must(wal_prepare(node->wal, &diag), "the log's spare segments", &diag);
    snprintf(node->store_path, sizeof node->store_path, "%s/%u", node->cluster->directory,
             (unsigned)node->id);
    must(mkdir(node->store_path, 0700) == 0 ? PAWL_OK : PAWL_E_IO, node->store_path, &diag);
    const struct rows_lmdb_options store = {
        .path = node->store_path, .map_bytes = MAP_BYTES, .partition_count = 1};
    must(rows_lmdb_open(&store, &node->store, &diag), "the store", &diag);
    const struct rows_port rows = rows_lmdb_port(node->store);
    must(replica_restore(node->wal, &recovery, &rows, arena, restored, &diag), "recovery", &diag);
}

static void open_replica(struct cluster_node *node, const struct replica_restored *restored)
{
    static const char *const names[CLUSTER_NODES] = {"n1", "n2", "n3"};
    static const char *const peers[CLUSTER_NODES] = {"n1:2", "n2:2", "n3:2"};
    static const char *const clients[CLUSTER_NODES] = {"n1:1", "n2:1", "n3:1"};
    const struct pawl_diag none = {.text = ""};
    struct replica_options options = {
        .cluster = cluster_id,
        .node = node->id,
        .name = bytes_string(names[node->id - 1]),
        .member_count = CLUSTER_NODES,
        .clock = {node, monotonic_us, wall_us},
        .entropy = {node, entropy_fill},
        .links = {node, peer_send, client_send, client_close},
        .jobs = {node, submit},
    };
    for (size_t i = 0; i < CLUSTER_NODES; i++)
        options.members[i] = (struct msg_member){.node = i + 1,
                                                 .name = bytes_string(names[i]),
                                                 .peer_address = bytes_string(peers[i]),
                                                 .client_address = bytes_string(clients[i])};
    must(replica_new(&options, restored, &node->replica), "the replica", &none);
}

static void open_node(struct cluster *cluster, size_t at, const struct random *root)
{
    struct arena arena = {0};
    struct replica_restored restored;
    struct cluster_node *node = &cluster->nodes[at];
    *node = (struct cluster_node){.cluster = cluster,
                                  .id = at + 1,
                                  .first_actor = (enum actor)(at * WORK_COUNT),
                                  .random = random_fork(root, at),
                                  .engine = engine_new()};
    node->done.last_next = &node->done.first;
    for (size_t i = 0; i < WORK_COUNT; i++)
        node->waiting[i].last_next = &node->waiting[i].first;
    open_disks(node, &arena, &restored);
    open_replica(node, &restored);
    arena_done(&arena);
}

/* In memory when the system has room there: the store's syncs are not what is measured. */
static void make_directory(struct cluster *cluster)
{
    const struct pawl_diag none = {.text = ""};
    snprintf(cluster->directory, sizeof cluster->directory, "/dev/shm/pawl-budget.XXXXXX");
    if (mkdtemp(cluster->directory) != NULL)
        return;
    snprintf(cluster->directory, sizeof cluster->directory, "/tmp/pawl-budget.XXXXXX");
    must(mkdtemp(cluster->directory) != NULL ? PAWL_OK : PAWL_E_IO, "a temporary directory", &none);
}

void cluster_open(struct cluster *cluster, uint64_t seed)
{
    struct random root;
    *cluster = (struct cluster){.now_us = 1000000, .round_us = ELECTION_ROUND_US};
    random_seed(&root, seed);
    make_directory(cluster);
    for (size_t i = 0; i < CLUSTER_NODES; i++)
        open_node(cluster, i, &root);
    cluster->client = cluster_client_new(cluster, random_fork(&root, CLUSTER_NODES));
    for (size_t i = 0; cluster_leader(cluster) == NULL; i++) {
        assert(i < ELECTION_ROUNDS_MAX);
        cluster_round(cluster);
    }
}

static void abandon(struct cluster_node *node, struct cluster_jobs *jobs)
{
    for (struct job *job; (job = jobs_take(jobs)) != NULL;)
        replica_abandon(node->replica, job);
}

static void remove_store(const struct cluster_node *node)
{
    static const char *const files[] = {"data.mdb", "lock.mdb"};
    char path[sizeof node->store_path + 16];
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", node->store_path, files[i]);
        unlink(path);
    }
    rmdir(node->store_path);
}

static void close_node(struct cluster_node *node)
{
    for (size_t i = 0; i < WORK_COUNT; i++)
        abandon(node, &node->waiting[i]);
    abandon(node, &node->done);
    replica_free(node->replica);
    wal_close(node->wal);
    rows_lmdb_close(node->store);
    remove_store(node);
    engine_free(node->engine);
    memory_disk_free(node->disk);
    mailbox_done(&node->from_peers);
    mailbox_done(&node->from_clients);
    free(node->inputs);
}

void cluster_close(struct cluster *cluster)
{
    cluster_client_free(cluster->client);
    for (size_t i = 0; i < CLUSTER_NODES; i++)
        close_node(&cluster->nodes[i]);
    rmdir(cluster->directory);
}

struct cluster_node *cluster_leader(struct cluster *cluster)
{
    for (size_t i = 0; i < CLUSTER_NODES; i++)
        if (replica_status(cluster->nodes[i].replica).is_active)
            return &cluster->nodes[i];
    return NULL;
}

void cluster_name_actors(struct cluster *cluster)
{
    const struct cluster_node *leader = cluster_leader(cluster);
    enum actor next = ACTOR_FOLLOWER_1_TURN;
    for (size_t i = 0; i < CLUSTER_NODES; i++) {
        struct cluster_node *node = &cluster->nodes[i];
        node->first_actor = node == leader ? ACTOR_LEADER_TURN : next;
        next = (enum actor)((int)next + (node == leader ? 0 : WORK_COUNT));
    }
}
