#include "node/say.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

static enum say_level level_min = SAY_INFO;

void say_level_set(enum say_level level)
{
    level_min = level;
}

void say(enum say_level level, const char *message, const char *pairs, ...)
{
    static const char *const names[] = {"debug", "info", "warning", "error"};
    struct timespec now;
    struct tm utc;
    char time[32], details[1024];
    va_list arguments;
    if (level < level_min)
        return;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    strftime(time, sizeof time, "%Y-%m-%dT%H:%M:%S", &utc);
    va_start(arguments, pairs);
    vsnprintf(details, sizeof details, pairs, arguments);
    va_end(arguments);
    fprintf(stderr, "time=%s.%03ldZ level=%s msg=\"%s\"%s%s\n", time, now.tv_nsec / 1000000,
            names[level], message, details[0] != '\0' ? " " : "", details);
}
