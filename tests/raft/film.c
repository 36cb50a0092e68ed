#include "film.h"

#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "show.h"

enum { NODES_MAX = 5, PACKETS_MAX = 512, WORDS_MAX = 32, LINE_MAX_BYTES = 256 };

struct packet {
    struct raft_message message;
    struct raft_entry entries[HOST_BATCH_MAX];
};

struct film {
    FILE *out;
    bool is_quiet;
    uint64_t now_ms;
    struct raft_options options;
    uint32_t node_count;
    struct host hosts[NODES_MAX];
    struct raft_synced unreported[NODES_MAX][HOST_WRITES_MAX];
    size_t unreported_count[NODES_MAX];
    struct packet *packets; /* oldest first */
    size_t packet_count;
};

struct command {
    const char *words[WORDS_MAX];
    size_t count;
};

static uint64_t number(const struct command *command, size_t at)
{
    return at < command->count ? strtoull(command->words[at], NULL, 10) : 0;
}

static struct host *host_of(struct film *film, const struct command *command, size_t at)
{
    uint64_t node = number(command, at);
    return node >= 1 && node <= film->node_count ? &film->hosts[node - 1] : NULL;
}

static struct host *running(struct film *film, const struct command *command)
{
    struct host *host = host_of(film, command, 1);
    return host != NULL && host->raft != NULL ? host : NULL;
}

/* ---- Steps. ---- */

static void put_packet(struct film *film, const struct raft_message *message)
{
    if (film->packet_count == PACKETS_MAX || message->entry_count > HOST_BATCH_MAX)
        return;
    struct packet *packet = &film->packets[film->packet_count++];
    packet->message = *message;
    for (size_t i = 0; i < message->entry_count; i++)
        packet->entries[i] = message->entries[i];
}

static void step(struct film *film, struct host *host, struct raft_input *input)
{
    static const uint64_t payloads[HOST_BATCH_MAX];
    struct raft_outputs outputs;
    input->now_ms = film->now_ms;
    enum raft_error error = host_step(host, input, payloads, &outputs);
    if (error != RAFT_OK && !film->is_quiet)
        fprintf(film->out, "  %llu refuses: %s\n", (unsigned long long)host->options.self,
                show_error(error));
    for (size_t i = 0; i < outputs.count; i++) {
        const struct raft_output *output = &outputs.output[i];
        if (output->kind == RAFT_OUT_SEND)
            put_packet(film, &output->message);
        if (film->is_quiet)
            continue;
        fprintf(film->out, "  ");
        show_output(film->out, host->options.self, output);
    }
    raft_check(host->raft);
}

static void remove_packet(struct film *film, size_t at)
{
    film->packet_count--;
    memmove(&film->packets[at], &film->packets[at + 1],
            (film->packet_count - at) * sizeof *film->packets);
}

static void deliver_packet(struct film *film, size_t at)
{
    struct packet packet = film->packets[at];
    remove_packet(film, at);
    packet.message.entries = packet.entries;
    struct host *host = &film->hosts[packet.message.to - 1];
    struct raft_input input = {.kind = RAFT_IN_MESSAGE, .message = packet.message};
    if (host->raft != NULL)
        step(film, host, &input);
}

/* The oldest packet on a link, or -1. */
static int oldest(const struct film *film, uint64_t from, uint64_t to)
{
    for (size_t i = 0; i < film->packet_count; i++) {
        if (film->packets[i].message.from == from && film->packets[i].message.to == to)
            return (int)i;
    }
    return -1;
}

static size_t count_on_link(const struct film *film, uint64_t from, uint64_t to)
{
    size_t count = 0;
    for (size_t i = 0; i < film->packet_count; i++)
        count += film->packets[i].message.from == from && film->packets[i].message.to == to;
    return count;
}

static void write_one(struct film *film, struct host *host)
{
    size_t at = host->options.self - 1;
    if (host->write_count > 0)
        film->unreported[at][film->unreported_count[at]++] = host_write_next(host);
}

