#include "workflow/duration.h"

#define SECOND_US ((uint64_t)1000000)

struct unit {
    const char *name; /* in an object */
    char letter;      /* in text; 0: none */
    bool is_time;     /* in text: after the T */
    uint64_t us;
};

static const struct unit units[] = {
    {"weeks", 'W', false, 7 * 86400 * SECOND_US},
    {"days", 'D', false, 86400 * SECOND_US},
    {"hours", 'H', true, 3600 * SECOND_US},
    {"minutes", 'M', true, 60 * SECOND_US},
    {"seconds", 'S', true, SECOND_US},
    {"milliseconds", 0, true, 1000},
};
enum { UNIT_COUNT = sizeof units / sizeof units[0] };

static bool fail(const char **problem_out, const char *problem)
{
    *problem_out = problem;
    return false;
}

static const char *const too_long = "a duration of more than 100 years";

/* total += whole * unit + millionths * unit / 10^6, within the limit. */
static bool add(uint64_t *total, uint64_t whole, uint64_t millionths, uint64_t unit_us)
{
    if (whole > DURATION_US_MAX / unit_us)
        return false;
    *total += whole * unit_us + millionths * unit_us / SECOND_US;
    return *total <= DURATION_US_MAX;
}

struct number {
    uint64_t whole, millionths;
    bool has_fraction;
};

static bool is_digit(const uint8_t *at, const uint8_t *end)
{
    return at < end && *at >= '0' && *at <= '9';
}

/* Digits with an optional fraction; NULL: there are none or too many. */
static const uint8_t *number_read(const uint8_t *at, const uint8_t *end, struct number *out)
{
    *out = (struct number){.whole = 0};
    if (!is_digit(at, end))
        return NULL;
    for (; is_digit(at, end); at++) {
        if (out->whole > DURATION_US_MAX)
            return NULL;
        out->whole = out->whole * 10 + (uint64_t)(*at - '0');
    }
    if (at == end || (*at != '.' && *at != ','))
        return at;
    at++;
    out->has_fraction = true;
    if (!is_digit(at, end))
        return NULL;
    for (uint64_t place = SECOND_US / 10; is_digit(at, end); at++, place /= 10)
        out->millionths += (uint64_t)(*at - '0') * place;
    return at;
}

/* The unit of a letter that may still follow after the units before `next`; UNIT_COUNT: none. */
static size_t unit_find(char letter, bool is_time, size_t next)
{
    for (size_t i = next; i < UNIT_COUNT; i++)
        if (units[i].letter == letter && units[i].is_time == is_time)
            return i;
    return UNIT_COUNT;
}

static bool text_read(struct bytes text, uint64_t *us_out, const char **problem_out)
{
    static const char *const shape = "not an ISO 8601 duration such as PT1.5S or P2DT3H";
    const uint8_t *at = text.data, *end = text.size == 0 ? at : at + text.size;
    if (at == end || *at++ != 'P' || at == end)
        return fail(problem_out, shape);
    uint64_t total = 0;
    size_t next = 0;
    bool is_time = false;
    while (at < end) {
        if (*at == 'T' && !is_time) {
            is_time = true;
            at++;
        }
        struct number number;
        at = number_read(at, end, &number);
        if (at == NULL || at == end)
            return fail(problem_out, shape);
        if (!is_time && (*at == 'Y' || *at == 'M'))
            return fail(problem_out,
                        "a duration in years or months, which have no fixed length; use days");
        size_t unit = unit_find((char)*at++, is_time, next);
        if (unit == UNIT_COUNT || (number.has_fraction && at != end))
            return fail(problem_out, shape);
        if (!add(&total, number.whole, number.millionths, units[unit].us))
            return fail(problem_out, too_long);
        next = unit + 1;
    }
    *us_out = total;
    return true;
}

static const struct unit *unit_named(struct bytes name)
{
    for (size_t i = 1; i < UNIT_COUNT; i++) /* weeks are only in text */
        if (bytes_equal(name, bytes_string(units[i].name)))
            return &units[i];
    return NULL;
}

static bool object_read(struct bytes value, uint64_t *us_out, const char **problem_out)
{
    struct value_cursor cursor = value_cursor_of(value);
    struct value_head head, key;
    uint64_t total = 0;
    if (value_next(&cursor, &head) != PAWL_OK || head.count == 0)
        return fail(problem_out, "a duration without any unit");
    for (uint32_t i = 0; i < head.count; i++) {
        struct bytes amount_value;
        int64_t amount;
        if (value_next(&cursor, &key) != PAWL_OK || value_take(&cursor, &amount_value) != PAWL_OK)
            return fail(problem_out, "not a duration");
        const struct unit *unit = key.kind == VALUE_STRING ? unit_named(key.bytes) : NULL;
        if (unit == NULL)
            return fail(problem_out, "a duration whose units are not among days, hours, minutes, "
                                     "seconds and milliseconds");
        if (!value_integer(amount_value, &amount) || amount < 0)
            return fail(problem_out, "a duration whose amounts are not integers from 0");
        if (!add(&total, (uint64_t)amount, 0, unit->us))
            return fail(problem_out, too_long);
    }
    *us_out = total;
    return true;
}

bool duration_read(struct bytes value, uint64_t *us_out, const char **problem_out)
{
    struct bytes text;
    if (value_string(value, &text))
        return text_read(text, us_out, problem_out);
    if (value_kind_of(value) == VALUE_MAP)
        return object_read(value, us_out, problem_out);
    return fail(problem_out, "neither ISO 8601 text nor a map of units");
}
