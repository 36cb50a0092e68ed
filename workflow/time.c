#include "workflow/time.h"

#define SECOND_US ((uint64_t)1000000)
#define LAST_US   ((uint64_t)253402300799 * SECOND_US + 999999)

struct date {
    unsigned year, month, day;
};

/* Days since 1970 to a date of the Gregorian calendar, counted in eras of 400 years from 1 March.
 */
static struct date date_of(uint64_t days)
{
    enum { DAYS_TO_1970 = 719468, ERA_DAYS = 146097 };
    uint64_t shifted = days + DAYS_TO_1970;
    unsigned era = (unsigned)(shifted / ERA_DAYS);
    unsigned day_of_era = (unsigned)(shifted % ERA_DAYS);
    unsigned year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned month = (5 * day_of_year + 2) / 153; /* from March */
    struct date date = {.day = day_of_year - (153 * month + 2) / 5 + 1,
                        .month = month < 10 ? month + 3 : month - 9,
                        .year = year_of_era + era * 400};
    date.year += date.month <= 2;
    return date;
}

static char *digits_put(char *at, unsigned number, int count)
{
    for (int i = count - 1; i >= 0; i--, number /= 10)
        at[i] = (char)('0' + number % 10);
    return at + count;
}

void time_format(uint64_t us, char text_out[25])
{
    if (us > LAST_US)
        us = LAST_US;
    struct date date = date_of(us / SECOND_US / 86400);
    unsigned second = (unsigned)(us / SECOND_US % 86400);
    char *at = digits_put(text_out, date.year, 4);
    *at++ = '-';
    at = digits_put(at, date.month, 2);
    *at++ = '-';
    at = digits_put(at, date.day, 2);
    *at++ = 'T';
    at = digits_put(at, second / 3600, 2);
    *at++ = ':';
    at = digits_put(at, second / 60 % 60, 2);
    *at++ = ':';
    at = digits_put(at, second % 60, 2);
    *at++ = '.';
    at = digits_put(at, (unsigned)(us % SECOND_US / 1000), 3);
    *at++ = 'Z';
    *at = '\0';
}

void time_pack(uint64_t us, struct buffer *out)
{
    char text[25];
    time_format(us, text);
    pack_text(out, text);
}

void time_descriptor_pack(uint64_t us, struct buffer *out)
{
    pack_map(out, 2);
    pack_text(out, "iso8601");
    time_pack(us, out);
    pack_text(out, "epoch");
    pack_map(out, 2);
    pack_text(out, "seconds");
    pack_unsigned(out, us / SECOND_US);
    pack_text(out, "milliseconds");
    pack_unsigned(out, us / 1000);
}
