#include "client/cli/session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static enum pawl_error options_read(const struct arguments *arguments, struct pawl_options *options,
                                    struct pawl_diag *diag)
{
    const char *timeout = arguments->values[OPTION_TIMEOUT];
    const char *output = arguments->values[OPTION_OUTPUT];
    const char *nodes = arguments->values[OPTION_NODES];
    if (output != NULL && strcmp(output, "json") != 0 && strcmp(output, "table") != 0)
        return diag_fail(diag, PAWL_E_INVALID, "--output is table or json, not \"%s\"", output);
    *options = (struct pawl_options){
        .size = sizeof *options,
        .nodes = nodes != NULL ? nodes : getenv("PAWL_NODES"),
        .namespace_name = arguments->values[OPTION_NAMESPACE],
        .name = "pawl",
    };
    return timeout == NULL ? PAWL_OK : cli_duration(timeout, &options->timeout_ms, diag);
}

enum exit_code session_open(struct session *session, const struct arguments *arguments)
{
    struct pawl_options options;
    *session = (struct session){.arguments = arguments};
    if (options_read(arguments, &options, &session->diag) != PAWL_OK) {
        (void)error_print(arguments, PAWL_E_INVALID, session->diag.text, NULL);
        return EXIT_USAGE;
    }
    session->timeout_ms = options.timeout_ms;
    enum pawl_error error = pawl_open(&options, &session->pawl, &session->diag);
    if (error == PAWL_OK)
        return EXIT_OK;
    (void)session_fail(session, error, "give --nodes HOST:PORT,... or set PAWL_NODES");
    return error == PAWL_E_INVALID ? EXIT_USAGE : exit_code_of(error);
}

void session_close(struct session *session)
{
    pawl_answer_free(session->answer);
    pawl_close(session->pawl);
}

enum exit_code session_fail(struct session *session, enum pawl_error error, const char *hint)
{
    return error_print(session->arguments, error, session->diag.text, hint);
}

struct bytes session_value(const struct session *session)
{
    size_t size;
    const void *data = pawl_answer_msgpack(session->answer, &size);
    return bytes_of(data, size);
}

enum pawl_error file_read(const char *path, size_t bytes_max, struct buffer *content,
                          struct pawl_diag *diag)
{
    bool is_input = strcmp(path, "-") == 0;
    FILE *file = is_input ? stdin : fopen(path, "r");
    char chunk[16384];
    size_t size = 1;
    if (file == NULL)
        return diag_fail(diag, PAWL_E_IO, "cannot read %s: %s", path, strerror(errno));
    while (size > 0 && content->size <= bytes_max) {
        size = fread(chunk, 1, sizeof chunk, file);
        buffer_append(content, chunk, size);
    }
    bool is_bad = ferror(file) != 0;
    if (!is_input)
        fclose(file);
    if (is_bad)
        return diag_fail(diag, PAWL_E_IO, "cannot read %s", path);
    if (content->size > bytes_max)
        return diag_fail(diag, PAWL_E_LIMIT, "%s is larger than %zu bytes", path, bytes_max);
    buffer_append(content, "", 1);
    return content->is_failed ? diag_fail(diag, PAWL_E_NO_MEMORY, "no memory for %s", path)
                              : PAWL_OK;
}
