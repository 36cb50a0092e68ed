#include "client/cli/session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { LIST_ROWS_MAX = 1000 };

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

enum exit_code session_answered(struct session *session, enum pawl_error error,
                                void (*print)(struct bytes answer))
{
    if (error != PAWL_OK)
        return session_fail(session, error, NULL);
    if (wants_json(session->arguments))
        json_print(session_value(session));
    else
        print(session_value(session));
    return EXIT_OK;
}

static enum pawl_error list_read(const struct arguments *arguments, struct pawl_list *list,
                                 struct pawl_diag *diag)
{
    const char *limit = arguments->values[OPTION_LIMIT];
    *list = (struct pawl_list){.size = sizeof *list,
                               .definition = arguments->values[OPTION_DEFINITION],
                               .status = arguments->values[OPTION_STATUS],
                               .after = arguments->values[OPTION_AFTER]};
    list->after_bytes = list->after != NULL ? strlen(list->after) : 0;
    return limit == NULL ? PAWL_OK : cli_number(limit, LIST_ROWS_MAX, &list->limit, diag);
}

static enum exit_code page_print(struct session *session, enum pawl_error error,
                                 void (*print)(struct bytes answer))
{
    enum exit_code code = session_answered(session, error, print);
    const char *next = code == EXIT_OK ? pawl_answer_text(session->answer, "next") : NULL;
    if (next != NULL && !wants_json(session->arguments))
        fprintf(stderr, "there are more: add --after %s\n", next);
    return code;
}

enum exit_code session_list(const struct arguments *arguments, ask_list ask,
                            void (*print)(struct bytes answer))
{
    struct session session;
    struct pawl_list list;
    enum exit_code code = session_open(&session, arguments);
    if (code != EXIT_OK)
        return code;
    if (list_read(arguments, &list, &session.diag) == PAWL_OK) {
        code =
            page_print(&session, ask(session.pawl, &list, &session.answer, &session.diag), print);
    } else {
        (void)session_fail(&session, PAWL_E_INVALID, NULL);
        code = EXIT_USAGE;
    }
    session_close(&session);
    return code;
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
