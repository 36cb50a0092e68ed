/* The daemon's log: one logfmt line per event on standard error. Programs log, libraries do not.
 *
 * A line is `time=RFC3339 level=info msg="..." key=value ...`; values with spaces or quotes are
 * quoted.
 */
#ifndef PAWL_NODE_SAY_H
#define PAWL_NODE_SAY_H

enum say_level { SAY_DEBUG, SAY_INFO, SAY_WARNING, SAY_ERROR };

/* Lines below this level are dropped. */
void say_level_set(enum say_level level);
/* pairs is a printf format of the `key=value` part; may be "". Any thread. */
void say(enum say_level level, const char *message, const char *pairs, ...)
    __attribute__((format(printf, 3, 4)));

#endif
