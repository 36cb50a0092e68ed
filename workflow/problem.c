#include "workflow/problem.h"

#define STANDARD "https://serverlessworkflow.io/spec/1.0.0/errors/"

struct standard {
    enum problem_kind kind;
    const char *name; /* last segment */
    const char *type;
    int64_t status;
    const char *title;
};

static const struct standard standards[] = {
    {PROBLEM_CONFIGURATION, "configuration", STANDARD "configuration", 400, "Configuration error"},
    {PROBLEM_VALIDATION, "validation", STANDARD "validation", 400, "Validation error"},
    {PROBLEM_EXPRESSION, "expression", STANDARD "expression", 400, "Expression error"},
    {PROBLEM_AUTHENTICATION, "authentication", STANDARD "authentication", 401,
     "Authentication error"},
    {PROBLEM_AUTHORIZATION, "authorization", STANDARD "authorization", 403, "Authorization error"},
    {PROBLEM_TIMEOUT, "timeout", STANDARD "timeout", 408, "Timeout"},
    {PROBLEM_COMMUNICATION, "communication", STANDARD "communication", 500, "Communication error"},
    {PROBLEM_RUNTIME, "runtime", STANDARD "runtime", 500, "Runtime error"},
    {PROBLEM_OUTCOME_UNKNOWN, "outcome-unknown", "https://pawl.dev/errors/outcome-unknown", 408,
     "Outcome unknown"},
};
enum { STANDARD_COUNT = sizeof standards / sizeof standards[0] };

static const char *const hosts[] = {
    "https://serverlessworkflow.io/",
    "http://serverlessworkflow.io/",
    "https://open-workflow-specification.org/",
    "http://open-workflow-specification.org/",
};

struct problem problem_of(enum problem_kind kind)
{
    const struct standard *row = &standards[kind];
    return (struct problem){
        .type = bytes_string(row->type), .status = row->status, .title = bytes_string(row->title)};
}

static struct bytes after(struct bytes text, struct bytes prefix)
{
    return bytes_of(text.data + prefix.size, text.size - prefix.size);
}

/* `spec/<version>/errors/x` or `dsl/errors/types/x`: x; anything else: empty. */
static struct bytes last_segment(struct bytes path)
{
    static const struct bytes none;
    const struct bytes dsl = BYTES_LITERAL("dsl/errors/types/");
    const struct bytes spec = BYTES_LITERAL("spec/"), errors = BYTES_LITERAL("errors/");
    if (bytes_have_prefix(path, dsl))
        return after(path, dsl);
    if (!bytes_have_prefix(path, spec))
        return none;
    path = after(path, spec);
    while (path.size > 0 && path.data[0] != '/')
        path = after(path, bytes_of(path.data, 1));
    if (path.size > 0)
        path = after(path, bytes_of(path.data, 1));
    return bytes_have_prefix(path, errors) ? after(path, errors) : none;
}

static struct bytes name_of(struct bytes text)
{
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++)
        if (bytes_have_prefix(text, bytes_string(hosts[i])))
            return last_segment(after(text, bytes_string(hosts[i])));
    return text;
}

struct bytes problem_type_canonical(struct bytes text)
{
    struct bytes name = name_of(text);
    for (size_t i = 0; i < STANDARD_COUNT; i++)
        if (bytes_equal(name, bytes_string(standards[i].name)))
            return bytes_string(standards[i].type);
    return text;
}

bool problem_standard(struct bytes type, int64_t *status_out, struct bytes *title_out)
{
    for (size_t i = 0; i < STANDARD_COUNT; i++) {
        if (!bytes_equal(type, bytes_string(standards[i].type)))
            continue;
        *status_out = standards[i].status;
        *title_out = bytes_string(standards[i].title);
        return true;
    }
    return false;
}

bool problem_is(struct bytes type, enum problem_kind kind)
{
    return bytes_equal(type, bytes_string(standards[kind].type));
}

static void field_pack(struct buffer *out, const char *name, struct bytes text)
{
    if (text.size == 0)
        return;
    pack_text(out, name);
    pack_string(out, text);
}

void problem_pack(const struct problem *problem, struct buffer *out)
{
    pack_map(out, 2u + (problem->instance.size > 0) + (problem->title.size > 0) +
                      (problem->detail.size > 0));
    pack_text(out, "type");
    pack_string(out, problem->type);
    pack_text(out, "status");
    pack_integer(out, problem->status);
    field_pack(out, "instance", problem->instance);
    field_pack(out, "title", problem->title);
    field_pack(out, "detail", problem->detail);
}
