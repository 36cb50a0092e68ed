/* Times for people and for expressions: RFC 3339 in UTC, from microseconds since 1970. */
#ifndef PAWL_WORKFLOW_TIME_H
#define PAWL_WORKFLOW_TIME_H

#include "proto/value.h"

/* "2026-11-23T14:05:06.789Z" and a NUL. Years past 9999 are written as the last moment of 9999. */
void time_format(uint64_t us, char text_out[25]);
/* The text as a string value. */
void time_pack(uint64_t us, struct buffer *out);
/* The language's descriptor: {iso8601, epoch: {seconds, milliseconds}}. */
void time_descriptor_pack(uint64_t us, struct buffer *out);

#endif
