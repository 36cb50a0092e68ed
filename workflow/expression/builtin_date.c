/* Dates in UTC: seconds since 1970, and jq's broken down time, an array of year, month (from 0),
 * day, hours, minutes, seconds, weekday (from Sunday) and day of the year (from 0). */
#include <math.h>

#include "workflow/expression/builtin.h"
#include "workflow/expression/civil.h"
#include "workflow/expression/number.h"

enum { BROKEN_DOWN_COUNT = 8, BROKEN_DOWN_NEEDED = 6 };

static bool push_all(struct work *work, const struct civil *civil, struct datum seconds,
                     struct datum *output_out)
{
    const struct datum parts[BROKEN_DOWN_COUNT] = {
        datum_integer(civil->year),    datum_integer(civil->month),   datum_integer(civil->day),
        datum_integer(civil->hour),    datum_integer(civil->minute),  seconds,
        datum_integer(civil->weekday), datum_integer(civil->yearday),
    };
    if (!datum_array_new(work, BROKEN_DOWN_COUNT, output_out))
        return false;
    for (int i = 0; i < BROKEN_DOWN_COUNT; i++) {
        if (!datum_array_push(work, output_out, parts[i]))
            return false;
    }
    return true;
}

static bool seconds_of(struct work *work, struct datum number, const char *who, double *seconds_out)
{
    if (!datum_is_number(number))
        return work_fail(work, "%s requires a number", who);
    *seconds_out = number_real(number);
    return fabs(*seconds_out) <= (double)CIVIL_SECONDS_MAX ||
           work_fail(work, "%v is out of the range of dates", &number);
}

bool date_gmtime(struct work *work, struct datum input, const struct datum *arguments,
                 struct datum *output_out)
{
    double seconds;
    (void)arguments;
    if (!seconds_of(work, input, "gmtime()", &seconds))
        return false;
    const double whole = floor(seconds);
    const struct civil civil = civil_of_seconds((int64_t)whole);
    return push_all(work, &civil, number_of_real(civil.second + (seconds - whole)), output_out);
}

/* A part of a broken down time, bounded so that sums of them cannot overflow. */
static bool part_of(struct work *work, struct datum array, uint32_t place, const char *who,
                    int64_t *part_out)
{
    enum { PART_MAX = 1000000 };
    const struct datum part = place < array.size ? array.items->at[place] : datum_integer(0);
    if (!datum_is_number(part))
        return work_fail(work, "%s requires parsed datetime inputs", who);
    *part_out = number_clamp(part);
    return (*part_out >= -PART_MAX && *part_out <= PART_MAX) ||
           work_fail(work, "%v is out of the range of dates", &part);
}

static bool civil_of(struct work *work, struct datum array, const char *who,
                     struct civil *civil_out)
{
    int64_t part[BROKEN_DOWN_COUNT];
    if (array.kind != DATUM_ARRAY)
        return work_fail(work, "%s requires array inputs", who);
    if (datum_count(array) < BROKEN_DOWN_NEEDED)
        return work_fail(work, "%s requires parsed datetime inputs", who);
    if (!datum_open(work, array, &array))
        return false;
    for (uint32_t i = 0; i < BROKEN_DOWN_COUNT; i++) {
        if (!part_of(work, array, i, who, &part[i]))
            return false;
    }
    *civil_out = (struct civil){.year = part[0],
                                .month = (int)part[1],
                                .day = (int)part[2],
                                .hour = (int)part[3],
                                .minute = (int)part[4],
                                .second = (int)part[5]};
    return true;
}

bool date_mktime(struct work *work, struct datum input, const struct datum *arguments,
                 struct datum *output_out)
{
    struct civil civil;
    (void)arguments;
    if (!civil_of(work, input, "mktime", &civil))
        return false;
    *output_out = datum_integer(civil_seconds(&civil));
    return true;
}

bool date_strftime(struct work *work, struct datum input, const struct datum *arguments,
                   struct datum *output_out)
{
    struct civil civil;
    struct text text = {.work = work};
    double seconds = 0;
    if (arguments[0].kind != DATUM_STRING)
        return work_fail(work, "strftime/1 requires a string format");
    if (datum_is_number(input) && !seconds_of(work, input, "strftime/1", &seconds))
        return false;
    if (!datum_is_number(input) && input.kind != DATUM_ARRAY)
        return work_fail(work, "strftime/1 requires parsed datetime inputs");
    if (datum_is_number(input))
        civil = civil_of_seconds((int64_t)floor(seconds));
    else if (!civil_of(work, input, "strftime/1", &civil))
        return false;
    else
        civil = civil_of_seconds(civil_seconds(&civil));
    civil_format(&text, datum_bytes(arguments[0]), &civil);
    return text_take(&text, output_out) && work_charge_elements(work, arguments[0].size);
}

bool date_strptime(struct work *work, struct datum input, const struct datum *arguments,
                   struct datum *output_out)
{
    struct civil civil;
    if (input.kind != DATUM_STRING)
        return work_fail(work, "strptime/1 requires string inputs and arguments");
    if (arguments[0].kind != DATUM_STRING)
        return work_fail(work, "strptime/1 requires string inputs and arguments");
    if (!civil_parse(datum_bytes(input), datum_bytes(arguments[0]), &civil))
        return work_fail(work, "date \"%a\" does not match format \"%a\"", &input, &arguments[0]);
    return push_all(work, &civil, datum_integer(civil.second), output_out) &&
           work_charge_elements(work, (uint64_t)input.size + arguments[0].size);
}
