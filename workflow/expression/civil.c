#include "workflow/expression/civil.h"

enum { DAY_SECONDS = 86400, ERA_DAYS = 146097, ERA_YEARS = 400 };

static const char *const weekdays[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                       "Thursday", "Friday", "Saturday"};
static const char *const months[] = {"January",   "February", "March",    "April",
                                     "May",       "June",     "July",     "August",
                                     "September", "October",  "November", "December"};

static int64_t floor_divide(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static bool is_leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Days since 1970-01-01 of the first of a month (from 0). Years are counted from March, so that the
 * leap day is the last of its year. */
static int64_t month_days(int64_t year, int month)
{
    const int64_t shifted = month < 2 ? year - 1 : year;
    const int64_t era = floor_divide(shifted, ERA_YEARS);
    const int64_t year_of_era = shifted - era * ERA_YEARS;
    const int64_t month_from_march = (month + 10) % 12;
    const int64_t day_of_year = (153 * month_from_march + 2) / 5;
    const int64_t day_of_era =
        year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * ERA_DAYS + day_of_era - 719468;
}

struct civil civil_of_seconds(int64_t seconds)
{
    const int64_t days = floor_divide(seconds, DAY_SECONDS);
    const int rest = (int)(seconds - days * DAY_SECONDS);
    struct civil civil = {.hour = rest / 3600, .minute = rest / 60 % 60, .second = rest % 60};
    civil.year = 1970 + floor_divide(days * ERA_YEARS, ERA_DAYS);
    while (month_days(civil.year, 0) > days)
        civil.year--;
    while (month_days(civil.year + 1, 0) <= days)
        civil.year++;
    civil.yearday = (int)(days - month_days(civil.year, 0));
    while (civil.month < 11 && month_days(civil.year, civil.month + 1) <= days)
        civil.month++;
    civil.day = 1 + (int)(days - month_days(civil.year, civil.month));
    civil.weekday = (int)(days + 4 - floor_divide(days + 4, 7) * 7);
    return civil;
}

int64_t civil_seconds(const struct civil *civil)
{
    const int64_t years = floor_divide(civil->month, 12);
    const int64_t days =
        month_days(civil->year + years, (int)(civil->month - years * 12)) + civil->day - 1;
    return ((days * 24 + civil->hour) * 60 + civil->minute) * 60 + civil->second;
}

/* At least width digits, filled up with fill. */
static void append_padded(struct text *text, int64_t number, int width, uint8_t fill)
{
    int64_t bound = 10;
    for (int digits = 1; digits < width && number >= 0; digits++, bound *= 10) {
        if (number < bound)
            text_append_byte(text, fill);
    }
    text_append_integer(text, number);
}

/* The week of the year whose weeks begin on first_weekday; days before the first such day are week
 * 0. */
static int week_of_year(const struct civil *civil, int first_weekday)
{
    return (civil->yearday + 7 - (civil->weekday + 7 - first_weekday) % 7) / 7;
}

/* ISO 8601: week 1 has the year's first Thursday; the year of a date's week may be a neighbour. */
static int iso_week(const struct civil *civil, int64_t *year_out)
{
    const int thursday = civil->yearday + 3 - (civil->weekday + 6) % 7;
    const int length = is_leap(civil->year) ? 366 : 365;
    *year_out = civil->year + (thursday >= length) - (thursday < 0);
    if (thursday < 0)
        return (thursday + (is_leap(civil->year - 1) ? 366 : 365)) / 7 + 1;
    return (thursday >= length ? thursday - length : thursday) / 7 + 1;
}

/* Conversions that stand for several others. */
static const char *composite_of(uint8_t conversion)
{
    static const char composites[][2][24] = {
        {"c", "%a %b %e %H:%M:%S %Y"}, {"D", "%m/%d/%y"}, {"F", "%Y-%m-%d"}, {"R", "%H:%M"},
        {"r", "%I:%M:%S %p"},          {"T", "%H:%M:%S"}, {"X", "%H:%M:%S"}, {"x", "%m/%d/%y"},
    };
    for (size_t i = 0; i < sizeof composites / sizeof *composites; i++) {
        if ((uint8_t)composites[i][0][0] == conversion)
            return composites[i][1];
    }
    return NULL;
}

static void append_name(struct text *text, const char *name, bool is_short)
{
    text_append(text, bytes_of(name, is_short ? 3 : strlen(name)));
}

static int hour_of_twelve(const struct civil *civil)
{
    return civil->hour % 12 == 0 ? 12 : civil->hour % 12;
}

/* Dates. False: not a conversion of a date. */
static bool append_date(struct text *text, uint8_t conversion, const struct civil *civil)
{
    int64_t iso_year;
    const int week = iso_week(civil, &iso_year);
    switch (conversion) {
    case 'Y':
        text_append_integer(text, civil->year);
        return true;
    case 'C':
        append_padded(text, floor_divide(civil->year, 100), 2, '0');
        return true;
    case 'y':
        append_padded(text, civil->year - floor_divide(civil->year, 100) * 100, 2, '0');
        return true;
    case 'm':
        append_padded(text, civil->month + 1, 2, '0');
        return true;
    case 'd':
    case 'e':
        append_padded(text, civil->day, 2, conversion == 'e' ? ' ' : '0');
        return true;
    case 'j':
        append_padded(text, civil->yearday + 1, 3, '0');
        return true;
    case 'a':
    case 'A':
        append_name(text, weekdays[civil->weekday], conversion == 'a');
        return true;
    case 'b':
    case 'h':
    case 'B':
        append_name(text, months[civil->month], conversion != 'B');
        return true;
    case 'u':
        text_append_integer(text, civil->weekday == 0 ? 7 : civil->weekday);
        return true;
    case 'w':
        text_append_integer(text, civil->weekday);
        return true;
    case 'G':
        text_append_integer(text, iso_year);
        return true;
    case 'g':
        append_padded(text, iso_year - floor_divide(iso_year, 100) * 100, 2, '0');
        return true;
    case 'V':
        append_padded(text, week, 2, '0');
        return true;
    case 'U':
    case 'W':
        append_padded(text, week_of_year(civil, conversion == 'W'), 2, '0');
        return true;
    default:
        return false;
    }
}

/* Times of day and the rest. */
static void append_time(struct text *text, uint8_t conversion, const struct civil *civil)
{
    switch (conversion) {
    case 'H':
    case 'k':
        append_padded(text, civil->hour, 2, conversion == 'k' ? ' ' : '0');
        return;
    case 'I':
    case 'l':
        append_padded(text, hour_of_twelve(civil), 2, conversion == 'l' ? ' ' : '0');
        return;
    case 'M':
        append_padded(text, civil->minute, 2, '0');
        return;
    case 'S':
        append_padded(text, civil->second, 2, '0');
        return;
    case 'p':
        text_append(text, bytes_string(civil->hour < 12 ? "AM" : "PM"));
        return;
    case 's':
        text_append_integer(text, civil_seconds(civil));
        return;
    case 'Z':
        text_append(text, BYTES_LITERAL("UTC"));
        return;
    case 'z':
        text_append(text, BYTES_LITERAL("+0000"));
        return;
    case 'n':
    case 't':
        text_append_byte(text, conversion == 'n' ? '\n' : '\t');
        return;
    case '%':
        text_append_byte(text, '%');
        return;
    default:
        text_append_byte(text, '%');
        text_append_byte(text, conversion);
    }
}

void civil_format(struct text *text, struct bytes format, const struct civil *civil)
{
    for (size_t i = 0; i < format.size; i++) {
        if (format.data[i] != '%' || i + 1 == format.size) {
            text_append_byte(text, format.data[i]);
            continue;
        }
        const uint8_t conversion = format.data[++i];
        const char *composite = composite_of(conversion);
        if (composite != NULL)
            civil_format(text, bytes_string(composite), civil);
        else if (!append_date(text, conversion, civil))
            append_time(text, conversion, civil);
    }
}

struct reader {
    const uint8_t *at;
    const uint8_t *end;
    struct civil civil;
    bool is_afternoon;
    bool has_yearday;
};

static bool is_space(uint8_t byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

static void skip_space(struct reader *reader)
{
    while (reader->at < reader->end && is_space(*reader->at))
        reader->at++;
}

/* At most width digits, within low..high. */
static bool read_number(struct reader *reader, int width, int64_t low, int64_t high,
                        int64_t *number_out)
{
    int64_t number = 0;
    int digit_count = 0;
    skip_space(reader);
    for (; digit_count < width && reader->at < reader->end && *reader->at >= '0' &&
           *reader->at <= '9';
         digit_count++)
        number = number * 10 + (*reader->at++ - '0');
    *number_out = number;
    return digit_count > 0 && number >= low && number <= high;
}

static bool read_field(struct reader *reader, int width, int64_t low, int64_t high, int offset,
                       int *field_out)
{
    int64_t number;
    if (!read_number(reader, width, low, high, &number))
        return false;
    *field_out = (int)number + offset;
    return true;
}

static bool matches(const struct reader *reader, const char *word, size_t size)
{
    if ((size_t)(reader->end - reader->at) < size)
        return false;
    for (size_t i = 0; i < size; i++) {
        if ((reader->at[i] | 0x20) != ((uint8_t)word[i] | 0x20))
            return false;
    }
    return true;
}

/* One of the names, whole or its first three letters. */
static bool read_name(struct reader *reader, const char *const *names, int count, int *field_out)
{
    for (int i = 0; i < count; i++) {
        const size_t whole = strlen(names[i]);
        const size_t size = matches(reader, names[i], whole) ? whole : 3;
        if (!matches(reader, names[i], size))
            continue;
        reader->at += size;
        *field_out = i;
        return true;
    }
    return false;
}

static bool read_year(struct reader *reader)
{
    const bool is_negative = reader->at < reader->end && *reader->at == '-';
    reader->at += is_negative;
    if (!read_number(reader, 4, 0, 9999, &reader->civil.year))
        return false;
    if (is_negative)
        reader->civil.year = -reader->civil.year;
    return true;
}

static bool read_short_year(struct reader *reader)
{
    if (!read_number(reader, 2, 0, 99, &reader->civil.year))
        return false;
    reader->civil.year += reader->civil.year < 69 ? 2000 : 1900;
    return true;
}

static bool read_half(struct reader *reader)
{
    reader->is_afternoon = matches(reader, "PM", 2);
    if (!reader->is_afternoon && !matches(reader, "AM", 2))
        return false;
    if (reader->is_afternoon)
        reader->civil.hour = reader->civil.hour % 12 + 12;
    reader->at += 2;
    return true;
}

/* A zone's name, or its offset, is read over: all times are UTC. */
static bool read_zone(struct reader *reader)
{
    const uint8_t *begin = reader->at;
    while (reader->at < reader->end && (*reader->at | 0x20) >= 'a' && (*reader->at | 0x20) <= 'z')
        reader->at++;
    return reader->at > begin;
}

static bool read_offset(struct reader *reader)
{
    int64_t offset;
    skip_space(reader);
    if (reader->at < reader->end && *reader->at == 'Z') {
        reader->at++;
        return true;
    }
    if (reader->at == reader->end || (*reader->at != '+' && *reader->at != '-'))
        return false;
    reader->at++;
    if (!read_number(reader, 2, 0, 24, &offset))
        return false;
    if (reader->at < reader->end && *reader->at == ':')
        reader->at++;
    return reader->at == reader->end || is_space(*reader->at) ||
           read_number(reader, 2, 0, 59, &offset);
}

static bool read_seconds(struct reader *reader)
{
    int64_t seconds;
    if (!read_number(reader, 14, 0, CIVIL_SECONDS_MAX, &seconds))
        return false;
    reader->civil = civil_of_seconds(seconds);
    return true;
}

static bool read_conversion(struct reader *reader, uint8_t conversion)
{
    struct civil *civil = &reader->civil;
    switch (conversion) {
    case 'Y':
        return read_year(reader);
    case 'y':
        return read_short_year(reader);
    case 'm':
        return read_field(reader, 2, 1, 12, -1, &civil->month);
    case 'd':
    case 'e':
        return read_field(reader, 2, 1, 31, 0, &civil->day);
    case 'j':
        reader->has_yearday = true;
        return read_field(reader, 3, 1, 366, -1, &civil->yearday);
    case 'H':
    case 'k':
        return read_field(reader, 2, 0, 23, 0, &civil->hour);
    case 'I':
    case 'l':
        return read_field(reader, 2, 1, 12, 0, &civil->hour) && (civil->hour %= 12, true);
    case 'M':
        return read_field(reader, 2, 0, 59, 0, &civil->minute);
    case 'S':
        return read_field(reader, 2, 0, 61, 0, &civil->second);
    case 'a':
    case 'A':
        return read_name(reader, weekdays, 7, &civil->weekday);
    case 'b':
    case 'B':
    case 'h':
        return read_name(reader, months, 12, &civil->month);
    case 'p':
        return read_half(reader);
    case 'Z':
        return read_zone(reader);
    case 'z':
        return read_offset(reader);
    case 's':
        return read_seconds(reader);
    case 'n':
    case 't':
        skip_space(reader);
        return true;
    default:
        return conversion == '%' && reader->at < reader->end && *reader->at++ == '%';
    }
}

static bool read_format(struct reader *reader, struct bytes format)
{
    for (size_t i = 0; i < format.size; i++) {
        if (is_space(format.data[i])) {
            skip_space(reader);
            continue;
        }
        if (format.data[i] != '%' || i + 1 == format.size) {
            if (reader->at == reader->end || *reader->at++ != format.data[i])
                return false;
            continue;
        }
        const char *composite = composite_of(format.data[++i]);
        const bool is_read = composite != NULL ? read_format(reader, bytes_string(composite))
                                               : read_conversion(reader, format.data[i]);
        if (!is_read)
            return false;
    }
    return true;
}

bool civil_parse(struct bytes text, struct bytes format, struct civil *civil_out)
{
    struct reader reader = {
        .at = text.data, .end = text.data + text.size, .civil = {.year = 1900, .day = 1}};
    if (!read_format(&reader, format) || reader.at != reader.end)
        return false;
    struct civil date = reader.civil;
    if (reader.has_yearday) {
        date.month = 0;
        date.day = date.yearday + 1;
    }
    date.hour = date.minute = date.second = 0;
    const struct civil whole = civil_of_seconds(civil_seconds(&date));
    *civil_out = reader.civil;
    civil_out->weekday = whole.weekday;
    civil_out->yearday = whole.yearday;
    if (reader.has_yearday) {
        civil_out->month = whole.month;
        civil_out->day = whole.day;
    }
    return true;
}