/* count of the oldest tokens, of which the last is reported. */
static void report(struct film *film, struct host *host, size_t count)
{
    size_t at = host->options.self - 1;
    if (count == 0 || count > film->unreported_count[at])
        return;
    struct raft_input input = {.kind = RAFT_IN_SYNCED, .synced = film->unreported[at][count - 1]};
    film->unreported_count[at] -= count;
    memmove(film->unreported[at], film->unreported[at] + count,
            film->unreported_count[at] * sizeof film->unreported[at][0]);
    step(film, host, &input);
}

static void sync_host(struct film *film, struct host *host)
{
    while (host->write_count > 0)
        write_one(film, host);
    report(film, host, film->unreported_count[host->options.self - 1]);
}

/* ---- Commands. False: not this command's words. ---- */

static bool do_cluster(struct film *film, const struct command *command)
{
    uint64_t node_count = number(command, 1);
    if (node_count < 1 || node_count > NODES_MAX || film->node_count != 0)
        return false;
    film->node_count = (uint32_t)node_count;
    film->options.configuration.voter_count = (uint8_t)node_count;
    for (uint32_t i = 0; i < node_count; i++) {
        film->options.configuration.voters[i] = i + 1;
        film->options.self = i + 1;
        host_init(&film->hosts[i], &film->options);
    }
    return true;
}

static bool do_option(struct film *film, const struct command *command)
{
    const struct {
        const char *name;
        uint32_t *value;
    } options[] = {
        {"election_timeout_ms_max", &film->options.election_timeout_ms_max},
        {"append_entries_max", &film->options.append_entries_max},
        {"append_bytes_max", &film->options.append_bytes_max},
        {"window_messages_max", &film->options.window_messages_max},
        {"window_bytes_max", &film->options.window_bytes_max},
    };
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        if (command->count == 3 && strcmp(command->words[1], options[i].name) == 0) {
            *options[i].value = (uint32_t)number(command, 2);
            return true;
        }
    }
    return false;
}

static bool do_log(struct film *film, const struct command *command)
{
    struct host *host = host_of(film, command, 1);
    if (host == NULL || host->raft != NULL)
        return false;
    for (size_t i = 2; i < command->count; i++) {
        struct host_record *record = &host->disk.records[++host->disk.last_index];
        record->entry = (struct raft_entry){.term = number(command, i), .kind = RAFT_ENTRY_COMMAND};
        host->disk_term = record->entry.term;
    }
    return true;
}

static bool do_hard(struct film *film, const struct command *command)
{
    struct host *host = host_of(film, command, 1);
    if (host == NULL || command->count != 4)
        return false;
    host->disk_term = number(command, 2);
    host->disk_vote = number(command, 3);
    return true;
}

static bool do_lose(struct film *film, const struct command *command)
{
    struct host *host = host_of(film, command, 1);
    if (host == NULL || host->raft != NULL || number(command, 2) > host->disk.last_index)
        return false;
    host->disk.last_index = number(command, 2);
    host->disk_term = host_log_term(&host->disk, host->disk.last_index);
    host->disk_vote = 0;
    return true;
}

static bool start_host(struct film *film, struct host *host, const struct command *command)
{
    raft_index commit_index = 0;
    for (size_t i = 2; i < command->count; i++) {
        if (strcmp(command->words[i], "commit") == 0)
            commit_index = number(command, i + 1);
        if (strcmp(command->words[i], "withheld") == 0)
            host->is_withheld = true;
    }
    raft_node self = host->options.self;
    host->options = film->options;
    host->options.self = self;
    film->unreported_count[self - 1] = 0;
    return host->raft == NULL && host_start(host, commit_index, film->now_ms);
}

static bool do_start(struct film *film, const struct command *command)
{
    if (command->count < 2 || strcmp(command->words[1], "all") != 0) {
        struct host *host = host_of(film, command, 1);
        return host != NULL && start_host(film, host, command);
    }
    for (uint32_t i = 0; i < film->node_count; i++) {
        if (!start_host(film, &film->hosts[i], command))
            return false;
    }
    return true;
}

static bool do_tick(struct film *film, const struct command *command)
{
    struct host *host = running(film, command);
    struct raft_input input = {.kind = RAFT_IN_TICK};
    if (host == NULL)
        return false;
    if (raft_deadline(host->raft) > film->now_ms)
        film->now_ms = raft_deadline(host->raft);
    step(film, host, &input);
    return true;
}

