#include "host.h"

#include <assert.h>

void host_init(struct host *host, const struct raft_options *options)
{
    host->options = *options;
    host->raft = NULL;
    host->memory.base_index = host->memory.last_index = 0;
    host->disk.base_index = host->disk.last_index = 0;
    host->disk_term = 0;
    host->disk_vote = 0;
    host->is_withheld = false;
    host->write_first = host->write_count = 0;
}

void host_done(struct host *host)
{
    raft_free(host->raft);
    host->raft = NULL;
}

raft_term host_log_term(const struct host_log *log, raft_index index)
{
    if (index == 0 || index < log->base_index || index > log->last_index)
        return 0;
    return log->records[index].entry.term;
}

static void copy_log(struct host_log *copy, const struct host_log *log)
{
    copy->base_index = log->base_index;
    copy->last_index = log->last_index;
    for (raft_index index = log->base_index; index <= log->last_index; index++)
        copy->records[index] = log->records[index];
}

bool host_start(struct host *host, raft_index commit_index, uint64_t now_ms)
{
    static struct raft_entry entries[HOST_LOG_MAX];
    size_t entry_count = 0;
    copy_log(&host->memory, &host->disk);
    const struct host_log *log = &host->memory;
    for (raft_index index = log->base_index + 1; index <= log->last_index; index++)
        entries[entry_count++] = log->records[index].entry;
    const struct raft_restored restored = {
        .term = host->disk_term,
        .vote = host->disk_vote,
        .base_index = log->base_index,
        .base_term = host_log_term(log, log->base_index),
        .entries = entries,
        .entry_count = entry_count,
        .commit_index = commit_index,
        .is_vote_withheld = host->is_withheld,
    };
    host->raft = raft_new(&host->options, &restored, now_ms);
    return host->raft != NULL;
}

/* Where the payload of an entry that has just entered the log is found. */
static uint64_t payload_at(const struct raft_input *input, const uint64_t *payloads,
                           raft_index before, raft_index index)
{
    if (input->kind == RAFT_IN_PROPOSE)
        return payloads[index - before - 1];
    if (input->kind == RAFT_IN_MESSAGE && input->message.kind == RAFT_MSG_APPEND)
        return payloads[index - input->message.previous_index - 1];
    return 0; /* a no-op */
}

static void queue_write(struct host *host, const struct raft_persist *persist,
                        const struct raft_input *input, const uint64_t *payloads)
{
    struct host_log *log = &host->memory;
    assert(host->write_count < HOST_WRITES_MAX);
    struct host_write *write =
        &host->writes[(host->write_first + host->write_count++) % HOST_WRITES_MAX];
    write->persist = *persist;
    if (persist->truncate_index != 0)
        log->last_index = persist->truncate_index - 1;
    assert(persist->first_index == log->last_index + 1 ||
           persist->first_index > persist->last_index);
    raft_index before = log->last_index;
    for (raft_index index = persist->first_index; index <= persist->last_index; index++) {
        struct raft_entry entry = {.term = raft_term_at(host->raft, index)};
        if (input->kind == RAFT_IN_MESSAGE && input->message.kind == RAFT_MSG_APPEND)
            entry = input->message.entries[index - input->message.previous_index - 1];
        else if (input->kind == RAFT_IN_PROPOSE)
            entry = input->propose.entries[index - before - 1];
        else
            entry.kind = RAFT_ENTRY_NOOP;
        entry.term = raft_term_at(host->raft, index);
        assert(index <= HOST_LOG_MAX && index - persist->first_index < HOST_BATCH_MAX);
        log->records[index] =
            (struct host_record){entry, payload_at(input, payloads, before, index)};
        write->records[index - persist->first_index] = log->records[index];
        log->last_index = index;
    }
}

enum raft_error host_step(struct host *host, const struct raft_input *input,
                          const uint64_t *payloads, struct raft_outputs *outputs_out)
{
    enum raft_error error = raft_step(host->raft, input, outputs_out);
    for (size_t i = 0; i < outputs_out->count; i++) {
        const struct raft_output *output = &outputs_out->output[i];
        if (output->kind == RAFT_OUT_PERSIST)
            queue_write(host, &output->persist, input, payloads);
        if (output->kind == RAFT_OUT_READMITTED)
            host->is_withheld = false;
    }
    return error;
}

static void apply_write(struct host *host, const struct host_write *write, size_t entry_count)
{
    const struct raft_persist *persist = &write->persist;
    host->disk_term = persist->term;
    host->disk_vote = persist->vote;
    if (persist->truncate_index != 0)
        host->disk.last_index = persist->truncate_index - 1;
    for (size_t i = 0; i < entry_count && persist->first_index + i <= persist->last_index; i++) {
        host->disk.last_index = persist->first_index + i;
        host->disk.records[host->disk.last_index] = write->records[i];
    }
}

struct raft_synced host_write_next(struct host *host)
{
    assert(host->write_count > 0);
    const struct host_write *write = &host->writes[host->write_first];
    apply_write(host, write, HOST_BATCH_MAX);
    host->write_first = (host->write_first + 1) % HOST_WRITES_MAX;
    host->write_count--;
    return write->persist.token;
}

void host_crash(struct host *host, size_t whole_writes, int entries_of_next)
{
    for (size_t i = 0; i < whole_writes && host->write_count > 0; i++)
        (void)host_write_next(host);
    if (host->write_count > 0 && entries_of_next >= 0)
        apply_write(host, &host->writes[host->write_first], (size_t)entries_of_next);
    host->write_count = 0;
    host_done(host);
}

void host_cut(struct host *host, raft_index index, uint64_t now_ms)
{
    struct raft_outputs outputs;
    const struct raft_input input = {.kind = RAFT_IN_CUT, .now_ms = now_ms, .index = index};
    host->memory.base_index = index;
    host->disk.base_index = index;
    (void)raft_step(host->raft, &input, &outputs);
    assert(outputs.count == 0);
}
