#include "client/cli/program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ERRORS_BYTES_KEPT = 4096 };

/* Ends of the three pipes on our side; -1: closed. */
struct pipes {
    int input, output, errors;
};

struct pipe_pair {
    int read_end, write_end;
};

static bool pipe_open(struct pipe_pair *pair)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return false;
    *pair = (struct pipe_pair){ends[0], ends[1]};
    return true;
}

static void close_end(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void pipes_close(struct pipe_pair pairs[3])
{
    for (size_t i = 0; i < 3; i++) {
        close_end(&pairs[i].read_end);
        close_end(&pairs[i].write_end);
    }
}

/* The program gets its own process group, so that Ctrl-C does not end it in the middle of its step,
 * and no signal blocked or ignored. */
static int spawn(const struct program *program, const struct pipe_pair pairs[3], pid_t *pid_out)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, pairs[0].read_end, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, pairs[1].write_end, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, pairs[2].write_end, STDERR_FILENO);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                              POSIX_SPAWN_SETPGROUP);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    int failed = posix_spawnp(pid_out, program->words[0], &actions, &attributes, program->words,
                              program->environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return failed;
}

/* Write what the pipe takes; the end of the input closes it, and so does a program that does not
 * read. */
static void input_write(int *fd, struct bytes *input)
{
    ssize_t written = input->size == 0 ? 0 : write(*fd, input->data, input->size);
    if (written > 0)
        *input = bytes_of(input->data + written, input->size - (size_t)written);
    else if (written < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (written < 0 || input->size == 0)
        close_end(fd);
}

static void output_read(int *fd, struct buffer *into)
{
    char chunk[65536];
    ssize_t size = read(*fd, chunk, sizeof chunk);
    if (size > 0)
        buffer_append(into, chunk, (size_t)size);
    else if (size == 0 || (errno != EAGAIN && errno != EINTR))
        close_end(fd);
}

/* Of what it says to people, everybody sees all and the report has the end. */
static void errors_read(int *fd, struct buffer *into)
{
    size_t before = into->size;
    output_read(fd, into);
    if (into->size > before)
        fwrite(into->data + before, 1, into->size - before, stderr);
    if (into->size <= ERRORS_BYTES_KEPT)
        return;
    memmove(into->data, into->data + into->size - ERRORS_BYTES_KEPT, ERRORS_BYTES_KEPT);
    into->size = ERRORS_BYTES_KEPT;
}

static enum pawl_error talk(struct program *program, struct pipes *pipes)
{
    struct bytes input = program->input;
    while (pipes->input >= 0 || pipes->output >= 0 || pipes->errors >= 0) {
        struct pollfd pollers[3] = {{.fd = pipes->input, .events = POLLOUT},
                                    {.fd = pipes->output, .events = POLLIN},
                                    {.fd = pipes->errors, .events = POLLIN}};
        if (poll(pollers, 3, -1) < 0 && errno != EINTR)
            return PAWL_E_IO;
        if (pollers[0].revents != 0)
            input_write(&pipes->input, &input);
        if (pollers[1].revents != 0)
            output_read(&pipes->output, &program->output);
        if (pollers[2].revents != 0)
            errors_read(&pipes->errors, &program->errors);
        if (program->output.is_failed || program->output.size > program->output_bytes_max)
            return PAWL_E_LIMIT;
    }
    return PAWL_OK;
}

static int exit_code_of_status(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static enum pawl_error run_to_end(struct program *program, struct pipe_pair pairs[3],
                                  struct pawl_diag *diag)
{
    pid_t pid;
    int status = 0;
    int failed = spawn(program, pairs, &pid);
    if (failed != 0)
        return diag_fail(diag, PAWL_E_IO, "cannot start %s: %s", program->words[0],
                         strerror(failed));
    struct pipes pipes = {pairs[0].write_end, pairs[1].read_end, pairs[2].read_end};
    pairs[0].write_end = pairs[1].read_end = pairs[2].read_end = -1;
    pipes_close(pairs);
    fcntl(pipes.input, F_SETFL, O_NONBLOCK);
    enum pawl_error error = talk(program, &pipes);
    close_end(&pipes.input);
    close_end(&pipes.output);
    close_end(&pipes.errors);
    if (error != PAWL_OK)
        kill(-pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    program->exit_code = exit_code_of_status(status);
    if (error != PAWL_OK)
        return diag_fail(diag, error, "%s said more than %zu bytes", program->words[0],
                         program->output_bytes_max);
    return PAWL_OK;
}

enum pawl_error program_execute(struct program *program, struct pawl_diag *diag)
{
    struct pipe_pair pairs[3] = {{-1, -1}, {-1, -1}, {-1, -1}};
    bool is_open = pipe_open(&pairs[0]) && pipe_open(&pairs[1]) && pipe_open(&pairs[2]);
    enum pawl_error error = is_open ? run_to_end(program, pairs, diag)
                                    : diag_fail(diag, PAWL_E_IO, "no pipe: %s", strerror(errno));
    pipes_close(pairs);
    return error;
}