static bool do_wait(struct film *film, const struct command *command)
{
    film->now_ms += number(command, 1);
    return command->count == 2;
}

static bool is_link(struct film *film, const struct command *command)
{
    return host_of(film, command, 1) != NULL && host_of(film, command, 2) != NULL;
}

static size_t packets_asked(struct film *film, const struct command *command)
{
    size_t there = count_on_link(film, number(command, 1), number(command, 2));
    size_t asked = command->count > 3 ? number(command, 3) : there;
    return asked < there ? asked : there;
}

static bool do_deliver(struct film *film, const struct command *command)
{
    if (!is_link(film, command))
        return false;
    size_t count = packets_asked(film, command);
    for (size_t i = 0; i < count; i++)
        deliver_packet(film, (size_t)oldest(film, number(command, 1), number(command, 2)));
    return true;
}

static bool do_drop(struct film *film, const struct command *command)
{
    if (!is_link(film, command))
        return false;
    size_t count = packets_asked(film, command);
    for (size_t i = 0; i < count; i++)
        remove_packet(film, (size_t)oldest(film, number(command, 1), number(command, 2)));
    return true;
}

static bool do_double(struct film *film, const struct command *command)
{
    int at = oldest(film, number(command, 1), number(command, 2));
    if (at < 0 || film->packet_count == PACKETS_MAX)
        return false;
    film->packets[film->packet_count++] = film->packets[at];
    return true;
}

static bool do_late(struct film *film, const struct command *command)
{
    int at = oldest(film, number(command, 1), number(command, 2));
    if (at < 0)
        return false;
    struct packet packet = film->packets[at];
    remove_packet(film, (size_t)at);
    film->packets[film->packet_count++] = packet;
    return true;
}

static bool do_write(struct film *film, const struct command *command)
{
    struct host *host = running(film, command);
    if (host == NULL || host->write_count == 0)
        return false;
    write_one(film, host);
    return true;
}

static bool do_report(struct film *film, const struct command *command)
{
    struct host *host = running(film, command);
    if (host == NULL || film->unreported_count[host->options.self - 1] == 0)
        return false;
    report(film, host, 1);
    return true;
}

static bool do_sync(struct film *film, const struct command *command)
{
    struct host *host = running(film, command);
    if (host == NULL)
        return false;
    sync_host(film, host);
    return true;
}

static bool do_propose(struct film *film, const struct command *command)
{
    struct host *host = running(film, command);
    struct raft_entry entries[HOST_BATCH_MAX];
    size_t entry_count = number(command, 2);
    if (host == NULL || entry_count > HOST_BATCH_MAX)
        return false;
    for (size_t i = 0; i < entry_count; i++)
        entries[i] =
            (struct raft_entry){.bytes = (uint32_t)number(command, 3), .kind = RAFT_ENTRY_COMMAND};
    struct raft_input input = {.kind = RAFT_IN_PROPOSE,
                               .propose = {.entries = entries, .entry_count = entry_count}};
    step(film, host, &input);
    return true;
}

static bool do_read(struct film *film, const struct command *command)
{
    struct host *host = running(film, command);
    struct raft_input input = {.kind = RAFT_IN_READ};
    if (host == NULL)
        return false;
    step(film, host, &input);
    return true;
}

static bool do_cut(struct film *film, const struct command *command)
{
    struct host *host = running(film, command);
    if (host == NULL)
        return false;
    host_cut(host, number(command, 2), film->now_ms);
    return true;
}

static bool do_readmit(struct film *film, const struct command *command)
{
    struct host *host = running(film, command);
    struct raft_input input = {.kind = RAFT_IN_READMIT, .index = number(command, 2)};
    if (host == NULL)
        return false;
    step(film, host, &input);
    return true;
}

static bool do_lost(struct film *film, const struct command *command)
{
    struct host *host = running(film, command);
    struct raft_input input = {.kind = RAFT_IN_PEER_LOST, .node = number(command, 2)};
    if (host == NULL || command->count != 3)
        return false;
    step(film, host, &input);
    return true;
}

static bool do_crash(struct film *film, const struct command *command)
{
    struct host *host = running(film, command);
    if (host == NULL)
        return false;
    host_crash(host, 0, -1);
    return true;
}

