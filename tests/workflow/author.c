#include "author.h"

#include <stdarg.h>
#include <stdio.h>

struct author {
    struct buffer *out;
    uint64_t *random;
    unsigned depth;
    unsigned catches; /* open ones */
};

static uint64_t draw(struct author *author, uint64_t below)
{
    uint64_t z = *author->random += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (z ^ z >> 31) % below;
}

static bool chance(struct author *author, unsigned percent)
{
    return draw(author, 100) < percent;
}

static void say(struct author *author, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void say(struct author *author, const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    buffer_append(author->out, text, (size_t)size);
}

static unsigned pick(struct author *author, unsigned below)
{
    return (unsigned)draw(author, below);
}

static void list_write(struct author *author);

/* Flow to any task of the list of `count` tasks; names are t0, t1 and so on in each list. */
static void flow_write(struct author *author, unsigned count)
{
    static const char *const directives[] = {"continue", "exit", "end"};
    if (chance(author, 40))
        say(author, "%s", directives[pick(author, 3)]);
    else
        say(author, "t%u", pick(author, count));
}

static void expression_write(struct author *author)
{
    static const char *const expressions[] = {
        ".n",           ". | length", "$input",        "$context.c // 1",
        "$workflow.id", ".a.b?",      "[., $context]", "error(\"no\")",
        "$task.name",   "empty",      "$runtime.name"};
    say(author, "'${ %s }'", expressions[pick(author, 11)]);
}

static void condition_write(struct author *author)
{
    static const char *const conditions[] = {"true",       "false",     ".n == 1",
                                             "$context.c", ". != null", ".n < 2"};
    say(author, "'%s'", conditions[pick(author, 6)]);
}

static void call_write(struct author *author)
{
    unsigned type = pick(author, AUTHOR_TYPES);
    say(author, "call: t%u, with: { n: ", type);
    expression_write(author);
    say(author, " }");
    if (!chance(author, 50))
        return;
    say(author, ", metadata: { pawl: { compensate: { call: u%u, with: { o: ", type);
    expression_write(author);
    say(author, " }%s }",
        chance(author, 30) ? ", retry: { limit: { attempt: { count: 1 } } }" : "");
    if (chance(author, 30))
        say(author, ", compensateOn: [completed, unknown]");
    say(author, ", atMostOnce: %s } }", chance(author, 25) ? "true" : "false");
}

static void set_write(struct author *author)
{
    say(author, "set: { n: %u, x: ", pick(author, 4));
    expression_write(author);
    say(author, " }");
}

static void switch_write(struct author *author, unsigned count)
{
    say(author, "switch: [ { one: { when: ");
    condition_write(author);
    say(author, ", then: ");
    flow_write(author, count);
    say(author, " } }, { other: { then: ");
    flow_write(author, count);
    say(author, " } } ]");
}

static void retry_write(struct author *author)
{
    static const char *const backoffs[] = {"constant", "linear", "exponential"};
    say(author,
        "retry: { delay: { milliseconds: %u }, backoff: { %s: {} }, limit: { attempt: { "
        "count: %u",
        10 * pick(author, 20), backoffs[pick(author, 3)], pick(author, 4));
    if (chance(author, 20))
        say(author, ", duration: PT0.5S");
    say(author, " } }, jitter: { from: PT0S, to: PT0.05S } }, ");
}

static void try_write(struct author *author, unsigned count)
{
    say(author, "try: ");
    list_write(author);
    say(author, ", catch: { ");
    if (chance(author, 30))
        say(author, "errors: { with: { status: %u } }, ", 400 + 100 * pick(author, 2));
    if (chance(author, 60))
        retry_write(author);
    if (chance(author, 20)) {
        say(author, "exceptWhen: ");
        condition_write(author);
        say(author, ", ");
    }
    if (chance(author, 20)) {
        say(author, "then: ");
        flow_write(author, count);
        say(author, ", ");
    }
    if (chance(author, 70)) {
        author->catches++;
        say(author, "do: ");
        list_write(author);
        author->catches--;
    } else {
        say(author, "as: problem");
    }
    say(author, " }");
}

static void kind_write(struct author *author, unsigned count)
{
    unsigned kind = pick(author, author->depth >= 4 ? 12 : 18);
    if (kind < 6)
        call_write(author);
    else if (kind < 8)
        set_write(author);
    else if (kind == 8)
        switch_write(author, count);
    else if (kind == 9)
        say(author, "wait: { milliseconds: %u }", pick(author, 300));
    else if (kind == 10)
        say(author,
            "raise: { error: { type: timeout, status: %u, detail: ", 400 + 100 * pick(author, 2)),
            expression_write(author), say(author, " } }");
    else if (kind == 11)
        say(author, "call: pawl.compensate");
    else if (kind < 16)
        try_write(author, count);
    else
        say(author, "do: "), list_write(author);
}

static void common_write(struct author *author, unsigned count)
{
    if (chance(author, 10)) {
        say(author, ", if: ");
        condition_write(author);
    }
    if (chance(author, 10)) {
        say(author, ", input: { from: '%s' }", chance(author, 50) ? "{ n: .n, was: . }" : ".n");
    }
    if (chance(author, 10)) {
        say(author, ", output: { as: ");
        expression_write(author);
        say(author, " }");
    }
    if (chance(author, 10))
        say(author, ", export: { as: '{ c: . }' }");
    if (chance(author, 15))
        say(author, ", timeout: { after: { milliseconds: %u } }", 50 + pick(author, 500));
    if (chance(author, 10)) {
        say(author, ", then: ");
        flow_write(author, count);
    }
}

static void list_write(struct author *author)
{
    unsigned count = 1 + pick(author, 4);
    author->depth++;
    say(author, "[ ");
    for (unsigned i = 0; i < count; i++) {
        say(author, "%s{ t%u: { ", i == 0 ? "" : ", ", i);
        kind_write(author, count);
        common_write(author, count);
        say(author, " } }");
    }
    say(author, " ]");
    author->depth--;
}

void author_write(const char *name, uint64_t *random, struct buffer *out)
{
    struct author author = {.out = out, .random = random};
    say(&author, "document: { dsl: '1.0.3', namespace: test, name: %s, version: '1.0.0'%s }\n",
        name, chance(&author, 50) ? ", metadata: { pawl: { onFault: compensate } }" : "");
    if (chance(&author, 20))
        say(&author, "timeout: { after: PT2S }\n");
    say(&author, "do: ");
    list_write(&author);
    say(&author, "\n");
}
