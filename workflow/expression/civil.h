/* Civil: dates of the Gregorian calendar in UTC, without a clock, a locale or a time zone. */
#ifndef PAWL_WORKFLOW_EXPRESSION_CIVIL_H
#define PAWL_WORKFLOW_EXPRESSION_CIVIL_H

#include "workflow/expression/text.h"

struct civil {
    int64_t year;
    int month; /* 0 to 11 */
    int day;   /* 1 to 31 */
    int hour, minute;
    int second;  /* 0 to 60 */
    int weekday; /* 0 to 6, from Sunday */
    int yearday; /* 0 to 365 */
};

/* Seconds since 1970 must lie within ± this, so that nothing overflows (some 3 million years). */
#define CIVIL_SECONDS_MAX ((int64_t)100000000000000)

struct civil civil_of_seconds(int64_t seconds);
/* Fields may lie outside of their range and carry over, as timegm has it. */
int64_t civil_seconds(const struct civil *civil);

/* strftime in the C locale and UTC; a conversion it does not know stands as it is. */
void civil_format(struct text *text, struct bytes format, const struct civil *civil);
/* strptime in the C locale; weekday and yearday follow from the date. False: the text does not
 * match. */
bool civil_parse(struct bytes text, struct bytes format, struct civil *civil_out);

#endif