static bool do_show(struct film *film, const struct command *command)
{
    (void)command;
    for (uint32_t i = 0; i < film->node_count; i++) {
        fprintf(film->out, "  ");
        if (film->hosts[i].raft != NULL)
            show_state(film->out, i + 1, film->hosts[i].raft);
        else
            fprintf(film->out, "%u: down\n", i + 1);
    }
    return true;
}

static bool do_settle(struct film *film, const struct command *command)
{
    (void)command;
    film->is_quiet = true;
    for (bool is_busy = true; is_busy;) {
        is_busy = film->packet_count > 0;
        while (film->packet_count > 0)
            deliver_packet(film, 0);
        for (uint32_t i = 0; i < film->node_count; i++) {
            struct host *host = &film->hosts[i];
            if (host->raft == NULL || host->write_count == 0)
                continue;
            sync_host(film, host);
            is_busy = true;
        }
    }
    film->is_quiet = false;
    return true;
}

static const struct {
    const char *name;
    bool (*run)(struct film *film, const struct command *command);
} commands[] = {
    {"cluster", do_cluster}, {"option", do_option}, {"log", do_log},
    {"hard", do_hard},       {"lose", do_lose},     {"start", do_start},
    {"tick", do_tick},       {"wait", do_wait},     {"deliver", do_deliver},
    {"drop", do_drop},       {"double", do_double}, {"late", do_late},
    {"write", do_write},     {"report", do_report}, {"sync", do_sync},
    {"propose", do_propose}, {"read", do_read},     {"cut", do_cut},
    {"readmit", do_readmit}, {"lost", do_lost},     {"crash", do_crash},
    {"show", do_show},       {"settle", do_settle},
};

static bool run_command(struct film *film, const char *line)
{
    char text[LINE_MAX_BYTES];
    struct command command = {.count = 0};
    char *rest = NULL;
    (void)snprintf(text, sizeof text, "%s", line);
    for (char *word = strtok_r(text, " ", &rest); word != NULL && command.count < WORDS_MAX;
         word = strtok_r(NULL, " ", &rest))
        command.words[command.count++] = word;
    for (size_t i = 0; command.count > 0 && i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(commands[i].name, command.words[0]) == 0)
            return commands[i].run(film, &command);
    }
    return false;
}

/* Comments and empty lines stay; commands run; all other lines were outputs. */
static bool run_line(struct film *film, const char *line)
{
    bool is_command = strncmp(line, "> ", 2) == 0;
    if (!is_command && line[0] != '#' && line[0] != '\0')
        return true;
    fprintf(film->out, "%s\n", line);
    if (!is_command || run_command(film, line + 2))
        return true;
    fprintf(film->out, "  impossible\n");
    return false;
}

static struct film *film_new(FILE *out)
{
    struct film *film = calloc(1, sizeof *film);
    struct packet *packets = calloc(PACKETS_MAX, sizeof *packets);
    if (film == NULL || packets == NULL) {
        free(film);
        free(packets);
        return NULL;
    }
    film->out = out;
    film->packets = packets;
    film->now_ms = 1000;
    film->options = (struct raft_options){
        .heartbeat_ms = 50,
        .election_timeout_ms_min = 300,
        .election_timeout_ms_max = 300,
        .append_bytes_max = 1000,
        .append_entries_max = HOST_BATCH_MAX,
        .window_messages_max = 4,
        .window_bytes_max = 4000,
        .uncommitted_bytes_max = 10000,
    };
    return film;
}

bool film_run(const char *script, FILE *out)
{
    struct film *film = film_new(out);
    bool is_possible = film != NULL;
    while (is_possible && *script != '\0') {
        char line[LINE_MAX_BYTES];
        size_t length = strcspn(script, "\n");
        (void)snprintf(line, sizeof line, "%.*s", (int)length, script);
        is_possible = run_line(film, line);
        script += length + (script[length] == '\n');
    }
    for (uint32_t i = 0; film != NULL && i < film->node_count; i++)
        host_done(&film->hosts[i]);
    if (film != NULL)
        free(film->packets);
    free(film);
    return is_possible;
}
